"""Sets of hashable items, as ragged codes."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgument, NotSupported, WrongType
from .base import Objects, Positions, appended, as_list, refuse_single
from .ragged import starts_of, take_ragged


class Sets(Objects):
    """Sets of hashable items, as ragged codes.

    Parameters
    ----------
    starts : int64, shape (n + 1,)
        Set i is ``items[starts[i]:starts[i + 1]]``.
    items : uint32
        Codes of the items, in no order; 0 for an item that no indexed set has.
    vocabulary : dict
        The code of each item, from 1.
    """

    kind = "sets"

    def __init__(
        self,
        starts: npt.NDArray[np.int64],
        items: npt.NDArray[np.uint32],
        vocabulary: dict[Hashable, int],
    ) -> None:
        self.starts, self.items, self.vocabulary = starts, items, vocabulary

    @classmethod
    def of(cls, data: Iterable[Any]) -> Self:
        """Validate a batch of sets."""
        container = cls(np.zeros(1, np.int64), np.zeros(0, np.uint32), {}).extended(data)
        if len(container) == 0:
            raise InvalidArgument("expected at least one set, given none")
        return container

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def codes(self) -> int:
        """All codes are below this number."""
        return len(self.vocabulary) + 1

    def take(self, positions: Positions) -> Self:
        return type(self)(*take_ragged(self.starts, self.items, positions), self.vocabulary)

    def encode(self, data: Iterable[Any]) -> Self:
        sets = _as_sets(data)
        starts = starts_of(map(len, sets), len(sets))
        items = map(self.vocabulary.get, itertools.chain.from_iterable(sets), itertools.repeat(0))
        return type(self)(starts, np.fromiter(items, np.uint32, int(starts[-1])), self.vocabulary)

    def extended(self, data: Iterable[Any]) -> Self:
        sets = _as_sets(data)
        seen = dict.fromkeys(itertools.chain.from_iterable(sets))
        unknown = (item for item in seen if item not in self.vocabulary)
        vocabulary = self.vocabulary | {item: code for code, item in enumerate(unknown, self.codes)}
        more = type(self)(self.starts, self.items, vocabulary).encode(sets)
        return type(self)(
            appended(self.starts, self.starts[-1] + more.starts[1:]),
            appended(self.items, more.items),
            vocabulary,
        )

    def give(self, positions: Positions) -> list[set[Any]]:
        named = [None, *self.vocabulary]
        return [
            {named[code] for code in self.items[self.starts[i] : self.starts[i + 1]].tolist()}
            for i in positions
        ]

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
        vocabulary = {item: code for code, item in enumerate(header["vocabulary"], 1)}
        return cls(arrays["starts"], arrays["items"], vocabulary)


def _as_sets(data: Iterable[Any]) -> list[Any]:
    refuse_single(data, "sets")
    sets = as_list(data, "sets")
    for i, one in enumerate(sets):
        if not isinstance(one, (set, frozenset)):
            raise WrongType(
                f"expected sets, given a {type(one).__name__} at position {i}: use set(x), "
                "or for rows of numbers the booleans (x != 0)"
            )
    return sets
