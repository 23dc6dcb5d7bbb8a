"""Trees of vantage objects: ball partitioning, and leaves filtered by the path (Yianilos 1993; Uhlmann 1991).

Idea
    A node has a vantage object and divides the others by their distances to it into parts of equal size.
    Between two parts an excluded middle may be left out, which another tree takes. A query measures the
    vantage object, and visits a part only if the ball about the query reaches the band of distances that
    the part occupies.

    Under the four-point property a part, and an object of a leaf, is also bounded in the half plane of two
    vantage objects in a row: the query's distances to both are known, and so is that between them.

Arrays
    Objects lie in tree order: node ``i`` occupies slots ``start[i]`` to ``stop[i]``, its vantage object
    first, then its parts from the nearest on, which are the nodes from ``first[i]`` to ``last[i]``. A leaf's
    objects are contiguous, so a scan of one runs through memory.

Invariants
    ``band[i]`` holds the least and greatest distance of a node's objects to its parent's vantage object, and
    ``box[i]`` where they lie in the half plane of that object and the one above it; both cover what is left
    out below the node as well.
    ``path[level % paths, slot]`` is the distance of an object to the vantage object of its ancestor at that
    level, for the last `paths` levels: a leaf filters its objects with distances that the query has measured
    on its way. ``desk.memo`` holds the query's distance to each node's vantage object, and from the number of
    nodes on, four floats a node, where that and the distance to the one above put the query.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..answer import EDGE, Answer
from ..arguments import one_of, whole_number
from ..bounds import (
    OBJECT_PIVOT,
    PLANAR,
    RANGE_PIVOT,
    SHRUNK,
    Slack,
    cover,
    planar,
    project,
    raise_bounds,
    range_pivot,
    widen,
)
from ..construction import DONE, NODES, Construction
from ..growing import divide, grown, hang, inhabit, measure_span, offer_span
from ..ids import Positions
from ..index import BaseIndex
from ..kernels import Array, kernel
from ..partitions import leave_out, part_at, swap
from ..pivots import widest_spread
from ..space import Room, prepare
from ..traversal import Desk, afford, begin, consider, expand, make_desk, measure

CANDIDATES = 8  # vantage objects tried, and objects that each is tried on; more gain under 2% of distances
SAMPLE = 24

Spot = tuple[float, float, float, float]  # see `project`
NOWHERE: Spot = (np.inf, -np.inf, np.inf, -np.inf)


class VantageNodes(NamedTuple):
    """The nodes, and the distances kept for each object."""

    start: Array
    stop: Array
    parent: Array  # −1 at a root
    level: Array
    first: Array  # the first part; −1 at a leaf
    last: Array  # the node after the last part
    band: Array  # (nodes, 2)
    apart: Array  # from the vantage object to the parent's; 0 at a root
    box: Array  # (nodes, 4); none under triangle bounds
    path: Array  # (paths, objects) float32
    roots: Array  # one for each tree
    arity: int  # parts of a node
    middle: float  # the greatest share of objects that is left out between two parts
    width: float  # the greatest width of what is left out
    relative: float  # the slack that the boxes give way by
    absolute: float


@begin.of(VantageNodes)
def _(tree: VantageNodes, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    for i in range(tree.roots.shape[0] - 1, -1, -1):  # the first, which is the largest, on top
        offer_span(tree, tree.roots[i], 0.0, SHRUNK, answer, desk)


@expand.of(VantageNodes)
def _(tree: VantageNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if tree.first[node] < 0:
        filter_leaf(tree, node, space, query, answer, desk)
        return
    if not afford(answer, desk):
        return
    d = measure(space, tree.start[node], query, answer, desk)
    desk.memo[node] = d
    boxed = tree.box.shape[0] > 0 and tree.parent[node] >= 0
    spot = project_query(tree, node, answer, desk) if boxed else NOWHERE
    for part in range(tree.first[node], tree.last[node]):
        bound, reason = range_pivot(d, tree.band[part, 0], tree.band[part, 1], answer.slack), RANGE_PIVOT
        if boxed:
            sharper = planar(tree.box[part], spot, answer.slack)
            if sharper > bound:
                bound, reason = sharper, PLANAR
        offer_span(tree, part, bound, reason, answer, desk)


@kernel
def project_query(tree: VantageNodes, node: int, answer: Answer, desk: Desk) -> Spot:
    """Note where the query lies in the half plane of a node's vantage object and its parent's."""
    spot = project(desk.memo[node], desk.memo[tree.parent[node]], tree.apart[node], answer.slack)
    place = tree.start.shape[0] + 4 * node
    desk.memo[place], desk.memo[place + 1], desk.memo[place + 2], desk.memo[place + 3] = spot
    return spot


@kernel
def filter_leaf(tree: VantageNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    """Measure the objects of a leaf that no ancestor's vantage object excludes."""
    start, stop = tree.start[node], tree.stop[node]
    paths = tree.path.shape[0]
    bounds = desk.pool_keys
    bounds[: stop - start] = desk.bound[0]
    ancestor = tree.parent[node]
    for level in range(tree.level[node] - 1, max(tree.level[node] - paths, 0) - 1, -1):
        raise_bounds(bounds, tree.path[level % paths, start:stop], desk.memo[ancestor], answer.slack)
        ancestor = tree.parent[ancestor]
    if tree.box.shape[0] > 0:
        consider_in_planes(tree, node, bounds, space, query, answer, desk)
        return
    for slot in range(start, stop):  # one loop for both took triangle bounds a few percent longer
        consider(space, slot, bounds[slot - start], OBJECT_PIVOT, query, answer, desk)


