"""What all containers have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import WrongType

Positions = npt.NDArray[np.int64]
T = TypeVar("T")

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
        """Bytes held by the objects, and by what metrics derived from them."""
        _, kept = self._kept
        return _bytes_of((*self.arrays().values(), *kept.copy().values()))

    def derived(self, make: Callable[[Self], T]) -> T:
        """Return what a metric derives from these objects, such as lengths or images; it is made only once.

        Parameters
        ----------
        make : callable
            Takes this container and returns an array or a tuple of arrays, which may be nested.
        """
        lock, kept = self._kept
        with lock:
            if make not in kept:
                kept[make] = make(self)
            made: T = kept[make]
        return made

    @property
    def _kept(self) -> tuple[threading.RLock, dict[Any, Any]]:
        """What was derived, and who may derive: making one thing may need another, in the same thread."""
        kept: tuple[threading.RLock, dict[Any, Any]] = self.__dict__.setdefault(
            "_derived", (threading.RLock(), {})
        )
        return kept

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: not what can be derived again."""
        return {name: value for name, value in self.__dict__.items() if name != "_derived"}

    def take(self, positions: Positions) -> Self:
        """Return a copy of the objects at these positions, in this order."""
        raise NotImplementedError

    def encode(self, data: Any) -> Self:
        """Return further objects of the same kind, in the same encoding, to be compared with these."""
        raise NotImplementedError

    def widened(self, data: Any) -> Self:
        """Return these objects in an encoding that loses nothing of others either."""
        return self

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


def _bytes_of(held: Any) -> int:
    """Return the bytes of an array, or of those in a tuple."""
    if isinstance(held, tuple):
        return sum(map(_bytes_of, held))
    return held.nbytes if isinstance(held, np.ndarray) else 0


def refuse_single(data: Any, kind: str) -> None:
    """Refuse one object where a batch belongs."""
    if isinstance(data, (str, bytes, bytearray, set, frozenset, dict)):
        raise WrongType(
            f"expected a batch of {kind}, given a single {type(data).__name__}: pass [x] for one object"
        )


def as_list(data: Any, kind: str) -> list[Any]:
    """Return the objects of a batch."""
    try:
        return list(data)
    except TypeError as error:
        raise WrongType(f"expected a batch of {kind}, given {type(data).__name__}") from error


def appended(array: npt.NDArray[Any], more: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return two arrays joined, the first being the beginning of the result.

    Room is left behind the result, and is used when the result is itself appended to, so that growing by
    small parts copies each element a few times at most. Earlier results keep their contents: the room
    that follows one is given away once.
    """
    buffer, size = array.base, len(array) + len(more)
    if not isinstance(buffer, _Buffer) or buffer.used != len(array) or size > len(buffer):
        buffer = _Buffer((size + size // 2, *array.shape[1:]), array.dtype)
        buffer[: len(array)] = array
    buffer[len(array) : size] = more
    buffer.used = size
    return np.ndarray((size, *array.shape[1:]), array.dtype, buffer)


class _Buffer(np.ndarray[Any, Any]):
    """Memory of which the beginning is in use."""

    used = 0
