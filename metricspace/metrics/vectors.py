"""Minkowski distances, weighted or not, and quadratic forms."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from ..bounds import Slack
from ..errors import InvalidArgument, NotAMetric, WrongType
from ..kernels import Array, kernel
from ..laws import HILBERT, TRIANGLE, Laws, Metric, register
from ..norms import (
    ChebyshevSpace,
    EuclideanSpace,
    Images,
    ManhattanSpace,
    MinkowskiSpace,
    OnImages,
    OnRows,
    refuse_large,
    rows_of,
)
from ..objects import Objects, Rows

# --- Minkowski ---------------------------------------------------------------------------------------


@register("euclidean", "l2")
class Euclidean(OnRows):
    """√Σ(xₖ − yₖ)². Estimated in the precision of the rows, settled in float64."""

    arrays = EuclideanSpace

    def __init__(self) -> None:
        super().__init__("euclidean", HILBERT)

    def canonical_error(self, objects: Objects) -> Slack:
        width = rows_of(objects).shape[1]
        return Slack((width / 2 + 3) * 2.0**-53, float(np.sqrt(width)) * 2.0**-511)


@register("manhattan", "l1", "cityblock")
class Manhattan(OnRows):
    """Σ|xₖ − yₖ|."""

    arrays = ManhattanSpace

    def __init__(self) -> None:
        super().__init__("manhattan", TRIANGLE)


@register("chebyshev", "linf")
class Chebyshev(OnRows):
    """max|xₖ − yₖ|."""

    arrays = ChebyshevSpace

    def __init__(self) -> None:
        super().__init__("chebyshev", TRIANGLE)


class Minkowski(OnRows):
    """(Σ|xₖ − yₖ|ᵖ)^(1/p), for 1 < p < ∞."""

    def __init__(self, p: float) -> None:
        super().__init__("minkowski", TRIANGLE, functools.partial(MinkowskiSpace, p=p))
        self._params = {"p": p}


class WeightedMinkowski(OnImages):
    """(Σ wₖ|xₖ − yₖ|ᵖ)^(1/p): L_p of rows whose columns are multiplied by wₖ^(1/p), or by wₖ for p = ∞."""

    def __init__(self, p: float, w: npt.NDArray[np.float64]) -> None:
        special = {1.0: ManhattanSpace, 2.0: EuclideanSpace, np.inf: ChebyshevSpace}
        arrays = special.get(p) or functools.partial(MinkowskiSpace, p=p)
        super().__init__("minkowski", Laws(identity=bool(w.all()), hilbert=p == 2), arrays)
        self._params = {"p": p, "w": w.tolist()}
        self._kept = w > 0  # the other columns count for nothing
        self._scale = w[self._kept] ** (1.0 if p == np.inf else 1 / p)

    def objects(self, data: Any) -> Objects:
        return _of_width(Rows.of(data), len(self._kept), "weights")

    def images(self, objects: Objects) -> Images:
        # Columns that are picked out follow one another in memory; the kernels want rows that do.
        return refuse_large(np.ascontiguousarray(rows_of(objects)[:, self._kept] * self._scale))


@register("minkowski")
def minkowski(p: float = 2.0, w: npt.ArrayLike | None = None) -> Metric:
    """Return L_p; without weights, p of 1, 2 and ∞ are Manhattan, Euclidean and Chebyshev distance.

    Parameters
    ----------
    p : float
        The exponent, from 1 to infinity.
    w : array, shape (d,), optional
        Weights of the dimensions, at least 0, inside the sum: Σ wₖ|xₖ − yₖ|ᵖ, or max wₖ|xₖ − yₖ|. A
        dimension of weight 0 is left out, and objects that differ only there are at distance 0.

    Raises
    ------
    NotAMetric
        If p < 1, or a weight is negative, where the triangle inequality fails.
    """
    if isinstance(p, bool) or not isinstance(p, (int, float, np.integer, np.floating)) or np.isnan(p):
        raise InvalidArgument(f"expected a number p ≥ 1, given {p!r}")
    p = float(p)
    if p < 1:
        raise NotAMetric(f"minkowski with p = {p} < 1 breaks the triangle inequality: use p ≥ 1")
    if w is not None:
        return WeightedMinkowski(p, _weights(w))
    special = {1.0: Manhattan, 2.0: Euclidean, np.inf: Chebyshev}
    return special[p]() if p in special else Minkowski(p)


def _weights(given: npt.ArrayLike) -> npt.NDArray[np.float64]:
    w = _real("weights, one number a dimension", given)
    if w.ndim != 1 or not len(w):
        raise InvalidArgument(f"expected weights, one number a dimension, given an array of shape {w.shape}")
    if not np.isfinite(w).all():
        raise InvalidArgument("expected finite weights, given NaN or infinity")
    if w.min() < 0:
        raise NotAMetric(f"a negative weight ({w.min():g}) makes no distance: use weights of at least 0")
    if not w.any():
        raise InvalidArgument("expected a positive weight, given only zeros: all distances would be 0")
    return w


def _real(expected: str, given: npt.ArrayLike) -> npt.NDArray[np.float64]:
    try:
        array = np.asarray(given)
    except (ValueError, TypeError) as error:
        raise WrongType(f"expected {expected}: {error}") from error
    if array.dtype.kind not in "fiub":
        raise WrongType(f"expected {expected}, given {array.dtype}")
    return array.astype(np.float64)


def _of_width(rows: Rows, width: int, whose: str) -> Rows:
    if rows.rows.shape[1] != width:
        raise InvalidArgument(
            f"expected rows of {width} dimensions, as many as the metric's {whose}, "
            f"given {rows.rows.shape[1]}"
        )
    return rows


# --- quadratic forms ---------------------------------------------------------------------------------

# A matrix that someone computed is symmetric and semi-definite up to the rounding of float32.
_ROUNDED = 1e-6


class QuadraticForm(OnImages):
    """√((x − y)ᵀ M (x − y)): L2 of the images xᵀL, where M = L Lᵀ.

    Parameters
    ----------
    name, parameter : str
        What the metric and its parameter are called.
    matrix : array, shape (d, d)
        M, symmetric and positive semi-definite.
    """

    def __init__(self, name: str, parameter: str, matrix: npt.ArrayLike) -> None:
        form = _symmetric(parameter, matrix)
        self._factor = factor(form)
        super().__init__(
            name, Laws(identity=self._factor.shape[1] == len(form), hilbert=True), EuclideanSpace
        )
        self._params = {parameter: form.tolist()}
        self._parameter = parameter

    def __repr__(self) -> str:
        size = len(self._factor)
        return f"metric({self.name!r}, {self._parameter}=<{size} × {size}>)"

    def objects(self, data: Any) -> Objects:
        return _of_width(Rows.of(data), len(self._factor), "matrix has columns")

    def images(self, objects: Objects) -> Images:
        rows = rows_of(objects)
        images = np.zeros((len(rows), self._factor.shape[1]))
        _fill_products(rows, self._factor, images)
        return refuse_large(images)


@kernel
def _fill_products(rows: Array, factor: Array, out: Array) -> None:
    """Add the product of rows and a matrix, in an order that does not depend on the number of rows.

    A product by BLAS does depend on it, and equal objects would differ.
    """
    for i in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            x = np.float64(rows[i, k])
            for j in range(factor.shape[1]):
                out[i, j] += x * factor[k, j]


def factor(form: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return L with M = L Lᵀ, one column for each direction in which M is not 0.

    Cholesky's method with pivoting (Higham 1990), which stops where only rounding is left. It uses one
    operation an element, so that a stored index has the same images on every machine.

    Raises
    ------
    NotAMetric
        If M is not positive semi-definite.
    """
    rest, whole = form.copy(), np.diagonal(form).copy()
    size = np.sqrt(np.maximum(whole, 0.0))
    columns: list[npt.NDArray[np.float64]] = []
    while len(columns) < len(form):
        left = np.diagonal(rest)
        beyond_rounding = left > 4 * len(form) * 2.0**-53 * whole
        if not beyond_rounding.any():
            break
        pivot = int(np.argmax(np.where(beyond_rounding, left, 0.0)))
        column = rest[:, pivot] / np.sqrt(rest[pivot, pivot])
        rest -= column[:, None] * column
        rest[pivot] = rest[:, pivot] = 0.0
        columns.append(column)
    if (np.abs(rest) > _ROUNDED * size[:, None] * size).any():
        least = float(np.linalg.eigvalsh(form)[0])
        raise NotAMetric(
            f"the matrix is not positive semi-definite (its least eigenvalue is {least:.3g}): some squared "
            "distances would be negative; use A.T @ A for a linear map A, or an inverse covariance"
        )
    if not columns:
        raise InvalidArgument("expected a matrix that is not 0: all distances would be 0")
    return np.stack(columns, axis=1)


