"""What a thread that answers queries has to itself, for queries that go by themselves or together."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from .answer import BALLS, BROWSE, FOUND, REALS
from .coding import Asked
from .ids import Positions
from .slabs import give_back_slab, taken_slab
from .sorting import Results
from .together import Question, sweep
from .traversal import MORE_FRONTIER, MORE_RESULTS, ORDER, SIZE, STOP, STOPPED, Desk, enlarged, search
from .tray import CROWDED, give_back, larger, taken_tray
from .tray import STOP as SWEEP_STOP

if TYPE_CHECKING:
    from .batch import Batch


class Memory:
    """What one thread has to itself, enlarged whenever a kernel asks for more.

    Not the batch, which keeps it: a circle would hold all results until garbage is collected.

    Attributes
    ----------
    room : space.Room
        What distances are measured with.
    results : Results
        Where results are written to.
    used : int64, shape (1,)
        The place there that is written next.
    parts : list
        What was set aside: some queries, and their results, one query's after the other's.
    stopped : bool
        Whether the search came to an end before its time.
    """

    stopped = False

    def __init__(self, batch: Batch, results: Results) -> None:
        self.room, self.results = batch.bound.room(), results
        self.used = np.zeros(1, np.int64)
        self.parts: list[tuple[Positions, Results]] = []
        self._full: list[Results] = []
        self._begun = self._aside = 0  # from which query and which place on nothing was set aside

    def answer(self, batch: Batch, first: int, last: int) -> None:
        """Answer some queries of the batch, in the order in which they go."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Let a kernel that runs come to an end."""
        raise NotImplementedError

    def leave(self) -> None:
        """Give back what others can use."""

    def set_aside(self, reached: int) -> None:
        """Set aside what the queries up to one, which are answered, have found."""
        used = int(self.used[0])
        if reached > self._begun:
            found = self.results.between(self._aside, used)
            self.parts.append((self._numbers(self._begun, reached), found))
        self._begun, self._aside = reached, used

    def more_results(self, reached: int, found: int = 0) -> None:
        """Have room for what the queries from one on find, the first of which has found some already."""
        self.set_aside(reached)
        old, used = self.results, self._aside
        # A slab of its own may be enough for what it finds, and twice as much is if that was tried.
        self.results = taken_slab(2 * found if used else 2 * len(old.positions))
        for new, held in zip(self.results, old.between(used, used + found)):
            new[:found] = held
        self.used[0] = self._aside = 0
        if used:
            self._full.append(old)
        else:
            give_back_slab(old)

    def forget(self) -> None:
        """Forget what was set aside, and give back its memory."""
        for slab in (*self._full, self.results):
            give_back_slab(slab)
        self.parts, self._full, self.results = [], [], self.results.between(0, 0)

    def _numbers(self, first: int, last: int) -> Positions:
        """Return which queries go from one place to another."""
        return np.arange(first, last)


class Worker(Memory):
    """One thread's memory for queries that go by themselves."""

    def __init__(self, batch: Batch, results: Results) -> None:
        super().__init__(batch, results)
        self.desk: Desk = batch.index._desk()
        self.desk.wholes[ORDER] = batch.order
        self.reals = np.zeros(REALS)

    def answer(self, batch: Batch, first: int, last: int) -> None:
        span = np.array([first, last])
        self._begun = first
        if batch.kind not in BALLS:
            self.used[0] = 0 if batch.kind == BROWSE else first * batch.k
        while True:
            status = batch.call(
                search, batch.index._tree, batch.bound.space, batch.bound.queries, self.room, self.desk,
                batch.blank, batch.radii, batch.masks, batch.skips, batch.afters, *self.results,
                self.reals, batch.wholes, batch.k, span, self.used,
            )  # fmt: skip
            if status == MORE_FRONTIER:
                self.desk = enlarged(self.desk)
            elif status == MORE_RESULTS:
                self.more_results(span[0], batch.wholes[span[0], FOUND])
            else:
                break
        self.stopped = status == STOPPED
        if batch.kind in BALLS:
            self.set_aside(span[0])

    def cancel(self) -> None:
        self.desk.wholes[STOP] = 1

    def frontier(self) -> float:
        """Return the least bound of what is waiting."""
        return float(self.desk.keys[0]) if self.desk.wholes[SIZE] else np.inf


class Sweeper(Memory):
    """One thread's memory for queries that go together."""

    def __init__(self, batch: Batch, asked: Asked, members: int, offset: int) -> None:
        super().__init__(batch, taken_slab() if batch.kind in BALLS else batch.results)
        self.asked, self.offset = asked, offset
        self.tray = taken_tray(members, batch.k)
        self._lent, self._left = threading.Lock(), False

    def answer(self, batch: Batch, first: int, last: int) -> None:
        bound = batch.bound
        span = np.array([first, last])
        self._begun = first
        while True:
            ask = Question(
                batch.blank, batch.radii, batch.skips, batch.afters, *self.results, batch.wholes, batch.k,
                self.offset,
            )  # fmt: skip
            status = batch.call(
                sweep, batch.swept, bound.space, bound.queries, self.asked, self.room, ask, span, self.used,
                self.tray,
            )  # fmt: skip
            if status != MORE_RESULTS:
                break
            if self.tray.sizes[CROWDED]:
                self.tray = larger(self.tray)
            else:
                self.more_results(span[0])
        self.stopped = status == STOPPED
        if batch.kind in BALLS:
            self.set_aside(span[0])

    def cancel(self) -> None:
        with self._lent:
            if not self._left:  # else others may have the tray
                self.tray.sizes[SWEEP_STOP] = 1

    def leave(self) -> None:
        with self._lent:
            self._left = True
            give_back(self.tray)

    def _numbers(self, first: int, last: int) -> Positions:
        return self.asked.place[first:last]
