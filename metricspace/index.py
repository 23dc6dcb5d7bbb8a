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

from .answer import BROWSE, COUNT, FOUND, KNN, RANGE
from .arguments import whole_number
from .batch import Batch, Browser
from .construction import Construction
from .errors import NotAMetric, NotFitted, NotSupported, TooLarge
from .hits import Balls, Counts, Hits
from .ids import Ids, Positions
from .laws import Bound, Metric
from .laws import metric as _metric
from .objects import Objects
from .progress import shown
from .traversal import DEPTH_FIRST, Desk

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
    scans: ClassVar[bool] = False  # whether all objects are measured, in blocks
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
        self.metric = _metric(metric)
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
            bound = self._bind(container, container)
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

    def _bind(self, objects: Objects, queries: Objects) -> Bound:
        return self.metric.bind(
            objects, queries, own_kernels=self.specialised and self.metric.hot, scan=self.scans
        )

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
        batch = Batch(self, queries, KNN, min(k, self.n_objects), radius, filter, eps, budget)
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
        batch = Batch(self, queries, RANGE, 0, radius, filter, eps, budget)
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
        batch = Batch(self, queries, COUNT, 0, radius, filter, eps, budget)
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
        batch = Batch(self, [query], BROWSE, 64, radius, filter, 0.0, None)
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
    able = [
        cls.__name__
        for cls in _INDEXES.values()
        if getattr(cls, operation) is not getattr(BaseIndex, operation)
    ]
    return f"{type(index).__name__} is static and cannot {operation}: use {' or '.join(able)}, or fit again"


def _three_quarters_of_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 * 3
    except (AttributeError, ValueError, OSError):  # not every system tells
        return _UNLIMITED
