"""Containers: what the user has, validated once and laid out for kernels.

- `Rows`: vectors, or rows of integer codes, in one matrix;
- `Strings`: Unicode strings, as ragged codes of the symbols that occur in them;
- `Sets`: sets of hashable items, as ragged sorted codes;
- `Matrix`: numbered objects known only by a matrix of distances;
- `Handles`: any Python objects, for metrics written in Python.

A container can give the user's objects back, put them into another order, grow, and be stored. Queries are
a container of the same kind, encoded with the vocabulary of the objects that they are compared with.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from .errors import InvalidArgument, NotSupported, StorageError, WrongType

Positions = npt.NDArray[np.int64]

# Beyond these, squares of differences would overflow (float32) or the sums of them (float64).
_LARGEST = {np.dtype(np.float32): 1e15, np.dtype(np.float64): 1e150}


KINDS: dict[str, type[Objects]] = {}
"""Every container by the name of its kind, as stored files have it."""


class Objects:
    """The base of all containers."""

    kind: ClassVar[str]

    def __init_subclass__(cls) -> None:
        KINDS[cls.kind] = cls

    def __len__(self) -> int:
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        """Bytes held by the objects."""
        return sum(array.nbytes for array in self.arrays().values())

    def take(self, positions: Positions) -> Self:
        """Return a copy of the objects at these positions, in this order."""
        raise NotImplementedError

    def encode(self, data: Any) -> Self:
        """Return further objects of the same kind, in the same encoding, to be compared with these."""
        raise NotImplementedError

    def extended(self, data: Any) -> Self:
        """Return a container of these objects and further ones."""
        raise NotImplementedError

    def give(self, positions: Positions) -> Any:
        """Return the user's objects at these positions."""
        raise NotImplementedError

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays that hold the objects, by name."""
        raise NotImplementedError

    def header(self) -> dict[str, Any]:
        """Return what the arrays do not say, fit for JSON."""
        return {}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        """Rebuild a container from ``arrays()`` and ``header()``."""
        raise NotImplementedError


def refuse_single(data: Any, kind: str) -> None:
    """Refuse one object where a batch belongs."""
    if isinstance(data, (str, bytes, bytearray, set, frozenset, dict)):
        raise WrongType(
            f"expected a batch of {kind}, given a single {type(data).__name__}: pass [x] for one object"
        )


class Rows(Objects):
    """Vectors in one C-contiguous matrix.

    Parameters
    ----------
    rows : array, shape (n, d)
        Already validated; see `Rows.of`.
    """

    kind = "rows"

    def __init__(self, rows: npt.NDArray[Any]) -> None:
        self.rows = rows

    @classmethod
    def of(cls, data: Any) -> Self:
        """Validate real vectors: float32 and float64 stay, others become the smaller that holds them exactly.

        Raises
        ------
        WrongType
            If `data` is not a matrix of real numbers.
        InvalidArgument
            If it is empty, holds NaN or infinity, or numbers too large to square.
        """
        return cls(_finite(_as_matrix(data)))

    @classmethod
    def codes(cls, data: Any) -> Self:
        """Validate rows of whole numbers, kept as uint8 or int64."""
        matrix = _as_matrix(data)
        if matrix.dtype.kind == "f":
            if not np.array_equal(matrix, np.rint(matrix)):
                raise WrongType(
                    "expected rows of whole numbers (codes), given fractions or NaN: "
                    "round them first, or use a metric on vectors"
                )
            matrix = matrix.astype(np.int64)
        return cls(np.ascontiguousarray(matrix, np.uint8 if matrix.dtype.itemsize == 1 else np.int64))

    @classmethod
    def any(cls, data: npt.NDArray[Any]) -> Self:
        """Keep a matrix of any numeric type as it is, for a metric of the user's own."""
        return cls(np.ascontiguousarray(data))

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, positions: Positions) -> Self:
        return type(self)(self.rows[positions])

    def encode(self, data: Any) -> Self:
        own = self.rows
        width = own.shape[1]
        if own.dtype.kind == "f":
            given = _finite(_as_matrix(data, width), allow_empty=True)
        else:
            given = type(self).codes(_as_matrix(data, width)).rows
            if own.dtype == np.uint8 and given.dtype != np.uint8:
                # Codes beyond a byte equal none of the stored ones; any two that do not occur would do.
                raise InvalidArgument(
                    "expected codes of one byte like the indexed ones, given wider integers: "
                    "convert both to the same integer type"
                )
        return type(self)(np.ascontiguousarray(given, own.dtype))

    def extended(self, data: Any) -> Self:
        return type(self)(np.concatenate([self.rows, self.encode(data).rows]))

    def give(self, positions: Positions) -> npt.NDArray[Any]:
        return self.rows[positions]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"rows": self.rows}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        return cls(arrays["rows"])


