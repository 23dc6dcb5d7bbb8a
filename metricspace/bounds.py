"""Lower bounds on a distance from distances that are already known (the book, section 1.7).

Each bound gives way by a slack that covers the rounding of the distances it is made from, so that
pruning by ``bound > radius`` never loses an object. The slack scales with those distances and not
with the radius: a reference point that is far away makes every bound coarse, however small the ball.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .kernels import Array, kernel


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
def raise_bounds(bounds: Array, to_objects: Array, to_query: float, slack: Slack) -> None:
    """Raise the bounds of several objects to those by a pivot whose distances to them are stored."""
    for j in range(to_objects.shape[0]):
        bounds[j] = max(bounds[j], object_pivot(to_query, np.float64(to_objects[j]), slack))


@kernel
def range_pivot(to_query: float, least: float, most: float, slack: Slack) -> float:
    """d(q, o) ≥ max(least − d(q, p), d(q, p) − most), where least ≤ d(p, o) ≤ most."""
    inner = least - to_query - allowance(slack, least + to_query)
    outer = to_query - most - allowance(slack, to_query + most)
    return max(inner, outer)


@kernel
def pivot_ball(to_query: float, to_pivot: float, cover: float, slack: Slack) -> float:
    """d(q, o) ≥ |d(q, p) − d(p, c)| − cover, for every o in the ball of that radius about c."""
    return abs(to_query - to_pivot) - cover - allowance(slack, to_query + to_pivot + cover)


@kernel
def double_pivot(to_near: float, to_far: float, slack: Slack) -> float:
    """d(q, o) ≥ (d(q, near) − d(q, far)) / 2, where o is no nearer to `far` than to `near`."""
    return (to_near - to_far - allowance(slack, to_near + to_far)) / 2
