"""Results of many queries, brought into order.

Each query's are sorted by (distance, position): those of all queries together digit by digit where distances
are whole numbers; otherwise those of each are first spread by distance, which takes about the same time for
each, or merged where distances are too unevenly spread.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from .ids import Positions
from .kernels import Array, kernel
from .least import before

_DIGIT = 11  # bits of a key that a pass sorts by
_MASK = (1 << _DIGIT) - 1


_RUN = 8  # results that are sorted by insertion, to be merged
_CROWD = 24  # results with nearly the same distance, more of which are not sorted by insertion


class Results(NamedTuple):
    """What was found: arrays beside each other."""

    positions: Array
    distances: Array


def in_order(
    whole: Order | None, found: Positions, positions: Positions, distances: npt.NDArray[np.float64]
) -> Results:
    """Return the results of queries, each query's by (distance, position); what was given is lost.

    Parameters
    ----------
    whole : Order, optional
        That of whole distances.
    found : int64, shape (m,)
        How many results each query has.
    positions, distances : arrays, shape (total,)
        Those of the first query, then those of the next.
    """
    taken = Results(np.empty_like(positions), np.empty_like(distances))
    if whole is None:
        ends = np.empty(found.max(initial=0) + 1, np.int64)
        _sort_each(found, ends, Results(positions, distances), taken)
    else:
        _sort_whole(whole, found, positions, distances, np.empty(1 << _DIGIT, np.int64), *taken)
    return taken


@kernel
def _sort_each(found: Array, ends: Array, given: Results, to: Results) -> None:
    """Sort the results of each query: spread by distance they nearly are, else they are merged."""
    start = 0
    for count in found:
        stop = start + count
        if _spread(start, stop, ends, given, to):
            _insert(to, start, stop)
        else:
            _merge(start, stop, given, to)
        start = stop


@kernel
def _spread(start: int, stop: int, ends: Array, given: Results, to: Results) -> bool:
    """Copy results into as many parts of their distances' range as there are, if no part is crowded."""
    low = high = given.distances[start] if start < stop else 0.0
    for i in range(start, stop):
        d = given.distances[i]
        low, high = min(low, d), max(high, d)
    if not low < high:
        return False
    scale = (stop - start - 1) / (high - low)
    if not scale < np.inf:
        return False
    ends[: stop - start] = 0
    for i in range(start, stop):
        ends[np.int64((given.distances[i] - low) * scale)] += 1
    most: Any = 0
    total: Any = start
    for k in range(stop - start):
        most = max(most, ends[k])
        total += ends[k]
        ends[k] = total
    if most > _CROWD:
        return False
    for i in range(stop - 1, start - 1, -1):
        part = np.int64((given.distances[i] - low) * scale)
        ends[part] -= 1
        put(to, ends[part], given.positions[i], given.distances[i])
    return True


@kernel
def _insert(held: Results, start: int, stop: int) -> None:
    """Sort results from one place to another, which should be few or nearly sorted."""
    for i in range(start + 1, stop):
        position, d = held.positions[i], held.distances[i]
        while i > start and before(d, position, held.distances[i - 1], held.positions[i - 1]):
            put(held, i, held.positions[i - 1], held.distances[i - 1])
            i -= 1
        put(held, i, position, d)


@kernel
def _merge(start: int, stop: int, given: Results, to: Results) -> None:
    """Sort runs by insertion, and merge them by twos."""
    for run in range(start, stop, _RUN):
        _insert(given, run, min(run + _RUN, stop))
    held, free, width = given, to, _RUN
    while width < stop - start:
        for left in range(start, stop, 2 * width):
            i, right = left, min(left + width, stop)
            j, end = right, min(right + width, stop)
            for k in range(left, end):
                if j == end or (
                    i < right
                    and before(held.distances[i], held.positions[i], held.distances[j], held.positions[j])
                ):
                    put(free, k, held.positions[i], held.distances[i])
                    i += 1
                else:
                    put(free, k, held.positions[j], held.distances[j])
                    j += 1
        held, free, width = free, held, 2 * width
    for i in range(start, stop):
        put(to, i, held.positions[i], held.distances[i])


@kernel
def distribute(places: Array, found: Array, starts: Array, given: Results, to: Results) -> None:
    """Write the results of some queries, which follow one another, to where those of each query begin."""
    i = 0
    for query in places:
        for k in range(found[query]):
            put(to, starts[query] + k, given.positions[i + k], given.distances[i + k])
        i += found[query]


@kernel
def put(results: Results, i: int, position: int, d: float) -> None:
    """Write a result."""
    results.positions[i], results.distances[i] = position, d


class Order(NamedTuple):
    """The order by (query, distance, position), as that of one whole number: how many bits the parts have."""

    query: int
    distance: int
    position: int

    @classmethod
    def of(cls, queries: int, greatest: int | None, objects: int) -> Self | None:
        """Return the order of results of at most so many queries, up to a distance, of so many objects.

        None if distances are not whole (`greatest` is None), or the numbers are too large.
        """
        if greatest is None:
            return None
        order = cls(*(int(number).bit_length() for number in (queries, greatest, objects)))
        return order if sum(order) < 64 else None


@kernel
def _sort_whole(
    order: Order,
    found: Array,
    positions: Array,
    distances: Array,
    counts: Array,
    to_positions: Array,
    to_distances: Array,
) -> None:
    """Sort keys digit by digit, from the last."""
    keys, others = positions, distances.view(np.int64)
    i = 0
    for query in range(found.shape[0]):
        for _ in range(found[query]):
            whole = (query << order.distance) | np.int64(distances[i])
            keys[i] = (whole << order.position) | positions[i]
            i += 1
    for shift in range(0, order.query + order.distance + order.position, _DIGIT):
        counts[:] = 0
        for key in keys:
            counts[(key >> shift) & _MASK] += 1
        total = 0
        for digit in range(counts.shape[0]):
            count = counts[digit]
            counts[digit] = total
            total += count
        for key in keys:
            digit = (key >> shift) & _MASK
            others[counts[digit]] = key
            counts[digit] += 1
        keys, others = others, keys
    position, distance = (1 << order.position) - 1, (1 << order.distance) - 1
    for j in range(keys.shape[0]):
        to_positions[j] = keys[j] & position
        to_distances[j] = np.float64((keys[j] >> order.position) & distance)
