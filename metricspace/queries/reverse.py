"""Reverse nearest neighbours: the objects that would have the query among their k nearest.

An object o belongs if d(q, o) ≤ d_k(o), its distance to the k-th nearest other object.

Known reaches
    An index that was told keeps d_1(o) to d_k(o) for every object. The query is then one traversal, a range
    query whose radius differs by object (Korn, Muthukrishnan 2000): an object is passed over beyond its own
    reach, a node beyond the greatest reach below it.

Filter and verify
    Otherwise (after Achtert et al. 2006) all objects are measured, and most are discarded by the triangle
    inequality. A centre c with k others within r of it discards every object o with
    d(o, c) + r < d(q, o), because those k are all nearer to o than q is. Such objects are found by the same
    range query, with the radius d(q, o) − r for each object. What no centre discards is verified: objects
    strictly nearer than q are counted, up to k.

References
----------
Korn, Muthukrishnan, Influence sets based on reverse nearest neighbor queries, SIGMOD 2000.
Achtert, Böhm, Kröger, Kunath, Pryakhin, Renz, Efficient reverse k-nearest neighbor search in arbitrary
metric spaces, SIGMOD 2006.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import threads
from ..answer import BOUNDS, COST, COUNT, FOUND, KNN, RANGE
from ..batch import Batch
from ..hits import Balls
from ..ids import Positions
from ..objects import Objects
from ..progress import shown
from .joins import PART

if TYPE_CHECKING:
    from ..searchable import Searchable

Reals = npt.NDArray[np.float64]

_NEAR = 64  # distances, beside k, spent on finding k objects near a centre
_TOGETHER = 32  # queries whose candidates are kept at once
_PATIENCE = 2  # centres in turn that discard too little for what they cost


class Reaches(NamedTuple):
    """How far the j-th neighbour of each object lies, for j = 1 to k."""

    objects: Reals  # (k, slots); −∞ where an object was removed
    nodes: Reals  # (k, nodes): the greatest of them below each node; (k, 0) if nodes have none

    @classmethod
    def of(cls, index: Searchable, objects: Reals) -> Reaches:
        """Return the reaches of objects with those of nodes."""
        anatomy = index._anatomy()
        return cls(objects, np.stack([anatomy.greatest_below(row) for row in objects]))


def renewed(index: Searchable, kept: Reals, slots: Positions, progress: bool) -> tuple[Reaches, int]:
    """Return the reaches, those of some slots found anew, and how many distances that took."""
    hits = index._nearest(index._objects.take(slots), len(kept), None, progress, skips=slots)
    objects = kept.copy()
    objects[:, slots] = hits.distances.T
    return Reaches.of(index, objects), int(hits.cost.sum())


def having(index: Searchable, slots: Positions) -> tuple[Positions, int]:
    """Return the slots of all that have one of these objects among their k nearest, and what that cost."""
    assert index._reaches is not None
    k = len(index._reaches.objects)
    batch = known(index, index._objects.take(slots), k, slots)
    batch.run(None, False)
    return np.unique(index._slots[batch.results.positions]), int(batch.wholes[:, COST].sum())


def known(index: Searchable, asked: Objects, k: int, own: Positions | None) -> Batch:
    """Return queries for reverse neighbours to an index that knows the reaches of its objects."""
    assert index._reaches is not None
    objects, nodes = index._reaches.objects[k - 1], index._reaches.nodes[k - 1]
    radius = max(float(objects.max()), 0.0)
    return Batch(index, asked, RANGE, 0, radius, skips=own, reaches=objects, node_reaches=nodes)


# --- filter and verify -------------------------------------------------------------------------------


class Candidates:
    """The objects that may have one query among their k nearest.

    Attributes
    ----------
    positions, slots, distances : arrays
        The objects and their distances to the query, by (distance, position).
    cost, bounds : int
        What it took.
    """

    def __init__(self, index: Searchable, asked: Objects, k: int, own: Positions | None) -> None:
        self.cost = self.bounds = 0
        everything = self._ran(Batch(index, asked, RANGE, 0, np.inf, skips=own))
        self.positions, self.distances = everything.results
        self.slots = index._slots[self.positions]
        if index.metric.laws.triangle and k < index.n_objects:
            kept = self._not_discarded(index, k)
            self.positions, self.slots = self.positions[kept], self.slots[kept]
            self.distances = self.distances[kept]

    def _ran(self, batch: Batch) -> Batch:
        batch.run(1, False)
        self.cost += int(batch.wholes[:, COST].sum())
        self.bounds += int(batch.wholes[:, BOUNDS].sum())
        return batch

    def _not_discarded(self, index: Searchable, k: int) -> npt.NDArray[np.bool_]:
        """Return which objects no centre discards; centres are tried for as long as that pays."""
        slack = index.metric.slack(index._objects)
        left, waiting = np.ones(len(self.slots), bool), self.distances > 0
        # Discards, for d(o, c) + r + what rounding may add must be less than d(q, o).
        least = self.distances - 2 * slack.relative * self.distances - 3 * slack.absolute
        reaches, anatomy = np.full(len(index._order), -np.inf), index._anatomy()
        patience = _PATIENCE
        while patience and (left & waiting).any():
            choice = np.flatnonzero(left & waiting)
            centre = choice[len(choice) // 2]  # of median distance: most objects are about as far
            waiting[centre] = False
            slot = self.slots[centre : centre + 1]
            objects = index._objects.take(slot)
            nearer, budget = _below(self.distances[centre]), k + _NEAR
            near = self._ran(Batch(index, objects, KNN, k, nearer, budget=budget, skips=slot))
            patience -= 1
            if near.wholes[0, FOUND] < k:
                continue
            left[centre] = False
            reaches[self.slots] = np.where(
                left, np.nextafter(least - near.results.distances[k - 1], -np.inf), -np.inf
            )
            discarded = self._ran(
                Batch(
                    index, objects, RANGE, 0, max(reaches.max(), 0.0), skips=slot,
                    reaches=reaches, node_reaches=anatomy.greatest_below(reaches),
                )
            )  # fmt: skip
            left[np.isin(self.positions, discarded.results.positions)] = False
            # Verifying one object costs about as much as finding what is near the centre.
            if len(discarded.results.positions) * near.wholes[0, COST] >= discarded.wholes[0, COST]:
                patience = _PATIENCE
        return left


def _below(distances: npt.ArrayLike) -> Reals:
    """Return the greatest radii that are smaller than these distances."""
    return np.nextafter(np.asarray(distances), 0.0)


def verified(
    index: Searchable, asked: Objects, own: Positions | None, k: int, n_jobs: int | None, progress: bool
) -> Balls:
    """Return the reverse neighbours of queries to an index that does not know the reaches of its objects."""
    parts = []
    with shown("reverse neighbours", len(asked), progress) as show:
        for first in range(0, len(asked), _TOGETHER):
            some = np.arange(first, min(first + _TOGETHER, len(asked)))
            parts.append(_verified(index, asked.take(some), None if own is None else own[some], k, n_jobs))
            show(int(some[-1]) + 1)
    nothing = _verified(index, asked.take(np.arange(0)), None, k, n_jobs)
    counts, positions, distances, cost, bounds = (np.concatenate(column) for column in zip(nothing, *parts))
    indptr = np.concatenate([[0], np.cumsum(counts)])
    exact = np.full(len(asked), index.exact)
    return Balls(indptr, index._ids.called(positions), positions, distances, cost, exact, bounds)


def _verified(
    index: Searchable, asked: Objects, own: Positions | None, k: int, n_jobs: int | None
) -> tuple[Positions, Positions, Reals, Positions, Positions]:
    """Return how many belong to each query, their positions and distances, and the costs of each query."""
    waiting = list(range(len(asked)))
    found: dict[int, Candidates] = {}

    def work() -> None:
        while waiting:
            try:
                i = waiting.pop()
            except IndexError:  # another thread was quicker
                return
            one = np.array([i])
            found[i] = Candidates(index, asked.take(one), k, None if own is None else own[one])

    if index.metric.native:
        threads.run([work] * min(threads.jobs(n_jobs), len(asked)), waiting.clear)
    else:
        work()
    of = [found[i] for i in range(len(asked))]
    rows = np.repeat(np.arange(len(of)), [len(one.slots) for one in of])
    positions, slots = (
        np.concatenate([np.zeros(0, np.int64), *(getattr(one, name) for one in of)])
        for name in ("positions", "slots")
    )
    distances = np.concatenate([np.zeros(0), *(one.distances for one in of)])
    cost, bounds = (np.array([getattr(one, name) for one in of], np.int64) for name in ("cost", "bounds"))
    # Nothing is nearer than at 0, and there may be fewer than k others.
    belongs = (distances == 0) | (k >= index.n_objects)
    doubtful = np.flatnonzero(~belongs)
    for first in range(0, len(doubtful), PART):
        part = doubtful[first : first + PART]
        batch = Batch(
            index, index._objects.take(slots[part]), COUNT, 0, _below(distances[part]),
            skips=slots[part], enough=k,
        )  # fmt: skip
        batch.run(n_jobs, False)
        belongs[part] = batch.wholes[:, FOUND] < k
        np.add.at(cost, rows[part], batch.wholes[:, COST])
        np.add.at(bounds, rows[part], batch.wholes[:, BOUNDS])
    counts = np.bincount(rows[belongs], minlength=len(of))
    return counts, positions[belongs], distances[belongs], cost, bounds
