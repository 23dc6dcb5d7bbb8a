"""Myers' recurrence for many patterns side by side (Myers, J. ACM 46, 1999), in lanes of a register."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..kernels import Array, kernel
from .counts import popcount
from .vectors import INDEX, VECTORS, WIDTH, fetch

TILE = 512  # bytes of masks for one symbol: eight registers of 64, whose steps do not wait for each other
FEW = 128  # so many where few patterns are left


FAR = 126  # what distances are capped at: with one more value they fit into seven bits


def _advance(bits: int, capped: bool = False, tile: int = TILE) -> Any:
    """Return a function that advances ``8 · tile / bits`` patterns of at most `bits` symbols over one text.

    It takes rows of masks as bytes, where the row of each symbol of the text begins, how many symbols
    there are, where the two rows begin in which each pattern's own places are set, and where to write, for
    each pattern, its edit distance to the text less the length of the text. The two rows are the same but for
    patterns that stand for several strings: the places of the shortest, then those of the longest.

    Capped, it writes the distances themselves, no less than 0 and no more than `FAR`.
    """
    lanes = 8 * WIDTH // bits
    lane, byte = ir.IntType(bits), ir.IntType(8)
    vector, narrow = ir.VectorType(lane, lanes), ir.VectorType(byte, lanes)

    @intrinsic
    def advance(typing: Any, masks: Any, offsets: Any, length: Any, least: Any, most: Any, out: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def data(k: int) -> Any:
                return context.make_array(signature.args[k])(context, builder, arguments[k]).data

            def register(base: Any, r: int) -> Any:
                place = builder.gep(base, [ir.Constant(INDEX, r * WIDTH)])
                return builder.load(builder.bitcast(place, vector.as_pointer()), align=1)

            registers = range(tile // WIDTH)
            ones, zeros = ir.Constant(vector, [(1 << bits) - 1] * lanes), ir.Constant(vector, None)
            rises = [cgutils.alloca_once_value(builder, ones) for _ in registers]
            falls = [cgutils.alloca_once_value(builder, zeros) for _ in registers]

            def step(j: Any, before: Callable[[int], tuple[Any, Any]]) -> None:
                row = builder.gep(data(0), [builder.load(builder.gep(data(1), [j]))])
                for r in registers:
                    match, (rise, fall) = register(row, r), before(r)
                    # The carries of the sum are where the row falls, moved on by one, and where they set out
                    # from is marked in the match already: nothing else of the sum is needed.
                    matched = builder.and_(match, rise)
                    down = builder.xor(builder.xor(builder.add(matched, rise), rise), matched)
                    diagonal = builder.or_(builder.or_(down, match), fall)
                    # Where the row does not rise: its complement needs no bit set when it is shifted.
                    level = builder.and_(builder.or_(diagonal, rise), builder.not_(fall))
                    level = builder.add(level, level)
                    builder.store(builder.or_(down, builder.and_(level, builder.not_(diagonal))), rises[r])
                    builder.store(builder.and_(diagonal, builder.not_(level)), falls[r])

            begin, one = ir.Constant(INDEX, 0), ir.Constant(INDEX, 1)
            # Of a first step, from a column that is known, the compiler leaves half of the operations.
            with builder.if_then(builder.icmp_signed(">", arguments[2], begin)):
                step(begin, lambda r: (ones, zeros))
            with cgutils.for_range_slice(builder, one, arguments[2], one) as (j, _):
                step(j, lambda r: (builder.load(rises[r]), builder.load(falls[r])))
            count = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector]), f"llvm.ctpop.v{lanes}i{bits}"
            )
            least, most = (builder.gep(data(0), [arguments[k]]) for k in (3, 4))
            for r in registers:
                up = builder.call(count, [builder.and_(builder.load(rises[r]), register(least, r))])
                down = builder.call(count, [builder.and_(builder.load(falls[r]), register(most, r))])
                change = _capped(builder, up, down, arguments[2]) if capped else builder.sub(up, down)
                change = change if bits == 8 else builder.trunc(change, narrow)
                place = builder.gep(data(5), [ir.Constant(INDEX, r * lanes)])
                builder.store(change, builder.bitcast(place, narrow.as_pointer()), align=1)
            return context.get_dummy_value()

        return types.void(masks, offsets, types.int64, types.int64, types.int64, out), generate

    return advance


def _capped(builder: Any, up: Any, down: Any, length: Any, longest: int | None = 64) -> Any:
    """Return length + up − down, from 0 to `FAR`, in each lane; no pattern is longer than `longest`."""
    kind = up.type
    if longest is not None:
        # Any length beyond this gives `FAR`, and so a byte does not overflow.
        most = ir.Constant(INDEX, FAR + longest)
        length = builder.select(builder.icmp_signed("<", length, most), length, most)
    length = length if kind.element.width == 64 else builder.trunc(length, kind.element)
    total = builder.add(up, _all_lanes(builder, length, kind))
    difference = builder.sub(total, down)
    positive = builder.icmp_unsigned(">", total, down)
    difference = builder.select(positive, difference, ir.Constant(kind, None))
    return _lesser(builder, difference, ir.Constant(kind, [FAR] * kind.count))


def _lesser(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.icmp_unsigned("<", a, b), a, b)


def _all_lanes(builder: Any, value: Any, kind: Any) -> Any:
    """Return a vector with a value in each lane."""
    none, first = ir.Constant(kind, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    one = builder.insert_element(none, value, first)
    return builder.shuffle_vector(one, none, ir.Constant(ir.VectorType(ir.IntType(32), kind.count), None))


def _plain_advance(bits: int, capped: bool = False, tile: int = TILE) -> Any:
    """Return a function that does for one pattern after the other what `_advance` does for all."""
    size, one, full = bits // 8, np.uint64(1), np.uint64((1 << bits) - 1)

    @kernel
    def lane(masks: Array, first: int) -> Any:
        value = np.uint64(0)
        for k in range(size):
            value |= np.uint64(masks[first + k]) << np.uint64(8 * k)
        return value

    @kernel
    def advance(masks: Array, offsets: Array, length: int, least: int, most: int, out: Array) -> None:
        for pattern in range(tile // size):
            rises, falls = full, np.uint64(0)
            for j in range(length):
                match = lane(masks, offsets[j] + pattern * size)
                diagonal = (((((match & rises) + rises) & full) ^ rises) | match) | falls
                up = falls | (full & ~(diagonal | rises))
                down = ((diagonal & rises) << one) & full
                up = ((up << one) & full) | one
                rises = down | (full & ~(diagonal | up))
                falls = up & diagonal
            rises &= lane(masks, least + pattern * size)
            falls &= lane(masks, most + pattern * size)
            change = 0
            for k in range(bits):
                bit = one << np.uint64(k)
                change += int(rises & bit != 0) - int(falls & bit != 0)
            out[pattern] = min(max(length + change, 0), FAR) if capped else change

    return advance


# --- patterns of several words -------------------------------------------------------------------------

ABREAST = 4  # registers of patterns that are advanced together
WORD = 64  # symbols of a pattern that a register holds


def _advance_long(fixed: int | None = None) -> Any:
    """Return a function that advances ``ABREAST`` times eight patterns of several words over one text.

    It takes rows of masks as bytes, where those of each eight patterns begin, and of those that come next,
    whose rows it fetches meanwhile, how far from there the row of each symbol is, how many symbols there are,
    how many words a pattern has and how far they lie apart, how far the two rows are in which each pattern's
    own places are set, a limit, words of scratch, ``2 · 8 · ABREAST`` for each word of a pattern, and where
    to write the distances, capped. What is beyond the limit may be written as one more than that.

    Cells of the matrix that are farther from the diagonal than the limit are on no way within it (Ukkonen,
    Information and Control 64, 1985), so words that have no others are passed over: a column rises there by
    one with each symbol, or has risen by one with each symbol of the text.

    If the number of words is fixed beforehand, columns are held in registers.
    """
    lane, byte, lanes = ir.IntType(64), ir.IntType(8), WIDTH // 8
    vector, narrow = ir.VectorType(lane, lanes), ir.VectorType(byte, lanes)

    @intrinsic
    def advance(
        typing: Any, masks: Any, bases: Any, rows: Any, length: Any, words: Any, apart: Any,
        least: Any, most: Any, limit: Any, state: Any, out: Any,
    ) -> Any:  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def data(k: int) -> Any:
                return context.make_array(signature.args[k])(context, builder, arguments[k]).data

            def whole(k: int) -> Any:
                return ir.Constant(INDEX, k)

            def constant(k: int) -> Any:
                return ir.Constant(vector, [k] * lanes)

            registers, one, none, ones = range(ABREAST), constant(1), constant(0), constant((1 << 64) - 1)
            band = arguments[8]
            begins = [
                builder.gep(data(0), [builder.load(builder.gep(data(1), [whole(r)]))])
                for r in range(2 * ABREAST)
            ]
            first, coming = begins[:ABREAST], begins[ABREAST:]
            columns = [
                [[cgutils.alloca_once(builder, vector) for _ in (0, 1)] for _ in registers]
                for _ in range(fixed or 0)
            ]

            def each_word(from_word: Any, up_to: Any) -> Iterator[tuple[Any, Callable[[int, int], Any]]]:
                """Yield the number of each, and where is kept that the column rises and falls there."""
                if fixed == 1:
                    yield whole(0), functools.partial(_entry, columns[0])
                    return
                if fixed:
                    for number, column in enumerate(columns):
                        reached = builder.icmp_signed("<=", from_word, whole(number))
                        reached = builder.and_(reached, builder.icmp_signed(">", up_to, whole(number)))
                        with builder.if_then(reached):
                            yield whole(number), functools.partial(_entry, column)
                    return
                with cgutils.for_range_slice(builder, from_word, up_to, whole(1)) as (word, _):

                    def kept(r: int, falls: int) -> Any:
                        number = builder.add(builder.mul(word, whole(2 * ABREAST)), whole(2 * r + falls))
                        place = builder.gep(data(9), [builder.mul(number, whole(lanes))])
                        return builder.bitcast(place, vector.as_pointer())

                    yield word, kept

            def words_about(j: Any) -> tuple[Any, Any]:
                """Return the first word with cells near the diagonal, and the first after the last."""
                low, high = builder.sub(j, band), builder.add(j, whole(WORD))
                high = builder.add(high, band)
                low = builder.select(builder.icmp_signed(">", low, whole(0)), low, whole(0))
                low, high = (builder.ashr(place, whole(WORD.bit_length() - 1)) for place in (low, high))
                return low, builder.select(builder.icmp_signed("<", high, arguments[4]), high, arguments[4])

            def in_row(begin: Any, row: Any, word: Any) -> Any:
                return builder.gep(begin, [builder.add(row, builder.mul(word, arguments[5]))])

            def masks_of(r: int, row: Any, word: Any) -> Any:
                place = in_row(first[r], row, word)
                return builder.load(builder.bitcast(place, vector.as_pointer()), align=1)

            def load(place: Any) -> Any:
                return builder.load(place, align=8)

            def store(value: Any, place: Any) -> None:
                builder.store(value, place, align=8)

            shift = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fshl.v{lanes}i64"
            )
            every = whole(0), arguments[4]
            for _, kept in each_word(*every):
                for r in registers:
                    store(ones, kept(r, 0))
                    store(none, kept(r, 1))
            ups, downs = ([cgutils.alloca_once_value(builder, none) for _ in registers] for _ in (0, 1))
            with cgutils.for_range_slice(builder, whole(0), arguments[3], whole(1)) as (j, _):
                row = builder.load(builder.gep(data(2), [j]))
                for r in registers:
                    builder.store(constant(1 << 63), ups[r])  # the first row grows by one with every symbol
                    builder.store(none, downs[r])
                for word, kept in each_word(*words_about(j)):
                    for r in registers:
                        fetch(builder, in_row(coming[r], row, word))
                        up_before, rise, fall = builder.load(ups[r]), load(kept(r, 0)), load(kept(r, 1))
                        match = masks_of(r, row, word)
                        # As in `_advance`, but that a sum carries into that of the next word.
                        matched = builder.and_(match, rise)
                        total = builder.add(builder.add(matched, rise), builder.load(downs[r]))
                        down = builder.xor(builder.xor(total, rise), matched)
                        carried = builder.or_(matched, builder.and_(rise, down))
                        builder.store(builder.lshr(carried, constant(63)), downs[r])
                        diagonal = builder.or_(builder.or_(down, match), fall)
                        up = builder.or_(fall, builder.not_(builder.or_(diagonal, rise)))
                        builder.store(up, ups[r])
                        up = builder.call(shift, [up, up_before, one])  # the highest bit moves in
                        store(builder.or_(down, builder.not_(builder.or_(diagonal, up))), kept(r, 0))
                        store(builder.and_(up, diagonal), kept(r, 1))
            count = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector]), f"llvm.ctpop.v{lanes}i64"
            )
            for r in registers:
                builder.store(none, ups[r])
                builder.store(none, downs[r])
            for word, kept in each_word(*every):
                for r in registers:
                    for total, k, row in ((ups, 0, arguments[6]), (downs, 1, arguments[7])):
                        inside = builder.and_(load(kept(r, k)), masks_of(r, row, word))
                        counted = builder.add(builder.load(total[r]), builder.call(count, [inside]))
                        builder.store(counted, total[r])
            beyond = _all_lanes(builder, builder.add(band, whole(1)), vector)
            for r in registers:
                up, down = builder.load(ups[r]), builder.load(downs[r])
                value = _lesser(builder, _capped(builder, up, down, arguments[3], None), beyond)
                value = builder.trunc(value, narrow)
                place = builder.gep(data(10), [whole(r * lanes)])
                builder.store(value, builder.bitcast(place, narrow.as_pointer()), align=1)
            return context.get_dummy_value()

        number = types.int64
        taken = (masks, bases, rows, *[number] * 6, state, out)
        return types.void(*taken), generate

    return advance


def _entry(column: list[list[Any]], r: int, falls: int) -> Any:
    return column[r][falls]


@kernel
def plain_advance_long(
    masks: Array, bases: Array, rows: Array, length: int, words: int, apart: int,
    least: int, most: int, limit: int, state: Array, out: Array,
) -> None:  # fmt: skip
    """Do for one pattern after the other what `_advance_long` does for all, and pass over nothing."""
    one, last = np.uint64(1), np.uint64(63)
    for pattern in range(8 * ABREAST):
        first = bases[pattern // 8] + pattern % 8 * 8
        state[:words] = ~np.uint64(0)
        state[words : 2 * words] = np.uint64(0)
        for j in range(length):
            carried_up, carried_down = one, np.uint64(0)
            for word in range(words):
                rise, fall = state[word], state[words + word]
                match = _word(masks, first + rows[j] + word * apart) | carried_down
                diagonal = (((match & rise) + rise) ^ rise) | match | fall
                up, down = fall | ~(diagonal | rise), diagonal & rise
                next_up, next_down = up >> last, down >> last
                up, down = (up << one) | carried_up, (down << one) | carried_down
                state[word], state[words + word] = down | ~(diagonal | up), up & diagonal
                carried_up, carried_down = next_up, next_down
        distance = length
        for word in range(words):
            distance += popcount(state[word] & _word(masks, first + least + word * apart))
            distance -= popcount(state[words + word] & _word(masks, first + most + word * apart))
        out[pattern] = min(max(distance, 0), FAR, limit + 1)


@kernel
def _word(masks: Array, first: int) -> Any:
    value = np.uint64(0)
    for k in range(8):
        value |= np.uint64(masks[first + k]) << np.uint64(8 * k)
    return value


_WIDTHS = (8, 16, 32, 64)
plain_advance_8, plain_advance_16, plain_advance_32, plain_advance_64 = map(_plain_advance, _WIDTHS)
plain_capped_8, plain_capped_16, plain_capped_32 = (_plain_advance(bits, True) for bits in _WIDTHS[:3])
plain_few_8, plain_few_16, plain_few_32 = (_plain_advance(bits, True, FEW) for bits in _WIDTHS[:3])

_advancing = _advance if VECTORS else _plain_advance
advance_8, advance_16, advance_32, advance_64 = map(_advancing, _WIDTHS)
capped_8, capped_16, capped_32 = (_advancing(bits, True) for bits in _WIDTHS[:3])
few_8, few_16, few_32 = (_advancing(bits, True, FEW) for bits in _WIDTHS[:3])
advance_one, advance_two, advance_long = (
    _advance_long(fixed) if VECTORS else plain_advance_long for fixed in (1, 2, None)
)
