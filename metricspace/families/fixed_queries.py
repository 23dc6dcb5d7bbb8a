"""Fixed queries: one pivot for all nodes of a level (Baeza-Yates, Cunto, Manber, Wu 1994).

Idea
    A query measures the pivot of a level once, however many nodes of that level it visits, and an object is
    described by the rings in which it lies about the pivots, a word over a small alphabet. Leaves hang
    where few objects are left (fixed queries tree), or all at the last level (fixed height); or the words are
    kept in a sorted array instead of a tree (fixed queries array).

Arrays
    Axis l, ``pivot[l]`` with the rings of ``cut[l]`` about it, is that of level l. ``level[slot]`` is the
    level whose pivot an object is, −1 for most. The rest is that of `rings`.

    A pivot is an object, too, in some leaf. As a query may want its distance for either reason, it is to the
    traversal a node of its own below that leaf, numbered ``nodes + l``.

Invariants
    The memo of a desk holds the distances of a query to the pivots that it has measured, −1 for the others;
    none is measured twice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..anatomy import Anatomy
from ..answer import Answer, admissible, may_lead
from ..bounds import RANGE_PIVOT, SHRUNK
from ..construction import COST, DONE, Construction
from ..ids import Positions
from ..kernels import Array, kernel
from ..partitions import cut, swap
from ..pivots import random_below
from ..space import Room, at_least, estimate, prepare
from ..traversal import (
    NODES,
    Desk,
    afford,
    begin,
    consider,
    expand,
    make_desk,
    offer_child,
    offer_measured,
    reckon,
)
from .rings import RINGS, RingTree, measure_chain, offer_rings, ring_bound, take_axis

SAMPLE = 64  # objects whose distances to a pivot decide how its rings are cut


class FQNodes(NamedTuple):
    """The nodes, and the axes of the levels."""

    first: Array
    sibling: Array
    parent: Array  # −1 at the root
    ring: Array
    band: Array  # (nodes, 2)
    axis: Array  # the level of a node; −1 at a leaf
    head: Array
    size: Array
    pivot: Array  # by level
    cut: Array  # (levels, 2)
    next: Array  # by slot
    level: Array  # by slot
    whole: Array
    rings: int
    leaf_size: int


@begin.of(FQNodes)
def _(tree: FQNodes, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    desk.memo[:] = -1.0
    offer_child(desk, answer, 0, 0.0, SHRUNK)


@expand.of(FQNodes)
def _(tree: FQNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    nodes, bound = tree.size.shape[0], desk.bound[0]
    if node >= nodes:
        level = node - nodes
        if known(tree, level, space, query, answer, desk):
            offer_measured(space, tree.pivot[level], desk.memo[level], query, answer, desk)
        return
    while tree.axis[node] >= 0:
        level = tree.axis[node]
        if not known(tree, level, space, query, answer, desk):
            return
        child = tree.first[node]
        if tree.sibling[child] >= 0:
            offer_rings(tree, node, bound, desk.memo[level], answer, desk)
            return
        # An only child need not wait its turn: most nodes of a tree of fixed height are one.
        bound = max(bound, ring_bound(tree, child, desk.memo[level], answer))
        if not may_lead(answer, child, bound):
            desk.tally[NODES, RANGE_PIVOT] += 1
            return
        node = child
    slot = tree.head[node]
    while slot >= 0:
        level = tree.level[slot]
        if level < 0:
            consider(space, slot, bound, RANGE_PIVOT, query, answer, desk)
        elif admissible(answer, slot):
            least = max(bound, at_least(space, slot, query))
            offer_child(desk, answer, nodes + level, least, RANGE_PIVOT)
        slot = tree.next[slot]


@kernel
def known(tree: FQNodes, level: int, space: Any, query: Any, answer: Answer, desk: Desk) -> bool:
    """Measure the pivot of a level, unless that is done or cannot be afforded; return whether it is known."""
    if desk.memo[level] < 0.0 and afford(answer, desk):
        desk.memo[level] = reckon(space, tree.pivot[level], query, answer)
    return desk.memo[level] >= 0.0


@take_axis.of(FQNodes)
def _(tree: FQNodes, node: int, space: Any, keys: Array, room: Room, state: Array) -> int:
    parent = tree.parent[node]
    level = 0 if parent < 0 else tree.axis[parent] + 1
    if level == tree.pivot.shape[0]:
        return -1
    measure_chain(tree, tree.head[node], tree.pivot[level], space, keys, room, state)
    return level


@kernel
def choose_axis(
    pivot: Array, axis: Array, space: Any, order: Array, arity: int, rings: int, room: Room, state: Array
) -> bool:
    """Choose the next pivot at random, and cut the distances of a sample to it into rings."""
    level = state[DONE]
    n = order.shape[0]
    swap(order, level, level + random_below(state, n - level))
    pivot[level] = order[level]
    query = prepare(space, space, order[level], room)
    least, most, whole, sample = np.inf, 0.0, True, min(SAMPLE, n)
    for _ in range(sample):
        d = estimate(space, order[random_below(state, n)], query)
        least, most = min(least, d), max(most, d)
        whole = whole and d == np.floor(d)
    state[COST] += sample
    axis[level, 0], axis[level, 1] = cut(least, most, whole, rings if whole else arity)
    state[DONE] = level + 1
    return level + 1 == pivot.shape[0]


def axes(
    construction: Construction, levels: int, arity: int, rings: int
) -> tuple[Positions, npt.NDArray[np.float64]]:
    """Return a pivot for each level, if there are so many objects, and how the distances to it are cut.

    They are cut into `rings` if they are whole numbers, else into `arity` rings.
    """
    levels = min(levels, construction.count)
    pivot, axis, order = np.zeros(levels, np.int64), np.zeros((levels, 2)), np.arange(construction.count)
    construction.state[DONE] = 0
    construction.run(
        lambda: choose_axis(
            pivot, axis, construction.space, order, arity, rings, construction.room, construction.state
        )
    )
    return pivot, axis


class FixedQueriesTree(RingTree):
    """What the trees with one pivot for each level have in common."""

    arrays = FQNodes
    per_slot = (*RingTree.per_slot, "level")
    smaller = "fqarray"
    height: int  # the most levels
    arity: int
    leaf_size: int

    def _emptied(self, construction: Construction) -> FQNodes:
        pivot, axis = axes(construction, self.height, self.arity, RINGS)
        level = np.full(construction.count, -1)
        level[pivot] = np.arange(len(pivot))
        return FQNodes(
            **self._blank(construction.count),
            pivot=pivot, cut=axis, level=level, rings=RINGS, leaf_size=self.leaf_size,
        )  # fmt: skip

    def _levels(self, tree: FQNodes) -> int:
        return len(tree.pivot)

    def _anatomy(self) -> Anatomy:
        homes, parents = super()._anatomy()
        pivot = self._tree.pivot
        below = homes[pivot]
        homes[pivot] = len(parents) + np.arange(len(pivot))
        return Anatomy(homes, np.concatenate([parents, below]))

    def _desk(self) -> Desk:
        return make_desk(self._fanout(), len(self._tree.pivot), 0)
