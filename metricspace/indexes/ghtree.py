"""Generalised hyperplane tree (Uhlmann 1991): two pivots, and each object on the side of the nearer.

Idea
    The objects nearer to the first pivot and those nearer to the second are divided by a hyperplane, so
    to speak. A query on one side need look at the other only if its ball reaches across: half the
    difference of its distances to the two pivots bounds the distance to every object beyond. In a Hilbert
    space the hyperplane is one, and farther than that: both sides have their box in the half plane of
    the pivots (Connor, Vadicamo, Cardillo, Rabitti 2017).

Arrays and invariants
    Those of `domains`, with two centres, which no node inherits, and without covering radii.
"""

from __future__ import annotations

from ..families.domains import DomainTree


class GHTree(DomainTree):
    """Generalised hyperplane tree: divides by nearness to two pivots; needs no stored distances.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    leaf_size : int
        Objects that a leaf may hold, at least 2.
    bounds : {"auto", "triangle", "four-point"}
        What excludes a side: the hyperplane alone, or also its box in the half plane of the two pivots,
        which needs a metric with the four-point property; ``"auto"`` the sharpest that the metric allows.
    seed : int
        Where the choice of pivots comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Uhlmann, Satisfying general proximity/similarity queries with metric trees, Information Processing
    Letters 40, 1991.

    Connor, Vadicamo, Cardillo, Rabitti, Supermetric search with the four-point property, SISAP 2016.
    """

    key = "ghtree"
    covers = False
