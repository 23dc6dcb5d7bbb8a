"""What a running query has kept so far: its neighbours, its radius, its cost.

One answer serves every kind of question. k-NN, k-NN within a radius, range, count, ε-approximation,
budgets and a radius for each object are settings of it, so that a structure asks only whether a region may
contain an answer, and whether an object may belong to it.

An approximate answer knows whether it is exact all the same: it remembers the least bound of all that
was passed over for the sake of `eps` or the budget, and is proven exact when that bound lies beyond its
final radius.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .bounds import Slack
from .kernels import Array, kernel
from .least import add, arrange, before, greatest, replace

# Kinds of question.
KNN, RANGE, COUNT, BROWSE = 0, 1, 2, 3
PAIRS = 4  # a range whose objects are wanted in no order
SIFT = 5  # PAIRS, but what would be measured for the answer alone is only noted in the mask
BALLS = (RANGE, PAIRS, SIFT)  # answers that hold as many objects as there are

NOTED = 2  # in Answer.mask, beside 0 and 1: no bound excludes this object

# Answer.reals
RADIUS = 0  # objects farther than this do not belong
EDGE = 1  # the radius as the structure measures: another one if objects are offered by another metric
REACH = 2  # regions whose bound exceeds this are not visited: edge / (1 + eps)
ADMIT = 3  # estimates up to this may belong to an object within the radius
PASSED = 4  # least bound of what was passed over although it might belong

REALS = 5

# Answer.wholes: one row for each query
FOUND = 0  # objects kept, or counted
COST = 1  # distances computed
BOUNDS = 2  # surrogate evaluations
BEGUN = 3  # whether the traversal has begun, so that it can be taken up again
PROVEN = 4  # whether the answer is proven exact

WHOLES = 5


class Answer(NamedTuple):
    """The state of one query."""

    positions: Array  # the least by (distance, position), see `least`; those of a ball as they were found
    distances: Array
    reals: Array
    wholes: Array
    order: Array  # position of the object in each slot of the structure
    mask: Array  # uint8 by slot: which objects are admissible; empty when all are
    skip: int  # a slot whose object is not: the query's own, when it is indexed; −1 if there is none
    after: int  # nor is any object up to this slot: each pair of a self-join is found from its earlier side
    kind: int
    stretch: float  # 1 + eps
    budget: int
    enough: int  # a count goes no further
    reaches: Array  # by slot: how far each object belongs, beside the radius; empty when that is all
    node_reaches: Array  # by node: the greatest of them below it; empty when it is not known
    scale: float  # the edge is radius · scale + margin
    margin: float
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
    edge = radius * answer.scale + answer.margin
    answer.reals[RADIUS] = radius
    answer.reals[EDGE] = edge
    answer.reals[REACH] = edge / answer.stretch
    answer.reals[ADMIT] = admitted(edge, slack)


@kernel
def admitted(radius: float, slack: Slack) -> float:
    """Return up to where estimates may be of objects within a radius."""
    return radius * (1 + 2 * slack.relative) + 2 * slack.absolute


@kernel
def may_contain(answer: Answer, bound: float) -> bool:
    """Whether a region no nearer than `bound` must be looked at."""
    if bound <= answer.reals[REACH]:
        return True
    if bound <= answer.reals[EDGE]:
        pass_over(answer, bound)
    return False


@kernel
def may_lead(answer: Answer, node: int, bound: float) -> bool:
    """Whether a node no nearer than `bound` must be visited."""
    own = answer.node_reaches
    return (own.shape[0] == 0 or bound <= own[node]) and may_contain(answer, bound)


@kernel
def may_belong(answer: Answer, slot: int, bound: float) -> bool:
    """Whether an object no nearer than `bound` must be measured."""
    return bound <= reach_of(answer, slot) and may_contain(answer, bound) and admissible(answer, slot)


@kernel
def reach_of(answer: Answer, slot: int) -> float:
    """Return how far this object belongs, beside the radius."""
    return np.inf if answer.reaches.shape[0] == 0 else answer.reaches[slot]


@kernel
def admit_of(answer: Answer, slot: int) -> float:
    """Return up to where an estimate may be of this object, if it belongs."""
    if answer.reaches.shape[0] == 0:
        return answer.reals[ADMIT]
    return min(answer.reals[ADMIT], admitted(answer.reaches[slot], answer.slack))


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
    if not d <= min(answer.reals[RADIUS], reach_of(answer, slot)) or not admissible(answer, slot):
        return
    found = answer.wholes[FOUND]
    room = answer.positions.shape[0]
    position = answer.order[slot]
    if answer.kind == COUNT:
        answer.wholes[FOUND] = found + 1
        if found + 1 == answer.enough:
            shrink(answer, -np.inf)  # nothing more belongs: let the traversal end
    elif found < room:
        if answer.kind in BALLS:
            answer.distances[found] = d
            answer.positions[found] = position
        else:
            add(answer.distances, answer.positions, found, d, position)
        answer.wholes[FOUND] = found + 1
        if found + 1 == room and answer.kind == KNN:
            shrink(answer, answer.distances[greatest(room)])
    else:
        top = greatest(room)
        if before(d, position, answer.distances[top], answer.positions[top]):
            replace(answer.distances, answer.positions, d, position)
            shrink(answer, answer.distances[top])


@kernel
def finish(answer: Answer) -> None:
    """Say whether what was kept is proven exact; put neighbours into order, and mark what was not found."""
    # What was passed over cannot change an answer whose radius it lies beyond.
    passed = answer.reals[PASSED]
    answer.wholes[PROVEN] = passed == np.inf or passed > answer.reals[EDGE]
    if answer.kind == KNN:
        found = answer.wholes[FOUND]
        arrange(answer.distances, answer.positions, found)
        for i in range(found, answer.positions.shape[0]):
            answer.positions[i], answer.distances[i] = -1, np.inf
