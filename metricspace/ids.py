"""The user's names for objects: integers or strings, each once, beside the positions that never change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .errors import InvalidArgument, UnknownName, WrongType

Positions = npt.NDArray[np.int64]


class Ids:
    """A numbering of objects by position, with the user's names if there are any.

    Parameters
    ----------
    count : int
        Positions given out so far, those of removed objects included.
    names : array of int64 or of str objects, shape (count,), optional
        None when each object is called by its position.
    removed : set of int
        Positions whose objects are gone.
    """

    def __init__(
        self, count: int, names: npt.NDArray[Any] | None = None, removed: frozenset[int] = frozenset()
    ) -> None:
        self.count, self.names, self.removed = count, names, removed
        self._places: dict[Any, int] | None = None

    @classmethod
    def of(cls, given: Any, count: int) -> Self:
        """Validate the ids that a user gives for `count` objects, or number them."""
        return cls(0).extended(given, count)

    def extended(self, given: Any, count: int) -> Self:
        """Return a numbering with `count` further objects, named if the earlier ones are."""
        if given is None:
            if self.names is not None:
                raise InvalidArgument(
                    "the indexed objects have ids of their own: give ids for the further ones"
                )
            return type(self)(self.count + count, None, self.removed)
        fresh = _validated(given, count)
        if self.count and self.names is None:
            raise InvalidArgument("the indexed objects are called by position: further ones cannot have ids")
        names = fresh if self.names is None else np.concatenate([self.names, fresh])
        if self.names is not None and (self.names.dtype == object) != (fresh.dtype == object):
            raise WrongType("ids must be all integers or all strings, like those given before")
        grown = type(self)(self.count + count, names, self.removed)
        if len(grown.places) != grown.count - len(self.removed):
            names_given = Counter(n for i, n in enumerate(names.tolist()) if i not in self.removed)
            double = names_given.most_common(1)[0][0]
            raise InvalidArgument(f"every object needs an id of its own, given {double!r} more than once")
        return grown

    def without(self, positions: Iterable[int]) -> Self:
        """Return the numbering after these objects are gone; no other position changes."""
        return type(self)(self.count, self.names, self.removed | frozenset(positions))

    @property
    def places(self) -> dict[Any, int]:
        """The position of each id of the user's own."""
        if self._places is None:
            names = [] if self.names is None else self.names.tolist()
            self._places = {name: i for i, name in enumerate(names) if i not in self.removed}
        return self._places

    def called(self, positions: Positions) -> npt.NDArray[Any]:
        """Return the ids at these positions; −1 stays −1, or becomes None among strings.

        Where objects are called by their positions, what is given is returned.
        """
        if self.names is None:
            return positions
        named = self.names[np.maximum(positions, 0)]
        named[positions < 0] = None if self.names.dtype == object else -1
        return named

    def find(self, ids: Any) -> Positions:
        """Return the positions of these ids.

        Raises
        ------
        UnknownName
            If there is no object of that id.
        """
        if isinstance(ids, (str, int, np.integer)):
            raise WrongType(f"expected several ids, given one: pass [{ids!r}]")
        found = []
        for name in ids.tolist() if isinstance(ids, np.ndarray) else ids:
            place = self._place(name)
            if place is None:
                raise UnknownName(f"no object has the id {name!r}")
            found.append(place)
        return np.array(found, np.int64)

    def _place(self, name: Any) -> int | None:
        if self.names is not None:
            return self.places.get(name)
        if not isinstance(name, (int, np.integer)) or isinstance(name, bool):
            return None
        place = int(name)
        return place if 0 <= place < self.count and place not in self.removed else None


def _validated(given: Any, count: int) -> npt.NDArray[Any]:
    if isinstance(given, (str, bytes)):
        raise WrongType("expected one id for each object, given a single string")
    names = list(given)
    if len(names) != count:
        raise InvalidArgument(f"expected one id for each of {count} objects, given {len(names)}")
    if all(isinstance(name, (int, np.integer)) and not isinstance(name, bool) for name in names):
        if min(names, default=0) < 0:
            raise InvalidArgument(
                f"ids must not be negative, given {min(names)}: −1 marks missing neighbours"
            )
        if max(names, default=0) > np.iinfo(np.int64).max:
            raise InvalidArgument(f"ids must fit in 64 bits, given {max(names)}: use strings")
        return np.array(names, np.int64)
    if all(isinstance(name, str) for name in names):
        array = np.empty(count, object)
        array[:] = [str(name) for name in names]
        return array
    raise WrongType("ids must be all integers or all strings")
