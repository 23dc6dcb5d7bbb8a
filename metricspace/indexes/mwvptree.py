"""Multi-way vantage point tree (Bozkaya, Özsoyoğlu 1997; Yianilos 1993): a ball cut into many shells.

Idea
    A node divides its objects by their distances to its vantage object into `arity` parts of equal size.
    Each part is a shell, of which the least and greatest distance are kept. The higher the arity, the fewer
    vantage objects a query measures on its way to a leaf; but the thinner the shells, the more of them its
    ball reaches into.

Arrays, invariants
    Those of `metricspace.families.vantage`: one tree, with `arity` parts to a node.
"""

from __future__ import annotations

from typing import Any

from ..arguments import whole_number
from ..construction import Construction
from ..families.vantage import VantageIndex, VantageNodes
from ..ids import Positions
from ..laws import sharpest


class MultiwayVPTree(VantageIndex):
    """Multi-way vantage point tree: flatter than a VP-tree, and built with half its distances.

    Best where distances are dear and few values occur, as those of strings.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    arity : int
        Parts of a node, at least 2.
    leaf_size : int
        Objects that a leaf may hold, at least 1; a leaf may hold as few as ``leaf_size / arity``.
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
    Bozkaya, Özsoyoğlu, Distance-based indexing for high-dimensional metric spaces, SIGMOD 1997.

    Yianilos, Data structures and algorithms for nearest neighbor search in general metric spaces, SODA 1993.
    """

    key = "mwvptree"

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        arity: int = 4,
        leaf_size: int = 32,
        paths: int = 6,
        bounds: str = "auto",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(
            metric, leaf_size=leaf_size, paths=paths, bounds=bounds, seed=seed, max_bytes=max_bytes
        )
        self.arity = whole_number("arity", arity, 2)

    def _build(self, construction: Construction) -> tuple[VantageNodes, Positions]:
        return self._grown(construction, sharpest(self.bounds, self.metric, "four-point"), self.arity)
