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
from numba.extending import intrinsic

from .kernels import COMPILED, Array, kernel

LANES = 8

_INDEX, _REAL = ir.IntType(64), ir.DoubleType()
_VECTOR = ir.VectorType(_REAL, LANES)

Term = Callable[[Any, Any], Any]  # of an instruction builder and a difference
Join = Callable[[Any, Any, Any], Any]  # of a builder and two values


def _reduction(term: Term, join: Join) -> Any:
    """Return a function of two rows that joins the terms of their differences in float64."""

    @intrinsic
    def reduce(typing: Any, x: Any, y: Any) -> Any:
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
                    change = term(builder, builder.fsub(left, right))
                    builder.store(join(builder, builder.load(total), change), total)
                return builder.load(total)

            lanes = joined(ir.Constant(_INDEX, 0), whole, LANES, _VECTOR)
            rest = joined(whole, size, 1, _REAL)
            return join(builder, _folded(builder, lanes, join), rest)

        return types.float64(x, y), generate

    return reduce


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


def _square(builder: Any, difference: Any) -> Any:
    return builder.fmul(difference, difference)


def _magnitude(builder: Any, difference: Any) -> Any:
    kind = difference.type
    name = "llvm.fabs.f64" if kind == _REAL else f"llvm.fabs.v{LANES}f64"
    absolute = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), name)
    return builder.call(absolute, [difference])


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
_REGISTER = 64


def _advance(bits: int) -> Any:
    """Return a function that advances ``8 · TILE / bits`` patterns of at most `bits` symbols over one text.

    It takes rows of masks as bytes, where the row of each symbol of the text begins, how many symbols
    there are, where the two rows begin in which each pattern's own places are set, and where to write, for
    each pattern, its edit distance to the text less the length of the text. The two rows are the same but for
    patterns that stand for several strings: the places of the shortest, then those of the longest.
    """
    lanes = 8 * _REGISTER // bits
    lane, byte = ir.IntType(bits), ir.IntType(8)
    vector, narrow = ir.VectorType(lane, lanes), ir.VectorType(byte, lanes)

    @intrinsic
    def advance(typing: Any, masks: Any, offsets: Any, length: Any, least: Any, most: Any, out: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def data(k: int) -> Any:
                return context.make_array(signature.args[k])(context, builder, arguments[k]).data

            def register(base: Any, r: int) -> Any:
                place = builder.gep(base, [ir.Constant(_INDEX, r * _REGISTER)])
                return builder.load(builder.bitcast(place, vector.as_pointer()), align=1)

            ones = ir.Constant(vector, [(1 << bits) - 1] * lanes)
            registers = range(TILE // _REGISTER)
            rises = [cgutils.alloca_once_value(builder, ones) for _ in registers]
            falls = [cgutils.alloca_once_value(builder, ir.Constant(vector, None)) for _ in registers]
            with cgutils.for_range(builder, arguments[2], intp=_INDEX) as step:
                row = builder.gep(data(0), [builder.load(builder.gep(data(1), [step.index]))])
                for r in registers:
                    match, rise, fall = register(row, r), builder.load(rises[r]), builder.load(falls[r])
                    carried = builder.xor(builder.add(builder.and_(match, rise), rise), rise)
                    diagonal = builder.or_(builder.or_(carried, match), fall)
                    # Where the row does not rise: its complement needs no bit set when it is shifted.
                    level = builder.and_(builder.or_(diagonal, rise), builder.not_(fall))
                    level = builder.add(level, level)
                    down = builder.and_(diagonal, rise)
                    down = builder.add(down, down)
                    builder.store(builder.or_(down, builder.and_(level, builder.not_(diagonal))), rises[r])
                    builder.store(builder.and_(diagonal, builder.not_(level)), falls[r])
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


# --- the twins ---------------------------------------------------------------------------------------


def _plain_sum(term: Callable[[float], float]) -> Any:
    """Return a function of two rows that adds up the terms of their differences, in the order of all sums."""

    @kernel
    def total(x: Array, y: Array) -> float:
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = rest = 0.0
        whole = x.shape[0] // 8 * 8
        for k in range(0, whole, 8):
            a0 += term(np.float64(x[k]) - np.float64(y[k]))
            a1 += term(np.float64(x[k + 1]) - np.float64(y[k + 1]))
            a2 += term(np.float64(x[k + 2]) - np.float64(y[k + 2]))
            a3 += term(np.float64(x[k + 3]) - np.float64(y[k + 3]))
            a4 += term(np.float64(x[k + 4]) - np.float64(y[k + 4]))
            a5 += term(np.float64(x[k + 5]) - np.float64(y[k + 5]))
            a6 += term(np.float64(x[k + 6]) - np.float64(y[k + 6]))
            a7 += term(np.float64(x[k + 7]) - np.float64(y[k + 7]))
        for k in range(whole, x.shape[0]):
            rest += term(np.float64(x[k]) - np.float64(y[k]))
        return (((a0 + a4) + (a2 + a6)) + ((a1 + a5) + (a3 + a7))) + rest

    return total


@kernel
def _squared(difference: float) -> float:
    return difference * difference


@kernel
def _absolute(difference: float) -> float:
    return abs(difference)


plain_sum_of_squares = _plain_sum(_squared)
plain_sum_of_magnitudes = _plain_sum(_absolute)


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


# Σ(xₖ − yₖ)², Σ|xₖ − yₖ| and max|xₖ − yₖ| of two rows, in float64.
if COMPILED:
    sum_of_squares = _reduction(_square, _sum)
    sum_of_magnitudes = _reduction(_magnitude, _sum)
    greatest_magnitude = _reduction(_magnitude, _greater)
    popcount = _popcount
    advance_8, advance_16, advance_32, advance_64 = map(_advance, (8, 16, 32, 64))
else:
    sum_of_squares = plain_sum_of_squares
    sum_of_magnitudes = plain_sum_of_magnitudes
    greatest_magnitude = plain_greatest_magnitude
    popcount = plain_popcount
    advance_8, advance_16, advance_32, advance_64 = map(_plain_advance, (8, 16, 32, 64))
