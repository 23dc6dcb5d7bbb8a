"""Lower bounds first, then refine: the pool of a pivot table.

A table measures its pivots and bounds every other object before it measures any. The bounded objects wait in
the pool of the desk, a heap by bound; a traversal takes them from there one at a time, for as long as the
least bound that is left may contain an answer. To the traversal the pool is one node, whose bound is that of
its next object.

A table has ``pivots``, and ``is_pivot`` by slot, and says how it bounds an object (`lower_bound`). If it has
a second bound that is dear (`sharper_bound`), only an object whose turn it is gets it, and waits for another
turn if that is greater than its first. By an upper bound (`upper_bound`) objects are counted unmeasured.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .answer import COUNT, RADIUS, Answer, admissible, may_belong, may_contain, offer, reach_of
from .bounds import SHRUNK, object_pivot, object_pivot_above
from .kernels import Array, generic, kernel
from .space import at_least, settling
from .traversal import OBJECTS, POOL, Desk, afford, measure, offer_child, probe, sift


@generic
def lower_bound(table: Any, slot: int, answer: Answer, desk: Desk) -> Any:
    """Return a lower bound on the distance of an object, and its reason.

    ``desk.memo[p]`` holds d(query, pivot p), and behind these whatever the table has made of them.
    """


@generic
def sharper_bound(table: Any, slot: int, bound: float, answer: Answer, desk: Desk) -> Any:
    """Return a bound at least as great as the first one, and its reason."""


@sharper_bound.of(object)
def _(table: Any, slot: int, bound: float, answer: Answer, desk: Desk) -> tuple[float, int]:
    return bound, SHRUNK


@generic
def upper_bound(table: Any, slot: int, answer: Answer, desk: Desk) -> Any:
    """Return what the distance of an object does not exceed, as it is computed."""


@kernel
def measure_pivots(pivots: Array, space: Any, query: Any, answer: Answer, desk: Desk) -> bool:
    """Measure the pivots into the memo of the desk; without all of them, nothing more can be afforded."""
    for p in range(pivots.shape[0]):
        if not afford(answer, desk):
            return False
        desk.memo[p] = measure(space, pivots[p], query, answer, desk)
    return True


@kernel
def by_pivots(row: Array, answer: Answer, desk: Desk) -> float:
    """Return the bound on an object whose distances to all pivots are in a row."""
    bound = 0.0
    for p in range(row.shape[0]):
        bound = max(bound, object_pivot(desk.memo[p], np.float64(row[p]), answer.slack))
    return bound


@kernel
def by_pivots_above(row: Array, answer: Answer, desk: Desk) -> float:
    """Return what the distance of an object does not exceed, from its distances to all pivots."""
    bound = np.inf
    for p in range(row.shape[0]):
        bound = min(bound, object_pivot_above(desk.memo[p], np.float64(row[p]), answer.slack))
    return bound


@kernel
def bound_all(table: Any, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    """Fill the pool with the objects that may belong by their first bounds, and offer it."""
    size = 0
    for slot in range(table.is_pivot.shape[0]):
        if table.is_pivot[slot] != 0 or not admissible(answer, slot):
            continue  # measured already, or of no interest
        # A count asks for no distance; but that of another metric is not bounded here.
        if answer.kind == COUNT and not settling(space):
            most = upper_bound(table, slot, answer, desk)
            if most <= min(answer.reals[RADIUS], reach_of(answer, slot)):
                offer(answer, slot, most)
                continue
        bound, reason = lower_bound(table, slot, answer, desk)
        size = keep(desk, size, slot, max(bound, at_least(space, slot, query)), reason, answer)
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
def refine_next(table: Any, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    """Sharpen the least bound of the pool, or else measure its object, and offer what is left."""
    size, slot, first = desk.wholes[POOL], desk.pool_slots[0], desk.pool_keys[0]
    if slot >= 0:
        bound, reason = sharper_bound(table, slot, first, answer, desk)
        if bound > first and may_belong(answer, slot, bound):
            # The complement of its slot says that it had its turn.
            sift(desk.pool_keys, desk.pool_slots, size, bound, ~slot, 0)
            offer_pool(answer, desk)
            return
    else:
        bound, reason, slot = first, SHRUNK, ~slot
    desk.wholes[POOL] = size - 1
    sift(desk.pool_keys, desk.pool_slots, size - 1, desk.pool_keys[size - 1], desk.pool_slots[size - 1], 0)
    if bound > first:
        desk.tally[OBJECTS, reason] += 1
    else:
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
