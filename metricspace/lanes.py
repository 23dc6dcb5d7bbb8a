"""Edit distances of one text to many stored strings at once.

Idea
    In Myers' recurrence (1999; Hyyrö 2003) a column of the dynamic programme is a word of bits, one for
    each symbol of the pattern. Here the stored strings are the patterns: their words lie side by side in
    lanes of a vector, and one step for a symbol of the query advances them all. What a step needs, the
    places of that symbol in each string, is one row of masks, made once for the stored strings. Several
    hundred strings take about as long as two or three do one by one.

Arrays
    Strings lie in blocks of `BLOCK`. The lanes of a block are as wide as its longest string, so strings
    should be put in order of length. A block keeps rows of masks only for the symbols that occur in it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .kernels import Array, kernel
from .simd import TILE, advance_8, advance_16, advance_32, advance_64
from .space import BLOCK

LONGEST = 64  # symbols of a string that fits into a lane
WORDS = BLOCK // 8  # of scratch beside one for each symbol of the query

_NOWHERE, _PLACES, _SYMBOLS = (
    0,
    1,
    2,
)  # rows of masks: of symbols that do not occur, all places, the first symbol


class Lanes(NamedTuple):
    """Blocks of strings, side by side."""

    bits: Array  # by block: the width of its lanes, 0 where a string is too long for any
    shortest: Array  # by block: least length
    longest: Array  # by block: greatest length
    first: Array  # by block: where its masks begin
    row: Array  # uint16 (blocks, alphabet): the row of each symbol, counted within the block
    masks: Array  # uint8


def laid_out(
    starts: npt.NDArray[np.int64], codes: npt.NDArray[Any], alphabet: int, most: int
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
    """
    lengths = np.diff(starts)
    blocks = -(-len(lengths) // BLOCK)
    edges = np.arange(0, len(lengths), BLOCK)
    shortest, longest = (np.asarray(ends.reduceat(lengths, edges)) for ends in (np.minimum, np.maximum))
    bits = np.where(
        longest > LONGEST, 0, np.maximum(8, 2 ** np.ceil(np.log2(np.maximum(longest, 1))))
    ).astype(np.int64)
    if 2 * blocks * alphabet > most:
        return None
    row = np.zeros((blocks, alphabet), np.uint16)
    rows = np.zeros(blocks, np.int64)
    _number(starts, codes, bits, row, rows)
    sizes = rows * (BLOCK * bits // 8)
    if sizes.sum() + row.nbytes > most or rows.max() > np.iinfo(np.uint16).max:
        return None
    first = np.concatenate([[0], np.cumsum(sizes)])
    masks = _aligned(int(first[-1]))
    lanes = Lanes(bits, shortest, longest, first[:-1].copy(), row, masks)
    _fill(starts, codes, lanes)
    return lanes


def _aligned(size: int) -> npt.NDArray[np.uint8]:
    """Return zeroed bytes that begin at a multiple of a register's width."""
    held = np.zeros(size + 64, np.uint8)
    return held[-held.ctypes.data % 64 :][:size]


@kernel
def _number(starts: Array, codes: Array, bits: Array, row: Array, rows: Array) -> None:
    """Give each symbol of a block its row, in the order in which they occur."""
    for block in range(bits.shape[0]):
        if bits[block] == 0:
            continue
        used = _SYMBOLS
        last = min((block + 1) * BLOCK, starts.shape[0] - 1)
        for place in range(starts[block * BLOCK], starts[last]):
            if codes[place] != 0 and row[block, codes[place]] == _NOWHERE:
                row[block, codes[place]] = used
                used += 1
        rows[block] = used


@kernel
def _fill(starts: Array, codes: Array, lanes: Lanes) -> None:
    """Set, in each string's lane, the bits of its symbols' places."""
    for i in range(starts.shape[0] - 1):
        block = i // BLOCK
        size = lanes.bits[block] // 8
        if size == 0:
            continue
        lane = lanes.first[block] + (i % BLOCK) * size
        for k in range(starts[i + 1] - starts[i]):
            bit = np.uint8(1 << k % 8)
            lanes.masks[lane + _PLACES * BLOCK * size + k // 8] |= bit
            row = np.int64(lanes.row[block, codes[starts[i] + k]])
            if row != _NOWHERE:
                lanes.masks[lane + row * BLOCK * size + k // 8] |= bit


@kernel
def out_of_reach(lanes: Lanes, block: int, length: int, limit: float) -> bool:
    """Whether the lengths alone put every string of a block beyond a limit."""
    return lanes.shortest[block] - length > limit or length - lanes.longest[block] > limit


@kernel
def advance(lanes: Lanes, block: int, query: Array, offsets: Array, changes: Array) -> None:
    """Write the edit distances of a query to the strings of a block, less the length of the query.

    ``offsets`` (int64) has a place for each symbol of the query, ``changes`` (int8) for each string; those
    beyond the last string get any value.
    """
    bits, length = lanes.bits[block], query.shape[0]
    size = bits // 8  # bytes of a lane, and so many tiles make a block
    for j in range(length):
        row = np.int64(lanes.row[block, query[j]])
        offsets[j] = lanes.first[block] + row * BLOCK * size
    places = lanes.first[block] + _PLACES * BLOCK * size
    for tile in range(size):
        part = changes[tile * (BLOCK // size) :]
        if bits == 8:
            advance_8(lanes.masks, offsets, length, places, part)
        elif bits == 16:
            advance_16(lanes.masks, offsets, length, places, part)
        elif bits == 32:
            advance_32(lanes.masks, offsets, length, places, part)
        else:
            advance_64(lanes.masks, offsets, length, places, part)
        places += TILE
        for j in range(length):
            offsets[j] += TILE


@kernel
def count_up_to(changes: Array, limit: float) -> int:
    """Return how many of some whole numbers between −64 and 64 are at most `limit`."""
    most = np.int8(min(max(np.floor(limit), -128.0), 127.0))
    count = 0
    for j in range(changes.shape[0]):
        count += changes[j] <= most
    return count
