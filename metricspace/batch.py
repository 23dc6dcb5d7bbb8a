"""Queries on their way through the kernels: validated, shared out among threads, collected."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import threads
from .answer import (
    BALLS,
    BOUNDS,
    BROWSE,
    COST,
    COUNT,
    FOUND,
    KNN,
    PAIRS,
    PROVEN,
    RANGE,
    WHOLES,
    Answer,
)
from .arguments import is_flat, radii_of, whole_number
from .coding import blank_asked, find_homes, sort_by_homes
from .errors import InvalidArgument
from .ids import Positions
from .kernels import kinds, machine_code
from .laws import Bound
from .objects import Objects
from .progress import shown
from .simd.registers import ROWS
from .simd.tiles import TOGETHER
from .simd.vectors import aligned
from .slabs import SLAB, taken_slab
from .sorting import Order, Results, distribute, in_order
from .traversal import BEST_FIRST, DEPTH_FIRST
from .workers import Memory, Sweeper, Worker

if TYPE_CHECKING:
    from .searchable import Searchable

_UNLIMITED = np.iinfo(np.int64).max
MOST_KEPT = 1 << 22  # neighbours of the queries that go together
LONGEST = 4096  # queries that go to a kernel in one call, between which progress is shown
# Homes are found before a thread has begun, if all of them take no more than this: products with the axes,
# and as many as take as long as the search for the nearest block.
_LITTLE, _SOUGHT = 1 << 24, 1 << 14


_NONE = np.zeros(0)
_NOWHERE, _NO_SLOT = np.zeros(0, np.int64), np.full(1, -1)
_ALL = np.zeros((1, 0), np.uint8)
_SPAN = 256  # queries that a thread takes at once
_LEAST = 64  # so many at least where they go together, if there are many


class Scaled(NamedTuple):
    """What a query measures with, and how its radius becomes one of the structure."""

    bound: Bound
    scale: float = 1.0
    margin: float = 0.0


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
    reaches, node_reaches : float64, by slot and by node
        How far each object belongs beside the radius, and the greatest of them below each node.
    enough : int
        A count goes no further.
    measure : Scaled, optional
        What to measure with, if not with the metric of the index.
    alone : bool
        Whether each query goes by itself even where several might go together.
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
        reaches: npt.NDArray[np.float64] = _NONE,
        node_reaches: npt.NDArray[np.float64] = _NONE,
        enough: int = _UNLIMITED,
        measure: Scaled | None = None,
        alone: bool = False,
    ) -> None:
        self.index, self.kind, self.k = index, kind, k
        self.count = len(asked)
        self.skips, self.afters = (_NO_SLOT if slots is None else slots for slots in (skips, afters))
        self.radii = radii_of(radius, self.count)
        self.masks = masks_of(index, chosen, self.count)
        if not (isinstance(eps, (int, float, np.number)) and 0 <= eps < np.inf):
            raise InvalidArgument(f"expected eps of at least 0, given {eps!r}")
        limit = _UNLIMITED if budget is None else whole_number("budget", budget, 1)
        # A budget is best spent on the most promising, and browsing can go in no other order. Where the
        # radius stays as it is the order does not matter.
        best_first = kind == BROWSE or budget is not None or (kind == KNN and index.order == BEST_FIRST)
        self.order = BEST_FIRST if best_first else DEPTH_FIRST
        plain = budget is None and eps == 0 and self.masks.size == 0 and len(reaches) == 0 and measure is None
        together = plain and not alone and enough == _UNLIMITED and kind in (KNN, RANGE, COUNT, PAIRS)
        self.swept: Any = index._swept(self.count) if together else None
        self.usual = plain and skips is None and afters is None
        bind = index._bind if self.swept is None else index._bind_swept
        measure = measure or Scaled(bind(index._objects, asked))
        self.bound = measure.bound
        whole = self.bound.metric.greatest(self.bound.asked, self.bound.objects) if kind == RANGE else None
        self.whole_order = Order.of(_SPAN, whole, index._ids.count)
        self.blank = Answer(
            _NOWHERE, _NONE, _NONE, _NOWHERE, index._order, _ALL[0],
            -1, -1, kind, 1.0 + float(eps), limit, enough, reaches, node_reaches,
            measure.scale, measure.margin, index._slack,
        )  # fmt: skip
        self.wholes: npt.NDArray[np.int64] = np.zeros((self.count, WHOLES), np.int64)
        self.results = Results(np.empty(self.count * k, np.int64), np.empty(self.count * k))
        self.indptr: Positions = np.zeros(1, np.int64)  # where those of each query of a range begin
        self.workers: list[Memory] = []
        self.codes: dict[Any, Callable[..., int]] = {}

    def worker(self, room: int) -> Worker:
        """Return a worker that has room for so many results."""
        made = Worker(self, Results(np.empty(room, np.int64), np.empty(room)))
        self.workers.append(made)
        return made

    def dismiss(self, worker: Worker) -> None:
        """Forget a worker and its memory."""
        self.workers.remove(worker)

    def call(self, kernel: Any, *arguments: Any) -> int:
        """Run a kernel; usual questions go to its machine code, as only metric and queries vary there."""
        if not self.usual:
            return kernel(*arguments)
        if kernel not in self.codes:
            known = self.index._machine_code
            types = kernel, kinds(self.bound.space), kinds(self.bound.queries)
            if types not in known:
                known[types] = machine_code(kernel, arguments)
            self.codes[kernel] = known[types]
        return self.codes[kernel](*arguments)

    def run(self, n_jobs: int | None, progress: bool, begin: int = 0, end: int | None = None) -> None:
        """Answer all queries, or those of a part; a range has the results of the last part then."""
        self.workers = []
        end = self.count if end is None else end
        jobs = threads.jobs(n_jobs) if self.bound.native else 1
        if self.swept is not None:
            self._run_together(jobs, progress, begin, end)
        else:
            size = max(1, min(_SPAN, -(-(end - begin) // (4 * jobs))))
            own = self.kind in BALLS
            spans = spans_of(begin, end, size)
            self._answer(spans, lambda: Worker(self, taken_slab() if own else self.results), jobs, progress)
        if self.kind in BALLS:
            self._collect(begin, end, jobs)

    def _run_together(self, jobs: int, progress: bool, begin: int, end: int) -> None:
        """Answer the queries of a part, several at a time, in the order of the blocks that they are near."""
        count = end - begin
        few = max(MOST_KEPT // max(self.k, 1), TOGETHER)  # so that their neighbours fit in memory
        members = even(count, max(min(self.swept.together, count, few), 1))
        asked = blank_asked(self.swept, self.index._vectors(self.bound.asked)[begin:end], begin, self.k)
        if count > members:  # in the order of their homes
            seek = functools.partial(self.call, find_homes, self.swept, asked)
            work = count * (asked.rows.shape[1] * asked.turned.shape[1] + _SOUGHT)
            shares = spans_of(0, count, count if jobs == 1 or work <= _LITTLE else -(-count // jobs))
            # Each thread writes to cache lines of its own.
            size = max(ROWS, asked.homes.shape[1])
            scratch = [aligned((2, size), np.float32) for _ in shares]
            tasks = [functools.partial(seek, *share, *own) for share, own in zip(shares, scratch)]
            self.drive(tasks, lambda until: tasks[0]())
            sort_by_homes(asked, asked.homes.copy(), np.zeros(len(self.swept.norms) + 2, np.int64), begin)
        spans = shrinking(count, jobs, members)
        self._answer(spans, lambda: Sweeper(self, asked, members, begin), jobs, progress, members)

    def _answer(
        self,
        spans: list[tuple[int, int]],
        make: Callable[[], Memory],
        jobs: int,
        progress: bool,
        least: int = 1,
    ) -> None:
        """Share out spans of queries among threads.

        Where the caller takes part, it stops to look up, at first after so few queries as go at `least`.
        """
        waiting = spans[::-1]
        end = spans[-1][1] if spans else 0

        def work(until: float = np.inf) -> bool:
            memory, few = make(), least if until < np.inf else end
            self.workers.append(memory)
            while waiting and not memory.stopped and time.monotonic() < until:
                try:
                    first, last = waiting.pop()
                except IndexError:  # another thread was quicker
                    break
                if last - first > few:
                    waiting.append((first + few, last))
                    last, few = first + few, 2 * few
                memory.answer(self, first, last)
            memory.leave()
            return bool(waiting) and not memory.stopped

        def reached() -> int:
            return next((first for first, _ in reversed(waiting)), end)

        with shown(self.index.key, self.count, progress) as show:
            tick = (lambda: show(reached())) if progress else None
            self.drive([work] * min(jobs, len(spans)), work, tick)

    def _collect(self, begin: int, end: int, jobs: int) -> None:
        """Bring what threads have set aside into the order in which it was asked for."""
        found = np.ascontiguousarray(self.wholes[begin:end, FOUND])
        self.indptr = np.zeros(len(found) + 1, np.int64)
        np.cumsum(found, out=self.indptr[1:])
        total = int(self.indptr[-1])
        self.results = Results(np.empty(total, np.int64), np.empty(total))
        waiting = [part for memory in self.workers for part in memory.parts]

        def work(until: float = np.inf) -> bool:
            while waiting and time.monotonic() < until:
                try:
                    numbers, part = waiting.pop()
                except IndexError:  # another thread was quicker
                    break
                where = numbers - begin, found, self.indptr
                if self.kind == RANGE:
                    in_order(self.whole_order, *where, part, self.results)
                else:
                    distribute(*where, part, self.results)
            return bool(waiting)

        threads.run([work] * min(jobs, 1 + total // SLAB), waiting.clear, None, work)
        for memory in self.workers:
            memory.forget()

    def go_on(self, worker: Worker, row: int) -> None:
        """Go on with one query, by itself."""
        self.drive(
            [lambda: worker.answer(self, row, row + 1)], lambda until: worker.answer(self, row, row + 1)
        )

    def drive(
        self,
        tasks: Sequence[Callable[[], Any]],
        brief: Callable[[float], Any],
        tick: Callable[[], None] | None = None,
    ) -> None:
        """Run tasks to the end, as by `threads.run`, and raise what went wrong."""
        threads.run(tasks, self._cancel, tick, brief if self.bound.native and tasks else None)
        for memory in self.workers:
            self.complain(memory)

    def complain(self, memory: Memory) -> None:
        """Raise what went wrong while distances were measured, if anything did."""
        if memory.room.fault[0]:
            raise self.bound.complaint(memory.room.fault)

    def _cancel(self) -> None:
        for memory in self.workers:
            memory.cancel()

    def costs(self, part: slice = slice(None)) -> dict[str, Any]:
        """Return the columns that every result has."""
        wholes = self.wholes[part]
        return {
            "cost": wholes[:, COST].copy(),
            "exact": (wholes[:, PROVEN] != 0) & self.index.exact,
            "bounds": wholes[:, BOUNDS].copy(),
        }


def masks_of(index: Searchable, chosen: Any, count: int) -> npt.NDArray[np.uint8]:
    """Return which slots a filter admits: a row for all of `count` queries or one each, empty if all are."""
    present = index._present
    if chosen is None:
        return _ALL if present is None else present[None]
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
    by_slot = np.ascontiguousarray(masks[:, index._order], np.uint8)
    return by_slot if present is None else by_slot & present


def spans_of(begin: int, end: int, size: int) -> list[tuple[int, int]]:
    """Return where spans of some size begin and end."""
    return [(first, min(first + size, end)) for first in range(begin, end, max(size, 1))]


def even(count: int, members: int) -> int:
    """Return how many queries go together, so many at most: groups of a size, an even number if they are few.

    So two threads end together, and yet what a query costs does not depend on how many threads there are.
    """
    groups = -(-count // members)
    return -(-count // (groups + groups % 2)) if groups > 1 else members


def shrinking(count: int, jobs: int, members: int) -> list[tuple[int, int]]:
    """Return spans of groups of queries for some threads, each a share of what is left by then.

    Queries of a span are near each other, and some spans find far more than others: small ones at last let
    threads end together, and large ones before spare calls, each of which takes as long as a few queries.
    """
    spans, first = [], 0
    least = min(-(-count // (4 * jobs)), _LEAST)  # so that few are shared out as well
    while first < count:
        size = min(max(-(-(count - first) // (8 * jobs)), least), LONGEST)
        last = min(first + -(-size // members) * members, count)
        spans.append((first, last))
        first = last
    return spans
