"""Products of 64 rows and one query or several: how far rows are by their codes, and which of them are near.

The codes of a block lie step by step, ``[step][64][what fills 32 bits]``, so that a register holds the same
step of many rows. Products are exact: of bytes, offset by 128 on the side of the rows, where the machine adds
four of them at once (VNNI) or two (AVX2), or multiplies matrices of them (AMX, see `simd.matrices`); of pairs
of 16 bits elsewhere. Where codes do not pay they are float32, and who asks allows for its rounding.
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
from .registers import FLOAT, FLOATS, LANES, PIECES, ROWS, WORD, WORDS, bits_within, multiplied, splat
from .vectors import FOURS, INDEX, PAIRS, VECTORS, WIDE, load, pointer, refuse_strided

TOGETHER = 6  # queries that share a block
MOST = LINES if MATRICES else TOGETHER  # queries that a tile takes at most
OFFSET = 128  # added to the codes of rows that are bytes

_BYTE = ir.IntType(8)

BYTES = FOURS or PAIRS
"""Whether codes of a byte pay."""
BY_PAIRS = PAIRS and not FOURS
"""Whether products of bytes are added up in 16 bits, four of them."""
GREATEST_SUM = 126 if BY_PAIRS else 127
"""What the magnitudes of four codes of a query that meet there, or else of one, come to before rounding."""

# The accumulators of a tile stay in registers: all of them, or those of one piece at a time.
_AT_ONCE = PIECES if WIDE else 1


def _multiplied_by(builder: Any, element: Any, rows: list[Any], query: list[Any], total: Any) -> Any:
    """Add to 16 sums the products of a step: of four bytes, two halves or one float32 in each lane.

    Or those of two steps of bytes, by pairs.
    """
    if element == types.uint8 and BY_PAIRS:
        return builder.add(total, _by_pairs(builder, rows, query))
    (row,), (own,) = rows, query
    if element == types.float32:
        return multiplied(builder, builder.bitcast(row, FLOATS), builder.bitcast(own, FLOATS), total)
    if element == types.uint8 and FOURS:
        name, kind = "llvm.x86.avx512.vpdpbusd.512", ir.VectorType(_BYTE, 4 * LANES)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(WORDS, [WORDS, kind, kind]), name
        )
        return builder.call(function, [total, builder.bitcast(row, kind), builder.bitcast(own, kind)])
    # Pairs of 16 bits, which the compiler knows as one instruction, or bytes that another machine coded.
    count = 4 if element == types.uint8 else 2
    narrow, wide = (ir.VectorType(kind, count * LANES) for kind in (ir.IntType(32 // count), WORD))
    row, own = builder.bitcast(row, narrow), builder.bitcast(own, narrow)
    row = builder.zext(row, wide) if element == types.uint8 else builder.sext(row, wide)
    product = builder.mul(row, builder.sext(own, wide), flags=["nsw"])
    none = ir.Constant(wide, ir.Undefined)
    parts = [
        builder.shuffle_vector(product, none, ir.Constant(WORDS, list(range(first, count * LANES, count))))
        for first in range(count)
    ]
    return builder.add(functools.reduce(builder.add, parts), total)


def _by_pairs(builder: Any, rows: list[Any], query: list[Any]) -> Any:
    """Return the sums of the products of bytes of one step or two in each of 16 lanes.

    The instruction that multiplies adds two products; those of two steps are added in the same 16 bits.
    """
    lanes = LANES // 2
    bytes_, halves, words = (
        ir.VectorType(kind, 32 * lanes // kind.width) for kind in (_BYTE, ir.IntType(16), WORD)
    )
    by_two = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(halves, [bytes_, bytes_]), "llvm.x86.avx2.pmadd.ub.sw"
    )
    by_four = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(words, [halves, halves]), "llvm.x86.avx2.pmadd.wd"
    )
    ones, none = ir.Constant(halves, [1] * (2 * lanes)), ir.Constant(WORDS, ir.Undefined)
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
    return builder.shuffle_vector(*sums, ir.Constant(WORDS, list(range(LANES))))


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
    rows, words = (pointer(context, builder, kinds[k], arguments[k], WORD) for k in (0, 1))
    steps = builder.extract_value(context.make_array(kinds[0])(context, builder, arguments[0]).shape, 0)
    totals = [[cgutils.alloca_once(builder, start.type) for _ in range(_AT_ONCE)] for start in starts]

    def add(lanes: list[Any], step: Any, count: int) -> None:
        """Generate the products of some steps, of those rows that begin with these."""
        places = _following(builder, step, count)
        lines = [builder.mul(place, ir.Constant(INDEX, ROWS)) for place in places]
        held = [[load(builder, rows, builder.add(line, lane), WORDS) for line in lines] for lane in lanes]
        for query, each in zip(queries, totals):
            first = builder.mul(query, steps)
            own = [
                splat(builder, builder.load(builder.gep(words, [builder.add(first, place)])), WORDS)
                for place in places
            ]
            for total, values in zip(each, held):
                builder.store(_multiplied_by(builder, element, values, own, builder.load(total)), total)

    with cgutils.for_range(builder, ir.Constant(INDEX, PIECES // _AT_ONCE)) as some:
        piece = builder.mul(some.index, ir.Constant(INDEX, LANES * _AT_ONCE))
        lanes = [builder.add(piece, ir.Constant(INDEX, LANES * i)) for i in range(_AT_ONCE)]
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
    offsets = pointer(context, builder, kinds[2], arguments[2], WORD)
    squares, scales = (pointer(context, builder, kinds[k], arguments[k], FLOAT) for k in (3, 4))
    kind = FLOATS if kinds[0].dtype == types.float32 else WORDS
    biases = [builder.load(builder.gep(offsets, [each])) for each in queries]
    factors = [splat(builder, builder.load(builder.gep(scales, [each])), FLOATS) for each in queries]

    def scaled(i: int, product: Any, first: Any) -> None:
        if kind == WORDS:
            product = builder.sitofp(product, FLOATS)
        square = load(builder, squares, first, FLOATS)
        finish(i, multiplied(builder, product, factors[i], square), first)

    starts = [splat(builder, builder.bitcast(bias, kind.element), kind) for bias in biases]
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
    bounds = pointer(context, builder, kinds[8], arguments[8], FLOAT)
    found = pointer(context, builder, kinds[9], arguments[9], INDEX)
    places = _following(builder, arguments[7], queries)
    members = [builder.load(builder.gep(chosen, [each])) for each in places]
    bits = [cgutils.alloca_once_value(builder, ir.Constant(INDEX, 0)) for _ in range(queries)]

    def compare(i: int, values: Any, first: Any) -> None:
        most = splat(builder, builder.load(builder.gep(bounds, [members[i]])), FLOATS)
        near = builder.fcmp_ordered("<=", values, most)
        lanes = builder.shl(builder.zext(builder.bitcast(near, ir.IntType(LANES)), INDEX), first)
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
    offsets = pointer(context, builder, kinds[2], arguments[2], WORD)
    squares, scales, bounds = (pointer(context, builder, kinds[k], arguments[k], FLOAT) for k in (3, 4, 8))
    first, place = arguments[5], arguments[7]

    def member(i: Any) -> Any:
        return builder.load(builder.gep(chosen, [builder.add(place, i)]))

    # Members are in order, so all between two are there if there are as many.
    last = ir.Constant(INDEX, LINES - 1)
    between = builder.sub(member(last), member(ir.Constant(INDEX, 0)))
    follow = builder.icmp_signed("==", between, last)
    sums = cgutils.alloca_once(builder, WORDS, size=LINES * PIECES)
    sums.align = 4 * LANES
    products(context, builder, kinds, arguments, lambda i: builder.add(first, member(i)), count, follow, sums)
    lanes = [ir.Constant(INDEX, LANES * piece) for piece in range(PIECES)]
    held = [load(builder, squares, lane, FLOATS) for lane in lanes]
    with cgutils.for_range(builder, count) as loop:
        own = member(loop.index)
        query = builder.add(first, own)
        bias = splat(builder, builder.load(builder.gep(offsets, [query])), WORDS)
        factor = splat(builder, builder.load(builder.gep(scales, [query])), FLOATS)
        line = builder.mul(loop.index, ir.Constant(INDEX, PIECES))
        values = []
        for piece, square in enumerate(held):
            product = builder.load(builder.gep(sums, [builder.add(line, ir.Constant(INDEX, piece))]))
            product = builder.sitofp(builder.add(product, bias), FLOATS)
            values.append(multiplied(builder, product, factor, square))
        most = splat(builder, builder.load(builder.gep(bounds, [own])), FLOATS)
        builder.store(bits_within(builder, values, most), builder.gep(found, [loop.index]))


@intrinsic
def _tile_values(
    typing: Any, codes: Any, asked: Any, bias: Any, norms: Any, factors: Any, query: Any, out: Any
) -> Any:
    """Write ``‖x‖² + factor · product`` of 64 rows and one query.

    Takes what `_sums` takes, which query it is, and where they go.
    """
    refuse_strided(codes, asked, bias, norms, factors, out)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target = pointer(context, builder, signature.args[6], arguments[6], FLOAT)

        def store(i: int, values: Any, first: Any) -> None:
            place = builder.gep(target, [first])
            builder.store(values, builder.bitcast(place, FLOATS.as_pointer()), align=4)

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
            target = pointer(context, builder, signature.args[3], arguments[3], FLOAT)
            places = [
                builder.add(arguments[4], builder.mul(arguments[5], ir.Constant(INDEX, i)))
                for i in range(queries)
            ]

            def store(i: int, values: Any, first: Any) -> None:
                place = builder.gep(target, [builder.add(places[i], first)])
                builder.store(values, builder.bitcast(place, FLOATS.as_pointer()), align=4)

            none = ir.Constant(FLOATS, [0.0] * LANES)
            own = _following(builder, arguments[2], queries)
            _products(context, builder, signature.args, arguments, own, [none] * queries, store)
            return context.get_dummy_value()

        return types.void(columns, rows, types.int64, out, types.int64, types.int64), generate

    return turn


# --- the plain twins ---------------------------------------------------------------------------------


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
    tile_of_one, tile_of_two, tile_of_three = (_tile(count) for count in (1, 2, 3))
    turn_one, turn_six = (_turn(count) for count in (1, TOGETHER))
    tile_values, tile_of_most = _tile_values, _tile_of_most
else:
    tile_of_one, tile_of_two, tile_of_three = plain_tile_of_one, plain_tile_of_two, plain_tile_of_three
    turn_one, turn_six = plain_turn_one, plain_turn_six
    tile_values, tile_of_most = plain_tile_values, plain_tile_of_most
