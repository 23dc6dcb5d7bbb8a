"""What pivot tables have in common: chosen pivots, and a row of numbers for each object that can be added.

A table says what it makes of the distances of an object to its references (`settle_row`), and the rest
follows: all rows are filled by one kernel, when the table is built and when objects are added.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..arguments import one_of, whole_number
from ..construction import COST, DONE, Construction
from ..dynamic import DynamicIndex
from ..ids import Positions
from ..kernels import Array, generic, kernel
from ..pivots import STRATEGIES, choose
from ..space import Room, estimate, prepare
from ..traversal import Desk, make_desk


@generic
def settle_row(table: Any, slot: int, distances: Array) -> Any:
    """Fill the row of an object from its distances to the references of the table.

    Behind these there are as many places again, and two, for scratch.
    """


@kernel
def fill_rows(
    table: Any,
    references: Array,
    space: Any,
    slots: Array,
    distances: Array,
    room: Room,
    state: Array,
    patience: int,
) -> bool:
    """Fill the rows of ``slots[state[DONE]:]`` until all are filled or `patience` distances are computed."""
    enough = state[COST] + patience
    while state[DONE] < slots.shape[0] and state[COST] < enough:
        slot = slots[state[DONE]]
        query = prepare(space, space, slot, room)
        for i in range(references.shape[0]):
            distances[i] = estimate(space, references[i], query)
        if room.fault[0] != 0:
            return False
        state[COST] += references.shape[0]
        settle_row(table, slot, distances)
        state[DONE] += 1
    return state[DONE] == slots.shape[0]


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

    def _references(self, tree: Any) -> Positions:
        """Return the objects to which every other one is measured."""
        return tree.pivots

    # What follows.

    def _build(self, construction: Construction) -> tuple[Any, None]:
        pivots = choose(construction, self.selection, self.pivots)
        tree = self._extended(self._without_rows(pivots, construction), construction.count)
        tree.is_pivot[tree.pivots] = 1
        return self._filled(tree, np.arange(construction.count), construction), None

    def _extended(self, tree: Any, count: int) -> Any:
        rows = {name: getattr(tree, name) for name in self.by_slot}
        longer = {name: np.pad(old, [(0, count), (0, 0)][: old.ndim]) for name, old in rows.items()}
        return tree._replace(**longer)

    def _insert(self, tree: Any, slots: Positions, construction: Construction) -> Any:
        if slots[0] < self.pivots:  # there were too few objects to choose from
            return self._build(construction)[0]
        return self._filled(tree, slots, construction)

    def _filled(self, tree: Any, slots: Positions, construction: Construction) -> Any:
        references = self._references(tree)
        distances = np.zeros(2 * len(references) + 2)
        construction.state[DONE] = 0
        construction.run(
            lambda: fill_rows(
                tree, references, construction.space, slots, distances,
                construction.room, construction.state, construction.patience,
            )
        )  # fmt: skip
        return tree

    def _bytes(self, count: int) -> int:
        return count * (4 * self.pivots + 9)

    def _desk(self) -> Desk:
        # Browsing may hold the measured pivots beside the pool. The memo has room as `settle_row` has.
        pivots = len(self._tree.pivots)
        return make_desk(pivots + 2, 2 * pivots + 2, len(self._tree.is_pivot))
