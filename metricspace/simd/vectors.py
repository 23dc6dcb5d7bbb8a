"""What the primitives share: the kinds of LLVM values that they are made of, and whether they are used."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import config
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.core.errors import TypingError

from ..kernels import COMPILED

VECTORS = COMPILED and os.environ.get("METRICSPACE_SIMD", "1") != "0"
"""False under ``METRICSPACE_SIMD=0``, when the plain twins stand in for the primitives."""

WIDTH = 64  # bytes of a register, or of two where they are narrower

# Processors that have an instruction set, by the beginnings of their names.
_VNNI = ("cascadelake", "cooperlake", "icelake", "tigerlake", "rocketlake", "sapphirerapids",
         "graniterapids", "emeraldrapids", "znver4", "znver5")  # fmt: skip
_AVX512 = ("skylake-avx512", "x86-64-v4", *_VNNI)
_AVX2 = ("haswell", "broadwell", "skylake", "cannonlake", "alderlake", "raptorlake", "znver", "x86-64-v3",
         *_AVX512)  # fmt: skip
_AMX = ("sapphirerapids", "graniterapids", "emeraldrapids")
_KNOWN = {"avx512f": _AVX512, "avx512vnni": _VNNI, "avx2": _AVX2, "amx-int8": _AMX}


def _features() -> list[bool]:
    """Return whether what is compiled for has registers of 64 bytes, VNNI, AVX2, and AMX for bytes.

    As Numba has it: features that are given decide, else those of this machine, less what a processor whose
    name is given does not have.
    """
    name, given = config.CPU_NAME or "", config.CPU_FEATURES
    told = (get_host_cpu_features() if given is None else given).split(",")
    found = []
    for feature, names in _KNOWN.items():
        named = name.startswith(names)
        if given is not None and f"+{feature}" not in told and f"-{feature}" not in told:
            found.append(named)
        else:
            found.append(f"+{feature}" in told and (named or not name or given is not None))
    return found


WIDE, FOURS, PAIRS, MATRIX = _features() if VECTORS else [False] * len(_KNOWN)
"""Whether registers hold 64 bytes, four products of bytes are added at once, or two, or those of matrices."""

INDEX, REAL = ir.IntType(64), ir.DoubleType()


def refuse_strided(*rows: Any) -> None:
    """Complain, while a kernel is compiled, about rows whose numbers do not follow one another."""
    if any(row.layout != "C" for row in rows):
        raise TypingError("vector primitives take rows whose numbers follow one another")


def pointer(context: Any, builder: Any, kind: Any, array: Any, to: Any) -> Any:
    """Return where the elements of an array begin, as those of another kind."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(data, to.as_pointer())


def load(builder: Any, start: Any, place: Any, kind: Any) -> Any:
    """Load a vector that begins at an element of an array."""
    return builder.load(builder.bitcast(builder.gep(start, [place]), kind.as_pointer()), align=1)


def fetch(builder: Any, place: Any) -> None:
    """Generate the fetch of a cache line that will be read soon."""
    word, byte = ir.IntType(32), ir.IntType(8).as_pointer()
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), [byte, word, word, word]), "llvm.prefetch.p0"
    )
    read, often, data = (ir.Constant(word, given) for given in (0, 3, 1))
    builder.call(function, [builder.bitcast(place, byte), read, often, data])


def aligned(shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.uint8) -> npt.NDArray[Any]:
    """Return zeros that begin at a multiple of a register's width: what straddles two lines is read twice."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    held = np.zeros(size + WIDTH, np.uint8)
    return held[-held.ctypes.data % WIDTH :][:size].view(dtype).reshape(shape)
