"""Edit distance on sequences of any kind and length: bit-parallel where every edit costs 1.

Myers (1999), in the form of Hyyrö (2003): a column of the dynamic programme is held as the bits of its
vertical differences, 64 rows a word, and each symbol of the text advances the column by a few operations
a word. The query is the pattern, so its match masks are made once.

With costs of their own (Sellers 1974) the rows of the same programme are held as numbers, and only the
band that a path within the limit can reach (Ukkonen 1985).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..bounds import Slack
from ..costs import BLANK, OTHER, EditCosts, Given
from ..ids import Positions
from ..kernels import Array, kernel
from ..lanes import SCRATCH, LaneSpace, by_length, bytes_in_lanes, in_lanes
from ..laws import TRIANGLE, Metric, register
from ..objects import Objects, Sequences, sequences_of
from ..simd.counts import popcount
from ..space import Room, at_least, prepare, within

_ONE = np.uint64(1)
_ALL = ~np.uint64(0)
_LAST = np.uint64(63)
_AGAIN = 27  # how far apart the bits of a symbol's occurrences lie: past the other letters of English


class LevenshteinSpace(NamedTuple):
    """Sequences as ragged codes below `alphabet`."""

    starts: Array
    codes: Array
    alphabet: int
    marks: Array  # the signature of each sequence, see `_sign`


class Pattern(NamedTuple):
    """A query: where each code stands in it, and the column that advances over a text."""

    matches: Array  # (alphabet · blocks): bit i of a code's masks is set where the query has that code
    column: Array  # (2 · blocks): where the column rises, then where it falls
    length: int
    blocks: int
    mark: int  # its signature


@prepare.of(LevenshteinSpace)
def _(space: LevenshteinSpace, queries: LevenshteinSpace, i: int, room: Room) -> Any:
    first = queries.starts[i]
    length = queries.starts[i + 1] - first
    blocks = (length + 63) // 64
    matches = room.words[: space.alphabet * blocks]
    matches[:] = np.uint64(0)
    for j in range(length):
        code = queries.codes[first + j]
        if code != 0:  # a symbol of no indexed sequence matches nothing
            matches[code * blocks + j // 64] |= _ONE << np.uint64(j % 64)
    column = room.words[matches.shape[0] : matches.shape[0] + 2 * blocks]
    return Pattern(matches, column, length, blocks, queries.marks[i])


@at_least.of(LevenshteinSpace)
def _(space: LevenshteinSpace, i: int, query: Any) -> float:
    lengths = abs(space.starts[i + 1] - space.starts[i] - query.length)
    gone, come = popcount(query.mark & ~space.marks[i]), popcount(space.marks[i] & ~query.mark)
    return np.float64(max(lengths, gone, come))


@kernel
def _sign(starts: Array, codes: Array, seen: Array, marks: Array) -> None:
    """Write the signature of each sequence: a bit for each of its symbols, another where one occurs again.

    Say that the k-th occurrence of a symbol is an item; a bit is set where some item has its number. Whatever
    symbol an edit takes away, one item goes, that of its last occurrence, and whatever it puts in, one item
    comes. So an edit clears one bit at most and sets one at most, and a distance is not below the number of
    bits that are to be cleared, nor below that of bits to be set. Symbols that share a code or a number can
    only hide differences.
    """
    for i in range(marks.shape[0]):
        mark = np.uint64(0)
        for j in range(starts[i], starts[i + 1]):
            mark |= _ONE << np.uint64((codes[j] + _AGAIN * seen[codes[j]]) % 64)
            seen[codes[j]] += 1
        for j in range(starts[i], starts[i + 1]):
            seen[codes[j]] = 0
        marks[i] = mark


@within.of(LevenshteinSpace)
def _(space: LevenshteinSpace, i: int, query: Any, limit: float) -> float:
    first, stop = space.starts[i], space.starts[i + 1]
    if query.length == 0:
        return np.float64(stop - first)
    if query.blocks == 1:
        return np.float64(_one_word(space.codes, first, stop, query, limit))
    return np.float64(_many_words(space.codes, first, stop, query, limit))


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
        if score - (stop - 1 - j) > limit:  # each symbol to come lowers the score by one at most
            return score - (stop - 1 - j)
        rises = down | ~(diagonal | up)
        falls = up & diagonal
    return score


@kernel
def _many_words(codes: Array, first: int, stop: int, query: Any, limit: float) -> int:
    """Advance only the words that a path within the limit can reach (the band of Ukkonen 1985).

    Beyond the band the column is taken to rise with every row, and the row above it with every symbol: no
    value is then too small, and none on a path within the limit is changed.
    """
    blocks, length, size = query.blocks, query.length, stop - first
    edits = np.int64(min(limit, np.float64(size + length)))
    if abs(size - length) > edits:
        return abs(size - length)
    # Going aside by more than these from the diagonal, and back, takes too many insertions and deletions.
    under = (edits + length - size) // 2
    over = (edits + size - length) // 2
    last = -1
    bottom = 0  # rows down to the end of the last word
    score = 0  # the value in that row
    for j in range(size):
        while bottom < length and bottom <= j + under:
            last += 1
            query.column[last] = _ALL
            query.column[blocks + last] = np.uint64(0)
            score += min(64, length - bottom)
            bottom = min(bottom + 64, length)
        row = codes[first + j] * blocks
        start = max(j - over, 0) >> 6
        if start == 0 and last == blocks - 1:  # a tighter loop: a quarter less time for two words
            score += _advance(query, row, 0, blocks, bottom)
        else:
            score += _advance(query, row, start, last + 1, bottom)
        # From any row i above, at a value of score − (bottom − i) or more, (length − i) − (symbols to come)
        # at least is still to be added.
        least = score + (length - bottom) - (size - 1 - j)
        if least > limit:
            return least
    return score + (length - bottom)  # of an empty sequence no row was reached


@kernel
def _advance(query: Any, row: int, start: int, stop: int, bottom: int) -> int:
    """Advance some words by one symbol, and return by how much the value in row `bottom` changes."""
    last_row = np.uint64(bottom - 1) & _LAST
    change: Any = 0
    carry_up = _ONE
    carry_down = np.uint64(0)
    for b in range(start, stop):
        rises = query.column[b]
        falls = query.column[query.blocks + b]
        match = query.matches[row + b] | carry_down
        diagonal = (((match & rises) + rises) ^ rises) | match | falls
        up = falls | ~(diagonal | rises)
        down = diagonal & rises
        if b == stop - 1:
            change = np.int64((up >> last_row) & _ONE) - np.int64((down >> last_row) & _ONE)
        next_up = up >> _LAST
        next_down = down >> _LAST
        up = (up << _ONE) | carry_up
        down = (down << _ONE) | carry_down
        query.column[b] = down | ~(diagonal | up)
        query.column[query.blocks + b] = up & diagonal
        carry_up = next_up
        carry_down = next_down
    return change


# --- costs of their own --------------------------------------------------------------------------------


class WeightedSpace(NamedTuple):
    """Sequences as ragged codes, and what edits of them cost."""

    starts: Array
    codes: Array
    rows: Array  # the row of the table of each code
    table: Array  # cost of replacing a symbol by a different one, or by the blank
    least: float  # the cheapest insertion


class WeightedQuery(NamedTuple):
    """A query, its rows of the table, and the row of the programme that advances over a sequence."""

    codes: Array
    rows: Array  # int64
    blanks: Array  # what inserting each symbol costs
    above: Array  # (length + 1)


@prepare.of(WeightedSpace)
def _(space: WeightedSpace, queries: WeightedSpace, i: int, room: Room) -> Any:
    codes = queries.codes[queries.starts[i] : queries.starts[i + 1]]
    length = codes.shape[0]
    rows = room.words[:length].view(np.int64)
    blanks = room.words[length : 2 * length].view(np.float64)
    above = room.words[2 * length : 3 * length + 1].view(np.float64)
    for j in range(length):
        rows[j] = space.rows[codes[j]]
        blanks[j] = space.table[rows[j], BLANK]
    return WeightedQuery(codes, rows, blanks, above)


@at_least.of(WeightedSpace)
def _(space: WeightedSpace, i: int, query: Any) -> float:
    size, length = space.starts[i + 1] - space.starts[i], query.codes.shape[0]
    # Each of size + length additions may have rounded the distance down, and so do this product's two.
    return abs(size - length) * space.least * (1 - (size + length + 2) * 2.0**-52)


@within.of(WeightedSpace)
def _(space: WeightedSpace, i: int, query: Any, limit: float) -> float:
    first, length = space.starts[i], query.codes.shape[0]
    size = space.starts[i + 1] - first
    # So many insertions and deletions are within the limit; one more makes up for the rounding of the sums
    # of up to 2²⁶ symbols.
    edits = np.int64(min(limit / space.least, np.float64(size + length))) + 1
    if abs(size - length) > edits:
        return max(limit, 0.0) + space.least
    # Going aside by more than these from the diagonal, and back, takes too many.
    right = (edits + length - size) // 2
    left = (edits + size - length) // 2
    above = query.above
    above[0] = 0.0
    for j in range(min(right, length)):
        above[j + 1] = above[j] + query.blanks[j]
    for k in range(size):
        code = space.codes[first + k]
        row = space.rows[code]
        blank = space.table[row, BLANK]
        start, stop = max(k - left, 0), min(k + 1 + right, length)
        if k + 1 + right <= length:
            above[stop] = np.inf  # beyond the band in the row above
        diagonal = above[start]
        value = diagonal + blank if k < left else np.inf
        above[start] = value
        least = value
        for j in range(start, stop):
            replaced = diagonal if query.codes[j] == code else diagonal + space.table[row, query.rows[j]]
            diagonal = above[j + 1]
            value = min(min(diagonal + blank, replaced), value + query.blanks[j])
            above[j + 1] = value
            least = min(least, value)
        if least > limit:  # every path crosses this row
            return least
    return above[length]


# --- the metric ----------------------------------------------------------------------------------------


def _sequences(objects: Objects) -> Sequences:
    assert isinstance(objects, Sequences)
    return objects


def _signatures(objects: Sequences) -> npt.NDArray[np.uint64]:
    marks = np.zeros(len(objects), np.uint64)
    _sign(objects.starts, objects.codes, np.zeros(objects.alphabet, np.int64), marks)
    return marks


def _lanes(objects: Sequences) -> tuple[Any, ...]:
    return in_lanes(objects.starts, objects.codes, objects.alphabet)


class Levenshtein(Metric):
    """The least number of insertions, deletions and replacements that turn one sequence into the other."""

    hot = batched = True
    edits = 1.0, 1.0
    function = None

    def __init__(self) -> None:
        self.name, self.laws = "levenshtein", TRIANGLE

    def objects(self, data: Any) -> Objects:
        return sequences_of(data)

    def space(self, objects: Objects) -> Any:
        held = _sequences(objects)
        return LevenshteinSpace(held.starts, held.codes, held.alphabet, held.derived(_signatures))

    def bytes_derived(self, objects: Objects, scan: bool = False) -> int:
        held = _sequences(objects)
        lanes = bytes_in_lanes(held.starts, held.codes, held.alphabet) if scan else 0
        return 8 * len(held) + lanes

    def greatest(self, queries: Objects, objects: Objects) -> int:
        return max(_sequences(queries).longest, _sequences(objects).longest)

    def words(self, queries: Objects) -> int:
        held = _sequences(queries)
        return (held.longest + 63) // 64 * (held.alphabet + 2) + held.longest + SCRATCH

    def arranged(self, objects: Objects) -> Positions | None:
        held = _sequences(objects)
        return by_length(held.starts, held.codes)

    def scanned(self, objects: Objects) -> Any:
        plain, lanes = self.space(objects), _sequences(objects).derived(_lanes)
        return LaneSpace(lanes[0], lanes[1], plain) if lanes else plain

    def error(self, objects: Objects) -> Slack:
        return Slack(0.0, 0.0)


class WeightedLevenshtein(Metric):
    """The least total cost of the edits that turn one sequence into the other."""

    function = None

    def __init__(self, costs: EditCosts) -> None:
        self.name, self.laws = "levenshtein", TRIANGLE
        self.costs, self.edits = costs, costs.extent

    @property
    def params(self) -> dict[str, Any]:
        return self.costs.params

    def objects(self, data: Any) -> Objects:
        # The queries' symbols that are listed must not be taken for others because no object has them.
        return sequences_of(data, self.costs.symbols)

    def space(self, objects: Objects) -> Any:
        held, table = _sequences(objects), self.costs.table
        rows = np.full(held.alphabet, OTHER)
        for row, symbol in enumerate(self.costs.symbols, OTHER + 1):
            rows[held.vocabulary[held.symbol(symbol)]] = row
        return WeightedSpace(held.starts, held.codes, rows, table, float(table[OTHER:, BLANK].min()))

    def words(self, queries: Objects) -> int:
        return 3 * _sequences(queries).longest + 1

    def error(self, objects: Objects) -> Slack:
        # One addition an edit, no more than both sequences have symbols, of which a query may have 2²².
        return Slack((_sequences(objects).longest + 2.0**22) * 2.0**-53, 0.0)


@register("levenshtein", "edit")
def levenshtein(
    costs: Given | None = None, replace: float = 1.0, insert: float = 1.0
) -> Levenshtein | WeightedLevenshtein:
    """Return the edit distance of strings, bytes, or sequences of hashable tokens.

    Strings are compared by Unicode code points; normalise them first if that matters.

    Parameters
    ----------
    costs : mapping of (symbol, symbol) to float, or triples (symbol, symbol, cost), optional
        What replacing one by the other costs, either way; (symbol, None) is what inserting or deleting the
        symbol costs. Symbols are characters, numbers below 256 for bytes, or tokens.
    replace, insert : float
        The costs of all other replacements; of all other insertions and deletions.

    Raises
    ------
    NotAMetric
        If the costs are no metric, and so the distance is none.

    References
    ----------
    Levenshtein, Binary codes capable of correcting deletions, insertions, and reversals, Soviet Physics
    Doklady 10, 1966. Sellers, On the theory and computation of evolutionary distances, SIAM Journal on
    Applied Mathematics 26, 1974.
    """
    checked = EditCosts(costs, replace, insert)
    return Levenshtein() if checked.unit else WeightedLevenshtein(checked)
