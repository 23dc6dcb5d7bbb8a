"""What the primitives share: the kinds of LLVM values that they are made of, and whether they are used."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core.errors import TypingError

from ..kernels import COMPILED

VECTORS = COMPILED and os.environ.get("METRICSPACE_SIMD", "1") != "0"
"""False under ``METRICSPACE_SIMD=0``, when the plain twins stand in for the primitives."""

WIDTH = 64  # bytes of a register

INDEX, REAL = ir.IntType(64), ir.DoubleType()


def refuse_strided(*rows: Any) -> None:
    """Complain, while a kernel is compiled, about rows whose numbers do not follow one another."""
    if any(row.layout != "C" for row in rows):
        raise TypingError("vector primitives take rows whose numbers follow one another")


def aligned(shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.uint8) -> npt.NDArray[Any]:
    """Return zeros that begin at a multiple of a register's width: what straddles two lines is read twice."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    held = np.zeros(size + WIDTH, np.uint8)
    return held[-held.ctypes.data % WIDTH :][:size].view(dtype).reshape(shape)