@kernel
def consider_in_planes(
    tree: VantageNodes, node: int, bounds: Array, space: Any, query: Any, answer: Answer, desk: Desk
) -> None:
    """Measure the objects of a leaf whose bounds do not exclude them, nor those in the half planes."""
    for slot in range(tree.start[node], tree.stop[node]):
        bound, reason = bounds[slot - tree.start[node]], OBJECT_PIVOT
        if bound <= answer.reals[EDGE]:
            sharper = planar_bound(tree, node, slot, answer, desk)
            if sharper > bound:
                bound, reason = sharper, PLANAR
        consider(space, slot, bound, reason, query, answer, desk)


@kernel
def planar_bound(tree: VantageNodes, node: int, slot: int, answer: Answer, desk: Desk) -> float:
    """Bound the distance to an object of a leaf in the half planes of each two ancestors in a row."""
    paths, level = tree.path.shape[0], tree.level[node]
    bound = 0.0
    ancestor = tree.parent[node]
    for above in range(level - 2, max(level - paths, 0) - 1, -1):
        to_near, to_far = tree.path[(above + 1) % paths, slot], tree.path[above % paths, slot]
        place = tree.start.shape[0] + 4 * ancestor
        spot = project(np.float64(to_near), np.float64(to_far), tree.apart[ancestor], answer.slack)
        bound = max(bound, planar(desk.memo[place : place + 4], spot, answer.slack))
        if bound > answer.reals[EDGE]:
            break
        ancestor = tree.parent[ancestor]
    return bound


