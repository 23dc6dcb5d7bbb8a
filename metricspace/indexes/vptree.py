"""Vantage point tree (Yianilos 1993; Uhlmann 1991): ball partitioning, with leaves filtered by the path.

Idea
    A node has a vantage object and divides the others into the nearer half and the farther half by their
    distances to it. A query measures the vantage object, and visits a half only if the ball about the
    query reaches the band of distances that the half occupies.

Arrays
    Objects lie in tree order: node ``i`` occupies slots ``start[i]`` to ``stop[i]``, its vantage object
    first, then the near half, then the far half. A leaf's objects are contiguous, so a scan of one runs
    through memory.

Invariants
    ``band[i]`` holds the least and greatest distance to the vantage object of the near, then of the far
    half. ``path[level % paths, slot]`` is the distance of an object to the vantage object of its
    ancestor at that level, for the last `paths` levels: a leaf filters its objects with distances that
    the query has measured on its way.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..answer import Answer
from ..arguments import whole_number
from ..bounds import OBJECT_PIVOT, RANGE_PIVOT, raise_bounds, range_pivot
from ..construction import DONE, Construction
from ..growing import divide, grown, hang, measure_span, offer_span
from ..ids import Positions
from ..index import BaseIndex
from ..kernels import Array, kernel
from ..partitions import divide_at, swap
from ..pivots import widest_spread
from ..space import Room, prepare
from ..traversal import Desk, afford, consider, expand, make_desk, measure

CANDIDATES = 8  # vantage objects tried, and objects that each is tried on; more gain under 2% of distances
SAMPLE = 24


class VPNodes(NamedTuple):
    """The nodes, and the distances kept for each object."""

    start: Array
    stop: Array
    near: Array  # −1 at a leaf
    far: Array
    parent: Array  # −1 at the root
    level: Array
    band: Array  # (nodes, 4)
    path: Array  # (paths, objects) float32


@expand.of(VPNodes)
def _(tree: VPNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if tree.near[node] < 0:
        filter_leaf(tree, node, space, query, answer, desk)
        return
    if not afford(answer, desk):
        return
    d = measure(space, tree.start[node], query, answer, desk)
    desk.memo[node] = d
    band = tree.band[node]
    near = range_pivot(d, band[0], band[1], answer.slack)
    far = range_pivot(d, band[2], band[3], answer.slack)
    offer_span(tree, tree.near[node], near, RANGE_PIVOT, answer, desk)
    offer_span(tree, tree.far[node], far, RANGE_PIVOT, answer, desk)


@kernel
def filter_leaf(tree: VPNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    """Measure the objects of a leaf that no ancestor's vantage object excludes."""
    start, stop = tree.start[node], tree.stop[node]
    paths = tree.path.shape[0]
    bounds = desk.pool_keys
    bounds[: stop - start] = desk.bound[0]
    ancestor = tree.parent[node]
    for level in range(tree.level[node] - 1, max(tree.level[node] - paths, 0) - 1, -1):
        raise_bounds(bounds, tree.path[level % paths, start:stop], desk.memo[ancestor], answer.slack)
        ancestor = tree.parent[ancestor]
    for slot in range(start, stop):
        consider(space, slot, bounds[slot - start], OBJECT_PIVOT, query, answer, desk)


@divide.of(VPNodes)
def _(tree: VPNodes, node: int, space: Any, order: Array, keys: Array, room: Room, state: Array) -> None:
    start, stop = tree.start[node], tree.stop[node]
    # Where the objects are few, trying candidates would cost more than it saves.
    candidates = min(CANDIDATES, (stop - start) // 64)
    swap(order, start, widest_spread(space, order, start, stop, candidates, SAMPLE, room, state))
    query = prepare(space, space, order[start], room)
    measure_span(space, order, start + 1, stop, query, keys, room, state)
    middle = start + 1 + (stop - start - 1) // 2
    divide_at(keys, order, start + 1, stop, middle)
    paths = tree.path.shape[0]
    if paths > 0:
        for place in range(start + 1, stop):
            tree.path[tree.level[node] % paths, order[place]] = keys[place]
    tree.near[node] = hang_half(tree, node, start + 1, middle, keys, 0, state)
    tree.far[node] = hang_half(tree, node, middle, stop, keys, 2, state)
    state[DONE] += 1


@kernel
def hang_half(tree: VPNodes, node: int, start: int, stop: int, keys: Array, side: int, state: Array) -> int:
    """Make a child of half of the objects, and note the band of distances that they occupy."""
    child = hang(tree, node, start, stop, state)
    tree.level[child] = tree.level[node] + 1
    least, most = np.inf, 0.0
    for place in range(start, stop):
        least = min(least, keys[place])
        most = max(most, keys[place])
    tree.band[node, side] = least
    tree.band[node, side + 1] = most
    return child


class VPTree(BaseIndex):
    """Vantage point tree: balanced, static, a good first choice for any metric.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    leaf_size : int
        Objects that a leaf may hold, at least 1. Small leaves save distances, large ones time.
    paths : int
        Ancestors whose distances filter the objects of a leaf.
    seed : int
        Where the choice of vantage objects comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Yianilos, Data structures and algorithms for nearest neighbor search in general metric spaces, SODA 1993.
    """

    key = "vptree"
    arrays = VPNodes
    specialised = True
    smaller = "linear"

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        leaf_size: int = 32,
        paths: int = 6,
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.leaf_size = whole_number("leaf_size", leaf_size, 1)
        self.paths = whole_number("paths", paths, 0)

    def _build(self, construction: Construction) -> tuple[VPNodes, Positions]:
        n = construction.count
        # A division leaves at least half of leaf_size on each side, so that leaves are not smaller.
        nodes = 2 * n // max(self.leaf_size // 2, 1) + 1
        tree = VPNodes(
            start=np.zeros(nodes, np.int64),
            stop=np.zeros(nodes, np.int64),
            near=np.full(nodes, -1),
            far=np.full(nodes, -1),
            parent=np.full(nodes, -1),
            level=np.zeros(nodes, np.int64),
            band=np.zeros((nodes, 4)),
            path=np.zeros((self.paths, n), np.float32),
        )
        tree, order = grown(tree, construction, self.leaf_size)
        return tree._replace(path=np.ascontiguousarray(tree.path[:, order])), order

    def _bytes(self, count: int) -> int:
        return count * (4 * self.paths + 8) + 88 * (2 * count // self.leaf_size + 1)

    def _desk(self) -> Desk:
        return make_desk(self.leaf_size + 2, len(self._tree.near), self.leaf_size)
