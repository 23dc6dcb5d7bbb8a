"""Strings under union patterns: lower bounds on edit distances to eight strings, or to sixty-four, at once.

Idea
    A lane may stand for a group of strings (see `lanes`): where any of them has a symbol, the lane has it.
    More matches only lower the recurrence, so it bounds the distance of every member from below. Three
    levels of lanes, of 64 strings, of 8, and of one, make a tree without pointers. Those of 64 lie side by
    side, and are advanced all together, or those of a window of lengths. On the two levels below, the masks
    of eight lanes with one parent lie together; where few parents are left, the rows that a query needs are
    gathered into one tile.

    Symbols share a few rows on the upper levels, and on the lowest where the alphabet is large: that, too,
    only lowers the bounds.

Arrays
    Strings lie in order of length, in parts: those whose lanes are 8, 16, 32 or 64 bits wide. Beyond that a
    lane is several words of 64, with a carry from one to the next. In each part eight lanes of the lowest
    level have one parent, and so have eight of these. Lanes are numbered through all parts on the top level.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .kernels import Array, called_kernel, kernel
from .simd.counts import popcount
from .simd.patterns import (
    ABREAST,
    FAR,
    FEW,
    TILE,
    WORD,
    advance_long,
    advance_one,
    advance_two,
    capped_8,
    capped_16,
    capped_32,
    few_8,
    few_16,
    few_32,
)
from .simd.vectors import aligned
from .space import Room, prepare, wrapping

LONGEST = 512  # symbols of a string that has a lane
MOST_PARTS = 11  # with lanes of 8, 16, and 32 bits, and of one to eight words
GONE = FAR + 1  # in place of a bound: there is nothing, or nothing more to do
SINGLE, EIGHT, TOP = 0, 1, 2  # levels

# Rows of masks: of symbols that do not occur; the places of a lane's shortest string, and of its longest;
# then those of the symbols.
_NOWHERE, _LEAST, _MOST, _SYMBOLS = 0, 1, 2, 3
_UPPER, _LOWER = 32, 128  # most rows of symbols, on the upper levels and on the lowest


class Unions(NamedTuple):
    """Strings in lanes, in groups of 8 and of 64, and one by one."""

    size: Array  # by part: bytes of a lane
    start: Array  # by part: its first string; at last, the first that is too long for any lane
    top: Array  # by part: its first lane of the top level, a multiple of 8; at last, one for the next
    first: Array  # by level and part: where the masks begin
    across: Array  # by part: bytes of a row of the top level, for one word of each lane
    upper: Array  # by code: its row on the upper levels
    lower: Array  # by code: its row on the lowest
    reached: Array  # by length: the first string that is no shorter
    singles: Array  # uint8: masks
    eights: Array
    tops: Array
    rows: Array  # by level: how many rows of masks there are


def united(starts: npt.NDArray[np.int64], codes: npt.NDArray[Any], alphabet: int) -> Unions:
    """Return strings in lanes on three levels.

    Parameters
    ----------
    starts : int64, shape (n + 1,)
        String i is ``codes[starts[i]:starts[i + 1]]``; they are in order of length.
    codes : integers below `alphabet`
        Code 0 matches nothing.
    alphabet : int
        The number of codes.
    """
    lengths = np.diff(starts)
    size, start, top, across, rows, first, held = _measures(lengths, alphabet)
    # Frequent symbols do not share a row, and theirs lie together.
    rank = np.argsort(np.argsort(-np.bincount(codes, minlength=alphabet)[1:], kind="stable"))
    upper, lower = (
        np.concatenate([[_NOWHERE], _SYMBOLS + rank % most]).astype(np.int64) for most in (_UPPER, _LOWER)
    )
    longest = int(lengths[-1])
    reached = np.searchsorted(lengths, np.arange(longest + 2))
    singles, eights, tops = map(aligned, held)
    unions = Unions(size, start, top, first, across, upper, lower, reached, singles, eights, tops, rows)
    _fill(starts, codes, unions)
    return unions


def bytes_united(lengths: npt.NDArray[np.int64], alphabet: int) -> int:
    """Return how many bytes the masks of strings of these lengths take."""
    return sum(_measures(np.sort(lengths), alphabet)[-1])


def exact(alphabet: int) -> bool:
    """Return whether every symbol of such an alphabet has a row of its own on the lowest level."""
    return alphabet - 1 <= _LOWER


def _measures(lengths: npt.NDArray[np.int64], alphabet: int) -> tuple[Any, ...]:
    """Return how strings of these lengths, in ascending order, are laid out."""
    fitting = lengths[: np.searchsorted(lengths, LONGEST, side="right")]
    narrow = 2 ** np.maximum(np.ceil(np.log2(np.maximum(fitting, 1))).astype(np.int64) - 3, 0)
    sizes = np.where(narrow < 8, narrow, 8 * -(-fitting // WORD))
    size, start = np.unique(sizes, return_index=True)
    start = np.append(start, len(fitting)).astype(np.int64)
    counts = -(-np.diff(start) // 64)
    top = np.concatenate([[0], np.cumsum(-(-counts // 8) * 8)])
    # A tile may be advanced from any lane on.
    across = -(-counts * np.minimum(size, 8) // TILE) * TILE + TILE
    rows = np.array([_SYMBOLS + min(alphabet - 1, most) for most in (_LOWER, _UPPER, _UPPER)])
    words = np.maximum(size // 8, 1)
    parts = np.stack([64 * counts * rows[0] * size, 8 * counts * rows[1] * size, across * words * rows[2]])
    first = np.concatenate([np.zeros((3, 1), np.int64), np.cumsum(parts, axis=1)], axis=1)
    held = [int(row[-1]) + TILE for row in first]
    return size, start, top, across, rows, np.ascontiguousarray(first[:, :-1]), held


@kernel
def _fill(starts: Array, codes: Array, unions: Unions) -> None:
    """Set the bits of each string's symbols in its lane, and in those of its groups."""
    for part in range(unions.size.shape[0]):
        size, last = unions.size[part], unions.start[part + 1]
        unit, words = min(size, 8), max(size // 8, 1)
        for i in range(unions.start[part], last):
            lane = i - unions.start[part]
            single = unions.first[SINGLE, part] + lane // 8 * unions.rows[SINGLE] * 8 * size + lane % 8 * unit
            eight = unions.first[EIGHT, part] + lane // 64 * unions.rows[EIGHT] * 8 * size
            eight += lane // 8 % 8 * unit
            top = unions.first[TOP, part] + lane // 64 * unit
            across, length = unions.across[part], starts[i + 1] - starts[i]
            for k in range(length):
                code = codes[starts[i] + k]
                lower, upper = unions.lower[code], unions.upper[code]
                if code != 0:
                    _mark(unions.singles, single + lower * 8 * size, 64, k)
                    _mark(unions.eights, eight + upper * 8 * size, 64, k)
                    _mark(unions.tops, top + upper * words * across, across, k)
                _mark(unions.singles, single + _LEAST * 8 * size, 64, k)
                _mark(unions.singles, single + _MOST * 8 * size, 64, k)
                if lane % 8 == 0:
                    _mark(unions.eights, eight + _LEAST * 8 * size, 64, k)
                if lane % 64 == 0:
                    _mark(unions.tops, top + _LEAST * words * across, across, k)
                if lane % 8 == 7 or i == last - 1:
                    _mark(unions.eights, eight + _MOST * 8 * size, 64, k)
                if lane % 64 == 63 or i == last - 1:
                    _mark(unions.tops, top + _MOST * words * across, across, k)


@kernel
def _mark(masks: Array, first: int, apart: int, k: int) -> None:
    """Set a bit of a lane, whose words are so far apart."""
    masks[first + k // WORD * apart + k % WORD // 8] |= np.uint8(1 << k % 8)


# --- the space ----------------------------------------------------------------------------------------


@wrapping
class UnionSpace(NamedTuple):
    """Strings in lanes, and in whatever space they are measured one by one."""

    unions: Unions
    starts: Array
    codes: Array
    own: Any


class UnionQuery(NamedTuple):
    """A query: its rows of masks on the levels, scratch, and the query for strings one by one."""

    length: int
    tile: Array  # uint64: rows that were gathered
    steps: Array  # int64: where in the tile each row begins
    upper: Array  # uint64: the row of each symbol
    lower: Array
    found: Array  # uint64: a byte for each lane of a tile
    places: Array  # int64: where the row of each symbol begins; then eight lanes each, and what comes next
    state: Array  # uint64: of lanes of several words
    own: Any


_ROW = TILE // 8  # words
_STATE = 2 * LONGEST // WORD * ABREAST * 8
_FIXED = 2 * _ROW + 2 * _ROW + 2 * ABREAST + _STATE


def scratch(length: int) -> int:
    """Return how many 64-bit words a query of so many symbols needs, beside those to measure one by one."""
    return _FIXED + (_ROW + 4) * length


@prepare.of(UnionSpace)
def _(space: UnionSpace, queries: UnionSpace, i: int, room: Room) -> Any:
    codes = queries.codes[queries.starts[i] : queries.starts[i + 1]]
    n, words, unions = codes.shape[0], room.words, space.unions
    tile, used = words[: _ROW * (n + 2)], _ROW * (n + 2)
    found, used = words[used : used + 2 * _ROW], used + 2 * _ROW
    state, used = words[used : used + _STATE], used + _STATE
    steps, used = words[used : used + n].view(np.int64), used + n
    upper, used = words[used : used + n], used + n
    lower, used = words[used : used + n], used + n
    places, used = words[used : used + n + 2 * ABREAST].view(np.int64), used + n + 2 * ABREAST
    for j in range(n):
        steps[j] = j * TILE
        upper[j] = unions.upper[codes[j]]
        lower[j] = unions.lower[codes[j]]
    own = prepare(space.own, queries.own, i, Room(words[used:], room.frame, room.fault))
    return UnionQuery(n, tile, steps, upper, lower, found, places, state, own)


# --- bounds -------------------------------------------------------------------------------------------


@called_kernel
def bound_tops(
    unions: Unions, part: int, first: int, last: int, limit: int, query: UnionQuery, out: Array
) -> None:
    """Write bounds to the lanes `first` to `last` of the top level of a part, a byte each.

    What is written goes on beyond the last, up to the width of a tile. No bound need be more than the limit
    and one.
    """
    size, across = unions.size[part], unions.across[part]
    begin, unit, words = unions.first[TOP, part], min(size, 8), max(size // 8, 1)
    for j in range(query.length):
        query.places[j] = begin + np.int64(query.upper[j]) * words * across
    if size >= 8:
        for j in range(query.length):
            query.places[j] -= begin
        bases = query.places[query.length :]
        for lane in range(first, last, 8 * ABREAST):
            for r in range(2 * ABREAST):
                bases[r] = begin + (lane + 8 * r) * unit
            _long(
                unions.tops, bases, query, words, across, _LEAST * words * across, _MOST * words * across,
                limit, out[lane - first :],
            )  # fmt: skip
        return
    for j in range(query.length):
        query.places[j] += first * unit
    least, most = begin + _LEAST * across + first * unit, begin + _MOST * across + first * unit
    for lane in range(first, last, TILE // unit):
        _capped(unions.tops, query.places, query.length, size, least, most, out[lane - first :])
        least += TILE
        most += TILE
        for j in range(query.length):
            query.places[j] += TILE


@kernel
def at_once(size: int) -> int:
    """Return how many groups of eight lanes of so many bytes are advanced together."""
    return TILE // (8 * size) if size < 8 else ABREAST


@called_kernel
def bound_eights(
    unions: Unions, level: int, part: int, groups: Array, first: int, less: int, limit: int, query: UnionQuery
) -> int:
    """Write bounds to the eight lanes of each of a few groups, from `first` on, into ``query.found``.

    Groups are numbered within the part, once `less` is subtracted. No bound need be more than the limit and
    one. Return which group comes next.
    """
    size = unions.size[part]
    stride = unions.rows[level] * 8 * size
    if level == SINGLE:
        masks, rows = unions.singles, query.lower
    else:
        masks, rows = unions.eights, query.upper
    begin, stop = unions.first[level, part], min(first + at_once(size), groups.shape[0])
    if size >= 8:
        bases = query.places[query.length :]
        for j in range(query.length):
            query.places[j] = np.int64(rows[j]) * 8 * size
        for r in range(2 * ABREAST):
            bases[r] = begin + (groups[min(first + r, groups.shape[0] - 1)] - less) * stride
        least, most = _LEAST * 8 * size, _MOST * 8 * size
        _long(masks, bases, query, size // 8, 64, least, most, limit, query.found.view(np.uint8))
        return stop
    words = masks.view(np.uint64)
    for i in range(stop - first):
        base = (begin + (groups[first + i] - less) * stride) // 8
        if size == 1:
            _gather(words, base, rows, i, 1, query)
        elif size == 2:
            _gather(words, base, rows, i, 2, query)
        else:
            _gather(words, base, rows, i, 4, query)
    least, most = query.length * TILE, (query.length + 1) * TILE
    tile, out = query.tile.view(np.uint8), query.found.view(np.uint8)
    if (stop - first) * 8 * size <= FEW:
        _few(tile, query.steps, query.length, size, least, most, out)
    else:
        _capped(tile, query.steps, query.length, size, least, most, out)
    return stop


@kernel
def _gather(words: Array, base: int, rows: Array, i: int, size: int, query: UnionQuery) -> None:
    """Copy the rows that a query needs of eight lanes into place `i` of the tile."""
    # Unsigned, a place is not taken to count from the end of an array.
    begin, place, width = np.uint64(base), np.uint64(i * size), np.uint64(size)
    for j in range(query.length):
        _copy(words, begin + rows[j] * width, query.tile, place, size)
        place += np.uint64(_ROW)
    _copy(words, begin + np.uint64(_LEAST) * width, query.tile, place, size)
    _copy(words, begin + np.uint64(_MOST) * width, query.tile, place + np.uint64(_ROW), size)


@kernel
def _copy(words: Array, source: Any, tile: Array, place: Any, size: int) -> None:
    for w in range(size):
        tile[place + np.uint64(w)] = words[source + np.uint64(w)]


@called_kernel
def _capped(masks: Array, places: Array, length: int, size: int, least: int, most: int, out: Array) -> None:
    if size == 1:
        capped_8(masks, places, length, least, most, out)
    elif size == 2:
        capped_16(masks, places, length, least, most, out)
    else:
        capped_32(masks, places, length, least, most, out)


@called_kernel
def _long(
    masks: Array, bases: Array, query: UnionQuery, words: int, apart: int, least: int, most: int, limit: int,
    out: Array,
) -> None:  # fmt: skip
    places, length, state = query.places, query.length, query.state
    if words == 1:
        advance_one(masks, bases, places, length, words, apart, least, most, limit, state, out)
    elif words == 2:
        advance_two(masks, bases, places, length, words, apart, least, most, limit, state, out)
    else:
        advance_long(masks, bases, places, length, words, apart, least, most, limit, state, out)


@called_kernel
def _few(masks: Array, places: Array, length: int, size: int, least: int, most: int, out: Array) -> None:
    if size == 1:
        few_8(masks, places, length, least, most, out)
    elif size == 2:
        few_16(masks, places, length, least, most, out)
    else:
        few_32(masks, places, length, least, most, out)


# --- eight bytes at a time ----------------------------------------------------------------------------

_EACH, _HIGH = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
NOTHING = np.uint64(GONE) * _EACH


@kernel
def up_to(bounds: Any, most: int) -> Any:
    """Return the high bits of those of eight bytes, none above `GONE`, that are at most `most`."""
    return ~(bounds + np.uint64(GONE - most) * _EACH) & _HIGH


@kernel
def next_of(bits: Any) -> int:
    """Return the number of the byte of the lowest bit."""
    return popcount((bits & (~bits + np.uint64(1))) - np.uint64(1)) >> 3


@kernel
def without_next(bits: Any) -> Any:
    """Return the bits but the lowest."""
    return bits & (bits - np.uint64(1))


@kernel
def gone(bounds: Any, bits: Any) -> Any:
    """Return eight bytes of which those with these bits are gone."""
    return bounds | ((bits >> np.uint64(7)) * np.uint64(GONE))


@kernel
def only(count: int) -> Any:
    """Return what makes of eight bytes all but so many `GONE`, if added bit by bit."""
    return np.uint64(0) if count >= 8 else NOTHING << np.uint64(8 * max(count, 0))
