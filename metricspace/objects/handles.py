"""Python objects of any kind, for metrics written in Python."""

from __future__ import annotations

from typing import Any, Self

import numpy.typing as npt

from ..errors import InvalidArgument, StorageError
from .base import Objects, Positions, as_list, refuse_single


class Handles(Objects):
    """Python objects of any kind, kept as they are."""

    kind = "handles"

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    @classmethod
    def of(cls, data: Any) -> Self:
        """Keep a batch of objects."""
        refuse_single(data, "objects")
        items = as_list(data, "objects")
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
        return type(self)(as_list(data, "objects"))

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
