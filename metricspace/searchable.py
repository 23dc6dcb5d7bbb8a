"""What one can ask of an index: every query, for every structure.

Queries that are one traversal stand here. Those that are more (joins, reverse neighbours) are in the
package `queries`, one file each.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from . import standing
from .anatomy import Anatomy, Explanation
from .answer import COST, COUNT, FOUND, KNN, RANGE
from .arguments import radii_of, whole_number
from .batch import Batch
from .bounds import Slack
from .browsing import Browser, Merged, browsers
from .errors import InvalidArgument
from .hits import Balls, Counts, Hits, Matches, Pairs
from .ids import Ids, Positions
from .laws import Bound, Metric
from .objects import Objects
from .queries import joins, rescaled, reverse
from .queries.complex import Predicate, evaluate
from .traversal import Desk
from .workers import Worker


class Searchable:
    """The queries of an index."""

    metric: Metric
    build_cost: int
    key: ClassVar[str]
    exact: ClassVar[bool]
    order: ClassVar[int]
    scans: ClassVar[bool]
    drops: ClassVar[bool]
    _tree: Any
    _objects: Objects
    _ids: Ids
    _order: Positions
    _reaches: reverse.Reaches | None
    _recast: tuple[Metric, Objects] | None

    # What an index brings.

    def _fitted(self) -> None:
        """Raise if there is nothing to ask."""
        raise NotImplementedError

    def _bind(self, objects: Objects, queries: Objects) -> Bound:
        """Make objects and queries ready for the kernels of this structure."""
        raise NotImplementedError

    def _bind_swept(self, objects: Objects, queries: Objects) -> Bound:
        """Make objects and queries ready for the kernels through which queries go together."""
        raise NotImplementedError

    def _swept(self, queries: int) -> Any:
        """Return the arrays through which so many queries go together, None if each goes by itself."""
        return None

    def _vectors(self, objects: Objects) -> npt.NDArray[Any]:
        """Return objects as the rows that `_swept` is of."""
        raise NotImplementedError

    def _around(self, bound: Bound, objects: Objects, queries: Objects) -> Bound:
        """Return what the kernels of this structure take, around the arrays of a metric."""
        return bound

    def _desk(self) -> Desk:
        """Return the working memory that a search of this structure needs."""
        raise NotImplementedError

    def _anatomy(self) -> Anatomy:
        """Return where the objects live."""
        raise NotImplementedError

    @property
    def n_objects(self) -> int:
        """How many objects are indexed."""
        raise NotImplementedError

    @functools.cached_property
    def _slots(self) -> Positions:
        """The slot of the object at each position."""
        slots = np.empty_like(self._order)
        slots[self._order] = np.arange(len(self._order))
        return slots

    @functools.cached_property
    def _machine_code(self) -> dict[Any, Any]:
        """The kernels that search this structure, by what tells their types apart; see `Batch.call`."""
        return {}

    @functools.cached_property
    def _standing(self) -> dict[int, list[standing.Standing]]:
        """By k, questions of one query that wait for the next; see `standing`."""
        return {}

    @functools.cached_property
    def _slack(self) -> Slack:
        """How wrong a distance may be; see `Metric.slack`."""
        return self.metric.slack(self._objects)

    @functools.cached_property
    def _present(self) -> npt.NDArray[np.uint8] | None:
        """By slot, whether an object is still there; None if the structure has no others."""
        if self.drops or not self._ids.removed:
            return None
        return (~np.isin(self._order, list(self._ids.removed))).astype(np.uint8)

    def _asked(self, queries: Any, ids: Any) -> tuple[Objects, Positions | None]:
        """Return queries as the container that kernels take, and the slots of those that are indexed."""
        self._fitted()
        if (queries is None) == (ids is None):
            raise InvalidArgument("expected either queries or the ids of indexed objects")
        if ids is None:
            return self._objects.encode(queries), None
        slots = self._slots[self._ids.find(ids)]
        return self._objects.take(slots), slots

    # One traversal.

    def knn(
        self,
        queries: Any = None,
        k: int = 10,
        *,
        ids: Any = None,
        radius: float | npt.ArrayLike = np.inf,
        filter: Any = None,  # noqa: A002
        eps: float = 0.0,
        budget: int | None = None,
        metric: Any = None,
        scale: float = 1.0,
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
        ids : sequence of int or of str, optional
            In place of `queries`: ids of indexed objects, each of which is left out of its own answer.
        radius : float or array of shape (m,)
            Only objects within this distance, the distance itself included.
        filter : array of bool, or ids
            Which objects may be returned: a mask by position, shape (n,) or (m, n), or ids, one sequence for
            all queries or one for each.
        eps : float
            Distances may be up to (1 + eps) times the true ones.
        budget : int, optional
            The most distances that a query may compute. The most promising are computed first.
        metric : str, Metric or callable, optional
            Another metric to measure with than that of the index. It takes the same objects; the index
            keeps a container of them for the metric that was asked for last.
        scale : float
            The distance of any two objects under the metric of the index is at most so many times that
            under `metric`; see `check_scale`. If it is not, nearer objects may be missed.
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
        asked, own = self._asked(queries, ids)
        chosen = {"radius": radius, "chosen": filter, "eps": eps, "budget": budget}
        measure = rescaled.measure(self, asked, metric, scale)
        return self._nearest(asked, k, n_jobs, progress, skips=own, measure=measure, **chosen)

    def _nearest(
        self,
        asked: Objects,
        k: int,
        n_jobs: int | None,
        progress: bool,
        *,
        radius: Any = np.inf,
        skips: Positions | None = None,
        **settings: Any,
    ) -> Hits:
        """Return the k nearest of queries that are in a container already."""
        k = whole_number("k", k, 1)
        fewer = min(k, self.n_objects)
        if len(asked) == 1 and fewer == k and not progress and _is_plain(radius, skips, **settings):
            hits = standing.nearest(self, asked, k, n_jobs)
            if hits is not None:
                return hits
        batch = Batch(self, asked, KNN, fewer, radius, skips=skips, **settings)
        batch.run(n_jobs, progress)
        shape = (batch.count, batch.k)
        positions, distances = (each.reshape(shape) for each in batch.results)
        if batch.k < k:
            missing = (0, 0), (0, k - batch.k)
            positions = np.pad(positions, missing, constant_values=-1)
            distances = np.pad(distances, missing, constant_values=np.inf)
        return Hits(self._ids.called(positions), positions, distances, **batch.costs())

    def range(
        self,
        queries: Any = None,
        radius: float | npt.ArrayLike | None = None,
        *,
        ids: Any = None,
        distances: bool = True,
        filter: Any = None,  # noqa: A002
        eps: float = 0.0,
        budget: int | None = None,
        metric: Any = None,
        scale: float = 1.0,
        n_jobs: int | None = None,
        progress: bool = False,
    ) -> Balls:
        """Return all objects within a radius of each query, by (distance, position).

        Parameters
        ----------
        queries, ids, filter, budget, metric, scale, n_jobs, progress
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
        asked, own = self._asked(queries, ids)
        measure = rescaled.measure(self, asked, metric, scale)
        batch = Batch(self, asked, RANGE, 0, radius, filter, eps, budget, skips=own, measure=measure)
        batch.run(n_jobs, progress)
        return self._balls(batch, slice(None), distances)

    def _balls(self, batch: Batch, part: slice = slice(None), distances: bool = True) -> Balls:
        """Return what a range found for the queries of the part that was run."""
        return Balls(
            batch.indptr,
            self._ids.called(batch.results.positions),
            batch.results.positions,
            batch.results.distances if distances else None,
            **batch.costs(part),
        )

    def count(
        self,
        queries: Any = None,
        radius: float | npt.ArrayLike | None = None,
        *,
        ids: Any = None,
        filter: Any = None,  # noqa: A002
        eps: float = 0.0,
        budget: int | None = None,
        metric: Any = None,
        scale: float = 1.0,
        n_jobs: int | None = None,
        progress: bool = False,
    ) -> Counts:
        """Return how many objects lie within a radius of each query; parameters as for `range`."""
        asked, own = self._asked(queries, ids)
        measure = rescaled.measure(self, asked, metric, scale)
        batch = Batch(self, asked, COUNT, 0, radius, filter, eps, budget, skips=own, measure=measure)
        batch.run(n_jobs, progress)
        return Counts(batch.wholes[:, FOUND].copy(), **batch.costs())

    def browse(
        self,
        query: Any = None,
        *,
        ids: Any = None,
        radius: float = np.inf,
        filter: Any = None,  # noqa: A002
    ) -> Browser:
        """Return an iterator over all objects by (distance, position), which measures as few as it must.

        Parameters
        ----------
        query : object
            One object, not a batch.
        ids : sequence of one int or str, optional
            In place of `query`: the id of an indexed object, which is left out itself.
        radius : float
            Where to stop; `Browser.cutoff` can lower it later.
        filter : array of bool, or ids
            As for `knn`.

        Returns
        -------
        Browser
            Yields (id, distance); has ``lower_bound``, ``cutoff`` and ``cost``.

        References
        ----------
        Hjaltason, Samet, Distance browsing in spatial databases, ACM TODS 24, 1999.
        """
        asked, own = self._asked(None if query is None else [query], ids)
        if len(asked) != 1:
            raise InvalidArgument(f"expected the id of one object, given {len(asked)}: use browse_many")
        return browsers(self, asked, radius, filter, own)[0]

    def browse_many(
        self,
        queries: Any = None,
        *,
        ids: Any = None,
        radius: float | npt.ArrayLike = np.inf,
        filter: Any = None,  # noqa: A002
    ) -> Merged:
        """Return an iterator over the objects of several browses, by (distance, query, position).

        Parameters
        ----------
        queries, ids, radius, filter
            As for `knn`.

        Returns
        -------
        Merged
            Yields (number of the query, id, distance).
        """
        asked, own = self._asked(queries, ids)
        return Merged(browsers(self, asked, radius, filter, own))

    def explain(self, query: Any, k: int = 10, *, radius: float | None = None) -> Explanation:
        """Return where a query spends its distances, and which bounds exclude the rest.

        Parameters
        ----------
        query : object
            One object, not a batch.
        k : int
            Of its nearest neighbours.
        radius : float, optional
            Ask for all within this radius instead.

        Returns
        -------
        Explanation
            Printed, a few lines of text.
        """
        asked, _ = self._asked([query], None)
        if radius is None:
            batch = Batch(self, asked, KNN, whole_number("k", k, 1), np.inf, alone=True)
        else:
            batch = Batch(self, asked, RANGE, 0, radius, alone=True)
        batch.run(1, False)
        (worker,) = batch.workers
        assert isinstance(worker, Worker)
        return Explanation.of(self.n_objects, int(batch.wholes[0, COST]), worker.desk)

    # Several queries at once.

    def where(
        self,
        predicate: Predicate,
        *,
        filter: Any = None,  # noqa: A002
        n_jobs: int | None = None,
        progress: bool = False,
    ) -> Matches:
        """Return the objects of which a predicate holds.

        Parameters
        ----------
        predicate : Within, All, Any or Not
            ``Within(query, radius)``, or a combination of such, nested at will.
        filter : array of bool, or ids
            As for `knn`.
        n_jobs : int, optional
            Threads that measure what no bound decides; None for all cores.
        progress : bool
            Show how many objects are decided.

        Returns
        -------
        Matches
            In the order of insertion.
        """
        self._fitted()
        return evaluate(self, predicate, filter, n_jobs, progress)

    # Joins.

    def join(self, other: Any, radius: float, *, n_jobs: int | None = None, progress: bool = False) -> Pairs:
        """Return all pairs of an indexed object and one of `other` within a radius.

        Parameters
        ----------
        other : batch of objects, or index of the same metric
            An index lends the order of its objects: queries that follow one another are then near.
        radius : float
            Pairs at this distance belong.
        n_jobs, progress
            As for `knn`.

        Returns
        -------
        Pairs
            By (left, right); left is here, right is in `other`.
        """
        self._fitted()
        side = joins.Other(self, other)
        parts = joins.join_parts(self, side, _one_radius(radius), joins.PART, n_jobs)
        found = joins.collected(parts, "joining", len(side.asked), n_jobs, progress)
        return found.named(self._ids, side.ids, side.build_cost)

    def self_join(self, radius: float, *, n_jobs: int | None = None, progress: bool = False) -> Pairs:
        """Return all pairs of indexed objects within a radius, each pair once.

        Parameters
        ----------
        radius : float
            Pairs at this distance belong.
        n_jobs, progress
            As for `knn`.

        Returns
        -------
        Pairs
            By (left, right); left comes before right in the order of insertion.
        """
        self._fitted()
        parts = joins.self_join_parts(self, _one_radius(radius), joins.PART, n_jobs)
        found = joins.collected(parts, "joining", self.n_objects, n_jobs, progress)
        return found.named(self._ids, self._ids, self.build_cost)

    def join_batches(
        self, other: Any, radius: float, *, size: int = 4096, n_jobs: int | None = None
    ) -> Iterator[Pairs]:
        """Yield the pairs of a join in parts, where all of them might not fit in memory.

        Parameters
        ----------
        other, radius, n_jobs
            As for `join`; None for `other` is a self-join.
        size : int
            Objects of `other` whose pairs make a part.

        Yields
        ------
        Pairs
            Each by (left, right).
        """
        self._fitted()
        size, radius = whole_number("size", size, 1), _one_radius(radius)
        if other is None:
            parts, ids = joins.self_join_parts(self, radius, size, n_jobs), self._ids
        else:
            side = joins.Other(self, other)
            parts, ids = joins.join_parts(self, side, radius, size, n_jobs), side.ids
        return (part.by_place().named(self._ids, ids, self.build_cost) for _, part in parts)

    def closest_pairs(self, k: int, *, n_jobs: int | None = None, progress: bool = False) -> Pairs:
        """Return the k closest pairs of indexed objects.

        Parameters
        ----------
        k : int
            How many, at least 1; all pairs where there are fewer.
        n_jobs, progress
            As for `knn`.

        Returns
        -------
        Pairs
            By (distance, left, right); left comes before right in the order of insertion.
        """
        self._fitted()
        found = joins.closest_pairs(self, whole_number("k", k, 1), joins.PART, n_jobs, progress)
        return found.named(self._ids, self._ids, self.build_cost)

    def knn_join(self, other: Any, k: int = 10, *, n_jobs: int | None = None, progress: bool = False) -> Hits:
        """Return for each object of `other` its k nearest here.

        Parameters
        ----------
        other : batch of objects, or index of the same metric
            As for `join`.
        k, n_jobs, progress
            As for `knn`.

        Returns
        -------
        Hits
            A row for each object of `other`, in its order of insertion.
        """
        self._fitted()
        side = joins.Other(self, other)
        return self._nearest(side.asked, k, n_jobs, progress).reordered(np.argsort(side.positions))

    def knn_graph(self, k: int = 10, *, n_jobs: int | None = None, progress: bool = False) -> Hits:
        """Return for each indexed object its k nearest others.

        Parameters
        ----------
        k, n_jobs, progress
            As for `knn`.

        Returns
        -------
        Hits
            A row for each indexed object, in the order of insertion.
        """
        self._fitted()
        slots = joins.live(self)
        hits = self._nearest(self._objects.take(slots), k, n_jobs, progress, skips=slots)
        return hits.reordered(np.argsort(self._order[slots]))

    # Ranges in parts, and reverse neighbours.

    def range_batches(
        self,
        queries: Any = None,
        radius: float | npt.ArrayLike | None = None,
        *,
        size: int = 1024,
        ids: Any = None,
        distances: bool = True,
        filter: Any = None,  # noqa: A002
        n_jobs: int | None = None,
    ) -> Iterator[Balls]:
        """Yield the answers of a range query in parts, where all of them might not fit in memory.

        Parameters
        ----------
        queries, radius, ids, distances, filter, n_jobs
            As for `range`.
        size : int
            Queries whose answers make a part.

        Yields
        ------
        Balls
            The answers of the next queries, in their order.
        """
        asked, own = self._asked(queries, ids)
        size = whole_number("size", size, 1)
        batch = Batch(self, asked, RANGE, 0, radius, filter, skips=own)

        def parts() -> Iterator[Balls]:
            for first in range(0, batch.count, size):
                last = min(first + size, batch.count)
                batch.run(n_jobs, False, first, last)
                yield self._balls(batch, slice(first, last), distances)

        return parts()

    def reverse_knn(
        self,
        queries: Any = None,
        k: int = 10,
        *,
        ids: Any = None,
        n_jobs: int | None = None,
        progress: bool = False,
    ) -> Balls:
        """Return all objects that would have the query among their k nearest, by (distance, position).

        These are the objects no farther from the query than from their k-th nearest other indexed object.
        With ``fit(..., reverse=k)`` a query is one search; otherwise all objects are measured, and those
        that cannot be excluded are verified one by one.

        Parameters
        ----------
        queries, ids, n_jobs, progress
            As for `knn`.
        k : int
            At least 1; where an object has fewer others, it belongs.

        Returns
        -------
        Balls
            Compressed rows, as of `range`; `cost` includes the verification.
        """
        asked, own = self._asked(queries, ids)
        k = whole_number("k", k, 1)
        if self._reaches is None or k > len(self._reaches.objects):
            return reverse.verified(self, asked, own, k, n_jobs, progress)
        batch = reverse.known(self, asked, k, own)
        batch.run(n_jobs, progress)
        return self._balls(batch)


def _one_radius(radius: Any) -> float:
    """Return the radius of a join."""
    return float(radii_of(radius, 1)[0])


def _is_plain(
    radius: Any, skips: Positions | None, chosen: Any = None, eps: Any = 0.0, budget: Any = None,
    measure: Any = None,
) -> bool:  # fmt: skip
    """Whether queries ask for their nearest objects, all of them and no others."""
    given = skips, chosen, budget, measure
    return radius is np.inf and all(value is None for value in given) and type(eps) is float and eps == 0
