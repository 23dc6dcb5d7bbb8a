"""What the primitives share: the kinds of LLVM values that they are made of, and whether they are used."""

from __future__ import annotations

import os
from typing import Any

import llvmlite.binding
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import config
from numba.core.errors import TypingError

from ..kernels import COMPILED

VECTORS = COMPILED and os.environ.get("METRICSPACE_SIMD", "1") != "0"
"""False under ``METRICSPACE_SIMD=0``, when the plain twins stand in for the primitives."""

WIDTH = 64  # bytes of a register, or of two where they are narrower

# Processors of these names add four products of bytes, or two; others tell by their features.
_OF_FOUR = ("cascadelake", "cooperlake", "icelake", "tigerlake", "rocketlake", "sapphirerapids",
            "graniterapids", "emeraldrapids", "znver4", "znver5")  # fmt: skip
_OF_TWO = ("haswell", "broadwell", "skylake", "cannonlake", "alderlake", "raptorlake", "znver", "x86-64-v3",
           "x86-64-v4")  # fmt: skip


def _features() -> tuple[bool, bool, bool]:
    """Return whether the machine that is compiled for has registers of 64 bytes, VNNI, and AVX2."""
    if config.CPU_NAME:
        name, given = config.CPU_NAME, (config.CPU_FEATURES or "").split(",")
        of_four = name.startswith(_OF_FOUR)
        wide = of_four or name.startswith(("skylake-avx512", "x86-64-v4")) or "+avx512f" in given
        return wide, of_four or "+avx512vnni" in given, wide or name.startswith(_OF_TWO) or "+avx2" in given
    host = llvmlite.binding.get_host_cpu_features()
    wide, of_four, of_two = (bool(host.get(name)) for name in ("avx512f", "avx512vnni", "avx2"))
    return wide, of_four, of_two


WIDE, FOURS, PAIRS = _features() if VECTORS else (False, False, False)
"""Whether registers hold 64 bytes, and four products of bytes are added at once, or two."""

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
