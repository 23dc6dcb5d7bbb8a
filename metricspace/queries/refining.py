"""Distances of a query to chosen objects, without a structure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import threads
from ..ids import Positions
from ..kernels import Array, kernel
from ..objects import Objects
from ..space import Room, at_least, make_room, prepare, within

if TYPE_CHECKING:
    from ..searchable import Searchable

_CHUNK = 4096  # distances between which an interrupt is noticed


@kernel
def measure_chosen(
    space: Any, queries: Any, i: int, slots: Array, limit: float, room: Room, out: Array
) -> int:
    """Write the canonical distances of query `i` to objects, infinity beyond a limit; return how many."""
    query = prepare(space, queries, i, room)
    measured = 0
    for j in range(slots.shape[0]):
        out[j] = np.inf
        if at_least(space, slots[j], query) <= limit:
            d = within(space, slots[j], query, limit)
            measured += 1
            if room.fault[0] != 0:
                break
            if d <= limit:
                out[j] = d
    return measured


class Refiner:
    """Queries whose distances to objects of an index are asked for one by one.

    Attributes
    ----------
    cost : int
        Distances computed so far.
    """

    def __init__(self, index: Searchable, asked: Objects) -> None:
        self._bound = index._bind(index._objects, asked)
        self._room = make_room(index.metric.words(asked))
        self.cost = 0

    def distances(self, row: int, slots: Positions, limit: float = np.inf) -> npt.NDArray[np.float64]:
        """Return the distances of a query to the objects in these slots, infinity beyond a limit."""
        out = np.empty(len(slots))
        for first in range(0, len(slots), _CHUNK):
            part = slice(first, first + _CHUNK)

            def work(part: slice = part) -> int:
                bound = self._bound
                return measure_chosen(
                    bound.space, bound.queries, row, slots[part], limit, self._room, out[part]
                )

            if self._bound.metric.native:
                self.cost += work()
            else:  # an interrupt must reach the main thread, and not a callback
                self.cost += threads.run([work], self._cancel)[0]
            if self._room.fault[0]:
                raise self._bound.complaint(self._room.fault)
        return out

    def _cancel(self) -> None:
        self._room.fault[0] = 1
