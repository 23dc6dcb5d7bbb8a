"""What a thread that answers queries has to itself, for queries that go by themselves or together."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .answer import BALLS, BROWSE, FOUND, KNN, REALS
from .coding import Asked
from .ids import Positions
from .sorting import Results
from .space import Room
from .together import Question, sweep
from .traversal import MORE_FRONTIER, MORE_RESULTS, ORDER, SIZE, STOP, STOPPED, Desk, enlarged, search
from .tray import CROWDED, give_back, larger, taken_tray
from .tray import STOP as SWEEP_STOP

if TYPE_CHECKING:
    from .batch import Batch


class Memory:
    """What one thread has to itself, enlarged whenever a kernel asks for more.

    Not the batch, which keeps it: a circle would hold all results until garbage is collected.
    """

    room: Room
    positions: Positions
    distances: npt.NDArray[np.float64]
    stopped = False

    def __init__(self, batch: Batch, positions: Positions, distances: npt.NDArray[np.float64]) -> None:
        self.room, self.positions, self.distances = batch.bound.room(), positions, distances
        self.used = np.zeros(1, np.int64)

    def answer(self, batch: Batch, first: int, last: int) -> None:
        """Answer some queries of the batch, in the order in which they go."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Let a kernel that runs come to an end."""
        raise NotImplementedError

    def leave(self) -> None:
        """Give back what others can use."""

    def more_results(self) -> None:
        """Have room for twice as many."""
        self.positions = np.concatenate([self.positions, np.empty_like(self.positions)])
        self.distances = np.concatenate([self.distances, np.empty_like(self.distances)])

    def taken(self, batch: Batch, first: int, last: int) -> Results:
        """Return a copy of what the queries from one place to another, the last span, found."""
        found = batch.wholes[self._numbers(first, last), FOUND]
        return batch.arranged(found, self.positions[: self.used[0]], self.distances[: self.used[0]])

    def _numbers(self, first: int, last: int) -> Any:
        """Return which queries go from one place to another."""
        return slice(first, last)


class Worker(Memory):
    """One thread's memory for queries that go by themselves."""

    def __init__(self, batch: Batch, positions: Positions, distances: npt.NDArray[np.float64]) -> None:
        super().__init__(batch, positions, distances)
        self.desk: Desk = batch.index._desk()
        self.desk.wholes[ORDER] = batch.order
        self.reals = np.zeros(REALS)

    def answer(self, batch: Batch, first: int, last: int) -> None:
        span = np.array([first, last])
        self.used[0] = 0 if batch.kind in (*BALLS, BROWSE) else first * batch.k
        while True:
            status = batch.call(
                search, batch.index._tree, batch.bound.space, batch.bound.queries, self.room, self.desk,
                batch.blank, batch.radii, batch.masks, batch.skips, batch.afters, self.positions,
                self.distances, self.reals, batch.wholes, batch.k, span, self.used,
            )  # fmt: skip
            if status == MORE_FRONTIER:
                self.desk = enlarged(self.desk)
            elif status == MORE_RESULTS:
                self.more_results()
            else:
                self.stopped = status == STOPPED
                return

    def cancel(self) -> None:
        self.desk.wholes[STOP] = 1

    def frontier(self) -> float:
        """Return the least bound of what is waiting."""
        return float(self.desk.keys[0]) if self.desk.wholes[SIZE] else np.inf


class Sweeper(Memory):
    """One thread's memory for queries that go together."""

    def __init__(self, batch: Batch, asked: Asked, members: int, offset: int) -> None:
        nothing = 1024 * members if batch.kind in BALLS else 0
        own = batch.kind == KNN
        super().__init__(
            batch,
            batch.positions if own else np.zeros(nothing, np.int64),
            batch.distances if own else np.zeros(nothing),
        )
        self.asked, self.offset = asked, offset
        self.tray = taken_tray(members, batch.k)
        self._lent, self._left = threading.Lock(), False

    def answer(self, batch: Batch, first: int, last: int) -> None:
        bound = batch.bound
        span = np.array([first, last])
        self.used[0] = 0
        while True:
            ask = Question(
                batch.blank, batch.radii, batch.skips, batch.afters, self.positions, self.distances,
                batch.wholes, batch.k, self.offset,
            )  # fmt: skip
            status = batch.call(
                sweep, batch.swept, bound.space, bound.queries, self.asked, self.room, ask, span, self.used,
                self.tray,
            )  # fmt: skip
            if status != MORE_RESULTS:
                self.stopped = status == STOPPED
                return
            if self.tray.sizes[CROWDED]:
                self.tray = larger(self.tray)
            else:
                self.more_results()

    def cancel(self) -> None:
        with self._lent:
            if not self._left:  # else others may have the tray
                self.tray.sizes[SWEEP_STOP] = 1

    def leave(self) -> None:
        with self._lent:
            self._left = True
            give_back(self.tray)

    def _numbers(self, first: int, last: int) -> Any:
        return self.asked.place[first:last]
