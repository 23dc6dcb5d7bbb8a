"""Spatial approximation trees: dynamic (Navarro, Reyes 2008), distal (Chávez, Ludueña, Reyes, Roggero 2016).

Idea
    A search comes nearer to its query in space, from neighbour to neighbour. Every object is a node. Its
    neighbours are objects that are nearer to it than to each other; every other object below it hangs below
    the neighbour that it is nearest to. So what lies below a neighbour is no nearer to its siblings, to its
    parent, and to all among which its parent was chosen: these are its rivals. The rival that is nearest to
    the query bounds the distance to what lies below, and so does the covering radius.

    The dynamic tree grows by insertion. An object may be older than some neighbours on its way to the root;
    those are no rivals to it. The distal tree is built at once, and the next neighbour of a node is always
    the farthest object that may become one: so a node has few neighbours, and they are far apart.

Arrays
    Node i is the object in slot i, and slots are numbered in the order in which the nodes were made: a slot
    is a time. ``neighbour[i]`` is the oldest neighbour of a node, ``next`` leads to the others. What is at
    distance 0 from a node hangs in a list of its own, ``equal[i]``, the oldest first, so that duplicates
    make no chain. ``ring[i]`` holds the least and greatest distance to the parent of a node and of all that
    lies below it, by which most neighbours are excluded before they are measured. ``between[i, k]`` is the
    distance of a neighbour to the k-th of its older siblings, kept only for four-point bounds.

Invariants
    An object chose, on its way down, the nearest of the neighbours that were there. It was no farther from
    the one it chose than from the parent, unless the parent had all the neighbours that it may have: then
    the chosen one is marked as ``forced``, and the rivals of what lies below are its siblings alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..anatomy import Anatomy
from ..answer import Answer, may_lead
from ..arguments import one_of, whole_number
from ..bounds import (
    DOUBLE_PIVOT,
    OBJECT_PIVOT,
    PLANAR,
    RANGE_PIVOT,
    double_pivot,
    hilbert,
    object_pivot,
    pivot_ball,
    range_pivot,
)
from ..construction import COST, DONE, NODES, Construction
from ..dynamic import DynamicIndex
from ..ids import Positions
from ..kernels import Array, kernel
from ..laws import sharpest
from ..objects import Objects
from ..pivots import random_below
from ..space import Room, estimate, prepare
from ..traversal import (
    BEST_FIRST,
    ORDER,
    Desk,
    afford,
    begin,
    consider,
    expand,
    make_desk,
    measure,
    offer_child,
)
from ..traversal import NODES as EXCLUDED


class SATNodes(NamedTuple):
    """The nodes, one an object."""

    parent: Array  # −1 at the root, which is in slot 0
    neighbour: Array  # −1 if there is none
    last: Array  # the latest neighbour
    next: Array  # −1 at the end of a list
    equal: Array  # −1 if there is none
    arity: Array  # how many neighbours
    to_parent: Array
    cover: Array  # greatest distance to what lies below
    ring: Array  # (nodes, 2)
    forced: Array  # uint8
    between: Array  # (nodes, limit) float32, or no rows
    limit: int  # neighbours that a node may have


# --- searching ---------------------------------------------------------------------------------------


@begin.of(SATNodes)
def _(tree: SATNodes, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if afford(answer, desk):
        d = measure(space, 0, query, answer, desk)
        desk.memo[0] = d
        offer_child(desk, answer, 0, pivot_ball(d, 0.0, tree.cover[0], answer.slack), RANGE_PIVOT)


@expand.of(SATNodes)
def _(tree: SATNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if desk.memo[node] == np.inf:  # it was put off
        desk.memo[node] = measure(space, node, query, answer, desk)
        offer_below(tree, node, answer, desk)
        return
    d = desk.memo[node]
    bound = max(desk.bound[0], object_pivot(d, 0.0, answer.slack))
    slot = tree.equal[node]
    while slot >= 0:
        consider(space, slot, bound, OBJECT_PIVOT, query, answer, desk)
        slot = tree.next[slot]
    slot = tree.neighbour[node]
    while slot >= 0:  # measured together: each is a rival to what lies below the others
        desk.memo[slot] = np.inf
        bound = max(desk.bound[0], range_pivot(d, tree.ring[slot, 0], tree.ring[slot, 1], answer.slack))
        if oldest_below(tree, slot) < 0:
            consider(space, slot, bound, OBJECT_PIVOT, query, answer, desk)
        elif not may_lead(answer, slot, bound):
            desk.tally[EXCLUDED, RANGE_PIVOT] += 1
        elif desk.wholes[ORDER] == BEST_FIRST and bound > desk.bound[0]:
            offer_child(desk, answer, slot, bound, RANGE_PIVOT)  # to be measured in its turn
        elif afford(answer, desk):
            desk.memo[slot] = measure(space, slot, query, answer, desk)
        slot = tree.next[slot]
    slot = tree.neighbour[node]
    while slot >= 0:
        if oldest_below(tree, slot) >= 0 and desk.memo[slot] < np.inf:
            offer_below(tree, slot, answer, desk)
        slot = tree.next[slot]


@kernel
def offer_below(tree: SATNodes, node: int, answer: Answer, desk: Desk) -> None:
    """Offer what lies below a node that has been measured."""
    d = desk.memo[node]
    bound, reason = pivot_ball(d, 0.0, tree.cover[node], answer.slack), RANGE_PIVOT
    sharper = double_pivot(d, to_nearest_rival(tree, node, desk.memo), answer.slack)
    if sharper > bound:
        bound, reason = sharper, DOUBLE_PIVOT
    if tree.between.shape[0] > 0:
        sharper = by_hyperplanes(tree, node, answer, desk)
        if sharper > bound:
            bound, reason = sharper, PLANAR
    offer_child(desk, answer, node, bound, reason)


@kernel
def to_nearest_rival(tree: SATNodes, node: int, memo: Array) -> float:
    """Return the query's distance to the nearest object than which all below a node is no nearer to it."""
    oldest = oldest_below(tree, node)
    least = np.inf
    while tree.parent[node] >= 0:
        up = tree.parent[node]
        slot = tree.neighbour[up]
        while 0 <= slot < oldest:
            least = min(least, memo[slot])
            slot = tree.next[slot]
        if tree.forced[node] != 0:
            break
        least = min(least, memo[up])
        node = up
    return least


