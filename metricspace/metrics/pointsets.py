"""Hausdorff distance on finite sets of points, over any metric of the points.

Each point is a query to the other set. Its search for the nearest point there stops as soon as a point is
found that is no farther than what the distance has reached already, because the point can then not raise it
(Taha and Hanbury 2015). The search begins at the point that settled the last one: points that follow one
another in a set are often near to each other, so most searches end at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba.core.dispatcher import Dispatcher

from ..addressed import addressed
from ..bounds import Slack
from ..errors import MetricFailed, NotAMetric, NotSupported
from ..kernels import COMPILED, Array, kernel
from ..laws import Bound, Laws, Metric, metric, register
from ..objects import Objects, PointSets, Rows
from ..space import FRAME, Room, at_least, prepare, within


class HausdorffSpace(NamedTuple):
    """Sets of points: where each begins, and the space of all points under the ground metric."""

    starts: Array
    ground: Any


class HausdorffQuery(NamedTuple):
    """One set of the space `ground`, and room in which one point after another is prepared."""

    ground: Any
    first: int
    stop: int
    words: Array
    fault: Array


@prepare.of(HausdorffSpace)
def _(space: HausdorffSpace, queries: HausdorffSpace, i: int, room: Room) -> Any:
    return HausdorffQuery(queries.ground, queries.starts[i], queries.starts[i + 1], room.words, room.fault)


@within.of(HausdorffSpace)
def _(space: HausdorffSpace, i: int, query: Any, limit: float) -> float:
    # The frame of the room holds this query, and a ground metric that is called by address needs another.
    room = Room(query.words[FRAME:], query.words[:FRAME], query.fault)
    first, stop = space.starts[i], space.starts[i + 1]
    d = _directed(query.ground, query.first, query.stop, space.ground, first, stop, room, 0.0, limit)
    if d <= limit:
        d = _directed(space.ground, first, stop, query.ground, query.first, query.stop, room, d, limit)
    return d if query.fault[0] == 0 else np.nan  # the fault is then noted for the two sets


@kernel
def _directed(
    points: Any,
    first: int,
    last: int,
    others: Any,
    start: int,
    stop: int,
    room: Room,
    reached: float,
    limit: float,
) -> float:
    """Return the greatest distance of a point to the other set, or `reached` if that is greater.

    What is beyond `limit` may be returned unfinished.
    """
    nearest = start
    for i in range(first, last):
        point = prepare(others, points, i, room)
        least = np.inf
        j = nearest
        for _ in range(start, stop):
            if at_least(others, j, point) < least:
                d = within(others, j, point, least)
                if d < least:
                    least = d
                    nearest = j
                    if d <= reached:
                        break
            j = j + 1 if j + 1 < stop else start
        if least > reached:
            reached = least
            if reached > limit:
                break
    return reached


@dataclasses.dataclass(frozen=True)
class PlainHausdorff:
    """The distance in plain Python, over a function of the user's own."""

    ground: Callable[[Any, Any], float]

    def __call__(self, a: Any, b: Any) -> float:
        """Return the distance of two sets of points."""
        return self._directed(b, a, self._directed(a, b, 0.0))

    def _directed(self, points: Any, others: Any, reached: float) -> float:
        for point in points:
            least = np.inf
            for other in others:
                d = float(self.ground(point, other))
                if not 0 <= d < np.inf:
                    raise MetricFailed(
                        f"{_name(self.ground)} returned {d!r}, and a distance is a finite number ≥ 0"
                    )
                least = min(least, d)
                if d <= reached:
                    break
            reached = max(reached, least)
        return reached


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


@register("hausdorff")
class Hausdorff(Metric):
    """max over the points of either set of the distance to the nearest point of the other.

    Objects are finite sets of points, none of them empty: arrays of shape (points, dimensions), or lists of
    whatever the ground metric takes. Points that a set has more than once count once.

    Parameters
    ----------
    ground : str, Metric or callable
        The metric of the points. A compiled function of your own runs at native speed on rows of numbers.
    **params
        Parameters of the ground metric.

    Raises
    ------
    NotAMetric
        If the ground does not declare the triangle inequality: the distance of sets would break it too.
    NotSupported
        If points cannot be gathered from sets, as with ``"precomputed"``.
    """

    def __init__(
        self, ground: str | Metric | Callable[[Any, Any], float] = "euclidean", **params: Any
    ) -> None:
        self.ground = metric(ground, **params)
        if not self.ground.laws.triangle:
            raise NotAMetric(
                f"hausdorff breaks the triangle inequality where its ground does, and {self.ground.name} "
                "does not declare it: use another, or declare it if it holds, Metric(function, triangle=True)"
            )
        if self.ground.name == "precomputed":
            raise NotSupported(
                "points in sets have no rows in a matrix of distances: number the points, and use as ground "
                "a function that looks them up, lambda i, j: D[i, j]"
            )
        if isinstance(self.ground, Hausdorff):
            raise NotSupported("hausdorff on sets of sets is not made: use a ground metric on points")
        self.name, self.laws = "hausdorff", Laws(identity=self.ground.laws.identity)
        self.function = None if self.ground.function is None else PlainHausdorff(self.ground.function)

    @property
    def params(self) -> dict[str, Any]:
        return {"ground": self.ground.name, **self.ground.params}

    @property
    def native(self) -> bool:
        return self.ground.native

    def objects(self, data: Any) -> Objects:
        return PointSets.of(data, self.ground.objects)

    def space(self, objects: Objects) -> Any:
        assert isinstance(objects, PointSets)
        points, own = objects.points, self.ground.function is None
        return HausdorffSpace(objects.starts, self.ground.bind(points, points, own_kernels=own).space)

    def bind(
        self, objects: Objects, queries: Objects, *, own_kernels: bool = False, scan: bool = False
    ) -> Bound:
        assert isinstance(objects, PointSets)
        own = isinstance(self.ground.function, Dispatcher) and isinstance(objects.points, Rows)
        if not (COMPILED and own):
            return super().bind(objects, queries, own_kernels=own_kernels, scan=scan)
        # The ground is a function of the user's, compiled; this metric's own function calls it from Python.
        space, asked = self.space(objects), self.space(queries)
        return Bound(addressed(space), addressed(asked), objects, queries, self, (space, asked))

    def bytes_derived(self, objects: Objects, scan: bool = False) -> int:
        assert isinstance(objects, PointSets)
        return self.ground.bytes_derived(objects.points)

    def greatest(self, queries: Objects, objects: Objects) -> int | None:
        assert isinstance(queries, PointSets)
        assert isinstance(objects, PointSets)
        return self.ground.greatest(queries.points, objects.points)

    def words(self, queries: Objects) -> int:
        assert isinstance(queries, PointSets)
        # Points of either side are queries to the other.
        return FRAME + max(self.ground.words(queries.points), self.ground.words(queries.compared))

    def error(self, objects: Objects) -> Slack:
        assert isinstance(objects, PointSets)
        return self.ground.error(objects.points)  # it is one of its distances
