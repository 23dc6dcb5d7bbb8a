"""Queries on their way through the kernels: validated, shared out among threads, collected."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import threads
from .answer import BOUNDS, BROWSE, COST, PROVEN, RANGE, WHOLES, Answer
from .arguments import is_flat, radii_of, whole_number
from .errors import InvalidArgument
from .ids import Positions
from .laws import Bound
from .objects import Objects
from .progress import shown
from .space import Room, make_room
from .traversal import (
    BEST_FIRST,
    MORE_FRONTIER,
    MORE_RESULTS,
    ORDER,
    SIZE,
    STOP,
    STOPPED,
    Desk,
    enlarged,
    search,
)

if TYPE_CHECKING:
    from .searchable import Searchable

_UNLIMITED = np.iinfo(np.int64).max


class Batch:
    """Queries on their way through the kernels: validated, shared out, collected.

    Parameters
    ----------
    index : Searchable
        What is asked.
    asked : Objects
        The queries, encoded as the objects of the index are.
    kind, k, radius, chosen, eps, budget
        As queries have them; `chosen` is their filter.
    skips, afters : int64, shape (m,), optional
        For each query a slot that is no answer, and one up to which none is.
    """

    def __init__(
        self,
        index: Searchable,
        asked: Objects,
        kind: int,
        k: int,
        radius: Any,
        chosen: Any = None,
        eps: float = 0.0,
        budget: int | None = None,
        *,
        skips: Positions | None = None,
        afters: Positions | None = None,
    ) -> None:
        self.index, self.kind, self.k = index, kind, k
        self.count = len(asked)
        self.skips, self.afters = (np.full(1, -1) if slots is None else slots for slots in (skips, afters))
        self.radii = radii_of(radius, self.count)
        self.masks = masks_of(index, chosen, self.count)
        if not (isinstance(eps, (int, float, np.number)) and 0 <= eps < np.inf):
            raise InvalidArgument(f"expected eps of at least 0, given {eps!r}")
        limit = _UNLIMITED if budget is None else whole_number("budget", budget, 1)
        # A budget is best spent on the most promising; browsing can go in no other order.
        best_first = kind == BROWSE or budget is not None
        self.order = BEST_FIRST if best_first else index.order
        self.bound: Bound = index._bind(index._objects, asked)
        self.words = index.metric.words(asked)
        nothing = np.zeros(0, np.int64)
        self.blank = Answer(
            nothing, np.zeros(0), np.zeros(4), nothing, index._order, np.zeros(0, np.uint8),
            -1, -1, kind, 1.0 + float(eps), limit, index.metric.slack(index._objects),
        )  # fmt: skip
        self.wholes: npt.NDArray[np.int64] = np.zeros((self.count, WHOLES), np.int64)
        self.positions: Positions = np.full(self.count * k, -1, np.int64)
        self.distances: npt.NDArray[np.float64] = np.full(self.count * k, np.inf)
        self._workers: list[Worker] = []

    def worker(self, positions: Positions, distances: npt.NDArray[np.float64]) -> Worker:
        """Return a worker that writes into these buffers."""
        made = Worker(self, positions, distances)
        self._workers.append(made)
        return made

    def dismiss(self, worker: Worker) -> None:
        """Forget a worker and its memory."""
        self._workers.remove(worker)

    def run(self, n_jobs: int | None, progress: bool) -> None:
        """Answer all queries."""
        jobs = threads.jobs(n_jobs) if self.bound.metric.native else 1
        size = max(1, min(256, -(-self.count // (4 * jobs))))
        spans = [(first, min(first + size, self.count)) for first in range(0, self.count, size)]
        waiting = spans[::-1]
        parts: dict[int, tuple[Positions, npt.NDArray[np.float64]]] = {}

        def work() -> None:
            if self.kind == RANGE:
                worker = self.worker(np.zeros(1024, np.int64), np.zeros(1024))
            else:
                worker = self.worker(self.positions, self.distances)
            while waiting and not worker.stopped:
                try:
                    first, last = waiting.pop()
                except IndexError:  # another worker was quicker
                    break
                worker.answer(first, last)
                if self.kind == RANGE:
                    parts[first] = worker.taken()

        with shown(self.index.key, self.count, progress) as show:
            done: Callable[[], None] | None = (
                (lambda: show(self.count - size * len(waiting))) if progress else None
            )
            self.drive([work] * min(jobs, len(spans)), done)
        if self.kind == RANGE and parts:
            self.positions = np.concatenate([parts[first][0] for first, _ in spans])
            self.distances = np.concatenate([parts[first][1] for first, _ in spans])

    def drive(self, tasks: list[Callable[[], None]], tick: Callable[[], None] | None) -> None:
        """Run tasks to the end, here if they are few and cannot run long, and raise what went wrong."""
        if self.bound.metric.native and len(tasks) == 1 and self.count <= 4:
            tasks[0]()
        else:
            threads.run(tasks, self._cancel, tick)
        for worker in self._workers:
            if worker.room.fault[0]:
                raise self.bound.complaint(worker.room.fault)

    def _cancel(self) -> None:
        for worker in self._workers:
            worker.desk.wholes[STOP] = 1

    def costs(self) -> dict[str, Any]:
        """Return the columns that every result has."""
        return {
            "cost": self.wholes[:, COST].copy(),
            "exact": (self.wholes[:, PROVEN] != 0) & self.index.exact,
            "bounds": self.wholes[:, BOUNDS].copy(),
        }


def masks_of(index: Searchable, chosen: Any, count: int) -> npt.NDArray[np.uint8]:
    """Return which slots a filter admits: a row for all of `count` queries or one each, empty if all are."""
    if chosen is None:
        return np.zeros((1, 0), np.uint8)
    ids, objects = index._ids, index._ids.count
    given = (
        chosen
        if isinstance(chosen, np.ndarray)
        else np.asarray(chosen, dtype=None if is_flat(chosen) else object)
    )
    if given.dtype == bool:
        masks = np.atleast_2d(given)
        if masks.shape[1] != objects or masks.shape[0] not in (1, count):
            raise InvalidArgument(
                f"expected a filter of {objects} booleans, or of that for each of {count} queries, "
                f"given shape {given.shape}"
            )
    else:
        per_query = [chosen] if is_flat(chosen) else list(chosen)
        if len(per_query) not in (1, count):
            raise InvalidArgument(
                f"expected one filter or one for each of {count} queries, given {len(per_query)}"
            )
        masks = np.zeros((len(per_query), objects), bool)
        for row, several in zip(masks, per_query):
            row[ids.find(several)] = True
    return np.ascontiguousarray(masks[:, index._order], np.uint8)


class Worker:
    """One thread's memory, enlarged whenever a kernel asks for more."""

    def __init__(self, batch: Batch, positions: Positions, distances: npt.NDArray[np.float64]) -> None:
        self.batch = batch
        self.desk: Desk = batch.index._desk()
        self.desk.wholes[ORDER] = batch.order
        self.room: Room = make_room(batch.words)
        self.positions, self.distances = positions, distances
        self.reals = np.zeros(4)
        self.used = np.zeros(1, np.int64)
        self.stopped = False

    def answer(self, first: int, last: int) -> None:
        """Answer queries `first` to `last`."""
        batch = self.batch
        span = np.array([first, last])
        self.used[0] = 0 if batch.kind in (RANGE, BROWSE) else first * batch.k
        while True:
            status = search(
                batch.index._tree, batch.bound.space, batch.bound.queries, self.room, self.desk, batch.blank,
                batch.radii, batch.masks, batch.skips, batch.afters, self.positions, self.distances,
                self.reals, batch.wholes, batch.k, span, self.used,
            )  # fmt: skip
            if status == MORE_FRONTIER:
                self.desk = enlarged(self.desk)
            elif status == MORE_RESULTS:
                self.positions = np.concatenate([self.positions, np.empty_like(self.positions)])
                self.distances = np.concatenate([self.distances, np.empty_like(self.distances)])
            else:
                self.stopped = status == STOPPED
                return

    def taken(self) -> tuple[Positions, npt.NDArray[np.float64]]:
        """Return a copy of what the last span found."""
        return self.positions[: self.used[0]].copy(), self.distances[: self.used[0]].copy()

    def frontier(self) -> float:
        """Return the least bound of what is waiting."""
        return float(self.desk.keys[0]) if self.desk.wholes[SIZE] else np.inf
