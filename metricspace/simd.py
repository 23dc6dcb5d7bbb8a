"""Vector primitives, each with a plain twin that says what it does.

Numba does not vectorise a sum of floats, because that reorders it. These sums are ordered so that a
machine can: eight running sums, of every eighth term each, are added up in a fixed tree, and the terms that
are left over come last. The order is the same on every machine, whatever the width of its registers, so a
distance is the same to the bit wherever it is computed. The compiler lowers the vectors to what there is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from .kernels import COMPILED, Array, kernel

LANES = 8

_INDEX, _REAL = ir.IntType(64), ir.DoubleType()
_VECTOR = ir.VectorType(_REAL, LANES)

Term = Callable[[Any, Any, Any], Any]  # of an instruction builder and two numbers
Join = Callable[[Any, Any, Any], Any]  # of a builder and two values


def _reduction(term: Term, join: Join) -> Any:
    """Return a function of two rows that joins the terms of their numbers in float64."""

    @intrinsic
    def reduce(typing: Any, x: Any, y: Any) -> Any:
        _refuse_strided(x, y)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            rows = [
                context.make_array(kind)(context, builder, row)
                for kind, row in zip(signature.args, arguments)
            ]
            size = builder.extract_value(rows[0].shape, 0)
            whole = builder.and_(size, ir.Constant(_INDEX, -LANES))

            def joined(first: Any, last: Any, step: int, kind: Any) -> Any:
                total = cgutils.alloca_once_value(builder, ir.Constant(kind, None))
                with cgutils.for_range_slice(builder, first, last, ir.Constant(_INDEX, step)) as (k, _):
                    left, right = (_load(builder, row.data, k, kind) for row in rows)
                    builder.store(join(builder, builder.load(total), term(builder, left, right)), total)
                return builder.load(total)

            lanes = joined(ir.Constant(_INDEX, 0), whole, LANES, _VECTOR)
            rest = joined(whole, size, 1, _REAL)
            return join(builder, _folded(builder, lanes, join), rest)

        return types.float64(x, y), generate

    return reduce


def _refuse_strided(*rows: Any) -> None:
    if any(row.layout != "C" for row in rows):
        raise TypingError("vector primitives take rows whose numbers follow one another")


def _load(builder: Any, data: Any, k: Any, kind: Any) -> Any:
    """Load the number at place `k`, or the eight from there on, as float64."""
    element = data.type.pointee
    width = 4 if isinstance(element, ir.FloatType) else 8
    place = builder.gep(data, [k])
    if kind == _VECTOR:
        place = builder.bitcast(place, ir.VectorType(element, LANES).as_pointer())
    value = builder.load(place, align=width)
    return value if width == 8 else builder.fpext(value, kind)


def _folded(builder: Any, vector: Any, join: Join) -> Any:
    """Join the upper half of a vector to the lower, until one number is left."""
    width = LANES
    while width > 1:
        width //= 2
        low, high = (
            ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(first, first + width)))
            for first in (0, width)
        )
        none = ir.Constant(vector.type, ir.Undefined)
        vector = join(
            builder, builder.shuffle_vector(vector, none, low), builder.shuffle_vector(vector, none, high)
        )
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


def _square(builder: Any, x: Any, y: Any) -> Any:
    difference = builder.fsub(x, y)
    return builder.fmul(difference, difference)


def _magnitude(builder: Any, x: Any, y: Any) -> Any:
    difference = builder.fsub(x, y)
    kind = difference.type
    name = "llvm.fabs.f64" if kind == _REAL else f"llvm.fabs.v{LANES}f64"
    absolute = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), name)
    return builder.call(absolute, [difference])


def _share(builder: Any, x: Any, y: Any) -> Any:
    whole = builder.fadd(x, y)
    none = ir.Constant(whole.type, None)
    difference = builder.fsub(x, y)
    share = builder.fmul(difference, builder.fdiv(difference, whole))  # a square might vanish
    return builder.select(builder.fcmp_ordered(">", whole, none), share, none)


def _sum(builder: Any, a: Any, b: Any) -> Any:
    return builder.fadd(a, b)


def _greater(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


@intrinsic
def _popcount(typing: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


# --- Myers' recurrence in lanes ----------------------------------------------------------------------

TILE = 512  # bytes of masks for one symbol: eight registers of 64, whose steps do not wait for each other
WIDTH = 64  # bytes of a register


def _advance(bits: int) -> Any:
    """Return a function that advances ``8 · TILE / bits`` patterns of at most `bits` symbols over one text.

    It takes rows of masks as bytes, where the row of each symbol of the text begins, how many symbols
    there are, where the two rows begin in which each pattern's own places are set, and where to write, for
    each pattern, its edit distance to the text less the length of the text. The two rows are the same but for
    patterns that stand for several strings: the places of the shortest, then those of the longest.
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
                place = builder.gep(base, [ir.Constant(_INDEX, r * WIDTH)])
                return builder.load(builder.bitcast(place, vector.as_pointer()), align=1)

            registers = range(TILE // WIDTH)
            ones, zeros = ir.Constant(vector, [(1 << bits) - 1] * lanes), ir.Constant(vector, None)
            rises = [cgutils.alloca_once_value(builder, ones) for _ in registers]
            falls = [cgutils.alloca_once_value(builder, zeros) for _ in registers]

            def step(j: Any, before: Callable[[int], tuple[Any, Any]]) -> None:
                row = builder.gep(data(0), [builder.load(builder.gep(data(1), [j]))])
                for r in registers:
                    match, (rise, fall) = register(row, r), before(r)
                    carried = builder.xor(builder.add(builder.and_(match, rise), rise), rise)
                    diagonal = builder.or_(builder.or_(carried, match), fall)
                    # Where the row does not rise: its complement needs no bit set when it is shifted.
                    level = builder.and_(builder.or_(diagonal, rise), builder.not_(fall))
                    level = builder.add(level, level)
                    down = builder.and_(diagonal, rise)
                    down = builder.add(down, down)
                    builder.store(builder.or_(down, builder.and_(level, builder.not_(diagonal))), rises[r])
                    builder.store(builder.and_(diagonal, builder.not_(level)), falls[r])

            begin, one = ir.Constant(_INDEX, 0), ir.Constant(_INDEX, 1)
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
                change = builder.sub(up, down)
                change = change if bits == 8 else builder.trunc(change, narrow)
                place = builder.gep(data(5), [ir.Constant(_INDEX, r * lanes)])
                builder.store(change, builder.bitcast(place, narrow.as_pointer()), align=1)
            return context.get_dummy_value()

        return types.void(masks, offsets, types.int64, types.int64, types.int64, out), generate

    return advance


# --- rows of bytes, interleaved ----------------------------------------------------------------------

WOVEN = 32  # rows that are interleaved, a register of each at a time


def _interleaving(forward: bool) -> Any:
    """Return a function that interleaves some bytes of `WOVEN` rows, or takes apart what is interleaved.

    It takes a matrix of bytes, the column that is the first of `WIDTH`, and where the first bytes of all rows
    lie side by side, then all second ones, and so on.

    All bytes being one sequence, its two halves are merged as in a perfect shuffle of cards. That moves the
    highest bit in the number of each byte to the end; five times, and the number of its row has moved there.
    """
    merged = [place // 2 + WIDTH * (place % 2) for place in range(2 * WIDTH)]
    halves = [*range(0, 2 * WIDTH, 2), *range(1, 2 * WIDTH, 2)]

    @intrinsic
    def interleave(typing: Any, rows: Any, first: Any, woven: Any) -> Any:
        _refuse_strided(rows, woven)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            matrix, line = (
                context.make_array(signature.args[k])(context, builder, arguments[k]) for k in (0, 2)
            )
            width = builder.extract_value(matrix.shape, 1)
            vector = ir.VectorType(ir.IntType(8), WIDTH)

            def shuffled(a: Any, b: Any, order: list[int]) -> list[Any]:
                mask = ir.VectorType(ir.IntType(32), WIDTH)
                parts = order[:WIDTH], order[WIDTH:]
                return [builder.shuffle_vector(a, b, ir.Constant(mask, part)) for part in parts]

            ends = [
                [builder.add(arguments[1], builder.mul(width, ir.Constant(_INDEX, r))) for r in range(WOVEN)],
                [ir.Constant(_INDEX, r * WIDTH) for r in range(WOVEN)],
            ]
            sides = [
                [builder.bitcast(builder.gep(side.data, [k]), vector.as_pointer()) for k in several]
                for side, several in zip((matrix, line), ends)
            ]
            source, target = sides if forward else sides[::-1]
            held = [builder.load(place, align=1) for place in source]
            for _ in range(WOVEN.bit_length() - 1):
                if forward:
                    pairs = zip(held[: WOVEN // 2], held[WOVEN // 2 :])
                    held = [part for a, b in pairs for part in shuffled(a, b, merged)]
                else:
                    both = [shuffled(a, b, halves) for a, b in zip(held[::2], held[1::2])]
                    held = [pair[half] for half in (0, 1) for pair in both]
            for value, place in zip(held, target):
                builder.store(value, place, align=1)
            return context.get_dummy_value()

        return types.void(rows, types.int64, woven), generate

    return interleave


def _counting(unequal: Any, width: int) -> Any:
    """Return a function of two rows of whole numbers that counts by `width` bytes at a time."""

    @intrinsic
    def count(typing: Any, x: Any, y: Any) -> Any:
        _refuse_strided(x, y)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            rows = [
                context.make_array(kind)(context, builder, row)
                for kind, row in zip(signature.args, arguments)
            ]
            element = rows[0].data.type.pointee
            lanes = max(width * 8 // element.width, 1)
            size = builder.extract_value(rows[0].shape, 0)
            whole = builder.and_(size, ir.Constant(_INDEX, -lanes))
            total = cgutils.alloca_once_value(builder, ir.Constant(_INDEX, 0))

            def add_up(first: Any, last: Any, step: int) -> None:
                kind = ir.VectorType(element, step) if step > 1 else element
                with cgutils.for_range_slice(builder, first, last, ir.Constant(_INDEX, step)) as (k, _):
                    left, right = (
                        builder.load(
                            builder.bitcast(builder.gep(row.data, [k]), kind.as_pointer()),
                            align=element.width // 8,
                        )
                        for row in rows
                    )
                    builder.store(builder.add(builder.load(total), unequal(builder, left, right)), total)

            add_up(ir.Constant(_INDEX, 0), whole, lanes)
            if lanes > 1:
                add_up(whole, size, 1)
            return builder.load(total)

        return types.int64(x, y), generate

    return count


@intrinsic
def _eight_beyond(typing: Any, rows: Any, first: Any, row: Any, most: Any) -> Any:
    """Whether eight rows, of words whose number divides by four, all differ in more than `most` bits.

    Each row's counts stay in four lanes until all eight are added up together: one row at a time, adding
    up the lanes would take longer than counting.
    """
    _refuse_strided(rows, row)
    four = ir.VectorType(_INDEX, 4)

    def shuffled(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
        return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), 4), places))

    def added(builder: Any, vectors: list[Any], even: list[int], odd: list[int]) -> list[Any]:
        return [
            builder.add(shuffled(builder, a, b, even), shuffled(builder, a, b, odd))
            for a, b in zip(vectors[::2], vectors[1::2])
        ]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        matrix, asked = (
            context.make_array(signature.args[place])(context, builder, arguments[place]) for place in (0, 2)
        )
        words = builder.extract_value(asked.shape, 0)
        own = [
            builder.gep(matrix.data, [builder.mul(builder.add(arguments[1], ir.Constant(_INDEX, j)), words)])
            for j in range(8)
        ]
        totals = [cgutils.alloca_once_value(builder, ir.Constant(four, None)) for _ in range(8)]

        def load(data: Any, k: Any) -> Any:
            return builder.load(builder.bitcast(builder.gep(data, [k]), four.as_pointer()), align=8)

        step = ir.Constant(_INDEX, 4)
        with cgutils.for_range_slice(builder, ir.Constant(_INDEX, 0), words, step) as (k, _):
            bits = load(asked.data, k)
            for data, total in zip(own, totals):
                count = _ones_of_each(builder, builder.xor(load(data, k), bits))
                builder.store(builder.add(builder.load(total), count), total)
        counts = [builder.load(total) for total in totals]
        counts = added(builder, counts, [0, 4, 2, 6], [1, 5, 3, 7])
        counts = added(builder, counts, [0, 1, 4, 5], [2, 3, 6, 7])
        limit = builder.insert_element(ir.Constant(four, ir.Undefined), arguments[3], ir.Constant(_INDEX, 0))
        limit = shuffled(builder, limit, limit, [0] * 4)
        near = [builder.icmp_signed("<=", count, limit) for count in counts]
        found = builder.bitcast(builder.or_(*near), ir.IntType(4))
        return builder.icmp_unsigned("==", found, ir.Constant(ir.IntType(4), 0))

    return types.boolean(rows, types.int64, row, types.int64), generate


def _unequal_numbers(builder: Any, x: Any, y: Any) -> Any:
    """Count the lanes that differ: one bit of a mask each."""
    lanes = x.type.count if isinstance(x.type, ir.VectorType) else 1
    return _ones(builder, builder.bitcast(builder.icmp_unsigned("!=", x, y), ir.IntType(lanes)))


def _unequal_bits(builder: Any, x: Any, y: Any) -> Any:
    return _ones(builder, builder.xor(x, y))


def _ones(builder: Any, words: Any) -> Any:
    """Count the bits that are set, in a word or in all words of a vector."""
    if not isinstance(words.type, ir.VectorType):
        return builder.ctpop(words if words.type.width == 64 else builder.zext(words, _INDEX))
    counts = _ones_of_each(builder, words)
    name = f"llvm.vector.reduce.add.v{counts.type.count}i64"
    add_up = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_INDEX, [counts.type]), name)
    return builder.call(add_up, [counts])


