"""What pivot tables have in common: chosen pivots, and a row of numbers for each object that can be added."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .arguments import one_of, whole_number
from .construction import Construction
from .dynamic import DynamicIndex
from .ids import Positions
from .pivots import STRATEGIES, choose
from .traversal import Desk, make_desk


class TableIndex(DynamicIndex):
    """An index that bounds every object by pivots before it measures any; see `filtering`.

    Its arrays have ``pivots``, and ``is_pivot`` by slot.
    """

    by_slot: ClassVar[tuple[str, ...]] = ("is_pivot", "table")  # arrays that have a row for each object

    def __init__(
        self,
        metric: Any = "euclidean",
        *,
        pivots: int = 32,
        selection: str = "hfi",
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(metric, seed=seed, max_bytes=max_bytes)
        self.pivots = whole_number("pivots", pivots, 1)
        self.selection = one_of("selection", selection, tuple(STRATEGIES))

    # What a table brings.

    def _without_rows(self, pivots: Positions, construction: Construction) -> Any:
        """Return the arrays of a table of these pivots, or of some of them, without any object."""
        raise NotImplementedError

    def _fill(self, tree: Any, slots: Positions, construction: Construction) -> None:
        """Fill the rows of these slots, which follow one another."""
        raise NotImplementedError

    # What follows.

    def _build(self, construction: Construction) -> tuple[Any, None]:
        pivots = choose(construction, self.selection, self.pivots)
        tree = self._extended(self._without_rows(pivots, construction), construction.count)
        tree.is_pivot[tree.pivots] = 1
        self._fill(tree, np.arange(construction.count), construction)
        return tree, None

    def _extended(self, tree: Any, count: int) -> Any:
        rows = {name: getattr(tree, name) for name in self.by_slot}
        longer = {name: np.pad(old, [(0, count), (0, 0)][: old.ndim]) for name, old in rows.items()}
        return tree._replace(**longer)

    def _insert(self, tree: Any, slots: Positions, construction: Construction) -> Any:
        if slots[0] < self.pivots:  # there were too few objects to choose from
            return self._build(construction)[0]
        self._fill(tree, slots, construction)
        return tree

    def _bytes(self, count: int) -> int:
        return count * (4 * self.pivots + 9)

    def _desk(self) -> Desk:
        # Browsing may hold the measured pivots beside the pool.
        pivots = len(self._tree.pivots)
        return make_desk(pivots + 2, 2 * pivots, len(self._tree.is_pivot))