@kernel
def by_hyperplanes(tree: SATNodes, node: int, answer: Answer, desk: Desk) -> float:
    """Return the bound by the hyperplanes between a node and those rivals whose distances to it are kept."""
    d, reach, up = desk.memo[node], tree.cover[node], tree.parent[node]
    bound = -np.inf
    if tree.forced[node] == 0:
        bound = hilbert(d, desk.memo[up], tree.to_parent[node], reach, answer.slack)
    oldest = oldest_below(tree, node)
    slot = tree.neighbour[up]
    rank, own_rank = 0, -1
    while 0 <= slot < oldest:
        if slot == node:
            own_rank = rank
        elif desk.memo[slot] < d:
            between = tree.between[node, rank] if own_rank < 0 else tree.between[slot, own_rank]
            bound = max(bound, hilbert(d, desk.memo[slot], np.float64(between), reach, answer.slack))
        rank += 1
        slot = tree.next[slot]
    return bound


@kernel
def oldest_below(tree: SATNodes, node: int) -> int:
    """Return the oldest object below a node, −1 if there is none; it hangs there directly."""
    neighbour, equal = tree.neighbour[node], tree.equal[node]
    return max(neighbour, equal) if min(neighbour, equal) < 0 else min(neighbour, equal)


# --- what both ways of building have in common -------------------------------------------------------


@kernel
def hang(tree: SATNodes, node: int, slot: int, d: float) -> None:
    """Make an object the latest neighbour of a node."""
    tree.parent[slot], tree.to_parent[slot] = node, d
    enclose(tree, slot, d)
    if tree.neighbour[node] < 0:
        tree.neighbour[node] = slot
    else:
        tree.next[tree.last[node]] = slot
    tree.last[node] = slot
    tree.arity[node] += 1


