"""Distances of histograms, and of rows of amounts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..bounds import Slack
from ..errors import InvalidArgument
from ..kernels import Array, kernel
from ..laws import HILBERT, TRIANGLE, Laws, register
from ..norms import EuclideanSpace, Images, ManhattanSpace, OnImages, OnRows, norms, rows_of
from ..objects import Objects, Rows
from ..simd.sums import sum_of_magnitudes, sum_of_shares
from ..space import Room, RowQuery, at_least, distance, prepare, within

_UNIT = 2.0**-53


# --- containers --------------------------------------------------------------------------------------


class Amounts(Rows):
    """Rows of numbers that are not negative."""

    kind = "amounts"

    @classmethod
    def checked(cls, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if rows.min(initial=0.0) < 0:
            row = int(np.flatnonzero((rows < 0).any(axis=1))[0])
            raise InvalidArgument(f"expected numbers of at least 0, given {rows[row].min():.5g} in row {row}")
        return rows


class Masses(Amounts):
    """Rows of amounts that are not all 0."""

    kind = "masses"

    @classmethod
    def checked(cls, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        sums = _sums(super().checked(rows))
        # What is too small to be divided by counts as nothing.
        if len(empty := np.flatnonzero(sums < 1e-140)):
            raise InvalidArgument(f"the histogram in row {empty[0]} is empty: remove it, or add to every bin")
        return rows


class Histograms(Masses):
    """Rows of amounts that sum to 1."""

    kind = "histograms"

    @classmethod
    def checked(cls, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        sums = _sums(super().checked(rows))
        if len(other := np.flatnonzero(np.abs(sums - 1) > 1e-6)):
            raise InvalidArgument(
                f"expected histograms that sum to 1, given a sum of {sums[other[0]]:.8g} in row {other[0]}: "
                "divide each row by its sum, or pass normalize=True"
            )
        return rows


def _sums(rows: npt.NDArray[Any]) -> Images:
    return norms(ManhattanSpace, rows)


def _shares(objects: Objects) -> Images:
    """Return rows divided by their sums, which rounding has left near 1 or which are anything."""
    rows = rows_of(objects)
    return rows / _sums(rows)[:, None]


def _roots(objects: Objects) -> Images:
    return np.sqrt(_shares(objects) / 2)


class OnHistograms(OnImages):
    """The base of metrics on histograms.

    Parameters
    ----------
    name : str
        The metric's name.
    laws : Laws
        What it obeys on rows that sum to 1.
    normalize : bool
        Whether rows may have any sum and are divided by it; rows in proportion are then at distance 0.
    """

    images = staticmethod(_shares)

    def __init__(self, name: str, laws: Laws, normalize: bool) -> None:
        if not isinstance(normalize, (bool, np.bool_)):
            raise InvalidArgument(f"expected normalize to be True or False, given {normalize!r}")
        super().__init__(name, Laws(identity=not normalize, hilbert=laws.hilbert))
        self.container = Masses if normalize else Histograms
        self._params = {"normalize": bool(normalize)}


# --- Hellinger ---------------------------------------------------------------------------------------


@register("hellinger")
class Hellinger(OnHistograms):
    """√(½ Σ(√pₖ − √qₖ)²), from 0 to 1.

    Parameters
    ----------
    normalize : bool
        Whether rows may have any sum and are divided by it.
    """

    arrays = EuclideanSpace
    images = staticmethod(_roots)

    def __init__(self, normalize: bool = False) -> None:
        super().__init__("hellinger", HILBERT, normalize)


# --- Jensen–Shannon ----------------------------------------------------------------------------------


class JensenShannonSpace(NamedTuple):
    """Histograms under the root of the Jensen–Shannon divergence."""

    rows: Array


class TriangularSpace(NamedTuple):
    """Histograms under the root of the triangular discrimination."""

    rows: Array


@prepare.of(JensenShannonSpace, TriangularSpace)
def _(space: Any, queries: Any, i: int, room: Room) -> Any:
    return RowQuery(queries.rows[i])


_BLOCK = 16  # terms between two looks at the limit
_MOST = float(np.log(2.0))  # the divergence of histograms that share no bin; rounded sums may exceed it


@within.of(JensenShannonSpace)
def _(space: JensenShannonSpace, i: int, query: Any, limit: float) -> float:
    row = space.rows[i]
    width = row.shape[0]
    most = limit * limit * (1 + 1e-14)
    total = 0.0
    for first in range(0, width, _BLOCK):
        if total > most:  # no term is negative
            break
        for k in range(first, min(first + _BLOCK, width)):
            total += _divergence(row[k], query.row[k])
    return np.sqrt(min(total, _MOST))


@kernel
def _divergence(p: float, q: float) -> float:
    """½ (p ln(p / m) + q ln(q / m)) for m = (p + q) / 2, without cancellation where p and q are near.

    With t = |p − q| / (p + q) it is m / 2 · ((1 + t) ln(1 + t) + (1 − t) ln(1 − t)), in which the factor
    of m / 2 is Σ t²ⁿ / (n (2n − 1)). For t² ≤ 1/16 twelve terms of that are exact to 2⁻⁵³.
    """
    whole = p + q
    if p == q:
        return 0.0
    if p == 0.0 or q == 0.0:
        return whole * (np.log(2.0) / 2)
    t = abs(p - q) / whole
    s = t * t
    if s > 1 / 16:
        if t == 1.0:  # the smaller one is lost in the sum
            return whole * (np.log(2.0) / 2)
        return whole / 4 * ((1 + t) * np.log1p(t) + (1 - t) * np.log1p(-t))
    series = 1 / 276
    for n in range(11, 0, -1):
        series = series * s + 1 / (n * (2 * n - 1))
    return whole / 4 * (series * s)


@register("jensenshannon", "jensen_shannon")
class JensenShannon(OnHistograms):
    """√(½ Σ(pₖ ln(pₖ / mₖ) + qₖ ln(qₖ / mₖ))) with m = (p + q) / 2, from 0 to √ln 2.

    Parameters
    ----------
    normalize : bool
        Whether rows may have any sum and are divided by it.
    """

    arrays = JensenShannonSpace

    def __init__(self, normalize: bool = False) -> None:
        super().__init__("jensenshannon", HILBERT, normalize)

    def error(self, objects: Objects) -> Slack:
        width = rows_of(objects).shape[1]
        # Half of: a sum in order, and terms of which some lose four bits in a difference of logarithms.
        return Slack((width / 2 + 32) * _UNIT, np.sqrt(width) * 2.0**-511)


# --- triangular discrimination -----------------------------------------------------------------------


@distance.of(TriangularSpace)
def _(space: TriangularSpace, i: int, query: Any) -> float:
    return np.sqrt(sum_of_shares(space.rows[i], query.row))


@register("sqrt_triangular", "triangular")
class SqrtTriangular(OnHistograms):
    """√Σ((pₖ − qₖ)² / (pₖ + qₖ)), from 0 to √2, where 0 / 0 is 0.

    Parameters
    ----------
    normalize : bool
        Whether rows may have any sum and are divided by it.
    """

    arrays = TriangularSpace

    def __init__(self, normalize: bool = False) -> None:
        super().__init__("sqrt_triangular", HILBERT, normalize)

    def error(self, objects: Objects) -> Slack:
        width = rows_of(objects).shape[1]
        return Slack((width / 2 + 8) * _UNIT, np.sqrt(width) * 2.0**-511)


# --- Wasserstein on a line ---------------------------------------------------------------------------


@register("wasserstein1d", "earth_mover_1d")
class Wasserstein1d(OnHistograms):
    """The least work of moving one histogram into the other along a line: Σ|Pₖ − Qₖ| (xₖ₊₁ − xₖ).

    P and Q are the cumulative sums, so that this is L1 of images: each row's cumulative sums times the
    widths of the gaps.

    Parameters
    ----------
    positions : array, shape (d,), optional
        Where the bins lie, ascending; 0, 1, 2, … by default.
    normalize : bool
        Whether rows may have any sum and are divided by it.
    """

    arrays = ManhattanSpace

    def __init__(self, positions: npt.ArrayLike | None = None, normalize: bool = False) -> None:
        super().__init__("wasserstein1d", TRIANGLE, normalize)
        self._positions = None if positions is None else _ascending(positions)
        self._params = self._params | {
            "positions": None if self._positions is None else self._positions.tolist()
        }

    def objects(self, data: Any) -> Objects:
        histograms = self.container.of(data)
        width = histograms.rows.shape[1]
        if self._positions is not None and len(self._positions) != width:
            raise InvalidArgument(
                f"expected histograms of {len(self._positions)} bins, one for each position, given {width}"
            )
        return histograms

    def images(self, objects: Objects) -> Images:
        upto = np.cumsum(_shares(objects), axis=1)[:, :-1]
        return np.ascontiguousarray(upto if self._positions is None else upto * np.diff(self._positions))


def _ascending(given: npt.ArrayLike) -> npt.NDArray[np.float64]:
    try:
        positions = np.asarray(given, np.float64)
    except (ValueError, TypeError) as error:
        raise InvalidArgument(f"expected positions, one number a bin: {error}") from error
    if positions.ndim != 1 or not len(positions):
        raise InvalidArgument(
            f"expected positions, one number a bin, given an array of shape {positions.shape}"
        )
    if not (np.abs(positions) <= 1e150).all() or (np.diff(positions) <= 0).any():
        raise InvalidArgument(
            "expected finite positions in ascending order, each once: sort them, and the bins with them"
        )
    return positions


# --- weighted Jaccard --------------------------------------------------------------------------------


class WeightedJaccardSpace(NamedTuple):
    """Rows of amounts, and their sums."""

    rows: Array
    sums: Array


class AmountsQuery(NamedTuple):
    """A row of amounts, and its sum."""

    row: Array
    sum: float


@prepare.of(WeightedJaccardSpace)
def _(space: WeightedJaccardSpace, queries: WeightedJaccardSpace, i: int, room: Room) -> Any:
    return AmountsQuery(queries.rows[i], queries.sums[i])


@distance.of(WeightedJaccardSpace)
def _(space: WeightedJaccardSpace, i: int, query: Any) -> float:
    # Σ max = (Σx + Σy + Σ|x − y|) / 2, and Σ max − Σ min = Σ|x − y|.
    return _share(sum_of_magnitudes(space.rows[i], query.row), space.sums[i] + query.sum)


@kernel
def _share(apart: float, both: float) -> float:
    # Rows that share nothing are at 1 and no farther, whatever rounding makes of the two sums.
    return min(2 * apart / (both + apart), 1.0) if apart > 0 else 0.0


@at_least.of(WeightedJaccardSpace)
def _(space: WeightedJaccardSpace, i: int, query: Any) -> float:
    # Σ|x − y| is no less than the difference of the sums, up to the rounding of all three.
    both = space.sums[i] + query.sum
    apart = abs(space.sums[i] - query.sum) - (space.rows.shape[1] / 4 + 8) * 2.0**-53 * both
    return _share(apart, both) * (1 - 2.0**-50)


@register("weighted_jaccard", "ruzicka")
class WeightedJaccard(OnRows):
    """1 − Σ min(xₖ, yₖ) / Σ max(xₖ, yₖ) on rows of at least 0; two rows of 0 are at distance 0."""

    container = Amounts
    arrays = WeightedJaccardSpace

    def __init__(self) -> None:
        super().__init__("weighted_jaccard", TRIANGLE)

    def space(self, objects: Objects) -> Any:
        return WeightedJaccardSpace(rows_of(objects), objects.derived(_sums_of))

    def error(self, objects: Objects) -> Slack:
        return Slack((rows_of(objects).shape[1] / 2 + 8) * _UNIT, 0.0)


def _sums_of(objects: Objects) -> Images:
    return _sums(rows_of(objects))
