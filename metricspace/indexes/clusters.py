"""List of clusters (Chávez, Navarro 2000, 2005): ball after ball, each taking objects out of what is left.

Idea
    A centre takes the objects nearest to it into its bucket, the next centre does so among those that are
    left, and so on: as a tree the list is as unbalanced as can be. Where distances hardly differ, as in many
    dimensions, that excludes more than dividing in halves. A query goes down the list and looks into the
    buckets whose balls it reaches. What comes later in the list is outside of each ball before: so the
    search ends where the query ball is wholly inside one.

    The next centre is the object of greatest sum of distances to all centres before.

Growing
    An object goes down the list to the first ball that holds it. There it takes the place of the farthest of
    the bucket, which then goes on from the next cluster: so buckets keep their size, no ball but the last
    grows, and at most one distance is computed for each cluster. What arrives at the end enters the last
    bucket, if there is room, or becomes a centre. With a fixed radius nothing is displaced.

Arrays
    Objects lie in the order of the list, but for those added later. Cluster ``i`` has a centre and
    ``size[i]`` others, a chain that begins with ``first[i]`` and goes on with ``following[slot]``;
    ``to_centre[slot]`` is their distance. As nodes, 2i is the list from cluster i on, and 2i + 1 its bucket.

Invariants
    ``inside[i]`` and ``beyond[i]`` hold the least and greatest distance to centre i of the objects of its
    bucket, and of all that come later in the list; none of these is nearer than any of those.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..anatomy import Anatomy
from ..answer import Answer
from ..arguments import one_of, radii_of, whole_number
from ..bounds import (
    OBJECT_PIVOT,
    PLANAR,
    RANGE_PIVOT,
    Slack,
    object_pivot,
    planar,
    project,
    range_pivot,
    widen,
)
from ..construction import COST, DONE, NODES, Construction
from ..dynamic import DynamicIndex
from ..growing import measure_span
from ..ids import Positions
from ..kernels import Array, kernel
from ..laws import sharpest
from ..partitions import divide_at, swap
from ..pivots import random_below
from ..space import Room, estimate, prepare
from ..traversal import BEST_FIRST, Desk, afford, consider, expand, make_desk, measure, offer_child


class Clusters(NamedTuple):
    """The list."""

    centre: Array
    inside: Array  # (clusters, 2)
    beyond: Array
    size: Array
    first: Array  # −1 where the bucket is empty
    following: Array  # −1 at the end of a bucket
    home: Array  # by slot: the node
    to_centre: Array  # by slot; of a centre 0
    to_before: Array  # by slot: the distance to the centre of the cluster before; of the first cluster 0
    apart: Array  # by cluster: of the centre the same
    bucket_size: int
    radius: float  # of all clusters; −1 if their size is fixed instead
    sharper: bool  # whether the bounds rest on the four-point property


@expand.of(Clusters)
def _(tree: Clusters, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    i = node // 2
    if node % 2 == 1:
        slot = tree.first[i]
        while slot >= 0:
            bound, reason = bound_of(tree, i, slot, desk, answer.slack)
            consider(space, slot, max(bound, desk.bound[0]), reason, query, answer, desk)
            slot = tree.following[slot]
        return
    if not afford(answer, desk):
        return
    d = measure(space, tree.centre[i], query, answer, desk)
    desk.memo[i] = d
    if tree.size[i] > 0:
        bound = range_pivot(d, tree.inside[i, 0], tree.inside[i, 1], answer.slack)
        offer_child(desk, answer, node + 1, bound, RANGE_PIVOT)
    if i + 1 < tree.centre.shape[0]:
        bound = range_pivot(d, tree.beyond[i, 0], tree.beyond[i, 1], answer.slack)
        offer_child(desk, answer, node + 2, bound, RANGE_PIVOT)


@kernel
def bound_of(tree: Clusters, i: int, slot: int, desk: Desk, slack: Slack) -> tuple[float, int]:
    """Return how near an object in bucket i may be to the query."""
    bound, reason = object_pivot(desk.memo[i], tree.to_centre[slot], slack), OBJECT_PIVOT
    if tree.sharper and i > 0:
        own = project(tree.to_before[slot], tree.to_centre[slot], tree.apart[i], slack)
        spot = project(desk.memo[i - 1], desk.memo[i], tree.apart[i], slack)
        by_both = planar(own, spot, slack)
        if by_both > bound:
            bound, reason = by_both, PLANAR
    return bound, reason


# --- building ----------------------------------------------------------------------------------------


@kernel
def list_up(
    tree: Clusters,
    space: Any,
    order: Array,
    keys: Array,
    sums: Array,
    room: Room,
    state: Array,
    patience: int,
) -> bool:
    """Make clusters of ``order[state[DONE]:]`` until all are in one or `patience` distances are computed.

    ``sums`` holds for each object the sum of its distances to the centres so far.
    """
    enough = state[COST] + patience
    n = order.shape[0]
    while state[DONE] < n and state[COST] < enough:
        start = state[DONE]
        centre = start + random_below(state, n) if start == 0 else start
        for place in range(start + 1, n):
            if sums[order[place]] > sums[order[centre]]:
                centre = place
        swap(order, start, centre)
        query = prepare(space, space, order[start], room)
        measure_span(space, order, start + 1, n, query, keys, room, state)
        if room.fault[0] != 0:
            return False
        stop = min(start + 1 + tree.bucket_size, n)
        if tree.radius >= 0.0:
            stop = start + 1
            for place in range(start + 1, n):
                stop += keys[place] <= tree.radius
        divide_at(keys, order, start + 1, n, stop)
        cluster = new_cluster(tree, order[start], state)
        for place in range(stop - 1, start, -1):
            put(tree, cluster, order[place], keys[place])
        for place in range(stop, n):
            sums[order[place]] += keys[place]
            pass_on(tree, cluster, order[place], keys[place])
        state[DONE] = stop
    return state[DONE] == n


@kernel
def new_cluster(tree: Clusters, slot: int, state: Array) -> int:
    """Make an object the centre of a cluster at the end of the list."""
    cluster = state[NODES]
    state[NODES] += 1
    tree.centre[cluster] = slot
    tree.home[slot] = 2 * cluster
    tree.apart[cluster] = tree.to_before[slot]
    return cluster


@kernel
def put(tree: Clusters, cluster: int, slot: int, d: float) -> None:
    """Put an object into a bucket."""
    tree.to_centre[slot] = d
    tree.home[slot] = 2 * cluster + 1
    tree.following[slot] = tree.first[cluster]
    tree.first[cluster] = slot
    tree.size[cluster] += 1
    widen(tree.inside[cluster], d)


@kernel
def pass_on(tree: Clusters, cluster: int, slot: int, d: float) -> None:
    """Send an object on to the clusters after this one."""
    widen(tree.beyond[cluster], d)
    tree.to_before[slot] = d


# --- inserting ---------------------------------------------------------------------------------------


@kernel
def insert(tree: Clusters, space: Any, slots: Array, room: Room, state: Array, patience: int) -> bool:
    """Insert ``slots[state[DONE]:]`` until all are in or `patience` distances are computed."""
    enough = state[COST] + patience
    while state[DONE] < slots.shape[0] and state[COST] < enough:
        moving = slots[state[DONE]]
        query = prepare(space, space, moving, room)
        cluster = 0
        while moving >= 0 and cluster < state[NODES]:
            d = estimate(space, tree.centre[cluster], query)
            state[COST] += 1
            if takes(tree, cluster, d, state):
                put(tree, cluster, moving, d)
                moving = -1
                if tree.radius < 0.0 and tree.size[cluster] > tree.bucket_size:
                    moving = take_farthest(tree, cluster)
                    query = prepare(space, space, moving, room)
                    d = tree.to_centre[moving]
            if moving >= 0:
                pass_on(tree, cluster, moving, d)
                cluster += 1
        if moving >= 0:
            new_cluster(tree, moving, state)
        if room.fault[0] != 0:
            return False
        state[DONE] += 1
    return state[DONE] == slots.shape[0]


@kernel
def takes(tree: Clusters, cluster: int, d: float, state: Array) -> bool:
    """Whether an object at this distance from its centre enters a cluster."""
    if tree.radius >= 0.0:
        return d <= tree.radius
    if cluster + 1 == state[NODES] and tree.size[cluster] < tree.bucket_size:
        return True  # nothing comes later that a greater ball could hold
    return d <= tree.inside[cluster, 1]


@kernel
def take_farthest(tree: Clusters, cluster: int) -> int:
    """Take the object that is farthest from its centre out of a bucket."""
    farthest, before = tree.first[cluster], -1
    slot = farthest
    while tree.following[slot] >= 0:
        after = tree.following[slot]
        if tree.to_centre[after] > tree.to_centre[farthest]:
            farthest, before = after, slot
        slot = after
    if before < 0:
        tree.first[cluster] = tree.following[farthest]
    else:
        tree.following[before] = tree.following[farthest]
    tree.size[cluster] -= 1
    most = 0.0
    slot = tree.first[cluster]
    while slot >= 0:
        most = max(most, tree.to_centre[slot])
        slot = tree.following[slot]
    tree.inside[cluster, 1] = most
    return farthest


# --- the index ---------------------------------------------------------------------------------------


class ListOfClusters(DynamicIndex):
    """List of clusters: few distances where the dimension is high; building is quadratic.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    bucket_size : int
        Objects of a bucket, beside its centre. The smaller it is, the longer the list: building takes
        n² / (2 · bucket_size) distances, and so does inserting.
    radius : float, optional
        The radius of every ball, instead of a size: good where it suits the radii of queries.
    bounds : {"auto", "triangle", "four-point"}
        Which law excludes; by default the four-point property where the metric has it.
    seed : int
        Where the first centre comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Chávez, Navarro, An effective clustering algorithm to index high dimensional metric spaces, SPIRE 2000.
    Chávez, Navarro, A compact space decomposition for effective metric indexing, Pattern Recognition Letters
    26, 2005.
    """

    key = "clusters"
    arrays = Clusters
    order = BEST_FIRST

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        bucket_size: int = 32,
        radius: float | None = None,
        bounds: str = "auto",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.bucket_size = whole_number("bucket_size", bucket_size, 1)
        self.bounds = one_of("bounds", bounds, ("auto", "triangle", "four-point"))
        self.radius = None if radius is None else float(radii_of(radius, 1)[0])

    def _build(self, construction: Construction) -> tuple[Clusters, Positions]:
        n = construction.count
        nothing = Clusters(
            centre=np.zeros(0, np.int64),
            inside=np.zeros((0, 2)),
            beyond=np.zeros((0, 2)),
            size=np.zeros(0, np.int64),
            first=np.zeros(0, np.int64),
            following=np.zeros(0, np.int64),
            home=np.zeros(0, np.int64),
            to_centre=np.zeros(0),
            to_before=np.zeros(0),
            apart=np.zeros(0),
            bucket_size=self.bucket_size,
            radius=-1.0 if self.radius is None else self.radius,
            sharper=sharpest(self.bounds, self.metric, "four-point") == "four-point",
        )
        tree = self._extended(nothing, n)
        order, keys, sums = np.arange(n), np.zeros(n), np.zeros(n)
        construction.run(
            lambda: list_up(
                tree, construction.space, order, keys, sums,
                construction.room, construction.state, construction.patience,
            )
        )  # fmt: skip
        tree, places = _without_spare(tree, construction), np.argsort(order)
        moved: dict[str, Any] = {
            name: np.where(slots < 0, -1, places[slots])
            for name, slots in tree._asdict().items()
            if name in ("centre", "first", "following")
        }
        tree = tree._replace(**moved)
        by_slot: dict[str, Any] = {
            name: getattr(tree, name)[order] for name in ("following", "home", "to_centre", "to_before")
        }
        return tree._replace(**by_slot), order

    def _insert(self, tree: Clusters, slots: Positions, construction: Construction) -> Clusters:
        construction.state[NODES] = len(tree.centre) - len(slots)  # every new object may become a centre
        construction.run(
            lambda: insert(
                tree, construction.space, slots, construction.room, construction.state, construction.patience
            )
        )
        return _without_spare(tree, construction)

    def _extended(self, tree: Clusters, count: int) -> Clusters:
        nothing = np.tile([np.inf, -np.inf], (count, 1))
        return tree._replace(
            centre=np.pad(tree.centre, (0, count)),
            inside=np.concatenate([tree.inside, nothing]),
            beyond=np.concatenate([tree.beyond, nothing]),
            size=np.pad(tree.size, (0, count)),
            first=np.pad(tree.first, (0, count), constant_values=-1),
            following=np.pad(tree.following, (0, count), constant_values=-1),
            home=np.pad(tree.home, (0, count)),
            to_centre=np.pad(tree.to_centre, (0, count)),
            to_before=np.pad(tree.to_before, (0, count)),
            apart=np.pad(tree.apart, (0, count)),
        )

    def _anatomy(self) -> Anatomy:
        nodes = np.arange(2 * len(self._tree.centre))
        return Anatomy(self._tree.home, np.maximum(np.where(nodes % 2 == 1, nodes - 1, nodes - 2), -1))

    def _covering_radii(self) -> npt.NDArray[np.float64]:
        return np.maximum(self._tree.inside[:, 1], 0.0)

    def _bytes(self, count: int) -> int:
        return 120 * count  # while building, when every object may become a centre

    def _desk(self) -> Desk:
        return make_desk(int(self._tree.size.max()) + 3, len(self._tree.centre), 0)


def _without_spare(tree: Clusters, construction: Construction) -> Clusters:
    """Return the list without places for clusters that did not come to be."""
    used = construction.state[NODES]
    names = ("centre", "inside", "beyond", "size", "first", "apart")
    return tree._replace(**{name: getattr(tree, name)[:used].copy() for name in names})
