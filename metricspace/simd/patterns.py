"""Myers' recurrence for many patterns side by side (Myers, J. ACM 46, 1999), in lanes of a register."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..kernels import Array, kernel
from .vectors import INDEX, VECTORS, WIDTH

TILE = 512  # bytes of masks for one symbol: eight registers of 64, whose steps do not wait for each other


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
                place = builder.gep(base, [ir.Constant(INDEX, r * WIDTH)])
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
                change = builder.sub(up, down)
                change = change if bits == 8 else builder.trunc(change, narrow)
                place = builder.gep(data(5), [ir.Constant(INDEX, r * lanes)])
                builder.store(change, builder.bitcast(place, narrow.as_pointer()), align=1)
            return context.get_dummy_value()

        return types.void(masks, offsets, types.int64, types.int64, types.int64, out), generate

    return advance


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


advance_8, advance_16, advance_32, advance_64 = map(_advance if VECTORS else _plain_advance, (8, 16, 32, 64))
