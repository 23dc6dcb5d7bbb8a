"""Generalised hyperplane tree (Uhlmann 1991): two pivots, and each object on the side of the nearer.

Idea
    The objects nearer to the first pivot and those nearer to the second are divided by a hyperplane, so
    to speak. A query on one side need look at the other only if its ball reaches across: half the
    difference of its distances to the two pivots bounds the distance to every object beyond.

Arrays
    Objects lie in tree order: node ``i`` occupies slots ``start[i]`` to ``stop[i]``, its two pivots first,
    then the objects of the first, then those of the second. A leaf's objects are contiguous.

Invariants
    No object is nearer to the other pivot than to its own. Objects as near to both are shared out evenly,
    so that duplicates do not unbalance the tree.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..answer import Answer
from ..arguments import whole_number
from ..bounds import DOUBLE_PIVOT, double_pivot
from ..construction import COST, DONE, Construction
from ..growing import divide, grown, hang, measure_span, offer_span, scan_leaf
from ..ids import Positions
from ..index import BaseIndex
from ..kernels import Array
from ..partitions import divide_by_sign, swap
from ..pivots import farthest_of, random_below
from ..space import Room, estimate, prepare
from ..traversal import Desk, afford, expand, make_desk, measure

SAMPLE = 16  # objects among which the second pivot is the farthest: apart from the first, seldom an outlier


class GHNodes(NamedTuple):
    """The nodes."""

    start: Array
    stop: Array
    parent: Array  # −1 at the root
    near_first: Array  # −1 at a leaf
    near_second: Array


@expand.of(GHNodes)
def _(tree: GHNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    start = tree.start[node]
    if tree.near_first[node] < 0:
        scan_leaf(tree, node, space, query, answer, desk)
        return
    if not afford(answer, desk):
        return
    first = measure(space, start, query, answer, desk)
    if not afford(answer, desk):
        return
    second = measure(space, start + 1, query, answer, desk)
    nearer, farther = double_pivot(first, second, answer.slack), double_pivot(second, first, answer.slack)
    offer_span(tree, tree.near_first[node], nearer, DOUBLE_PIVOT, answer, desk)
    offer_span(tree, tree.near_second[node], farther, DOUBLE_PIVOT, answer, desk)


@divide.of(GHNodes)
def _(tree: GHNodes, node: int, space: Any, order: Array, keys: Array, room: Room, state: Array) -> None:
    start, stop = tree.start[node], tree.stop[node]
    swap(order, start, start + random_below(state, stop - start))
    query = prepare(space, space, order[start], room)
    swap(order, start + 1, farthest_of(space, order, start + 1, stop, query, SAMPLE, state))
    measure_span(space, order, start + 2, stop, query, keys, room, state)
    query = prepare(space, space, order[start + 1], room)
    for place in range(start + 2, stop):
        keys[place] -= estimate(space, order[place], query)
    state[COST] += stop - start - 2
    middle = divide_by_sign(keys, order, start + 2, stop)
    tree.near_first[node] = hang(tree, node, start + 2, middle, state)
    tree.near_second[node] = hang(tree, node, middle, stop, state)
    state[DONE] += 2


class GHTree(BaseIndex):
    """Generalised hyperplane tree: divides by nearness to two pivots; needs no stored distances.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    leaf_size : int
        Objects that a leaf may hold, at least 2.
    seed : int
        Where the choice of pivots comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Uhlmann, Satisfying general proximity/similarity queries with metric trees, Information Processing
    Letters 40, 1991.
    """

    key = "ghtree"
    arrays = GHNodes
    smaller = "linear"

    def __init__(
        self, metric: Any = "euclidean", *, leaf_size: int = 16, seed: int = 0, max_bytes: int | None = None
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.leaf_size = whole_number("leaf_size", leaf_size, 2)

    def _build(self, construction: Construction) -> tuple[GHNodes, Positions]:
        n = construction.count
        # Each inner node keeps two objects to itself, and one side may be empty.
        nodes = n + 1
        spans = np.zeros((2, nodes), np.int64)
        none = np.full((3, nodes), -1)
        return grown(GHNodes(*spans, *none), construction, self.leaf_size)

    def _bytes(self, count: int) -> int:
        return 8 * count + 80 * (4 * count // self.leaf_size + 1)

    def _desk(self) -> Desk:
        return make_desk(self.leaf_size + 3, 0, 0)
