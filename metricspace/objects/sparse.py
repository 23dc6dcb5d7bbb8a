"""Rows of a sparse matrix, as the sets of their columns that are not zero."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgument, WrongType
from .base import Objects, Positions, appended
from .ragged import take_ragged


class SparseRows(Objects):
    """Rows of a sparse matrix, as the sets of their columns that are not zero.

    Parameters
    ----------
    starts : int64, shape (n + 1,)
        Row i is ``items[starts[i]:starts[i + 1]]``.
    items : uint32
        One more than the column of each entry, so that codes count from 1 as those of `Sets` do.
    values : array
        The entries themselves, in the user's type.
    columns : int
        How many the matrix has.
    matrix : bool
        Whether ``scipy.sparse.csr_matrix`` was given, and not an array.
    """

    kind = "sparse"

    def __init__(
        self,
        starts: npt.NDArray[np.int64],
        items: npt.NDArray[np.uint32],
        values: npt.NDArray[Any],
        columns: int,
        matrix: bool,
    ) -> None:
        self.starts, self.items, self.values = starts, items, values
        self.columns, self.matrix = columns, matrix

    @classmethod
    def of(cls, data: Any) -> Self:
        """Validate a sparse matrix of any format, or a list of rows of one.

        Entries that are stored and zero are dropped, and those stored more than once are added up.
        """
        csr = _as_csr(data)
        if csr.shape[0] == 0:
            raise InvalidArgument("expected at least one row, given none")
        if csr.shape[1] >= 2**32 - 1:
            raise InvalidArgument(f"expected fewer than 2**32 − 1 columns, given {csr.shape[1]}")
        items = csr.indices.astype(np.uint32) + np.uint32(1)
        starts = csr.indptr.astype(np.int64)
        return cls(starts, items, csr.data, csr.shape[1], type(csr).__name__.endswith("matrix"))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def codes(self) -> int:
        """All codes are below this number."""
        return self.columns + 1

    def _with(
        self, starts: npt.NDArray[np.int64], items: npt.NDArray[np.uint32], values: npt.NDArray[Any]
    ) -> Self:
        return type(self)(starts, items, values, self.columns, self.matrix)

    def take(self, positions: Positions) -> Self:
        starts, items = take_ragged(self.starts, self.items, positions)
        return self._with(starts, items, take_ragged(self.starts, self.values, positions)[1])

    def encode(self, data: Any) -> Self:
        if isinstance(data, (list, tuple)) and not data:
            return self.take(np.zeros(0, np.int64))
        given = type(self).of(data)
        if given.columns != self.columns:
            raise InvalidArgument(
                f"expected rows of {self.columns} columns like the indexed ones, given {given.columns}"
            )
        return given

    def extended(self, data: Any) -> Self:
        more = self.encode(data)
        values = more.values.astype(np.result_type(self.values, more.values))
        return self._with(
            appended(self.starts, self.starts[-1] + more.starts[1:]),
            appended(self.items, more.items),
            appended(self.values.astype(values.dtype, copy=False), values),
        )

    def give(self, positions: Positions) -> Any:
        """Return the rows as a matrix or an array of ``scipy.sparse`` in compressed rows."""
        from scipy import sparse  # the user has it, who gave such rows

        starts, items = take_ragged(self.starts, self.items, positions)
        values = take_ragged(self.starts, self.values, positions)[1]
        cls = sparse.csr_matrix if self.matrix else sparse.csr_array
        return cls((values, items.astype(np.int64) - 1, starts), shape=(len(positions), self.columns))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"starts": self.starts, "items": self.items, "values": self.values}

    def header(self) -> dict[str, Any]:
        return {"columns": self.columns, "matrix": self.matrix}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        return cls(arrays["starts"], arrays["items"], arrays["values"], header["columns"], header["matrix"])


def is_sparse(data: Any) -> bool:
    """Whether these are sparse rows: a matrix of ``scipy.sparse``, or a list of such rows."""
    first = data[0] if isinstance(data, (list, tuple)) and data else data
    return hasattr(first, "tocsr")


def _as_csr(data: Any) -> Any:
    """Return sparse rows compressed, each entry stored once and none of them zero."""
    if isinstance(data, (list, tuple)) and is_sparse(data):
        from scipy import sparse

        widths = {row.shape[-1] if hasattr(row, "tocsr") else None for row in data}
        if len(widths) > 1:
            raise WrongType("expected sparse rows of one width, given a list of different ones")
        data = sparse.vstack([row.reshape(1, -1) if row.ndim == 1 else row for row in data], format="csr")
    if not is_sparse(data) or data.ndim != 2:
        raise WrongType(
            f"expected the rows of a sparse matrix like the indexed ones, given {type(data).__name__}: "
            "use scipy.sparse.csr_array(x)"
        )
    csr = data.tocsr()
    if not csr.has_canonical_format or (csr.data == 0).any():
        csr = csr.copy()
        csr.sum_duplicates()
        csr.eliminate_zeros()
    return csr
