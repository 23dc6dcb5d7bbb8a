"""Distances of a query to chosen objects, without a structure."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import threads
from ..ids import Positions
from ..kernels import Array, kernel
from ..objects import Objects
from ..space import Room, at_least, prepare, within

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

    Parameters
    ----------
    index, asked
        The index, and the queries encoded as its objects are.
    n_jobs : int
        Threads, if the metric can be measured on several.

    Attributes
    ----------
    cost : int
        Distances computed so far.
    """

    def __init__(self, index: Searchable, asked: Objects, n_jobs: int = 1) -> None:
        self._bound = index._bind(index._objects, asked)
        self._rooms = [self._bound.room() for _ in range(n_jobs if self._bound.native else 1)]
        self.cost = 0

    def distances(self, row: int, slots: Positions, limit: float = np.inf) -> npt.NDArray[np.float64]:
        """Return the distances of a query to the objects in these slots, infinity beyond a limit."""
        out, bound = np.empty(len(slots)), self._bound
        waiting = list(range(0, len(slots), _CHUNK))[::-1]

        def work(room: Room) -> int:
            measured = 0
            while waiting and not room.fault[0]:
                with contextlib.suppress(IndexError):  # another thread was quicker
                    first = waiting.pop()
                    part = slice(first, first + _CHUNK)
                    measured += measure_chosen(
                        bound.space, bound.queries, row, slots[part], limit, room, out[part]
                    )
            return measured

        rooms = self._rooms[: len(waiting)]
        if bound.native and len(rooms) == 1:
            self.cost += work(rooms[0])
        else:  # an interrupt must reach the main thread, and not a callback
            self.cost += sum(threads.run([functools.partial(work, room) for room in rooms], self._cancel))
        for room in rooms:
            if room.fault[0]:
                raise bound.complaint(room.fault)
        return out

    def _cancel(self) -> None:
        for room in self._rooms:
            room.fault[0] = 1