@divide.of(VantageNodes)
def _(tree: VantageNodes, node: int, space: Any, order: Array, keys: Array, room: Room, state: Array) -> None:
    start, stop = tree.start[node], tree.stop[node]
    # Where the objects are few, trying candidates would cost more than it saves.
    candidates = min(CANDIDATES, (stop - start) // 64)
    swap(order, start, widest_spread(space, order, start, stop, candidates, SAMPLE, room, state))
    query = prepare(space, space, order[start], room)
    measure_span(space, order, start + 1, stop, query, keys, room, state)
    if tree.parent[node] >= 0 and tree.path.shape[0] > 0:
        tree.apart[node] = tree.path[(tree.level[node] - 1) % tree.path.shape[0], order[start]]
    tree.first[node] = state[NODES]
    after = start + 1
    for part in range(1, tree.arity):
        cut = part_at(start + 1, stop, part, tree.arity)
        low, high = leave_out(keys, order, after, stop, cut, tree.middle, tree.width)
        hang_part(tree, node, after, low, order, keys, state)
        after = high
    hang_part(tree, node, after, stop, order, keys, state)
    tree.last[node] = state[NODES]
    state[DONE] += 1


@kernel
def hang_part(
    tree: VantageNodes, node: int, start: int, stop: int, order: Array, keys: Array, state: Array
) -> None:
    """Make a child of a part, unless it is empty, and note where its objects lie."""
    if start == stop:
        return
    part = hang(tree, node, start, stop, state)
    level = tree.level[node]
    tree.level[part] = level + 1
    for place in range(start, stop):
        widen(tree.band[part], keys[place])
    paths = tree.path.shape[0]
    if tree.box.shape[0] > 0 and level > 0:
        slack = Slack(tree.relative, tree.absolute)
        for place in range(start, stop):
            before = np.float64(tree.path[(level - 1) % paths, order[place]])
            cover(tree.box[part], project(keys[place], before, tree.apart[node], slack))
    if paths > 0:
        for place in range(start, stop):
            tree.path[level % paths, order[place]] = keys[place]


class VantageIndex(BaseIndex):
    """What indexes of vantage objects have in common."""

    arrays = VantageNodes
    smaller = "linear"

    def __init__(
        self, metric: Any, *, leaf_size: int, paths: int, bounds: str, seed: int, max_bytes: int | None
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.leaf_size = whole_number("leaf_size", leaf_size, 1)
        self.paths = whole_number("paths", paths, 0)
        self.bounds = one_of("bounds", bounds, ("auto", "triangle", "four-point"))

    def _grown(
        self, construction: Construction, bounds: str, arity: int = 2, middle: float = 0.0, width: float = 0.0
    ) -> tuple[VantageNodes, Positions]:
        """Return one tree, or, if objects are left out of it, as many as it takes."""
        n, boxed = construction.count, bounds == "four-point"
        least = max(int(self.leaf_size * (1 - middle) - 1) // arity, 1)  # objects of a part that has any
        path = np.zeros((max(self.paths, int(boxed)), n), np.float32)  # a box needs the level above it
        trees: list[VantageNodes] = []
        orders: list[Positions] = []
        left, nodes, slots = np.arange(n), 0, 0
        while len(left):
            own = per_node(min(2 * len(left) // least, len(left)) + 1, boxed)
            root = np.zeros(1, np.int64)
            tree = VantageNodes(**own, path=path, roots=root, arity=arity, middle=middle, width=width,
                                **construction.slack._asdict())  # fmt: skip
            tree, order = grown(tree, construction, self.leaf_size, objects=left)
            stays = are_in_a_tree(tree, len(order))
            places = slots + np.concatenate([[0], np.cumsum(stays)])
            tree.start[:], tree.stop[:] = places[tree.start], places[tree.stop]
            for links in (tree.parent, tree.first, tree.last, tree.roots):
                links[links >= 0] += nodes
            trees.append(tree)
            orders.append(order[stays])
            left = order[~stays]
            nodes, slots = nodes + len(tree.start), slots + len(orders[-1])
        order = np.concatenate(orders)
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(one, name) for one in trees]) for name in (*own, "roots")
        }
        return tree._replace(**joined, path=np.ascontiguousarray(path[: self.paths, order])), order

    def _bytes(self, count: int) -> int:
        return count * (4 * self.paths + 8) + 104 * (4 * count // self.leaf_size + 1)

    def _desk(self) -> Desk:
        tree = self._tree
        fanout = max(self.leaf_size, tree.arity, len(tree.roots)) + 2
        noted = 5 if len(tree.box) else 1
        return make_desk(fanout, noted * len(tree.start), self.leaf_size)


def per_node(count: int, boxed: bool) -> dict[str, Any]:
    """Return the arrays with a row for each of so many nodes."""
    start, stop, level = np.zeros((3, count), np.int64)
    parent, first, last = np.full((3, count), -1)
    return {
        "start": start,
        "stop": stop,
        "parent": parent,
        "level": level,
        "first": first,
        "last": last,
        "band": np.tile(NOWHERE[:2], (count, 1)),
        "apart": np.zeros(count),
        "box": np.tile(NOWHERE, (count if boxed else 0, 1)),
    }


def are_in_a_tree(tree: VantageNodes, count: int) -> npt.NDArray[np.bool_]:
    """Return which of its places hold objects of a tree, rather than objects left out between its parts."""
    homes = np.zeros(count, np.int64)
    inhabit(tree.start, tree.stop, homes)
    return (tree.first[homes] < 0) | (tree.start[homes] == np.arange(count))
