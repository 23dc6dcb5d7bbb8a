"""Extreme pivots (Ruiz, Santoyo, Chávez, Figueroa, Tellez 2013), chosen as in EPT* (Chen et al. 2017).

Idea
    A pivot bounds those objects well to which its distance is extreme, far below or above that to most. So
    each object keeps its distances to the few pivots, of many, that serve it best. A query measures all
    pivots once, and bounds each object by its own: the bounds come near those of a table of all pivots, in a
    fraction of the memory.

Arrays
    ``which[slot, l]`` is the l-th best pivot of an object, by its place in ``pivots``, and
    ``table[slot, l]`` its distance to it, in float32. Pivots are objects, as are ``asking``, which stand for
    queries when the best are chosen; ``between[p, a]`` is the distance of pivot p to one of them.

Choice
    The pivots lie on the hull of the data. An object takes the one that raises its mean bound most, relative
    to the distance, over the distances to the objects in ``asking``; then the one that raises it most beside
    the first; and so on (PSA).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..answer import Answer
from ..arguments import whole_number
from ..bounds import OBJECT_PIVOT, object_pivot, object_pivot_above
from ..construction import Construction
from ..errors import InvalidArgument
from ..families.tables import TableIndex, settle_row
from ..filtering import bound_all, lower_bound, measure_pivots, refine_next, upper_bound
from ..ids import Positions
from ..kernels import Array
from ..pivots import Sample, measured
from ..traversal import Desk, begin, expand

ASKING = 64  # objects that stand for queries; 32 would cost 1 to 2% more distances
MOST = 256  # pivots that a byte can tell apart


class ExtremeTable(NamedTuple):
    """The pivots, and of each object the best of them and its distances to these."""

    pivots: Array
    is_pivot: Array  # uint8 by slot
    asking: Array
    between: Array  # (pivots, asking) float64
    which: Array  # (objects, kept) uint8
    table: Array  # (objects, kept) float32


@settle_row.of(ExtremeTable)
def _(tree: ExtremeTable, slot: int, distances: Array) -> None:
    pivots, asking = tree.between.shape
    to_asking, best = distances[pivots : pivots + asking], distances[pivots + asking : pivots + 2 * asking]
    best[:] = 0.0  # the bounds on these distances by the pivots that are kept so far
    for place in range(tree.table.shape[1]):
        chosen, most = 0, -1.0
        for p in range(pivots):
            if distances[p] < 0.0:
                continue
            total = 0.0
            for a in range(asking):
                if to_asking[a] > 0.0:
                    total += max(best[a], abs(distances[p] - tree.between[p, a])) / to_asking[a]
            if total > most:
                chosen, most = p, total
        for a in range(asking):
            best[a] = max(best[a], abs(distances[chosen] - tree.between[chosen, a]))
        tree.which[slot, place], tree.table[slot, place] = chosen, distances[chosen]
        distances[chosen] = -1.0  # it is kept


@begin.of(ExtremeTable)
def _(tree: ExtremeTable, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if measure_pivots(tree.pivots, space, query, answer, desk):
        bound_all(tree, space, query, answer, desk)


@lower_bound.of(ExtremeTable)
def _(tree: ExtremeTable, slot: int, answer: Answer, desk: Desk) -> tuple[float, int]:
    bound, which, row = 0.0, tree.which[slot], tree.table[slot]
    for place in range(row.shape[0]):
        to_query = desk.memo[which[place]]
        bound = max(bound, object_pivot(to_query, np.float64(row[place]), answer.slack))
    return bound, OBJECT_PIVOT


@upper_bound.of(ExtremeTable)
def _(tree: ExtremeTable, slot: int, answer: Answer, desk: Desk) -> float:
    bound, which, row = np.inf, tree.which[slot], tree.table[slot]
    for place in range(row.shape[0]):
        to_query = desk.memo[which[place]]
        bound = min(bound, object_pivot_above(to_query, np.float64(row[place]), answer.slack))
    return bound


@expand.of(ExtremeTable)
def _(tree: ExtremeTable, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    refine_next(tree, space, query, answer, desk)


class ExtremePivots(TableIndex):
    """Extreme pivot table: each object keeps the few pivots, of many, that bound its distances best.

    Where a table of enough pivots would take too much memory.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    pivots : int
        How many there are, at most 256; more exclude more, and cost as many distances in every query.
    kept : int
        How many of them each object keeps its distances to, at 5 bytes each.
    selection : str
        How the pivots are chosen, one of ``metricspace.pivots.STRATEGIES``.
    seed : int
        Where the choice of pivots comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Ruiz, Santoyo, Chávez, Figueroa, Tellez, Extreme pivots for faster metric indexes, SISAP 2013.
    Chen, Gao, Zheng, Jensen, Yang, Yang, Pivot-based metric indexing, PVLDB 10, 2017.
    """

    key = "ept"
    arrays = ExtremeTable
    by_slot = ("is_pivot", "which", "table")

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        pivots: int = 40,
        kept: int = 8,
        selection: str = "hfi",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, pivots=pivots, selection=selection, seed=seed, max_bytes=max_bytes)
        self.kept = whole_number("kept", kept, 1)
        if self.pivots > MOST:
            raise InvalidArgument(f"expected at most {MOST} pivots, given {self.pivots}")

    def _without_rows(self, pivots: Positions, construction: Construction) -> ExtremeTable:
        asking = Sample(construction, ASKING).slots
        between = measured(construction, pivots, asking, np.empty((len(pivots), len(asking))))
        kept = min(self.kept, len(pivots))
        which, table = np.zeros((0, kept), np.uint8), np.zeros((0, kept), np.float32)
        return ExtremeTable(pivots, np.zeros(0, np.uint8), asking, between, which, table)

    def _references(self, tree: ExtremeTable) -> Positions:
        return np.concatenate([tree.pivots, tree.asking])

    def _bytes(self, count: int) -> int:
        return count * (5 * self.kept + 9)
