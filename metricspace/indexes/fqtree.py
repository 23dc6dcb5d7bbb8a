"""Fixed queries tree (Baeza-Yates, Cunto, Manber, Wu 1994): one pivot for all nodes of a level.

Idea
    A Burkhard–Keller tree whose nodes of one level share their pivot. A query that visits many nodes of a
    level measures its pivot only once. Leaves hang where few objects are left, so that the tree is as deep as
    the data are dense.

Arrays and invariants
    Those of `fixed_queries`. A leaf with more than ``leaf_size`` objects is at the last level.
"""

from __future__ import annotations

from typing import Any

from ..arguments import whole_number
from ..families.fixed_queries import FixedQueriesTree


class FQTree(FixedQueriesTree):
    """Fixed queries tree: dynamic, for discrete metrics; each level's pivot is measured once for a query.

    The pivots are chosen when the index is fitted: fit it to a fair sample of what is added later.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    height : int
        The most levels, each with a pivot of its own.
    arity : int
        About how many children a node has where distances are not whole numbers, at least 2; a whole distance
        has a child of its own.
    leaf_size : int
        Objects that a leaf may hold before it is divided, at least 1.
    seed : int
        Where the choice of pivots comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Baeza-Yates, Cunto, Manber, Wu, Proximity matching using fixed-queries trees, Combinatorial Pattern
    Matching 1994.
    """

    key = "fqtree"

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        height: int = 32,
        arity: int = 16,
        leaf_size: int = 8,
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.height = whole_number("height", height, 1)
        self.arity = whole_number("arity", arity, 2)
        self.leaf_size = whole_number("leaf_size", leaf_size, 1)

    def _nodes(self, count: int) -> int:
        return 8 * count // (self.leaf_size + 1)