def _symmetric(parameter: str, given: npt.ArrayLike) -> npt.NDArray[np.float64]:
    form = _real(f"a square matrix {parameter}", given)
    if form.ndim != 2 or form.shape[0] != form.shape[1] or not len(form):
        raise InvalidArgument(f"expected a square matrix {parameter}, given an array of shape {form.shape}")
    if not np.isfinite(form).all():
        raise InvalidArgument(f"expected finite numbers in {parameter}, given NaN or infinity")
    if np.abs(form).max() > 1e150:
        raise InvalidArgument(f"expected entries of {parameter} up to 1e150: scale the matrix and the rows")
    if np.abs(form - form.T).max() > _ROUNDED * np.abs(form).max():
        raise NotAMetric(
            f"expected a symmetric matrix {parameter}; (M + M.T) / 2 gives the same distances and is one"
        )
    return form / 2 + form.T / 2  # in this order nothing overflows


@register("quadratic_form")
def quadratic_form(matrix: npt.ArrayLike) -> Metric:
    """Return √((x − y)ᵀ M (x − y)).

    Parameters
    ----------
    matrix : array, shape (d, d)
        M, symmetric and positive semi-definite. If it is singular, different objects may be at distance 0.

    Raises
    ------
    NotAMetric
        If M is not symmetric or not positive semi-definite.
    """
    return QuadraticForm("quadratic_form", "matrix", matrix)


@register("mahalanobis")
def mahalanobis(VI: npt.ArrayLike) -> Metric:
    """Return √((x − y)ᵀ VI (x − y)).

    Parameters
    ----------
    VI : array, shape (d, d)
        The inverse of a covariance matrix, ``numpy.linalg.inv(numpy.cov(X.T))``, as in SciPy.

    Raises
    ------
    NotAMetric
        If it is not symmetric or not positive semi-definite.
    """
    return QuadraticForm("mahalanobis", "VI", VI)
