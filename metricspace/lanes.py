"""Edit distances of one text to many stored strings at once.

Idea
    In Myers' recurrence (1999; Hyyrö 2003) a column of the dynamic programme is a word of bits, one for
    each symbol of the pattern. Here the stored strings are the patterns: their words lie side by side in
    lanes of a vector, and one step for a symbol of the query advances them all. What a step needs, the
    places of that symbol in each string, is one row of masks, made once for the stored strings. Several
    hundred strings take about as long as two or three do one by one.

    A lane may also stand for a group of strings: where any of them has the symbol, the lane has it. More
    matches only lower the recurrence, so it bounds the distance of every member from below.

Arrays
    Lanes lie in blocks of `BLOCK`, as wide as the longest string of the block, so strings should be in order
    of length; and where groups are to bound well, like strings beside each other. A block keeps rows of masks
    only for the symbols that occur in it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .ids import Positions
from .kernels import Array, kernel
from .simd.patterns import TILE, advance_8, advance_16, advance_32, advance_64
from .simd.registers import prefetch
from .simd.vectors import aligned
from .space import BLOCK, Room, at_least, batches, estimates, fill_block, home, prepare, span_at_least, within

LONGEST = 64  # symbols of a string that fits into a lane

# Rows of masks: of symbols that do not occur; the places of a lane's shortest string, and of its longest;
# then those of the symbols.
_NOWHERE, _LEAST, _MOST, _SYMBOLS = 0, 1, 2, 3


class Lanes(NamedTuple):
    """Blocks of strings, or of groups of them, side by side."""

    bits: Array  # by block: the width of its lanes, 0 where a string is too long for any
    shortest: Array  # by block: least length
    longest: Array  # by block: greatest length
    first: Array  # by block: where its masks begin
    row: Array  # uint16 (blocks, alphabet): the row of each symbol, counted within the block
    masks: Array  # uint8


def laid_out(
    starts: npt.NDArray[np.int64], codes: npt.NDArray[Any], alphabet: int, most: int, group: int = 1
) -> Lanes | None:
    """Return strings laid out in lanes, or None if that would take more than so many bytes.

    Parameters
    ----------
    starts : int64, shape (n + 1,)
        String i is ``codes[starts[i]:starts[i + 1]]``.
    codes : integers below `alphabet`
        Code 0 matches nothing.
    alphabet, most : int
        The number of codes, and of bytes.
    group : int
        How many consecutive strings share a lane.
    """
    lengths = np.diff(starts)
    size = group * BLOCK  # strings of a block
    edges = np.arange(0, len(lengths), size)
    shortest, longest = (np.asarray(ends.reduceat(lengths, edges)) for ends in (np.minimum, np.maximum))
    bits = _widths(longest)
    if 2 * len(edges) * alphabet > most:
        return None
    row = np.zeros((len(edges), alphabet), np.uint16)
    rows = np.zeros(len(edges), np.int64)
    _number(starts, codes, size, bits, row, rows)
    sizes = rows * (BLOCK * bits // 8)
    if sizes.sum() + row.nbytes > most or rows.max() > np.iinfo(np.uint16).max:
        return None
    first = np.concatenate([[0], np.cumsum(sizes)])
    lanes = Lanes(bits, shortest, longest, first[:-1].copy(), row, aligned(int(first[-1])))
    _fill(starts, codes, group, lanes)
    return lanes


def _widths(longest: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the bits of lanes for strings of so many symbols, 0 for too many."""
    bits = 2 ** np.ceil(np.log2(np.maximum(longest, 1))).astype(np.int64)
    return np.where(longest > LONGEST, 0, np.maximum(8, bits))


@kernel
def _number(starts: Array, codes: Array, size: int, bits: Array, row: Array, rows: Array) -> None:
    """Give each symbol of a block its row, in the order in which they occur."""
    for block in range(bits.shape[0]):
        if bits[block] == 0:
            continue
        used = _SYMBOLS
        last = min((block + 1) * size, starts.shape[0] - 1)
        for place in range(starts[block * size], starts[last]):
            if codes[place] != 0 and row[block, codes[place]] == _NOWHERE:
                row[block, codes[place]] = used
                used += 1
        rows[block] = used