@kernel
def hang_equal(tree: SATNodes, node: int, slot: int) -> None:
    """Keep an object with the one that it is equal to; the oldest stays the first of the list."""
    tree.parent[slot] = node
    if tree.equal[node] < 0:
        tree.equal[node] = slot
    else:
        tree.next[slot] = tree.next[tree.equal[node]]
        tree.next[tree.equal[node]] = slot


@kernel
def enclose(tree: SATNodes, node: int, to_parent: float) -> None:
    """Enlarge the ring of a node by an object at this distance from its parent."""
    ring = tree.ring[node]
    ring[0], ring[1] = min(ring[0], to_parent), max(ring[1], to_parent)


@kernel
def descend(tree: SATNodes, node: int, to_node: float, to_parent: float) -> None:
    """Note that an object goes below a neighbour, the one of its parent's that it is nearest to."""
    enclose(tree, node, to_parent)
    if to_node > to_parent:
        tree.forced[node] = 1


# --- inserting ---------------------------------------------------------------------------------------


@kernel
def insert(tree: SATNodes, space: Any, slots: Array, room: Room, state: Array, patience: int) -> bool:
    """Insert ``slots[state[DONE]:]`` until all are in or `patience` distances are computed."""
    enough = state[COST] + patience
    while state[DONE] < slots.shape[0] and state[COST] < enough:
        slot = slots[state[DONE]]
        if slot > 0:
            insert_one(tree, space, slot, room, state)
        if room.fault[0] != 0:
            return False
        state[DONE] += 1
    return state[DONE] == slots.shape[0]


@kernel
def insert_one(tree: SATNodes, space: Any, slot: int, room: Room, state: Array) -> None:
    """Take an object from neighbour to neighbour to where none is nearer than the node, and hang it there."""
    query = prepare(space, space, slot, room)
    node, d = 0, estimate(space, 0, query)
    state[COST] += 1
    while room.fault[0] == 0:
        tree.cover[node] = max(tree.cover[node], d)
        if d == 0.0:
            hang_equal(tree, node, slot)
            return
        nearest, to_nearest = nearest_neighbour(tree, node, slot, space, query, state)
        if d <= to_nearest and tree.arity[node] < tree.limit:
            hang(tree, node, slot, d)
            return
        descend(tree, nearest, to_nearest, d)
        node, d = nearest, to_nearest


@kernel
def nearest_neighbour(
    tree: SATNodes, node: int, slot: int, space: Any, query: Any, state: Array
) -> tuple[int, float]:
    """Return the neighbour of a node that is nearest to an object, and its distance; −1 if there is none."""
    nearest, least, ties, rank = -1, np.inf, 0, 0
    other = tree.neighbour[node]
    while other >= 0:
        d = estimate(space, other, query)
        if tree.between.shape[0] > 0:
            tree.between[slot, rank] = d
        if d < least:
            nearest, least, ties = other, d, 1
        elif d == least:  # shared out, lest objects that are all equally far apart make a chain
            ties += 1
            if random_below(state, ties) == 0:
                nearest = other
        rank += 1
        other = tree.next[other]
    state[COST] += rank
    return nearest, least


# --- building at once --------------------------------------------------------------------------------


class Bags(NamedTuple):
    """What is still to be hung below each node. Objects are numbered as they were given."""

    head: Array  # by slot: the first object of its bag
    link: Array  # by object: the next in the same bag, −1 at its end
    to_node: Array  # by object: its distance to the node of its bag
    nearest: Array  # by object: the nearest neighbour of that node so far
    to_nearest: Array  # by object: its distance, or −1 when the object has become a node
    order: Array  # by slot: the object


@kernel
def start(bags: Bags, root: int, space: Any, room: Room, state: Array) -> None:
    """Put all objects into the bag of the first node."""
    enter(bags, root, state)
    bags.head[0] = 0
    query = prepare(space, space, root, room)
    for i in range(bags.to_node.shape[0]):
        bags.to_node[i] = estimate(space, i, query)
    state[COST] += bags.to_node.shape[0] - 1


