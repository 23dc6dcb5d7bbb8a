"""Fixed queries array (Chávez, Marroquín, Navarro 2001): the leaves of a fixed-height tree, sorted.

Idea
    An object is described by the rings in which it lies about some pivots, a few bits each. The objects are
    sorted by these words, so that those which share the first rings lie side by side: what is a node in the
    fixed-height queries tree is an interval of the array. A query measures all pivots, and narrows intervals
    pivot by pivot, finding by binary search where each ring begins and ends. The array takes a few bytes for
    each object and answers with as many distances as the tree.

Arrays
    The pivots come first: pivot p is slot p. The other objects follow in order of their words: row i of
    ``words``, with ``bits`` for each pivot, the first pivot's in the highest, is of slot ``pivots + i``.
    ``band[p, ring]`` is the least and greatest distance to pivot p that occur in a ring.

Nodes
    There are none to be stored. The node numbered ``row · (pivots + 1) + level`` is the interval that begins
    at this row and whose objects share the rings about the first `level` pivots.

Invariants
    The rows are in ascending order; rows with equal words in the order of insertion.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..anatomy import Anatomy
from ..answer import Answer
from ..arguments import whole_number
from ..bounds import RANGE_PIVOT, SHRUNK, range_pivot
from ..construction import COST, DONE, Construction
from ..errors import InvalidArgument
from ..families.fixed_queries import axes
from ..ids import Positions
from ..index import BaseIndex
from ..kernels import Array, kernel
from ..partitions import ring_at
from ..space import Room, estimate, prepare
from ..traversal import BEST_FIRST, Desk, afford, begin, consider, expand, make_desk, measure, offer_child

FEW = 8  # rows that are bounded one by one: to narrow the interval further would take longer


class FQWords(NamedTuple):
    """The words, and what their parts mean."""

    words: Array  # (objects − pivots, words) uint64
    band: Array  # (pivots, rings, 2)
    bits: int
    alike: int  # the most rows with equal words


@begin.of(FQWords)
def _(tree: FQWords, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    for p in range(tree.band.shape[0]):
        if not afford(answer, desk):
            return
        desk.memo[p] = measure(space, p, query, answer, desk)
    if tree.words.shape[0] > 0:
        offer_child(desk, answer, 0, 0.0, SHRUNK)


@expand.of(FQWords)
def _(tree: FQWords, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    pivots = tree.band.shape[0]
    row, level = node // (pivots + 1), node % (pivots + 1)
    stop = end_of(tree, row, level)
    if level == pivots or stop - row <= FEW:
        for each in range(row, stop):
            bound = desk.bound[0]
            for p in range(level, pivots):
                bound = max(bound, ring_bound(tree, each, p, answer, desk))
            consider(space, pivots + each, bound, RANGE_PIVOT, query, answer, desk)
        return
    while row < stop:
        following = end_of_ring(tree, row, stop, level)
        if pivots + following - 1 > answer.after:
            bound = ring_bound(tree, row, level, answer, desk)
            offer_child(desk, answer, row * (pivots + 1) + level + 1, bound, RANGE_PIVOT)
        row = following


@kernel
def ring_bound(tree: FQWords, row: int, p: int, answer: Answer, desk: Desk) -> float:
    """Return a lower bound for all objects in the same ring about pivot p as the object of a row."""
    band = tree.band[p, ring(tree, row, p)]
    return range_pivot(desk.memo[p], band[0], band[1], answer.slack)


@kernel
def ring(tree: FQWords, row: int, p: int) -> int:
    """Return the ring about pivot p in which the object of a row lies."""
    w, shift = place_of(p, tree.bits)
    return np.int64(tree.words[row, w] >> shift) & ((1 << tree.bits) - 1)  # type: ignore[return-value]


@kernel
def place_of(p: int, bits: int) -> tuple[int, Any]:
    """Return in which word the ring about pivot p stands, and how many bits come after it."""
    each = 64 // bits
    return p // each, np.uint64(64 - bits * (p % each + 1))


@kernel
def shares(tree: FQWords, row: int, other: int, level: int) -> bool:
    """Whether the objects of two rows are in the same rings about the first `level` pivots."""
    each = 64 // tree.bits
    for w in range(level // each):
        if tree.words[row, w] != tree.words[other, w]:
            return False
    part = tree.bits * (level % each)
    if part == 0:
        return True
    w, rest = level // each, np.uint64(64 - part)
    return tree.words[row, w] >> rest == tree.words[other, w] >> rest


@kernel
def end_of(tree: FQWords, row: int, level: int) -> int:
    """Return where the interval ends that begins at a row: steps are doubled, then halved."""
    low, step = row, 1
    while low + step < tree.words.shape[0] and shares(tree, row, low + step, level):
        low += step
        step *= 2
    high = min(low + step, tree.words.shape[0])
    while low + 1 < high:
        middle = (low + high) // 2
        if shares(tree, row, middle, level):
            low = middle
        else:
            high = middle
    return high


@kernel
def end_of_ring(tree: FQWords, row: int, stop: int, p: int) -> int:
    """Return where in an interval those objects end that share the ring about pivot p with that of a row."""
    number = ring(tree, row, p)
    low, high = row, stop
    while low + 1 < high:
        middle = (low + high) // 2
        if ring(tree, middle, p) == number:
            low = middle
        else:
            high = middle
    return high


@kernel
def describe(
    tree: FQWords,
    axis: Array,
    space: Any,
    pivot: Array,
    others: Array,
    rings: Array,
    room: Room,
    state: Array,
) -> bool:
    """Write the ring of each object about the next pivot into a column of `rings`."""
    p = state[DONE]
    query = prepare(space, space, pivot[p], room)
    band = tree.band[p]
    for i in range(others.shape[0]):
        d = estimate(space, others[i], query)
        if room.fault[0] != 0:
            return False
        number = ring_at(d, axis[p, 0], axis[p, 1], 1 << tree.bits)
        rings[i, p] = number
        band[number, 0], band[number, 1] = min(band[number, 0], d), max(band[number, 1], d)
    state[COST] += others.shape[0]
    state[DONE] = p + 1
    return p + 1 == pivot.shape[0]


class FQArray(BaseIndex):
    """Fixed queries array: a pivot table in a few bytes for each object.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    pivots : int
        How many; more exclude more, and cost as many distances in every query.
    bits : int
        For each object and pivot, from 1 to 8. Distances are cut into 2 to the power of `bits` rings of equal
        width; whole ones below that are kept as they are.
    seed : int
        Where the choice of pivots comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Chávez, Marroquín, Navarro, Fixed queries array: a fast and economical data structure for proximity
    searching, Multimedia Tools and Applications 14, 2001.
    """

    key = "fqarray"
    arrays = FQWords
    order = BEST_FIRST  # where distances are often equal, a third fewer, in 1.5 times the time
    smaller = "linear"

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        pivots: int = 20,
        bits: int = 6,
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.pivots = whole_number("pivots", pivots, 1)
        self.bits = whole_number("bits", bits, 1)
        if self.bits > 8:
            raise InvalidArgument(f"expected bits of at most 8, given {bits}")

    def _build(self, construction: Construction) -> tuple[FQWords, Positions]:
        pivot, axis = axes(construction, self.pivots, 1 << self.bits, 1 << self.bits)
        others = np.setdiff1d(np.arange(construction.count), pivot)
        band = np.zeros((len(pivot), 1 << self.bits, 2))
        band[:, :, 0] = np.inf
        rings = np.zeros((len(others), len(pivot)), np.uint8)
        tree = FQWords(np.zeros((len(others), 0), np.uint64), band, self.bits, 0)
        construction.state[DONE] = 0
        construction.run(
            lambda: describe(
                tree, axis, construction.space, pivot, others, rings, construction.room, construction.state
            )
        )
        words = _packed(rings, self.bits)
        order = np.lexsort(words.T[::-1])
        words = words[order]
        begins = np.flatnonzero(np.r_[True, (words[1:] != words[:-1]).any(axis=1)])
        alike = int(np.diff(begins, append=len(words)).max())
        return tree._replace(words=words, alike=alike), np.concatenate([pivot, others[order]])

    def _anatomy(self) -> Anatomy:
        rows, pivots = len(self._tree.words), len(self._tree.band)
        homes, parents = np.full(len(self._order), -1), np.full(rows * (pivots + 1), -1)
        if rows == 0:
            return Anatomy(homes, parents)
        rings = unpacked(self._tree)
        begins = np.arange(rows) == 0  # whether a row is the first of an interval of the level
        node, size = np.zeros(rows, np.int64), np.full(rows, rows)
        for level in range(pivots):
            begins[1:] |= rings[1:, level] != rings[:-1, level]
            first = np.maximum.accumulate(np.where(begins, np.arange(rows), 0))
            divided = size > FEW
            below = np.where(divided, first * (pivots + 1) + level + 1, node)
            parents[below[divided]] = node[divided]
            node, size = below, np.bincount(first)[first]
        homes[:pivots], homes[pivots:] = 0, node
        return Anatomy(homes, parents)

    def _bytes(self, count: int) -> int:
        words = -(-self.pivots // (64 // self.bits))
        return count * (self.pivots + 24 * words + 16) + self.pivots * (16 << self.bits)

    def _desk(self) -> Desk:
        pivots = len(self._tree.band)
        return make_desk(max(pivots, 1 << self.bits, FEW, self._tree.alike) + 2, pivots, 0)


def unpacked(tree: FQWords) -> npt.NDArray[np.uint8]:
    """Return the rings of all rows, shape (rows, pivots)."""
    rings = np.zeros((len(tree.words), len(tree.band)), np.uint8)
    for p in range(rings.shape[1]):
        w, shift = place_of(p, tree.bits)
        rings[:, p] = (tree.words[:, w] >> np.uint64(shift)) & np.uint64((1 << tree.bits) - 1)
    return rings


def _packed(rings: npt.NDArray[np.uint8], bits: int) -> npt.NDArray[np.uint64]:
    """Return rings as words, those about the first pivot in the highest bits of the first word."""
    count, pivots = rings.shape
    words = np.zeros((count, place_of(pivots - 1, bits)[0] + 1), np.uint64)
    for p in range(pivots):
        w, shift = place_of(p, bits)
        words[:, w] |= rings[:, p].astype(np.uint64) << np.uint64(shift)
    return words
