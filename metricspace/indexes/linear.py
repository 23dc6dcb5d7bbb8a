"""Linear scan: every object is measured.

The reference to which all structures are held, the only one that needs no law, and the fastest where the
data are few or so spread that nothing can be excluded. Objects are scanned in blocks, so that a
search can be stopped and a browser need not wait with room for all. Runs of blocks are visited outward from
where the metric expects the nearest objects, if it has an order for them (strings, by length).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..answer import Answer, may_contain
from ..bounds import SHRUNK
from ..construction import Construction
from ..fitting import flattened, scanned_together
from ..ids import Positions
from ..index import BaseIndex
from ..kernels import kernel
from ..norms import OnRows, rows_of
from ..objects import Objects
from ..space import BLOCK, home, span_at_least
from ..traversal import Desk, consider_block, expand, make_desk, offer_child


class Scan(NamedTuple):
    """Nothing but the number of objects."""

    objects: int


RUN = 8  # blocks
FEW = 8  # queries that are not worth another copy of the objects


@expand.of(Scan)
def _(tree: Scan, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    middle = home(space, query)
    start = start_of(tree, node, middle)
    consider_block(space, start, min(start + BLOCK, tree.objects), query, answer, desk)
    following = next_step(tree, node + 1, middle, space, query, answer)
    if following < runs(tree) * RUN:
        offer_child(desk, answer, following, 0.0, SHRUNK)


@kernel
def next_step(tree: Scan, step: int, middle: int, space: Any, query: Any, answer: Answer) -> int:
    """Return the first step from this one on that may find an answer; whole runs are passed over in one.

    The last run may end early, and it need not be the last to be visited.
    """
    count = runs(tree) * RUN
    while step < count:
        blocks = RUN if step % RUN == 0 else 1
        start = start_of(tree, step, middle)
        stop = min(start + blocks * BLOCK, tree.objects)
        if (
            start < stop
            and stop - 1 > answer.after
            and may_contain(answer, span_at_least(space, start, stop, query))
        ):
            return step
        step += blocks
    return count


@kernel
def runs(tree: Scan) -> int:
    """Return how many runs there are."""
    return (tree.objects + RUN * BLOCK - 1) // (RUN * BLOCK)


@kernel
def start_of(tree: Scan, node: int, middle: int) -> int:
    """Return the first object of the block that is visited at this step, from an object in the middle on."""
    run = outward(node // RUN, middle // (RUN * BLOCK), runs(tree))
    return (run * RUN + node % RUN) * BLOCK


@kernel
def outward(step: int, middle: int, count: int) -> int:
    """Return which of `count` places comes at this step, outward from the middle and back and forth."""
    both = min(middle, count - 1 - middle)  # so many to either side; the rest are on one
    if step > 2 * both:
        return middle + step - both if middle == both else middle - step + both
    return middle + (step + 1) // 2 if step % 2 == 1 else middle - step // 2


class LinearScan(BaseIndex):
    """Measure every object; takes any dissimilarity, whatever laws it breaks.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    seed : int
        Unused: a scan makes no choices.
    max_bytes : int, optional
        Refuse objects that take more memory.
    """

    key = "linear"
    arrays = Scan
    needs = None
    specialised = True
    scans = True
    smaller = "linear"

    def _arranged(self, objects: Objects) -> Positions | None:
        order = self.metric.arranged(objects)
        return np.arange(len(objects)) if order is None else order

    def _swept(self, queries: int) -> Any:
        if queries < FEW or not scanned_together(self.metric):
            return None
        return self._objects.derived(self._flattened)

    def _flattened(self, objects: Objects) -> Any:
        return flattened(self.metric.space(objects), self._vectors(objects))

    def _bytes_derived(self, objects: Objects) -> int:
        derived = super()._bytes_derived(objects)
        if not scanned_together(self.metric):
            return derived
        # Queries that go together are compared with a copy in float32, and its norms.
        return derived + 4 * (rows_of(objects).size + len(objects))

    def _vectors(self, objects: Objects) -> npt.NDArray[Any]:
        assert isinstance(self.metric, OnRows)
        return self.metric.matrix(objects)

    def _build(self, construction: Construction) -> tuple[Any, Positions | None]:
        return Scan(construction.count), None

    def distances(
        self, queries: Any, *, dtype: npt.DTypeLike = np.float64, n_jobs: int | None = None
    ) -> npt.NDArray[Any]:
        """Return the distances of queries to all objects.

        Parameters
        ----------
        queries : batch of objects
            As for ``fit``.
        dtype : data type
            As for `Metric.pairwise`: integers take a fraction of the memory, and of the time of strings.
        n_jobs : int, optional
            Threads; None for all cores.

        Returns
        -------
        array, shape (m, n), of `dtype`
            Objects in the order of insertion.
        """
        self._fitted()
        asked = self._objects.encode(queries)
        return self._bind(self._objects, asked).distances(self._slots, n_jobs, dtype)

    def _bytes(self, count: int) -> int:
        return 8 * count

    def _desk(self) -> Desk:
        return make_desk(BLOCK + 1, 0, BLOCK)
