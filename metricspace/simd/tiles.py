"""Sixty-four rows, or boxes, at a time: which of them are near one query, or each of several.

What a query is compared with lies column by column, ``[dimension][64]``, so that a register holds the same
dimension of many rows. Distances of boxes and rows come as sums of squares, sums of magnitudes or the
greatest magnitude, in float32; who asks allows for its rounding. Those of codes are exact: products of bytes,
offset by 128 on the side of the rows, where the machine adds four of them at once (VNNI) or two (AVX2), or
multiplies matrices of them (AMX, see `simd.matrices`), of pairs of 16 bits elsewhere; or differences of 16
bits. Where codes do not pay they are float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..kernels import Array, kernel
from .matrices import LINES, MATRICES, products
from .vectors import FOURS, INDEX, PAIRS, VECTORS, WIDE, fetch, load, pointer, refuse_strided

ROWS = 64  # rows of a block, boxes of a node
TOGETHER = 6  # queries that share a block
MOST = LINES if MATRICES else TOGETHER  # queries that a tile takes at most
OFFSET = 128  # added to the codes of rows that are bytes

SQUARES, MAGNITUDES, GREATEST = 0, 1, 2  # how differences are joined

_LANES = 16
_PIECES = ROWS // _LANES
_BYTE, _WORD, _FLOAT = ir.IntType(8), ir.IntType(32), ir.FloatType()
_FLOATS, _WORDS = ir.VectorType(_FLOAT, _LANES), ir.VectorType(_WORD, _LANES)

BYTES = FOURS or PAIRS
"""Whether codes of a byte pay."""
BY_PAIRS = PAIRS and not FOURS
"""Whether products of bytes are added up in 16 bits, four of them."""
GREATEST_SUM = 126 if BY_PAIRS else 127
"""What the magnitudes of four codes of a query that meet there, or else of one, come to before rounding."""

# The accumulators of a tile stay in registers: all of them, or those of one piece at a time.
_AT_ONCE = _PIECES if WIDE else 1


def _splat(builder: Any, value: Any, kind: Any) -> Any:
    none = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(none, value, ir.Constant(_WORD, 0))
    return builder.shuffle_vector(
        first, none, ir.Constant(ir.VectorType(_WORD, kind.count), [0] * kind.count)
    )


def _multiplied(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a · b + c, rounded once."""
    name = f"llvm.fma.v{_LANES}f32"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_FLOATS, [_FLOATS] * 3), name)
    return builder.call(function, [a, b, c])


