"""Rows under a norm of their difference, and metrics that map objects to such rows.

Many distances are a norm after a map of each object by itself: weighted coordinates, a linear map, square
roots, unit length. The map is made once for each object, in float64 and in an order that does not depend on
what else is in the batch, so that equal objects have equal images to the bit. The distance of the images is
then the metric, and one kernel for each norm serves them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .addressed import addressed
from .bounds import Slack
from .errors import InvalidArgument
from .kernels import COMPILED, Array, fast_kernel
from .laws import Laws, Metric, summing
from .objects import Objects, Rows
from .simd.registers import prefetch
from .simd.sums import greatest_magnitude, sum_of_magnitudes, sum_of_squares
from .space import (
    Room,
    RowQuery,
    distance,
    estimate,
    estimate_within,
    fetch,
    fill_distances,
    make_room,
    prepare,
    settle,
)

Images = npt.NDArray[np.float64]


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


@prepare.of(EuclideanSpace, ManhattanSpace, ChebyshevSpace, MinkowskiSpace)
def _(space: Any, queries: Any, i: int, room: Room) -> Any:
    return RowQuery(queries.rows[i])


# --- L2: estimated in the precision of the rows, settled in float64 ----------------------------------


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


@fetch.of(EuclideanSpace)
def _(space: EuclideanSpace, slot: int) -> None:
    prefetch(space.rows, slot)


@settle.of(EuclideanSpace)
def _(space: EuclideanSpace, i: int, query: Any, estimated: float) -> float:
    return distance(space, i, query)


# --- L1, L∞, Lp --------------------------------------------------------------------------------------


@distance.of(ManhattanSpace)
def _(space: ManhattanSpace, i: int, query: Any) -> float:
    return sum_of_magnitudes(space.rows[i], query.row)


@distance.of(ChebyshevSpace)
def _(space: ChebyshevSpace, i: int, query: Any) -> float:
    return greatest_magnitude(space.rows[i], query.row)


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


# --- metrics on rows ---------------------------------------------------------------------------------


def rows_of(objects: Objects) -> npt.NDArray[Any]:
    """Return the matrix in a container of rows."""
    assert isinstance(objects, Rows)
    return objects.rows


def norms(arrays: Callable[..., Any], rows: npt.NDArray[Any]) -> Images:
    """Return the norm of each row: its distance from the origin."""
    space, origin = arrays(rows), arrays(np.zeros((1, rows.shape[1]), rows.dtype))
    out = np.empty((1, len(rows)))
    both = (addressed(space), addressed(origin)) if COMPILED else (space, origin)
    fill_distances(both[0], both[1], 0, 1, make_room(1), out)
    return out[0]


class OnRows(Metric):
    """The base of metrics on rows, by default a norm of their difference.

    Parameters
    ----------
    name : str
        The metric's name.
    laws : Laws
        What it obeys.
    arrays : callable, optional
        Makes the space from a matrix; needed if the class does not say.
    """

    function = None
    container: type[Rows] = Rows
    arrays: Callable[..., Any]

    def __init__(self, name: str, laws: Laws, arrays: Callable[..., Any] | None = None) -> None:
        self.name, self.laws = name, laws
        self._params: dict[str, Any] = {}
        if arrays is not None:
            self.arrays = arrays
        self.hot = self.arrays is EuclideanSpace  # searches are compiled for it

    @property
    def params(self) -> dict[str, Any]:
        return self._params

    def objects(self, data: Any) -> Objects:
        return self.container.of(data)

    def matrix(self, objects: Objects) -> npt.NDArray[Any]:
        """Return the rows that are compared."""
        return rows_of(objects)

    def space(self, objects: Objects) -> Any:
        return self.arrays(self.matrix(objects))

    def error(self, objects: Objects) -> Slack:
        space = self.space(objects)
        width = space.rows.shape[1]
        if isinstance(space, MinkowskiSpace):
            # Powers lose p units, and what is too small to be scaled is taken for its greatest term.
            return Slack((width / 2 + 4 * space.p + 3) * 2.0**-53, 1e-300)
        if isinstance(space, EuclideanSpace):
            # Squares below the least normal number vanish.
            least = 2.0**-63 if space.rows.dtype == np.float32 else 2.0**-511
            return summing(space.rows)._replace(absolute=float(np.sqrt(width)) * least)
        return summing(space.rows)


class OnImages(OnRows):
    """The base of metrics that compare an image of each row, made once and kept in float64.

    Metrics whose images are made by the same function share them.
    """

    images: Callable[[Objects], Images]

    def matrix(self, objects: Objects) -> Images:
        return objects.derived(self.images)

    def bytes_derived(self, objects: Objects, scan: bool = False) -> int:
        return 8 * rows_of(objects).size


def refuse_large(images: Images) -> Images:
    """Return images, or complain that they cannot be squared."""
    greatest = float(np.abs(images).max(initial=0.0))
    if not greatest <= 1e150:
        raise InvalidArgument(
            f"the metric's parameters take these rows to numbers up to {greatest:.3g}, too large to be "
            "squared: scale the data or the parameters"
        )
    return images
