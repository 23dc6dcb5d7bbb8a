"""Sums of floats, in an order that a machine can vectorise.

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

from ..kernels import Array, kernel
from .vectors import INDEX, REAL, VECTORS, refuse_strided

LANES = 8

_VECTOR = ir.VectorType(REAL, LANES)

Term = Callable[[Any, Any, Any], Any]  # of an instruction builder and two numbers
Join = Callable[[Any, Any, Any], Any]  # of a builder and two values


def _reduction(term: Term, join: Join) -> Any:
    """Return a function of two rows that joins the terms of their numbers in float64."""

    @intrinsic
    def reduce(typing: Any, x: Any, y: Any) -> Any:
        refuse_strided(x, y)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            rows = [
                context.make_array(kind)(context, builder, row)
                for kind, row in zip(signature.args, arguments)
            ]
            size = builder.extract_value(rows[0].shape, 0)
            whole = builder.and_(size, ir.Constant(INDEX, -LANES))

            def joined(first: Any, last: Any, step: int, kind: Any) -> Any:
                total = cgutils.alloca_once_value(builder, ir.Constant(kind, None))
                with cgutils.for_range_slice(builder, first, last, ir.Constant(INDEX, step)) as (k, _):
                    left, right = (_load(builder, row.data, k, kind) for row in rows)
                    builder.store(join(builder, builder.load(total), term(builder, left, right)), total)
                return builder.load(total)

            lanes = joined(ir.Constant(INDEX, 0), whole, LANES, _VECTOR)
            rest = joined(whole, size, 1, REAL)
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


def _square(builder: Any, x: Any, y: Any) -> Any:
    difference = builder.fsub(x, y)
    return builder.fmul(difference, difference)


def _magnitude(builder: Any, x: Any, y: Any) -> Any:
    difference = builder.fsub(x, y)
    kind = difference.type
    name = "llvm.fabs.f64" if kind == REAL else f"llvm.fabs.v{LANES}f64"
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


# Σ(xₖ − yₖ)², Σ|xₖ − yₖ|, Σ(xₖ − yₖ)² / (xₖ + yₖ) and max|xₖ − yₖ| of two rows, in float64.
if VECTORS:
    sum_of_squares = _reduction(_square, _sum)
    sum_of_magnitudes = _reduction(_magnitude, _sum)
    sum_of_shares = _reduction(_share, _sum)
    greatest_magnitude = _reduction(_magnitude, _greater)
else:
    sum_of_squares = plain_sum_of_squares
    sum_of_magnitudes = plain_sum_of_magnitudes
    sum_of_shares = plain_sum_of_shares
    greatest_magnitude = plain_greatest_magnitude
