"""Burkhard–Keller tree (Burkhard, Keller 1973): a pivot in each node, and a child for each distance to it.

Idea
    The first structure for metric spaces, made for discrete metrics. The pivot of a node is one of its
    objects; the others hang below it by their distance to the pivot. A query measures the pivot, and visits
    the children whose distances differ from its own by no more than the radius.

Arrays and invariants
    Those of `rings`, where each inner node is its own axis: ``pivot[node]`` is an object that is chained to
    no leaf. Leaves are buckets. Where distances are continuous, a node is cut into rings over those that the
    leaf had when it was divided; what comes later and lies beyond goes to the outer rings, which are divided
    in their turn.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..answer import Answer
from ..arguments import positive_number, whole_number
from ..bounds import SHRUNK
from ..construction import Construction
from ..families.rings import RINGS, RingTree, measure_chain, offer_rings, take_axis
from ..ids import Positions
from ..kernels import Array
from ..partitions import cut, ring_at
from ..space import Room
from ..traversal import Desk, afford, consider, expand, measure

UNLIMITED = 1 << 30  # rings of a given width


class BKNodes(NamedTuple):
    """The nodes."""

    first: Array
    sibling: Array
    parent: Array  # −1 at the root
    ring: Array
    band: Array  # (nodes, 2)
    axis: Array  # the node itself; −1 at a leaf
    head: Array
    size: Array
    pivot: Array
    cut: Array  # (nodes, 2)
    next: Array  # by slot
    whole: Array
    rings: int
    arity: int
    width: float  # 0 if chosen node by node
    leaf_size: int


@expand.of(BKNodes)
def _(tree: BKNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if tree.axis[node] >= 0:
        if afford(answer, desk):
            d = measure(space, tree.pivot[node], query, answer, desk)
            offer_rings(tree, node, desk.bound[0], d, answer, desk)
        return
    slot = tree.head[node]
    while slot >= 0:
        consider(space, slot, desk.bound[0], SHRUNK, query, answer, desk)
        slot = tree.next[slot]


@take_axis.of(BKNodes)
def _(tree: BKNodes, node: int, space: Any, keys: Array, room: Room, state: Array) -> int:
    pivot = tree.head[node]
    chain = tree.next[pivot]
    least, most, whole = measure_chain(tree, chain, pivot, space, keys, room, state)
    begin, width = 0.0, tree.width
    if width == 0.0:
        begin, width = cut(least, most, whole, tree.rings if whole else tree.arity)
    if ring_at(least, begin, width, tree.rings) == ring_at(most, begin, width, tree.rings):
        return -1  # objects that this pivot does not tell apart, equal ones perhaps
    tree.head[node], tree.next[pivot] = chain, -1
    tree.pivot[node] = pivot
    tree.cut[node, 0], tree.cut[node, 1] = begin, width
    return node


class BKTree(RingTree):
    """Burkhard–Keller tree: dynamic, for discrete metrics such as edit distances, within small radii.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    width : float, optional
        How far the distances in one child may differ. By default 1 where distances are whole numbers (more
        where they differ by more than 64), else chosen node by node.
    arity : int
        About how many children a node has where distances are not whole numbers, at least 2.
    leaf_size : int
        Objects that a leaf may hold before it is divided, at least 1.
    seed : int
        Unused: insertion makes no random choices.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Burkhard, Keller, Some approaches to best-match file searching, Communications of the ACM 16, 1973.
    """

    key = "bktree"
    arrays = BKNodes
    per_node = (*RingTree.per_node, "pivot", "cut")

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        width: float | None = None,
        arity: int = 8,
        leaf_size: int = 16,
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.width = None if width is None else positive_number("width", width)
        self.arity = whole_number("arity", arity, 2)
        self.leaf_size = whole_number("leaf_size", leaf_size, 1)

    def _emptied(self, construction: Construction) -> BKNodes:
        blank = self._blank(construction.count)
        nodes = len(blank["size"])
        return BKNodes(
            **blank,
            pivot=np.full(nodes, -1),
            cut=np.full((nodes, 2), -1.0),
            rings=RINGS if self.width is None else UNLIMITED,
            arity=self.arity,
            width=self.width or 0.0,
            leaf_size=self.leaf_size,
        )

    def _homes(self, tree: BKNodes) -> Positions:
        homes = super()._homes(tree)
        inner = np.flatnonzero(tree.axis >= 0)
        homes[tree.pivot[inner]] = inner
        return homes

    def _nodes(self, count: int) -> int:
        return min(4 * count // (self.leaf_size + 1), count)
