"""A space is a collection of objects with its metric, laid out for a kernel.

Each metric brings a class of named arrays, and registers with it

- ``prepare``: what is worth computing once for a query (bit masks, a norm),
- ``distance``: the metric's one canonical value, accumulated in float64 in a fixed order, so that
  d(a, b) = d(b, a) and d(a, a) = 0 to the bit wherever it is computed,
- ``within`` instead, if it can stop early once the distance is known to exceed a limit,
- ``at_least``, if it has a lower bound that costs next to nothing, such as a difference of lengths, and
  ``span_at_least``, if it has one for many objects in a row,
- ``estimate`` and ``settle``, if it has a cheaper value near the canonical one: `estimate` decides
  which objects are looked at more closely, `settle` turns it into the canonical distance,
- ``batches`` and ``estimates``, if it measures many objects together for less than one at a time, and
  ``fill_block``, if the distances of several queries to all of many objects take less still.

Queries are a space of the same class as the objects. A query prepared from the objects themselves
therefore serves construction, insertion and joins without another function.

A metric is also called by its address, whatever its space: see `addressed`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .interleaved import Loom, put_in_order, weave
from .kernels import Array, generic, kernel
from .simd.weaving import WOVEN


class RowSpace(NamedTuple):
    """Rows of a matrix, under a function of the user's own."""

    rows: Array


class RowQuery(NamedTuple):
    """One row."""

    row: Array


class Room(NamedTuple):
    """Scratch memory in which one query at a time is prepared."""

    words: Array  # uint64: bit masks and the like
    frame: Array  # uint64: see Addressed
    fault: Array  # int64: whether a metric returned no distance; for which object and which query


BLOCK = 512  # objects that a scan measures together
FRAME = 256  # words: the named arrays of a space; or a Room, and from QUERY on a query prepared in it
QUERY = 32


def make_room(words: int, at_once: int = 1) -> Room:
    """Return scratch memory for queries that need so many 64-bit words, one or several at once."""
    return Room(
        np.zeros(at_once * max(words, 1), np.uint64),
        np.zeros(at_once * FRAME, np.uint64),
        np.zeros(3, np.int64),
    )


@generic
def prepare(space: Any, queries: Any, i: int, room: Room) -> Any:
    """Return query `i` of the space `queries`, ready to be compared with objects of `space`."""


@generic
def distance(space: Any, i: int, query: Any) -> Any:
    """Return the canonical distance of object `i` to a prepared query."""


@generic
def within(space: Any, i: int, query: Any, limit: float) -> Any:
    """Return the canonical distance of object `i` if it is at most `limit`, else anything beyond `limit`."""


@generic
def at_least(space: Any, i: int, query: Any) -> Any:
    """Return a number that the canonical distance of object `i` is not below, at next to no cost."""


@generic
def span_at_least(space: Any, first: int, last: int, query: Any) -> Any:
    """Return a number that the distance of no object from `first` up to `last` is below, at next to no cost.

    Only scans ask, of blocks and runs of blocks, and of spaces that lie as `Metric.arranged` has it.
    """


@generic
def estimate(space: Any, i: int, query: Any) -> Any:
    """Return a value within the space's `Slack` of the canonical distance."""


@generic
def estimate_within(space: Any, i: int, query: Any, limit: float) -> Any:
    """Return the estimate of object `i` if it is at most `limit`, else anything beyond `limit`."""


@generic
def batches(space: Any) -> Any:
    """Whether this space estimates many objects together for much less than one by one."""


@generic
def estimates(space: Any, first: int, query: Any, limit: float, out: Array, places: Array) -> Any:
    """Estimate as many consecutive objects as `out` holds, as by `estimate_within`.

    Writes the estimates within the limit, without gaps, and beside each in `places` which of the objects it
    is of. Returns how many were measured, for what is known to be beyond the limit need not be; how many are
    within it; and how many surrogates were evaluated. Scans ask for `BLOCK` objects, from a multiple of that
    on, or for what is left at the end.
    """


@generic
def fill_block(space: Any, start: int, queries: Any, first: int, last: int, room: Room, out: Array) -> Any:
    """Write the canonical distances of queries `first` to `last` to consecutive objects, from `start` on.

    Each query has a row of `out`, which may be of any type that holds the distances. Who asks has `BLOCK`
    objects in mind, from a multiple of that on, or what is left at the end.
    """


@generic
def home(space: Any, query: Any) -> Any:
    """Return an object with which a scan had best begin, because near ones are likely to lie about it."""


@generic
def fetch(space: Any, i: int) -> Any:
    """Have object `i`, which will be measured soon, brought near, if that can be done."""


@generic
def settle(space: Any, i: int, query: Any, estimated: float) -> Any:
    """Return the canonical distance of object `i`, whose estimate is known."""


@generic
def settling(space: Any) -> Any:
    """Whether `settle` computes another distance than that estimated, which is to be counted."""


# A space registers `distance` or `within`; each stands in for the other.


@distance.of(object)
def _(space: Any, i: int, query: Any) -> float:
    return within(space, i, query, np.inf)


@within.of(object)
def _(space: Any, i: int, query: Any, limit: float) -> float:
    return distance(space, i, query)


@at_least.of(object)
def _(space: Any, i: int, query: Any) -> float:
    return 0.0


@span_at_least.of(object)
def _(space: Any, first: int, last: int, query: Any) -> float:
    return 0.0


@estimate.of(object)
def _(space: Any, i: int, query: Any) -> float:
    return distance(space, i, query)


