"""Monotonous bisector tree (Noltemeier, Verbarg, Zirkelbach 1992): each node inherits one of its two centres.

Idea
    A bisector tree in which the centre of a side is also the first of the two centres within that side. It
    is measured once on the way down: every node but the root costs a query a single distance, and so it
    costs an object when the tree is built. An object that leaves for the new centre is nearer to it than to
    the old one, so covering radii can only shrink from the root to the leaves.

Arrays and invariants
    Those of `domains`, with two centres, the first inherited, and covering radii.
"""

from __future__ import annotations

from ..families.domains import DomainTree


class MonotonousBisectorTree(DomainTree):
    """Monotonous bisector tree: a bisector tree that measures one object at a node instead of two.

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
    Noltemeier, Verbarg, Zirkelbach, Monotonous bisector* trees: a tool for efficient partitioning of complex
    scenes of geometric objects, Data Structures and Efficient Algorithms, LNCS 594, 1992.
    """

    key = "monotonous"
    inherits = True
