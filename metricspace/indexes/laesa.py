"""LAESA (Micó, Oncina, Vidal 1994): a table of distances to some pivots, linear in memory.

Idea
    A query measures the pivots. From the table, each pivot then bounds the distance to every object
    without measuring any; objects are measured in the order of their bounds, until the least bound that is
    left exceeds the radius. For these pivots no method measures fewer. A new object is a new row.

Arrays
    ``table[slot, p]`` is the distance of an object to pivot p, in float32. The pivots are objects.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..answer import Answer
from ..bounds import OBJECT_PIVOT
from ..construction import Construction
from ..families.tables import TableIndex, settle_row
from ..filtering import (
    bound_all,
    by_pivots,
    by_pivots_above,
    lower_bound,
    measure_pivots,
    refine_next,
    upper_bound,
)
from ..ids import Positions
from ..kernels import Array
from ..traversal import Desk, begin, expand


class PivotTable(NamedTuple):
    """The pivots and the distances to them."""

    pivots: Array
    is_pivot: Array  # uint8 by slot
    table: Array  # (objects, pivots) float32


@settle_row.of(PivotTable)
def _(tree: PivotTable, slot: int, distances: Array) -> None:
    for p in range(tree.pivots.shape[0]):
        tree.table[slot, p] = distances[p]


@begin.of(PivotTable)
def _(tree: PivotTable, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if measure_pivots(tree.pivots, space, query, answer, desk):
        bound_all(tree, space, query, answer, desk)


@lower_bound.of(PivotTable)
def _(tree: PivotTable, slot: int, answer: Answer, desk: Desk) -> tuple[float, int]:
    return by_pivots(tree.table[slot], answer, desk), OBJECT_PIVOT


@upper_bound.of(PivotTable)
def _(tree: PivotTable, slot: int, answer: Answer, desk: Desk) -> float:
    return by_pivots_above(tree.table[slot], answer, desk)


@expand.of(PivotTable)
def _(tree: PivotTable, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    refine_next(tree, space, query, answer, desk)


class LAESA(TableIndex):
    """A pivot table: few distances even for hard data, each query passing over the whole table.

    Best where a distance is dear.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    pivots : int
        How many; more exclude more, and cost as many distances in every query.
    selection : str
        How they are chosen, one of ``metricspace.pivots.STRATEGIES``.
    seed : int
        Where the choice of pivots comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Micó, Oncina, Vidal, A new version of the nearest-neighbour approximating and eliminating search
    algorithm (AESA) with linear preprocessing time and memory requirements, Pattern Recognition Letters 15,
    1994.
    """

    key = "laesa"
    arrays = PivotTable

    def _without_rows(self, pivots: Positions, construction: Construction) -> PivotTable:
        return PivotTable(pivots, np.zeros(0, np.uint8), np.zeros((0, len(pivots)), np.float32))
