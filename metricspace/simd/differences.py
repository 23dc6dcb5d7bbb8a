"""Differences of one query from 64 boxes, rows or codes at a time: how far each is, and which are near.

What a query is compared with lies column by column, ``[dimension][64]``, so that a register holds the same
dimension of many rows. Distances of boxes and rows come as sums of squares, sums of magnitudes or the
greatest magnitude, in float32; who asks allows for its rounding. Those of codes of 16 bits are exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..kernels import Array, kernel
from .registers import FLOAT, FLOATS, LANES, PIECES, ROWS, bits_within, greater, multiplied, splat
from .vectors import INDEX, VECTORS, load, pointer, refuse_strided

SQUARES, MAGNITUDES, GREATEST = 0, 1, 2  # how differences are joined


def _magnitude(builder: Any, x: Any) -> Any:
    name = f"llvm.fabs.v{LANES}f32"
    return builder.call(
        cgutils.get_or_insert_function(builder.module, ir.FunctionType(FLOATS, [FLOATS]), name), [x]
    )


def _join(builder: Any, how: int, total: Any, apart: Any) -> Any:
    if how == SQUARES:
        return multiplied(builder, apart, apart, total)
    return builder.fadd(total, apart) if how == MAGNITUDES else greater(builder, total, apart)


def _within(how: int, boxes: bool) -> Any:
    """Return a function that bounds 64 boxes, or measures 64 rows, against one query.

    It takes ``[dimension][2][64]`` or ``[dimension][64][1]``, the query, a limit, and where the distances go;
    it returns the bits of those within the limit. With rows it stops early when there are none.
    """

    @intrinsic
    def within(typing: Any, columns: Any, at: Any, limit: Any, out: Any) -> Any:
        refuse_strided(columns, at, out)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            source, query, target = (
                pointer(context, builder, kinds[k], arguments[k], FLOAT) for k in (0, 1, 3)
            )
            dimensions = builder.extract_value(
                context.make_array(kinds[0])(context, builder, arguments[0]).shape, 0
            )
            none = ir.Constant(FLOATS, [0.0] * LANES)
            totals = [cgutils.alloca_once_value(builder, none) for _ in range(PIECES)]
            most = splat(builder, arguments[2], FLOATS)
            found = cgutils.alloca_once_value(builder, ir.Constant(INDEX, -1))
            with cgutils.for_range(builder, dimensions) as loop:
                own = splat(builder, builder.load(builder.gep(query, [loop.index])), FLOATS)
                start = builder.mul(loop.index, ir.Constant(INDEX, 2 * ROWS if boxes else ROWS))
                for piece, total in enumerate(totals):
                    place = builder.add(start, ir.Constant(INDEX, piece * LANES))
                    low = load(builder, source, place, FLOATS)
                    if boxes:
                        place = builder.add(place, ir.Constant(INDEX, ROWS))
                        high = load(builder, source, place, FLOATS)
                        outside = greater(builder, builder.fsub(low, own), builder.fsub(own, high))
                        apart = greater(builder, outside, none)
                    else:
                        apart = builder.fsub(low, own)
                        if how != SQUARES:
                            apart = _magnitude(builder, apart)
                    builder.store(_join(builder, how, builder.load(total), apart), total)
                if not boxes:
                    eighth = builder.and_(loop.index, ir.Constant(INDEX, 7))
                    with cgutils.if_unlikely(
                        builder, builder.icmp_unsigned("==", eighth, ir.Constant(INDEX, 7))
                    ):
                        mask = bits_within(builder, [builder.load(total) for total in totals], most)
                        builder.store(mask, found)
                        with cgutils.if_unlikely(
                            builder, builder.icmp_unsigned("==", mask, ir.Constant(INDEX, 0))
                        ):
                            loop.do_break()
            values = [builder.load(total) for total in totals]
            for piece, value in enumerate(values):
                place = builder.gep(target, [ir.Constant(INDEX, piece * LANES)])
                builder.store(value, builder.bitcast(place, FLOATS.as_pointer()), align=4)
            return bits_within(builder, values, most)

        return types.uint64(columns, at, types.float32, out), generate

    return within


def _codes_within(how: int) -> Any:
    """Return a function that measures 64 rows of whole numbers against one query.

    It takes ``[dimension][64][1]`` and the query in 16 bits, what a unit stands for, a limit, and where the
    distances go; it returns the bits of those within the limit. Sums must stay below 2¹⁵. It stops early when
    there are none.
    """
    wide = ir.VectorType(ir.IntType(16), ROWS)
    most = (1 << 15) - 1

    @intrinsic
    def within(typing: Any, columns: Any, at: Any, step: Any, limit: Any, out: Any) -> Any:
        refuse_strided(columns, at, out)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            source, query = (pointer(context, builder, kinds[k], arguments[k], wide.element) for k in (0, 1))
            target = pointer(context, builder, kinds[4], arguments[4], FLOAT)
            shape = context.make_array(kinds[0])(context, builder, arguments[0]).shape
            dimensions = builder.extract_value(shape, 0)
            units = builder.fdiv(arguments[3], arguments[2])
            for bound, comparison in ((float(most), "<"), (-1.0, ">")):
                edge = ir.Constant(FLOAT, bound)
                units = builder.select(builder.fcmp_ordered(comparison, units, edge), units, edge)
            edge = splat(builder, builder.fptosi(units, wide.element), wide)
            totals = cgutils.alloca_once_value(builder, ir.Constant(wide, None))

            def near() -> Any:
                found = builder.icmp_signed("<=", builder.load(totals), edge)
                return builder.bitcast(found, INDEX)

            def join(k: Any) -> None:
                own = splat(builder, builder.load(builder.gep(query, [k])), wide)
                row = load(builder, source, builder.mul(k, ir.Constant(INDEX, ROWS)), wide)
                apart = builder.sub(row, own)
                below = builder.icmp_signed("<", apart, ir.Constant(wide, None))
                apart, total = builder.select(below, builder.neg(apart), apart), builder.load(totals)
                if how == MAGNITUDES:
                    builder.store(builder.add(total, apart), totals)
                else:
                    greater = builder.icmp_signed(">", apart, total)
                    builder.store(builder.select(greater, apart, total), totals)

            eights = builder.lshr(dimensions, ir.Constant(INDEX, 3))
            left = cgutils.alloca_once_value(builder, builder.and_(dimensions, ir.Constant(INDEX, 7)))
            with cgutils.for_range(builder, eights) as loop:
                first = builder.shl(loop.index, ir.Constant(INDEX, 3))
                for k in range(8):
                    join(builder.add(first, ir.Constant(INDEX, k)))
                none = builder.icmp_unsigned("==", near(), ir.Constant(INDEX, 0))
                with cgutils.if_unlikely(builder, none):
                    builder.store(ir.Constant(INDEX, 0), left)
                    loop.do_break()
            first = builder.shl(eights, ir.Constant(INDEX, 3))
            with cgutils.for_range(builder, builder.load(left)) as loop:
                join(builder.add(first, loop.index))
            values = builder.sitofp(builder.load(totals), ir.VectorType(FLOAT, ROWS))
            values = builder.fmul(values, splat(builder, arguments[2], values.type))
            builder.store(values, builder.bitcast(target, values.type.as_pointer()), align=4)
            return near()

        return types.uint64(columns, at, types.float32, types.float32, out), generate

    return within


# --- the plain twins ---------------------------------------------------------------------------------


def _plain_within(how: int, boxes: bool) -> Any:
    @kernel
    def within(columns: Array, at: Array, limit: float, out: Array) -> Any:
        mask = np.uint64(0)
        for j in range(ROWS):
            total = np.float32(0)
            for k in range(columns.shape[0]):
                if boxes:
                    low, high = columns[k, 0, j] - at[k], at[k] - columns[k, 1, j]
                    apart = max(low, high, np.float32(0))
                else:
                    apart = abs(columns[k, j, 0] - at[k])
                if how == SQUARES:
                    total += apart * apart
                elif how == MAGNITUDES:
                    total += apart
                else:
                    total = max(total, apart)
            out[j] = total
            mask |= np.uint64(total <= limit) << np.uint64(j)
        return mask

    return within


def _plain_codes_within(how: int) -> Any:
    @kernel
    def within(columns: Array, at: Array, step: float, limit: float, out: Array) -> Any:
        mask, most = np.uint64(0), np.int64(min(max(limit / step, -1.0), 2.0**15 - 1))
        for j in range(ROWS):
            total: Any = 0
            for k in range(columns.shape[0]):
                apart = abs(np.int64(columns[k, j, 0]) - np.int64(at[k]))
                total = total + apart if how == MAGNITUDES else max(total, apart)
            out[j] = np.float32(total) * step
            mask |= np.uint64(total <= most) << np.uint64(j)
        return mask

    return within


plain_boxes_within = tuple(_plain_within(how, True) for how in (SQUARES, MAGNITUDES, GREATEST))
plain_rows_within = tuple(_plain_within(how, False) for how in (SQUARES, MAGNITUDES, GREATEST))
plain_codes_within = tuple(_plain_codes_within(how) for how in (MAGNITUDES, GREATEST))

if VECTORS:
    boxes_by_squares, boxes_by_magnitudes, boxes_by_greatest = (
        _within(how, True) for how in (SQUARES, MAGNITUDES, GREATEST)
    )
    rows_by_squares, rows_by_magnitudes, rows_by_greatest = (
        _within(how, False) for how in (SQUARES, MAGNITUDES, GREATEST)
    )
    codes_by_magnitudes, codes_by_greatest = (_codes_within(how) for how in (MAGNITUDES, GREATEST))
else:
    boxes_by_squares, boxes_by_magnitudes, boxes_by_greatest = plain_boxes_within
    rows_by_squares, rows_by_magnitudes, rows_by_greatest = plain_rows_within
    codes_by_magnitudes, codes_by_greatest = plain_codes_within
