"""Geometric near-neighbour access tree (Brin 1995), and how it evolves (Uribe et al. 2006).

Idea
    A node has many split points, and each object lies in the domain of the nearest. For every two of them
    the node knows how near and how far the objects of the one's domain are to the other. A query measures one
    split point after the other; each excludes the domains whose range its ball does not meet, and their
    split points with them, so that most are never measured. A domain that is left may still be behind a
    hyperplane, or outside a box in the half plane of its own split point and another.

    The leaves are buckets, and each object in one keeps its distance to the split point of its domain. What
    is added goes down to a bucket, and widens the ranges on its way; a bucket that overflows becomes a node.

Split points
    They are chosen from three times as many objects at random, each the farthest from those before it. There
    are the more, the more objects a node has beside its siblings; but not so many that buckets would be
    less than half full, except where a bucket overflows.

Arrays
    The domains of node ``i`` are the nodes from ``below[i]`` on, one for each of its ``degree[i]`` split
    points; ``centre[j]`` is that of domain j. Pair ``table[j] + k`` is of domain j with split point k of the
    same node. The objects of a leaf are a chain: ``bucket[i]``, what is ``following`` it, and so on.

Invariants
    No object is nearer to another split point of a node than to that of its domain. The range of a pair
    holds the distances from split point k to the objects of domain j, and to its split point unless that
    is k; the box holds the objects alone. A leaf holds at most `leaf_size` objects.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..anatomy import Anatomy
from ..answer import Answer, may_belong, may_lead
from ..arguments import one_of, whole_number
from ..bounds import (
    DOUBLE_PIVOT,
    OBJECT_PIVOT,
    PLANAR,
    RANGE_PIVOT,
    SHRUNK,
    Slack,
    cover,
    double_pivot,
    object_pivot,
    planar,
    project,
    range_pivot,
)
from ..construction import COST, DONE, PENDING, Construction
from ..dynamic import DynamicIndex
from ..growing import measure_span
from ..ids import Positions
from ..kernels import Array, kernel
from ..laws import sharpest
from ..partitions import least_key, swap, swap_columns
from ..pivots import shuffle
from ..space import Room, estimate, prepare
from ..traversal import (
    BEST_FIRST,
    NODES,
    Desk,
    afford,
    consider,
    expand,
    make_desk,
    measure,
    offer_child,
)

CANDIDATES = 3  # for each split point
LEAST = 4  # split points: where a bucket that overflows gets but 2, what is added makes the tree deep
MOST = 4  # times the average degree is the greatest

# GNATNodes.whole
USED = 0  # nodes
PAIRED = 1  # pairs
DISPLACED = 2  # the first object that waits to go down from its home, chained by `following`; −1 if none does


class GNATNodes(NamedTuple):
    """The nodes, the pairs and the objects."""

    parent: Array  # −1 at the root
    size: Array  # objects below, split points of its own among them
    degree: Array  # 0 at a leaf
    below: Array
    centre: Array
    table: Array
    bucket: Array  # −1 if it is empty
    band: Array  # by pair: the least and greatest distance, float32
    apart: Array  # by pair: the distance of the two split points; empty under triangle bounds
    box: Array  # by pair, (pairs, 4): in their half plane; empty under triangle bounds
    home: Array  # by slot: the node that has it as a split point or in its bucket; −1 before it is inserted
    following: Array  # by slot: −1 at the end of a chain
    to_centre: Array  # by slot, float32: from an object in a bucket to the split point of its domain
    to_first: Array  # by slot, float32: to the first split point beside that one; empty under triangle bounds
    whole: Array


_BY_NODE = ("parent", "size", "degree", "below", "centre", "table", "bucket")
_BY_PAIR = ("band", "apart", "box")


# --- searching ---------------------------------------------------------------------------------------


@expand.of(GNATNodes)
def _(tree: GNATNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if tree.degree[node] == 0:
        filter_bucket(tree, node, space, query, answer, desk)
        return
    first, left, measured = tree.below[node], tree.degree[node], 0
    bounds, domains = desk.pool_keys, desk.pool_slots  # the measured domains first, then those that are left
    for j in range(left):
        bounds[j], domains[j] = desk.bound[0], j
        desk.memo[first + j] = -1.0  # not measured
    while measured < left:
        swap(domains, measured, most_promising(bounds, domains, measured, left))
        j = domains[measured]
        centre = tree.centre[first + j]
        if not (may_lead(answer, first + j, bounds[j]) or may_belong(answer, centre, bounds[j])):
            desk.tally[NODES, RANGE_PIVOT] += 1
            left -= 1
            swap(domains, measured, left)
            continue
        if not afford(answer, desk):
            return
        d = measure(space, centre, query, answer, desk)
        desk.memo[first + j] = d
        measured += 1
        for i in range(left):
            band = tree.band[tree.table[first + domains[i]] + j]
            bound = range_pivot(d, np.float64(band[0]), np.float64(band[1]), answer.slack)
            bounds[domains[i]] = max(bounds[domains[i]], bound)
    offer_domains(tree, first, domains[:measured], answer, desk)


@kernel
def most_promising(bounds: Array, domains: Array, start: int, stop: int) -> int:
    """Return the place of the domain with the least bound."""
    best = start
    for i in range(start + 1, stop):
        if bounds[domains[i]] < bounds[domains[best]]:
            best = i
    return best


@kernel
def offer_domains(tree: GNATNodes, first: int, domains: Array, answer: Answer, desk: Desk) -> None:
    """Offer the domains whose split points were measured."""
    nearest = np.inf
    for j in domains:
        nearest = min(nearest, desk.memo[first + j])
    for j in domains:
        bound, reason = bound_of_domain(tree, first, j, domains, nearest, answer.slack, desk)
        offer_child(desk, answer, first + j, bound, reason)


@kernel
def bound_of_domain(
    tree: GNATNodes, first: int, j: int, domains: Array, nearest: float, slack: Slack, desk: Desk
) -> tuple[float, int]:
    """Return how near the objects of domain j may be, beside its split point."""
    bound, reason = desk.pool_keys[j], RANGE_PIVOT
    to_centre = desk.memo[first + j]
    beyond = double_pivot(to_centre, nearest, slack)
    if beyond > bound:
        bound, reason = beyond, DOUBLE_PIVOT
    if tree.box.shape[0] > 0:
        for k in domains:
            if k != j:
                pair = tree.table[first + j] + k
                spot = project(to_centre, desk.memo[first + k], tree.apart[pair], slack)
                sharper = planar(tree.box[pair], spot, slack)
                if sharper > bound:
                    bound, reason = sharper, PLANAR
    return bound, reason


@kernel
def filter_bucket(tree: GNATNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    """Measure the objects of a leaf that their distances to split points do not exclude."""
    up, slack = tree.parent[node], answer.slack
    between, spot = 0.0, (-np.inf, np.inf, 0.0, np.inf)  # no half plane
    if up >= 0 and tree.box.shape[0] > 0:
        first = tree.below[up]
        if node != first and desk.memo[first] >= 0.0:  # the first split point is measured first, as a rule
            between = tree.apart[tree.table[node]]
            spot = project(desk.memo[node], desk.memo[first], between, slack)
    slot = tree.bucket[node]
    while slot >= 0:
        bound, reason = desk.bound[0], SHRUNK
        if up >= 0:
            to_centre = np.float64(tree.to_centre[slot])
            own = object_pivot(desk.memo[node], to_centre, slack)
            if own > bound:
                bound, reason = own, OBJECT_PIVOT
            if between > 0.0:
                box = project(to_centre, np.float64(tree.to_first[slot]), between, slack)
                sharper = planar(box, spot, slack)
                if sharper > bound:
                    bound, reason = sharper, PLANAR
        consider(space, slot, bound, reason, query, answer, desk)
        slot = tree.following[slot]


# --- inserting ---------------------------------------------------------------------------------------


class GNATDesk(NamedTuple):
    """What is under way, and scratch."""

    todo: Array  # leaves that are overfull
    members: Array  # the objects of a leaf that becomes a node
    between: Array  # (split points, candidates): their distances
    distances: Array  # from an object to the split points of a node


@kernel
def insert(
    tree: GNATNodes, space: Any, slots: Array, scratch: GNATDesk, leaf_size: int, degree: int,
    slack: Slack, room: Room, state: Array, patience: int,
) -> bool:  # fmt: skip
    """Insert ``slots[state[DONE]:]`` until all are in or `patience` distances are computed.

    What was displaced goes down first, then what is overfull is divided: so a leaf that holds much more than
    it may, as the root does at first, has its split points chosen from all of its objects. Also returns when
    there is no room for another node.
    """
    enough = state[COST] + patience
    while state[COST] < enough and room.fault[0] == 0:
        displaced = tree.whole[DISPLACED]
        if displaced >= 0:
            tree.whole[DISPLACED] = tree.following[displaced]
            put(tree, displaced, tree.home[displaced], space, scratch, leaf_size, slack, room, state)
        elif state[PENDING] > 0:
            if cramped(tree, scratch):
                return False
            state[PENDING] -= 1
            node = scratch.todo[state[PENDING]]
            divide_leaf(tree, node, space, scratch, leaf_size, degree, slack, room, state)
        elif state[DONE] < slots.shape[0]:
            tree.size[0] += 1
            put(tree, slots[state[DONE]], 0, space, scratch, leaf_size, slack, room, state)
            state[DONE] += 1
        else:
            return True
    return False


@kernel
def cramped(tree: GNATNodes, scratch: GNATDesk) -> bool:
    """Whether a node with as many split points as it may have finds no room."""
    most = scratch.between.shape[0]
    nodes, pairs = tree.parent.shape[0], tree.band.shape[0]
    return tree.whole[USED] + most > nodes or tree.whole[PAIRED] + most * most > pairs


@kernel
def put(
    tree: GNATNodes, slot: int, node: int, space: Any, scratch: GNATDesk, leaf_size: int,
    slack: Slack, room: Room, state: Array,
) -> None:  # fmt: skip
    """Put an object into the leaf below a node where the split points nearest to it lead.

    Of domains whose split points are equally near, the smallest takes it: so duplicates are shared out.
    """
    query = prepare(space, space, slot, room)
    distances = scratch.distances
    while tree.degree[node] > 0:
        first, degree = tree.below[node], tree.degree[node]
        best = 0
        for j in range(degree):
            d = distances[j] = estimate(space, tree.centre[first + j], query)
            fewer = tree.size[first + j] < tree.size[first + best]
            if d < distances[best] or (d == distances[best] and fewer):
                best = j
        state[COST] += degree
        node = first + best
        tree.size[node] += 1
        tree.to_centre[slot] = distances[best]
        if tree.to_first.shape[0] > 0:
            tree.to_first[slot] = distances[0]
        widen(tree, node, best, distances[:degree], slack)
    tree.home[slot] = node
    tree.following[slot] = tree.bucket[node]
    tree.bucket[node] = slot
    if tree.size[node] == leaf_size + 1:
        scratch.todo[state[PENDING]] = node
        state[PENDING] += 1


@kernel
def widen(tree: GNATNodes, child: int, own: int, distances: Array, slack: Slack) -> None:
    """Make the ranges and boxes of a domain hold an object at these distances from the split points."""
    for k in range(distances.shape[0]):
        pair = tree.table[child] + k
        band, d = tree.band[pair], np.float32(distances[k])
        band[0], band[1] = min(band[0], d), max(band[1], d)
        if tree.box.shape[0] > 0 and k != own:
            cover(tree.box[pair], project(distances[own], distances[k], tree.apart[pair], slack))


@kernel
def divide_leaf(
    tree: GNATNodes, node: int, space: Any, scratch: GNATDesk, leaf_size: int, degree: int,
    slack: Slack, room: Room, state: Array,
) -> None:  # fmt: skip
    """Make a node of a leaf: choose its split points, and displace its other objects."""
    members, size, slot = scratch.members, 0, tree.bucket[node]
    while slot >= 0:
        members[size] = slot
        size += 1
        slot = tree.following[slot]
    degree = degree_of(tree, node, leaf_size, degree, scratch.between.shape[0])
    choose(members, size, degree, space, scratch.between, room, state)
    tree.degree[node], tree.below[node], tree.bucket[node] = degree, tree.whole[USED], -1
    for j in range(degree):
        hang_domain(tree, node, j, members[j], scratch.between)
    for i in range(degree, size):
        tree.following[members[i]] = tree.whole[DISPLACED]
        tree.whole[DISPLACED] = members[i]


@kernel
def degree_of(tree: GNATNodes, node: int, leaf_size: int, degree: int, most: int) -> int:
    """Return how many split points a leaf is to have."""
    up, size = tree.parent[node], tree.size[node]
    share = 1.0 if up < 0 else size * tree.degree[up] / (tree.size[up] - tree.degree[up])
    return min(max(LEAST, min(int(degree * share), most, 2 * size // leaf_size)), size)


@kernel
def choose(
    members: Array, size: int, degree: int, space: Any, between: Array, room: Room, state: Array
) -> None:
    """Put split points in front, and leave their distances to later ones in rows."""
    candidates = min(CANDIDATES * degree, size)
    shuffle(members[:size], candidates, state)
    for chosen in range(degree):
        best, most = chosen, -1.0
        for i in range(chosen, candidates):
            nearest = least_key(between[:chosen], i)
            if nearest > most:
                best, most = i, nearest
        swap_columns(between[:chosen], members, chosen, best)
        query = prepare(space, space, members[chosen], room)
        measure_span(space, members, chosen + 1, candidates, query, between[chosen], room, state)


@kernel
def hang_domain(tree: GNATNodes, node: int, j: int, centre: int, between: Array) -> None:
    """Make an empty leaf for the domain of split point j of a node."""
    child = tree.whole[USED]
    tree.whole[USED] += 1
    tree.parent[child], tree.centre[child], tree.bucket[child] = node, centre, -1
    tree.size[child] = tree.degree[child] = 0
    tree.home[centre] = node
    tree.table[child] = tree.whole[PAIRED]
    tree.whole[PAIRED] += tree.degree[node]
    for k in range(tree.degree[node]):
        pair = tree.table[child] + k
        d = between[min(j, k), max(j, k)]
        tree.band[pair, 0], tree.band[pair, 1] = (d, d) if k != j else (np.inf, -np.inf)
        if tree.box.shape[0] > 0:
            tree.apart[pair] = d
            box = tree.box[pair]
            box[0], box[1], box[2], box[3] = np.inf, -np.inf, np.inf, -np.inf


# --- the index ---------------------------------------------------------------------------------------


class GNAT(DynamicIndex):
    """Geometric near-neighbour access tree: wide nodes, whose split points exclude each other's domains.

    Few distances for a tree, after a build that takes many. Objects can be added; removed ones go on leading
    the way.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    degree : int
        Split points of the root, and of its descendants on average where they are large enough; at least 4.
        Building takes so many distances for each object and level.
    leaf_size : int
        Objects that a leaf may hold, at least 2.
    bounds : {"auto", "triangle", "four-point"}
        What excludes domains and objects: ranges, hyperplanes and distances to split points, or also the half
        planes of two split points, which needs a metric with the four-point property; ``"auto"`` the
        sharpest that the metric allows.
    seed : int
        Where the choice of split points comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Brin, Near neighbor search in large metric spaces, VLDB 1995.

    Uribe, Navarro, Barrientos, Marín, An index data structure for searching in metric space databases,
    ICCS 2006.
    """

    key = "gnat"
    arrays = GNATNodes
    order = BEST_FIRST  # a fifth fewer distances for words and places, in up to twice the time

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        degree: int = 32,
        leaf_size: int = 64,
        bounds: str = "auto",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.degree = whole_number("degree", degree, LEAST)
        self.leaf_size = whole_number("leaf_size", leaf_size, 2)
        self.bounds = one_of("bounds", bounds, ("auto", "triangle", "four-point"))

    def _build(self, construction: Construction) -> tuple[GNATNodes, None]:
        n = construction.count
        boxed = sharpest(self.bounds, self.metric, "four-point") == "four-point"
        tree = GNATNodes(
            parent=np.full(1, -1),
            size=np.full(1, n),
            degree=np.zeros(1, np.int64),
            below=np.zeros(1, np.int64),
            centre=np.zeros(1, np.int64),
            table=np.zeros(1, np.int64),
            bucket=np.zeros(1, np.int64),
            band=np.zeros((1, 2), np.float32),
            apart=np.zeros(1 if boxed else 0),
            box=np.zeros((1 if boxed else 0, 4)),
            home=np.zeros(n, np.int64),
            following=np.append(np.arange(1, n), -1),
            to_centre=np.zeros(n, np.float32),
            to_first=np.zeros(n if boxed else 0, np.float32),
            whole=np.array([1, 0, -1]),
        )
        construction.state[PENDING] = n > self.leaf_size
        tree = self._insert(tree, np.zeros(0, np.int64), construction)
        construction.state[DONE] = n
        return tree, None

    def _insert(self, tree: GNATNodes, slots: Positions, construction: Construction) -> GNATNodes:
        most = MOST * self.degree
        scratch = GNATDesk(
            np.zeros(len(tree.parent), np.int64),
            np.zeros(len(tree.home), np.int64),
            np.zeros((most, CANDIDATES * most)),
            np.zeros(most),
        )

        def step() -> bool:
            nonlocal tree, scratch
            if cramped(tree, scratch):
                nodes, pairs = tree.whole[USED], tree.whole[PAIRED]
                tree = _resized(tree, 2 * nodes + most, 2 * pairs + most * most)
                scratch = scratch._replace(todo=np.resize(scratch.todo, len(tree.parent)))
            return bool(
                insert(
                    tree, construction.space, slots, scratch, self.leaf_size, self.degree,
                    construction.slack, construction.room, construction.state, construction.patience,
                )
            )  # fmt: skip

        construction.run(step)
        return _resized(tree, tree.whole[USED], max(tree.whole[PAIRED], 1))

    def _extended(self, tree: GNATNodes, count: int) -> GNATNodes:
        fields: dict[str, Any] = {
            name: getattr(tree, name).copy() for name in (*_BY_NODE, *_BY_PAIR, "whole")
        }
        for name in ("home", "following", "to_centre", "to_first"):
            old = getattr(tree, name)
            new = 0 if name == "to_first" and not len(tree.box) else count
            fields[name] = np.concatenate([old, np.full(new, -1, old.dtype)])
        return tree._replace(**fields)

    def _anatomy(self) -> Anatomy:
        return Anatomy(self._tree.home, self._tree.parent)

    def _bytes(self, count: int) -> int:
        most = MOST * self.degree
        nodes = 4 * count // self.leaf_size
        pairs = nodes * self.degree + most * most
        return 32 * count + 64 * nodes + 48 * pairs + 8 * CANDIDATES * most * most

    def _desk(self) -> Desk:
        most = int(self._tree.degree.max())
        return make_desk(max(2 * most, self.leaf_size) + 2, len(self._tree.parent), most)


def _resized(tree: GNATNodes, nodes: int, pairs: int) -> GNATNodes:
    """Return the same tree with so many places for nodes and for pairs."""
    fields = {name: (getattr(tree, name), nodes) for name in _BY_NODE}
    fields |= {name: (getattr(tree, name), pairs) for name in _BY_PAIR if len(getattr(tree, name))}
    resized: dict[str, Any] = {}
    for name, (old, count) in fields.items():
        resized[name] = np.zeros((count, *old.shape[1:]), old.dtype)
        kept = min(count, len(old))
        resized[name][:kept] = old[:kept]
    return tree._replace(**resized)
