"""Voronoi tree (Dehne & Noltemeier 1987): up to three centres, one of them inherited.

Idea
    A bisector tree of higher degree: below a domain its centre goes on as the first of three, two new ones
    join it, and each object goes to the nearest of them. So covering radii can only shrink from the root to
    the leaves, and a node costs two distances for three domains.

Arrays and invariants
    Those of `domains`, with three centres, the first inherited, and covering radii.
"""

from __future__ import annotations

from ..families.domains import DomainTree


class VoronoiTree(DomainTree):
    """Voronoi tree: three domains to a node, whose centres cost two distances.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    leaf_size : int
        Objects that a leaf may hold, at least 2.
    bounds : {"auto", "triangle", "four-point"}
        What excludes a domain: its ball alone, or also its boxes in the half planes of its centre with each
        of the others, which needs a metric with the four-point property; ``"auto"`` the sharpest that the
        metric allows.
    seed : int
        Where the choice of centres comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Dehne, Noltemeier, Voronoi trees and clustering problems, Information Systems 12, 1987.
    """

    key = "voronoi"
    centres = 3
    inherits = True
