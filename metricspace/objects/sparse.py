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

    Only columns that occur have codes, so that what a metric needs does not grow with the matrix's width.

    Parameters
    ----------
    starts : int64, shape (n + 1,)
        Row i is ``entries[starts[i]:starts[i + 1]]``.
    entries : uint32
        One more than the place of each entry's column in `vocabulary`.
    values : array
        The entries themselves, in the user's type.
    vocabulary : uint32
        The columns that occur, in the order in which they were first met.
    known : int
        How many of them the indexed rows have; those of a query alone come after.
    columns : int
        How many the matrix has.
    matrix : bool
        Whether ``scipy.sparse.csr_matrix`` was given, and not an array.
    """

    kind = "sparse"

    def __init__(
        self,
        starts: npt.NDArray[np.int64],
        entries: npt.NDArray[np.uint32],
        values: npt.NDArray[Any],
        vocabulary: npt.NDArray[np.uint32],
        known: int,
        columns: int,
        matrix: bool,
    ) -> None:
        self.starts, self.entries, self.values = starts, entries, values
        self.vocabulary, self.known = vocabulary, known
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
        seen, numbers = _numbered(csr.indices, csr.shape[1])
        return cls(
            csr.indptr.astype(np.int64),
            numbers,
            csr.data,
            seen.astype(np.uint32),
            len(seen),
            csr.shape[1],
            type(csr).__name__.endswith("matrix"),
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def codes(self) -> int:
        """All codes are below this number."""
        return self.known + 1

    @property
    def items(self) -> npt.NDArray[np.uint32]:
        """The code of each entry, as `Sets` have them: 0 for a column that no indexed row has."""
        if self.known == len(self.vocabulary):
            return self.entries
        return np.where(self.entries <= self.known, self.entries, np.uint32(0))

    def _with(
        self, starts: npt.NDArray[np.int64], entries: npt.NDArray[np.uint32], values: npt.NDArray[Any]
    ) -> Self:
        return type(self)(starts, entries, values, self.vocabulary, self.known, self.columns, self.matrix)

    def take(self, positions: Positions) -> Self:
        starts, entries = take_ragged(self.starts, self.entries, positions)
        return self._with(starts, entries, take_ragged(self.starts, self.values, positions)[1])

    def encode(self, data: Any) -> Self:
        if isinstance(data, (list, tuple)) and not data:
            return self.take(np.zeros(0, np.int64))
        given = type(self).of(data)
        if given.columns != self.columns:
            raise InvalidArgument(
                f"expected rows of {self.columns} columns like the indexed ones, given {given.columns}"
            )
        wanted, ascending = given.vocabulary, self.derived(_ascending)
        places = np.searchsorted(self.vocabulary, wanted, sorter=ascending)
        there = places < len(ascending)
        there[there] = self.vocabulary[ascending[places[there]]] == wanted[there]
        codes = np.empty(len(wanted), np.uint32)
        codes[there] = ascending[places[there]] + 1
        unknown = wanted[~there]
        codes[~there] = len(self.vocabulary) + 1 + np.arange(len(unknown))
        vocabulary = np.concatenate([self.vocabulary, unknown]) if len(unknown) else self.vocabulary
        entries = codes[given.entries - np.uint32(1)]
        return type(self)(
            given.starts, entries, given.values, vocabulary, self.known, self.columns, self.matrix
        )

    def extended(self, data: Any) -> Self:
        more = self.encode(data)
        values = more.values.astype(np.result_type(self.values, more.values))
        return type(self)(
            appended(self.starts, self.starts[-1] + more.starts[1:]),
            appended(self.entries, more.entries),
            appended(self.values.astype(values.dtype, copy=False), values),
            more.vocabulary,
            len(more.vocabulary),
            self.columns,
            self.matrix,
        )

    def give(self, positions: Positions) -> Any:
        """Return the rows as a matrix or an array of ``scipy.sparse`` in compressed rows."""
        from scipy import sparse  # the user has it, who gave such rows

        taken = self.take(positions)
        columns = taken.vocabulary[taken.entries - np.uint32(1)].astype(np.int64)
        cls = sparse.csr_matrix if self.matrix else sparse.csr_array
        rows = cls((taken.values, columns, taken.starts), shape=(len(positions), self.columns))
        rows.sort_indices()
        return rows

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "starts": self.starts,
            "entries": self.entries,
            "values": self.values,
            "vocabulary": self.vocabulary,
        }

    def header(self) -> dict[str, Any]:
        return {"columns": self.columns, "matrix": self.matrix}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        known = len(arrays["vocabulary"])
        return cls(**arrays, known=known, columns=header["columns"], matrix=header["matrix"])


def _numbered(
    columns: npt.NDArray[Any], width: int
) -> tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.uint32]]:
    """Return the columns that occur, ascending, and for each entry the number of its own, from 1."""
    if width > 8 * len(columns) + 2**16:  # then sorting is less work than looking at all columns
        seen, places = np.unique(columns, return_inverse=True)
        return seen, (places + 1).astype(np.uint32)
    occurs = np.zeros(width, bool)
    occurs[columns] = True
    return np.flatnonzero(occurs), np.cumsum(occurs, dtype=np.uint32)[columns]


def _ascending(objects: SparseRows) -> npt.NDArray[np.int64]:
    return np.argsort(objects.vocabulary)


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