def _ones_of_each(builder: Any, words: Any) -> Any:
    kind = words.type
    name = f"llvm.ctpop.v{kind.count}i64"
    count = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), name)
    return builder.call(count, [words])


# --- the twins ---------------------------------------------------------------------------------------


def _plain_sum(term: Callable[[float, float], float]) -> Any:
    """Return a function of two rows that adds up the terms of their numbers, in the order of all sums."""

    @kernel
    def total(x: Array, y: Array) -> float:
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = rest = 0.0
        whole = x.shape[0] // 8 * 8
        for k in range(0, whole, 8):
            a0 += term(np.float64(x[k]), np.float64(y[k]))
            a1 += term(np.float64(x[k + 1]), np.float64(y[k + 1]))
            a2 += term(np.float64(x[k + 2]), np.float64(y[k + 2]))
            a3 += term(np.float64(x[k + 3]), np.float64(y[k + 3]))
            a4 += term(np.float64(x[k + 4]), np.float64(y[k + 4]))
            a5 += term(np.float64(x[k + 5]), np.float64(y[k + 5]))
            a6 += term(np.float64(x[k + 6]), np.float64(y[k + 6]))
            a7 += term(np.float64(x[k + 7]), np.float64(y[k + 7]))
        for k in range(whole, x.shape[0]):
            rest += term(np.float64(x[k]), np.float64(y[k]))
        return (((a0 + a4) + (a2 + a6)) + ((a1 + a5) + (a3 + a7))) + rest

    return total


