"""Jaccard distance on sets of items, on rows of sparse matrices, and on rows of bits.

Jaccard (1901). Every value is a quotient of whole numbers, rounded once, so it is the same to the bit however
the items in common are counted: item by item against a bitmap of the query, by counting the bits of words, or
for all sets at once by an inverted list of each item.
"""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import threads
from ..bounds import Slack
from ..errors import InvalidArgument
from ..kernels import Array, kernel
from ..laws import TRIANGLE, Metric, checked_dtype, register
from ..objects import Bits, Objects, Sets, SparseRows
from ..objects.bits import is_boolean
from ..objects.sparse import is_sparse
from ..simd.counts import popcount
from ..space import Room, at_least, distance, prepare

_ONE = np.uint64(1)
_CHUNK = 16  # queries between two looks at what the user wants


@kernel
def jaccard_distance(common: Any, sizes: int) -> float:
    """Return the distance of two sets by how many items they share and how many they have, added up.

    It falls with `common`, rounding included: of a greater quotient the rounded value is no smaller. Of more
    items than can be common it is a lower bound.
    """
    union = sizes - common
    return np.float64(union - common) / np.float64(union) if union > 0 else 0.0


# --- ragged codes ------------------------------------------------------------------------------------


class JaccardSpace(NamedTuple):
    """Sets as ragged codes below `codes`; 0 equals no other."""

    starts: Array
    items: Array
    signatures: Array  # uint64: one of 64 bits is set for each item
    codes: int


class SetQuery(NamedTuple):
    """One set as a bitmap of all codes, with its signature and the number of its items."""

    bitmap: Array
    signature: int
    size: int


