"""M-tree (Ciaccia, Patella, Zezula 1997): a balanced tree of balls that grows and shrinks.

Idea
    A node holds a bounded number of entries. A leaf's entries are objects; an inner node's entry is a
    routing object with the radius of a ball that covers everything below it. An object is inserted where
    a ball already holds it, else where a ball grows least. A full node is split and the split is passed
    upwards, so that all leaves stay at one depth.

    Each entry keeps its distance to its parent's routing object. A query that has measured the parent thereby
    excludes most entries without measuring them.

Split
    Of all pairs of entries the two are promoted whose balls, were the others divided between them, have
    the smaller larger radius (mM_RAD); each entry goes to the nearer (generalised hyperplane), but
    neither side gets less than its share.

Arrays
    Node i has ``size[i]`` entries; entry e is the object ``entry[i, e]`` (a slot), its ball ``cover[i, e]``
    with the node ``child[i, e]`` below it, and its distance ``to_router[i, e]`` to the node's own routing
    object ``router[i]`` (−1 at the root). ``home[slot]`` is the leaf of an object, −1 when it was removed.

Invariants
    Everything below an entry lies within its ball. A leaf but the root has at least ``least`` entries; an
    inner node has at least one, the root two. A routing object stays one when it is removed from its leaf.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..anatomy import Anatomy
from ..answer import Answer, may_lead
from ..arguments import whole_number
from ..bounds import RANGE_PIVOT, SHRUNK, Slack, allowance, pivot_ball
from ..construction import COST, DONE, Construction
from ..dynamic import DynamicIndex
from ..ids import Positions
from ..kernels import Array, kernel
from ..space import Room, estimate, prepare
from ..traversal import (
    BEST_FIRST,
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

# MNodes.whole
ROOT = 0
FREE = 1  # the first of the nodes that are free again, chained by `parent`; −1 if there is none
USED = 2  # nodes ever used
HEIGHT = 3  # levels above the leaves


_PER_NODE = ("size", "leaf", "parent", "router", "entry", "child", "to_router", "cover")


class MNodes(NamedTuple):
    """The nodes."""

    size: Array
    leaf: Array  # uint8
    parent: Array
    router: Array
    entry: Array  # (nodes, capacity + 1): the last place is taken only until a split
    child: Array
    to_router: Array
    cover: Array
    home: Array
    whole: Array
    least: int


# --- searching ---------------------------------------------------------------------------------------


@begin.of(MNodes)
def _(tree: MNodes, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    offer_child(desk, answer, tree.whole[ROOT], 0.0, SHRUNK)


@expand.of(MNodes)
def _(tree: MNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    router = tree.router[node]
    to_query = desk.memo[node]
    for e in range(tree.size[node]):
        slot = tree.entry[node, e]
        bound = desk.bound[0]
        if router >= 0:
            bound = max(
                bound, pivot_ball(to_query, tree.to_router[node, e], tree.cover[node, e], answer.slack)
            )
        if tree.leaf[node] != 0:
            if slot == router:  # measured when the node was reached
                offer_measured(space, slot, to_query, query, answer, desk)
            else:
                consider(space, slot, bound, RANGE_PIVOT, query, answer, desk)
        elif may_lead(answer, tree.child[node, e], bound):
            d = to_query
            if slot != router:
                if not afford(answer, desk):
                    return
                d = reckon(space, slot, query, answer)
            child = tree.child[node, e]
            desk.memo[child] = d
            bound = pivot_ball(d, 0.0, tree.cover[node, e], answer.slack)
            offer_child(desk, answer, child, bound, RANGE_PIVOT)
        else:
            desk.tally[NODES, RANGE_PIVOT] += 1


# --- inserting ---------------------------------------------------------------------------------------


class SplitDesk(NamedTuple):
    """Scratch for a split."""

    between: Array  # distances between the entries of a node
    side: Array  # which of the two new nodes each entry goes to
    best_side: Array


@kernel
def insert(
    tree: MNodes,
    space: Any,
    slots: Array,
    scratch: SplitDesk,
    slack: Slack,
    room: Room,
    state: Array,
    patience: int,
) -> bool:
    """Insert ``slots[state[DONE]:]`` until all are in or `patience` distances are computed.

    Also returns, before it touches anything, when there are too few nodes for the splits to come.
    """
    enough = state[COST] + patience
    while state[DONE] < slots.shape[0] and state[COST] < enough:
        if tree.whole[USED] + tree.whole[HEIGHT] + 2 > tree.size.shape[0]:
            return False  # every level may split, and a new root be put above
        slot = slots[state[DONE]]
        query = prepare(space, space, slot, room)
        node = tree.whole[ROOT]
        d = 0.0
        while tree.leaf[node] == 0:
            e, d = choose(tree, node, space, query, state)
            tree.cover[node, e] = max(tree.cover[node, e], d)
            node = tree.child[node, e]
        append(tree, node, slot, -1, d, 0.0)
        while node >= 0 and tree.size[node] == tree.entry.shape[1]:
            node = split(tree, node, space, scratch, slack, room, state)
        if room.fault[0] != 0:
            return False
        state[DONE] += 1
    return state[DONE] == slots.shape[0]


@kernel
def choose(tree: MNodes, node: int, space: Any, query: Any, state: Array) -> tuple[int, float]:
    """Return the entry of the nearest ball that holds the query, else that grows least, and its distance."""
    best, nearest, least_growth = 0, np.inf, np.inf
    for e in range(tree.size[node]):
        d = estimate(space, tree.entry[node, e], query)
        growth = max(d - tree.cover[node, e], 0.0)
        if growth < least_growth or (growth == least_growth and d < nearest):
            best, nearest, least_growth = e, d, growth
    state[COST] += tree.size[node]
    return best, nearest


@kernel
def split(
    tree: MNodes, node: int, space: Any, scratch: SplitDesk, slack: Slack, room: Room, state: Array
) -> int:
    """Divide an overfull node in two, and return its parent, which has one entry more than before."""
    n = tree.size[node]
    for a in range(n):
        query = prepare(space, space, tree.entry[node, a], room)
        scratch.between[a, a] = 0.0
        for b in range(a):
            d = estimate(space, tree.entry[node, b], query)
            scratch.between[a, b] = d
            scratch.between[b, a] = d
    state[COST] += n * (n - 1) // 2
    first, second = promote(tree, node, scratch, slack)
    first_slot, second_slot = tree.entry[node, first], tree.entry[node, second]

    up = tree.parent[node]
    if up < 0:
        up = take_node(tree, 0)
        tree.whole[ROOT] = up
        tree.whole[HEIGHT] += 1
    else:
        drop_child(tree, up, node)
    other = take_node(tree, tree.leaf[node])
    tree.size[node] = 0
    first_cover = second_cover = 0.0
    for e in range(n):  # entries that stay move towards the front, over entries that were read already
        slot, child, cover = tree.entry[node, e], tree.child[node, e], tree.cover[node, e]
        if scratch.best_side[e] == 0:
            d = scratch.between[e, first]
            append(tree, node, slot, child, d, cover)
            first_cover = max(first_cover, covering(d, cover, slack))
        else:
            d = scratch.between[e, second]
            append(tree, other, slot, child, d, cover)
            second_cover = max(second_cover, covering(d, cover, slack))
    router = tree.router[up]
    first_distance = second_distance = 0.0
    if router >= 0:
        query = prepare(space, space, router, room)
        first_distance = estimate(space, first_slot, query)
        second_distance = estimate(space, second_slot, query)
        state[COST] += 2
    append(tree, up, first_slot, node, first_distance, first_cover)
    append(tree, up, second_slot, other, second_distance, second_cover)
    return up


@kernel
def promote(tree: MNodes, node: int, scratch: SplitDesk, slack: Slack) -> tuple[int, int]:
    """Return the pair whose division has the smaller larger radius; the division is left in ``best_side``."""
    n = tree.size[node]
    best_first, best_second, least_radius = 0, 1, np.inf
    for first in range(n):
        for second in range(first + 1, n):
            share_out(scratch.between, scratch.side, n, first, second, tree.least)
            radius = 0.0
            for e in range(n):
                centre = first if scratch.side[e] == 0 else second
                radius = max(radius, covering(scratch.between[e, centre], tree.cover[node, e], slack))
            if radius < least_radius:
                best_first, best_second, least_radius = first, second, radius
                for e in range(n):
                    scratch.best_side[e] = scratch.side[e]
    return best_first, best_second


@kernel
def share_out(between: Array, side: Array, n: int, first: int, second: int, least: int) -> None:
    """Give each of `n` entries to the nearer of two, then the smaller side its least share."""
    for e in range(n):
        side[e] = between[e, second] < between[e, first]
    side[first], side[second] = 0, 1  # which equal objects would not decide
    count = 0
    for e in range(n):
        count += side[e]
    short = 1 if count < n - count else 0
    for _ in range(least - min(count, n - count)):
        moved, loss = -1, np.inf
        for e in range(n):
            if side[e] != short and e != first and e != second:
                d = abs(between[e, first] - between[e, second])
                if d < loss:
                    moved, loss = e, d
        if moved >= 0:
            side[moved] = short


@kernel
def covering(d: float, cover: float, slack: Slack) -> float:
    """Return the radius about a centre at distance `d` that covers a ball, rounded outward."""
    return d + cover + allowance(slack, d + cover) if cover > 0.0 else d


@kernel
def append(tree: MNodes, node: int, slot: int, child: int, to_router: float, cover: float) -> None:
    """Add an entry to a node."""
    e = tree.size[node]
    tree.size[node] = e + 1
    tree.entry[node, e] = slot
    tree.child[node, e] = child
    tree.to_router[node, e] = to_router
    tree.cover[node, e] = cover
    if child < 0:
        tree.home[slot] = node
    else:
        tree.parent[child] = node
        tree.router[child] = slot


@kernel
def take_node(tree: MNodes, leaf: int) -> int:
    """Return an empty node, a freed one if there is any."""
    node = tree.whole[FREE]
    if node >= 0:
        tree.whole[FREE] = tree.parent[node]
    else:
        node = tree.whole[USED]
        tree.whole[USED] += 1
    tree.size[node] = 0
    tree.leaf[node] = leaf
    tree.parent[node] = -1
    tree.router[node] = -1
    return node


# --- removing ----------------------------------------------------------------------------------------


@kernel
def erase(tree: MNodes, slot: int, orphans: Array) -> int:
    """Take an object out of its leaf; return how many others lost theirs and are to be inserted again."""
    node = tree.home[slot]
    tree.home[slot] = -1
    for e in range(tree.size[node]):
        if tree.entry[node, e] == slot:
            drop(tree, node, e)
            break
    lost = 0
    if tree.parent[node] >= 0 and tree.size[node] < tree.least:
        lost = tree.size[node]
        for e in range(lost):
            orphans[e] = tree.entry[node, e]
        tree.size[node] = 0
    while tree.parent[node] >= 0 and tree.size[node] == 0:
        up = tree.parent[node]
        drop_child(tree, up, node)
        tree.parent[node] = tree.whole[FREE]
        tree.whole[FREE] = node
        node = up
    shorten(tree)
    return lost


@kernel
def shorten(tree: MNodes) -> None:
    """Remove roots that have a single child, or none."""
    root = tree.whole[ROOT]
    while tree.leaf[root] == 0 and tree.size[root] == 1:
        child = tree.child[root, 0]
        tree.parent[root] = tree.whole[FREE]
        tree.whole[FREE] = root
        tree.parent[child] = -1
        tree.router[child] = -1
        tree.whole[ROOT] = child
        tree.whole[HEIGHT] -= 1
        root = child
    if tree.size[root] == 0 and tree.leaf[root] == 0:
        tree.leaf[root] = 1
        tree.whole[HEIGHT] = 0


@kernel
def drop_child(tree: MNodes, node: int, child: int) -> None:
    """Remove the entry of a node that leads to a child."""
    for e in range(tree.size[node]):
        if tree.child[node, e] == child:
            drop(tree, node, e)
            return


@kernel
def drop(tree: MNodes, node: int, e: int) -> None:
    """Remove an entry by putting the last one into its place."""
    last = tree.size[node] - 1
    tree.size[node] = last
    tree.entry[node, e] = tree.entry[node, last]
    tree.child[node, e] = tree.child[node, last]
    tree.to_router[node, e] = tree.to_router[node, last]
    tree.cover[node, e] = tree.cover[node, last]


# --- the index ---------------------------------------------------------------------------------------


class MTree(DynamicIndex):
    """M-tree: dynamic, balanced, with nodes of bounded size.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    capacity : int
        Entries that a node may hold, at least 4.
    seed : int
        Unused: insertion makes no random choices.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Ciaccia, Patella, Zezula, M-tree: an efficient access method for similarity search in metric spaces,
    VLDB 1997.
    """

    key = "mtree"
    arrays = MNodes
    order = BEST_FIRST  # as in the paper: a third fewer distances, in 1.7 times the time
    drops = True

    def __init__(
        self, metric: Any = "euclidean", *, capacity: int = 24, seed: int = 0, max_bytes: int | None = None
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.capacity = whole_number("capacity", capacity, 4)

    def _build(self, construction: Construction) -> tuple[MNodes, None]:
        tree = self._emptied(construction.count)
        return self._insert(tree, np.arange(construction.count), construction), None

    def _emptied(self, count: int) -> MNodes:
        nodes, places = 16, self.capacity + 1
        tree = MNodes(
            size=np.zeros(nodes, np.int64),
            leaf=np.zeros(nodes, np.uint8),
            parent=np.full(nodes, -1),
            router=np.full(nodes, -1),
            entry=np.zeros((nodes, places), np.int64),
            child=np.zeros((nodes, places), np.int64),
            to_router=np.zeros((nodes, places)),
            cover=np.zeros((nodes, places)),
            home=np.full(count, -1),
            whole=np.array([0, -1, 1, 0]),
            least=max(2, self.capacity * 2 // 5),
        )
        tree.leaf[0] = 1
        return tree

    def _insert(self, tree: MNodes, slots: Positions, construction: Construction) -> MNodes:
        places = self.capacity + 1
        scratch = SplitDesk(
            np.zeros((places, places)), np.zeros(places, np.int64), np.zeros(places, np.int64)
        )
        construction.state[DONE] = 0

        def step() -> bool:
            nonlocal tree
            if tree.whole[USED] + tree.whole[HEIGHT] + 2 > len(tree.size):
                tree = _with_more_nodes(tree)
            return bool(
                insert(
                    tree, construction.space, slots, scratch, construction.slack,
                    construction.room, construction.state, construction.patience,
                )
            )  # fmt: skip

        construction.run(step)
        return tree

    def _drop(self, slots: Positions) -> None:
        self._tree = self._extended(self._tree, 0)
        orphans = np.zeros(self.capacity + 1, np.int64)
        for slot in slots:
            lost = erase(self._tree, slot, orphans)
            if lost:
                self._change(self._tree, self._objects, orphans[:lost].copy())

    def _extended(self, tree: MNodes, count: int) -> MNodes:
        fields = {name: getattr(tree, name).copy() for name in (*_PER_NODE, "whole")}
        return tree._replace(**fields, home=np.concatenate([tree.home, np.full(count, -1)]))

    def _anatomy(self) -> Anatomy:
        # What is free is chained by `parent`, too.
        used = np.isin(np.arange(len(self._tree.size)), self._tree.child) & (self._tree.size > 0)
        return Anatomy(self._tree.home, np.where(used, self._tree.parent, -1))

    def _covering_radii(self) -> npt.NDArray[np.float64]:
        inner = self._tree.child >= 0
        inner &= np.arange(inner.shape[1]) < self._tree.size[:, None]
        return self._tree.cover[inner]

    def _bytes(self, count: int) -> int:
        return 8 * count + (32 * (self.capacity + 1) + 33) * (2 * count // self.capacity + 16)

    def _desk(self) -> Desk:
        return make_desk(self.capacity + 2, len(self._tree.size), 0)


def _with_more_nodes(tree: MNodes) -> MNodes:
    """Return the same tree with twice as many places for nodes."""
    fields = {name: getattr(tree, name) for name in _PER_NODE}
    more: dict[str, Any] = {name: np.concatenate([old, np.zeros_like(old)]) for name, old in fields.items()}
    return tree._replace(**more)
