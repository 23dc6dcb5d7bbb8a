"""Distances that the user has computed already."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..bounds import Slack
from ..kernels import Array
from ..laws import Laws, Metric, checked_rounding, register
from ..objects import Matrix, Objects
from ..space import Room, RowQuery, distance, prepare


class PrecomputedSpace(NamedTuple):
    """Numbered objects and the rows of their distances."""

    matrix: Array
    rows: Array


@prepare.of(PrecomputedSpace)
def _(space: PrecomputedSpace, queries: PrecomputedSpace, i: int, room: Room) -> Any:
    return RowQuery(queries.matrix[queries.rows[i]])


@distance.of(PrecomputedSpace)
def _(space: PrecomputedSpace, i: int, query: Any) -> float:
    return query.row[space.rows[i]]


@register("precomputed")
class Precomputed(Metric):
    """Distances looked up in the user's own matrix.

    ``fit`` takes the square matrix of all distances; a query is the row of its distances to all indexed
    objects. That the matrix obeys the triangle inequality is the user's to know: see `check_metric`.

    Parameters
    ----------
    rounding : float
        The relative error of the entries, 2⁻²⁴ by default: that of distances kept in float32.
    """

    function = None

    def __init__(self, rounding: float = 2.0**-24) -> None:
        self.name, self.laws = "precomputed", Laws(identity=False)
        self.rounding = checked_rounding(rounding)

    @property
    def params(self) -> dict[str, Any]:
        return {"rounding": self.rounding}

    def objects(self, data: Any) -> Objects:
        return Matrix.of(data)

    def space(self, objects: Objects) -> Any:
        assert isinstance(objects, Matrix)
        return PrecomputedSpace(objects.matrix, objects.rows)

    def error(self, objects: Objects) -> Slack:
        return Slack(self.rounding, 0.0)