def _as_matrix(data: Any, width: int | None = None) -> npt.NDArray[Any]:
    """Return `data` as a real matrix of the expected width, or say what is wrong with it."""
    refuse_single(data, "vectors")
    try:
        matrix = np.asarray(data)
    except (ValueError, TypeError, RuntimeError) as error:
        raise WrongType(f"expected a matrix of real numbers, one row an object: {error}") from error
    if matrix.dtype.kind not in "fiub":
        raise WrongType(
            f"expected a matrix of real numbers, one row an object; given {_described(data)}: "
            "use a metric made for such objects, or convert them to vectors"
        )
    if matrix.ndim == 1 and matrix.size == 0:
        matrix = matrix.reshape(0, width or 0)
    if matrix.ndim == 1:
        raise WrongType(
            f"expected a matrix with one row an object, given one row of {len(matrix)} numbers: "
            "pass [row] for one object"
        )
    if matrix.ndim != 2:
        raise WrongType(
            f"expected a matrix with one row an object, given an array of shape {matrix.shape}: "
            "reshape it to (objects, dimensions)"
        )
    if width is not None and matrix.shape[1] != width:
        raise InvalidArgument(
            f"expected objects of {width} dimensions like the indexed ones, given {matrix.shape[1]}"
        )
    return matrix


def _described(data: Any) -> str:
    first = data[0] if isinstance(data, Sequence) and data else None
    name = type(data).__name__
    return name if first is None else f"a {name} of {type(first).__name__}"


def _finite(matrix: npt.NDArray[Any], allow_empty: bool = False) -> npt.NDArray[Any]:
    """Return a C-contiguous float matrix without NaN, infinity or numbers too large."""
    if matrix.shape[0] == 0 and not allow_empty:
        raise InvalidArgument("expected at least one object, given none")
    if matrix.shape[1] == 0 and matrix.shape[0] > 0:
        raise InvalidArgument(f"expected at least one dimension, given an array of shape {matrix.shape}")
    largest = float(np.abs(matrix, dtype=np.float64).max(initial=0.0)) if matrix.dtype.kind in "iu" else 0.0
    if matrix.dtype.kind in "iub":
        if largest > 2**53:
            raise InvalidArgument(
                f"integers up to {largest:.0f} are not exact in float64 (2**53): scale them, "
                "or use a metric on codes such as 'hamming'"
            )
        matrix = matrix.astype(np.float32 if largest <= 2**24 else np.float64)
    elif matrix.dtype.itemsize < 4:
        matrix = matrix.astype(np.float32)
    elif matrix.dtype.itemsize > 8:
        matrix = matrix.astype(np.float64)
    matrix = np.ascontiguousarray(matrix, matrix.dtype.newbyteorder("="))
    if matrix.size:
        low, high = float(matrix.min()), float(matrix.max())  # NaN and infinity both show here
        if not (np.isfinite(low) and np.isfinite(high)):
            row = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
            raise InvalidArgument(
                f"expected finite numbers, given NaN or infinity in row {row}: remove or fill such rows"
            )
        greatest = max(-low, high)
        if matrix.dtype == np.float32 and greatest > _LARGEST[matrix.dtype]:
            matrix = matrix.astype(np.float64)
        if greatest > _LARGEST[matrix.dtype]:
            raise InvalidArgument(f"numbers up to {greatest:.3g} are too large to be squared: scale the data")
    return matrix


