"""n-simplex table (Connor, Vadicamo, Rabitti 2017): objects placed by their distances to pivots.

Idea
    Where a metric embeds into a Hilbert space, so do any pivots with any object: the pivots span a simplex,
    and the object is the apex above it, with coordinates in the span and a height. Heights of two objects
    may point anywhere, and the objects are nearest if they point the same way. So the distance of two
    apexes, both on one side, bounds that of the objects. No bound by these pivots alone is greater.

Base
    ``axes[k]`` makes axis k of the span from the vectors that lead from the first pivot to the others, in
    the way of Gram and Schmidt. With d_i the distances of an object to the pivots and D_0i those between the
    first and the others, x_k = Σ_i axes[k, i] (d_0² + D_0i² − d_i²) / 2. The pivot that stands highest above
    the span of those before it comes next; pivots that hardly stand above it are dropped, as they tell
    nothing new.

Arrays
    ``table[slot]`` holds, in float32 and in multiples of `unit`, the coordinates of an object, the least and
    the greatest height that it may have, and how far the coordinates may be wrong.

Rounding
    Any numbers serve as axes. `skew` bounds how far the axes that they make of the true pivots are from
    orthonormal: the spectral norm of their Gram matrix less the identity. A squared distance may be wrong by
    w(d) = 2 d a + a², with a the error of d; a coordinate by Σ_i |axes[k, i]| (w(d_0) + w(d_i)) / 2. The
    errors of D_0i are the same for query and object; they count only where the height is made, by `lean`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..answer import Answer
from ..bounds import SIMPLEX, allowance
from ..construction import Construction
from ..families.tables import TableIndex, settle_row
from ..filtering import bound_all, lower_bound, measure_pivots, refine_next, upper_bound
from ..ids import Positions
from ..kernels import Array, kernel
from ..pivots import measured
from ..traversal import Desk, begin, expand

Reals = npt.NDArray[np.float64]

SKEW = 1e-4  # pivots are dropped whose axes might be farther from orthonormal: they would blur more than tell
# More than rounding to float32 does: as a share, and to what is below its least normal number.
SINGLE, TINY = 2.0**-23, 2.0**-148


class SimplexTable(NamedTuple):
    """The base simplex, and the apexes of the objects."""

    pivots: Array
    is_pivot: Array  # uint8 by slot
    axes: Array  # (pivots − 1, pivots − 1) float64, lower triangular
    edges: Array  # (pivots − 1,): distances of the first pivot from the others
    table: Array  # (objects, pivots + 2) float32
    unit: float  # the extent of the base
    relative: float  # how far a distance may be wrong, as a share
    absolute: float  # and beside that, in multiples of `unit`
    skew: float
    lean: float


@kernel
def wrong_square(tree: SimplexTable, d: float) -> float:
    """Return the most by which the square of a distance may be wrong."""
    wrong = tree.relative * d + tree.absolute
    return wrong * (2 * d + wrong)


@kernel
def place(tree: SimplexTable, distances: Array, apex: Array) -> None:
    """Find the apex of an object: its coordinates, least and greatest height, and how wrong they may be."""
    count = tree.edges.shape[0]
    first = distances[0] / tree.unit
    first_wrong = wrong_square(tree, first)
    square = blur = 0.0
    for k in range(count):
        x = x_wrong = 0.0
        for i in range(k + 1):
            d, edge = distances[i + 1] / tree.unit, tree.edges[i]
            x += tree.axes[k, i] * ((first - d) * (first + d) + edge * edge)
            rounding = tree.relative * (edge * edge)
            x_wrong += abs(tree.axes[k, i]) * (first_wrong + wrong_square(tree, d) + rounding)
        apex[k] = x / 2
        square += apex[k] * apex[k]
        blur += x_wrong * x_wrong / 4
    norm, blur = math.sqrt(square), math.sqrt(blur)
    # The height completes the coordinates to the distance from the first pivot.
    most, least = norm + blur + tree.lean, max(norm - blur - tree.lean, 0.0)
    away = tree.relative * first + tree.absolute
    low = max(first - away, 0.0) * max(first - away, 0.0) - most * most / (1 - tree.skew)
    high = (first + away) * (first + away) - least * least / (1 + tree.skew)
    if not high < np.inf:  # squares may overflow for what is very far away
        low, high = 0.0, np.inf
    apex[count] = math.sqrt(max(low, 0.0)) * (1 - SINGLE)
    apex[count + 1] = math.sqrt(max(high, 0.0)) * (1 + SINGLE) + TINY
    apex[count + 2] = (blur + SINGLE * norm) * (1 + SINGLE) + (count + 1) * TINY  # they are kept in float32


@settle_row.of(SimplexTable)
def _(tree: SimplexTable, slot: int, distances: Array) -> None:
    pivots = tree.pivots.shape[0]
    apex = distances[pivots : 2 * pivots + 2]
    place(tree, distances, apex)
    for k in range(pivots + 2):
        tree.table[slot, k] = apex[k]


@begin.of(SimplexTable)
def _(tree: SimplexTable, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if measure_pivots(tree.pivots, space, query, answer, desk):
        pivots = tree.pivots.shape[0]
        place(tree, desk.memo, desk.memo[pivots : 2 * pivots + 2])
        bound_all(tree, space, query, answer, desk)


@kernel
def across(tree: SimplexTable, slot: int, desk: Desk) -> float:
    """Return how far apart the query and an object are in the span."""
    count = tree.edges.shape[0]
    asked, row = desk.memo[count + 1 :], tree.table[slot]
    square = 0.0
    for k in range(count):
        x = asked[k] - np.float64(row[k])
        square += x * x
    return math.sqrt(square)


@lower_bound.of(SimplexTable)
def _(tree: SimplexTable, slot: int, answer: Answer, desk: Desk) -> tuple[float, int]:
    count = tree.edges.shape[0]
    asked, row = desk.memo[2 * count + 1 : 2 * count + 4], tree.table[slot, count:]
    flat = max(across(tree, slot, desk) - asked[2] - np.float64(row[2]), 0.0)
    high = max(asked[0] - np.float64(row[1]), np.float64(row[0]) - asked[1], 0.0)
    apart = tree.unit * math.sqrt(flat * flat / (1 + tree.skew) + high * high)
    if not apart < np.inf:
        return 0.0, SIMPLEX
    return apart - allowance(answer.slack, 2 * apart), SIMPLEX


@upper_bound.of(SimplexTable)
def _(tree: SimplexTable, slot: int, answer: Answer, desk: Desk) -> float:
    count = tree.edges.shape[0]
    asked, row = desk.memo[2 * count + 1 : 2 * count + 4], tree.table[slot, count:]
    flat = across(tree, slot, desk) + asked[2] + np.float64(row[2])
    high = asked[1] + np.float64(row[1])
    apart = tree.unit * math.sqrt(flat * flat / (1 - tree.skew) + high * high)
    return apart + allowance(answer.slack, 2 * apart) if apart < np.inf else np.inf


@expand.of(SimplexTable)
def _(tree: SimplexTable, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    refine_next(tree, space, query, answer, desk)


class Base(NamedTuple):
    """A base simplex that is being made; distances are in multiples of its extent."""

    chosen: list[int]  # which pivots, the first one aside
    axes: Reals
    skew: float
    lean: float


def base_of(between: Reals, wrong: Reals, unit_roundoff: float) -> Base:
    """Return the base made of those pivots that stand clear of the others.

    Parameters
    ----------
    between, wrong : array, shape (pivots, pivots)
        Distances between the pivots, and the most by which their squares may be wrong.
    unit_roundoff : float
        A bound on the relative rounding of the sums that are made.
    """
    squares = between**2
    gram = (squares[:1, 1:].T + squares[0, 1:] - squares[1:, 1:]) / 2
    gram_wrong = (wrong[:1, 1:].T + wrong[0, 1:] + wrong[1:, 1:]) / 2
    count = len(gram)
    axes, chosen = np.zeros((count, count)), list[int]()
    shadows = np.zeros((count, count))  # the coordinates of each pivot on the axes so far
    base = Base([], np.zeros((0, 0)), 0.0, 0.0)
    heights = np.diagonal(gram).copy()
    while len(chosen) < count:
        k, highest = len(chosen), int(heights.argmax())
        if not heights[highest] > 0:
            break
        shadow = shadows[highest, :k]
        row = np.append(-shadow @ axes[:k, :k], 1.0) / np.sqrt(heights[highest])
        chosen.append(highest)
        axes[k, : k + 1] = row
        made = axes[: k + 1, : k + 1]
        sizes, part = np.abs(made), np.ix_(chosen, chosen)
        uneven = np.abs(made @ gram[part] @ made.T - np.eye(k + 1))
        uneven += sizes @ (gram_wrong[part] + unit_roundoff * np.abs(gram[part])) @ sizes.T
        skew = float(uneven.sum(axis=1).max())
        if not skew <= SKEW:
            break
        lean = float(np.linalg.norm(sizes @ wrong[0, 1:][chosen]) / 2)
        base = Base(chosen.copy(), made.copy(), skew, lean)
        shadows[:, k] = gram[:, chosen] @ row
        heights = heights - shadows[:, k] ** 2
        heights[chosen] = 0.0
    return base


class NSimplex(TableIndex):
    """n-simplex table: the sharpest bounds that pivots give, for metrics that embed into a Hilbert space.

    Best where a distance is dear, or where the data have few dimensions, whatever their coordinates have.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance; it must be isometric to a subset of a Hilbert space.
    pivots : int
        How many at most; those that nearly depend on others are dropped. More exclude more, and cost as many
        distances in every query.
    selection : str
        How the pivots are chosen, one of ``metricspace.pivots.STRATEGIES``.
    seed : int
        Where the choice of pivots comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Connor, Vadicamo, Rabitti, High-dimensional simplexes for supermetric search, SISAP 2017.
    Connor, Vadicamo, Cardillo, Rabitti, Supermetric search, Information Systems 80, 2019.
    """

    key = "simplex"
    arrays = SimplexTable
    needs = "hilbert"

    def _without_rows(self, pivots: Positions, construction: Construction) -> SimplexTable:
        count = len(pivots)
        between = measured(construction, pivots, pivots, np.empty((count, count)))
        extent = float(between[0].max())
        # A power of two scales without rounding.
        unit = 2.0 ** math.floor(math.log2(extent)) if extent > 0 else 1.0
        error = construction.bound.error
        rounding = (count + 8) * 2.0**-50  # of all sums that are made
        relative, absolute = error.relative + rounding, error.absolute / unit
        between /= unit
        wrong = relative * between + absolute
        with np.errstate(all="ignore"):  # where distances vanish against their errors, no pivot is kept
            base = base_of(between, wrong * (2 * between + wrong), rounding)
        kept = pivots[[0, *(1 + other for other in base.chosen)]]
        edges = between[0, 1:][base.chosen]
        table = np.zeros((0, len(kept) + 2), np.float32)
        return SimplexTable(
            kept, np.zeros(0, np.uint8), base.axes, edges, table,
            unit, relative, absolute, base.skew, base.lean,
        )  # fmt: skip

    def _bytes(self, count: int) -> int:
        return super()._bytes(count) + 8 * count
