"""Hamming distance, on rows of codes and on packed bits."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ..bounds import Slack
from ..errors import WrongType
from ..kernels import Array
from ..laws import TRIANGLE, register
from ..norms import OnRows, rows_of
from ..objects import Objects, Rows
from ..objects.rows import as_matrix, refuse_empty
from ..simd import count_unequal, count_unequal_bits, eight_beyond
from ..space import Room, RowQuery, distance, prepare, run_past


class HammingSpace(NamedTuple):
    """Rows of codes."""

    rows: Array


class BitsSpace(NamedTuple):
    """Rows of bits, 64 a word."""

    rows: Array


@prepare.of(HammingSpace, BitsSpace)
def _(space: Any, queries: Any, i: int, room: Room) -> Any:
    return RowQuery(queries.rows[i])


@distance.of(HammingSpace)
def _(space: HammingSpace, i: int, query: Any) -> float:
    return np.float64(count_unequal(space.rows[i], query.row))


@distance.of(BitsSpace)
def _(space: BitsSpace, i: int, query: Any) -> float:
    return np.float64(count_unequal_bits(space.rows[i], query.row))


@run_past.of(BitsSpace)
def _(space: BitsSpace, start: int, stop: int, query: Any, limit: float) -> int:
    most = np.int64(min(limit, 2.0**62))
    if query.row.shape[0] % 4 == 0:
        while start + 8 <= stop and eight_beyond(space.rows, start, query.row, most):
            start += 8
    for i in range(start, stop):
        if count_unequal_bits(space.rows[i], query.row) <= most:
            return i
    return stop


class Bits(Rows):
    """Rows of bits, eight to a byte or as booleans, kept as they were given."""

    kind = "bits"

    @classmethod
    def of(cls, data: Any) -> Self:
        matrix = as_matrix(data)
        refuse_empty(matrix)
        return cls(_bits(matrix))

    def encode(self, data: Any) -> Self:
        given = as_matrix(data, self.rows.shape[1])
        if given.size == 0:
            given = given.astype(self.rows.dtype)
        if _bits(given).dtype != self.rows.dtype:
            raise WrongType(
                f"expected rows of {self.rows.dtype} like the indexed ones, given {given.dtype}: "
                "pack both with np.packbits(x, axis=1), or neither"
            )
        return type(self)(_bits(given))


def _bits(matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if matrix.dtype not in (np.uint8, np.bool_):
        raise WrongType(
            f"expected bits, packed into bytes as np.packbits(x, axis=1) does or as booleans, given "
            f"{matrix.dtype}: convert with x.astype(bool), or use 'hamming' for codes"
        )
    return np.ascontiguousarray(matrix)


def _words(objects: Objects) -> npt.NDArray[np.uint64]:
    """Return the bits of each row in whole words, those beyond its end being 0."""
    rows = rows_of(objects)
    packed = np.packbits(rows, axis=1) if rows.dtype == np.bool_ else rows
    words = np.zeros((len(rows), -(-packed.shape[1] // 8)), np.uint64)
    words.view(np.uint8)[:, : packed.shape[1]] = packed
    return words


class Codes(OnRows):
    """The base of both: whole numbers are counted, so that nothing is rounded."""

    def error(self, objects: Objects) -> Slack:
        return Slack(0.0, 0.0)


@register("hamming")
class Hamming(Codes):
    """The number of places in which two rows of codes differ."""

    arrays = HammingSpace

    def __init__(self) -> None:
        super().__init__("hamming", TRIANGLE)

    def objects(self, data: Any) -> Objects:
        refuse_empty(as_matrix(data))
        return Rows.codes(data)


@register("hamming_bits")
class HammingBits(Codes):
    """The number of bits in which two rows differ: bytes as `numpy.packbits` makes them, or booleans."""

    arrays = BitsSpace
    container = Bits

    def __init__(self) -> None:
        super().__init__("hamming_bits", TRIANGLE)
        self.hot = True

    def matrix(self, objects: Objects) -> npt.NDArray[np.uint64]:
        return objects.derived(_words)
