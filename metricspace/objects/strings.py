"""Unicode strings, as ragged codes of the symbols that occur in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgument, WrongType
from .base import Objects, Positions, appended, as_list, refuse_single
from .ragged import starts_of, take_ragged


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
        return type(self)(*take_ragged(self.starts, self.codes, positions), self.symbols)

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
        starts = appended(self.starts, self.starts[-1] + starts[1:])
        return type(self)(starts, appended(self.codes, grown._codes_of(points)), symbols)

    def give(self, positions: Positions) -> list[str]:
        starts, codes = take_ragged(self.starts, self.codes, positions)
        text = self.symbols[codes].astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
        return [text[a:b] for a, b in itertools.pairwise(starts.tolist())]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"starts": self.starts, "codes": self.codes, "symbols": self.symbols}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        return cls(arrays["starts"], arrays["codes"], arrays["symbols"])


def _code_points(data: Iterable[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    refuse_single(data, "strings")
    strings = as_list(data, "strings")
    for i, string in enumerate(strings):
        if not isinstance(string, str):
            raise WrongType(f"expected strings, given a {type(string).__name__} at position {i}")
    encoded = "".join(strings).encode("utf-32-le", "surrogatepass")
    return starts_of(map(len, strings), len(strings)), np.frombuffer(encoded, "<u4").astype(np.uint32)
