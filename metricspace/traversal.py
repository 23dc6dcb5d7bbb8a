"""One traversal for every structure, every query and both orders of visiting.

A structure says where a query begins (`begin`) and what lies behind a node (`expand`): it measures
objects and offers children, each with a lower bound. What is waiting lies in the frontier of a `Desk`:
a stack, nearest child on top (depth first), or a heap (best first). Browsing is best first with the
measured objects waiting in the same heap; whatever comes to its top is the next neighbour.

The frontier may also hold objects that are bounded but not yet measured. So a best-first search
measures an object only when nothing nearer is left to look at.

A kernel allocates nothing. When the frontier has no room for what one node may offer, the traversal says
so before it touches anything; Python enlarges the desk, and the traversal goes on where it was. So it is
with the results of a range. It also pauses after so many distances if it is told to, so that several
queries can take turns and learn from each other (`queries.sifting`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .answer import (
    ADMIT,
    BALLS,
    BEGUN,
    BOUNDS,
    BROWSE,
    COST,
    FOUND,
    NOTED,
    SIFT,
    Answer,
    admissible,
    admit_of,
    affordable,
    finish,
    may_belong,
    may_contain,
    may_lead,
    offer,
    pass_over,
    start,
)
from .bounds import OWN, REASONS, SHRUNK
from .kernels import Array, generic, kernel
from .space import (
    Room,
    at_least,
    batches,
    estimate,
    estimate_within,
    estimates,
    prepare,
    settle,
    settling,
)

DEPTH_FIRST, BEST_FIRST = 0, 1

# How a traversal ended.
DONE, MORE_FRONTIER, MORE_RESULTS, STOPPED, PAUSED = 0, 1, 2, 3, 4

# Desk.wholes
SIZE = 0  # entries in the frontier
BASE = 1  # where the children of the current node begin in the stack
ORDER = 2  # depth first or best first
POOL = 3  # objects in the pool of a table
STOP = 4  # set from outside to interrupt
VISITED = 5  # nodes expanded
REST = 6  # pause after a node for which so many distances are reached; 0 for never

# Desk.tally
NODES, OBJECTS = 0, 1

# What waits in the frontier: a node, an object with a bound, an object with its distance. Among equal
# keys this is the order in which they are taken, so that a node that may hide a tie is opened first.
_NODE, _BOUNDED, _MEASURED = 0, 1, 2
_TAG = 48  # the tag stands above this bit, a node, slot or position below


class Desk(NamedTuple):
    """The working memory of one thread."""

    keys: Array  # the frontier: a lower bound, or a distance
    items: Array
    memo: Array  # by node: the distance that its structure noted for it
    pool_keys: Array  # by object: lower bounds, for tables
    pool_slots: Array
    wholes: Array
    tally: Array  # nodes, then objects, by the bound that excluded them; see `bounds.REASONS`
    bound: Array  # lower bound of the node being expanded
    fanout: int  # the most that one node may put into the frontier, or offer to an answer


def make_desk(fanout: int, nodes: int, pool: int) -> Desk:
    """Return working memory: the most that a node may offer, nodes with a memo, objects in the pool."""
    room = 4 * fanout + 64
    return Desk(
        np.zeros(room),
        np.zeros(room, np.int64),
        np.zeros(max(nodes, 1)),
        np.zeros(pool),
        np.zeros(pool, np.int64),
        np.zeros(7, np.int64),
        np.zeros((2, len(REASONS)), np.int64),
        np.zeros(1),
        fanout,
    )


def enlarged(desk: Desk) -> Desk:
    """Return the same desk with twice the frontier."""
    return desk._replace(
        keys=np.concatenate([desk.keys, np.zeros_like(desk.keys)]),
        items=np.concatenate([desk.items, np.zeros_like(desk.items)]),
    )


@generic
def begin(tree: Any, space: Any, query: Any, answer: Answer, desk: Desk) -> Any:
    """Measure what every query measures first, and offer where to begin."""


@begin.of(object)
def _(tree: Any, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    offer_child(desk, answer, 0, 0.0, SHRUNK)


@generic
def expand(tree: Any, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    """Measure the objects of a node and offer its children: all in which structures differ."""


# --- what a structure may do -------------------------------------------------------------------------


@kernel
def afford(answer: Answer, desk: Desk) -> bool:
    """Whether one more distance may be computed; if not, the rest of this node is passed over."""
    if affordable(answer):
        return True
    pass_over(answer, desk.bound[0])
    return False


@kernel
def measure(space: Any, slot: int, query: Any, answer: Answer, desk: Desk) -> float:
    """Compute a distance, offer the object to the answer, and return the distance to reason with."""
    d = reckon(space, slot, query, answer)
    offer_measured(space, slot, d, query, answer, desk)
    return d


@kernel
def reckon(space: Any, slot: int, query: Any, answer: Answer) -> float:
    """Compute a distance to reason with, for an object that is offered elsewhere."""
    answer.wholes[COST] += 1
    return estimate(space, slot, query)


@kernel
def probe(space: Any, slot: int, query: Any, answer: Answer, desk: Desk) -> None:
    """Measure an object for the answer alone: a distance beyond its radius need not be known."""
    if answer.kind == SIFT:
        answer.mask[slot] = NOTED
        return
    answer.wholes[COST] += 1
    d = estimate_within(space, slot, query, admit_of(answer, slot))
    offer_measured(space, slot, d, query, answer, desk)


@kernel
def offer_measured(space: Any, slot: int, d: float, query: Any, answer: Answer, desk: Desk) -> None:
    """Offer an object whose estimated distance is known."""
    if d > admit_of(answer, slot):
        return
    if settling(space):
        if not affordable(answer):
            pass_over(answer, d)
            return
        answer.wholes[COST] += 1
    d = settle(space, slot, query, d)
    if answer.kind != BROWSE:
        offer(answer, slot, d)
    elif may_contain(answer, d) and admissible(answer, slot):
        push(desk, d, _MEASURED, answer.order[slot])


@kernel
def consider(
    space: Any, slot: int, bound: float, reason: int, query: Any, answer: Answer, desk: Desk
) -> None:
    """Measure an object no nearer than `bound`, if it may belong: now, or best first, in its turn."""
    if not may_belong(answer, slot, bound):
        desk.tally[OBJECTS, reason] += 1
        return
    least = at_least(space, slot, query)
    if least > bound:
        bound = least
        if not may_belong(answer, slot, bound):
            desk.tally[OBJECTS, OWN] += 1
            return
    if desk.wholes[ORDER] == BEST_FIRST and bound > desk.bound[0]:
        push(desk, bound, _BOUNDED, slot)
    elif afford(answer, desk):
        probe(space, slot, query, answer, desk)


@kernel
def consider_block(space: Any, first: int, last: int, query: Any, answer: Answer, desk: Desk) -> None:
    """Measure consecutive objects, together if that pays and each of them may be measured now.

    One by one, a radius that has shrunk serves the next object already.
    """
    if last - 1 <= answer.after:
        return
    free = answer.mask.shape[0] == 0 and answer.wholes[COST] + last - first <= answer.budget
    if not (batches(space) and free) or desk.wholes[ORDER] == BEST_FIRST:
        for slot in range(first, last):
            consider(space, slot, desk.bound[0], SHRUNK, query, answer, desk)
        return
    found, places = desk.pool_keys[: last - first], desk.pool_slots
    measured, near, bounds = estimates(space, first, query, answer.reals[ADMIT], found, places)
    answer.wholes[COST] += measured
    answer.wholes[BOUNDS] += bounds
    desk.tally[OBJECTS, OWN] += last - first - measured
    for k in range(near):
        offer_measured(space, first + places[k], found[k], query, answer, desk)


@kernel
def take_back(desk: Desk) -> None:
    """Have a node not visited yet, which is about to be offered once more."""
    desk.wholes[VISITED] -= 1


@kernel
def offer_child(desk: Desk, answer: Answer, node: int, bound: float, reason: int) -> None:
    """Put a node no nearer than `bound` into the frontier, if it may contain an answer.

    `reason` is what made the bound, one of `bounds.REASONS`.
    """
    bound = max(bound, desk.bound[0])  # no child is nearer than its parent
    if not may_lead(answer, node, bound):
        desk.tally[NODES, reason] += 1
        return
    if desk.wholes[ORDER] == BEST_FIRST:
        push(desk, bound, _NODE, node)
        return
    place = desk.wholes[SIZE]
    desk.wholes[SIZE] = place + 1
    while place > desk.wholes[BASE] and desk.keys[place - 1] < bound:
        desk.keys[place] = desk.keys[place - 1]
        desk.items[place] = desk.items[place - 1]
        place -= 1
    desk.keys[place] = bound
    desk.items[place] = node


# --- the frontier as a heap --------------------------------------------------------------------------


@kernel
def push(desk: Desk, key: float, tag: int, number: int) -> None:
    """Add an item to the heap."""
    item = (tag << _TAG) | number
    i = desk.wholes[SIZE]
    desk.wholes[SIZE] = i + 1
    while i > 0:
        parent = (i - 1) // 2
        if desk.keys[parent] < key or (desk.keys[parent] == key and desk.items[parent] < item):
            break
        desk.keys[i] = desk.keys[parent]
        desk.items[i] = desk.items[parent]
        i = parent
    desk.keys[i] = key
    desk.items[i] = item


@kernel
def pop(desk: Desk) -> int:
    """Take the next item from the frontier; its key is left in ``desk.bound``."""
    last = desk.wholes[SIZE] - 1
    desk.wholes[SIZE] = last
    desk.wholes[BASE] = last
    if desk.wholes[ORDER] == DEPTH_FIRST:
        desk.bound[0] = desk.keys[last]
        return desk.items[last]
    desk.bound[0] = desk.keys[0]
    taken = desk.items[0]
    sift(desk.keys, desk.items, last, desk.keys[last], desk.items[last], 0)
    return taken


@kernel
def sift(keys: Array, items: Array, size: int, key: float, item: int, i: int) -> None:
    """Put an item into place `i` of a min-heap of `size`, and downwards."""
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and (
            keys[child + 1] < keys[child]
            or (keys[child + 1] == keys[child] and items[child + 1] < items[child])
        ):
            child += 1
        if key < keys[child] or (key == keys[child] and item < items[child]):
            break
        keys[i] = keys[child]
        items[i] = items[child]
        i = child
    keys[i] = key
    items[i] = item


# --- the traversal -----------------------------------------------------------------------------------


@kernel
def traverse(tree: Any, space: Any, query: Any, answer: Answer, desk: Desk, fault: Array) -> int:
    """Answer one query, or say why not yet. Taken up again, it goes on where it was."""
    if crowded(answer, desk):
        return MORE_RESULTS
    if answer.wholes[BEGUN] == 0:
        answer.wholes[BEGUN] = 1
        desk.wholes[SIZE] = 0
        desk.wholes[BASE] = 0
        desk.bound[0] = 0.0
        begin(tree, space, query, answer, desk)
    before = answer.wholes[COST]
    while desk.wholes[SIZE] > 0:
        if desk.wholes[STOP] != 0 or fault[0] != 0:
            return STOPPED
        if desk.wholes[SIZE] + desk.fanout > desk.keys.shape[0]:
            return MORE_FRONTIER
        if crowded(answer, desk):
            return MORE_RESULTS
        if 0 < desk.wholes[REST] <= answer.wholes[COST] and before < answer.wholes[COST]:
            return PAUSED
        before = answer.wholes[COST]
        if desk.items[0] >> _TAG == _MEASURED and answer.kind == BROWSE:
            if answer.wholes[FOUND] == answer.positions.shape[0]:
                return DONE
            item = pop(desk)
            answer.positions[answer.wholes[FOUND]] = item & ((1 << _TAG) - 1)
            answer.distances[answer.wholes[FOUND]] = desk.bound[0]
            answer.wholes[FOUND] += 1
            continue
        if answer.kind == BROWSE and answer.wholes[FOUND] > 0:
            return DONE  # what is known to come next is handed over before anything more is measured
        item = pop(desk)
        if not may_contain(answer, desk.bound[0]):
            if desk.wholes[ORDER] == BEST_FIRST:
                dismiss(desk)  # all others are farther still
            dismiss_one(desk, item)
            continue
        if not afford(answer, desk):
            continue
        if item >> _TAG == _NODE:
            desk.wholes[VISITED] += 1
            expand(tree, item, space, query, answer, desk)
        else:
            probe(space, item & ((1 << _TAG) - 1), query, answer, desk)
    return DONE if fault[0] == 0 else STOPPED


@kernel
def dismiss(desk: Desk) -> None:
    """Empty the frontier: the radius has shrunk below all that waits there."""
    for i in range(desk.wholes[SIZE]):
        dismiss_one(desk, desk.items[i])
    desk.wholes[SIZE] = 0


@kernel
def dismiss_one(desk: Desk, item: int) -> None:
    """Note that an item of the frontier is excluded because the radius has shrunk."""
    desk.tally[NODES if item >> _TAG == _NODE else OBJECTS, SHRUNK] += 1


@kernel
def crowded(answer: Answer, desk: Desk) -> bool:
    """Whether a range may find more in one node than there is room for."""
    return answer.kind in BALLS and answer.wholes[FOUND] + desk.fanout > answer.positions.shape[0]


@kernel
def search(
    tree: Any,
    space: Any,
    queries: Any,
    room: Room,
    desk: Desk,
    blank: Answer,
    radii: Array,
    masks: Array,
    skips: Array,
    afters: Array,
    positions: Array,
    distances: Array,
    reals: Array,
    wholes: Array,
    k: int,
    span: Array,
    used: Array,
) -> int:
    """Answer the queries of a span, and return how it went.

    ``span`` holds the next query and the end; ``used`` how much of the result buffers is taken. ``blank``
    is the answer that every query starts from.
    """
    while span[0] < span[1]:
        i = span[0]
        stop = used[0] + k if blank.kind not in BALLS else positions.shape[0]
        answer = Answer(
            positions[used[0] : stop],
            distances[used[0] : stop],
            reals,
            wholes[i],
            blank.order,
            masks[min(i, masks.shape[0] - 1)],
            skips[min(i, skips.shape[0] - 1)],
            afters[min(i, afters.shape[0] - 1)],
            blank.kind,
            blank.stretch,
            blank.budget,
            blank.enough,
            blank.reaches,
            blank.node_reaches,
            blank.scale,
            blank.margin,
            blank.slack,
        )
        if answer.wholes[BEGUN] == 0:
            start(answer, radii[i])
        query = prepare(space, queries, i, room)
        status = traverse(tree, space, query, answer, desk, room.fault)
        if status != DONE:
            return status
        if answer.kind == BROWSE:
            return DONE
        finish(answer)
        used[0] += answer.wholes[FOUND] if answer.kind in BALLS else k
        span[0] = i + 1
    return DONE
