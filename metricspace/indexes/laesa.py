"""LAESA (Micó, Oncina, Vidal 1994): a table of distances to some pivots, linear in memory.

Idea
    A query measures the pivots. From the table, each pivot then bounds the distance to every object
    without measuring any; objects are measured in the order of their bounds, until the least bound that is
    left exceeds the radius. For these pivots no method measures fewer.

Arrays
    ``table[slot, p]`` is the distance of an object to pivot p, in float32. The pivots are objects.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..answer import Answer
from ..arguments import whole_number
from ..construction import COST, DONE, Construction
from ..filtering import bound_all, refine_next
from ..index import BaseIndex
from ..kernels import Array, kernel
from ..pivots import random_below
from ..space import Room, estimate, prepare
from ..traversal import Desk, afford, begin, expand, make_desk, measure


class PivotTable(NamedTuple):
    """The pivots and the distances to them."""

    pivots: Array
    is_pivot: Array  # uint8 by slot
    table: Array  # (objects, pivots) float32


@begin.of(PivotTable)
def _(tree: PivotTable, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    measured = 0
    while measured < tree.pivots.shape[0] and afford(answer, desk):
        desk.memo[measured] = measure(space, tree.pivots[measured], query, answer, desk)
        measured += 1
    bound_all(tree.table, tree.is_pivot, measured, space, query, answer, desk)


@expand.of(PivotTable)
def _(tree: PivotTable, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    refine_next(space, query, answer, desk)


@kernel
def fill(tree: PivotTable, space: Any, nearest: Array, room: Room, state: Array) -> bool:
    """Choose the next pivot, the object farthest from all earlier ones, and fill its column."""
    p = state[DONE]
    n = tree.table.shape[0]
    pivot = random_below(state, n)
    if p > 0:
        for slot in range(n):
            if tree.is_pivot[pivot] != 0 or (tree.is_pivot[slot] == 0 and nearest[slot] > nearest[pivot]):
                pivot = slot
    tree.pivots[p] = pivot
    tree.is_pivot[pivot] = 1
    query = prepare(space, space, pivot, room)
    for slot in range(n):
        d = estimate(space, slot, query)
        if room.fault[0] != 0:
            return False
        tree.table[slot, p] = d
        nearest[slot] = min(nearest[slot], d)
    state[COST] += n
    state[DONE] = p + 1
    return p + 1 == tree.pivots.shape[0]


class LAESA(BaseIndex):
    """A pivot table: few distances even for hard data, each query passing over the whole table.

    Best where a distance is dear. The pivots are chosen farthest first.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    pivots : int
        How many; more exclude more, and cost as many distances in every query.
    seed : int
        Where the first pivot comes from.
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

    def __init__(
        self, metric: Any = "euclidean", *, pivots: int = 32, seed: int = 0, max_bytes: int | None = None
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.pivots = whole_number("pivots", pivots, 1)

    def _build(self, construction: Construction) -> tuple[PivotTable, None]:
        n = construction.count
        pivots = min(self.pivots, n)
        tree = PivotTable(
            np.zeros(pivots, np.int64), np.zeros(n, np.uint8), np.zeros((n, pivots), np.float32)
        )
        nearest = np.full(n, np.inf)
        construction.run(
            lambda: fill(tree, construction.space, nearest, construction.room, construction.state)
        )
        return tree, None

    def _bytes(self, count: int) -> int:
        return count * (4 * self.pivots + 9)

    def _desk(self) -> Desk:
        # Browsing may hold the measured pivots beside the pool.
        return make_desk(len(self._tree.pivots) + 2, len(self._tree.pivots), len(self._tree.is_pivot))
