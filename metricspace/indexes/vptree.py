"""Vantage point tree (Yianilos 1993; Uhlmann 1991): ball partitioning, with leaves filtered by the path.

Idea
    A node has a vantage object and divides the others into the nearer half and the farther half by their
    distances to it. A query measures the vantage object, and visits a half only if the ball about the
    query reaches the band of distances that the half occupies.

Arrays, invariants
    Those of `metricspace.families.vantage`: one tree, with two parts to a node.
"""

from __future__ import annotations

from typing import Any

from ..construction import Construction
from ..families.vantage import VantageIndex, VantageNodes
from ..ids import Positions
from ..laws import sharpest


class VPTree(VantageIndex):
    """Vantage point tree: balanced, static, a good first choice for any metric.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    leaf_size : int
        Objects that a leaf may hold, at least 1. Large leaves save distances where few values occur.
    paths : int
        Ancestors whose distances filter the objects of a leaf.
    bounds : str
        ``"triangle"``, ``"four-point"``, which the metric must then have, or ``"auto"``. On 10,000 learned
        vectors of 64 dimensions the four-point bounds measure a sixth fewer distances and take three times
        as long, so ``"auto"`` is the triangle. Ask for the others where a distance is dear, such as
        Jensen-Shannon's.
    seed : int
        Where the choice of vantage objects comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Yianilos, Data structures and algorithms for nearest neighbor search in general metric spaces, SODA 1993.

    Connor, Vadicamo, Cardillo, Rabitti, Supermetric search, Information Systems 80, 2019.
    """

    key = "vptree"
    specialised = True

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        leaf_size: int = 32,
        paths: int = 6,
        bounds: str = "auto",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(
            metric, leaf_size=leaf_size, paths=paths, bounds=bounds, seed=seed, max_bytes=max_bytes
        )

    def _build(self, construction: Construction) -> tuple[VantageNodes, Positions]:
        bounds = "triangle" if self.bounds == "auto" else self.bounds
        return self._grown(construction, sharpest(bounds, self.metric, "four-point"))
