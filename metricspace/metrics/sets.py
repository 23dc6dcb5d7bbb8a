"""Jaccard distance on sets."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..bounds import Slack
from ..kernels import Array
from ..laws import TRIANGLE, Metric, register
from ..objects import Objects, Sets
from ..space import Room, distance, prepare


class JaccardSpace(NamedTuple):
    """Sets as ragged ascending codes."""

    starts: Array
    items: Array


class SetQuery(NamedTuple):
    """The ascending codes of one set."""

    items: Array


@prepare.of(JaccardSpace)
def _(space: JaccardSpace, queries: JaccardSpace, i: int, room: Room) -> Any:
    return SetQuery(queries.items[queries.starts[i] : queries.starts[i + 1]])


@distance.of(JaccardSpace)
def _(space: JaccardSpace, i: int, query: Any) -> float:
    a, stop = space.starts[i], space.starts[i + 1]
    b, size = 0, query.items.shape[0]
    sizes = stop - a + size
    common = 0
    while a < stop and b < size:
        x, y = space.items[a], query.items[b]
        common += x == y
        a += x <= y
        b += y <= x
    union = sizes - common
    return np.float64(union - common) / np.float64(union) if union > 0 else 0.0


@register("jaccard")
class Jaccard(Metric):
    """1 − |a ∩ b| / |a ∪ b|; two empty sets are at distance 0."""

    function = None

    def __init__(self) -> None:
        self.name, self.laws = "jaccard", TRIANGLE

    def objects(self, data: Any) -> Objects:
        return Sets.of(data)

    def space(self, objects: Objects) -> Any:
        assert isinstance(objects, Sets)
        return JaccardSpace(objects.starts, objects.items)

    def error(self, objects: Objects) -> Slack:
        return Slack(2.0**-53, 0.0)  # one division of whole numbers
