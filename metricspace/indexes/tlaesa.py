"""TLAESA (Micó, Oncina, Carrasco 1996): a table of pivots above a tree, for few bounds and few distances.

Idea
    LAESA bounds every object, one by one. Here the objects are in a monotonous bisector tree besides. A query
    measures the pivots and nothing on its way: a ball about a centre is excluded by the bound that the pivots
    give for the centre, less the radius. Only the objects that are left are bounded, and measured in the
    order of their bounds, so that for these pivots no method measures fewer.

Arrays
    Objects lie in tree order: node ``i`` occupies slots ``start[i]`` to ``stop[i]``, the objects that it
    keeps to itself first; its two children are the nodes from ``below[i]`` on. ``table[slot, p]`` is the
    distance of an object to pivot p, in float32.

Invariant
    Everything below a node lies within ``radius`` of the object in slot ``centre``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..answer import Answer
from ..arguments import one_of, whole_number
from ..bounds import OBJECT_PIVOT, SHRUNK, pivot_ball
from ..construction import Construction
from ..families.domains import divided
from ..filtering import by_pivots, measure_pivots
from ..growing import offer_span
from ..ids import Positions
from ..index import BaseIndex
from ..kernels import Array, kernel
from ..pivots import STRATEGIES, choose, measured
from ..traversal import BEST_FIRST, Desk, begin, consider, expand, make_desk, offer_child

CENTRES = 2


class TableAboveTree(NamedTuple):
    """The pivots, the distances to them, and the nodes."""

    pivots: Array
    is_pivot: Array  # uint8 by slot
    table: Array  # (objects, pivots) float32
    start: Array
    stop: Array
    parent: Array  # −1 at the root
    below: Array  # the first child; −1 at a leaf
    centre: Array  # slot; −1 at the root
    radius: Array


@begin.of(TableAboveTree)
def _(tree: TableAboveTree, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if measure_pivots(tree.pivots, space, query, answer, desk):
        offer_child(desk, answer, 0, 0.0, SHRUNK)


@expand.of(TableAboveTree)
def _(tree: TableAboveTree, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    first = tree.below[node]
    own = tree.stop[node] if first < 0 else tree.start[first]
    for slot in range(tree.start[node], own):
        if tree.is_pivot[slot] == 0:
            bound = max(by_pivots(tree.table[slot], answer, desk), desk.bound[0])
            consider(space, slot, bound, OBJECT_PIVOT, query, answer, desk)
    if first >= 0:
        for child in range(first, first + CENTRES):
            offer_span(tree, child, ball_by_pivots(tree, child, answer, desk), OBJECT_PIVOT, answer, desk)


@kernel
def ball_by_pivots(tree: TableAboveTree, node: int, answer: Answer, desk: Desk) -> float:
    """Return the greatest bound of the pivots for the objects within the ball of a node."""
    bound, row = 0.0, tree.table[tree.centre[node]]
    for p in range(row.shape[0]):
        bound = max(bound, pivot_ball(desk.memo[p], np.float64(row[p]), tree.radius[node], answer.slack))
    return bound


class TLAESA(BaseIndex):
    """A pivot table above a tree: LAESA's distances, from a small part of its bounds.

    Best where a distance is dear and the objects are too many for `LAESA` to pass over in every query.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    pivots : int
        How many; more exclude more, and cost as many distances in every query.
    leaf_size : int
        Objects that a leaf may hold, at least 2.
    selection : str
        How pivots are chosen, one of ``metricspace.pivots.STRATEGIES``.
    seed : int
        Where the choices of pivots and of centres come from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Micó, Oncina, Carrasco, A fast branch & bound nearest neighbour classifier in metric spaces, Pattern
    Recognition Letters 17, 1996.
    """

    key = "tlaesa"
    arrays = TableAboveTree
    order = BEST_FIRST  # depth first takes up to three times the distances

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        pivots: int = 32,
        leaf_size: int = 32,
        selection: str = "hfi",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.pivots = whole_number("pivots", pivots, 1)
        self.leaf_size = whole_number("leaf_size", leaf_size, 2)
        self.selection = one_of("selection", selection, tuple(STRATEGIES))

    def _build(self, construction: Construction) -> tuple[TableAboveTree, Positions]:
        pivots = choose(construction, self.selection, self.pivots)
        table = np.zeros((construction.count, len(pivots)), np.float32)
        measured(construction, np.arange(construction.count), pivots, table)
        tree, order = divided(construction, self.leaf_size, CENTRES, inherits=True, covers=True, boxed=False)
        slots = np.argsort(order)
        is_pivot = np.zeros(construction.count, np.uint8)
        is_pivot[slots[pivots]] = 1
        nodes = (tree.start, tree.stop, tree.parent, tree.below, tree.centre, tree.radius)
        return TableAboveTree(slots[pivots], is_pivot, table[order], *nodes), order

    def _covering_radii(self) -> npt.NDArray[np.float64]:
        return self._tree.radius[1:]  # the root has no centre

    def _bytes(self, count: int) -> int:
        return count * (8 * self.pivots + 33) + 48 * (4 * count // self.leaf_size + 1)

    def _desk(self) -> Desk:
        # Browsing holds the measured pivots beside the root.
        fanout = max(self.leaf_size + 2 * CENTRES, len(self._tree.pivots) + 1)
        return make_desk(fanout, len(self._tree.pivots), 0)
