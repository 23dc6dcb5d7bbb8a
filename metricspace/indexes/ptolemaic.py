"""Ptolemaic pivot table (Hetland 2009; Hetland, Skopal, Lokoč, Beecks 2013): bounds by pairs of pivots.

Idea
    Ptolemy's inequality bounds d(q, o) by the distances to two pivots and the distance between them, often
    far better than either pivot does alone. There are many pairs, so a table bounds all objects by single
    pivots, as LAESA does, and only an object whose turn it is by pairs.

Pairs
    The bound by pivots p and s is d(o, p) d(o, s) / d(p, s) times the difference of the ratios
    d(q, p) / d(o, p) and d(q, s) / d(o, s). So the best pairs have a pivot of greatest or least ratio, and
    with P pivots these 2 P pairs come near all P² / 2.

Arrays
    ``table[slot, p]`` is the distance of an object to pivot p, in float32; ``between[p, s]`` is that of two
    pivots.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..answer import REACH, Answer
from ..arguments import one_of
from ..bounds import OBJECT_PIVOT, PTOLEMAIC, ptolemaic
from ..construction import Construction
from ..families.tables import TableIndex, settle_row
from ..filtering import (
    bound_all,
    by_pivots,
    by_pivots_above,
    lower_bound,
    measure_pivots,
    refine_next,
    sharper_bound,
    upper_bound,
)
from ..ids import Positions
from ..kernels import Array, kernel
from ..pivots import measured
from ..traversal import Desk, begin, expand


class PtolemaicPivots(NamedTuple):
    """The pivots, the distances to them, and those between them."""

    pivots: Array
    is_pivot: Array  # uint8 by slot
    between: Array  # (pivots, pivots) float64
    table: Array  # (objects, pivots) float32
    every_pair: bool


@settle_row.of(PtolemaicPivots)
def _(tree: PtolemaicPivots, slot: int, distances: Array) -> None:
    for p in range(tree.pivots.shape[0]):
        tree.table[slot, p] = distances[p]


@begin.of(PtolemaicPivots)
def _(tree: PtolemaicPivots, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if measure_pivots(tree.pivots, space, query, answer, desk):
        bound_all(tree, space, query, answer, desk)


@lower_bound.of(PtolemaicPivots)
def _(tree: PtolemaicPivots, slot: int, answer: Answer, desk: Desk) -> tuple[float, int]:
    return by_pivots(tree.table[slot], answer, desk), OBJECT_PIVOT


@upper_bound.of(PtolemaicPivots)
def _(tree: PtolemaicPivots, slot: int, answer: Answer, desk: Desk) -> float:
    return by_pivots_above(tree.table[slot], answer, desk)


@sharper_bound.of(PtolemaicPivots)
def _(tree: PtolemaicPivots, slot: int, bound: float, answer: Answer, desk: Desk) -> tuple[float, int]:
    row, to_query = tree.table[slot], desk.memo
    if tree.every_pair:
        for p in range(1, row.shape[0]):
            bound = bound_with(tree, row, p, p, bound, answer, desk)
        return bound, PTOLEMAIC
    greatest = least = 0
    for p in range(1, row.shape[0]):
        if to_query[p] * row[greatest] > to_query[greatest] * row[p]:
            greatest = p
        if to_query[p] * row[least] < to_query[least] * row[p]:
            least = p
    bound = bound_with(tree, row, greatest, row.shape[0], bound, answer, desk)
    return bound_with(tree, row, least, row.shape[0], bound, answer, desk), PTOLEMAIC


@kernel
def bound_with(
    tree: PtolemaicPivots, row: Array, p: int, pivots: int, bound: float, answer: Answer, desk: Desk
) -> float:
    """Raise a bound by the pairs of a pivot and one of the first `pivots`, until it excludes the object."""
    to_query = desk.memo
    for s in range(pivots):
        if bound > answer.reals[REACH]:
            break
        by_pair = ptolemaic(
            to_query[p], to_query[s], np.float64(row[p]), np.float64(row[s]), tree.between[p, s], answer.slack
        )
        bound = max(bound, by_pair)
    return bound


@expand.of(PtolemaicPivots)
def _(tree: PtolemaicPivots, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    refine_next(tree, space, query, answer, desk)


class PtolemaicTable(TableIndex):
    """Ptolemaic pivot table: fewer distances than LAESA with the same pivots, for metrics that obey the law.

    Best where a distance is dear: Euclidean distance in many dimensions, quadratic forms.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance; it must be Ptolemaic.
    pivots : int
        How many; more exclude more, and cost as many distances in every query.
    pairs : str
        Of pivots: ``"extreme"``, those that bound an object best as a rule, or ``"all"``, which saves a few
        more distances and takes much more time.
    selection : str
        How the pivots are chosen, one of ``metricspace.pivots.STRATEGIES``.
    seed : int
        Where the choice of pivots comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Hetland, Ptolemaic indexing, arXiv:0911.4384, 2009; Journal of Computational Geometry 6, 2015.
    Hetland, Skopal, Lokoč, Beecks, Ptolemaic access methods: challenging the reign of the metric space model,
    Information Systems 38, 2013.
    """

    key = "ptolemaic"
    arrays = PtolemaicPivots
    needs = "ptolemaic"

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        pivots: int = 32,
        pairs: str = "extreme",
        selection: str = "hfi",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, pivots=pivots, selection=selection, seed=seed, max_bytes=max_bytes)
        self.pairs = one_of("pairs", pairs, ("extreme", "all"))

    def _without_rows(self, pivots: Positions, construction: Construction) -> PtolemaicPivots:
        between = measured(construction, pivots, pivots, np.empty((len(pivots), len(pivots))))
        rows = np.zeros((0, len(pivots)), np.float32)
        return PtolemaicPivots(pivots, np.zeros(0, np.uint8), between, rows, self.pairs == "all")