@kernel
def build(tree: SATNodes, bags: Bags, space: Any, room: Room, state: Array, patience: int) -> bool:
    """Choose neighbours and divide bags, node by node, until all hangs or `patience` runs out."""
    enough = state[COST] + patience
    while state[DONE] < state[NODES] and state[COST] < enough:
        node = state[DONE]
        chosen = farthest_candidate(tree, bags, node)
        if chosen >= 0:
            adopt(tree, bags, node, chosen, space, room, state)
        else:
            share_out(tree, bags, node, state)
            state[DONE] += 1
        if room.fault[0] != 0:
            return False
    return state[DONE] == state[NODES]


@kernel
def farthest_candidate(tree: SATNodes, bags: Bags, node: int) -> int:
    """Return the farthest object of a bag that is as near to the node as to any of its neighbours, or −1."""
    farthest, most = -1, 0.0
    if tree.arity[node] < tree.limit:
        i = bags.head[node]
        while i >= 0:
            if most < bags.to_node[i] <= bags.to_nearest[i]:
                farthest, most = i, bags.to_node[i]
            i = bags.link[i]
    return farthest


@kernel
def adopt(tree: SATNodes, bags: Bags, node: int, chosen: int, space: Any, room: Room, state: Array) -> None:
    """Make an object a neighbour of a node, and measure it to all others of the bag."""
    slot = enter(bags, chosen, state)
    hang(tree, node, slot, bags.to_node[chosen])
    query = prepare(space, space, chosen, room)
    i = bags.head[node]
    while i >= 0:
        if bags.to_nearest[i] >= 0.0 and bags.to_node[i] > 0.0:
            d = estimate(space, i, query)
            state[COST] += 1
            if tree.between.shape[0] > 0:
                tree.between[i, tree.arity[node] - 1] = d
            closer = d < bags.to_nearest[i]  # ties are shared out, as in `nearest_neighbour`
            if closer or (d == bags.to_nearest[i] and random_below(state, tree.arity[node]) == 0):
                bags.nearest[i], bags.to_nearest[i] = slot, d
        i = bags.link[i]


@kernel
def share_out(tree: SATNodes, bags: Bags, node: int, state: Array) -> None:
    """Put each object of a bag into that of its nearest neighbour; what is equal to the node stays."""
    i = bags.head[node]
    while i >= 0:
        following = bags.link[i]
        d = bags.to_node[i]
        tree.cover[node] = max(tree.cover[node], d)
        if bags.to_nearest[i] >= 0.0 and d == 0.0:
            hang_equal(tree, node, enter(bags, i, state))
        elif bags.to_nearest[i] >= 0.0:
            nearest = bags.nearest[i]
            descend(tree, nearest, bags.to_nearest[i], d)
            bags.link[i], bags.head[nearest] = bags.head[nearest], i
            bags.to_node[i], bags.to_nearest[i] = bags.to_nearest[i], np.inf
        i = following


@kernel
def enter(bags: Bags, i: int, state: Array) -> int:
    """Make an object a node, and return its slot."""
    slot = state[NODES]
    state[NODES] += 1
    bags.order[slot] = i
    bags.to_nearest[i] = -1.0
    return slot


# --- the indexes -------------------------------------------------------------------------------------


