"""Trees whose every node is an object: what is inserted goes down, from object to object, to where it hangs.

Node i is the object in slot i, the root in slot 0, and slots are numbered in the order in which the nodes
were made, so that a slot is a time. The arrays that these trees have in common:

    parent     −1 at the root
    child      the oldest child, −1 if there is none
    last       the latest child
    next       the next in a list of children or of equals, −1 at its end
    equal      the oldest of the objects at distance 0, which hang in a list of their own, so that duplicates
               make no chain; −1 if there is none
    arity      how many children
    to_parent  distance
    cover      greatest distance to what lies below
    ring       (nodes, 2): least and greatest distance to the parent, of a node and of all that lies below it
    between    (nodes, limit) float32: distances to the older siblings; no rows under triangle bounds
    box        (nodes, PLANES, 4): where a node and all that lies below it are, in the half planes of the
               parent and each of the first older siblings; no rows under triangle bounds

By its ring and its boxes a child is excluded, with all that lies below it, before it is measured. An object
goes below the nearest child, or hangs where it is: a structure says which, and what it makes of it (`stays`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..anatomy import Anatomy
from ..answer import Answer, may_lead
from ..arguments import one_of
from ..bounds import (
    OBJECT_PIVOT,
    PLANAR,
    RANGE_PIVOT,
    Slack,
    cover,
    object_pivot,
    pivot_ball,
    planar,
    project,
    range_pivot,
)
from ..construction import COST, DONE, Construction
from ..dynamic import DynamicIndex
from ..ids import Positions
from ..kernels import Array, generic, kernel
from ..laws import sharpest
from ..objects import Objects
from ..pivots import random_below
from ..space import Room, estimate, prepare
from ..traversal import NODES, Desk, afford, consider, make_desk, measure, offer_child, take_back

PLANES = 4  # half planes in which a node has a box; more save under 3% of distances

# --- searching ---------------------------------------------------------------------------------------


@generic
def offer_below(tree: Any, node: int, answer: Answer, desk: Desk) -> None:
    """Offer what lies below a node, whose distance is in ``desk.memo``."""


@offer_below.of(object)
def _(tree: Any, node: int, answer: Answer, desk: Desk) -> None:
    offer_child(desk, answer, node, covered(tree, node, answer, desk), RANGE_PIVOT)


@kernel
def foreseen(tree: Any, node: int, child: int, answer: Answer, desk: Desk) -> float:
    """Return the bound by its boxes on a child that is not measured, and on all that lies below it."""
    bound = 0.0
    if tree.box.shape[0] > 0:
        slot, plane = tree.child[node], 0
        while slot != child and plane < PLANES:
            if desk.memo[slot] < np.inf:
                spot = project(desk.memo[node], desk.memo[slot], tree.to_parent[slot], answer.slack)
                bound = max(bound, planar(tree.box[child, plane], spot, answer.slack))
            slot = tree.next[slot]
            plane += 1
    return bound


@kernel
def covered(tree: Any, node: int, answer: Answer, desk: Desk) -> float:
    """Return the bound by a node's covering radius."""
    return pivot_ball(desk.memo[node], 0.0, tree.cover[node], answer.slack)


