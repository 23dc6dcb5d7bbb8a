"""Levenshtein distance on Unicode strings of any length, bit-parallel.

Myers (1999), in the form of Hyyrö (2003): a column of the dynamic programme is held as the bits of its
vertical differences, 64 rows a word, and each symbol of the text advances the column by a few operations
a word. The query is the pattern, so its match masks are made once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..bounds import Slack
from ..ids import Positions
from ..kernels import Array, kernel
from ..lanes import Lanes, advance, count_up_to, laid_out, out_of_reach
from ..laws import TRIANGLE, Metric, register
from ..objects import Objects, Strings
from ..space import BLOCK, Room, at_least, batches, estimates, home, prepare, within

_ONE = np.uint64(1)
_ALL = ~np.uint64(0)
_LAST = np.uint64(63)


class LevenshteinSpace(NamedTuple):
    """Strings as ragged codes below `alphabet`."""

    starts: Array
    codes: Array
    alphabet: int


class Pattern(NamedTuple):
    """A query: where each code stands in it, and the column that advances over a text."""

    matches: Array  # (alphabet · blocks): bit i of a code's masks is set where the query has that code
    column: Array  # (2 · blocks): where the column rises, then where it falls
    length: int
    blocks: int


@prepare.of(LevenshteinSpace)
def _(space: LevenshteinSpace, queries: LevenshteinSpace, i: int, room: Room) -> Any:
    first = queries.starts[i]
    length = queries.starts[i + 1] - first
    blocks = (length + 63) // 64
    matches = room.words[: space.alphabet * blocks]
    matches[:] = np.uint64(0)
    for j in range(length):
        code = queries.codes[first + j]
        if code != 0:  # a symbol of no indexed string matches nothing
            matches[code * blocks + j // 64] |= _ONE << np.uint64(j % 64)
    column = room.words[matches.shape[0] : matches.shape[0] + 2 * blocks]
    return Pattern(matches, column, length, blocks)


@at_least.of(LevenshteinSpace)
def _(space: LevenshteinSpace, i: int, query: Any) -> float:
    return np.float64(abs(space.starts[i + 1] - space.starts[i] - query.length))


@within.of(LevenshteinSpace)
def _(space: LevenshteinSpace, i: int, query: Any, limit: float) -> float:
    first, stop = space.starts[i], space.starts[i + 1]
    if query.length == 0:
        return np.float64(stop - first)
    if query.blocks == 1:
        return np.float64(_one_word(space.codes, first, stop, query, limit))
    return np.float64(_many_words(space.codes, first, stop, query, limit))


# In both, what is read so far bounds the whole: each symbol to come lowers the score by one at most.


@kernel
def _one_word(codes: Array, first: int, stop: int, query: Any, limit: float) -> int:
    rises = _ALL
    falls = np.uint64(0)
    last_row = _ONE << np.uint64(query.length - 1)
    score = query.length
    for j in range(first, stop):
        match = query.matches[codes[j]]
        diagonal = (((match & rises) + rises) ^ rises) | match | falls
        up = falls | ~(diagonal | rises)
        down = diagonal & rises
        score += np.int64((up & last_row) != 0) - np.int64((down & last_row) != 0)
        up = (up << _ONE) | _ONE  # the first row grows by one with every symbol
        down = down << _ONE
        if score - (stop - 1 - j) > limit:
            return score - (stop - 1 - j)
        rises = down | ~(diagonal | up)
        falls = up & diagonal
    return score


@kernel
def _many_words(codes: Array, first: int, stop: int, query: Any, limit: float) -> int:
    blocks = query.blocks
    for b in range(blocks):
        query.column[b] = _ALL
        query.column[blocks + b] = np.uint64(0)
    last_row = np.uint64((query.length - 1) % 64)
    score = query.length
    for j in range(first, stop):
        row = codes[j] * blocks
        carry_up = _ONE
        carry_down = np.uint64(0)
        for b in range(blocks):
            rises = query.column[b]
            falls = query.column[blocks + b]
            match = query.matches[row + b] | carry_down
            diagonal = (((match & rises) + rises) ^ rises) | match | falls
            up = falls | ~(diagonal | rises)
            down = diagonal & rises
            if b == blocks - 1:
                score += np.int64((up >> last_row) & _ONE) - np.int64((down >> last_row) & _ONE)
            next_up = up >> _LAST
            next_down = down >> _LAST
            up = (up << _ONE) | carry_up
            down = (down << _ONE) | carry_down
            query.column[b] = down | ~(diagonal | up)
            query.column[blocks + b] = up & diagonal
            carry_up = next_up
            carry_down = next_down
        if score - (stop - 1 - j) > limit:
            return score - (stop - 1 - j)
    return score


# --- in lanes, for scans ------------------------------------------------------------------------------


GROUP = 8  # strings that share a lane of the bounds


class LaneSpace(NamedTuple):
    """Strings in lanes, groups of them in lanes, and as they are for those that are too long."""

    lanes: Lanes
    groups: Lanes
    plain: LevenshteinSpace


class LaneQuery(NamedTuple):
    """A query in codes, scratch for the lanes, and the query for strings one by one."""

    codes: Array
    offsets: Array  # int64
    changes: Array  # int8: to a block of strings
    bounds: Array  # int8: to a block of groups
    bounded: Array  # int64 (1,): which block of groups that is
    home: int  # the first string in the first block that reaches its length
    pattern: Pattern


_BYTES = BLOCK // 8  # words that hold a byte for each of a block
SCRATCH = 2 * _BYTES + 1


@prepare.of(LaneSpace)
def _(space: LaneSpace, queries: LevenshteinSpace, i: int, room: Room) -> Any:
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


@within.of(LaneSpace)
def _(space: LaneSpace, i: int, query: Any, limit: float) -> float:
    return within(space.plain, i, query.pattern, limit)


@batches.of(LaneSpace)
def _(space: LaneSpace) -> bool:
    return True


@estimates.of(LaneSpace)
def _(space: LaneSpace, first: int, query: Any, limit: float, out: Array) -> tuple[int, int, int]:
    block, length = first // BLOCK, query.codes.shape[0]
    if space.lanes.bits[block] == 0:
        return estimates(space.plain, first, query.pattern, limit, out)
    if out_of_reach(space.lanes, block, length, limit):
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
    near = count_up_to(query.changes[: out.shape[0]], limit - length)
    if near > 0:
        for j in range(out.shape[0]):
            out[j] = np.float64(length + query.changes[j])
    return out.shape[0], near, bounds


def _lanes(objects: Objects) -> tuple[Lanes, Lanes] | None:
    """Return strings in lanes, one by one and in groups, unless that takes far more than the strings."""
    assert isinstance(objects, Strings)
    # Dozens of symbols take some 60 bytes for each of a string; thousands of them could take far more.
    most = 256 * objects.codes.nbytes + 2**20
    made = [
        laid_out(objects.starts, objects.codes, len(objects.symbols), most, group) for group in (1, GROUP)
    ]
    return None if made[0] is None or made[1] is None else (made[0], made[1])


def _by_length_and_end(starts: npt.NDArray[np.int64], codes: npt.NDArray[Any]) -> Positions:
    """Return an order by length, then by the last symbols: strings that end alike lie together."""
    lengths = np.diff(starts)
    ends = [np.where(lengths > k, codes[np.maximum(starts[1:] - 1 - k, 0)], 0) for k in range(8)]
    return np.lexsort([*ends[::-1], lengths])


@register("levenshtein", "edit")
class Levenshtein(Metric):
    """The least number of insertions, deletions and substitutions that turn one string into the other.

    Strings are compared by Unicode code points; normalise them first if that matters.
    """

    hot = batched = True
    function = None

    def __init__(self) -> None:
        self.name, self.laws = "levenshtein", TRIANGLE

    def objects(self, data: Any) -> Objects:
        return Strings.of(data)

    def space(self, objects: Objects) -> Any:
        assert isinstance(objects, Strings)
        return LevenshteinSpace(objects.starts, objects.codes, len(objects.symbols))

    def words(self, queries: Objects) -> int:
        assert isinstance(queries, Strings)
        blocks = (queries.longest + 63) // 64
        return blocks * (len(queries.symbols) + 2) + queries.longest + SCRATCH

    def arranged(self, objects: Objects) -> Positions | None:
        assert isinstance(objects, Strings)
        return _by_length_and_end(objects.starts, objects.codes) if len(objects.codes) else None

    def scanned(self, objects: Objects) -> Any:
        plain, lanes = self.space(objects), objects.derived(_lanes)
        return plain if lanes is None else LaneSpace(*lanes, plain)

    def error(self, objects: Objects) -> Slack:
        return Slack(0.0, 0.0)
