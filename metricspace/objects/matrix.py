"""Numbered objects, known only by a matrix of distances."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgument, NotSupported
from .base import Objects, Positions
from .rows import as_matrix, finite


class Matrix(Objects):
    """Objects known only by the distances between them.

    Parameters
    ----------
    matrix : float64, shape (m, n)
        Distances of each of these objects to all n indexed ones.
    rows : int64
        The row, and for indexed objects also the column, of each object.
    """

    kind = "matrix"

    def __init__(self, matrix: npt.NDArray[np.float64], rows: Positions) -> None:
        self.matrix, self.rows = matrix, rows

    @classmethod
    def of(cls, data: Any) -> Self:
        """Validate a square matrix of distances: symmetric, with a zero diagonal, not negative."""
        matrix = finite(as_matrix(data)).astype(np.float64, copy=False)
        if matrix.shape[0] != matrix.shape[1]:
            raise InvalidArgument(
                f"expected a square matrix of the distances between all objects, given shape {matrix.shape}"
            )
        if matrix.min() < 0 or np.diagonal(matrix).any() or not np.array_equal(matrix, matrix.T):
            raise InvalidArgument(
                "expected distances: not negative, zero on the diagonal and symmetric; "
                "for a matrix that is so but for rounding, pass (D + D.T) / 2 with a zero diagonal"
            )
        return cls(matrix, np.arange(len(matrix)))

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, positions: Positions) -> Self:
        return type(self)(self.matrix, self.rows[positions])

    def encode(self, data: Any) -> Self:
        matrix = finite(as_matrix(data, self.matrix.shape[1]), allow_empty=True).astype(np.float64)
        if matrix.min(initial=0.0) < 0:
            raise InvalidArgument(
                "expected distances of each query to every indexed object, given negative ones"
            )
        return type(self)(matrix, np.arange(len(matrix)))

    def extended(self, data: Any) -> Self:
        raise NotSupported("a precomputed matrix cannot grow: fit a new index on the larger matrix")

    def give(self, positions: Positions) -> npt.NDArray[np.float64]:
        return self.matrix[self.rows[positions]]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"matrix": self.matrix, "rows": self.rows}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        return cls(arrays["matrix"], arrays["rows"])
