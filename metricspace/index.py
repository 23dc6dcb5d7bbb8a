"""The index: what users build, query, change and save.

`BaseIndex` holds everything that does not depend on the structure: validation at the edge, ids, queries
shared out among threads, results. A structure brings its arrays, ``_build``, and the bodies of ``expand``
(and ``begin``) for the traversal.
"""

from __future__ import annotations

import functools
import inspect
import os
import pathlib
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from . import threads
from .answer import BOUNDS, BROWSE, COST, COUNT, FOUND, KNN, PROVEN, RANGE, WHOLES, Answer
from .construction import Construction
from .errors import InvalidArgument, NotAMetric, NotFitted, NotSupported, TooLarge, UnknownName, WrongType
from .hits import Balls, Counts, Hits
from .ids import Ids, Positions
from .laws import Bound, Metric, metric
from .objects import Objects
from .progress import shown
from .space import Room, make_room
from .traversal import (
    BEST_FIRST,
    DEPTH_FIRST,
    DONE,
    MORE_FRONTIER,
    MORE_RESULTS,
    ORDER,
    SIZE,
    STOP,
    STOPPED,
    Desk,
    enlarged,
    make_desk,
    search,
)

_UNLIMITED = np.iinfo(np.int64).max
_INDEXES: dict[str, type[BaseIndex]] = {}


def indexes() -> dict[str, type[BaseIndex]]:
    """Return every structure by its key."""
    return dict(sorted(_INDEXES.items()))