@prepare.of(JaccardSpace)
def _(space: JaccardSpace, queries: JaccardSpace, i: int, room: Room) -> Any:
    first, stop = queries.starts[i], queries.starts[i + 1]
    bitmap = room.words[: space.codes // 64 + 1]
    bitmap[:] = np.uint64(0)
    for k in range(first, stop):
        code = np.int64(queries.items[k])
        bitmap[code >> 6] |= _ONE << np.uint64(code & 63)
    bitmap[0] &= ~_ONE
    return SetQuery(bitmap, queries.signatures[i], stop - first)


@at_least.of(JaccardSpace)
def _(space: JaccardSpace, i: int, query: Any) -> float:
    # A bit that only one signature has stands for an item, or more, that the other set lacks (Sandes, Teodoro
    # and Melo 2020).
    size = space.starts[i + 1] - space.starts[i]
    signature = space.signatures[i]
    alien, missing = popcount(signature & ~query.signature), popcount(query.signature & ~signature)
    return jaccard_distance(min(size - alien, query.size - missing), size + query.size)


@distance.of(JaccardSpace)
def _(space: JaccardSpace, i: int, query: Any) -> float:
    first, stop = space.starts[i], space.starts[i + 1]
    common = np.uint64(0)
    for k in range(first, stop):
        code = np.int64(space.items[k])
        common += (query.bitmap[code >> 6] >> np.uint64(code & 63)) & _ONE
    return jaccard_distance(np.int64(common), stop - first + query.size)


def _signatures(objects: Sets | SparseRows) -> npt.NDArray[np.uint64]:
    # The highest six bits of a product with 2⁶⁴ / golden ratio scatter the codes evenly.
    places = (objects.items.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(58)
    bits = np.where(objects.items == 0, np.uint64(0), _ONE << places)
    signatures = np.zeros(len(objects), np.uint64)
    filled = np.flatnonzero(np.diff(objects.starts))
    if len(filled):
        signatures[filled] = np.bitwise_or.reduceat(bits, objects.starts[filled])
    return signatures


@kernel
def _fill_holders(space: JaccardSpace, ends: Array, holders: Array) -> None:
    """List the sets that hold each code, from ``ends[code]`` on, and move that to where the list ends."""
    for i in range(space.starts.shape[0] - 1):
        for k in range(space.starts[i], space.starts[i + 1]):
            code = space.items[k]
            holders[ends[code]] = i
            ends[code] += 1


@kernel
def _fill_distances(
    space: JaccardSpace,
    queries: JaccardSpace,
    ends: Array,
    holders: Array,
    first: int,
    last: int,
    common: Array,
    out: Array,
) -> None:
    """Write the distances of queries `first` to `last` to all sets, by lists of the sets that hold a code.

    In ``common`` the items that a query shares with each set are counted.
    """
    for i in range(first, last):
        row = out[i]
        common[:] = 0
        start, stop = queries.starts[i], queries.starts[i + 1]
        for k in range(start, stop):
            code = np.int64(queries.items[k])
            if code != 0:
                for place in range(ends[code - 1], ends[code]):
                    common[holders[place]] += 1
        for j in range(row.shape[0]):
            size = space.starts[j + 1] - space.starts[j]
            row[j] = jaccard_distance(np.int64(common[j]), size + stop - start)


# --- rows of bits ------------------------------------------------------------------------------------


class BitsSpace(NamedTuple):
    """Rows of bits in words, and how many of them are set."""

    words: Array
    sizes: Array


class BitsQuery(NamedTuple):
    """One row of bits, and how many are set."""

    words: Array
    size: int


@prepare.of(BitsSpace)
def _(space: BitsSpace, queries: BitsSpace, i: int, room: Room) -> Any:
    return BitsQuery(queries.words[i], queries.sizes[i])


@at_least.of(BitsSpace)
def _(space: BitsSpace, i: int, query: Any) -> float:
    return jaccard_distance(min(space.sizes[i], query.size), space.sizes[i] + query.size)


@distance.of(BitsSpace)
def _(space: BitsSpace, i: int, query: Any) -> float:
    row = space.words[i]
    common = np.int64(0)
    for k in range(row.shape[0]):
        common += popcount(row[k] & query.words[k])
    return jaccard_distance(common, space.sizes[i] + query.size)


def _sizes(objects: Bits) -> npt.NDArray[np.int64]:
    return np.bitwise_count(objects.words).sum(axis=1, dtype=np.int64)


@register("jaccard")
class Jaccard(Metric):
    """1 − |a ∩ b| / |a ∪ b|; two empty sets are at distance 0.

    Objects are sets of hashable items; or the rows of a sparse matrix, taken as the sets of their columns
    that are not zero; or rows of booleans, taken as the sets of the places that are true. Items of a query
    that no indexed set has count in the union.

    Parameters
    ----------
    packed : bool
        Take rows of bytes (uint8) with eight items each, as ``numpy.packbits`` makes them.
    """

    function = None

    def __init__(self, packed: bool = False) -> None:
        if not isinstance(packed, (bool, np.bool_)):
            raise InvalidArgument(f"expected packed to be True or False, given {packed!r}")
        self.name, self.laws = "jaccard", TRIANGLE
        self.packed = bool(packed)

    @property
    def params(self) -> dict[str, Any]:
        return {"packed": True} if self.packed else {}

    def objects(self, data: Any) -> Objects:
        if self.packed or is_boolean(data):
            return Bits.of(data, self.packed)
        return SparseRows.of(data) if is_sparse(data) else Sets.of(data)

    def space(self, objects: Objects) -> Any:
        if isinstance(objects, Bits):
            return BitsSpace(objects.words, objects.derived(_sizes))
        assert isinstance(objects, (Sets, SparseRows))
        return JaccardSpace(objects.starts, objects.items, objects.derived(_signatures), objects.codes)

    def words(self, queries: Objects) -> int:
        return queries.codes // 64 + 1 if isinstance(queries, (Sets, SparseRows)) else 1

    def between(
        self,
        queries: Objects,
        objects: Objects,
        n_jobs: int | None = 1,
        dtype: npt.DTypeLike = np.float64,
    ) -> npt.NDArray[Any]:
        if isinstance(objects, Bits):
            return super().between(queries, objects, n_jobs, dtype)
        # One addition for each item that two sets share, and not one test for each item of each set.
        space, asked = self.space(objects), self.space(queries)
        ends = np.zeros(space.codes, np.int64)
        np.cumsum(np.bincount(space.items, minlength=space.codes)[:-1], out=ends[1:])
        holders = np.empty(len(space.items), np.int32 if len(objects) < 2**31 else np.int64)
        _fill_holders(space, ends, holders)
        out = np.empty((len(queries), len(objects)), checked_dtype(dtype, self.name, None))
        waiting = list(range(0, len(queries), _CHUNK))

        def work() -> None:
            common = np.empty(len(objects), np.int64)
            with contextlib.suppress(IndexError):  # nothing is left
                while True:
                    first = waiting.pop()
                    last = min(first + _CHUNK, len(queries))
                    _fill_distances(space, asked, ends, holders, first, last, common, out)

        jobs = threads.jobs(n_jobs)
        if jobs == 1:
            work()
        else:
            threads.run([work] * jobs, waiting.clear)
        return out

    def error(self, objects: Objects) -> Slack:
        return Slack(2.0**-53, 0.0)  # one division of whole numbers
