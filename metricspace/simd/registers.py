"""Sixty-four numbers in registers: which are small, and what else the primitives of blocks begin with."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..kernels import Array, kernel
from .vectors import INDEX, VECTORS, fetch, load, pointer, refuse_strided

ROWS = 64  # rows of a block, boxes of a node

LANES = 16  # numbers of a register
PIECES = ROWS // LANES
WORD, FLOAT = ir.IntType(32), ir.FloatType()
FLOATS, WORDS = ir.VectorType(FLOAT, LANES), ir.VectorType(WORD, LANES)


def splat(builder: Any, value: Any, kind: Any) -> Any:
    """Return a vector of some kind that has a number in every place."""
    none = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(none, value, ir.Constant(WORD, 0))
    return builder.shuffle_vector(first, none, ir.Constant(ir.VectorType(WORD, kind.count), [0] * kind.count))


def multiplied(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a · b + c, rounded once."""
    name = f"llvm.fma.v{LANES}f32"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(FLOATS, [FLOATS] * 3), name)
    return builder.call(function, [a, b, c])


def greater(builder: Any, a: Any, b: Any) -> Any:
    """Return the greater numbers of two registers; b where one is none."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def lesser(builder: Any, a: Any, b: Any) -> Any:
    """Return the lesser numbers of two registers; b where one is none."""
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def bits_within(builder: Any, values: list[Any], limit: Any) -> Any:
    """Return the bits of those of 64 values that are at most a limit."""
    mask = ir.Constant(INDEX, 0)
    for piece, value in enumerate(values):
        bits = builder.bitcast(builder.fcmp_ordered("<=", value, limit), ir.IntType(LANES))
        mask = builder.or_(mask, builder.shl(builder.zext(bits, INDEX), ir.Constant(INDEX, LANES * piece)))
    return mask


@intrinsic
def _lowest(typing: Any, mask: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


def _held(context: Any, builder: Any, signature: Any, arguments: Any) -> list[Any]:
    """Return the 64 numbers of the first argument, in registers."""
    data = pointer(context, builder, signature.args[0], arguments[0], FLOAT)
    return [load(builder, data, ir.Constant(INDEX, LANES * p), FLOATS) for p in range(PIECES)]


def _of_all(builder: Any, held: list[Any], better: Any) -> Any:
    """Return the least of all numbers in some registers, or the greatest, in each lane."""
    best = functools.reduce(lambda best, value: better(builder, value, best), held)
    for width in (8, 4, 2, 1):
        order = ir.Constant(WORDS, [lane ^ width for lane in range(LANES)])
        best = better(builder, builder.shuffle_vector(best, best, order), best)
    return best


def _extreme(better: Any) -> Any:
    """Return a function of 64 numbers and one more that returns the least of all, or the greatest.

    What is no number is passed over.
    """

    @intrinsic
    def extreme(typing: Any, values: Any, other: Any) -> Any:
        refuse_strided(values)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            held = _held(context, builder, signature, arguments)
            best = _of_all(builder, [splat(builder, arguments[1], FLOATS), *held], better)
            return builder.extract_element(best, ir.Constant(WORD, 0))

        return types.float32(values, types.float32), generate

    return extreme


@intrinsic
def _place_of_least(typing: Any, values: Any) -> Any:
    refuse_strided(values)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = _held(context, builder, signature, arguments)
        least = _of_all(builder, held, lesser)
        return builder.cttz(bits_within(builder, held, least), ir.Constant(ir.IntType(1), 0))

    return types.int64(values), generate


@intrinsic
def _values_within(typing: Any, values: Any, limit: Any) -> Any:
    refuse_strided(values)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = _held(context, builder, signature, arguments)
        return bits_within(builder, held, splat(builder, arguments[1], FLOATS))

    return types.uint64(values, types.float32), generate


@intrinsic
def _prefetch(typing: Any, rows: Any, i: Any) -> Any:
    """Ask for the first cache lines of a row, which will be read soon."""
    refuse_strided(rows)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        width = builder.extract_value(array.shape, 1)
        start = builder.gep(array.data, [builder.mul(arguments[1], width)])
        start = builder.bitcast(start, ir.IntType(8).as_pointer())
        size = signature.args[0].dtype.bitwidth // 8
        lines = builder.udiv(builder.mul(width, ir.Constant(INDEX, size)), ir.Constant(INDEX, 64))
        lines = builder.add(lines, ir.Constant(INDEX, 1))
        few = ir.Constant(INDEX, 16)
        lines = builder.select(builder.icmp_unsigned("<", lines, few), lines, few)
        with cgutils.for_range(builder, lines) as loop:
            fetch(builder, builder.gep(start, [builder.mul(loop.index, ir.Constant(INDEX, 64))]))
        return context.get_dummy_value()

    return types.void(rows, types.int64), generate


# --- the plain twins ---------------------------------------------------------------------------------


@kernel
def plain_lowest(mask: Any) -> int:
    """Return the place of the lowest bit that is set."""
    place = 0
    while (mask >> np.uint64(place)) & np.uint64(1) == np.uint64(0):
        place += 1
    return place


@kernel
def plain_values_within(values: Array, limit: float) -> Any:
    """Return the bits of those of 64 numbers that are at most a limit."""
    mask = np.uint64(0)
    for j in range(ROWS):
        mask |= np.uint64(values[j] <= limit) << np.uint64(j)
    return mask


@kernel
def plain_place_of_least(values: Array) -> int:
    """Return the place of the least of 64 numbers, the first of several."""
    least = 0
    for j in range(1, ROWS):
        if values[j] < values[least]:
            least = j
    return least


@kernel
def plain_least_of(values: Array, other: float) -> float:
    """Return the least of a number and 64 others; what is none is passed over."""
    for j in range(ROWS):
        if values[j] < other:
            other = values[j]
    return other


@kernel
def plain_greatest_of(values: Array, other: float) -> float:
    """Return the greatest of a number and 64 others; what is none is passed over."""
    for j in range(ROWS):
        if values[j] > other:
            other = values[j]
    return other


@kernel
def plain_prefetch(rows: Array, i: int) -> None:
    """Do nothing: a machine may as well read a row when it needs it."""


if VECTORS:
    lowest, place_of_least, prefetch = _lowest, _place_of_least, _prefetch
    least_of, greatest_of, values_within = _extreme(lesser), _extreme(greater), _values_within
else:
    lowest, place_of_least, prefetch = plain_lowest, plain_place_of_least, plain_prefetch
    least_of, greatest_of, values_within = plain_least_of, plain_greatest_of, plain_values_within
