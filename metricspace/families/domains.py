"""Trees of Dirichlet domains: a node has a few centres, and every object lies below the nearest of them.

Idea
    A query measures the centres of a node. A domain is excluded by the radius of the ball that covers it
    (bisector trees) or by the hyperplanes between its centre and the others (generalised hyperplane
    trees). Under a metric with the four-point property it is excluded by the box that it occupies in the
    half plane of two centres, too: a sharper bound than that of their hyperplane, from the same distances.

    Where domains pass their centre on, it is the first centre of the node below, too: it is not measured
    again, and the covering radii shrink from the root to the leaves.

Arrays
    Objects lie in tree order: node ``i`` occupies slots ``start[i]`` to ``stop[i]``, the centres that it
    keeps to itself first, then the objects of each domain. Its domains are the nodes from ``below[i]`` on,
    one for each centre. A leaf's objects are contiguous.

Invariants
    No object is nearer to another centre of a node than to that of its domain; objects as near to several
    are shared out evenly, so that duplicates do not unbalance the tree. Every object below a node lies within
    its covering radius and in its boxes.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from ..answer import Answer
from ..arguments import one_of, whole_number
from ..bounds import (
    DOUBLE_PIVOT,
    PLANAR,
    RANGE_PIVOT,
    Slack,
    cover,
    double_pivot,
    pivot_ball,
    planar,
    project,
)
from ..construction import DONE, NODES, Construction
from ..growing import divide, grown, hang, measure_span, offer_span, scan_leaf
from ..ids import Positions
from ..index import BaseIndex
from ..kernels import Array, kernel
from ..laws import sharpest
from ..partitions import divide_by_nearest, least_key, swap_columns
from ..pivots import random_below
from ..space import Room, prepare
from ..traversal import Desk, afford, expand, make_desk, measure

SAMPLE = 32  # objects among which the next centre is the farthest: apart from the others, seldom an outlier


class Domains(NamedTuple):
    """The nodes."""

    start: Array
    stop: Array
    parent: Array  # −1 at the root
    below: Array  # the first of its domains; −1 at a leaf
    centre: Array  # slot of the centre whose domain it is; −1 at the root
    radius: Array  # the distance from that centre to the farthest object; empty if hyperplanes serve instead
    apart: Array  # (nodes, centres − 1): from that centre to the others
    box: Array  # (nodes, centres − 1, 4): in the half plane of the two; empty under triangle bounds
    centres: int
    inherits: bool  # whether domains pass their centre on
    relative: float  # the slack that the boxes give way by
    absolute: float


@expand.of(Domains)
def _(tree: Domains, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    first = tree.below[node]
    if first < 0:
        scan_leaf(tree, node, space, query, answer, desk)
        return
    for child in range(first, first + tree.centres):
        if tree.centre[child] < tree.start[node]:  # it is inherited, and was measured on the way
            desk.memo[child] = desk.memo[node]
        elif afford(answer, desk):
            desk.memo[child] = measure(space, tree.centre[child], query, answer, desk)
        else:
            return
    distances = desk.memo[first : first + tree.centres]
    for rank in range(tree.centres):  # the nearest last: among equal bounds it is the first to be visited
        c = ranked(distances, rank)
        bound, reason = bound_of(tree, first + c, c, distances, answer.slack)
        offer_span(tree, first + c, bound, reason, answer, desk)


@kernel
def ranked(distances: Array, rank: int) -> int:
    """Return which distance has so many others before it, from the greatest on."""
    for c in range(distances.shape[0]):
        before = 0
        for other in range(distances.shape[0]):
            farther = distances[other] > distances[c]
            before += farther or (distances[other] == distances[c] and other < c)
        if before == rank:
            return c
    return 0


@kernel
def bound_of(tree: Domains, child: int, c: int, distances: Array, slack: Slack) -> tuple[float, int]:
    """Return how near the objects of domain `c` may be to a query with these distances to the centres."""
    bound, reason = 0.0, DOUBLE_PIVOT
    if tree.radius.shape[0] > 0:
        bound, reason = pivot_ball(distances[c], 0.0, tree.radius[child], slack), RANGE_PIVOT
    else:
        for other in range(tree.centres):
            bound = max(bound, double_pivot(distances[c], distances[other], slack))
    for i in range(tree.box.shape[1]):
        spot = project(distances[c], distances[rival(c, i)], tree.apart[child, i], slack)
        sharper = planar(tree.box[child, i], spot, slack)
        if sharper > bound:
            bound, reason = sharper, PLANAR
    return bound, reason


@kernel
def rival(c: int, i: int) -> int:
    """Return the i-th of the centres other than `c`."""
    return i + 1 if i >= c else i


@divide.of(Domains)
def _(tree: Domains, node: int, space: Any, order: Array, keys: Array, room: Room, state: Array) -> None:
    start, stop = tree.start[node], tree.stop[node]
    inherited = 1 if tree.inherits and tree.parent[node] >= 0 else 0  # whose distances are in the first row
    place = start
    for c in range(inherited, tree.centres):
        swap_columns(keys, order, place, remote_place(keys[:c], place, stop, state))
        query = prepare(space, space, order[place], room)
        place += 1
        measure_span(space, order, place, stop, query, keys[c], room, state)
    first = tree.below[node] = state[NODES]
    for c in range(tree.centres):
        end = divide_by_nearest(keys, order, c, place, stop)
        child = hang(tree, node, place, end, state)
        tree.centre[child] = tree.centre[node] if c < inherited else start + c - inherited
        place = end
    for c in range(tree.centres):
        enclose(tree, first, c, keys)
    state[DONE] += tree.centres - inherited


@kernel
def remote_place(keys: Array, start: int, stop: int, state: Array) -> int:
    """Return the place of the object, of a sample, that is farthest from the centres so far, or any."""
    best, most = start, -1.0
    for _ in range(SAMPLE):
        place = start + random_below(state, stop - start)
        nearest = least_key(keys, place)
        if nearest > most:
            best, most = place, nearest
    return best


@kernel
def enclose(tree: Domains, first: int, c: int, keys: Array) -> None:
    """Note where the objects of domain `c` lie, and leave their distances to its centre in the first row."""
    child, slack = first + c, Slack(tree.relative, tree.absolute)
    for i in range(tree.box.shape[1]):
        other = rival(c, i)
        later, earlier = max(c, other), min(c, other)
        between = keys[earlier, tree.centre[first + later]]
        tree.apart[child, i] = between
        for place in range(tree.start[child], tree.stop[child]):
            cover(tree.box[child, i], project(keys[c, place], keys[other, place], between, slack))
    for place in range(tree.start[child], tree.stop[child]):
        if tree.radius.shape[0] > 0:
            tree.radius[child] = max(tree.radius[child], keys[c, place])
        keys[0, place] = keys[c, place]


def divided(
    construction: Construction, leaf_size: int, centres: int, inherits: bool, covers: bool, boxed: bool
) -> tuple[Domains, Positions]:
    """Return a tree of domains with its order; see `DomainTree` for what tells such trees apart."""
    n = construction.count
    # Each inner node keeps an object at least to itself, and domains may be empty.
    nodes = centres * n + 1
    rivals = centres - 1 if boxed else 0
    tree = Domains(
        start=np.zeros(nodes, np.int64),
        stop=np.zeros(nodes, np.int64),
        parent=np.full(nodes, -1),
        below=np.full(nodes, -1),
        centre=np.full(nodes, -1),
        radius=np.zeros(nodes if covers else 0),
        apart=np.zeros((nodes, rivals)),
        box=np.tile([np.inf, -np.inf], (nodes, rivals, 2)),
        centres=centres,
        inherits=inherits,
        relative=construction.slack.relative,
        absolute=construction.slack.absolute,
    )
    return grown(tree, construction, leaf_size, np.zeros((centres, n)))


class DomainTree(BaseIndex):
    """What trees of Dirichlet domains have in common.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    leaf_size : int
        Objects that a leaf may hold, at least 2.
    bounds : {"auto", "triangle", "four-point"}
        What excludes domains: the rule of the structure's paper alone, or also their boxes in the half
        planes of two centres, which needs a metric with the four-point property; ``"auto"`` the sharpest
        that the metric allows.
    seed : int
        Where the choice of centres comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.
    """

    arrays = Domains
    smaller = "linear"
    centres: ClassVar[int] = 2  # of a node
    inherits: ClassVar[bool] = False  # whether domains pass their centre on
    covers: ClassVar[bool] = True  # whether balls exclude domains, or else hyperplanes

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        leaf_size: int = 16,
        bounds: str = "auto",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.leaf_size = whole_number("leaf_size", leaf_size, 2)
        self.bounds = one_of("bounds", bounds, ("auto", "triangle", "four-point"))

    def _build(self, construction: Construction) -> tuple[Domains, Positions]:
        boxed = sharpest(self.bounds, self.metric, "four-point") == "four-point"
        return divided(construction, self.leaf_size, self.centres, self.inherits, self.covers, boxed)

    def _covering_radii(self) -> npt.NDArray[np.float64]:
        return self._tree.radius[1:]  # the root has no centre

    def _bytes(self, count: int) -> int:
        # While it is built there is room for nodes of single objects.
        node = 48 + 40 * (self.centres - 1)
        return 8 * (self.centres + 1) * count + node * (self.centres * count + 1)

    def _desk(self) -> Desk:
        return make_desk(self.leaf_size + 2 * self.centres, len(self._tree.start), 0)
