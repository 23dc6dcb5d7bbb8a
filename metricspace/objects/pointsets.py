"""Sets of points of any kind, as one container of all points."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgument, MetricSpaceError, WrongType
from .base import KINDS, Objects, Positions, appended, as_list, refuse_single
from .ragged import starts_of, take_ragged

_SINGLE = (str, bytes, set, frozenset, dict)  # iterable, but no batch of points


class PointSets(Objects):
    """Finite sets of points, none of them empty, as one container of all points.

    Parameters
    ----------
    starts : int64, shape (n + 1,)
        Set i has the points from ``starts[i]`` to ``starts[i + 1]``.
    points : Objects
        The points of all sets, in a container of their own kind.
    compared : Objects
        The points of the indexed sets, which these are compared with; by default these are indexed.
    """

    kind = "pointsets"

    def __init__(
        self, starts: npt.NDArray[np.int64], points: Objects, compared: Objects | None = None
    ) -> None:
        self.starts, self.points = starts, points
        self.compared = points if compared is None else compared

    @classmethod
    def of(cls, data: Any, hold: Callable[[Any], Objects]) -> Self:
        """Validate a batch of sets, whose points `hold` puts into a container.

        Raises
        ------
        InvalidArgument
            If there is no set, or one of them is empty.
        WrongType
            If a set is no batch of points of one kind.
        """
        starts, points = _joined(data)
        if len(starts) == 1:
            raise InvalidArgument("expected at least one set of points, given none")
        return cls(starts, _held(hold, points))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def nbytes(self) -> int:
        return self.starts.nbytes + self.points.nbytes

    def take(self, positions: Positions) -> Self:
        starts, places = take_ragged(self.starts, np.arange(self.starts[-1]), positions)
        return type(self)(starts, self.points.take(places))

    def encode(self, data: Any) -> Self:
        starts, points = _joined(data)
        return type(self)(starts, _held(self.points.encode, points), self.points)

    def extended(self, data: Any) -> Self:
        starts, points = _joined(data)
        return type(self)(
            appended(self.starts, self.starts[-1] + starts[1:]), _held(self.points.extended, points)
        )

    def give(self, positions: Positions) -> list[Any]:
        return [self.points.give(np.arange(self.starts[i], self.starts[i + 1])) for i in positions]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        nested = {f"points.{name}": array for name, array in self.points.arrays().items()}
        return {"starts": self.starts, **nested}

    def header(self) -> dict[str, Any]:
        return {"points": {"kind": self.points.kind, **self.points.header()}}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        nested = {name.removeprefix("points."): array for name, array in arrays.items() if name != "starts"}
        return cls(arrays["starts"], KINDS[header["points"]["kind"]].restore(nested, header["points"]))


def _joined(data: Any) -> tuple[npt.NDArray[np.int64], Any]:
    """Return where each set begins, and the points of all in one batch."""
    refuse_single(data, "sets of points")
    sets = as_list(data, "sets of points")
    for i, one in enumerate(sets):
        if isinstance(one, _SINGLE) or not hasattr(one, "__iter__") or getattr(one, "ndim", 1) == 0:
            raise WrongType(
                f"expected sets of points, each a list or an array, given a {type(one).__name__} at position "
                f"{i}: pass [x] for a set of one point"
            )
    as_arrays = bool(sets) and all(hasattr(one, "__array__") for one in sets)
    sets = [np.asarray(one) if as_arrays else list(one) for one in sets]
    starts = starts_of(map(len, sets), len(sets))
    if len(empty := np.flatnonzero(np.diff(starts) == 0)):
        raise InvalidArgument(
            f"the set at position {empty[0]} is empty, and has no distance to others: leave it out"
        )
    if not as_arrays:
        return starts, list(itertools.chain.from_iterable(sets))
    shapes = [one.shape[1:] for one in sets]
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise WrongType(
                f"expected points of one shape, given {shapes[0]} in the set at position 0 and {shape} at {i}"
            )
    return starts, np.concatenate(sets)


def _held(hold: Callable[[Any], Objects], points: Any) -> Objects:
    """Put the points of all sets into a container, whose complaints are then about points."""
    try:
        return hold(points)
    except MetricSpaceError as error:
        raise type(error)(
            f"each object is a set, a batch of points; of the points of all sets: {error}"
        ) from error
