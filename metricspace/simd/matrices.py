"""Products of bytes by instructions that multiply matrices (Intel's AMX, on Linux).

A register holds a matrix, sixteen lines of 64 bytes. One of sixteen queries, 64 codes of each, and one of 16
steps of 16 rows (see `simd.tiles`: codes of rows lie as such an instruction wants them) are multiplied by one
instruction, which adds 16 × 16 sums of 64 products each. That is more than four times as many products in a
cycle as without, so what limits comparing codes is to bring them near.

The system keeps these registers for a process that has asked for them. Their shapes are set once for many
products, as that takes as long as the products of sixteen queries and a block.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..kernels import Array, kernel
from .registers import PIECES
from .vectors import FOURS, INDEX, MATRIX, load, pointer

LINES = 16  # of a matrix: queries, steps of rows, and rows in a quarter of a block
WIDTH = 64  # bytes of a line

_BYTE, _NONE = ir.IntType(8), ir.VoidType()
_ADDRESS, _LINE = _BYTE.as_pointer(), ir.VectorType(_BYTE, WIDTH)
_OWN, _ROWS, _OWN_LEFT, _ROWS_LEFT = range(PIECES, 8)  # the other registers: 16 steps, and what is left


def _permitted() -> bool:
    """Ask the system for the registers, which it keeps for every thread, and return whether it gives them."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return False
    arch_prctl, permission, tile_data = 158, 0x1023, 18
    return int(ctypes.CDLL(None).syscall(arch_prctl, permission, tile_data)) == 0


MATRICES = MATRIX and FOURS and _permitted()
"""Whether matrices of bytes are multiplied."""


def _call(builder: Any, name: str, *arguments: Any) -> None:
    """Generate an instruction; registers are numbers of 8 bits."""
    arguments = tuple(ir.Constant(_BYTE, a) if isinstance(a, int) else a for a in arguments)
    kind = ir.FunctionType(_NONE, [a.type for a in arguments])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}"), arguments)


def _steps(context: Any, builder: Any, kind: Any, codes: Any) -> Any:
    """Return the number of steps of a block, or of each of several blocks."""
    shape = context.make_array(kind)(context, builder, codes).shape
    return builder.extract_value(shape, kind.ndim - 3)


@intrinsic
def _begin_products(typing: Any, codes: Any) -> Any:
    """Set the shapes of the registers for blocks of codes; nothing where these are no bytes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        if kind.dtype != types.uint8:
            return context.get_dummy_value()
        # The format 1; from byte 16 on, the bytes of a line of each in 16 bits; from 48 on, their lines.
        shapes = [1, *[0] * 15, *[WIDTH, 0] * 8, *[0] * 16, *[LINES] * 8, *[0] * 8]
        left = builder.and_(_steps(context, builder, kind, arguments[0]), ir.Constant(INDEX, LINES - 1))
        none = builder.icmp_unsigned("==", left, ir.Constant(INDEX, 0))  # then what is set is not used
        left = builder.trunc(builder.select(none, ir.Constant(INDEX, LINES), left), _BYTE)
        value = ir.Constant(_LINE, shapes)
        for place, number in (
            (16 + 2 * _OWN_LEFT, builder.mul(left, ir.Constant(_BYTE, 4))),
            (48 + _ROWS_LEFT, left),
        ):
            value = builder.insert_element(value, number, ir.Constant(INDEX, place))
        held = cgutils.alloca_once(builder, _LINE)
        builder.store(value, held)
        _call(builder, "ldtilecfg", builder.bitcast(held, _ADDRESS))
        return context.get_dummy_value()

    return types.void(codes), generate


@intrinsic
def _end_products(typing: Any, codes: Any) -> Any:
    """Let the registers go, so that the system need not keep them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if signature.args[0].dtype == types.uint8:
            _call(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(codes), generate


@kernel
def plain_begin_products(codes: Array) -> None:
    """Do nothing: usual registers have one shape."""


@kernel
def plain_end_products(codes: Array) -> None:
    """Do nothing."""


def products(
    context: Any, builder: Any, kinds: Any, arguments: Any, query: Callable[[Any], Any], count: Any,
    follow: Any, sums: Any,
) -> None:  # fmt: skip
    """Generate the products of 64 rows and up to sixteen queries, written ``[query][row]`` in 32 bits.

    The arguments begin with a block of codes and all queries; `query` generates which of them is the i-th.
    `follow` says whether sixteen follow one another: else their codes are brought together, 64 of each at a
    time. Up to 64 bytes after those of a query are read. Where `begin_products` was not called for these
    codes, the process ends.
    """
    rows, asked = (pointer(context, builder, kinds[k], arguments[k], _BYTE) for k in (0, 1))
    steps = _steps(context, builder, kinds[0], arguments[0])
    width = builder.shl(steps, ir.Constant(INDEX, 2))
    line, step = ir.Constant(INDEX, WIDTH), ir.Constant(INDEX, PIECES * WIDTH)
    start = builder.gep(asked, [builder.mul(query(ir.Constant(INDEX, 0)), width)])
    packed = cgutils.alloca_once(builder, _LINE, size=LINES)
    packed.align = WIDTH
    apart = builder.select(follow, width, line)

    def add(sixteen: Any, own: int, other: int) -> None:
        """Generate the products of 16 steps, or of what is left."""
        column = builder.mul(sixteen, line)
        with builder.if_then(builder.not_(follow)), cgutils.for_range(builder, count) as each:
            place = builder.add(builder.mul(query(each.index), width), column)
            builder.store(load(builder, asked, place, _LINE), builder.gep(packed, [each.index]))
        first = builder.select(follow, builder.gep(start, [column]), builder.bitcast(packed, _ADDRESS))
        _call(builder, "tileloadd64", own, first, apart)
        begin = builder.mul(column, ir.Constant(INDEX, PIECES * LINES))
        for piece in range(PIECES):
            quarter = builder.gep(rows, [builder.add(begin, ir.Constant(INDEX, piece * WIDTH))])
            _call(builder, "tileloadd64", other, quarter, step)
            _call(builder, "tdpbsud", piece, own, other)

    for piece in range(PIECES):
        _call(builder, "tilezero", piece)
    sixteens = builder.lshr(steps, ir.Constant(INDEX, 4))
    with cgutils.for_range(builder, sixteens) as loop:
        add(loop.index, _OWN, _ROWS)
    left = builder.and_(steps, ir.Constant(INDEX, LINES - 1))
    with builder.if_then(builder.icmp_unsigned("!=", left, ir.Constant(INDEX, 0))):
        add(sixteens, _OWN_LEFT, _ROWS_LEFT)
    for piece in range(PIECES):
        quarter = builder.gep(builder.bitcast(sums, _ADDRESS), [ir.Constant(INDEX, piece * WIDTH)])
        _call(builder, "tilestored64", piece, quarter, step)


if MATRICES:
    begin_products, end_products = _begin_products, _end_products
else:
    begin_products, end_products = plain_begin_products, plain_end_products
