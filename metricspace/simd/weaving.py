"""Rows of bytes, interleaved and taken apart."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ..kernels import Array, kernel
from .vectors import INDEX, VECTORS, WIDTH, refuse_strided

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
        refuse_strided(rows, woven)

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
                [builder.add(arguments[1], builder.mul(width, ir.Constant(INDEX, r))) for r in range(WOVEN)],
                [ir.Constant(INDEX, r * WIDTH) for r in range(WOVEN)],
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


if VECTORS:
    interleave, take_apart = _interleaving(forward=True), _interleaving(forward=False)
else:
    interleave, take_apart = plain_interleave, plain_take_apart
