"""Rows of bits: sets whose items are the places of a row."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import WrongType
from .base import Objects, Positions, appended
from .rows import as_matrix, refuse_empty


class Bits(Objects):
    """Rows of bits in words of 64.

    Parameters
    ----------
    words : uint64, shape (n, w)
        The rows, filled up with zeros.
    width : int
        Columns of the user's rows: bits, or bytes if they are packed.
    packed : bool
        Whether the user's rows are bytes of eight bits each, and not booleans.
    """

    kind = "bits"

    def __init__(self, words: npt.NDArray[np.uint64], width: int, packed: bool) -> None:
        self.words, self.width, self.packed = words, width, packed

    @classmethod
    def of(cls, data: Any, packed: bool = False) -> Self:
        """Validate rows of booleans, or of bytes that hold eight bits each.

        Raises
        ------
        WrongType
            If `data` is no matrix of booleans, or of uint8 if it is packed.
        """
        rows = as_matrix(data)
        refuse_empty(rows)
        return cls(_in_words(rows, packed), rows.shape[1], packed)

    def __len__(self) -> int:
        return len(self.words)

    def take(self, positions: Positions) -> Self:
        return type(self)(self.words[positions], self.width, self.packed)

    def encode(self, data: Any) -> Self:
        return type(self)(_in_words(as_matrix(data, self.width), self.packed), self.width, self.packed)

    def extended(self, data: Any) -> Self:
        return type(self)(appended(self.words, self.encode(data).words), self.width, self.packed)

    def give(self, positions: Positions) -> npt.NDArray[Any]:
        rows = np.ascontiguousarray(self.words[positions]).view(np.uint8)
        if self.packed:
            return rows[:, : self.width].copy()
        return np.unpackbits(rows, axis=1, count=self.width).astype(bool)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"words": self.words}

    def header(self) -> dict[str, Any]:
        return {"width": self.width, "packed": self.packed}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        return cls(arrays["words"], header["width"], header["packed"])


def is_boolean(data: Any) -> bool:
    """Whether these are rows of booleans: an array, or a list of them."""
    first = data[0] if isinstance(data, (list, tuple)) and data else data
    array_like = isinstance(first, (list, tuple)) or hasattr(first, "__array__")
    return array_like and np.asarray(first).dtype == bool


def _in_words(rows: npt.NDArray[Any], packed: bool) -> npt.NDArray[np.uint64]:
    """Return rows of bits in words of 64, filled up with zeros."""
    expected = np.uint8 if packed else np.bool_
    if len(rows) and rows.dtype != expected:
        raise WrongType(
            f"expected rows of {'bytes (uint8)' if packed else 'booleans'}, given {rows.dtype}: "
            + ("use np.packbits(x, axis=1)" if packed else "use x != 0")
        )
    own = rows if packed else np.packbits(rows != 0, axis=1)
    words = np.zeros((len(rows), -(-own.shape[1] // 8)), np.uint64)
    words.view(np.uint8)[:, : own.shape[1]] = own
    return words
