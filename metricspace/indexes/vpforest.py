"""Excluded middle vantage point forest (Yianilos 1999): what lies near a division goes into another tree.

Idea
    A query visits both halves of a vantage point tree where its ball reaches across the division. Here
    each node leaves out a shell of width 2ρ about its median distance. What all nodes of a tree leave
    out makes the next tree, and so on. A ball of radius ρ or less then goes down one path in each tree; a
    larger ball goes down several.

Arrays, invariants
    Those of `metricspace.families.vantage`: trees with two parts to a node, and an excluded middle between
    them. Every object is in one tree. The distances of the two parts of a node to its vantage object differ
    by 2ρ, or by less where more than half of the objects would be left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import positive_number
from ..construction import Construction
from ..families.vantage import VantageIndex, VantageNodes
from ..ids import Positions
from ..laws import sharpest

MIDDLE = 0.05  # share that is left out where no radius is given: more trees than this allows cost more
MOST = 0.5  # share that is left out at most, so that a tree takes many objects however large the radius


class VPForest(VantageIndex):
    """Excluded middle vantage point forest: queries of a small radius that is known take one path a tree.

    Its promise is about the worst query; on average a VP-tree measures fewer distances.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    rho : float, optional
        The radius, in units of the metric, up to which a query goes down one path in each tree. A larger one
        makes more trees. By default a twentieth of the objects is left out at each node, however far apart.
    leaf_size : int
        Objects that a leaf may hold, at least 1.
    paths : int
        Ancestors whose distances filter the objects of a leaf.
    bounds : str
        ``"triangle"``, ``"four-point"``, or ``"auto"``, the sharpest that the metric allows.
    seed : int
        Where the choice of vantage objects comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Yianilos, Excluded middle vantage point forests for nearest neighbor search, DIMACS Implementation
    Challenge, ALENEX 1999.
    """

    key = "vpforest"

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        rho: float | None = None,
        leaf_size: int = 32,
        paths: int = 6,
        bounds: str = "auto",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(
            metric, leaf_size=leaf_size, paths=paths, bounds=bounds, seed=seed, max_bytes=max_bytes
        )
        self.rho = None if rho is None else positive_number("rho", rho)

    def _build(self, construction: Construction) -> tuple[VantageNodes, Positions]:
        bounds = sharpest(self.bounds, self.metric, "four-point")
        if self.rho is None:
            return self._grown(construction, bounds, middle=MIDDLE, width=np.inf)
        return self._grown(construction, bounds, middle=MOST, width=2 * self.rho)
