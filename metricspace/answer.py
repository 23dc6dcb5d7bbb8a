"""What a running query has kept so far: its neighbours, its radius, its cost.

One answer serves every kind of question. k-NN, k-NN within a radius, range, count, ε-approximation and
budgets are settings of it, so that a structure asks only ``may_contain(answer, bound)``.

An approximate answer knows whether it is exact all the same: it remembers the least bound of all that
was passed over for the sake of `eps` or the budget, and is proven exact when that bound lies beyond its
final radius.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .bounds import Slack
from .kernels import Array, kernel

# Kinds of question.
KNN, RANGE, COUNT, BROWSE = 0, 1, 2, 3

# Answer.reals
RADIUS = 0  # objects farther than this do not belong
REACH = 1  # regions whose bound exceeds this are not visited: radius / (1 + eps)
ADMIT = 2  # estimates up to this may belong to an object within the radius
PASSED = 3  # least bound of what was passed over although it might belong

# Answer.wholes: one row for each query
FOUND = 0  # objects kept, or counted
COST = 1  # distances computed
BOUNDS = 2  # surrogate evaluations
BEGUN = 3  # whether the traversal has begun, so that it can be taken up again
FULL = 4  # whether a range had no room for an object
PROVEN = 5  # whether the answer is proven exact

WHOLES = 6


class Answer(NamedTuple):
    """The state of one query."""

    positions: Array  # max-heap by (distance, position)
    distances: Array
    reals: Array
    wholes: Array
    order: Array  # position of the object in each slot of the structure
    mask: Array  # uint8 by slot: which objects are admissible; empty when all are
    skip: (
        int  # a slot whose object is not: the query itself, when it is an indexed object; −1 if there is none
    )
    after: int  # nor is any object up to this slot: each pair of a self-join is found from its earlier side
    kind: int
    stretch: float  # 1 + eps
    budget: int
    slack: Slack


@kernel
def start(answer: Answer, radius: float) -> None:
    """Forget everything and accept objects up to `radius`."""
    answer.wholes[:] = 0
    answer.reals[PASSED] = np.inf
    shrink(answer, radius)


@kernel
def shrink(answer: Answer, radius: float) -> None:
    """Set the radius, and what follows from it."""
    slack = answer.slack
    answer.reals[RADIUS] = radius
    answer.reals[REACH] = radius / answer.stretch
    answer.reals[ADMIT] = radius * (1 + 2 * slack.relative) + 2 * slack.absolute


@kernel
def may_contain(answer: Answer, bound: float) -> bool:
    """Whether a region no nearer than `bound` must be looked at."""
    if bound <= answer.reals[REACH]:
        return True
    if bound <= answer.reals[RADIUS]:
        pass_over(answer, bound)
    return False


@kernel
def pass_over(answer: Answer, bound: float) -> None:
    """Remember that something no nearer than `bound` was not looked at."""
    answer.reals[PASSED] = min(answer.reals[PASSED], bound)


@kernel
def affordable(answer: Answer) -> bool:
    """Whether the budget allows one more distance."""
    return answer.wholes[COST] < answer.budget


@kernel
def admissible(answer: Answer, slot: int) -> bool:
    """Whether this object may be in the answer, if it is near enough."""
    if slot == answer.skip or slot <= answer.after:
        return False
    return answer.mask.shape[0] == 0 or answer.mask[slot] != 0


@kernel
def offer(answer: Answer, slot: int, d: float) -> None:
    """Keep an object at distance `d`, if it belongs."""
    if not d <= answer.reals[RADIUS] or not admissible(answer, slot):
        return
    found = answer.wholes[FOUND]
    room = answer.positions.shape[0]
    position = answer.order[slot]
    if answer.kind == COUNT:
        answer.wholes[FOUND] = found + 1
    elif found < room:
        rise(answer, found, d, position)
        answer.wholes[FOUND] = found + 1
        if found + 1 == room and answer.kind == KNN:
            shrink(answer, answer.distances[0])
    elif answer.kind == RANGE:
        answer.wholes[FULL] = 1
        shrink(answer, -1.0)  # nothing more can be kept: let the traversal end
    elif before(d, position, answer.distances[0], answer.positions[0]):
        sink(answer, room, d, position)
        shrink(answer, answer.distances[0])


@kernel
def finish(answer: Answer) -> None:
    """Sort what was kept by (distance, position), and say whether it is proven exact."""
    # What was passed over (if infinite, nothing was) cannot change an answer whose radius it lies beyond.
    passed = answer.reals[PASSED]
    answer.wholes[PROVEN] = passed > answer.reals[RADIUS] or passed == np.inf
    if answer.kind == COUNT:
        return
    for last in range(answer.wholes[FOUND] - 1, 0, -1):
        d = answer.distances[last]
        position = answer.positions[last]
        answer.distances[last] = answer.distances[0]
        answer.positions[last] = answer.positions[0]
        sink(answer, last, d, position)


@kernel
def before(d: float, position: int, other: float, other_position: int) -> bool:
    """Whether one object comes before another: by distance, then by position."""
    return d < other or (d == other and position < other_position)


@kernel
def rise(answer: Answer, i: int, d: float, position: int) -> None:
    """Put an object into place `i` of the heap, and upwards."""
    while i > 0:
        parent = (i - 1) // 2
        if not before(answer.distances[parent], answer.positions[parent], d, position):
            break
        answer.distances[i] = answer.distances[parent]
        answer.positions[i] = answer.positions[parent]
        i = parent
    answer.distances[i] = d
    answer.positions[i] = position


@kernel
def sink(answer: Answer, size: int, d: float, position: int) -> None:
    """Put an object at the top of a heap of `size`, and downwards."""
    i = 0
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and before(
            answer.distances[child],
            answer.positions[child],
            answer.distances[child + 1],
            answer.positions[child + 1],
        ):
            child += 1
        if not before(d, position, answer.distances[child], answer.positions[child]):
            break
        answer.distances[i] = answer.distances[child]
        answer.positions[i] = answer.positions[child]
        i = child
    answer.distances[i] = d
    answer.positions[i] = position
