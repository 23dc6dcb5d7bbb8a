"""Minkowski distances, the angle between vectors, and Hamming distance on rows of codes."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..bounds import Slack
from ..errors import InvalidArgument, NotAMetric
from ..kernels import Array, fast_kernel
from ..laws import HILBERT, TRIANGLE, Laws, Metric, register, summing
from ..objects import Objects, Rows
from ..simd import greatest_magnitude, sum_of_magnitudes, sum_of_squares
from ..space import Room, RowQuery, distance, estimate, estimate_within, prepare, settle


class EuclideanSpace(NamedTuple):
    """Rows under L2."""

    rows: Array


class ManhattanSpace(NamedTuple):
    """Rows under L1."""

    rows: Array


class ChebyshevSpace(NamedTuple):
    """Rows under L∞."""

    rows: Array


class MinkowskiSpace(NamedTuple):
    """Rows under Lp."""

    rows: Array
    p: float


class HammingSpace(NamedTuple):
    """Rows of codes."""

    rows: Array


@prepare.of(EuclideanSpace, ManhattanSpace, ChebyshevSpace, MinkowskiSpace, HammingSpace)
def _(space: Any, queries: Any, i: int, room: Room) -> Any:
    return RowQuery(queries.rows[i])


def _rows(objects: Objects) -> Array:
    assert isinstance(objects, Rows)
    return objects.rows


class Vectors(Metric):
    """The base of metrics on rows."""

    function = None
    arrays: ClassVar[Any]  # the space of the metric, if it is made of the rows alone

    def __init__(self, name: str, laws: Laws) -> None:
        self.name, self.laws = name, laws

    def objects(self, data: Any) -> Objects:
        return Rows.of(data)

    def space(self, objects: Objects) -> Any:
        return self.arrays(_rows(objects))


# --- Euclidean ---------------------------------------------------------------------------------------


@distance.of(EuclideanSpace)
def _(space: EuclideanSpace, i: int, query: Any) -> float:
    return np.sqrt(sum_of_squares(space.rows[i], query.row))


@fast_kernel
def _sum_of_squares(rows: Array, i: int, row: Array) -> Any:
    zero = row.dtype.type(0)
    squares = zero
    for k in range(row.shape[0]):
        difference = rows[i, k] - row[k]
        squares += difference * difference
    return squares


@estimate.of(EuclideanSpace)
def _(space: EuclideanSpace, i: int, query: Any) -> float:
    squares = np.float64(_sum_of_squares(space.rows, i, query.row))
    if squares == np.inf:  # float32 overflows where float64 does not
        return distance(space, i, query)
    return np.sqrt(squares)


@estimate_within.of(EuclideanSpace)
def _(space: EuclideanSpace, i: int, query: Any, limit: float) -> float:
    return estimate(space, i, query)


@settle.of(EuclideanSpace)
def _(space: EuclideanSpace, i: int, query: Any, estimated: float) -> float:
    return distance(space, i, query)


@register("euclidean", "l2")
class Euclidean(Vectors):
    """√Σ(xᵢ − yᵢ)². Estimated in the precision of the rows, settled in float64."""

    arrays = EuclideanSpace

    hot = True

    def __init__(self) -> None:
        super().__init__("euclidean", HILBERT)

    def error(self, objects: Objects) -> Slack:
        rows = _rows(objects)
        # Squares below the least normal number vanish.
        least = 2.0**-63 if rows.dtype == np.float32 else 2.0**-511
        return summing(rows)._replace(absolute=float(np.sqrt(rows.shape[1])) * least)


# --- Manhattan, Chebyshev, Minkowski -----------------------------------------------------------------


@distance.of(ManhattanSpace)
def _(space: ManhattanSpace, i: int, query: Any) -> float:
    return sum_of_magnitudes(space.rows[i], query.row)


@register("manhattan", "l1", "cityblock")
class Manhattan(Vectors):
    """Σ|xᵢ − yᵢ|."""

    arrays = ManhattanSpace

    def __init__(self) -> None:
        super().__init__("manhattan", TRIANGLE)


@distance.of(ChebyshevSpace)
def _(space: ChebyshevSpace, i: int, query: Any) -> float:
    return greatest_magnitude(space.rows[i], query.row)


@register("chebyshev", "linf")
class Chebyshev(Vectors):
    """max|xᵢ − yᵢ|."""

    arrays = ChebyshevSpace

    def __init__(self) -> None:
        super().__init__("chebyshev", TRIANGLE)


@distance.of(MinkowskiSpace)
def _(space: MinkowskiSpace, i: int, query: Any) -> float:
    row = space.rows[i]
    greatest = greatest_magnitude(row, query.row)
    if greatest < 1e-300:  # nothing that could be scaled
        return greatest
    scale = 1 / greatest
    powers = 0.0
    for k in range(row.shape[0]):
        powers += (abs(np.float64(row[k]) - np.float64(query.row[k])) * scale) ** space.p
    return greatest * powers ** (1 / space.p)


class Minkowski(Vectors):
    """(Σ|xᵢ − yᵢ|ᵖ)^(1/p), for 1 < p < ∞."""

    def __init__(self, p: float) -> None:
        super().__init__("minkowski", TRIANGLE)
        self.p = float(p)

    @property
    def params(self) -> dict[str, Any]:
        return {"p": self.p}

    def space(self, objects: Objects) -> Any:
        return MinkowskiSpace(_rows(objects), self.p)

    def error(self, objects: Objects) -> Slack:
        # Powers lose p units, and what is too small to be scaled is taken for its greatest term.
        return Slack((_rows(objects).shape[1] / 2 + 4 * self.p + 3) * 2.0**-53, 1e-300)


@register("minkowski")
def minkowski(p: float = 2.0) -> Metric:
    """Return L_p; p of 1, 2 and ∞ are Manhattan, Euclidean and Chebyshev distance.

    Raises
    ------
    NotAMetric
        If p < 1, where the triangle inequality fails.
    """
    if not isinstance(p, (int, float, np.integer, np.floating)) or np.isnan(p):
        raise InvalidArgument(f"expected a number p ≥ 1, given {p!r}")
    if p < 1:
        raise NotAMetric(f"minkowski with p = {p} < 1 breaks the triangle inequality: use p ≥ 1")
    special = {1.0: Manhattan, 2.0: Euclidean, np.inf: Chebyshev}
    return special[float(p)]() if float(p) in special else Minkowski(float(p))


# --- angular -----------------------------------------------------------------------------------------


class AngularSpace(NamedTuple):
    """Rows under the angle between them, and the reciprocals of their lengths."""

    rows: Array
    scale: Array


class AngularQuery(NamedTuple):
    """A row, and the reciprocal of its length."""

    row: Array
    scale: float


@prepare.of(AngularSpace)
def _(space: AngularSpace, queries: AngularSpace, i: int, room: Room) -> Any:
    return AngularQuery(queries.rows[i], queries.scale[i])


@distance.of(AngularSpace)
def _(space: AngularSpace, i: int, query: Any) -> float:
    # Of unit vectors u and v the angle is 2 atan(|u − v| / |u + v|): accurate for small angles and for
    # large ones, where the arc cosine of a product is neither.
    row = space.rows[i]
    difference = 0.0
    addition = 0.0
    for k in range(row.shape[0]):
        u = np.float64(row[k]) * space.scale[i]
        v = np.float64(query.row[k]) * query.scale
        difference += (u - v) * (u - v)
        addition += (u + v) * (u + v)
    return 2 * np.arctan2(np.sqrt(difference), np.sqrt(addition))


@register("angular")
class Angular(Vectors):
    """The angle between two vectors, in radians. Vectors of length 0 have none and are refused."""

    def __init__(self) -> None:
        # Different vectors of one direction are at distance 0.
        super().__init__("angular", Laws(identity=False))

    def objects(self, data: Any) -> Objects:
        return Directions.of(data)

    def space(self, objects: Objects) -> Any:
        return AngularSpace(_rows(objects), objects.derived(_reciprocal_lengths))

    def error(self, objects: Objects) -> Slack:
        width = _rows(objects).shape[1]
        return Slack((width + 8) * 2.0**-53, 4.0 * np.sqrt(width) * 2.0**-53)


class Directions(Rows):
    """Vectors that have a direction."""

    kind = "directions"

    @classmethod
    def of(cls, data: Any) -> Directions:
        return cls(_directed(Rows.of(data).rows))

    def encode(self, data: Any) -> Directions:
        return type(self)(_directed(super().encode(data).rows))


def _lengths(rows: Any) -> Any:
    return np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))


def _reciprocal_lengths(objects: Objects) -> Any:
    return 1 / _lengths(_rows(objects))


def _directed(rows: Any) -> Any:
    short = np.flatnonzero(_lengths(rows) < 1e-140)
    if len(short):
        raise InvalidArgument(
            f"the vector in row {short[0]} has length 0 and so no angle: remove it, or use 'euclidean'"
        )
    return rows


# --- Hamming -----------------------------------------------------------------------------------------


@distance.of(HammingSpace)
def _(space: HammingSpace, i: int, query: Any) -> float:
    row = space.rows[i]
    different = 0  # a sum of whole numbers, which the compiler may reorder, and so vectorises
    for k in range(row.shape[0]):
        different += row[k] != query.row[k]
    return np.float64(different)


@register("hamming")
class Hamming(Vectors):
    """The number of places in which two rows of codes differ."""

    arrays = HammingSpace

    def __init__(self) -> None:
        super().__init__("hamming", TRIANGLE)

    def objects(self, data: Any) -> Objects:
        return Rows.codes(data)

    def error(self, objects: Objects) -> Slack:
        return Slack(0.0, 0.0)
