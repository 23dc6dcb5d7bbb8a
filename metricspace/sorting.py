"""Results of many queries, brought into order.

Each query's are sorted by (distance, position): those of all queries together digit by digit where distances
are whole numbers; otherwise those of each are first spread by distance, which takes about the same time for
each, or merged where distances are too unevenly spread.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np

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

    def between(self, start: int, stop: int) -> Results:
        """Return those from one place to another."""
        return Results(self.positions[start:stop], self.distances[start:stop])


def in_order(
    whole: Order | None, places: Positions, found: Positions, starts: Positions, given: Results, to: Results
) -> None:
    """Write the results of some queries, each query's by (distance, position); what was given is lost.

    Parameters
    ----------
    whole : Order, optional
        That of whole distances.
    places : int64, shape (p,)
        Whose results were given, one query's after the other's.
    found, starts : int64, shape (m,) at least
        How many results each of all queries has, and where they are written to.
    given, to : Results
    """
    if whole is None:
        ends = np.empty(len(given.positions), np.int64)
        _sort_each(places, found, starts, ends, given, to)
    else:
        _sort_whole(whole, places, found, starts, given, np.empty(1 << _DIGIT, np.int64), to)


@kernel
def distribute(places: Array, found: Array, starts: Array, given: Results, to: Results) -> None:
    """Write the results of some queries, as `in_order` does, but in the order in which they are."""
    i = 0
    for query in places:
        for k in range(found[query]):
            put(to, starts[query] + k, given.positions[i + k], given.distances[i + k])
        i += found[query]


@kernel
def _sort_each(places: Array, found: Array, starts: Array, ends: Array, given: Results, to: Results) -> None:
    """Sort the results of each query: spread by distance they nearly are, else they are merged."""
    i = 0
    for query in places:
        count = found[query]
        stop, start, end = i + count, starts[query], starts[query] + count
        own = Results(given.positions[i:stop], given.distances[i:stop])
        ordered = Results(to.positions[start:end], to.distances[start:end])
        if _spread(own, ends, ordered):
            _insert(ordered, 0, count)
        else:
            _merge(own, ordered)
        i = stop


@kernel
def _spread(given: Results, ends: Array, to: Results) -> bool:
    """Copy results into as many parts of their distances' range as there are, if no part is crowded."""
    count = given.distances.shape[0]
    low = high = given.distances[0] if count > 0 else 0.0
    for d in given.distances:
        low, high = min(low, d), max(high, d)
    if not low < high:
        return False
    scale = (count - 1) / (high - low)
    if not scale < np.inf:
        return False
    ends[:count] = 0
    for d in given.distances:
        ends[np.int64((d - low) * scale)] += 1
    most: Any = 0
    total: Any = 0
    for k in range(count):
        most = max(most, ends[k])
        total += ends[k]
        ends[k] = total
    if most > _CROWD:
        return False
    for i in range(count - 1, -1, -1):
        d = given.distances[i]
        place = np.int64((d - low) * scale)
        ends[place] -= 1
        put(to, ends[place], given.positions[i], d)
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
def _merge(given: Results, to: Results) -> None:
    """Sort runs by insertion, and merge them by twos."""
    count = given.distances.shape[0]
    for run in range(0, count, _RUN):
        _insert(given, run, min(run + _RUN, count))
    held, free, width = given, to, _RUN
    while width < count:
        for left in range(0, count, 2 * width):
            i, right = left, min(left + width, count)
            j, end = right, min(right + width, count)
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
    for i in range(count):
        put(to, i, held.positions[i], held.distances[i])


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
    order: Order, places: Array, found: Array, starts: Array, given: Results, counts: Array, to: Results
) -> None:
    """Sort keys digit by digit, from the last."""
    keys, others = given.positions, given.distances.view(np.int64)
    i = 0
    for own in range(places.shape[0]):
        for _ in range(found[places[own]]):
            whole = (own << order.distance) | np.int64(given.distances[i])
            keys[i] = (whole << order.position) | keys[i]
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
    i = 0
    for query in places:
        for k in range(found[query]):
            d = np.float64((keys[i] >> order.position) & distance)
            put(to, starts[query] + k, keys[i] & position, d)
            i += 1
