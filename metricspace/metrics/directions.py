"""The distance of directions: between unit vectors, along the arc, and on a globe."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from ..bounds import Slack
from ..errors import InvalidArgument
from ..kernels import Array, kernel
from ..laws import Laws, register
from ..norms import EuclideanSpace, Images, OnImages, norms, rows_of
from ..objects import Objects, Rows
from ..simd.sums import sum_of_squares
from ..space import Room, RowQuery, prepare, within

_UNIT = 2.0**-53


class ArcSpace(NamedTuple):
    """Unit vectors, under the length of the arc between them on a sphere."""

    rows: Array
    radius: float


@prepare.of(ArcSpace)
def _(space: ArcSpace, queries: ArcSpace, i: int, room: Room) -> Any:
    return RowQuery(queries.rows[i])


@within.of(ArcSpace)
def _(space: ArcSpace, i: int, query: Any, limit: float) -> float:
    # Half the chord is the sine of half the angle. Beyond a right angle the sine is flat, and that of the
    # supplement, the angle between u and −v, is accurate instead.
    row = space.rows[i]
    squares = sum_of_squares(row, query.row)
    chord = np.sqrt(squares)
    if chord * space.radius > limit * (1 + 1e-12):  # the arc is no shorter
        return chord * space.radius
    if squares <= 2:
        return 2 * space.radius * np.arcsin(chord / 2)
    return space.radius * (np.pi - 2 * np.arcsin(min(np.sqrt(_sum_of_square_sums(row, query.row)) / 2, 1.0)))


@kernel
def _sum_of_square_sums(x: Array, y: Array) -> float:
    """Σ(xₖ + yₖ)²."""
    total = 0.0
    for k in range(x.shape[0]):
        total += (x[k] + y[k]) * (x[k] + y[k])
    return total


class Directions(Rows):
    """Vectors that have a direction."""

    kind = "directions"

    @classmethod
    def checked(cls, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        short = np.flatnonzero(_lengths(rows) < 1e-140)
        if len(short):
            raise InvalidArgument(
                f"the vector in row {short[0]} has length 0 and so no angle: remove it, or use 'euclidean'"
            )
        return rows


def _lengths(rows: npt.NDArray[Any]) -> Images:
    return norms(EuclideanSpace, rows)


def _unit_vectors(objects: Objects) -> Images:
    rows = rows_of(objects)
    return rows / _lengths(rows)[:, None]


class OfDirections(OnImages):
    """The base of metrics on unit vectors, derived from vectors of any length."""

    container = Directions
    images = staticmethod(_unit_vectors)

    def error(self, objects: Objects) -> Slack:
        width = rows_of(objects).shape[1]
        # Equal directions may differ by the rounding of their lengths: sums of width / 8 terms in a lane.
        return Slack((width / 2 + 16) * _UNIT, (width / 8 + 8) * _UNIT)


@register("chord")
class Chord(OfDirections):
    """The Euclidean distance of two vectors after each is divided by its length, from 0 to 2."""

    arrays = EuclideanSpace

    def __init__(self) -> None:
        super().__init__("chord", Laws(identity=False, hilbert=True))


@register("angular", "angle")
class Angular(OfDirections):
    """The angle between two vectors, in radians, from 0 to π; one of length 0 has none and is refused."""

    def __init__(self) -> None:
        # Different vectors of one direction are at distance 0.
        super().__init__("angular", Laws(identity=False), functools.partial(ArcSpace, radius=1.0))


# --- places on a globe -------------------------------------------------------------------------------


class Places(Rows):
    """Latitudes and longitudes, in radians."""

    kind = "places"
    quarter: ClassVar[float] = np.pi / 2
    hint: ClassVar[str] = "they look like degrees, for which there is haversine with unit='degrees'"

    @classmethod
    def checked(cls, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if rows.shape[1] != 2:
            raise InvalidArgument(
                f"expected rows of (latitude, longitude), given {rows.shape[1]} numbers a row"
            )
        latitudes = np.abs(rows[:, 0])
        # The right angle of float32 lies beyond that of float64.
        beyond = np.flatnonzero(latitudes > cls.quarter * (1 + 2.0**-24))
        if len(beyond):
            raise InvalidArgument(
                f"expected latitudes from {-cls.quarter:.5g} to {cls.quarter:.5g}, given "
                f"{rows[beyond[0], 0]:.5g} in row {beyond[0]}: {cls.hint}"
            )
        return rows


class PlacesInDegrees(Places):
    """Latitudes and longitudes, in degrees."""

    kind = "places in degrees"
    quarter = 90.0
    hint = "a row is (latitude, longitude), in this order"


def _on_sphere(objects: Objects) -> Images:
    rows = rows_of(objects).astype(np.float64)
    quarter = objects.quarter  # type: ignore[attr-defined]  # these are Places
    latitude, longitude = np.clip(rows[:, 0], -quarter, quarter), rows[:, 1]
    if quarter == 90.0:  # whole turns are exact in degrees
        longitude = np.fmod(longitude, 360.0)
        longitude = np.where(np.abs(longitude) > 180.0, longitude - np.copysign(360.0, longitude), longitude)
    unit = np.pi / 2 / quarter
    # All longitudes meet at a pole, and ±180° is one meridian.
    across = np.where(np.abs(latitude) < quarter, _each(math.cos, latitude * unit), 0.0)
    east = np.where(np.abs(longitude) != 2 * quarter, _each(math.sin, longitude * unit), 0.0)
    toward = _each(math.cos, longitude * unit)  # the point of latitude and longitude 0
    return np.stack([across * toward, across * east, _each(math.sin, latitude * unit)], axis=1)


def _each(function: Callable[[float], float], angles: Images) -> Images:
    """Apply a function to one angle after the other: in vectors, equal angles may give different values."""
    return np.fromiter(map(function, angles.tolist()), np.float64, len(angles))


@register("haversine", "great_circle")
class Haversine(OnImages):
    """The length of the great circle between two places, rows of (latitude, longitude).

    Parameters
    ----------
    unit : {"radians", "degrees"}
        Of the rows.
    radius : float
        Of the sphere; distances are in its unit. With 1 they are in radians, with 6371 in kilometres on the
        Earth, to the half per cent by which that is no sphere.
    """

    images = staticmethod(_on_sphere)

    def __init__(self, unit: str = "radians", radius: float = 1.0) -> None:
        units = {"radians": Places, "degrees": PlacesInDegrees}
        if not isinstance(unit, str) or unit not in units:
            raise InvalidArgument(f"expected the unit 'radians' or 'degrees', given {unit!r}")
        number = isinstance(radius, (int, float, np.number)) and not isinstance(radius, bool)
        if not number or not 1e-150 < radius < 1e150:
            raise InvalidArgument(f"expected a positive radius of the sphere, given {radius!r}")
        self.container, self._radius = units[unit], float(radius)
        # Longitudes that differ by whole turns are the same place, and so are all at a pole.
        super().__init__("haversine", Laws(identity=False), functools.partial(ArcSpace, radius=self._radius))
        self._params = {"unit": unit, "radius": self._radius}

    def error(self, objects: Objects) -> Slack:
        return Slack(16 * _UNIT, 16 * _UNIT * self._radius)
