"""Indexes that grow and shrink: what adding and removing have in common.

What is added or removed is prepared aside and adopted when it is whole: a failing metric or an interrupt
leaves the index as it was. Positions never change and are not given out again.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .construction import Construction
from .errors import InvalidArgument
from .ids import Positions
from .index import BaseIndex
from .objects import Objects
from .progress import shown
from .queries import reverse as reverse_neighbours


class DynamicIndex(BaseIndex):
    """An index to which objects can be added, and from which they can be removed."""

    # What a structure brings.

    def _extended(self, tree: Any, count: int) -> Any:
        """Return a copy of the structure's arrays that may be changed, with room for `count` more objects."""
        raise NotImplementedError

    def _insert(self, tree: Any, slots: Positions, construction: Construction) -> Any:
        """Insert the objects of these slots, which the arrays have places for, and return the arrays."""
        raise NotImplementedError

    def _drop(self, slots: Positions) -> None:
        """Take objects out of the structure, if it can; it is a copy, except for its arrays.

        Those of a structure that cannot go on leading the way to others, and are no answers any more.
        """

    # What follows.

    def add(self, objects: Any, ids: Any = None, *, progress: bool = False) -> Positions:
        """Insert objects.

        Parameters
        ----------
        objects, ids, progress
            As for ``fit``. Ids must be given exactly if they were given to ``fit``.

        Returns
        -------
        array of int64
            The positions of the objects, which follow those given out before.

        Raises
        ------
        MetricSpaceError
            If something cannot be used; the index is then as it was.
        """
        self._fitted()
        container = self._objects.extended(objects)
        first, count = len(self._objects), len(container) - len(self._objects)
        names = self._ids.extended(ids, count)
        slots = np.arange(first, first + count)
        if count == 0:
            return slots
        grown = copy.copy(self)
        grown._change(self._extended(self._tree, count), container, slots, progress)
        grown._objects, grown._ids = container, names
        grown._order = np.concatenate([self._order, slots])
        grown._forget()
        if self._reaches is not None:
            kept = np.pad(self._reaches.objects, ((0, 0), (0, count)), constant_values=-np.inf)
            grown._reaches = reverse_neighbours.Reaches.of(grown, kept)
            gained, cost = reverse_neighbours.having(grown, slots)
            grown.build_cost += cost
            grown._reach_anew(kept, np.concatenate([gained, slots]))
        self._become(grown)
        return slots

    def remove(self, ids: Any) -> None:
        """Remove objects; their positions are not given out again.

        Objects by which the structure finds its way go on serving that purpose, and their memory is kept:
        when most are gone, fit again.

        Parameters
        ----------
        ids : sequence of int or of str
            Ids of indexed objects, each once.

        Raises
        ------
        UnknownName
            If there is no object of an id; nothing is removed then.
        """
        self._fitted()
        positions = self._ids.find(ids)
        if len(np.unique(positions)) != len(positions):
            raise InvalidArgument("expected each id once: an object can be removed only once")
        slots = self._slots[positions]
        fewer = copy.copy(self)
        fewer._ids = self._ids.without(positions.tolist())
        fewer._forget()
        fewer._drop(slots)
        if self._reaches is not None:
            bereft, cost = reverse_neighbours.having(self, slots)
            fewer.build_cost += cost
            kept = self._reaches.objects.copy()
            kept[:, slots] = -np.inf
            fewer._reach_anew(kept, np.setdiff1d(bereft, slots))
        self._become(fewer)

    def _change(self, tree: Any, container: Objects, slots: Positions, progress: bool = False) -> None:
        """Adopt arrays into which slots of a container are inserted."""
        with shown("inserting", len(slots), progress) as show:
            bound = self._bind(container, container)
            construction = Construction(bound, self.seed, show)
            self._tree = self._insert(tree, slots, construction)
        self.build_cost += construction.cost