class Strings(Objects):
    """Unicode strings as ragged codes.

    A code is the rank at which a symbol was first seen, from 1; 0 stands for every symbol that occurs in no
    indexed string and so matches none.

    Parameters
    ----------
    starts : int64, shape (n + 1,)
        String i is ``codes[starts[i]:starts[i + 1]]``.
    codes : uint32
        The symbols of all strings.
    symbols : uint32
        The code point of each code; ``symbols[0]`` is unused.
    """

    kind = "strings"

    def __init__(
        self, starts: npt.NDArray[np.int64], codes: npt.NDArray[np.uint32], symbols: npt.NDArray[np.uint32]
    ) -> None:
        self.starts, self.codes, self.symbols = starts, codes, symbols

    @classmethod
    def of(cls, data: Iterable[str]) -> Self:
        """Validate a batch of strings."""
        empty = cls(np.zeros(1, np.int64), np.zeros(0, np.uint32), np.zeros(1, np.uint32))
        container = empty.extended(data)
        if len(container) == 0:
            raise InvalidArgument("expected at least one string, given none")
        return container

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def longest(self) -> int:
        """Length of the longest string."""
        return int(np.diff(self.starts).max(initial=0))

    def take(self, positions: Positions) -> Self:
        return type(self)(*_take_ragged(self.starts, self.codes, positions), self.symbols)

    def encode(self, data: Iterable[str]) -> Self:
        starts, points = _code_points(data)
        return type(self)(starts, self._codes_of(points), self.symbols)

    def _codes_of(self, points: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        rank = np.argsort(self.symbols[1:], kind="stable")
        known = self.symbols[1:][rank]
        if len(known) == 0:
            return np.zeros(len(points), np.uint32)
        place = np.minimum(np.searchsorted(known, points), len(known) - 1)
        return np.where(known[place] == points, rank[place] + 1, 0).astype(np.uint32)

    def extended(self, data: Iterable[str]) -> Self:
        starts, points = _code_points(data)
        symbols = np.concatenate([self.symbols, np.setdiff1d(points, self.symbols[1:])])
        grown = type(self)(self.starts, self.codes, symbols)
        starts = np.concatenate([self.starts, self.starts[-1] + starts[1:]])
        return type(self)(starts, np.concatenate([self.codes, grown._codes_of(points)]), symbols)

    def give(self, positions: Positions) -> list[str]:
        starts, codes = _take_ragged(self.starts, self.codes, positions)
        text = self.symbols[codes].astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
        return [text[a:b] for a, b in itertools.pairwise(starts.tolist())]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"starts": self.starts, "codes": self.codes, "symbols": self.symbols}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        return cls(arrays["starts"], arrays["codes"], arrays["symbols"])