@kernel
def _squared(x: float, y: float) -> float:
    return (x - y) * (x - y)


@kernel
def _absolute(x: float, y: float) -> float:
    return abs(x - y)


@kernel
def _shared(x: float, y: float) -> float:
    return (x - y) * ((x - y) / (x + y)) if x + y > 0 else 0.0


plain_sum_of_squares = _plain_sum(_squared)
plain_sum_of_magnitudes = _plain_sum(_absolute)
plain_sum_of_shares = _plain_sum(_shared)


@kernel
def plain_greatest_magnitude(x: Array, y: Array) -> float:
    """max|xₖ − yₖ|."""
    greatest = 0.0
    for k in range(x.shape[0]):
        greatest = max(greatest, abs(np.float64(x[k]) - np.float64(y[k])))
    return greatest


@kernel
def plain_popcount(word: Any) -> int:
    """Return how many bits of a word are set."""
    count = 0
    while word != 0:
        word &= word - np.uint64(1)
        count += 1
    return count


def _plain_advance(bits: int) -> Any:
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
        for pattern in range(TILE // size):
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
            out[pattern] = change

    return advance


plain_advance_8, plain_advance_16, plain_advance_32, plain_advance_64 = map(_plain_advance, (8, 16, 32, 64))


@kernel
def plain_interleave(rows: Array, first: int, woven: Array) -> None:
    """Write the first bytes of all rows, from a column on, then the second ones, and so on."""
    for i in range(WOVEN):
        for j in range(WIDTH):
            woven[j * WOVEN + i] = rows[i, first + j]


@kernel
def plain_take_apart(rows: Array, first: int, woven: Array) -> None:
    """Write to the rows, from a column on, what `plain_interleave` makes of them."""
    for i in range(WOVEN):
        for j in range(WIDTH):
            rows[i, first + j] = woven[j * WOVEN + i]


@kernel
def plain_count_unequal(x: Array, y: Array) -> int:
    """Count the places in which two rows differ."""
    count = 0
    for k in range(x.shape[0]):
        count += x[k] != y[k]
    return count


@kernel
def plain_count_unequal_bits(x: Array, y: Array) -> int:
    """Count the bits in which two rows of uint64 differ (Kernighan and Ritchie, exercise 2-9)."""
    count = 0
    for k in range(x.shape[0]):
        different = x[k] ^ y[k]
        while different != 0:
            different &= different - np.uint64(1)
            count += 1
    return count


@kernel
def plain_eight_beyond(rows: Array, first: int, row: Array, most: int) -> bool:
    """Whether rows `first` to `first` + 8 of uint64 all differ from another in more than `most` bits."""
    beyond = True
    for j in range(8):
        beyond = beyond and plain_count_unequal_bits(rows[first + j], row) > most
    return beyond


# Σ(xₖ − yₖ)², Σ|xₖ − yₖ|, Σ(xₖ − yₖ)² / (xₖ + yₖ) and max|xₖ − yₖ| of two rows, in float64; how many of their
# numbers, and of their bits, differ.
if COMPILED:
    sum_of_squares = _reduction(_square, _sum)
    sum_of_magnitudes = _reduction(_magnitude, _sum)
    sum_of_shares = _reduction(_share, _sum)
    greatest_magnitude = _reduction(_magnitude, _greater)
    popcount = _popcount
    advance_8, advance_16, advance_32, advance_64 = map(_advance, (8, 16, 32, 64))
    interleave, take_apart = _interleaving(forward=True), _interleaving(forward=False)
    count_unequal = _counting(_unequal_numbers, 64)
    count_unequal_bits = _counting(_unequal_bits, 32)
    eight_beyond = _eight_beyond
else:
    sum_of_squares = plain_sum_of_squares
    sum_of_magnitudes = plain_sum_of_magnitudes
    sum_of_shares = plain_sum_of_shares
    greatest_magnitude = plain_greatest_magnitude
    popcount = plain_popcount
    advance_8, advance_16, advance_32, advance_64 = map(_plain_advance, (8, 16, 32, 64))
    interleave, take_apart = plain_interleave, plain_take_apart
    count_unequal = plain_count_unequal
    count_unequal_bits = plain_count_unequal_bits
    eight_beyond = plain_eight_beyond