class BaseIndex:
    """What all structures have in common.

    Parameters
    ----------
    metric : str, Metric or callable
        The name of a metric (see ``metricspace.metrics()``), a metric, or your own function of two objects.
    seed : int
        Where all random choices come from: the same seed gives the same structure.
    max_bytes : int, optional
        ``fit`` refuses to build what would take more memory; by default three quarters of the machine's.

    Attributes
    ----------
    metric : Metric
        The metric.
    build_cost : int
        Distances computed to build and to change the structure.
    """

    key: ClassVar[str]
    arrays: ClassVar[Any]  # the class of the structure's named arrays
    exact: ClassVar[bool] = True
    needs: ClassVar[str | None] = "triangle"  # the law without which pruning would lose objects
    order: ClassVar[int] = DEPTH_FIRST
    specialised: ClassVar[bool] = False  # whether to compile the search for the hot metrics' own arrays
    smaller: ClassVar[str] = "vptree"  # what to use when this structure does not fit in memory

    def __init_subclass__(cls) -> None:
        _INDEXES[cls.key] = cls

    def __init__(
        self,
        metric: str | Metric | Callable[[Any, Any], float] = "euclidean",
        *,
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        self.metric = as_metric(metric)
        self.seed = whole_number("seed", seed, 0)
        self.max_bytes = None if max_bytes is None else whole_number("max_bytes", max_bytes, 1)
        self.build_cost = 0
        self._tree: Any = None
        self._objects: Objects
        self._ids: Ids
        self._order: Positions

    # What a structure brings.

    def _build(self, construction: Construction) -> tuple[Any, Positions | None]:
        """Return the structure's arrays, and the order in which it wants the objects, if any."""
        raise NotImplementedError

    def _bytes(self, count: int) -> int:
        """Return about how much memory the structure takes for so many objects."""
        return 64 * count

    def _desk(self) -> Desk:
        """Return the working memory that a search of this structure needs."""
        raise NotImplementedError

    # Building.

    def fit(self, objects: Any, ids: Any = None, *, progress: bool = False) -> Self:
        """Build the structure over a batch of objects.

        Parameters
        ----------
        objects : batch of objects
            For metrics on vectors anything that numpy can view as a matrix with one row an object; strings,
            sets or other objects in a sequence, as the metric has it.
        ids : sequence of int or of str, optional
            A name for each object, returned by queries; by default its position.
        progress : bool
            Show a progress bar.

        Returns
        -------
        self

        Raises
        ------
        MetricSpaceError
            If the objects do not suit the metric, the metric not the structure, or memory does not suffice;
            an index that was built before is left as it was.
        """
        if self.needs and self.needs not in self.metric.laws:
            raise NotAMetric(
                f"{type(self).__name__} prunes by the law {self.needs!r}, which {self.metric.name} does not "
                f"declare: use LinearScan, or declare it if it holds, Metric(function, {self.needs}=True)"
            )
        container = self.metric.objects(objects)
        names = Ids.of(ids, len(container))
        self._refuse_too_large(len(container), container.nbytes)
        with shown(f"building {self.key}", len(container), progress) as show:
            bound = self.metric.bind(container, container, self._own_kernels)
            construction = Construction(bound, self.seed, show)
            tree, order = self._build(construction)
        if order is None:
            order = np.arange(len(container))
        # The one copy: later changes to the user's array must not reach the index.
        self._objects = container.take(order)
        self._tree, self._order, self._ids = tree, order, names
        self.build_cost = construction.cost
        self._forget()
        return self

    def _refuse_too_large(self, count: int, held: int) -> None:
        needed = held + self._bytes(count)
        allowed = self.max_bytes or _three_quarters_of_memory()
        if needed > allowed:
            raise TooLarge(
                f"{type(self).__name__} over {count} objects needs about {needed / 1e9:.3g} GB, "
                f"more than max_bytes ({allowed / 1e9:.3g} GB): use {_INDEXES[self.smaller].__name__}, "
                "or raise max_bytes"
            )

    @property
    def _own_kernels(self) -> bool:
        return self.specialised and self.metric.hot

    def _fitted(self) -> None:
        if self._tree is None:
            raise NotFitted(f"this {type(self).__name__} is empty: call fit(objects) first")

    def _forget(self) -> None:
        """Drop what was derived from the objects."""
        self.__dict__.pop("_slots", None)

    @functools.cached_property
    def _slots(self) -> Positions:
        """The slot of the object at each position."""
        slots = np.empty_like(self._order)
        slots[self._order] = np.arange(len(self._order))
        return slots

    # What is there.

    @property
    def n_objects(self) -> int:
        """How many objects are indexed."""
        self._fitted()
        return self._ids.count - len(self._ids.removed)

    def __len__(self) -> int:
        return self.n_objects

    @property
    def nbytes(self) -> int:
        """Bytes held by the objects and the structure."""
        self._fitted()
        arrays = (value for value in self._tree if isinstance(value, np.ndarray))
        return self._objects.nbytes + self._order.nbytes + sum(array.nbytes for array in arrays)

    def params(self) -> dict[str, Any]:
        """Return the parameters that the index was made with."""
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.params().items() if value is not None)
        return f"{type(self).__name__}({given})"

    def objects(self, ids: Any) -> Any:
        """Return the objects of these ids, as they were given."""
        self._fitted()
        return self._objects.give(self._slots[self._ids.find(ids)])

    # Queries.

    def knn(
        self,
        queries: Any,
        k: int = 10,
        *,
        radius: float | npt.ArrayLike = np.inf,
        filter: Any = None,  # noqa: A002
        eps: float = 0.0,
        budget: int | None = None,
        n_jobs: int | None = None,
        progress: bool = False,
    ) -> Hits:
        """Return the k nearest objects of each query, by (distance, position).

        Parameters
        ----------
        queries : batch of objects
            As for ``fit``; ``[q]`` for one.
        k : int
            How many, at least 1. Where fewer exist the result is padded.
        radius : float or array of shape (m,)
            Only objects within this distance, the distance itself included.
        filter : array of bool, or ids
            Which objects may be returned: a mask by position, shape (n,) or (m, n), or ids, one sequence for
            all queries or one for each.
        eps : float
            Distances may be up to (1 + eps) times the true ones.
        budget : int, optional
            The most distances that a query may compute. The most promising are computed first.
        n_jobs : int, optional
            Threads; None for all cores. Results do not depend on it.
        progress : bool
            Show a progress bar.

        Returns
        -------
        Hits
            With ids, positions and distances of shape (m, k), and the cost of each query.

        Raises
        ------
        MetricSpaceError
            If an argument cannot be used.
        """
        self._fitted()
        k = whole_number("k", k, 1)
        batch = _Batch(self, queries, KNN, min(k, self.n_objects), radius, filter, eps, budget)
        batch.run(n_jobs, progress)
        shape = (batch.count, batch.k)
        positions = np.full((batch.count, k), -1, np.int64)
        distances = np.full((batch.count, k), np.inf)
        positions[:, : batch.k] = batch.positions.reshape(shape)
        distances[:, : batch.k] = batch.distances.reshape(shape)
        return Hits(self._ids.called(positions), positions, distances, **batch.costs())

    def range(
        self,
        queries: Any,
        radius: float | npt.ArrayLike,
        *,
        distances: bool = True,
        filter: Any = None,  # noqa: A002
        eps: float = 0.0,
        budget: int | None = None,
        n_jobs: int | None = None,
        progress: bool = False,
    ) -> Balls:
        """Return all objects within a radius of each query, by (distance, position).

        Parameters
        ----------
        queries, filter, budget, n_jobs, progress
            As for `knn`.
        radius : float or array of shape (m,)
            Objects at this distance belong.
        distances : bool
            Whether the distances are wanted.
        eps : float
            Objects beyond radius / (1 + eps) may be left out.

        Returns
        -------
        Balls
            Compressed rows; iterating gives (ids, distances) for each query.
        """
        self._fitted()
        batch = _Batch(self, queries, RANGE, 0, radius, filter, eps, budget)
        batch.run(n_jobs, progress)
        indptr = np.zeros(batch.count + 1, np.int64)
        np.cumsum(batch.wholes[:, FOUND], out=indptr[1:])
        return Balls(
            indptr,
            self._ids.called(batch.positions),
            batch.positions,
            batch.distances if distances else None,
            **batch.costs(),
        )

    def count(
        self,
        queries: Any,
        radius: float | npt.ArrayLike,
        *,
        filter: Any = None,  # noqa: A002
        eps: float = 0.0,
        budget: int | None = None,
        n_jobs: int | None = None,
        progress: bool = False,
    ) -> Counts:
        """Return how many objects lie within a radius of each query; parameters as for `range`."""
        self._fitted()
        batch = _Batch(self, queries, COUNT, 0, radius, filter, eps, budget)
        batch.run(n_jobs, progress)
        return Counts(batch.wholes[:, FOUND].copy(), **batch.costs())

    def browse(self, query: Any, *, radius: float = np.inf, filter: Any = None) -> Browser:  # noqa: A002
        """Return an iterator over all objects by (distance, position), which measures as few as it must.

        Parameters
        ----------
        query : object
            One object, not a batch.
        radius : float
            Where to stop.
        filter : array of bool, or ids
            As for `knn`.

        Returns
        -------
        Browser
            Yields (id, distance); has ``lower_bound`` and ``cost``.
        """
        self._fitted()
        batch = _Batch(self, [query], BROWSE, 64, radius, filter, 0.0, None)
        return Browser(self, batch)

    # Changing.

    def add(self, objects: Any, ids: Any = None, *, progress: bool = False) -> Positions:
        """Insert objects; only dynamic structures can."""
        raise NotSupported(_static(self, "add"))

    def remove(self, ids: Any) -> None:
        """Remove objects by their ids; only dynamic structures can."""
        raise NotSupported(_static(self, "remove"))

    # Keeping.

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to a file, replacing what was there only when all is written.

        Raises
        ------
        StorageError
            If the index cannot be written.
        """
        from .storage import write  # storage knows the structures; see `metricspace.load`

        self._fitted()
        write(self, pathlib.Path(path))


def _static(index: BaseIndex, operation: str) -> str:
    able = [cls.__name__ for cls in _INDEXES.values() if getattr(cls, operation) is not getattr(BaseIndex, operation)]
    return f"{type(index).__name__} is static and cannot {operation}: use {' or '.join(able)}, or fit again"


class Browser:
    """The objects of an index by distance to one query, one at a time.

    Attributes
    ----------
    cost : int
        Distances computed so far.
    lower_bound : float
        No object that is still to come is nearer.
    """

    def __init__(self, index: BaseIndex, batch: _Batch) -> None:
        self._ids = index._ids
        self._batch = batch
        self._worker = batch.worker(np.zeros(64, np.int64), np.zeros(64))
        self._ready: list[tuple[Any, float]] = []
        self.lower_bound = 0.0

    @property
    def cost(self) -> int:
        """Distances computed so far."""
        return int(self._batch.wholes[0, COST])

    def __iter__(self) -> Browser:
        return self

    def __next__(self) -> tuple[Any, float]:
        if not self._ready:
            self._fetch()
        if not self._ready:
            self.lower_bound = np.inf
            raise StopIteration
        found = self._ready.pop()
        self.lower_bound = self._ready[-1][1] if self._ready else max(found[1], self._worker.frontier())
        return found

    def _fetch(self) -> None:
        wholes = self._batch.wholes
        wholes[0, FOUND] = 0
        self._batch.drive([lambda: self._worker.answer(0, 1)], None)
        found = int(wholes[0, FOUND])
        ids = self._ids.called(self._worker.positions[:found]).tolist()
        self._ready = list(zip(ids, self._worker.distances[:found].tolist()))[::-1]


class _Batch:
    """Queries on their way through the kernels: validated, shared out, collected."""

    def __init__(
        self, index: BaseIndex, queries: Any, kind: int, k: int, radius: Any, chosen: Any, eps: float, budget: int | None
    ) -> None:
        self.index, self.kind, self.k = index, kind, k
        asked = index._objects.encode(queries)
        self.count = len(asked)
        self.radii = _radii(radius, self.count)
        self.masks = self._masks(chosen)
        if not (isinstance(eps, (int, float, np.number)) and 0 <= eps < np.inf):
            raise InvalidArgument(f"expected eps of at least 0, given {eps!r}")
        limit = _UNLIMITED if budget is None else whole_number("budget", budget, 1)
        # A budget is best spent on the most promising; browsing can go in no other order.
        best_first = kind == BROWSE or budget is not None
        self.order = BEST_FIRST if best_first else index.order
        self.bound: Bound = index.metric.bind(index._objects, asked, index._own_kernels)
        self.words = index.metric.words(asked)
        nothing = np.zeros(0, np.int64)
        self.blank = Answer(
            nothing, np.zeros(0), np.zeros(4), nothing, index._order, np.zeros(0, np.uint8),
            kind, 1.0 + float(eps), limit, index.metric.slack(index._objects),
        )  # fmt: skip
        self.wholes: npt.NDArray[np.int64] = np.zeros((self.count, WHOLES), np.int64)
        self.positions: Positions = np.full(self.count * k, -1, np.int64)
        self.distances: npt.NDArray[np.float64] = np.full(self.count * k, np.inf)
        self._workers: list[_Worker] = []

    def _masks(self, chosen: Any) -> npt.NDArray[np.uint8]:
        """Return which slots are admissible: one row for all queries or one for each, empty if all are."""
        if chosen is None:
            return np.zeros((1, 0), np.uint8)
        ids, count = self.index._ids, self.index._ids.count
        given = chosen if isinstance(chosen, np.ndarray) else np.asarray(chosen, dtype=None if _is_flat(chosen) else object)
        if given.dtype == bool:
            masks = np.atleast_2d(given)
            if masks.shape[1] != count or masks.shape[0] not in (1, self.count):
                raise InvalidArgument(
                    f"expected a filter of {count} booleans, or of that for each of {self.count} queries, "
                    f"given shape {given.shape}"
                )
        else:
            per_query = [chosen] if _is_flat(chosen) else list(chosen)
            if len(per_query) not in (1, self.count):
                raise InvalidArgument(f"expected one filter or one for each of {self.count} queries, given {len(per_query)}")
            masks = np.zeros((len(per_query), count), bool)
            for row, several in zip(masks, per_query):
                row[ids.find(several)] = True
        return np.ascontiguousarray(masks[:, self.index._order], np.uint8)

    def worker(self, positions: Positions, distances: npt.NDArray[np.float64]) -> _Worker:
        """Return a worker that writes into these buffers."""
        made = _Worker(self, positions, distances)
        self._workers.append(made)
        return made

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
            done: Callable[[], None] | None = (lambda: show(self.count - size * len(waiting))) if progress else None
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


class _Worker:
    """One thread's memory, enlarged whenever a kernel asks for more."""

    def __init__(self, batch: _Batch, positions: Positions, distances: npt.NDArray[np.float64]) -> None:
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
                batch.radii, batch.masks, self.positions, self.distances, self.reals, batch.wholes,
                batch.k, span, self.used,
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