@kernel
def _fill(starts: Array, codes: Array, group: int, lanes: Lanes) -> None:
    """Set, in each string's lane, the bits of its symbols' places."""
    count = starts.shape[0] - 1
    for i in range(count):
        block = i // group // BLOCK
        size = lanes.bits[block] // 8
        if size == 0:
            continue
        lane = lanes.first[block] + (i // group % BLOCK) * size
        length = starts[i + 1] - starts[i]
        for k in range(length):
            bit = np.uint8(1 << k % 8)
            row = np.int64(lanes.row[block, codes[starts[i] + k]])
            if row != _NOWHERE:
                lanes.masks[lane + row * BLOCK * size + k // 8] |= bit
            lanes.masks[lane + _MOST * BLOCK * size + k // 8] |= bit
        if i % group == 0:
            for j in range(i + 1, min(i + group, count)):
                length = min(length, starts[j + 1] - starts[j])
            for k in range(length):
                lanes.masks[lane + _LEAST * BLOCK * size + k // 8] |= np.uint8(1 << k % 8)


@kernel
def beyond_lengths(lanes: Lanes, first: int, last: int, length: int) -> float:
    """Return by how much a length lies beyond those of the strings of some blocks, in order of length."""
    return np.float64(max(lanes.shortest[first] - length, length - lanes.longest[last], 0))


@kernel
def advance(lanes: Lanes, block: int, query: Array, offsets: Array, changes: Array) -> None:
    """Write the edit distances of a query to the lanes of a block, less the length of the query.

    ``offsets`` (int64) has a place for each symbol of the query, ``changes`` (int8) for each lane; those
    beyond the last string get any value.
    """
    bits, length = lanes.bits[block], query.shape[0]
    size = bits // 8  # bytes of a lane, and so many tiles make a block
    for j in range(length):
        row = np.int64(lanes.row[block, query[j]])
        offsets[j] = lanes.first[block] + row * BLOCK * size
    least = lanes.first[block] + _LEAST * BLOCK * size
    most = lanes.first[block] + _MOST * BLOCK * size
    for tile in range(size):
        part = changes[tile * (BLOCK // size) :]
        if bits == 8:
            advance_8(lanes.masks, offsets, length, least, most, part)
        elif bits == 16:
            advance_16(lanes.masks, offsets, length, least, most, part)
        elif bits == 32:
            advance_32(lanes.masks, offsets, length, least, most, part)
        else:
            advance_64(lanes.masks, offsets, length, least, most, part)
        least += TILE
        most += TILE
        for j in range(length):
            offsets[j] += TILE


@kernel
def fetch_part(lanes: Lanes, block: int, part: int, parts: int) -> None:
    """Ask for a part of a block's masks, if there is one: the next is fetched while one is measured."""
    if block < lanes.first.shape[0]:
        rows = lanes.masks.reshape((lanes.masks.shape[0] // TILE, TILE))
        first, last = lanes.first[block] // TILE, rows.shape[0]
        if block + 1 < lanes.first.shape[0]:
            last = lanes.first[block + 1] // TILE
        count = last - first
        for row in range(first + part * count // parts, first + (part + 1) * count // parts):
            prefetch(rows, row)


@kernel
def count_up_to(changes: Array, limit: float) -> int:
    """Return how many of some whole numbers between −64 and 64 are at most `limit`."""
    most = np.int8(min(max(np.floor(limit), -128.0), 127.0))
    count = 0
    for j in range(changes.shape[0]):
        count += changes[j] <= most
    return count


# --- the space for scans ------------------------------------------------------------------------------


GROUP = 8  # strings that share a lane of the bounds
_STRETCH = 64  # lanes that are looked at one by one if any is within the limit


class LaneSpace(NamedTuple):
    """Strings in lanes, groups of them in lanes, and as they are for those that are too long."""

    lanes: Lanes
    groups: Lanes
    plain: Any


class LaneQuery(NamedTuple):
    """A query in codes, scratch for the lanes, and the query for strings one by one."""

    codes: Array
    offsets: Array  # int64
    changes: Array  # int8: to a block of strings
    bounds: Array  # int8: to a block of groups
    bounded: Array  # int64 (1,): which block of groups that is
    home: int  # the first string in the first block that reaches its length
    pattern: Any


_BYTES = BLOCK // 8  # words that hold a byte for each of a block
SCRATCH = 2 * _BYTES + 1


@prepare.of(LaneSpace)
def _(space: LaneSpace, queries: Any, i: int, room: Room) -> Any:
    codes = queries.codes[queries.starts[i] : queries.starts[i + 1]]
    changes = room.words[:_BYTES].view(np.int8)
    bounds = room.words[_BYTES : 2 * _BYTES].view(np.int8)
    bounded = room.words[2 * _BYTES : SCRATCH].view(np.int64)
    bounded[0] = -1
    offsets = room.words[SCRATCH : SCRATCH + codes.shape[0]].view(np.int64)
    middle, last = 0, space.lanes.longest.shape[0] - 1
    while middle < last and space.lanes.longest[middle] < codes.shape[0]:
        middle += 1
    rest = Room(room.words[SCRATCH + codes.shape[0] :], room.frame, room.fault)
    pattern = prepare(space.plain, queries, i, rest)
    return LaneQuery(codes, offsets, changes, bounds, bounded, middle * BLOCK, pattern)


@home.of(LaneSpace)
def _(space: LaneSpace, query: Any) -> int:
    return query.home


@at_least.of(LaneSpace)
def _(space: LaneSpace, i: int, query: Any) -> float:
    return at_least(space.plain, i, query.pattern)


@span_at_least.of(LaneSpace)
def _(space: LaneSpace, first: int, last: int, query: Any) -> float:
    return beyond_lengths(space.lanes, first // BLOCK, (last - 1) // BLOCK, query.codes.shape[0])


@within.of(LaneSpace)
def _(space: LaneSpace, i: int, query: Any, limit: float) -> float:
    return within(space.plain, i, query.pattern, limit)


@batches.of(LaneSpace)
def _(space: LaneSpace) -> bool:
    return True


@estimates.of(LaneSpace)
def _(
    space: LaneSpace, first: int, query: Any, limit: float, out: Array, places: Array
) -> tuple[int, int, int]:
    block, length = first // BLOCK, query.codes.shape[0]
    if space.lanes.bits[block] == 0:
        return estimates(space.plain, first, query.pattern, limit, out, places)
    if beyond_lengths(space.lanes, block, block, length) > limit:
        return 0, 0, 0
    bounds = 0
    wide = block // GROUP
    if limit < np.inf and space.groups.bits[wide] > 0:
        if query.bounded[0] != wide:
            advance(space.groups, wide, query.codes, query.offsets, query.bounds)
            query.bounded[0] = wide
            bounds = BLOCK
        part = block % GROUP * (BLOCK // GROUP)
        if count_up_to(query.bounds[part : part + BLOCK // GROUP], limit - length) == 0:
            return 0, 0, bounds
    advance(space.lanes, block, query.codes, query.offsets, query.changes)
    near = 0
    for start in range(0, out.shape[0], _STRETCH):
        part = query.changes[start : min(start + _STRETCH, out.shape[0])]
        left = count_up_to(part, limit - length)
        j = 0
        while left > 0:
            if part[j] <= limit - length:
                out[near], places[near] = np.float64(length + np.int64(part[j])), start + j
                near += 1
                left -= 1
            j += 1
    return out.shape[0], near, bounds


@fill_block.of(LaneSpace)
def _(space: LaneSpace, start: int, queries: Any, first: int, last: int, room: Room, out: Array) -> None:
    block = start // BLOCK
    if space.lanes.bits[block] == 0:
        fill_block(space.plain, start, queries, first, last, room, out)
        return
    changes = room.words[:_BYTES].view(np.int8)
    for i in range(first, last):
        fetch_part(space.lanes, block + 1, i - first, last - first)
        codes, row = queries.codes[queries.starts[i] : queries.starts[i + 1]], out[i - first]
        offsets = room.words[_BYTES : _BYTES + codes.shape[0]].view(np.int64)
        advance(space.lanes, block, codes, offsets, changes)
        for j in range(row.shape[0]):
            row[j] = codes.shape[0] + np.int64(changes[j])


def in_lanes(
    starts: npt.NDArray[np.int64], codes: npt.NDArray[Any], alphabet: int
) -> tuple[Lanes, Lanes] | tuple[()]:
    """Return strings in lanes, one by one and in groups; nothing if that takes far more than the strings.

    Parameters
    ----------
    starts, codes, alphabet
        As for `laid_out`.
    """
    most = _allowed(codes)
    single = laid_out(starts, codes, alphabet, most)
    if single is None:
        return ()
    groups = laid_out(starts, codes, alphabet, most - single.row.nbytes - single.masks.nbytes, GROUP)
    return () if groups is None else (single, groups)


def _allowed(codes: npt.NDArray[Any]) -> int:
    """Return how many bytes lanes may take."""
    # Words take two or three times the bytes of their codes, and with thousands of symbols up to 45 times;
    # more of them could take far more.
    return 64 * codes.nbytes + 2**20


def bytes_in_lanes(starts: npt.NDArray[np.int64], codes: npt.NDArray[Any], alphabet: int) -> int:
    """Return what `in_lanes` takes at most once the strings are in order of length, without making it."""
    lengths = np.sort(np.diff(starts))
    needed = 0
    for size in (BLOCK, GROUP * BLOCK):
        edges = np.arange(0, len(lengths), size)
        symbols = np.minimum(np.add.reduceat(lengths, edges), alphabet)  # those that occur in a block
        lane = _widths(np.maximum.reduceat(lengths, edges)) // 8
        needed += int(((_SYMBOLS + symbols) * BLOCK * lane + 2 * alphabet).sum())
    return min(needed, _allowed(codes))


def by_length(starts: npt.NDArray[np.int64], codes: npt.NDArray[Any], backwards: bool = False) -> Positions:
    """Return an order by length, then by the first eight symbols, or backwards, by the last eight.

    Strings that end alike have more in common than those that begin alike, if they are words. But words come
    in the order of the alphabet, so that those that begin alike are near each other in both orders, and it
    takes less time to go from one order to the other.
    """
    lengths = np.diff(starts)
    if len(codes) == 0:
        return np.arange(len(lengths))
    keys = []
    for k in range(8):
        places = starts[1:] - 1 - k if backwards else starts[:-1] + k
        keys.append(np.where(lengths > k, codes[np.clip(places, 0, len(codes) - 1)], 0))
    return np.lexsort([*keys[::-1], lengths])