@kernel
def begin_at_root(tree: Any, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    """Measure the root, and offer what lies below it."""
    if afford(answer, desk):
        desk.memo[0] = measure(space, 0, query, answer, desk)
        offer_child(desk, answer, 0, covered(tree, 0, answer, desk), RANGE_PIVOT)


@kernel
def look_below(tree: Any, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    """Measure the children of a node, and offer what lies below them."""
    if desk.memo[node] == np.inf:  # it was put off
        desk.memo[node] = measure(space, node, query, answer, desk)
        take_back(desk)
        offer_below(tree, node, answer, desk)
        return
    d = desk.memo[node]
    bound = max(desk.bound[0], object_pivot(d, 0.0, answer.slack))
    slot = tree.equal[node]
    while slot >= 0:
        consider(space, slot, bound, OBJECT_PIVOT, query, answer, desk)
        slot = tree.next[slot]
    slot = tree.child[node]
    while slot >= 0:
        desk.memo[slot] = np.inf
        bound, reason = range_pivot(d, tree.ring[slot, 0], tree.ring[slot, 1], answer.slack), RANGE_PIVOT
        sharper = foreseen(tree, node, slot, answer, desk)
        if sharper > bound:
            bound, reason = sharper, PLANAR
        bound = max(bound, desk.bound[0])
        if oldest_below(tree, slot) < 0:
            consider(space, slot, bound, reason, query, answer, desk)
        elif not may_lead(answer, slot, bound):
            desk.tally[NODES, reason] += 1
        elif bound > desk.bound[0]:
            offer_child(desk, answer, slot, bound, reason)  # to be measured in its turn
        elif afford(answer, desk):
            desk.memo[slot] = measure(space, slot, query, answer, desk)
        slot = tree.next[slot]
    nearest = nearest_measured(tree, node, desk.memo)
    desk.memo[tree.parent.shape[0] + node] = desk.memo[nearest] if nearest >= 0 else np.inf
    slot = tree.child[node]
    while slot >= 0:
        if slot != nearest and desk.memo[slot] < np.inf:
            offer_below(tree, slot, answer, desk)
        slot = tree.next[slot]
    if nearest >= 0:  # of equal bounds the one offered last is visited first
        offer_below(tree, nearest, answer, desk)


@kernel
def nearest_measured(tree: Any, node: int, memo: Array) -> int:
    """Return the nearest to the query of the measured children of a node, −1 if there is none."""
    nearest = -1
    slot = tree.child[node]
    while slot >= 0:
        if memo[slot] < (memo[nearest] if nearest >= 0 else np.inf):
            nearest = slot
        slot = tree.next[slot]
    return nearest


@kernel
def oldest_below(tree: Any, node: int) -> int:
    """Return the oldest object below a node, −1 if there is none; it hangs there directly."""
    child, equal = tree.child[node], tree.equal[node]
    return max(child, equal) if min(child, equal) < 0 else min(child, equal)


# --- hanging -----------------------------------------------------------------------------------------


@kernel
def hang(tree: Any, node: int, slot: int, d: float) -> None:
    """Make an object the latest child of a node."""
    tree.parent[slot], tree.to_parent[slot] = node, d
    enclose(tree, slot, d)
    if tree.child[node] < 0:
        tree.child[node] = slot
    else:
        tree.next[tree.last[node]] = slot
    tree.last[node] = slot
    tree.arity[node] += 1


@kernel
def hang_equal(tree: Any, node: int, slot: int) -> None:
    """Keep an object with the one that it is equal to; the oldest stays the first of the list."""
    tree.parent[slot] = node
    if tree.equal[node] < 0:
        tree.equal[node] = slot
    else:
        tree.next[slot] = tree.next[tree.equal[node]]
        tree.next[tree.equal[node]] = slot


@kernel
def enclose(tree: Any, node: int, to_parent: float) -> None:
    """Enlarge the ring of a node by an object at this distance from its parent."""
    ring = tree.ring[node]
    ring[0], ring[1] = min(ring[0], to_parent), max(ring[1], to_parent)


# --- inserting ---------------------------------------------------------------------------------------


@generic
def stays(tree: Any, node: int, slot: int, d: float, nearest: int, to_nearest: float) -> Any:
    """Whether an object at distance `d` becomes a child of a node; else it goes below the nearest child.

    `nearest` is −1, and `to_nearest` infinite, if there is none.
    """


@kernel
def note(tree: Any, i: int, rank: int, d: float) -> None:
    """Note the distance of an object to the child of some rank of the node that it has come to."""
    if tree.between.shape[0] > 0:
        tree.between[i, rank] = d


@kernel
def chart(tree: Any, child: int, i: int, to_parent: float, slack: Slack) -> None:
    """Note where an object lies that is a child or goes below it, by its distances that were noted."""
    if tree.box.shape[0] > 0:
        slot, plane = tree.child[tree.parent[child]], 0
        while slot != child and plane < PLANES:
            to_slot = np.float64(tree.between[i, plane])
            cover(tree.box[child, plane], project(to_parent, to_slot, tree.to_parent[slot], slack))
            slot = tree.next[slot]
            plane += 1


@generic
def reach_out(tree: Any, d: float) -> None:
    """Prepare the root for an object at this distance."""


@reach_out.of(object)
def _(tree: Any, d: float) -> None:
    pass


@kernel
def insert(
    tree: Any, space: Any, slots: Array, slack: Slack, room: Room, state: Array, patience: int
) -> bool:
    """Insert ``slots[state[DONE]:]`` until all are in or `patience` distances are computed."""
    enough = state[COST] + patience
    while state[DONE] < slots.shape[0] and state[COST] < enough:
        slot = slots[state[DONE]]
        if slot > 0:  # else it is the root
            insert_one(tree, space, slot, slack, room, state)
        if room.fault[0] != 0:
            return False
        state[DONE] += 1
    return state[DONE] == slots.shape[0]


@kernel
def insert_one(tree: Any, space: Any, slot: int, slack: Slack, room: Room, state: Array) -> None:
    """Take an object down from nearest child to nearest child, to where it stays."""
    query = prepare(space, space, slot, room)
    node, d = 0, estimate(space, 0, query)
    state[COST] += 1
    reach_out(tree, d)
    while room.fault[0] == 0:
        tree.cover[node] = max(tree.cover[node], d)
        if d == 0.0:
            hang_equal(tree, node, slot)
            return
        nearest, to_nearest = nearest_child(tree, node, slot, space, query, state)
        if stays(tree, node, slot, d, nearest, to_nearest):
            hang(tree, node, slot, d)
            chart(tree, slot, slot, d, slack)
            return
        enclose(tree, nearest, d)
        chart(tree, nearest, slot, d, slack)
        node, d = nearest, to_nearest


@kernel
def nearest_child(tree: Any, node: int, slot: int, space: Any, query: Any, state: Array) -> tuple[int, float]:
    """Return the child of a node that is nearest to an object, −1 if there is none, and its distance.

    Ties are decided at random: objects that are all equally far apart are shared out, and make no chain.
    """
    nearest, least, ties, rank = -1, np.inf, 0, 0
    child = tree.child[node]
    while child >= 0:
        d = estimate(space, child, query)
        note(tree, slot, rank, d)
        if d < least:
            nearest, least, ties = child, d, 1
        elif d == least:
            ties += 1
            if random_below(state, ties) == 0:
                nearest = child
        rank += 1
        child = tree.next[child]
    state[COST] += rank
    return nearest, least


# --- the index ---------------------------------------------------------------------------------------


class ObjectTree(DynamicIndex):
    """An index whose every node is an object; it is built by insertion in random order.

    Parameters
    ----------
    metric, seed, max_bytes
        As of every index.
    limit : int
        Children that a node may have.
    bounds : {"auto", "triangle", "four-point"}
        What excludes children.
    """

    def __init__(self, metric: Any, limit: int, bounds: str, seed: int, max_bytes: int | None) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self._limit = limit
        self.bounds = one_of("bounds", bounds, ("auto", "triangle", "four-point"))

    def _apart(self, count: int) -> Any:
        """Return the structure's arrays for so many objects, which nothing connects yet."""
        raise NotImplementedError

    def _common(self, count: int) -> dict[str, Any]:
        """Return what all of these trees have."""
        links = ("parent", "child", "last", "next", "equal")
        rows = count if sharpest(self.bounds, self.metric, "four-point") == "four-point" else 0
        return {
            **{link: np.full(count, -1) for link in links},
            "arity": np.zeros(count, np.int64),
            "to_parent": np.zeros(count),
            "cover": np.zeros(count),
            "ring": np.tile([np.inf, 0.0], (count, 1)),
            "between": np.zeros((rows, self._limit), np.float32),
            "box": np.tile([np.inf, -np.inf, np.inf, -np.inf], (rows, PLANES, 1)),
            "limit": self._limit,
        }

    def _arranged(self, objects: Objects) -> Positions | None:
        return np.random.default_rng(self.seed).permutation(len(objects))

    def _build(self, construction: Construction) -> tuple[Any, Positions | None]:
        n = construction.count
        return self._insert(self._apart(n), np.arange(n), construction), None

    def _extended(self, tree: Any, count: int) -> Any:
        more = self._apart(count)
        arrays = (name for name, value in tree._asdict().items() if isinstance(value, np.ndarray))
        return tree._replace(
            **{name: np.concatenate([getattr(tree, name), getattr(more, name)]) for name in arrays}
        )

    def _insert(self, tree: Any, slots: Positions, construction: Construction) -> Any:
        construction.state[DONE] = 0
        construction.run(
            lambda: insert(
                tree,
                construction.space,
                slots,
                construction.slack,
                construction.room,
                construction.state,
                construction.patience,
            )
        )
        return tree

    def _anatomy(self) -> Anatomy:
        return Anatomy(np.arange(len(self._tree.parent)), self._tree.parent)

    def _covering_radii(self) -> npt.NDArray[np.float64]:
        return self._tree.cover[np.maximum(self._tree.child, self._tree.equal) >= 0]

    def _bytes(self, count: int) -> int:
        boxed = sharpest(self.bounds, self.metric, "four-point") == "four-point"
        return count * (88 + boxed * (4 * self._limit + 32 * PLANES))

    def _desk(self) -> Desk:
        most = int(np.bincount(self._tree.parent[1:], minlength=1).max())
        # When browsing, a child may wait twice: as an object, and for what lies below.
        return make_desk(2 * most + 2, 2 * len(self._tree.parent), 0)
