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
    Those of `descending`, a node's children being its neighbours, and which of these are ``forced``.

Invariants
    An object chose, on its way down, the nearest of the neighbours that were there. It was no farther from
    the one it chose than from the parent, unless the parent had all the neighbours that it may have: then
    the chosen one is marked as ``forced``, and the rivals of what lies below are its siblings alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..answer import Answer
from ..arguments import whole_number
from ..bounds import DOUBLE_PIVOT, PLANAR, RANGE_PIVOT, Slack, double_pivot, hilbert
from ..construction import COST, DONE, NODES, Construction
from ..families.descending import (
    ObjectTree,
    begin_at_root,
    chart,
    covered,
    enclose,
    hang,
    hang_equal,
    look_below,
    note,
    offer_below,
    oldest_below,
    stays,
)
from ..ids import Positions
from ..kernels import Array, kernel
from ..objects import Objects
from ..pivots import random_below
from ..space import Room, estimate, prepare
from ..traversal import Desk, begin, expand, offer_child


class SATNodes(NamedTuple):
    """The nodes, one an object; their children are the neighbours. See `descending` for what is not said."""

    parent: Array
    child: Array
    last: Array
    next: Array
    equal: Array
    arity: Array
    to_parent: Array
    cover: Array
    ring: Array
    between: Array
    box: Array
    limit: int
    forced: Array  # uint8


# --- searching ---------------------------------------------------------------------------------------


@begin.of(SATNodes)
def _(tree: SATNodes, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    begin_at_root(tree, space, query, answer, desk)


@expand.of(SATNodes)
def _(tree: SATNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    look_below(tree, node, space, query, answer, desk)


@offer_below.of(SATNodes)
def _(tree: SATNodes, node: int, answer: Answer, desk: Desk) -> None:
    d = desk.memo[node]
    bound, reason = covered(tree, node, answer, desk), RANGE_PIVOT
    sharper = double_pivot(d, to_nearest_rival(tree, node, desk.memo), answer.slack)
    if sharper > bound:
        bound, reason = sharper, DOUBLE_PIVOT
    if tree.between.shape[0] > 0:
        sharper = by_hyperplane(tree, node, answer, desk)
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
        if tree.last[up] < oldest:
            least = min(least, memo[tree.parent.shape[0] + up])
        else:
            slot = tree.child[up]
            while slot < oldest:
                least = min(least, memo[slot])
                slot = tree.next[slot]
        if tree.forced[node] != 0:
            break
        least = min(least, memo[up])
        node = up
    return least


@kernel
def by_hyperplane(tree: SATNodes, node: int, answer: Answer, desk: Desk) -> float:
    """Return the bound by a hyperplane between a node and a rival, of all whose distance to it is kept.

    That is the hyperplane that lies farthest from the query.
    """
    d, up = desk.memo[node], tree.parent[node]
    oldest = oldest_below(tree, node)
    farthest, to_rival, between = 0.0, np.inf, 0.0
    if tree.forced[node] == 0 and desk.memo[up] < d:
        to_rival, between = desk.memo[up], tree.to_parent[node]
        farthest = (d * d - to_rival * to_rival) / between
    slot = tree.child[up]
    rank, own_rank = 0, -1
    while 0 <= slot < oldest:
        if slot == node:
            own_rank = rank
        elif desk.memo[slot] < d:
            apart = np.float64(tree.between[node, rank] if own_rank < 0 else tree.between[slot, own_rank])
            if apart > 0.0 and d * d - desk.memo[slot] * desk.memo[slot] > farthest * apart:
                to_rival, between = desk.memo[slot], apart
                farthest = (d * d - to_rival * to_rival) / between
        rank += 1
        slot = tree.next[slot]
    return hilbert(d, to_rival, between, tree.cover[node], answer.slack)


# --- inserting ---------------------------------------------------------------------------------------


@stays.of(SATNodes)
def _(tree: SATNodes, node: int, slot: int, d: float, nearest: int, to_nearest: float) -> bool:
    if d <= to_nearest and tree.arity[node] < tree.limit:
        return True
    if d < to_nearest:
        tree.forced[nearest] = 1
    return False


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
def start(bags: Bags, root: int, space: Any, room: Room, state: Array) -> bool:
    """Put all objects into the bag of the first node."""
    enter(bags, root, state)
    bags.head[0] = 0
    query = prepare(space, space, root, room)
    for i in range(bags.to_node.shape[0]):
        if i != root:
            bags.to_node[i] = estimate(space, i, query)
            state[COST] += 1
    return True


@kernel
def build(
    tree: SATNodes, bags: Bags, space: Any, slack: Slack, room: Room, state: Array, patience: int
) -> bool:
    """Choose neighbours and divide bags, node by node, until all hangs or `patience` runs out."""
    enough = state[COST] + patience
    while state[DONE] < state[NODES] and state[COST] < enough:
        node = state[DONE]
        chosen = farthest_candidate(tree, bags, node)
        if chosen >= 0:
            adopt(tree, bags, node, chosen, space, slack, room, state)
        else:
            share_out(tree, bags, node, slack, state)
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
def adopt(
    tree: SATNodes, bags: Bags, node: int, chosen: int, space: Any, slack: Slack, room: Room, state: Array
) -> None:
    """Make an object a neighbour of a node, and measure it to all others of the bag."""
    slot = enter(bags, chosen, state)
    hang(tree, node, slot, bags.to_node[chosen])
    chart(tree, slot, chosen, bags.to_node[chosen], slack)
    query = prepare(space, space, chosen, room)
    i = bags.head[node]
    while i >= 0:
        if bags.to_nearest[i] >= 0.0 and bags.to_node[i] > 0.0:
            d = estimate(space, i, query)
            state[COST] += 1
            note(tree, i, tree.arity[node] - 1, d)
            closer = d < bags.to_nearest[i]  # ties are shared out, as in `nearest_child`
            if closer or (d == bags.to_nearest[i] and random_below(state, tree.arity[node]) == 0):
                bags.nearest[i], bags.to_nearest[i] = slot, d
        i = bags.link[i]


@kernel
def share_out(tree: SATNodes, bags: Bags, node: int, slack: Slack, state: Array) -> None:
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
            enclose(tree, nearest, d)
            chart(tree, nearest, i, d, slack)
            if bags.to_nearest[i] > d:
                tree.forced[nearest] = 1
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


class SpatialApproximation(ObjectTree):
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
        self.arity = whole_number("arity", arity, 2)
        super().__init__(metric, self.arity, bounds, seed, max_bytes)

    def _apart(self, count: int) -> SATNodes:
        return SATNodes(**self._common(count), forced=np.zeros(count, np.uint8))

    def _bytes(self, count: int) -> int:
        return super()._bytes(count) + count


class SAT(SpatialApproximation):
    """Dynamic spatial approximation tree: few distances, and as few after many insertions.

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


class DistalSAT(SpatialApproximation):
    """Distal spatial approximation tree: fewer distances than the dynamic one, more to build.

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

    def _arranged(self, objects: Objects) -> None:
        return None  # it is known when the tree is built

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
        construction.run(lambda: start(bags, root, construction.space, construction.room, state))
        construction.run(
            lambda: build(
                tree,
                bags,
                construction.space,
                construction.slack,
                construction.room,
                state,
                construction.patience,
            )
        )
        if len(tree.between):
            tree = tree._replace(between=tree.between[bags.order])
        return tree, bags.order
