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

import contextlib
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
_PATIENCE = 2  # centres in turn that discard too little for what they cost


class Reaches(NamedTuple):
    """How far the j-th neighbour of each object lies, for j = 1 to k."""

    objects: Reals  # (k, slots); −∞ where an object was removed
    nodes: Reals  # (k, nodes): the greatest of them below each node; (k, 0) if nodes have none

    @classmethod
    def of(cls, index: Searchable, objects: Reals) -> Reaches:
        """Return the reaches of objects with those of nodes."""
        return cls(objects, np.stack([index._greatest_below(row) for row in objects]))


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
    return np.unique(index._slots[batch.positions]), int(batch.wholes[:, COST].sum())


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
        self.positions, self.distances = everything.positions, everything.distances
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
        reaches = np.full(len(index._order), -np.inf)
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
                left, np.nextafter(least - near.distances[k - 1], -np.inf), -np.inf
            )
            discarded = self._ran(
                Batch(
                    index, objects, RANGE, 0, max(reaches.max(), 0.0), skips=slot,
                    reaches=reaches, node_reaches=index._greatest_below(reaches),
                )
            )  # fmt: skip
            left[np.isin(self.positions, discarded.positions)] = False
            # Verifying one object costs about as much as finding what is near the centre.
            if len(discarded.positions) * near.wholes[0, COST] >= discarded.wholes[0, COST]:
                patience = _PATIENCE
        return left


def _below(distances: npt.ArrayLike) -> Reals:
    """Return the greatest radii that are smaller than these distances."""
    return np.nextafter(np.asarray(distances), 0.0)


def verified(
    index: Searchable, asked: Objects, own: Positions | None, k: int, n_jobs: int | None, progress: bool
) -> Balls:
    """Return the reverse neighbours of queries to an index that does not know the reaches of its objects."""
    count, few = len(asked), k >= index.n_objects  # an object has fewer than k others
    waiting = list(range(count))[::-1]
    found: dict[int, Candidates] = {}

    def work() -> None:
        while waiting:
            with contextlib.suppress(IndexError):  # another thread was quicker
                i = waiting.pop()
                one = np.array([i])
                found[i] = Candidates(index, asked.take(one), k, None if own is None else own[one])

    with shown("reverse neighbours", count, progress) as show:
        if index.metric.native:
            threads.run([work] * min(threads.jobs(n_jobs), count), waiting.clear, lambda: show(len(found)))
        else:
            work()
    rows = np.repeat(np.arange(count), [len(found[i].slots) for i in range(count)])
    positions, slots, distances = (
        np.concatenate([getattr(found[i], name) for i in range(count)] or [np.zeros(0, np.int64)])
        for name in ("positions", "slots", "distances")
    )
    cost, bounds = (
        np.array([getattr(found[i], name) for i in range(count)], np.int64) for name in ("cost", "bounds")
    )
    belongs = (distances == 0) | few  # nothing is nearer than at 0
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
    indptr = np.searchsorted(rows[belongs], np.arange(count + 1))
    kept = positions[belongs]
    exact = np.full(count, index.exact)
    return Balls(indptr, index._ids.called(kept), kept, distances[belongs], cost, exact, bounds)