def _code_points(data: Iterable[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    refuse_single(data, "strings")
    strings = _as_list(data, "strings")
    for i, string in enumerate(strings):
        if not isinstance(string, str):
            raise WrongType(f"expected strings, given a {type(string).__name__} at position {i}")
    encoded = "".join(strings).encode("utf-32-le", "surrogatepass")
    return _starts(map(len, strings), len(strings)), np.frombuffer(encoded, "<u4").astype(np.uint32)


class Sets(Objects):
    """Sets of hashable items, as ragged sorted codes.

    Parameters
    ----------
    starts : int64, shape (n + 1,)
        Set i is ``items[starts[i]:starts[i + 1]]``.
    items : int64
        Codes of the items, ascending within a set; −1 for an item that no indexed set has.
    vocabulary : dict
        The code of each item.
    """

    kind = "sets"

    def __init__(
        self,
        starts: npt.NDArray[np.int64],
        items: npt.NDArray[np.int64],
        vocabulary: dict[Hashable, int],
    ) -> None:
        self.starts, self.items, self.vocabulary = starts, items, vocabulary

    @classmethod
    def of(cls, data: Iterable[Any]) -> Self:
        """Validate a batch of sets."""
        container = cls(np.zeros(1, np.int64), np.zeros(0, np.int64), {}).extended(data)
        if len(container) == 0:
            raise InvalidArgument("expected at least one set, given none")
        return container

    def __len__(self) -> int:
        return len(self.starts) - 1

    def take(self, positions: Positions) -> Self:
        return type(self)(*_take_ragged(self.starts, self.items, positions), self.vocabulary)

    def encode(self, data: Iterable[Any]) -> Self:
        sets = _as_sets(data)
        codes = [sorted(self.vocabulary.get(item, -1) for item in one) for one in sets]
        return type(self)(*_ragged(codes), self.vocabulary)

    def extended(self, data: Iterable[Any]) -> Self:
        sets = _as_sets(data)
        vocabulary = dict(self.vocabulary)
        codes = [sorted(vocabulary.setdefault(item, len(vocabulary)) for item in one) for one in sets]
        starts, items = _ragged(codes)
        return type(self)(
            np.concatenate([self.starts, self.starts[-1] + starts[1:]]),
            np.concatenate([self.items, items]),
            vocabulary,
        )

    def give(self, positions: Positions) -> list[set[Any]]:
        named = list(self.vocabulary)
        return [{named[code] for code in self.items[self.starts[i] : self.starts[i + 1]]} for i in positions]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"starts": self.starts, "items": self.items}

    def header(self) -> dict[str, Any]:
        named = list(self.vocabulary)
        if not all(type(item) in (int, str) for item in named):
            raise NotSupported(
                "only sets of integers or strings can be stored in a file: "
                "number the items, or pickle the index"
            )
        return {"vocabulary": named}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        vocabulary = {item: code for code, item in enumerate(header["vocabulary"])}
        return cls(arrays["starts"], arrays["items"], vocabulary)


def _as_sets(data: Iterable[Any]) -> list[Any]:
    refuse_single(data, "sets")
    sets = _as_list(data, "sets")
    for i, one in enumerate(sets):
        if not isinstance(one, (set, frozenset)):
            raise WrongType(f"expected sets, given a {type(one).__name__} at position {i}: use set(x)")
    return sets


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
        matrix = _finite(_as_matrix(data)).astype(np.float64, copy=False)
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
        matrix = _finite(_as_matrix(data, self.matrix.shape[1]), allow_empty=True).astype(np.float64)
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


class Handles(Objects):
    """Python objects of any kind, kept as they are."""

    kind = "handles"

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    @classmethod
    def of(cls, data: Any) -> Self:
        """Keep a batch of objects."""
        refuse_single(data, "objects")
        items = _as_list(data, "objects")
        if not items:
            raise InvalidArgument("expected at least one object, given none")
        return cls(items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def nbytes(self) -> int:
        return 8 * len(self.items)  # the references; the objects are the user's

    def take(self, positions: Positions) -> Self:
        return type(self)([self.items[i] for i in positions])

    def encode(self, data: Any) -> Self:
        refuse_single(data, "objects")
        return type(self)(_as_list(data, "objects"))

    def extended(self, data: Any) -> Self:
        return type(self)([*self.items, *self.encode(data).items])

    def give(self, positions: Positions) -> list[Any]:
        return [self.items[i] for i in positions]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {}

    def header(self) -> dict[str, Any]:
        return {"count": len(self.items)}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        raise StorageError(
            "the file holds no copy of objects of a user's own kind: pass them again, load(path, objects=...)"
        )


def _as_list(data: Any, kind: str) -> list[Any]:
    try:
        return list(data)
    except TypeError as error:
        raise WrongType(f"expected a batch of {kind}, given {type(data).__name__}") from error


def _starts(lengths: Iterable[int], count: int) -> npt.NDArray[np.int64]:
    starts = np.zeros(count + 1, np.int64)
    np.cumsum(np.fromiter(lengths, np.int64, count), out=starts[1:])
    return starts


def _ragged(lists: list[list[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    starts = _starts(map(len, lists), len(lists))
    return starts, np.fromiter(itertools.chain.from_iterable(lists), np.int64, int(starts[-1]))


def _take_ragged(
    starts: npt.NDArray[np.int64], values: npt.NDArray[Any], positions: Positions
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    lengths = np.diff(starts)[positions]
    taken = _starts(lengths, len(lengths))
    # Each value's place: its offset within its own list, from where that list began.
    places = np.arange(taken[-1]) + np.repeat(starts[:-1][positions] - taken[:-1], lengths)
    return taken, values[places]