def _greater(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _lesser(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def _magnitude(builder: Any, x: Any) -> Any:
    name = f"llvm.fabs.v{_LANES}f32"
    return builder.call(
        cgutils.get_or_insert_function(builder.module, ir.FunctionType(_FLOATS, [_FLOATS]), name), [x]
    )


def _mask(builder: Any, values: list[Any], limit: Any) -> Any:
    """Return the bits of those of 64 values that are at most a limit."""
    mask = ir.Constant(INDEX, 0)
    for piece, value in enumerate(values):
        bits = builder.bitcast(builder.fcmp_ordered("<=", value, limit), ir.IntType(_LANES))
        mask = builder.or_(mask, builder.shl(builder.zext(bits, INDEX), ir.Constant(INDEX, _LANES * piece)))
    return mask


def _join(builder: Any, how: int, total: Any, apart: Any) -> Any:
    if how == SQUARES:
        return _multiplied(builder, apart, apart, total)
    return builder.fadd(total, apart) if how == MAGNITUDES else _greater(builder, total, apart)


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
                pointer(context, builder, kinds[k], arguments[k], _FLOAT) for k in (0, 1, 3)
            )
            dimensions = builder.extract_value(
                context.make_array(kinds[0])(context, builder, arguments[0]).shape, 0
            )
            none = ir.Constant(_FLOATS, [0.0] * _LANES)
            totals = [cgutils.alloca_once_value(builder, none) for _ in range(_PIECES)]
            most = _splat(builder, arguments[2], _FLOATS)
            found = cgutils.alloca_once_value(builder, ir.Constant(INDEX, -1))
            with cgutils.for_range(builder, dimensions) as loop:
                own = _splat(builder, builder.load(builder.gep(query, [loop.index])), _FLOATS)
                start = builder.mul(loop.index, ir.Constant(INDEX, 2 * ROWS if boxes else ROWS))
                for piece, total in enumerate(totals):
                    place = builder.add(start, ir.Constant(INDEX, piece * _LANES))
                    low = load(builder, source, place, _FLOATS)
                    if boxes:
                        place = builder.add(place, ir.Constant(INDEX, ROWS))
                        high = load(builder, source, place, _FLOATS)
                        outside = _greater(builder, builder.fsub(low, own), builder.fsub(own, high))
                        apart = _greater(builder, outside, none)
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
                        mask = _mask(builder, [builder.load(total) for total in totals], most)
                        builder.store(mask, found)
                        with cgutils.if_unlikely(
                            builder, builder.icmp_unsigned("==", mask, ir.Constant(INDEX, 0))
                        ):
                            loop.do_break()
            values = [builder.load(total) for total in totals]
            for piece, value in enumerate(values):
                place = builder.gep(target, [ir.Constant(INDEX, piece * _LANES)])
                builder.store(value, builder.bitcast(place, _FLOATS.as_pointer()), align=4)
            return _mask(builder, values, most)

        return types.uint64(columns, at, types.float32, out), generate

    return within


def _multiplied_by(builder: Any, element: Any, rows: list[Any], query: list[Any], total: Any) -> Any:
    """Add to 16 sums the products of a step: of four bytes, two halves or one float32 in each lane.

    Or those of two steps of bytes, by pairs.
    """
    if element == types.uint8 and BY_PAIRS:
        return builder.add(total, _by_pairs(builder, rows, query))
    (row,), (own,) = rows, query
    if element == types.float32:
        return _multiplied(builder, builder.bitcast(row, _FLOATS), builder.bitcast(own, _FLOATS), total)
    if element == types.uint8 and FOURS:
        name, kind = "llvm.x86.avx512.vpdpbusd.512", ir.VectorType(_BYTE, 4 * _LANES)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_WORDS, [_WORDS, kind, kind]), name
        )
        return builder.call(function, [total, builder.bitcast(row, kind), builder.bitcast(own, kind)])
    # Pairs of 16 bits, which the compiler knows as one instruction, or bytes that another machine coded.
    count = 4 if element == types.uint8 else 2
    narrow, wide = (ir.VectorType(kind, count * _LANES) for kind in (ir.IntType(32 // count), _WORD))
    row, own = builder.bitcast(row, narrow), builder.bitcast(own, narrow)
    row = builder.zext(row, wide) if element == types.uint8 else builder.sext(row, wide)
    product = builder.mul(row, builder.sext(own, wide), flags=["nsw"])
    none = ir.Constant(wide, ir.Undefined)
    parts = [
        builder.shuffle_vector(product, none, ir.Constant(_WORDS, list(range(first, count * _LANES, count))))
        for first in range(count)
    ]
    return builder.add(functools.reduce(builder.add, parts), total)


def _by_pairs(builder: Any, rows: list[Any], query: list[Any]) -> Any:
    """Return the sums of the products of bytes of one step or two in each of 16 lanes.

    The instruction that multiplies adds two products; those of two steps are added in the same 16 bits.
    """
    lanes = _LANES // 2
    bytes_, halves, words = (
        ir.VectorType(kind, 32 * lanes // kind.width) for kind in (_BYTE, ir.IntType(16), _WORD)
    )
    by_two = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(halves, [bytes_, bytes_]), "llvm.x86.avx2.pmadd.ub.sw"
    )
    by_four = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(words, [halves, halves]), "llvm.x86.avx2.pmadd.wd"
    )
    ones, none = ir.Constant(halves, [1] * (2 * lanes)), ir.Constant(_WORDS, ir.Undefined)
    sums = []
    for first in (0, lanes):
        places = ir.Constant(words, list(range(first, first + lanes)))
        added = [
            builder.call(
                by_two, [builder.bitcast(builder.shuffle_vector(v, none, places), bytes_) for v in sides]
            )
            for sides in zip(rows, query)
        ]
        sums.append(builder.call(by_four, [functools.reduce(builder.add, added), ones]))
    return builder.shuffle_vector(*sums, ir.Constant(_WORDS, list(range(_LANES))))


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
            target = pointer(context, builder, kinds[4], arguments[4], _FLOAT)
            shape = context.make_array(kinds[0])(context, builder, arguments[0]).shape
            dimensions = builder.extract_value(shape, 0)
            units = builder.fdiv(arguments[3], arguments[2])
            for bound, comparison in ((float(most), "<"), (-1.0, ">")):
                edge = ir.Constant(_FLOAT, bound)
                units = builder.select(builder.fcmp_ordered(comparison, units, edge), units, edge)
            edge = _splat(builder, builder.fptosi(units, wide.element), wide)
            totals = cgutils.alloca_once_value(builder, ir.Constant(wide, None))

            def near() -> Any:
                found = builder.icmp_signed("<=", builder.load(totals), edge)
                return builder.bitcast(found, INDEX)

            def join(k: Any) -> None:
                own = _splat(builder, builder.load(builder.gep(query, [k])), wide)
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
            values = builder.sitofp(builder.load(totals), ir.VectorType(_FLOAT, ROWS))
            values = builder.fmul(values, _splat(builder, arguments[2], values.type))
            builder.store(values, builder.bitcast(target, values.type.as_pointer()), align=4)
            return near()

        return types.uint64(columns, at, types.float32, types.float32, out), generate

    return within


Finish = Callable[[int, Any, Any], None]  # takes the number of a query, its values, and which is the first


def _following(builder: Any, first: Any, count: int) -> list[Any]:
    return [builder.add(first, ir.Constant(INDEX, i)) for i in range(count)]


def _products(
    context: Any, builder: Any, kinds: Any, arguments: Any, queries: list[Any], starts: list[Any],
    finish: Finish,
) -> None:  # fmt: skip
    """Generate the products of 64 rows and some queries, added to where each query starts.

    The arguments begin with a block ``[step][64][what fills 32 bits]`` and all queries.
    """
    element = kinds[0].dtype
    rows, words = (pointer(context, builder, kinds[k], arguments[k], _WORD) for k in (0, 1))
    steps = builder.extract_value(context.make_array(kinds[0])(context, builder, arguments[0]).shape, 0)
    totals = [[cgutils.alloca_once(builder, start.type) for _ in range(_AT_ONCE)] for start in starts]

    def add(lanes: list[Any], step: Any, count: int) -> None:
        """Generate the products of some steps, of those rows that begin with these."""
        places = _following(builder, step, count)
        lines = [builder.mul(place, ir.Constant(INDEX, ROWS)) for place in places]
        held = [[load(builder, rows, builder.add(line, lane), _WORDS) for line in lines] for lane in lanes]
        for query, each in zip(queries, totals):
            first = builder.mul(query, steps)
            own = [
                _splat(builder, builder.load(builder.gep(words, [builder.add(first, place)])), _WORDS)
                for place in places
            ]
            for total, values in zip(each, held):
                builder.store(_multiplied_by(builder, element, values, own, builder.load(total)), total)

    with cgutils.for_range(builder, ir.Constant(INDEX, _PIECES // _AT_ONCE)) as some:
        piece = builder.mul(some.index, ir.Constant(INDEX, _LANES * _AT_ONCE))
        lanes = [builder.add(piece, ir.Constant(INDEX, _LANES * i)) for i in range(_AT_ONCE)]
        for each, start in zip(totals, starts):
            for total in each:
                builder.store(start, total)
        if element == types.uint8 and BY_PAIRS:
            one = ir.Constant(INDEX, 1)
            with cgutils.for_range(builder, builder.lshr(steps, one)) as loop:
                add(lanes, builder.shl(loop.index, one), 2)
            with cgutils.if_unlikely(builder, builder.trunc(steps, ir.IntType(1))):
                add(lanes, builder.sub(steps, one), 1)
        else:
            with cgutils.for_range(builder, steps) as loop:
                add(lanes, loop.index, 1)
        for i, each in enumerate(totals):
            for total, lane in zip(each, lanes):
                finish(i, builder.load(total), lane)


def _sums(context: Any, builder: Any, kinds: Any, arguments: Any, queries: list[Any], finish: Finish) -> None:
    """Generate ``‖x‖² + factor · product`` of the codes of 64 rows and those of some queries.

    The arguments go on with what is added to each product, ‖x‖² of the rows and the factors of the products.
    """
    offsets = pointer(context, builder, kinds[2], arguments[2], _WORD)
    squares, scales = (pointer(context, builder, kinds[k], arguments[k], _FLOAT) for k in (3, 4))
    kind = _FLOATS if kinds[0].dtype == types.float32 else _WORDS
    biases = [builder.load(builder.gep(offsets, [each])) for each in queries]
    factors = [_splat(builder, builder.load(builder.gep(scales, [each])), _FLOATS) for each in queries]

    def scaled(i: int, product: Any, first: Any) -> None:
        if kind == _WORDS:
            product = builder.sitofp(product, _FLOATS)
        square = load(builder, squares, first, _FLOATS)
        finish(i, _multiplied(builder, product, factors[i], square), first)

    starts = [_splat(builder, builder.bitcast(bias, kind.element), kind) for bias in biases]
    _products(context, builder, kinds, arguments, queries, starts, scaled)


def _tile(queries: int) -> Any:
    """Return a function that tells which of 64 rows are near each of some queries, by their codes.

    It takes what `_sums` takes, the first query of a group, its members who are compared, from a place of
    that list on, the limits of all members, and where the bits of ``‖x‖² + factor · product ≤ limit`` go.
    """

    @intrinsic
    def tile(
        typing: Any, codes: Any, asked: Any, bias: Any, norms: Any, factors: Any, first: Any, members: Any,
        place: Any, limits: Any, masks: Any,
    ) -> Any:  # fmt: skip
        refuse_strided(codes, asked, bias, norms, factors, members, limits, masks)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _compare_some(context, builder, signature.args, arguments, queries)
            return context.get_dummy_value()

        given = (codes, asked, bias, norms, factors, types.int64, members, types.int64, limits, masks)
        return types.void(*given), generate

    return tile


def _compare_some(context: Any, builder: Any, kinds: Any, arguments: Any, queries: int) -> None:
    """Generate the tile of so many queries, in registers."""
    chosen = pointer(context, builder, kinds[6], arguments[6], INDEX)
    bounds = pointer(context, builder, kinds[8], arguments[8], _FLOAT)
    found = pointer(context, builder, kinds[9], arguments[9], INDEX)
    places = _following(builder, arguments[7], queries)
    members = [builder.load(builder.gep(chosen, [each])) for each in places]
    bits = [cgutils.alloca_once_value(builder, ir.Constant(INDEX, 0)) for _ in range(queries)]

    def compare(i: int, values: Any, first: Any) -> None:
        most = _splat(builder, builder.load(builder.gep(bounds, [members[i]])), _FLOATS)
        near = builder.fcmp_ordered("<=", values, most)
        lanes = builder.shl(builder.zext(builder.bitcast(near, ir.IntType(_LANES)), INDEX), first)
        builder.store(builder.or_(builder.load(bits[i]), lanes), bits[i])

    own = [builder.add(arguments[5], member) for member in members]
    _sums(context, builder, kinds, arguments, own, compare)
    for i in range(queries):
        builder.store(builder.load(bits[i]), builder.gep(found, [ir.Constant(INDEX, i)]))


@intrinsic
def _tile_of_most(
    typing: Any, codes: Any, asked: Any, bias: Any, norms: Any, factors: Any, first: Any, members: Any,
    place: Any, limits: Any, masks: Any, left: Any,
) -> Any:  # fmt: skip
    """Tell which rows are near as many of some queries as go at once, and return how many those are.

    It takes what a tile takes (see `_tile`), and how many queries are left. Sixteen go at once where matrices
    of bytes are multiplied, if codes fill their lines, and else six.
    """
    refuse_strided(codes, asked, bias, norms, factors, members, limits, masks)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *given, left = arguments
        done = cgutils.alloca_once_value(builder, left)

        def take(most: int) -> Any:
            fewer = builder.icmp_signed("<", left, ir.Constant(INDEX, most))
            count = builder.select(fewer, left, ir.Constant(INDEX, most))
            builder.store(count, done)
            return count

        def six() -> None:
            take(TOGETHER)
            _compare_some(context, builder, signature.args, given, TOGETHER)

        if MATRICES and codes.dtype == types.uint8:
            steps = builder.extract_value(context.make_array(codes)(context, builder, given[0]).shape, 0)
            long = builder.icmp_signed(">=", steps, ir.Constant(INDEX, LINES))
            with builder.if_else(long, likely=False) as (then, otherwise):
                with then:
                    _compare_sixteen(context, builder, signature.args, given, take(LINES))
                with otherwise:
                    six()
        else:
            six()
        return builder.load(done)

    given = (codes, asked, bias, norms, factors, types.int64, members, types.int64, limits, masks)
    return types.int64(*given, types.int64), generate


def _compare_sixteen(context: Any, builder: Any, kinds: Any, arguments: Any, count: Any) -> None:
    """Generate the tile of up to sixteen queries: all products, then what is made of those of each."""
    chosen, found = (pointer(context, builder, kinds[k], arguments[k], INDEX) for k in (6, 9))
    offsets = pointer(context, builder, kinds[2], arguments[2], _WORD)
    squares, scales, bounds = (pointer(context, builder, kinds[k], arguments[k], _FLOAT) for k in (3, 4, 8))
    first, place = arguments[5], arguments[7]

    def member(i: Any) -> Any:
        return builder.load(builder.gep(chosen, [builder.add(place, i)]))

    # Members are in order, so all between two are there if there are as many.
    last = ir.Constant(INDEX, LINES - 1)
    between = builder.sub(member(last), member(ir.Constant(INDEX, 0)))
    follow = builder.icmp_signed("==", between, last)
    sums = cgutils.alloca_once(builder, _WORDS, size=LINES * _PIECES)
    sums.align = 4 * _LANES
    products(context, builder, kinds, arguments, lambda i: builder.add(first, member(i)), count, follow, sums)
    lanes = [ir.Constant(INDEX, _LANES * piece) for piece in range(_PIECES)]
    held = [load(builder, squares, lane, _FLOATS) for lane in lanes]
    with cgutils.for_range(builder, count) as loop:
        own = member(loop.index)
        query = builder.add(first, own)
        bias = _splat(builder, builder.load(builder.gep(offsets, [query])), _WORDS)
        factor = _splat(builder, builder.load(builder.gep(scales, [query])), _FLOATS)
        line = builder.mul(loop.index, ir.Constant(INDEX, _PIECES))
        values = []
        for piece, square in enumerate(held):
            product = builder.load(builder.gep(sums, [builder.add(line, ir.Constant(INDEX, piece))]))
            product = builder.sitofp(builder.add(product, bias), _FLOATS)
            values.append(_multiplied(builder, product, factor, square))
        most = _splat(builder, builder.load(builder.gep(bounds, [own])), _FLOATS)
        builder.store(_mask(builder, values, most), builder.gep(found, [loop.index]))


@intrinsic
def _tile_values(
    typing: Any, codes: Any, asked: Any, bias: Any, norms: Any, factors: Any, query: Any, out: Any
) -> Any:
    """Write ``‖x‖² + factor · product`` of 64 rows and one query.

    Takes what `_sums` takes, which query it is, and where they go.
    """
    refuse_strided(codes, asked, bias, norms, factors, out)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target = pointer(context, builder, signature.args[6], arguments[6], _FLOAT)

        def store(i: int, values: Any, first: Any) -> None:
            place = builder.gep(target, [first])
            builder.store(values, builder.bitcast(place, _FLOATS.as_pointer()), align=4)

        _sums(context, builder, signature.args, arguments, [arguments[5]], store)
        return context.get_dummy_value()

    return types.void(codes, asked, bias, norms, factors, types.int64, out), generate


def _turn(queries: int) -> Any:
    """Return a function that multiplies some rows by 64 columns of a matrix, in float32.

    It takes the columns ``[dimension][64][1]``, the rows and which is the first, where the products go, the
    place of the first there, and how far those of two rows are apart.
    """

    @intrinsic
    def turn(typing: Any, columns: Any, rows: Any, first: Any, out: Any, place: Any, apart: Any) -> Any:
        refuse_strided(columns, rows, out)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            target = pointer(context, builder, signature.args[3], arguments[3], _FLOAT)
            places = [
                builder.add(arguments[4], builder.mul(arguments[5], ir.Constant(INDEX, i)))
                for i in range(queries)
            ]

            def store(i: int, values: Any, first: Any) -> None:
                place = builder.gep(target, [builder.add(places[i], first)])
                builder.store(values, builder.bitcast(place, _FLOATS.as_pointer()), align=4)

            none = ir.Constant(_FLOATS, [0.0] * _LANES)
            own = _following(builder, arguments[2], queries)
            _products(context, builder, signature.args, arguments, own, [none] * queries, store)
            return context.get_dummy_value()

        return types.void(columns, rows, types.int64, out, types.int64, types.int64), generate

    return turn


@intrinsic
def _lowest(typing: Any, mask: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


def _held(context: Any, builder: Any, signature: Any, arguments: Any) -> list[Any]:
    """Return the 64 numbers of the first argument, in registers."""
    data = pointer(context, builder, signature.args[0], arguments[0], _FLOAT)
    return [load(builder, data, ir.Constant(INDEX, _LANES * p), _FLOATS) for p in range(_PIECES)]


def _of_all(builder: Any, held: list[Any], better: Any) -> Any:
    """Return the least of all numbers in some registers, or the greatest, in each lane."""
    best = functools.reduce(lambda best, value: better(builder, value, best), held)
    for width in (8, 4, 2, 1):
        order = ir.Constant(_WORDS, [lane ^ width for lane in range(_LANES)])
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
            best = _of_all(builder, [_splat(builder, arguments[1], _FLOATS), *held], better)
            return builder.extract_element(best, ir.Constant(_WORD, 0))

        return types.float32(values, types.float32), generate

    return extreme


@intrinsic
def _place_of_least(typing: Any, values: Any) -> Any:
    refuse_strided(values)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = _held(context, builder, signature, arguments)
        least = _of_all(builder, held, _lesser)
        return builder.cttz(_mask(builder, held, least), ir.Constant(ir.IntType(1), 0))

    return types.int64(values), generate


@intrinsic
def _values_within(typing: Any, values: Any, limit: Any) -> Any:
    refuse_strided(values)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = _held(context, builder, signature, arguments)
        return _mask(builder, held, _splat(builder, arguments[1], _FLOATS))

    return types.uint64(values, types.float32), generate


@intrinsic
def _prefetch(typing: Any, rows: Any, i: Any) -> Any:
    """Ask for the first cache lines of a row, which will be read soon."""
    refuse_strided(rows)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        width = builder.extract_value(array.shape, 1)
        start = builder.gep(array.data, [builder.mul(arguments[1], width)])
        start = builder.bitcast(start, _BYTE.as_pointer())
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


@kernel
def plain_tile_values(
    codes: Array, asked: Array, bias: Array, norms: Array, factors: Array, query: int, out: Array
) -> None:
    """Write ‖x‖² + factor · product of 64 rows and one query."""
    own = asked[query]
    for j in range(ROWS):
        product = bias[query]
        for step in range(codes.shape[0]):
            for each in range(codes.shape[2]):
                product += bias.dtype.type(codes[step, j, each]) * bias.dtype.type(
                    own[step * codes.shape[2] + each]
                )
        out[j] = norms[j] + factors[query] * np.float32(product)


def _plain_tile(queries: int) -> Any:
    @kernel
    def tile(
        codes: Array, asked: Array, bias: Array, norms: Array, factors: Array, first: int, members: Array,
        place: int, limits: Array, masks: Array,
    ) -> None:  # fmt: skip
        for i in range(queries):
            member = members[place + i]
            query, mask = first + member, np.uint64(0)
            own = asked[query]
            for j in range(ROWS):
                product = bias[query]
                for step in range(codes.shape[0]):
                    for each in range(codes.shape[2]):
                        product += bias.dtype.type(codes[step, j, each]) * bias.dtype.type(
                            own[step * codes.shape[2] + each]
                        )
                near = norms[j] + factors[query] * np.float32(product) <= limits[member]
                mask |= np.uint64(near) << np.uint64(j)
            masks[i] = mask

    return tile


def _plain_turn(queries: int) -> Any:
    @kernel
    def turn(columns: Array, rows: Array, first: int, out: Array, place: int, apart: int) -> None:
        target = out.reshape(-1)
        for i in range(queries):
            for j in range(ROWS):
                total = np.float32(0)
                for k in range(columns.shape[0]):
                    total += columns[k, j, 0] * rows[first + i, k]
                target[place + i * apart + j] = total

    return turn


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


plain_boxes_within = tuple(_plain_within(how, True) for how in (SQUARES, MAGNITUDES, GREATEST))
plain_rows_within = tuple(_plain_within(how, False) for how in (SQUARES, MAGNITUDES, GREATEST))
plain_codes_within = tuple(_plain_codes_within(how) for how in (MAGNITUDES, GREATEST))
plain_tile_of_one, plain_tile_of_two, plain_tile_of_three, _plain_tile_of_six = (
    _plain_tile(count) for count in (1, 2, 3, TOGETHER)
)


@kernel
def plain_tile_of_most(
    codes: Array, asked: Array, bias: Array, norms: Array, factors: Array, first: int, members: Array,
    place: int, limits: Array, masks: Array, left: int,
) -> int:  # fmt: skip
    """Tell which rows are near each of six queries, or of those that are left; return how many those are."""
    _plain_tile_of_six(codes, asked, bias, norms, factors, first, members, place, limits, masks)
    return min(left, TOGETHER)


plain_turn_one, plain_turn_six = (_plain_turn(count) for count in (1, TOGETHER))

if VECTORS:
    boxes_by_squares, boxes_by_magnitudes, boxes_by_greatest = (
        _within(how, True) for how in (SQUARES, MAGNITUDES, GREATEST)
    )
    rows_by_squares, rows_by_magnitudes, rows_by_greatest = (
        _within(how, False) for how in (SQUARES, MAGNITUDES, GREATEST)
    )
    codes_by_magnitudes, codes_by_greatest = (_codes_within(how) for how in (MAGNITUDES, GREATEST))
    tile_of_one, tile_of_two, tile_of_three = (_tile(count) for count in (1, 2, 3))
    turn_one, turn_six = (_turn(count) for count in (1, TOGETHER))
    lowest, place_of_least, prefetch = _lowest, _place_of_least, _prefetch
    least_of, greatest_of = _extreme(_lesser), _extreme(_greater)
    values_within, tile_values, tile_of_most = _values_within, _tile_values, _tile_of_most
else:
    boxes_by_squares, boxes_by_magnitudes, boxes_by_greatest = plain_boxes_within
    rows_by_squares, rows_by_magnitudes, rows_by_greatest = plain_rows_within
    codes_by_magnitudes, codes_by_greatest = plain_codes_within
    tile_of_one, tile_of_two, tile_of_three = plain_tile_of_one, plain_tile_of_two, plain_tile_of_three
    turn_one, turn_six = plain_turn_one, plain_turn_six
    lowest, place_of_least, prefetch = plain_lowest, plain_place_of_least, plain_prefetch
    least_of, greatest_of = plain_least_of, plain_greatest_of
    values_within, tile_values, tile_of_most = plain_values_within, plain_tile_values, plain_tile_of_most
