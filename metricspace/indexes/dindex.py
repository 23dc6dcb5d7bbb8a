"""D-index (Gennaro, Savino, Zezula 2001; Dohnal, Gennaro, Savino, Zezula 2003): similarity hashing by levels.

Idea
    A ρ-split function divides by a ball: objects well inside go to one zone, objects well outside to the
    other, and those about as far from its pivot as the median, by ρ more or less, are excluded. Several of
    them hash an object to one of 2^splits separable buckets; what any of them excludes goes on to the next
    level, which has pivots of its own. What the last level excludes makes the exclusion bucket.

    Two separable buckets of a level are more than 2ρ apart. So a ball of a radius up to ρ reaches at most
    one of them. Where it lies wholly in a zone of every split the search ends; where it lies wholly in what
    one of them excludes, no bucket of the level is looked at. Larger balls reach more buckets. The objects
    of a bucket are filtered by their distances to all pivots on the way to it.

Arrays
    Level ``l`` is node ``l · (2^splits + 1)``, its buckets are the nodes that follow, and the node after all
    levels is the exclusion bucket. ``band[i, j]`` holds the least and greatest distance to pivot j of the
    level above node i: of all objects in a bucket, but of those that go on to a level only where split j is
    the first to exclude them. A bucket is a chain, ``first[i]`` and then ``following[slot]``.

Invariants
    Every object is in one bucket, or is a pivot at its level. An object of a separable bucket lies in its
    zone of every split; one of a later level was excluded by a split of each level before.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..anatomy import Anatomy
from ..answer import EDGE, Answer
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
from ..construction import COST, DONE, Construction
from ..dynamic import DynamicIndex
from ..errors import InvalidArgument
from ..ids import Positions
from ..kernels import Array, kernel
from ..laws import sharpest
from ..pivots import Sample, incremental, measured
from ..space import Room, estimate, prepare
from ..traversal import BEST_FIRST, Desk, afford, consider, expand, make_desk, measure, offer_child

SAMPLE = 128  # objects among which the pivots of a level are chosen
FEW = 8  # objects a pivot: for so few a level would cost about as much as it saves
EXCLUDED = 0.5  # share of objects that the first level excludes, if ρ is not given
MOST_SPLITS = 16


class HashLevels(NamedTuple):
    """The levels, their buckets, and the distances kept for each object."""

    pivots: Array  # (levels, splits)
    low: Array  # (levels, splits): up to this distance objects are within
    high: Array  # beyond this distance objects are without
    band: Array  # (nodes, splits, 2)
    first: Array  # by node: a slot, −1 if the bucket is empty
    following: Array  # by slot: the next of the same bucket, −1 at its end
    home: Array  # by slot: the bucket; of a pivot its level
    to_pivots: Array  # (objects, levels · splits) float32: as far as the object's own level
    apart: Array  # distances of pivots that follow one another; empty without the four-point property
    rho: float  # as given, or as chosen
    width: int  # nodes of a level: itself and its buckets


@kernel
def is_bucket(tree: HashLevels, node: int) -> bool:
    """Whether a node holds objects, and is not a level."""
    return node % tree.width != 0 or node // tree.width == tree.pivots.shape[0]


# --- searching ---------------------------------------------------------------------------------------


@expand.of(HashLevels)
def _(tree: HashLevels, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    splits = tree.pivots.shape[1]
    level = node // tree.width
    if is_bucket(tree, node):
        known = splits * min(level + 1, tree.pivots.shape[0])
        filter_bucket(tree, node, known, space, query, answer, desk)
        return
    to_query = desk.memo[level * splits : (level + 1) * splits]
    for j in range(splits):
        if not afford(answer, desk):
            return
        to_query[j] = measure(space, tree.pivots[level, j], query, answer, desk)
    for p in range(max(level * splits, 1), min((level + 1) * splits, tree.apart.shape[0] + 1)):
        spot = project(desk.memo[p - 1], desk.memo[p], tree.apart[p - 1], answer.slack)
        for i in range(4):
            desk.memo[tree.pivots.size + 4 * p + i] = spot[i]
    for bucket in range(node + 1, node + tree.width):
        if tree.first[bucket] >= 0:
            bound = 0.0
            for j in range(splits):
                band = tree.band[bucket, j]
                bound = max(bound, range_pivot(to_query[j], band[0], band[1], answer.slack))
            offer_child(desk, answer, bucket, bound, RANGE_PIVOT)
    rest = node + tree.width
    if not is_bucket(tree, rest) or tree.first[rest] >= 0:
        bound = np.inf
        for j in range(splits):
            band = tree.band[rest, j]
            if band[0] <= band[1]:
                bound = min(bound, range_pivot(to_query[j], band[0], band[1], answer.slack))
        offer_child(desk, answer, rest, bound, RANGE_PIVOT)


@kernel
def filter_bucket(
    tree: HashLevels, node: int, known: int, space: Any, query: Any, answer: Answer, desk: Desk
) -> None:
    """Measure the objects of a bucket that no pivot on the way to it excludes."""
    slot = tree.first[node]
    while slot >= 0:
        bound, reason = bound_of(tree, slot, known, answer.reals[EDGE], desk, answer.slack)
        consider(space, slot, max(bound, desk.bound[0]), reason, query, answer, desk)
        slot = tree.following[slot]


@kernel
def bound_of(
    tree: HashLevels, slot: int, known: int, enough: float, desk: Desk, slack: Slack
) -> tuple[float, int]:
    """Return how near an object may be by its first `known` pivots; a bound beyond `enough` will do."""
    bound, reason, kept = 0.0, OBJECT_PIVOT, tree.to_pivots[slot]
    for p in range(known):
        bound = max(bound, object_pivot(desk.memo[p], np.float64(kept[p]), slack))
    for p in range(1, min(known, tree.apart.shape[0] + 1)):
        if bound > enough:
            break
        own = project(np.float64(kept[p - 1]), np.float64(kept[p]), tree.apart[p - 1], slack)
        by_both = planar(desk.memo[tree.pivots.size + 4 * p :], own, slack)
        if by_both > bound:
            bound, reason = by_both, PLANAR
    return bound, reason


# --- hashing -----------------------------------------------------------------------------------------


@kernel
def settle_at(tree: HashLevels, slot: int, level: int) -> int:
    """Return the node to which a level sends an object: one of its buckets, or the next level."""
    splits = tree.pivots.shape[1]
    node = level * tree.width
    kept = tree.to_pivots[slot, level * splits : (level + 1) * splits]
    bucket = node + 1
    for j in range(splits):
        d = np.float64(kept[j])
        if d > tree.high[level, j]:
            bucket += 1 << j
        elif d > tree.low[level, j]:
            widen(tree.band[node + tree.width, j], d)
            return node + tree.width
    for j in range(splits):
        widen(tree.band[bucket, j], np.float64(kept[j]))
    return bucket


@kernel
def settle_all(tree: HashLevels, slots: Array, level: int) -> None:
    """Send objects of a level to their nodes."""
    for slot in slots:
        tree.home[slot] = settle_at(tree, slot, level)


@kernel
def link(tree: HashLevels, slot: int) -> None:
    """Put an object in front of the chain of its bucket."""
    node = tree.home[slot]
    if is_bucket(tree, node):
        tree.following[slot] = tree.first[node]
        tree.first[node] = slot


@kernel
def link_all(tree: HashLevels) -> None:
    """Make the chains of all buckets, the lesser slot before the greater."""
    for slot in range(tree.home.shape[0] - 1, -1, -1):
        link(tree, slot)


@kernel
def insert(tree: HashLevels, space: Any, slots: Array, room: Room, state: Array, patience: int) -> bool:
    """Insert ``slots[state[DONE]:]`` until all are in or `patience` distances are computed."""
    enough = state[COST] + patience
    splits = tree.pivots.shape[1]
    while state[DONE] < slots.shape[0] and state[COST] < enough:
        slot = slots[state[DONE]]
        query = prepare(space, space, slot, room)
        node = level = 0
        while not is_bucket(tree, node):
            for j in range(splits):
                tree.to_pivots[slot, level * splits + j] = estimate(space, tree.pivots[level, j], query)
            state[COST] += splits
            node = settle_at(tree, slot, level)
            level += 1
        if room.fault[0] != 0:
            return False
        tree.home[slot] = node
        link(tree, slot)
        state[DONE] += 1
    return state[DONE] == slots.shape[0]


# --- the index ---------------------------------------------------------------------------------------


def excluding(apart: npt.NDArray[np.float64]) -> float:
    """Return the ρ that excludes a share of objects, of which it is known how near to a median they are.

    Where so many lie on one, as distances that are whole numbers do, it is the next greater one.
    """
    least = apart[apart > 0].min(initial=apart.max())
    return max(float(np.quantile(apart, EXCLUDED)), float(least))


class DIndex(DynamicIndex):
    """D-index: similarity hashing, made for range queries of a small radius.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    rho : float, optional
        Up to this radius a query looks into at most one separable bucket of a level. The greater it is, the
        more objects are excluded and go to deeper levels. By default the first level excludes half of the
        objects; see ``separation``.
    levels : int
        The most levels; there are fewer when few objects are left.
    splits : int
        Split functions of a level, each with its pivot, of which 2^splits buckets come; at most 16.
    bounds : {"auto", "triangle", "four-point"}
        Which law excludes objects of a bucket; by default the four-point property where the metric has it.
    seed : int
        Where the choice of pivots comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Gennaro, Savino, Zezula, Similarity search in metric databases through hashing, ACM Multimedia Workshops
    2001.
    Dohnal, Gennaro, Savino, Zezula, D-Index: distance searching index for metric data sets, Multimedia Tools
    and Applications 21, 2003.
    """

    key = "dindex"
    arrays = HashLevels
    order = BEST_FIRST

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        rho: float | None = None,
        levels: int = 4,
        splits: int = 6,
        bounds: str = "auto",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.rho = None if rho is None else float(radii_of(rho, 1)[0])
        self.levels = whole_number("levels", levels, 1)
        self.splits = whole_number("splits", splits, 1)
        self.bounds = one_of("bounds", bounds, ("auto", "triangle", "four-point"))
        if self.splits > MOST_SPLITS:
            raise InvalidArgument(f"expected splits of at most {MOST_SPLITS}, given {splits}")

    @property
    def separation(self) -> float:
        """Half of what is at least between two separable buckets of a level: ρ as given, or as chosen."""
        self._fitted()
        return float(self._tree.rho)

    def _build(self, construction: Construction) -> tuple[HashLevels, Positions]:
        tree, rho, level = self._empty(construction.count), self.rho, 0
        slots = np.arange(construction.count)
        while level < self.levels and len(slots) > FEW * self.splits:
            sample = Sample(construction, SAMPLE, slots)
            pivots = sample.slots[incremental(sample, self.splits)]
            slots = np.setdiff1d(slots, pivots)
            found = measured(construction, slots, pivots, np.empty((len(slots), self.splits)))
            medians = np.median(found, axis=0)
            if rho is None:
                rho = excluding(np.abs(found - medians).min(axis=1))
            tree.pivots[level] = pivots
            tree.low[level] = medians - rho
            # Wider by what bounds give way for, so that no ball of radius ρ reaches both zones.
            slack = construction.slack
            tree.high[level] = medians + rho + 4 * (2 * slack.relative * (medians + rho) + slack.absolute)
            with np.errstate(over="ignore"):  # what is too great for a float32 bounds nothing
                tree.to_pivots[slots, level * self.splits : (level + 1) * self.splits] = found
            tree.home[pivots] = level * tree.width
            settle_all(tree, slots, level)
            level += 1
            slots = slots[tree.home[slots] == level * tree.width]
        tree = tree._replace(apart=self._apart(tree.pivots[:level].ravel(), construction), rho=rho or 0.0)
        order = np.argsort(tree.home, kind="stable")
        tree = self._cut(tree, level, order)
        link_all(tree)
        return tree, order

    def _apart(self, pivots: Positions, construction: Construction) -> npt.NDArray[np.float64]:
        """Return the distances of pivots that follow one another, if any bound rests on them."""
        if sharpest(self.bounds, self.metric, "four-point") != "four-point":
            return np.zeros(0)
        every = measured(construction, pivots, pivots, np.empty((len(pivots), len(pivots))))
        return every.diagonal(1).copy()

    def _empty(self, count: int) -> HashLevels:
        width, shape = (1 << self.splits) + 1, (self.levels, self.splits)
        nodes = self.levels * width + 1
        return HashLevels(
            pivots=np.full(shape, -1),
            low=np.zeros(shape),
            high=np.zeros(shape),
            band=np.tile([np.inf, -np.inf], (nodes, self.splits, 1)),
            first=np.full(nodes, -1),
            following=np.full(count, -1),
            home=np.zeros(count, np.int64),
            to_pivots=np.zeros((count, self.levels * self.splits), np.float32),
            apart=np.zeros(0),
            rho=0.0,
            width=width,
        )

    def _cut(self, tree: HashLevels, levels: int, order: Positions) -> HashLevels:
        """Return the arrays without spare levels, and with the objects in another order."""
        places, nodes = np.argsort(order), levels * tree.width + 1
        return tree._replace(
            pivots=places[tree.pivots[:levels]],
            low=tree.low[:levels].copy(),
            high=tree.high[:levels].copy(),
            band=tree.band[:nodes].copy(),
            first=tree.first[:nodes].copy(),
            home=tree.home[order],
            to_pivots=np.ascontiguousarray(tree.to_pivots[order, : levels * self.splits]),
        )

    def _insert(self, tree: HashLevels, slots: Positions, construction: Construction) -> HashLevels:
        construction.run(
            lambda: insert(
                tree, construction.space, slots, construction.room, construction.state, construction.patience
            )
        )
        return tree

    def _extended(self, tree: HashLevels, count: int) -> HashLevels:
        return tree._replace(
            band=tree.band.copy(),
            first=tree.first.copy(),
            following=np.pad(tree.following, (0, count), constant_values=-1),
            home=np.pad(tree.home, (0, count)),
            to_pivots=np.pad(tree.to_pivots, ((0, count), (0, 0))),
        )

    def _anatomy(self) -> Anatomy:
        nodes, width = np.arange(len(self._tree.first)), self._tree.width
        above = np.where(nodes % width == 0, nodes - width, nodes - nodes % width)
        return Anatomy(self._tree.home, np.maximum(above, -1))

    def _bytes(self, count: int) -> int:
        nodes = self.levels * ((1 << self.splits) + 1) + 1
        return count * (24 + 4 * self.levels * self.splits) + nodes * (16 * self.splits + 8)

    def _desk(self) -> Desk:
        largest = int(np.bincount(self._tree.home).max())
        return make_desk(largest + self.splits + self._tree.width, 5 * self._tree.pivots.size, 0)
