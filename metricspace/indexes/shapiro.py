"""Shapiro's list (Shapiro 1977): objects in the order of their distance to one reference point.

Idea
    A query measures some reference points, and begins at its own place in the order of the distances to the
    first. From there it goes outward to both sides, until the next object on either side differs from it by
    more than the radius. The other reference points filter the objects on the way. So objects are bounded as
    by a pivot table, but only those are looked at that are about as far from the first reference point as
    the query is.

    Reference points serve best that are far from each other and from the bulk of the objects. By default
    those are taken, of objects on the hull, that bound the distances of others best.

Arrays
    ``table[slot, p]`` is the distance of an object to reference point p, in float32. ``line`` has the slots
    of all objects but the reference points, in the order of the distance to the first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..anatomy import Anatomy
from ..answer import Answer
from ..arguments import one_of, whole_number
from ..bounds import OBJECT_PIVOT, RANGE_PIVOT, object_pivot, range_pivot
from ..construction import Construction
from ..dynamic import DynamicIndex
from ..filtering import measure_pivots
from ..ids import Positions
from ..kernels import Array, kernel
from ..pivots import STRATEGIES, choose, measured
from ..traversal import BEST_FIRST, Desk, begin, consider, expand, make_desk, offer_child

STEP = 8  # objects looked at before the sides are compared again


class Line(NamedTuple):
    """The reference points, the distances to them, and the order."""

    pivots: Array
    table: Array  # (objects, pivots) float32
    line: Array


@begin.of(Line)
def _(tree: Line, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if not measure_pivots(tree.pivots, space, query, answer, desk):
        return
    low, high = 0, tree.line.shape[0]
    while low < high:
        middle = (low + high) // 2
        if along(tree, middle) < desk.memo[0]:
            low = middle + 1
        else:
            high = middle
    ends = desk.memo[tree.pivots.shape[0] :]
    ends[0], ends[1] = low, low  # what lies between them has been looked at
    offer_rest(tree, answer, desk)


@expand.of(Line)
def _(tree: Line, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    ends = desk.memo[tree.pivots.shape[0] :]
    first, last = int(ends[0]), int(ends[1])
    if downward(tree, first, answer, desk) <= upward(tree, last, answer, desk):
        first, last = max(first - STEP, 0), first
        ends[0] = first
    else:
        first, last = last, min(last + STEP, tree.line.shape[0])
        ends[1] = last
    for place in range(first, last):
        slot = tree.line[place]
        bound = desk.bound[0]
        for p in range(tree.pivots.shape[0]):
            bound = max(bound, object_pivot(desk.memo[p], np.float64(tree.table[slot, p]), answer.slack))
        consider(space, slot, bound, OBJECT_PIVOT, query, answer, desk)
    offer_rest(tree, answer, desk)


@kernel
def offer_rest(tree: Line, answer: Answer, desk: Desk) -> None:
    """Offer what has not been looked at, by the bound of its nearer side."""
    ends = desk.memo[tree.pivots.shape[0] :]
    below = downward(tree, int(ends[0]), answer, desk)
    above = upward(tree, int(ends[1]), answer, desk)
    if min(below, above) < np.inf:
        offer_child(desk, answer, 0, min(below, above), RANGE_PIVOT)


@kernel
def along(tree: Line, place: int) -> float:
    """Return the distance of the object at a place of the line to the first reference point."""
    return np.float64(tree.table[tree.line[place], 0])


@kernel
def downward(tree: Line, first: int, answer: Answer, desk: Desk) -> float:
    """Return a bound on the objects before a place of the line; infinity where there are none."""
    if first == 0:
        return np.inf
    return range_pivot(desk.memo[0], along(tree, 0), along(tree, first - 1), answer.slack)


@kernel
def upward(tree: Line, last: int, answer: Answer, desk: Desk) -> float:
    """Return a bound on the objects from a place of the line on; infinity where there are none."""
    count = tree.line.shape[0]
    if last == count:
        return np.inf
    return range_pivot(desk.memo[0], along(tree, last), along(tree, count - 1), answer.slack)


class ShapiroList(DynamicIndex):
    """Objects in order of one distance, filtered by a few more: a pivot table that is not read as a whole.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    pivots : int
        Reference points; more exclude more, and cost as many distances in every query.
    selection : str
        How they are chosen, one of ``metricspace.pivots.STRATEGIES``.
    seed : int
        Where the choice of reference points comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Shapiro, The choice of reference points in best-match file searching, Communications of the ACM 20, 1977.
    """

    key = "shapiro"
    arrays = Line
    order = BEST_FIRST

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        pivots: int = 16,
        selection: str = "hfi",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.pivots = whole_number("pivots", pivots, 1)
        self.selection = one_of("selection", selection, tuple(STRATEGIES))

    def _build(self, construction: Construction) -> tuple[Line, None]:
        pivots = choose(construction, self.selection, self.pivots)
        tree = Line(pivots, np.zeros((construction.count, len(pivots)), np.float32), np.zeros(0, np.int64))
        return self._insert(tree, np.arange(construction.count), construction), None

    def _extended(self, tree: Line, count: int) -> Line:
        return tree._replace(table=np.pad(tree.table, ((0, count), (0, 0))))

    def _insert(self, tree: Line, slots: Positions, construction: Construction) -> Line:
        measured(construction, slots, tree.pivots, tree.table[len(tree.table) - len(slots) :])
        line = np.setdiff1d(np.arange(len(tree.table)), tree.pivots)
        return tree._replace(line=line[np.argsort(tree.table[line, 0], kind="stable")])

    def _anatomy(self) -> Anatomy:
        return Anatomy(np.zeros(len(self._order), np.int64), np.array([-1]))

    def _bytes(self, count: int) -> int:
        return count * (4 * self.pivots + 24)

    def _desk(self) -> Desk:
        pivots = len(self._tree.pivots)
        return make_desk(max(pivots, STEP) + 2, pivots + 2, 0)