# --- arguments ---------------------------------------------------------------------------------------


def as_metric(given: Any) -> Metric:
    """Return the metric that a user means."""
    return metric(given)


def whole_number(name: str, given: Any, least: int) -> int:
    """Return an integer argument, or say what is wrong with it."""
    if isinstance(given, bool) or not isinstance(given, (int, np.integer)):
        raise WrongType(f"expected {name} to be an integer of at least {least}, given {given!r}")
    if given < least:
        raise InvalidArgument(f"expected {name} of at least {least}, given {given}")
    return int(given)


def _radii(radius: Any, count: int) -> npt.NDArray[np.float64]:
    try:
        given = np.asarray(radius, np.float64)
    except (TypeError, ValueError) as error:
        raise WrongType(f"expected a radius, or one for each query, given {radius!r}") from error
    if given.ndim > 1 or (given.ndim == 1 and len(given) != count):
        raise InvalidArgument(f"expected a radius, or one for each of {count} queries, given shape {given.shape}")
    if np.isnan(given).any() or (given < 0).any():
        raise InvalidArgument(f"expected a radius of at least 0, given {given.min()}")
    return np.array(np.broadcast_to(given, count))  # a copy: kernels take no read-only arrays


def _is_flat(chosen: Any) -> bool:
    """Whether a filter is one for all queries."""
    if isinstance(chosen, np.ndarray):
        return chosen.ndim == 1 and chosen.dtype != object
    if isinstance(chosen, (str, bytes)):
        raise WrongType(f"expected a mask or ids as a filter, given the single string {chosen!r}")
    return all(isinstance(one, (str, int, np.integer, np.bool_)) for one in chosen)


def _three_quarters_of_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 * 3
    except (AttributeError, ValueError, OSError):  # not every system tells
        return _UNLIMITED
