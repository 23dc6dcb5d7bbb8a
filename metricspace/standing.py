"""One query after the other: what is made for a search of one query stays for the next.

To share out a batch among threads, to encode its queries and to call a kernel takes some fifty small arrays.
For one query that is longer than the search, so they are kept, and the next query is written into them.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np

from .answer import KNN
from .batch import Batch
from .coding import UNKNOWN, blank_asked
from .hits import Hits
from .objects import Objects
from .threads import jobs
from .workers import Sweeper

if TYPE_CHECKING:
    from .searchable import Searchable

_KEPT = 8  # for each k, at most, and of so many different: more threads than that seldom ask at once
_MOST = 1024  # neighbours: to find more takes longer than to make what is kept here


class Standing:
    """The question for the k nearest neighbours of one query, put again and again.

    Parameters
    ----------
    index : Searchable
        What is asked, whose queries go together: see `Searchable._swept`.
    asked : Objects
        The first query, encoded as the objects of the index are. Others are written over it.
    k : int
        How many there are to be.
    """

    def __init__(self, index: Searchable, asked: Objects, k: int) -> None:
        # The index keeps this, and a circle would keep the index until garbage is collected.
        self.batch = Batch(weakref.proxy(index), asked, KNN, k, np.inf)
        self.given = index._vectors(asked)
        self.asked = blank_asked(self.batch.swept, self.given, k=k)
        self.sweeper = Sweeper(self.batch, self.asked, 1, 0)
        _, self.query = self.batch.bound.alive
        self.apart = all(held is not self.given for held in self.query)

    def nearest(self, asked: Objects) -> Hits:
        """Return the neighbours of a query."""
        batch, index = self.batch, self.batch.index
        for held, new in zip(self.query, batch.bound.metric.space(asked)):
            if held is not new and isinstance(held, np.ndarray):
                held[:] = new
        if self.apart:
            self.given[:] = index._vectors(asked)
        self.asked.homes[0] = UNKNOWN
        self.sweeper.answer(batch, 0, 1)
        batch.complain(self.sweeper)
        shape = (1, batch.k)
        positions, distances = (each.reshape(shape).copy() for each in batch.results)
        return Hits(index._ids.called(positions), positions, distances, **batch.costs())


def nearest(index: Searchable, asked: Objects, k: int, n_jobs: int | None) -> Hits | None:
    """Return the k nearest neighbours of one query, None if such queries go another way."""
    if k > _MOST or index._swept(1) is None or index._present is not None:
        return None
    jobs(n_jobs)  # which are too many for one query, but may be wrong
    kept = index._standing
    try:
        standing = kept[k].pop()
    except (KeyError, IndexError):
        standing = Standing(index, asked, k)
    hits = standing.nearest(asked)  # what goes wrong in the middle is not put again
    others = kept.setdefault(k, [])
    others.append(standing)
    if len(others) > _KEPT:
        dismiss(others, _KEPT)
    if len(kept) > _KEPT:
        dismiss(kept.pop(next(iter(list(kept))), []), 0)
    return hits


def dismiss(several: list[Standing], left: int) -> None:
    """Take out all but so many, whose memory others can use."""
    while len(several) > left:
        try:
            several.pop(0).sweeper.leave()
        except IndexError:  # another thread was quicker
            return
