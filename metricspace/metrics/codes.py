"""Hamming distance, on rows of codes and on packed bits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..bounds import Slack
from ..kernels import Array
from ..laws import TRIANGLE, Metric, register
from ..norms import OnRows, rows_of
from ..objects import Bits, Objects, Rows
from ..objects.bits import is_boolean
from ..objects.rows import as_matrix, refuse_empty
from ..simd.counts import count_unequal, count_unequal_bits, eight_beyond
from ..space import Room, RowQuery, batches, distance, estimates, prepare


class HammingSpace(NamedTuple):
    """Rows of codes."""

    rows: Array


class WordsSpace(NamedTuple):
    """Rows of bits, 64 a word."""

    rows: Array


@prepare.of(HammingSpace, WordsSpace)
def _(space: Any, queries: Any, i: int, room: Room) -> Any:
    return RowQuery(queries.rows[i])


@distance.of(HammingSpace)
def _(space: HammingSpace, i: int, query: Any) -> float:
    return np.float64(count_unequal(space.rows[i], query.row))


@distance.of(WordsSpace)
def _(space: WordsSpace, i: int, query: Any) -> float:
    return np.float64(count_unequal_bits(space.rows[i], query.row))


@batches.of(WordsSpace)
def _(space: WordsSpace) -> bool:
    return True


@estimates.of(WordsSpace)
def _(
    space: WordsSpace, first: int, query: Any, limit: float, out: Array, places: Array
) -> tuple[int, int, int]:
    most = np.int64(min(limit, 2.0**62))
    near = j = 0
    while j < out.shape[0]:
        stop = min(j + 8, out.shape[0])
        whole = query.row.shape[0] % 4 == 0 and stop == j + 8
        if not (whole and eight_beyond(space.rows, first + j, query.row, most)):
            for k in range(j, stop):
                out[near], places[near] = np.float64(count_unequal_bits(space.rows[first + k], query.row)), k
                near += out[near] <= limit
        j = stop
    return out.shape[0], near, 0


@register("hamming")
class Hamming(OnRows):
    """The number of places in which two rows of codes differ."""

    arrays = HammingSpace

    def __init__(self) -> None:
        super().__init__("hamming", TRIANGLE)

    def objects(self, data: Any) -> Objects:
        refuse_empty(as_matrix(data))
        return Rows.codes(data)

    def greatest(self, queries: Objects, objects: Objects) -> int:
        return rows_of(objects).shape[1]

    def error(self, objects: Objects) -> Slack:
        return Slack(0.0, 0.0)  # whole numbers are counted


@register("hamming_bits")
class HammingBits(Metric):
    """The number of bits in which two rows differ: bytes as `numpy.packbits` makes them, or booleans."""

    function = None
    hot = True

    def __init__(self) -> None:
        self.name, self.laws = "hamming_bits", TRIANGLE

    def objects(self, data: Any) -> Objects:
        return Bits.of(data, packed=not is_boolean(data))

    def space(self, objects: Objects) -> Any:
        assert isinstance(objects, Bits)
        return WordsSpace(objects.words)

    def greatest(self, queries: Objects, objects: Objects) -> int:
        assert isinstance(objects, Bits)
        return objects.width * (8 if objects.packed else 1)

    def error(self, objects: Objects) -> Slack:
        return Slack(0.0, 0.0)  # whole numbers are counted