class SpatialApproximation(DynamicIndex):
    """What both trees have in common: all but how they are built at first."""

    arrays = SATNodes

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        arity: int = 16,
        bounds: str = "auto",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.arity = whole_number("arity", arity, 2)
        self.bounds = one_of("bounds", bounds, ("auto", "triangle", "four-point"))

    def _apart(self, count: int) -> SATNodes:
        """Return so many nodes that nothing connects yet."""
        kept = count if sharpest(self.bounds, self.metric, "four-point") == "four-point" else 0
        return SATNodes(
            parent=np.full(count, -1),
            neighbour=np.full(count, -1),
            last=np.full(count, -1),
            next=np.full(count, -1),
            equal=np.full(count, -1),
            arity=np.zeros(count, np.int64),
            to_parent=np.zeros(count),
            cover=np.zeros(count),
            ring=np.tile([np.inf, 0.0], (count, 1)),
            forced=np.zeros(count, np.uint8),
            between=np.zeros((kept, self.arity), np.float32),
            limit=self.arity,
        )

    def _extended(self, tree: SATNodes, count: int) -> SATNodes:
        more = self._apart(count)
        arrays = (name for name in tree._fields if name != "limit")
        return tree._replace(
            **{name: np.concatenate([getattr(tree, name), getattr(more, name)]) for name in arrays}
        )

    def _insert(self, tree: SATNodes, slots: Positions, construction: Construction) -> SATNodes:
        construction.state[DONE] = 0
        construction.run(
            lambda: insert(
                tree, construction.space, slots, construction.room, construction.state, construction.patience
            )
        )
        return tree

    def _anatomy(self) -> Anatomy:
        return Anatomy(np.arange(len(self._tree.parent)), self._tree.parent)

    def _covering_radii(self) -> npt.NDArray[np.float64]:
        return self._tree.cover[np.maximum(self._tree.neighbour, self._tree.equal) >= 0]

    def _bytes(self, count: int) -> int:
        return (81 + 4 * self.arity) * count

    def _desk(self) -> Desk:
        most = int(np.bincount(self._tree.parent[1:], minlength=1).max())
        # When browsing, each neighbour may wait twice: as an object, and for what lies below.
        return make_desk(2 * most + 2, len(self._tree.parent), 0)


class SAT(SpatialApproximation):
    """Dynamic spatial approximation tree: grows by insertion; few distances in clustered spaces, no tuning.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    arity : int
        Neighbours that a node may have, at least 2. Few are best where the intrinsic dimension is low and
        make building cheap; for hard data more save distances.
    bounds : {"auto", "triangle", "four-point"}
        Prune by the triangle inequality alone, or also by hyperplanes as the four-point property allows;
        by default as the metric declares.
    seed : int
        Where the order of insertion comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Navarro, Searching in metric spaces by spatial approximation, The VLDB Journal 11, 2002.

    Navarro, Reyes, Dynamic spatial approximation trees, ACM Journal of Experimental Algorithmics 12, 2008.

    Connor, Cardillo, Vadicamo, Rabitti, Hilbert exclusion: improved metric search through finite isometric
    embeddings, ACM Transactions on Information Systems 35, 2017.
    """

    key = "sat"

    def _arranged(self, objects: Objects) -> Positions:
        return np.random.default_rng(self.seed).permutation(len(objects))

    def _build(self, construction: Construction) -> tuple[SATNodes, None]:
        n = construction.count
        return self._insert(self._apart(n), np.arange(n), construction), None


class DistalSAT(SpatialApproximation):
    """Distal spatial approximation tree: fewer distances still, for some more when it is built.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    arity : int
        Neighbours that a node may have, at least 2. Few are best where the intrinsic dimension is low and
        make building cheap; for hard data more save distances.
    bounds : {"auto", "triangle", "four-point"}
        Prune by the triangle inequality alone, or also by hyperplanes as the four-point property allows;
        by default as the metric declares.
    seed : int
        Where the root comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Chávez, Ludueña, Reyes, Roggero, Faster proximity searching with the distal SAT, Information Systems 59,
    2016.

    Connor, Cardillo, Vadicamo, Rabitti, Hilbert exclusion: improved metric search through finite isometric
    embeddings, ACM Transactions on Information Systems 35, 2017.
    """

    key = "dsat"

    def _build(self, construction: Construction) -> tuple[SATNodes, Positions]:
        n, state = construction.count, construction.state
        tree = self._apart(n)
        following = np.append(np.arange(1, n), -1)
        bags = Bags(
            head=np.full(n, -1),
            link=following,
            to_node=np.zeros(n),
            nearest=np.zeros(n, np.int64),
            to_nearest=np.full(n, np.inf),
            order=np.zeros(n, np.int64),
        )
        root = int(np.random.default_rng(self.seed).integers(n))
        start(bags, root, construction.space, construction.room, state)
        construction.check()
        construction.run(
            lambda: build(tree, bags, construction.space, construction.room, state, construction.patience)
        )
        if len(tree.between):
            tree = tree._replace(between=tree.between[bags.order])
        return tree, bags.order
