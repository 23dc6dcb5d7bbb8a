"""Browsing (Hjaltason, Samet 1999): the objects of an index by distance, one at a time.

Idea
    A best-first search whose measured objects wait in the same heap as the nodes: what comes to its top is
    next, and nothing behind it was measured for nothing. The search rests between two objects, and its
    frontier bounds all that is still to come. Others are built on this: browses of several queries merge into
    one, and the best objects by a score over several indexes (`queries.topk`) are found by browsing each.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .answer import BEGUN, BROWSE, COST, FOUND, shrink
from .arguments import radii_of
from .batch import Batch
from .errors import InvalidArgument, WrongType
from .ids import Positions
from .objects import Objects
from .workers import Worker

if TYPE_CHECKING:
    from .searchable import Searchable

_PAGE = 64  # objects that are handed over at once, if so many are known to come next


class Browser:
    """The objects of an index by (distance, position) to one query, one at a time.

    Yields (id, distance). It is a context manager; `close` gives its memory back.

    Attributes
    ----------
    cost : int
        Distances computed so far.
    lower_bound : float
        No object that is still to come is nearer; infinity when none is to come.
    cutoff : float
        Objects farther than this do not come. May be set to a smaller value at any time.
    """

    def __init__(self, batch: Batch, row: int) -> None:
        self._batch, self._row = batch, row
        self._ids = batch.index._ids
        self._worker: Worker | None = batch.worker(_PAGE)
        self._ready: list[tuple[int, Any, float]] = []  # the next object last
        self._reached = 0.0
        self._cutoff = float(batch.radii[row])

    @property
    def cost(self) -> int:
        """Distances computed so far."""
        return int(self._batch.wholes[self._row, COST])

    @property
    def lower_bound(self) -> float:
        """No object that is still to come is nearer."""
        if self._worker is None:
            return np.inf
        if self._ready:
            bound = self._ready[-1][2]
        elif self._batch.wholes[self._row, BEGUN] == 0:
            bound = 0.0
        else:
            bound = max(self._reached, self._worker.frontier())
        return bound if bound <= self._cutoff else np.inf

    @property
    def cutoff(self) -> float:
        """Objects farther than this do not come."""
        return self._cutoff

    @cutoff.setter
    def cutoff(self, radius: float) -> None:
        given = float(radii_of(radius, 1)[0])
        if given > self._cutoff:
            raise InvalidArgument(
                f"a cutoff can only be lowered: expected at most {self._cutoff}, given {given}; browse anew"
            )
        self._cutoff = self._batch.radii[self._row] = given
        if self._worker is not None:
            shrink(self._batch.blank._replace(reals=self._worker.reals), given)

    def advance(self) -> tuple[int, Any, float] | None:
        """Return the position, id and distance of the next object, or None if there is none."""
        if self._worker is not None and not self._ready:
            self._fetch(self._worker)
        if not self._ready or self._ready[-1][2] > self._cutoff:
            self.close()
            return None
        found = self._ready.pop()
        self._reached = found[2]
        return found

    def _fetch(self, worker: Worker) -> None:
        batch, row = self._batch, self._row
        batch.wholes[row, FOUND] = 0
        try:
            batch.go_on(worker, row)
        except BaseException:
            self.close()  # the search cannot be taken up again
            raise
        found = int(batch.wholes[row, FOUND])
        positions, distances = worker.results.between(0, found)
        ids = self._ids.called(positions).tolist()
        self._ready = list(zip(positions.tolist(), ids, distances.tolist()))[::-1]

    def close(self) -> None:
        """End the browse and give its memory back; nothing more comes."""
        if self._worker is not None:
            self._batch.dismiss(self._worker)
        self._worker, self._ready = None, []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[Any, float]:
        found = self.advance()
        if found is None:
            raise StopIteration
        return found[1], found[2]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def browsers(
    index: Searchable, asked: Objects, radius: Any, chosen: Any, skips: Positions | None
) -> list[Browser]:
    """Return a browser for each query."""
    batch = Batch(index, asked, BROWSE, _PAGE, radius, chosen, skips=skips)
    return [Browser(batch, row) for row in range(batch.count)]


# In the heap of a merge: a browser that nothing is known of but its bound, or its next object. Among equal
# keys bounds come first, as the object behind one may come before the others.
_BOUND, _NEXT = 0, 1


class Merged:
    """The objects of several browsers by (distance, number of the browser, position), one at a time.

    Yields (number of the browser, id, distance). A browser is asked for its next object only when its
    bound is the least of all. It is a context manager; `close` closes all browsers.

    Attributes
    ----------
    browsers : list of Browser
        From which the objects come; to be left to the merge.
    cost : int
        Distances computed so far, by all of them.
    lower_bound : float
        No object that is still to come is nearer; infinity when none is to come.
    """

    def __init__(self, merged: Iterable[Browser]) -> None:
        self.browsers = list(merged)
        for given in self.browsers:
            if not isinstance(given, Browser):
                raise WrongType(f"expected browsers, as index.browse returns them, given {given!r}")
        self._heap: list[tuple[float, int, int, Any]] = [
            (browser.lower_bound, _BOUND, i, None) for i, browser in enumerate(self.browsers)
        ]
        heapq.heapify(self._heap)

    @property
    def cost(self) -> int:
        """Distances computed so far, by all browsers."""
        return sum(browser.cost for browser in self.browsers)

    @property
    def lower_bound(self) -> float:
        """No object that is still to come is nearer."""
        return self._heap[0][0] if self._heap else np.inf

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[int, Any, float]:
        while self._heap:
            distance, kind, i, name = self._heap[0]
            if kind == _NEXT:
                heapq.heapreplace(self._heap, (self.browsers[i].lower_bound, _BOUND, i, None))
                return i, name, distance
            found = self.browsers[i].advance()
            if found is None:
                heapq.heappop(self._heap)
            else:
                heapq.heapreplace(self._heap, (found[2], _NEXT, i, found[1]))
        raise StopIteration

    def close(self) -> None:
        """Close all browsers; nothing more comes."""
        self._heap = []
        for browser in self.browsers:
            browser.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def merge(browsers: Iterable[Browser]) -> Merged:
    """Return the objects of several browsers, of one index or of several, as one ascending sequence.

    Parameters
    ----------
    browsers : iterable of Browser
        As ``index.browse`` returns them, numbered from 0.

    Returns
    -------
    Merged
        Yields (number of the browser, id, distance) by (distance, number, position).
    """
    return Merged(browsers)
