"""Vectors, or rows of integer codes, in one matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgument, WrongType
from ..simd.vectors import aligned
from .base import Objects, Positions, appended, refuse_single

# Beyond these, squares of differences would overflow (float32) or the sums of them (float64).
_LARGEST = {np.dtype(np.float32): 1e15, np.dtype(np.float64): 1e150}

_SHORT = 4096  # numbers that one product of all by themselves can check, faster than two looks at each

_CODES = (np.uint8, np.int32, np.int64)


class Rows(Objects):
    """Vectors in one C-contiguous matrix.

    Parameters
    ----------
    rows : array, shape (n, d)
        Already validated; see `Rows.of`.
    """

    kind = "rows"

    def __init__(self, rows: npt.NDArray[Any]) -> None:
        self.rows = rows

    @classmethod
    def of(cls, data: Any) -> Self:
        """Validate real vectors: float32 and float64 stay, others become the smaller that holds them exactly.

        Raises
        ------
        WrongType
            If `data` is not a matrix of real numbers.
        InvalidArgument
            If it is empty, holds NaN or infinity, or numbers too large to square.
        """
        return cls(cls.checked(finite(as_matrix(data))))

    @classmethod
    def checked(cls, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return vectors, or complain of those that this kind of rows does not allow."""
        return rows

    @classmethod
    def codes(cls, data: Any) -> Self:
        """Validate rows of whole numbers: kept as uint8, int32 or int64, the least that holds their type."""
        matrix = as_matrix(data)
        if matrix.dtype.kind == "f":
            whole = np.rint(matrix)
            if not (np.array_equal(matrix, whole) and float(np.abs(whole).max(initial=0.0)) < 2.0**63):
                raise WrongType(
                    "expected rows of whole numbers (codes), given fractions, NaN or numbers beyond 64 bits: "
                    "round them first, or use a metric on vectors"
                )
            matrix = matrix.astype(np.int64)
        if matrix.dtype.kind == "u" and matrix.dtype.itemsize == 8 and matrix.max(initial=0) >= 2**63:
            raise WrongType("expected codes below 2**63, given larger ones: number the different codes")
        kept = next(kept for kept in _CODES if np.can_cast(matrix.dtype, kept) or kept is np.int64)
        return cls(np.ascontiguousarray(matrix, kept))

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, positions: Positions) -> Self:
        taken = aligned((len(positions), self.rows.shape[1]), self.rows.dtype)
        # Not mode="raise", which would fill a buffer first.
        return type(self)(np.take(self.rows, positions, axis=0, out=taken, mode="wrap"))

    def encode(self, data: Any) -> Self:
        own = self.rows
        width = own.shape[1]
        if own.dtype.kind == "f":
            given = self.checked(self._cast(self._given(data)))
        else:
            given = type(self).codes(as_matrix(data, width)).rows
            held = np.iinfo(own.dtype)
            if given.size and not held.min <= given.min() <= given.max() <= held.max:
                raise InvalidArgument(
                    f"expected codes from {held.min} to {held.max} like the indexed ones ({own.dtype}), "
                    f"given some from {given.min()} to {given.max()}: index them in a wider integer type"
                )
        return type(self)(np.ascontiguousarray(given, own.dtype))

    def _cast(self, given: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a copy of further vectors in the type of those held, or say that it is too narrow."""
        own = self.rows.dtype
        if given.dtype == own and len(given) == 1:  # aligning takes longer than it spares
            return given.copy()
        if given.dtype == own:
            copied = aligned(given.shape, own)
            copied[:] = given
            return copied
        with np.errstate(over="ignore", under="ignore"):
            cast = given.astype(own)
        if not np.isfinite(cast).all():
            raise InvalidArgument(
                f"numbers up to {np.abs(given).max():.3g} are too large for {own}, in which the objects are "
                "indexed: scale the data, or index them as float64"
            )
        return cast

    def widened(self, data: Any) -> Self:
        if self.rows.dtype.kind != "f":
            return self
        wider = np.result_type(self.rows, self._given(data))
        return self if wider == self.rows.dtype else type(self)(self.rows.astype(wider))

    def _given(self, data: Any) -> npt.NDArray[Any]:
        """Validate further vectors of the same width, which may be none."""
        return finite(as_matrix(data, self.rows.shape[1]), allow_empty=True)

    def extended(self, data: Any) -> Self:
        return type(self)(appended(self.rows, self.encode(data).rows))

    def give(self, positions: Positions) -> npt.NDArray[Any]:
        return self.rows[positions]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"rows": self.rows}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        return cls(arrays["rows"])


class NumericRows(Rows):
    """Rows of any numbers as they are, for a metric of the user's own, which alone knows what it can measure.

    Further rows may hold any numbers, too, that the type of the first can hold; floats are rounded to it.
    """

    kind = "numeric"

    @classmethod
    def of(cls, data: Any) -> Self:
        return cls(np.ascontiguousarray(as_matrix(data)))

    def encode(self, data: Any) -> Self:
        given, kept = self._given(data), self.rows.dtype
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            cast = given.astype(kept)
        altered = np.isinf(cast) != np.isinf(given) if kept.kind == "f" else cast != given
        if altered.any():
            raise InvalidArgument(
                f"expected numbers that {kept} holds, the type of the indexed rows, given "
                f"{given[altered][0]}: index rows of a wider type"
            )
        return type(self)(np.ascontiguousarray(cast))

    def _given(self, data: Any) -> npt.NDArray[Any]:
        return as_matrix(data, self.rows.shape[1])


def as_matrix(data: Any, width: int | None = None) -> npt.NDArray[Any]:
    """Return `data` as a real matrix of the expected width, or say what is wrong with it."""
    refuse_single(data, "vectors")
    try:
        matrix = np.asarray(data)
    except (ValueError, TypeError, RuntimeError) as error:
        raise WrongType(f"expected a matrix of real numbers, one row an object: {error}") from error
    if matrix.dtype.kind not in "fiub":
        raise WrongType(
            f"expected a matrix of real numbers, one row an object; given {_described(data)}: "
            "use a metric made for such objects, or convert them to vectors"
        )
    if matrix.ndim == 1 and matrix.size == 0:
        matrix = matrix.reshape(0, width or 0)
    if matrix.ndim == 1:
        raise WrongType(
            f"expected a matrix with one row an object, given one row of {len(matrix)} numbers: "
            "pass [row] for one object"
        )
    if matrix.ndim != 2:
        raise WrongType(
            f"expected a matrix with one row an object, given an array of shape {matrix.shape}: "
            "reshape it to (objects, dimensions)"
        )
    if width is not None and matrix.shape[1] != width:
        raise InvalidArgument(
            f"expected objects of {width} dimensions like the indexed ones, given {matrix.shape[1]}"
        )
    return matrix


def _described(data: Any) -> str:
    first = data[0] if isinstance(data, Sequence) and data else None
    name = type(data).__name__
    return name if first is None else f"a {name} of {type(first).__name__}"


def refuse_empty(matrix: npt.NDArray[Any], allow_empty: bool = False) -> None:
    """Refuse a matrix without rows, unless that is allowed, or without columns."""
    if matrix.shape[0] == 0 and not allow_empty:
        raise InvalidArgument("expected at least one object, given none")
    if matrix.shape[1] == 0 and matrix.shape[0] > 0:
        raise InvalidArgument(f"expected at least one dimension, given an array of shape {matrix.shape}")


def finite(matrix: npt.NDArray[Any], allow_empty: bool = False) -> npt.NDArray[Any]:
    """Return a C-contiguous float matrix without NaN, infinity or numbers too large."""
    refuse_empty(matrix, allow_empty)
    largest = float(np.abs(matrix, dtype=np.float64).max(initial=0.0)) if matrix.dtype.kind in "iu" else 0.0
    if matrix.dtype.kind in "iub":
        if largest > 2**53:
            raise InvalidArgument(
                f"integers up to {largest:.0f} are not exact in float64 (2**53): scale them, "
                "or use a metric on codes such as 'hamming'"
            )
        matrix = matrix.astype(np.float32 if largest <= 2**24 else np.float64)
    elif matrix.dtype.itemsize < 4:
        matrix = matrix.astype(np.float32)
    elif matrix.dtype.itemsize > 8:
        matrix = matrix.astype(np.float64)
    matrix = np.ascontiguousarray(matrix, matrix.dtype.newbyteorder("="))
    if matrix.size <= _SHORT and np.vdot(matrix, matrix) <= _LARGEST[matrix.dtype]:
        return matrix  # one number that is too large, or none, would have shown in the sum
    if matrix.size:
        # NaN and infinity both show in these; as ufuncs they take a third of the methods' time for one row.
        low, high = float(np.minimum.reduce(matrix, axis=None)), float(np.maximum.reduce(matrix, axis=None))
        if not (math.isfinite(low) and math.isfinite(high)):
            row = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
            raise InvalidArgument(
                f"expected finite numbers, given NaN or infinity in row {row}: remove or fill such rows"
            )
        greatest = max(-low, high)
        if matrix.dtype == np.float32 and greatest > _LARGEST[matrix.dtype]:
            matrix = matrix.astype(np.float64)
        if greatest > _LARGEST[matrix.dtype]:
            raise InvalidArgument(f"numbers up to {greatest:.3g} are too large to be squared: scale the data")
    return matrix
