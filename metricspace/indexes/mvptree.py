"""Multi vantage point tree (Bozkaya, Özsoyoğlu 1997): two vantage objects to a node, shells within shells.

Idea
    A node has two vantage objects, of which the second is the farthest from the first. The others are divided
    into parts of equal size by their distances to the first, and each of these by those to the second: for
    two distances a query chooses among arity² children, where a vantage point tree takes arity + 1 distances.
    A leaf has two vantage objects as well. It keeps the distances of its objects to them, and those to the
    vantage objects of their highest ancestors, and filters with all of them.

    Under the four-point property a child, and an object of a leaf, is also bounded in the half plane of
    the two vantage objects of a node.

Arrays
    Objects lie in tree order: node ``i`` occupies slots ``start[i]`` to ``stop[i]``, its vantage objects
    first, then its children, the nodes from ``first[i]`` to ``last[i]``, or the objects of a leaf. What
    consists of no more than two objects has no vantage objects.

Invariants
    ``band[i]`` holds the least and greatest distance of a node's objects to its parent's first, then to
    its second vantage object, and ``box[i]`` where they lie in the half plane of the two. ``own[j, slot]`` is
    the distance of an object to vantage object j of its leaf, ``path[2 level + j, slot]`` that to vantage
    object j of its ancestor at that level. ``desk.memo`` holds for each node the query's distances to its
    vantage objects, and where they put the query.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..answer import EDGE, Answer
from ..arguments import one_of, whole_number
from ..bounds import (
    OBJECT_PIVOT,
    PLANAR,
    RANGE_PIVOT,
    Slack,
    cover,
    planar,
    project,
    raise_bounds,
    range_pivot,
    widen,
)
from ..construction import DONE, NODES, Construction
from ..growing import divide, grown, hang, measure_span, offer_span
from ..ids import Positions
from ..index import BaseIndex
from ..kernels import Array, kernel
from ..laws import sharpest
from ..partitions import divide_evenly, part_at, swap
from ..pivots import widest_spread
from ..space import Room, prepare
from ..traversal import (
    BEST_FIRST,
    ORDER,
    Desk,
    afford,
    consider,
    expand,
    make_desk,
    measure,
    offer_child,
    take_back,
)

CANDIDATES = 8  # first vantage objects tried, and objects that each is tried on
SAMPLE = 24
NOTED = 6  # floats in the memo of a node: two distances, and where they put the query


class MVPNodes(NamedTuple):
    """The nodes, and the distances kept for each object."""

    start: Array
    stop: Array
    parent: Array  # −1 at the root
    level: Array
    first: Array  # the first child; −1 at a leaf
    last: Array  # the node after the last child
    band: Array  # (nodes, 4)
    apart: Array  # between the two vantage objects
    box: Array  # (nodes, 4); none under triangle bounds
    own: Array  # (2, objects) float32
    path: Array  # (2 paths, objects) float32
    arity: int
    leaf_size: int
    relative: float  # the slack that the boxes give way by
    absolute: float


@expand.of(MVPNodes)
def _(tree: MVPNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if tree.first[node] < 0:
        filter_leaf(tree, node, space, query, answer, desk)
        return
    if not measure_both(tree, node, space, query, answer, desk):
        return
    noted = desk.memo[NOTED * node : NOTED * (node + 1)]
    for child in range(tree.first[node], tree.last[node]):
        band = tree.band[child]
        bound, reason = range_pivot(noted[0], band[0], band[1], answer.slack), RANGE_PIVOT
        bound = max(bound, range_pivot(noted[1], band[2], band[3], answer.slack))
        if tree.box.shape[0] > 0:
            sharper = planar(tree.box[child], noted[2:], answer.slack)
            if sharper > bound:
                bound, reason = sharper, PLANAR
        offer_span(tree, child, bound, reason, answer, desk)


@kernel
def measure_both(tree: MVPNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> bool:
    """Measure the vantage objects of a node, unless the budget forbids it, and note where the query lies."""
    noted = desk.memo[NOTED * node : NOTED * (node + 1)]
    for j in range(2):
        if not afford(answer, desk):
            return False
        noted[j] = measure(space, tree.start[node] + j, query, answer, desk)
    if tree.box.shape[0] > 0:
        noted[2], noted[3], noted[4], noted[5] = project(noted[0], noted[1], tree.apart[node], answer.slack)
    return True


@kernel
def filter_leaf(tree: MVPNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    """Measure the objects of a leaf that no vantage object excludes, neither an ancestor's nor its own."""
    start, stop = tree.start[node], tree.stop[node]
    bounds = desk.pool_keys[: stop - start]
    bounds[:] = desk.bound[0]
    ancestor = tree.parent[node]
    while ancestor >= 0:
        row = 2 * tree.level[ancestor]
        if row < tree.path.shape[0]:
            noted = desk.memo[NOTED * ancestor : NOTED * (ancestor + 1)]
            raise_bounds(bounds, tree.path[row, start:stop], noted[0], answer.slack)
            raise_bounds(bounds, tree.path[row + 1, start:stop], noted[1], answer.slack)
        ancestor = tree.parent[ancestor]
    nearest = np.inf
    for bound in bounds:
        nearest = min(nearest, bound)
    if desk.wholes[ORDER] == BEST_FIRST and nearest > desk.bound[0]:
        # Its turn comes when nothing nearer is left; then its vantage objects are measured.
        take_back(desk)
        offer_child(desk, answer, node, nearest, OBJECT_PIVOT)
        return
    measured = stop - start > 2 and nearest <= answer.reals[EDGE]
    if measured:
        if not measure_both(tree, node, space, query, answer, desk):
            return
        noted = desk.memo[NOTED * node : NOTED * (node + 1)]
        raise_bounds(bounds[2:], tree.own[0, start + 2 : stop], noted[0], answer.slack)
        raise_bounds(bounds[2:], tree.own[1, start + 2 : stop], noted[1], answer.slack)
    for slot in range(start + 2 * measured, stop):
        bound, reason = bounds[slot - start], OBJECT_PIVOT
        if tree.box.shape[0] > 0 and bound <= answer.reals[EDGE]:
            sharper = planar_bound(tree, node, slot, measured, answer, desk)
            if sharper > bound:
                bound, reason = sharper, PLANAR
        consider(space, slot, bound, reason, query, answer, desk)


