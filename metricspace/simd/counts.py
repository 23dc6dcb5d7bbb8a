"""How many bits are set, and in how many numbers or bits rows differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..kernels import Array, kernel
from .vectors import INDEX, VECTORS, refuse_strided


@intrinsic
def _popcount(typing: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


def _counting(unequal: Any, width: int) -> Any:
    """Return a function of two rows of whole numbers that counts by `width` bytes at a time."""

    @intrinsic
    def count(typing: Any, x: Any, y: Any) -> Any:
        refuse_strided(x, y)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            rows = [
                context.make_array(kind)(context, builder, row)
                for kind, row in zip(signature.args, arguments)
            ]
            element = rows[0].data.type.pointee
            lanes = max(width * 8 // element.width, 1)
            size = builder.extract_value(rows[0].shape, 0)
            whole = builder.and_(size, ir.Constant(INDEX, -lanes))
            total = cgutils.alloca_once_value(builder, ir.Constant(INDEX, 0))

            def add_up(first: Any, last: Any, step: int) -> None:
                kind = ir.VectorType(element, step) if step > 1 else element
                with cgutils.for_range_slice(builder, first, last, ir.Constant(INDEX, step)) as (k, _):
                    left, right = (
                        builder.load(
                            builder.bitcast(builder.gep(row.data, [k]), kind.as_pointer()),
                            align=element.width // 8,
                        )
                        for row in rows
                    )
                    builder.store(builder.add(builder.load(total), unequal(builder, left, right)), total)

            add_up(ir.Constant(INDEX, 0), whole, lanes)
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
    refuse_strided(rows, row)
    four = ir.VectorType(INDEX, 4)

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
            builder.gep(matrix.data, [builder.mul(builder.add(arguments[1], ir.Constant(INDEX, j)), words)])
            for j in range(8)
        ]
        totals = [cgutils.alloca_once_value(builder, ir.Constant(four, None)) for _ in range(8)]

        def load(data: Any, k: Any) -> Any:
            return builder.load(builder.bitcast(builder.gep(data, [k]), four.as_pointer()), align=8)

        step = ir.Constant(INDEX, 4)
        with cgutils.for_range_slice(builder, ir.Constant(INDEX, 0), words, step) as (k, _):
            bits = load(asked.data, k)
            for data, total in zip(own, totals):
                count = _ones_of_each(builder, builder.xor(load(data, k), bits))
                builder.store(builder.add(builder.load(total), count), total)
        counts = [builder.load(total) for total in totals]
        counts = added(builder, counts, [0, 4, 2, 6], [1, 5, 3, 7])
        counts = added(builder, counts, [0, 1, 4, 5], [2, 3, 6, 7])
        limit = builder.insert_element(ir.Constant(four, ir.Undefined), arguments[3], ir.Constant(INDEX, 0))
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
        return builder.ctpop(words if words.type.width == 64 else builder.zext(words, INDEX))
    counts = _ones_of_each(builder, words)
    name = f"llvm.vector.reduce.add.v{counts.type.count}i64"
    add_up = cgutils.get_or_insert_function(builder.module, ir.FunctionType(INDEX, [counts.type]), name)
    return builder.call(add_up, [counts])


def _ones_of_each(builder: Any, words: Any) -> Any:
    kind = words.type
    name = f"llvm.ctpop.v{kind.count}i64"
    count = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), name)
    return builder.call(count, [words])


@kernel
def plain_popcount(word: Any) -> int:
    """Return how many bits of a word are set."""
    count = 0
    while word != 0:
        word &= word - np.uint64(1)
        count += 1
    return count


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


if VECTORS:
    popcount = _popcount
    count_unequal = _counting(_unequal_numbers, 64)
    count_unequal_bits = _counting(_unequal_bits, 32)
    eight_beyond = _eight_beyond
else:
    popcount = plain_popcount
    count_unequal = plain_count_unequal
    count_unequal_bits = plain_count_unequal_bits
    eight_beyond = plain_eight_beyond
