"""AESA (Vidal 1986, 1994): all distances between objects, so that every measured object is a pivot.

Idea
    Measure the most promising object; with its row of the matrix raise the bounds of all others; drop
    those beyond the radius; go on with the least bound that is left. Quadratic in memory and in building,
    and the fewest distances per query of all structures.

Arrays
    ``matrix[a, b]`` is the distance of two objects, in float32.

Invariant
    The pool of the desk holds the objects that are neither measured nor excluded, each with its bound;
    the one of least bound comes first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..answer import Answer
from ..bounds import OBJECT_PIVOT, OWN, object_pivot
from ..construction import Construction
from ..distances import all_distances
from ..filtering import keep_least_first, offer_pool
from ..index import BaseIndex
from ..kernels import Array
from ..space import at_least
from ..traversal import POOL, Desk, begin, expand, make_desk, measure


class DistanceMatrix(NamedTuple):
    """The distances between all objects."""

    matrix: Array


@begin.of(DistanceMatrix)
def _(tree: DistanceMatrix, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    size = 0
    for slot in range(tree.matrix.shape[0]):
        size = keep_least_first(desk, size, slot, at_least(space, slot, query), OWN, answer)
    desk.wholes[POOL] = size
    offer_pool(answer, desk)


@expand.of(DistanceMatrix)
def _(tree: DistanceMatrix, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    pivot = desk.pool_slots[0]
    d = measure(space, pivot, query, answer, desk)
    row = tree.matrix[pivot]
    size = 0
    for i in range(1, desk.wholes[POOL]):
        slot = desk.pool_slots[i]
        bound = max(desk.pool_keys[i], object_pivot(d, np.float64(row[slot]), answer.slack))
        size = keep_least_first(desk, size, slot, bound, OBJECT_PIVOT, answer)
    desk.wholes[POOL] = size
    offer_pool(answer, desk)


class AESA(BaseIndex):
    """The full matrix of distances: the fewest distances per query, for some thousands of objects.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    seed : int
        Unused: nothing is chosen.
    max_bytes : int, optional
        Refuse to build what takes more memory; the matrix takes 4 n² bytes.

    References
    ----------
    Vidal, New formulation and improvements of the nearest-neighbour approximating and eliminating search
    algorithm (AESA), Pattern Recognition Letters 15, 1994.
    """

    key = "aesa"
    arrays = DistanceMatrix
    smaller = "laesa"

    def _build(self, construction: Construction) -> tuple[DistanceMatrix, None]:
        return DistanceMatrix(all_distances(construction)), None

    def _bytes(self, count: int) -> int:
        return 4 * count * count

    def _desk(self) -> Desk:
        return make_desk(2, 0, len(self._tree.matrix))
