"""Lower bounds on a distance from distances that are already known (the book, section 1.7).

Each bound gives way by a slack that covers the rounding of the distances it is made from, so that
pruning by ``bound > radius`` never loses an object. The slack scales with those distances and not
with the radius: a reference point that is far away makes every bound coarse, however small the ball.

A stored distance is infinite where it was too great for a float32. A bound made from it may be no number, and
excludes nothing: ``max(bound, it)`` is the bound that there was, and ``it > bound`` is false.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .kernels import Array, kernel

# What excluded a region or an object, as places of a tally.
SHRUNK, OWN, OBJECT_PIVOT, RANGE_PIVOT, DOUBLE_PIVOT, PLANAR, PTOLEMAIC, SIMPLEX, BOX, CODES = range(10)
REASONS = (
    "a radius that shrank",
    "the metric's own bound",
    "object-pivot",
    "range-pivot",
    "double-pivot",
    "planar",
    "Ptolemaic",
    "simplex",
    "box",
    "codes",
)


class Slack(NamedTuple):
    """How far a computed distance may lie from the true one: relative · distance + absolute."""

    relative: float
    absolute: float


@kernel
def allowance(slack: Slack, reach: float) -> float:
    """Return the most by which a sum of distances of total length `reach` may be wrong."""
    return slack.relative * reach + slack.absolute


@kernel
def object_pivot(to_query: float, to_object: float, slack: Slack) -> float:
    """d(q, o) ≥ |d(q, p) − d(p, o)|, for a pivot p."""
    return abs(to_query - to_object) - allowance(slack, to_query + to_object)


@kernel
def object_pivot_above(to_query: float, to_object: float, slack: Slack) -> float:
    """d(q, o) ≤ d(q, p) + d(p, o), for a pivot p: as all three are computed."""
    reach = to_query + to_object
    return reach + 3 * allowance(slack, reach)


@kernel
def raise_bounds(bounds: Array, to_objects: Array, to_query: float, slack: Slack) -> None:
    """Raise the bounds of several objects to those by a pivot whose distances to them are stored."""
    for j in range(to_objects.shape[0]):
        bounds[j] = max(bounds[j], object_pivot(to_query, np.float64(to_objects[j]), slack))


@kernel
def range_pivot(to_query: float, least: float, most: float, slack: Slack) -> float:
    """d(q, o) ≥ max(least − d(q, p), d(q, p) − most), where least ≤ d(p, o) ≤ most."""
    inner = least - to_query - allowance(slack, least + to_query)
    outer = to_query - most - allowance(slack, to_query + most)
    return max(outer, inner)


@kernel
def widen(band: Array, d: float) -> None:
    """Make a band of distances, ``[least, most]``, hold another one; an empty one is [∞, −∞]."""
    band[0], band[1] = min(band[0], d), max(band[1], d)


@kernel
def pivot_ball(to_query: float, to_pivot: float, cover: float, slack: Slack) -> float:
    """d(q, o) ≥ |d(q, p) − d(p, c)| − cover, for every o in the ball of that radius about c."""
    return abs(to_query - to_pivot) - cover - allowance(slack, to_query + to_pivot + cover)


@kernel
def double_pivot(to_near: float, to_far: float, slack: Slack) -> float:
    """d(q, o) ≥ (d(q, near) − d(q, far)) / 2, where o is no nearer to `far` than to `near`.

    The object's own distances were rounded, too, and their sum is at most twice `to_near` where this matters.
    """
    return (to_near - to_far - allowance(slack, 3 * to_near + to_far)) / 2


# --- bounds that need more than the triangle inequality ----------------------------------------------


@kernel
def project(
    to_first: float, to_second: float, between: float, slack: Slack
) -> tuple[float, float, float, float]:
    """Return where an object lies in the half plane through two pivots: least and greatest x, then y.

    The pivots lie on the x-axis, a half of the distance `between` them to either side of the origin. The
    intervals cover what rounding may do; where the pivots are too close to say anything, or the squares of
    distances too great to be numbers, they have no end.
    """
    wrong, first = allowance(slack, between), allowance(slack, to_first)
    if not between > 4 * wrong:
        return -np.inf, np.inf, 0.0, np.inf
    x, x_wrong = abscissa(to_first, to_second, between, slack)
    leg = abs(x + between / 2)
    leg_wrong = x_wrong + wrong / 2
    height = to_first * to_first - leg * leg
    height_wrong = first * (2 * to_first + first) + leg_wrong * (2 * leg + leg_wrong)
    if not abs(height) + height_wrong < np.inf:
        return -np.inf, np.inf, 0.0, np.inf
    lowest, highest = math.sqrt(max(height - height_wrong, 0.0)), math.sqrt(max(height + height_wrong, 0.0))
    return x - x_wrong, x + x_wrong, lowest, highest


@kernel
def abscissa(to_first: float, to_second: float, between: float, slack: Slack) -> tuple[float, float]:
    """Return where an object lies along the line through two pivots, and how wrong that may be."""
    wrong, first, second = allowance(slack, between), allowance(slack, to_first), allowance(slack, to_second)
    x = (to_first - to_second) * (to_first + to_second) / (2 * between)
    squares = 2 * (to_first * first + to_second * second) + first * first + second * second
    return x, (squares / 2 + abs(x) * wrong) / (between - wrong)


@kernel
def cover(box: Array, spot: tuple[float, float, float, float]) -> None:
    """Enlarge a box of the half plane, ``[least x, greatest x, least y, greatest y]``, to hold an object."""
    box[0], box[1] = min(box[0], spot[0]), max(box[1], spot[1])
    box[2], box[3] = min(box[2], spot[2]), max(box[3], spot[3])


@kernel
def planar(box: Array, spot: tuple[float, float, float, float], slack: Slack) -> float:
    """d(q, o) ≥ the distance in the half plane of two pivots of q from a box that holds o.

    Of four points, two of them pivots, the others can be laid into one half plane through the pivots without
    moving apart, if the metric has the four-point property (Connor, Vadicamo, Cardillo, Rabitti 2017). Bounds
    on x alone are those of Hilbert exclusion.
    """
    x = max(box[0] - spot[1], spot[0] - box[1], 0.0)
    y = max(box[2] - spot[3], spot[2] - box[3], 0.0)
    if x == np.inf or y == np.inf:
        return np.inf  # nothing is in the box
    apart = math.sqrt(x * x + y * y)
    return apart - allowance(slack, 2 * apart)


@kernel
def hilbert(to_near: float, to_far: float, between: float, reach: float, slack: Slack) -> float:
    """d(q, o) ≥ (d(q, near)² − d(q, far)²) / 2 d(near, far), where o is no nearer to `far` than to `near`.

    Hilbert exclusion (Connor, Cardillo, Vadicamo, Rabitti 2017), for objects up to `reach` from `near`: where
    the pivots are close together, rounding may have put one that far from them well beyond the hyperplane.
    """
    wrong = allowance(slack, between)
    if not between > 4 * wrong:
        return -np.inf
    x, x_wrong = abscissa(to_near, to_far, between, slack)
    beyond = allowance(slack, 2 * reach) * 2 * reach / (between - wrong)
    bound = x - x_wrong - beyond
    return bound - allowance(slack, 2 * abs(bound))


@kernel
def ptolemaic(
    to_first: float, to_second: float, first_to: float, second_to: float, between: float, slack: Slack
) -> float:
    """d(q, o) ≥ |d(q, p) d(o, s) − d(q, s) d(o, p)| / d(p, s), for pivots p and s (Hetland 2009).

    `to_first` and `to_second` are of the query, `first_to` and `second_to` of the object.
    """
    if not between > 0.0:
        return 0.0
    apart = abs(to_first * second_to - to_second * first_to)
    wrong = product_allowance(to_first, second_to, slack) + product_allowance(to_second, first_to, slack)
    bound = (apart - wrong) / (between + allowance(slack, between))
    return bound - allowance(slack, 2 * bound)


@kernel
def product_allowance(a: float, b: float, slack: Slack) -> float:
    """Return the most by which the product of two distances may be wrong."""
    a_wrong, b_wrong = allowance(slack, a), allowance(slack, b)
    return a * b_wrong + b * a_wrong + a_wrong * b_wrong
