"""Trees of rings: a node shares its objects out among rings of distances to a pivot.

Idea
    The children of a node are rings about its pivot (see `partitions`): in a discrete metric one for each
    distance. An object goes down from ring to ring into a leaf; a leaf that overflows is divided in turn. A
    query measures the pivot and visits the rings that its ball reaches. Structures differ in who is the
    pivot: one object of the node itself (Burkhard, Keller 1973), or one for all nodes of a level (fixed
    queries: Baeza-Yates, Cunto, Manber, Wu 1994).

Arrays
    Children are chained: ``first[node]``, then ``sibling[child]``; so are the objects of a leaf,
    ``head[node]``, then ``next[slot]``; −1 ends a chain. ``ring[child]`` is the number of a ring, and
    ``band[child]`` the least and greatest distance to the parent's pivot that occur in it. An inner node is
    divided along its axis, ``pivot[axis]`` with the rings of ``cut[axis]`` about it, see `partitions.cut`.

Invariants
    The children of a node have different rings; all objects below a child are in its band. An inner node has
    an axis and no objects chained to it, a leaf none (−1) and ``size[leaf]`` objects.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..anatomy import Anatomy
from ..answer import Answer
from ..bounds import RANGE_PIVOT, range_pivot
from ..construction import COST, DONE, Construction
from ..dynamic import DynamicIndex
from ..ids import Positions
from ..kernels import Array, generic, kernel
from ..partitions import ring_at
from ..space import Room, estimate, prepare
from ..traversal import BEST_FIRST, Desk, make_desk, offer_child

RINGS = 64  # the most children of a node: whole distances over a wider range than that share them

# `whole` of the arrays
USED = 0  # nodes
WIDEST = 1  # the most children that any node has
LARGEST = 2  # the most objects that a leaf has had


@kernel
def offer_rings(tree: Any, node: int, bound: float, d: float, answer: Answer, desk: Desk) -> None:
    """Offer the children of a node no nearer than `bound` whose pivot is at distance `d` from the query."""
    child = tree.first[node]
    while child >= 0:
        offer_child(desk, answer, child, max(bound, ring_bound(tree, child, d, answer)), RANGE_PIVOT)
        child = tree.sibling[child]


@kernel
def ring_bound(tree: Any, child: int, d: float, answer: Answer) -> float:
    """Return a lower bound for a child of a node whose pivot is at distance `d` from the query."""
    return range_pivot(d, tree.band[child, 0], tree.band[child, 1], answer.slack)


@generic
def take_axis(tree: Any, node: int, space: Any, keys: Array, room: Room, state: Array) -> Any:
    """Return the axis along which a leaf is to be divided, or −1 if it is to stay a leaf.

    The distances of the objects chained to the leaf are left in `keys`; one that is to be the pivot of this
    node alone is taken off the chain.
    """


@kernel
def insert(
    tree: Any, space: Any, slots: Array, keys: Array, levels: int, room: Room, state: Array, patience: int
) -> bool:
    """Insert ``slots[state[DONE]:]`` until all are in or `patience` distances are computed.

    Also returns when the nodes may not suffice for the next insertion.
    """
    enough = state[COST] + patience
    while state[DONE] < slots.shape[0] and state[COST] < enough:
        if cramped(tree, levels):
            return False
        slot = slots[state[DONE]]
        query = prepare(space, space, slot, room)
        node = 0
        while tree.axis[node] >= 0:
            d = estimate(space, tree.pivot[tree.axis[node]], query)
            state[COST] += 1
            node = ring_of(tree, node, d)
        put(tree, node, slot)
        while node >= 0 and overfull(tree.size[node], tree.leaf_size):
            node = share_out(tree, node, space, keys, room, state)
        if room.fault[0] != 0:
            return False
        state[DONE] += 1
    return state[DONE] == slots.shape[0]


@kernel
def cramped(tree: Any, levels: int) -> bool:
    """Whether one insertion may need more nodes than are left: `levels` in a row, beside dividing a leaf."""
    return tree.whole[USED] + levels + 2 * tree.whole[LARGEST] + 4 > tree.size.shape[0]


@kernel
def overfull(size: int, leaf_size: int) -> bool:
    """Whether to divide a leaf that has come to this size.

    One that cannot be divided, as equal objects cannot, is tried again only when it is twice as large.
    """
    times = size // (leaf_size + 1)
    return times > 0 and size % (leaf_size + 1) == 0 and times & (times - 1) == 0


@kernel
def share_out(tree: Any, node: int, space: Any, keys: Array, room: Room, state: Array) -> int:
    """Divide a leaf, and return one of its children, the only one if all go there; −1 if it stays a leaf."""
    axis = take_axis(tree, node, space, keys, room, state)
    if axis < 0 or room.fault[0] != 0:
        return -1
    tree.axis[node] = axis
    slot, child = tree.head[node], -1
    tree.head[node], tree.size[node] = -1, 0
    i = 0
    while slot >= 0:
        following = tree.next[slot]
        child = ring_of(tree, node, keys[i])
        put(tree, child, slot)
        slot = following
        i += 1
    return child


@kernel
def ring_of(tree: Any, node: int, d: float) -> int:
    """Return the child of a node for objects at distance `d` from its pivot, made if there is none."""
    axis = tree.axis[node]
    number = ring_at(d, tree.cut[axis, 0], tree.cut[axis, 1], tree.rings)
    child, children = tree.first[node], 1
    while child >= 0:
        if tree.ring[child] == number:
            tree.band[child, 0] = min(tree.band[child, 0], d)
            tree.band[child, 1] = max(tree.band[child, 1], d)
            return child
        child = tree.sibling[child]
        children += 1
    child = tree.whole[USED]
    tree.whole[USED] = child + 1
    tree.whole[WIDEST] = max(tree.whole[WIDEST], children)
    tree.first[child], tree.sibling[child], tree.parent[child] = -1, tree.first[node], node
    tree.head[child], tree.size[child], tree.axis[child] = -1, 0, -1
    tree.ring[child] = number
    tree.band[child, 0], tree.band[child, 1] = d, d
    tree.first[node] = child
    return child


@kernel
def put(tree: Any, leaf: int, slot: int) -> None:
    """Chain an object to a leaf."""
    tree.next[slot] = tree.head[leaf]
    tree.head[leaf] = slot
    tree.size[leaf] += 1
    tree.whole[LARGEST] = max(tree.whole[LARGEST], tree.size[leaf])


@kernel
def measure_chain(
    tree: Any, slot: int, pivot: int, space: Any, keys: Array, room: Room, state: Array
) -> tuple[float, float, bool]:
    """Write the distances of a chain of objects to a pivot.

    Returns the least and the greatest of them, and whether all are whole numbers.
    """
    query = prepare(space, space, pivot, room)
    least, most, whole, count = np.inf, 0.0, True, 0
    while slot >= 0:
        d = estimate(space, slot, query)
        keys[count] = d
        least, most = min(least, d), max(most, d)
        whole = whole and d == np.floor(d)
        slot = tree.next[slot]
        count += 1
    state[COST] += count
    return least, most, whole


@kernel
def inhabit_leaves(head: Array, following: Array, homes: Array) -> None:
    """Write into `homes` the leaf to which each slot is chained."""
    for node in range(head.shape[0]):
        slot = head[node]
        while slot >= 0:
            homes[slot] = node
            slot = following[slot]


@kernel
def walk(first: Array, sibling: Array, parent: Array, places: Array) -> None:
    """Write into `places` where each node comes, depth first."""
    node = count = 0
    while node >= 0:
        places[node] = count
        count += 1
        if first[node] >= 0:
            node = first[node]
            continue
        while node >= 0 and sibling[node] < 0:
            node = parent[node]
        if node >= 0:
            node = sibling[node]


class RingTree(DynamicIndex):
    """What trees of rings have in common."""

    per_node: ClassVar[tuple[str, ...]] = (
        "first", "sibling", "parent", "ring", "band", "axis", "head", "size",
    )  # fmt: skip
    per_slot: ClassVar[tuple[str, ...]] = ("next",)
    order = BEST_FIRST  # where distances are often equal, a third to a half fewer, in twice the time
    smaller = "linear"

    # What a structure brings.

    def _emptied(self, construction: Construction) -> Any:
        """Return the arrays of a tree without objects."""
        raise NotImplementedError

    def _nodes(self, count: int) -> int:
        """Return about how many nodes so many objects may need."""
        raise NotImplementedError

    def _levels(self, tree: Any) -> int:
        """Return how many nodes in a row one insertion may make, beside dividing a leaf."""
        return 0

    # What follows.

    def _build(self, construction: Construction) -> tuple[Any, Positions]:
        tree = self._insert(self._emptied(construction), np.arange(construction.count), construction)
        # A query takes half the time where the objects of a subtree lie side by side.
        places = np.zeros(len(tree.first), np.int64)
        walk(tree.first, tree.sibling, tree.parent, places)
        order = np.argsort(places[self._homes(tree)], kind="stable")
        slots = np.append(np.argsort(order), -1)  # of the objects before; −1 stays −1
        arranged = {name: getattr(tree, name)[order] for name in self.per_slot}
        tree = tree._replace(**arranged)
        return tree._replace(
            **{name: slots[getattr(tree, name)] for name in ("head", "next", "pivot")}
        ), order

    def _blank(self, count: int) -> dict[str, Any]:
        """Return the arrays that all trees of rings have, with a root and places for some nodes."""
        links = {name: np.full(64, -1) for name in ("first", "sibling", "parent", "ring", "axis", "head")}
        return {
            **links,
            "band": np.full((64, 2), -1.0),
            "size": np.zeros(64, np.int64),
            "next": np.full(count, -1),
            "whole": np.array([1, 0, 0]),
        }

    def _insert(self, tree: Any, slots: Positions, construction: Construction) -> Any:
        keys = np.zeros(len(tree.next))
        levels = self._levels(tree)
        construction.state[DONE] = 0

        def step() -> bool:
            nonlocal tree
            if cramped(tree, levels):
                tree = self._resized(tree, 2 * len(tree.size))
            return bool(
                insert(
                    tree, construction.space, slots, keys, levels,
                    construction.room, construction.state, construction.patience,
                )
            )  # fmt: skip

        construction.run(step)
        return self._resized(tree, int(tree.whole[USED]))

    def _resized(self, tree: Any, nodes: int) -> Any:
        """Return the same tree with another number of places for nodes."""
        resized = {}
        for name in self.per_node:
            old = getattr(tree, name)
            resized[name] = np.full((nodes, *old.shape[1:]), -1, old.dtype)
            resized[name][: len(old)] = old[:nodes]
        return tree._replace(**resized)

    def _extended(self, tree: Any, count: int) -> Any:
        fields = {name: getattr(tree, name).copy() for name in (*self.per_node, "whole")}
        longer = {name: np.append(getattr(tree, name), np.full(count, -1)) for name in self.per_slot}
        return tree._replace(**fields, **longer)

    def _homes(self, tree: Any) -> Positions:
        """Return the node of each object: the leaf to which it is chained."""
        homes = np.full(len(tree.next), -1)
        inhabit_leaves(tree.head, tree.next, homes)
        return homes

    def _anatomy(self) -> Anatomy:
        return Anatomy(self._homes(self._tree), self._tree.parent)

    def _bytes(self, count: int) -> int:
        # When places for nodes run out, there are for a moment the old ones and twice as many new ones.
        return 24 * count + 3 * 96 * (self._nodes(count) + 64)

    def _fanout(self) -> int:
        return int(max(self._tree.whole[WIDEST], self._tree.whole[LARGEST])) + 2

    def _desk(self) -> Desk:
        return make_desk(self._fanout(), 0, 0)
