"""Bisector tree (Kalantari & McDonald 1983): two centres, each with the ball that covers its objects.

Idea
    Each object goes below the nearer of two centres, and each side knows how far its objects reach. A query
    visits a side only if its own ball meets that of the side; the two balls may overlap although the objects
    do not.

Arrays and invariants
    Those of `domains`, with two centres, which no node inherits, and covering radii.
"""

from __future__ import annotations

from ..families.domains import DomainTree


class BisectorTree(DomainTree):
    """Bisector tree: divides by nearness to two centres and excludes by the balls that cover both sides.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    leaf_size : int
        Objects that a leaf may hold, at least 2.
    bounds : {"auto", "triangle", "four-point"}
        What excludes a side: its ball alone, or also its box in the half plane of the two centres, which
        needs a metric with the four-point property; ``"auto"`` the sharpest that the metric allows.
    seed : int
        Where the choice of centres comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Kalantari, McDonald, A data structure and an algorithm for the nearest point problem, IEEE Transactions
    on Software Engineering 9, 1983.
    """

    key = "bisector"
