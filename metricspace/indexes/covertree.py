"""Cover tree (Beygelzimer, Kakade, Langford 2006), simplified (Izbicki, Shelton 2015): nested balls by level.

Idea
    A node on level l answers for a ball of radius base to the power of l, and its children for balls of the
    next level. An object goes below the nearest child whose ball holds it; if none does, it becomes a child.
    So siblings are far apart, each node has few of them where the intrinsic dimension is low, and an object
    is found near those that are like it.

Arrays
    Those of `descending`, and the ``level`` of each node. Searches use the actual covering radii, which are
    smaller than those of the levels.

Invariants
    A child's level is lower than its parent's by one or more: the root rises when an object lies outside of
    its ball. A node with all the children that it may have passes an object on to the nearest, even if its
    ball does not hold it. So levels shape the tree, and only the covering radii prove anything.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..answer import Answer
from ..arguments import whole_number
from ..errors import InvalidArgument
from ..families.descending import ObjectTree, begin_at_root, look_below, reach_out, stays
from ..kernels import Array
from ..traversal import Desk, begin, expand

LOWEST = -(2**40)  # the level of a root that is alone


class CoverNodes(NamedTuple):
    """The nodes, one an object. See `descending` for what is not said."""

    parent: Array
    child: Array
    last: Array
    next: Array
    equal: Array
    arity: Array
    to_parent: Array
    cover: Array
    ring: Array
    between: Array
    box: Array
    limit: int
    level: Array
    base: float


@begin.of(CoverNodes)
def _(tree: CoverNodes, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    begin_at_root(tree, space, query, answer, desk)


@expand.of(CoverNodes)
def _(tree: CoverNodes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    look_below(tree, node, space, query, answer, desk)


@reach_out.of(CoverNodes)
def _(tree: CoverNodes, d: float) -> None:
    if d > tree.base ** tree.level[0]:
        tree.level[0] = math.ceil(math.log(d) / math.log(tree.base))


@stays.of(CoverNodes)
def _(tree: CoverNodes, node: int, slot: int, d: float, nearest: int, to_nearest: float) -> bool:
    tree.level[slot] = tree.level[node] - 1
    outside = nearest < 0 or to_nearest > tree.base ** tree.level[nearest]
    return outside and tree.arity[node] < tree.limit


class CoverTree(ObjectTree):
    """Cover tree: dynamic, with balls that shrink from level to level; best in low intrinsic dimension.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    base : float
        By how much balls shrink from one level to the next, above 1.
    capacity : int
        Children that a node may have, at least 2: a limit where most distances are alike, as between sets.
    bounds : {"auto", "triangle", "four-point"}
        Exclude children by balls and rings alone, or also by their boxes in the half planes of a node and its
        children, as the four-point property allows; by default as the metric declares.
    seed : int
        Where the order of insertion comes from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Beygelzimer, Kakade, Langford, Cover trees for nearest neighbor, ICML 2006.

    Izbicki, Shelton, Faster cover trees, ICML 2015.
    """

    key = "covertree"
    arrays = CoverNodes

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        base: float = 1.6,
        capacity: int = 32,
        bounds: str = "auto",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        self.capacity = whole_number("capacity", capacity, 2)
        super().__init__(metric, self.capacity, bounds, seed, max_bytes)
        if isinstance(base, bool) or not isinstance(base, (int, float)) or not 1 < base < math.inf:
            raise InvalidArgument(f"expected base to be a number above 1, given {base!r}")
        self.base = float(base)

    def _apart(self, count: int) -> CoverNodes:
        return CoverNodes(**self._common(count), level=np.full(count, LOWEST), base=self.base)