@estimate_within.of(object)
def _(space: Any, i: int, query: Any, limit: float) -> float:
    return within(space, i, query, limit)


@batches.of(object)
def _(space: Any) -> bool:
    return False


@estimates.of(object)
def _(space: Any, first: int, query: Any, limit: float, out: Array, places: Array) -> tuple[int, int, int]:
    measured = near = 0
    for j in range(out.shape[0]):
        if at_least(space, first + j, query) <= limit:
            out[near] = estimate_within(space, first + j, query, limit)
            places[near] = j
            measured += 1
            near += out[near] <= limit
    return measured, near, 0


@home.of(object)
def _(space: Any, query: Any) -> int:
    return 0


@fetch.of(object)
def _(space: Any, i: int) -> None:
    pass


@settle.of(object)
def _(space: Any, i: int, query: Any, estimated: float) -> float:
    return estimated


@settling.of(object)
def _(space: Any) -> bool:
    return False


# --- a space around another ---------------------------------------------------------------------------


def wrapping(cls: type) -> type:
    """Have a space measure as the one that it is wrapped around: its ``own``, as that of a query is its."""
    for function, body in (
        (distance, _distance_of_own),
        (within, _within_of_own),
        (at_least, _at_least_of_own),
        (estimate, _estimate_of_own),
        (estimate_within, _estimate_within_own),
        (settle, _settle_own),
        (settling, _settling_own),
    ):
        function.of(cls)(body)
    return cls


def _distance_of_own(space: Any, i: int, query: Any) -> float:
    return distance(space.own, i, query.own)


def _within_of_own(space: Any, i: int, query: Any, limit: float) -> float:
    return within(space.own, i, query.own, limit)


def _at_least_of_own(space: Any, i: int, query: Any) -> float:
    return at_least(space.own, i, query.own)


def _estimate_of_own(space: Any, i: int, query: Any) -> float:
    return estimate(space.own, i, query.own)


def _estimate_within_own(space: Any, i: int, query: Any, limit: float) -> float:
    return estimate_within(space.own, i, query.own, limit)


def _settle_own(space: Any, i: int, query: Any, estimated: float) -> float:
    return settle(space.own, i, query.own, estimated)


def _settling_own(space: Any) -> bool:
    return settling(space.own)


@prepare.of(RowSpace)
def _(space: RowSpace, queries: RowSpace, i: int, room: Room) -> Any:
    return RowQuery(queries.rows[i])


@fill_block.of(object)
def _(space: Any, start: int, queries: Any, first: int, last: int, room: Room, out: Array) -> None:
    for i in range(first, last):
        query, row = prepare(space, queries, i, room), out[i - first]
        for j in range(row.shape[0]):
            row[j] = distance(space, start + j, query)


@kernel
def fill_distances(space: Any, queries: Any, first: int, last: int, room: Room, out: Array) -> None:
    """Write the canonical distances of queries `first` to `last` to all objects: a row for each of these."""
    for start in range(0, out.shape[1], BLOCK):
        stop = min(start + BLOCK, out.shape[1])
        fill_block(space, start, queries, first, last, room, out[:, start:stop])
        if room.fault[0] != 0:
            return


@kernel
def fill_in_order(
    space: Any, queries: Any, first: int, last: int, places: Array, room: Room, loom: Loom, out: Array
) -> None:
    """Write the distances of queries `first` to `last`, that to object ``places[j]`` in column j.

    They are whole numbers that fit into a byte.
    """
    for above in range(first, last, WOVEN):
        below = min(above + WOVEN, last)
        for start in range(0, places.shape[0], BLOCK):
            stop = min(start + BLOCK, places.shape[0])
            fill_block(space, start, queries, above, below, room, loom.rows[:, : stop - start])
            weave(loom, start, stop)
            if room.fault[0] != 0:
                return
        put_in_order(loom, places, out[above - first : below - first])


# --- two metrics --------------------------------------------------------------------------------------


class TwoMetrics(NamedTuple):
    """Objects under the metric that a structure reasons with, and under the one that a query asks for.

    The one gives the estimates, which only decide; the other the canonical distances.
    """

    built: Any
    asked: Any


class TwiceQuery(NamedTuple):
    """A query prepared for both."""

    built: Any
    asked: Any


@prepare.of(TwoMetrics)
def _(space: TwoMetrics, queries: TwoMetrics, i: int, room: Room) -> Any:
    half = room.words.shape[0] // 2
    first = Room(room.words[:half], room.frame[:FRAME], room.fault)
    second = Room(room.words[half:], room.frame[FRAME:], room.fault)
    return TwiceQuery(
        prepare(space.built, queries.built, i, first), prepare(space.asked, queries.asked, i, second)
    )


@at_least.of(TwoMetrics)
def _(space: TwoMetrics, i: int, query: Any) -> float:
    return at_least(space.built, i, query.built)


@estimate.of(TwoMetrics)
def _(space: TwoMetrics, i: int, query: Any) -> float:
    return distance(space.built, i, query.built)


@estimate_within.of(TwoMetrics)
def _(space: TwoMetrics, i: int, query: Any, limit: float) -> float:
    return within(space.built, i, query.built, limit)


@settle.of(TwoMetrics)
def _(space: TwoMetrics, i: int, query: Any, estimated: float) -> float:
    return distance(space.asked, i, query.asked)


@settling.of(TwoMetrics)
def _(space: TwoMetrics) -> bool:
    return True
