"""Similarity joins: all pairs of objects within a distance, or the closest of them (the book, section 1.4.3).

Idea
    The objects of one side are queries to the structure of the other. They are asked in the order in which a
    structure holds them, so that queries that follow one another are near to each other and go the same
    way. In a self-join each object asks only for those in later slots: each pair is found once, from its
    earlier side, and a tree passes over whatever lies before the query.

    For the closest pairs the radius shrinks: once k pairs are known, only nearer ones are asked for.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import threads
from ..answer import COST, FOUND, PAIRS
from ..batch import Batch
from ..errors import InvalidArgument
from ..hits import Pairs
from ..ids import Ids, Positions
from ..kernels import Array, kernel
from ..laws import Metric
from ..objects import Objects
from ..progress import shown

if TYPE_CHECKING:
    from ..searchable import Searchable

PART = 16_384  # objects asked for at once: between parts progress is shown
_FIRST = 64  # objects whose neighbours give the first radius for the closest pairs


class Found:
    """Pairs as they come: positions here, positions there, distances, and what they cost."""

    def __init__(
        self, here: Positions, there: Positions, distances: npt.NDArray[np.float64], cost: int
    ) -> None:
        self.here, self.there, self.distances, self.cost = here, there, distances, cost

    @classmethod
    def joined(cls, parts: list[Found]) -> Found:
        """Return the pairs of all parts."""
        every = [cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), 0), *parts]
        return cls(
            np.concatenate([part.here for part in every]),
            np.concatenate([part.there for part in every]),
            np.concatenate([part.distances for part in every]),
            sum(part.cost for part in every),
        )

    def taken(self, order: Positions) -> Found:
        """Return these pairs in this order."""
        return Found(self.here[order], self.there[order], self.distances[order], self.cost)

    def by_place(self, n_jobs: int | None = 1) -> Found:
        """Return the pairs by (here, there)."""
        keys = int(self.here.max(initial=-1)) + 1
        ends = np.zeros(keys + 1, np.int64)
        there, distances = np.empty_like(self.there), np.empty_like(self.distances)
        _share_out(self.here, self.there, self.distances, ends, there, distances)
        jobs = threads.jobs(n_jobs)
        bounds = np.searchsorted(ends[:keys], np.linspace(0, len(there), jobs + 1)[1:-1])
        spans = itertools.pairwise([0, *bounds.tolist(), keys])
        threads.run(
            [functools.partial(_sort_each, ends, *span, there, distances) for span in spans], _carry_on
        )
        counts = np.diff(ends[:keys], prepend=0)
        return Found(np.repeat(np.arange(keys), counts), there, distances, self.cost)

    def by_distance(self, most: int) -> Found:
        """Return the closest pairs, by (distance, here, there)."""
        return self.taken(np.lexsort((self.there, self.here, self.distances))[:most])

    def named(self, here: Ids, there: Ids, build_cost: int) -> Pairs:
        """Return the result that users see."""
        return Pairs(
            here.called(self.here), there.called(self.there), self.here, self.there, self.distances,
            self.cost, build_cost,
        )  # fmt: skip


def _carry_on() -> None:
    """Sorting takes too short a time to be stopped."""


@kernel
def _share_out(
    here: Array, there: Array, distances: Array, ends: Array, to_there: Array, to_distances: Array
) -> None:
    """Put pairs into lists, one for each object here, and write where each list ends.

    ``ends`` holds a zero for each such object, and one more.
    """
    for key in here:
        ends[key + 1] += 1
    for key in range(1, ends.shape[0]):
        ends[key] += ends[key - 1]
    for i in range(here.shape[0]):
        place = ends[here[i]]
        ends[here[i]] = place + 1
        to_there[place], to_distances[place] = there[i], distances[i]


@kernel
def _sort_each(ends: Array, first: int, last: int, there: Array, distances: Array) -> None:
    """Sort some lists by there (Shell 1959, with Knuth's gaps): they are short, and each fits in cache."""
    for key in range(first, last):
        start = ends[key - 1] if key > 0 else 0
        gap = 1
        while gap < (ends[key] - start) // 3:
            gap = 3 * gap + 1
        while gap > 0:
            for i in range(start + gap, ends[key]):
                place, d, j = there[i], distances[i], i
                while j - gap >= start and there[j - gap] > place:
                    there[j], distances[j] = there[j - gap], distances[j - gap]
                    j -= gap
                there[j], distances[j] = place, d
            gap //= 3


class Other:
    """The other side of a join: objects, encoded for the index, and what they are called."""

    def __init__(self, index: Searchable, other: Any) -> None:
        from ..searchable import Searchable  # only to ask

        self.build_cost = index.build_cost
        if isinstance(other, Searchable):
            other._fitted()
            _refuse_other_metric(index.metric, other.metric)
            slots = live(other)
            self.asked = index._objects.encode(other._objects.give(slots))
            self.positions, self.ids = other._order[slots], other._ids
        else:
            self.asked = index._objects.encode(other)
            self.positions = np.arange(len(self.asked))
            self.ids = Ids(len(self.asked))


def _refuse_other_metric(own: Metric, other: Metric) -> None:
    """Complain if two metrics differ in name, parameters or the user's function."""
    if (own.name, own.params, own.function) != (other.name, other.params, other.function):
        raise InvalidArgument(
            f"expected an index under {own!r}, like the one that is asked, given one under {other!r}: "
            "pass the objects themselves, or index them under the same metric"
        )


def live(index: Searchable) -> Positions:
    """Return the slots of the objects that have not been removed, in the order of the structure."""
    slots = np.arange(len(index._order))
    removed = index._ids.removed
    return slots if not removed else slots[~np.isin(index._order, list(removed))]


def near(
    index: Searchable,
    asked: Objects,
    radius: float,
    n_jobs: int | None,
    afters: Positions | None = None,
) -> tuple[Positions, Found]:
    """Return for each pair the number of its query, and (position in the index, unset, distance)."""
    batch = Batch(index, asked, PAIRS, 0, radius, afters=afters)
    batch.run(n_jobs, False)
    rows, (positions, distances) = np.repeat(np.arange(batch.count), batch.wholes[:, FOUND]), batch.results
    return rows, Found(positions, positions, distances, int(batch.wholes[:, COST].sum()))


def join_parts(
    index: Searchable, other: Other, radius: float, size: int, n_jobs: int | None
) -> Iterator[tuple[int, Found]]:
    """Yield how many objects of the other side are done, and the pairs of the last of them."""
    for first in range(0, len(other.asked), size):
        chosen = np.arange(first, min(first + size, len(other.asked)))
        rows, found = near(index, other.asked.take(chosen), radius, n_jobs)
        yield len(chosen), Found(found.here, other.positions[chosen[rows]], found.distances, found.cost)


def self_join_parts(
    index: Searchable, radius: float, size: int, n_jobs: int | None
) -> Iterator[tuple[int, Found]]:
    """Yield how many objects are done, and the pairs of the last of them, each pair once."""
    slots = live(index)
    for first in range(0, len(slots), size):
        chosen = slots[first : first + size]
        rows, found = near(index, index._objects.take(chosen), radius, n_jobs, afters=chosen)
        yield len(chosen), _in_order(index._order[chosen[rows]], found)


def _in_order(others: Positions, found: Found) -> Found:
    """Return pairs with the earlier position here and the later one there."""
    return Found(np.minimum(found.here, others), np.maximum(found.here, others), found.distances, found.cost)


def collected(
    parts: Iterator[tuple[int, Found]], what: str, total: int, n_jobs: int | None, progress: bool
) -> Found:
    """Return the pairs of all parts, by place."""
    done, every = 0, []
    with shown(what, total, progress) as show:
        for count, part in parts:
            done += count
            every.append(part)
            show(done)
    return Found.joined(every).by_place(n_jobs)


def closest_pairs(index: Searchable, k: int, size: int, n_jobs: int | None, progress: bool) -> Found:
    """Return the k closest pairs, by (distance, left, right)."""
    slots = live(index)
    k = min(k, len(slots) * (len(slots) - 1) // 2)
    best, done, radius = Found.joined([]), 0, np.inf
    with shown("closest pairs", len(slots), progress) as show:
        while done < len(slots):
            # The first ask for everything later, so they are few.
            count = size if radius < np.inf else max(1, min(_FIRST, size))
            chosen = slots[done : done + count]
            rows, found = near(index, index._objects.take(chosen), radius, n_jobs, afters=chosen)
            pairs = _in_order(index._order[chosen[rows]], found)
            best = Found.joined([best, pairs]).by_distance(k)
            if len(best.distances) == k and k > 0:
                radius = float(best.distances[-1])
            done += len(chosen)
            show(done)
    return best