@kernel
def planar_bound(tree: MVPNodes, node: int, slot: int, measured: bool, answer: Answer, desk: Desk) -> float:
    """Bound the distance to an object of a leaf in the half planes of pairs of vantage objects."""
    bound = 0.0
    if measured:
        bound = planar_by(tree, node, tree.own, 0, slot, answer, desk)
    ancestor = tree.parent[node]
    while ancestor >= 0 and bound <= answer.reals[EDGE]:
        row = 2 * tree.level[ancestor]
        if row < tree.path.shape[0]:
            bound = max(bound, planar_by(tree, ancestor, tree.path, row, slot, answer, desk))
        ancestor = tree.parent[ancestor]
    return bound


@kernel
def planar_by(
    tree: MVPNodes, node: int, kept: Array, row: int, slot: int, answer: Answer, desk: Desk
) -> float:
    """Bound the distance to an object in the half plane of one node's vantage objects."""
    to_first, to_second = np.float64(kept[row, slot]), np.float64(kept[row + 1, slot])
    spot = project(to_first, to_second, tree.apart[node], answer.slack)
    return planar(desk.memo[NOTED * node + 2 : NOTED * (node + 1)], spot, answer.slack)


@divide.of(MVPNodes)
def _(tree: MVPNodes, node: int, space: Any, order: Array, keys: Array, room: Room, state: Array) -> None:
    start, stop = tree.start[node], tree.stop[node]
    # Where the objects are few, trying candidates would cost more than it saves.
    candidates = min(CANDIDATES, (stop - start) // 64)
    swap(order, start, widest_spread(space, order, start, stop, candidates, SAMPLE, room, state))
    query = prepare(space, space, order[start], room)
    measure_span(space, order, start + 1, stop, query, keys, room, state)
    far = start + 1
    for place in range(start + 2, stop):
        if keys[place] > keys[far]:
            far = place
    swap(order, start + 1, far)
    swap(keys, start + 1, far)
    tree.apart[node] = keys[start + 1]
    start += 2
    is_leaf = stop - start <= tree.leaf_size
    parts = 1 if is_leaf else parts_of(tree, stop - start)
    divide_evenly(keys, order, start, stop, parts)
    keep(tree.own, 0, order, start, stop, keys)
    query = prepare(space, space, order[tree.start[node] + 1], room)
    measure_span(space, order, start, stop, query, keys, room, state)
    keep(tree.own, 1, order, start, stop, keys)
    state[DONE] += stop - start + 2 if is_leaf else 2
    if is_leaf:
        return
    tree.first[node] = state[NODES]
    for i in range(parts):
        low, high = part_at(start, stop, i, parts), part_at(start, stop, i + 1, parts)
        divide_evenly(keys, order, low, high, parts)
        for j in range(parts):
            hang_part(
                tree, node, order, part_at(low, high, j, parts), part_at(low, high, j + 1, parts), state
            )
    tree.last[node] = state[NODES]


@kernel
def parts_of(tree: MVPNodes, count: int) -> int:
    """Return into how many parts so many objects are divided, twice: fewer where leaves would be small."""
    parts = 2
    while parts < tree.arity and parts * parts * tree.leaf_size < count:
        parts += 1
    return parts


@kernel
def keep(kept: Array, row: int, order: Array, start: int, stop: int, keys: Array) -> None:
    """Keep the distances of a span of objects in a row."""
    for place in range(start, stop):
        kept[row, order[place]] = keys[place]


@kernel
def hang_part(tree: MVPNodes, node: int, order: Array, start: int, stop: int, state: Array) -> None:
    """Make a child of a part, unless it is empty, and note where its objects lie."""
    if start == stop:
        return
    child = hang(tree, node, start, stop, state)
    tree.level[child] = tree.level[node] + 1
    row = 2 * tree.level[node]
    slack = Slack(tree.relative, tree.absolute)
    for place in range(start, stop):
        to_first, to_second = tree.own[0, order[place]], tree.own[1, order[place]]
        if row < tree.path.shape[0]:
            tree.path[row, order[place]], tree.path[row + 1, order[place]] = to_first, to_second
        widen(tree.band[child, :2], np.float64(to_first))
        widen(tree.band[child, 2:], np.float64(to_second))
        if tree.box.shape[0] > 0:
            spot = project(np.float64(to_first), np.float64(to_second), tree.apart[node], slack)
            cover(tree.box[child], spot)


class MVPTree(BaseIndex):
    """Multi vantage point tree: few distances, for building and for queries, at the price of stored ones.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    arity : int
        Parts by each of the two vantage objects of a node, at least 2; a node has up to arity² children.
    leaf_size : int
        Objects that a leaf may hold beside its vantage objects, at least 1. Large leaves suit this tree:
        objects are filtered, vantage objects are measured.
    paths : int
        The highest ancestors whose distances, two each, filter the objects of a leaf.
    bounds : str
        ``"triangle"``, ``"four-point"``, or ``"auto"``, the sharpest that the metric allows.
    seed : int
        Where the choice of vantage objects comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Bozkaya, Özsoyoğlu, Distance-based indexing for high-dimensional metric spaces, SIGMOD 1997.

    Bozkaya, Özsoyoğlu, Indexing large metric spaces for similarity search queries, ACM Transactions on
    Database Systems 24, 1999.
    """

    key = "mvptree"
    arrays = MVPNodes

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        arity: int = 4,
        leaf_size: int = 100,
        paths: int = 3,
        bounds: str = "auto",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.arity = whole_number("arity", arity, 2)
        self.leaf_size = whole_number("leaf_size", leaf_size, 1)
        self.paths = whole_number("paths", paths, 0)
        self.bounds = one_of("bounds", bounds, ("auto", "triangle", "four-point"))

    def _build(self, construction: Construction) -> tuple[MVPNodes, Positions]:
        n = construction.count
        # A division by `parts_of` leaves a quarter of leaf_size to each child.
        nodes = min(2 * n // max(self.leaf_size // 4, 1), n) + 1
        start, stop, level = np.zeros((3, nodes), np.int64)
        parent, first, last = np.full((3, nodes), -1)
        boxed = sharpest(self.bounds, self.metric, "four-point") == "four-point"
        own, path = (np.zeros((rows, n), np.float32) for rows in (2, 2 * self.paths))
        tree = MVPNodes(
            start,
            stop,
            parent,
            level,
            first,
            last,
            band=np.tile([np.inf, -np.inf], (nodes, 2)),
            apart=np.zeros(nodes),
            box=np.tile([np.inf, -np.inf, np.inf, -np.inf], (nodes if boxed else 0, 1)),
            own=own,
            path=path,
            arity=self.arity,
            leaf_size=self.leaf_size,
            relative=construction.slack.relative,
            absolute=construction.slack.absolute,
        )
        tree, order = grown(tree, construction, 2)
        own, path = (np.ascontiguousarray(kept[:, order]) for kept in (own, path))
        return tree._replace(own=own, path=path), order

    def _bytes(self, count: int) -> int:
        return count * (8 * self.paths + 16) + 120 * (4 * count // self.leaf_size + 1)

    def _desk(self) -> Desk:
        fanout = max(self.leaf_size + 2, self.arity**2) + 2
        return make_desk(fanout, NOTED * len(self._tree.start), self.leaf_size + 2)
