"""Lower bounds first, then refine: the pool of a pivot table.

A table bounds every object before it measures any. The bounded objects wait in the pool of the desk, a
heap by bound; a traversal takes them from there one at a time, for as long as the least bound that is
left may contain an answer. To the traversal the pool is one node, whose bound is that of its next object.
"""

from __future__ import annotations

from typing import Any

from .answer import Answer, admissible, may_belong, may_contain
from .bounds import OBJECT_PIVOT, SHRUNK, object_pivot
from .kernels import Array, kernel
from .space import at_least
from .traversal import OBJECTS, POOL, Desk, offer_child, probe, sift


@kernel
def bound_all(
    table: Array, skip: Array, pivots: int, space: Any, query: Any, answer: Answer, desk: Desk
) -> None:
    """Fill the pool with the objects whose bound by the first `pivots` columns may belong, and offer it.

    ``table[slot, p]`` holds d(object, pivot p), ``desk.memo[p]`` holds d(query, pivot p); objects with
    ``skip[slot]`` have been measured already.
    """
    size = 0
    for slot in range(table.shape[0]):
        if skip[slot] != 0 or not admissible(answer, slot):
            continue
        bound = at_least(space, slot, query)
        for p in range(pivots):
            bound = max(bound, object_pivot(desk.memo[p], table[slot, p], answer.slack))
        size = keep(desk, size, slot, bound, OBJECT_PIVOT, answer)
    open_pool(size, answer, desk)


@kernel
def keep(desk: Desk, size: int, slot: int, bound: float, reason: int, answer: Answer) -> int:
    """Put an object into place `size` of the pool, if it may belong, and return the next place."""
    if not may_belong(answer, slot, bound):
        desk.tally[OBJECTS, reason] += 1
        return size
    desk.pool_keys[size] = bound
    desk.pool_slots[size] = slot
    return size + 1


@kernel
def keep_least_first(desk: Desk, size: int, slot: int, bound: float, reason: int, answer: Answer) -> int:
    """Put an object into the pool as `keep` does, but in front if none has a lower bound."""
    kept = keep(desk, size, slot, bound, reason, answer)
    if kept > size and bound < desk.pool_keys[0]:
        desk.pool_keys[size], desk.pool_slots[size] = desk.pool_keys[0], desk.pool_slots[0]
        desk.pool_keys[0], desk.pool_slots[0] = bound, slot
    return kept


@kernel
def open_pool(size: int, answer: Answer, desk: Desk) -> None:
    """Make a heap of the first `size` places of the pool, and offer it."""
    for i in range(size // 2 - 1, -1, -1):
        sift(desk.pool_keys, desk.pool_slots, size, desk.pool_keys[i], desk.pool_slots[i], i)
    desk.wholes[POOL] = size
    offer_pool(answer, desk)


@kernel
def refine_next(space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    """Measure the object of least bound, and offer what is left."""
    last = desk.wholes[POOL] - 1
    desk.wholes[POOL] = last
    slot = desk.pool_slots[0]
    sift(desk.pool_keys, desk.pool_slots, last, desk.pool_keys[last], desk.pool_slots[last], 0)
    probe(space, slot, query, answer, desk)
    offer_pool(answer, desk)


@kernel
def offer_pool(answer: Answer, desk: Desk) -> None:
    """Offer the pool, if it is not empty, by the bound of its next object."""
    if desk.wholes[POOL] == 0:
        return
    if may_contain(answer, desk.pool_keys[0]):
        offer_child(desk, answer, 0, desk.pool_keys[0], SHRUNK)
    else:
        desk.tally[OBJECTS, SHRUNK] += desk.wholes[POOL]
