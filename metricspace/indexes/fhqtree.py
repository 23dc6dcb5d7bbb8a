"""Fixed-height fixed queries tree (Baeza-Yates, Cunto, Manber, Wu 1994): all leaves at one level.

Idea
    A fixed queries tree that goes on dividing where few objects are left, or one: the pivots of the lower
    levels have been measured anyway, or will be, and each excludes more of the objects for nothing but a walk
    down the tree. It excludes what a table of the same pivots would, with distances rounded to rings.

Arrays and invariants
    Those of `fixed_queries`, with ``leaf_size`` 0: each leaf is at the last level, and its objects lie in the
    same ring about each of the pivots.
"""

from __future__ import annotations

from typing import Any

from ..arguments import whole_number
from ..families.fixed_queries import FixedQueriesTree


class FHQTree(FixedQueriesTree):
    """Fixed-height queries tree: few distances, for metrics that are dear; as many pivots as it has levels.

    The pivots are chosen when the index is fitted: fit it to a fair sample of what is added later.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    height : int
        Levels, each with a pivot of its own: more exclude more, and cost as many distances in every query.
    arity : int
        About how many children a node has where distances are not whole numbers, at least 2; a whole distance
        has a child of its own.
    seed : int
        Where the choice of pivots comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Baeza-Yates, Cunto, Manber, Wu, Proximity matching using fixed-queries trees, Combinatorial Pattern
    Matching 1994.
    """

    key = "fhqtree"
    leaf_size = 0

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        height: int = 16,
        arity: int = 32,
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.height = whole_number("height", height, 1)
        self.arity = whole_number("arity", arity, 2)

    def _nodes(self, count: int) -> int:
        return 3 * count * self.height // 4  # the upper levels are shared
