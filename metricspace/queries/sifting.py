"""Range queries that are asked together: each goes through the structure in turns, and learns between them.

Idea
    In its turn a query opens nodes until it has computed so many distances. What lies below no waiting node
    then is decided for it: by bounds, or by the few objects that the structure measured on its way. The rest
    of the objects in the leaves are only noted. Whatever the queries have decided together is withdrawn from
    all of them: a node below which nothing is left is not opened any more, and where next to nothing is left,
    that is noted too. What all of them have left in the end is measured without the structure.

    That is the traversal of Ciaccia, Patella and Zezula, where a node is left out as soon as the bounds of
    all queries decide the predicate there, except that each query visits the nodes in an order of its own. So
    nothing is asked of a structure but which objects lie below its nodes, and nothing of a table.

Whose turn it is
    A query may cost more than it saves, where another must be asked of most objects and decides them alone.
    So turns are short at first, and later half as long as all that the query had before. Every query may try
    a small share of all distances. One that must be asked may go on in any case, others while they save
    distances, or have lost no more than a small part of the bill. Who saved most in the last turn goes first.

References
----------
Ciaccia, Patella, Zezula, Processing complex similarity queries with distance-based access methods, EDBT 1998.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..answer import COST, FOUND, NOTED
from ..ids import Positions
from ..traversal import POOL, REST, SIZE

if TYPE_CHECKING:
    from ..anatomy import Spans
    from ..batch import Batch
    from ..workers import Worker

Mask = npt.NDArray[np.bool_]  # by slot

# A structure finds its way by measuring some objects that need no decision, in a tree about one of sixteen.
# Where no more than that are undecided, it could save nothing.
WORTH_A_SEARCH = 16

_GROWTH = 1 / 2  # how long a turn is, as a share of the query's distances so far
_TRIAL, _SHARE = 4, 1 / 32  # distances that a query may try or lose: so many, and a share of all
_TO_THE_END = np.iinfo(np.int64).max // 2


class Sieve:
    """One query on its way through a structure.

    Attributes
    ----------
    begun : bool
        Whether it had a turn.
    price : int
        Distances that its first turn took, 0 before.
    gain : float
        Distances saved for each that was computed, in its last turn.
    loss : float
        Distances that have not paid since some last did.
    """

    def __init__(self, batch: Batch, row: int, spans: Spans) -> None:
        self.row, self._batch, self._spans = row, batch, spans
        self._mask = batch.masks[row]
        self.begun, self.price, self.gain, self.loss = False, 0, np.inf, 0.0

    @property
    def cost(self) -> int:
        """Distances computed so far."""
        return int(self._batch.wholes[self.row, COST])

    @property
    def waiting(self) -> bool:
        """Whether there is something left to open."""
        return not self.begun or self._worker.desk.wholes[SIZE] > 0

    def advance(self, wanted: Positions, distances: int) -> tuple[Positions, npt.NDArray[np.float64]]:
        """Go on for the objects in these slots alone, until so many distances or a few more are computed.

        Returns the slots and distances of objects that were found within reach.
        """
        self._keep(wanted)
        worker, before = self._worker, self._batch.wholes[self.row, FOUND]
        worker.desk.wholes[REST] = self.cost + distances
        self._batch.go_on(worker, self.row)
        self.begun = True
        self.price = self.price or self.cost
        found = slice(before, self._batch.wholes[self.row, FOUND])
        measured = np.array(worker.results.distances[found])  # its memory may be another's when this goes on
        return self._batch.index._slots[worker.results.positions[found]], measured

    def left(self) -> Mask:
        """Return which objects are neither measured, nor out of reach, nor withdrawn."""
        left = self._mask == NOTED
        desk = self._worker.desk
        if desk.wholes[POOL]:
            left[_slots(desk.pool_slots[: desk.wholes[POOL]])] = True
        elif desk.wholes[SIZE]:
            left |= (self._mask != 0) & self._below(desk.items[: desk.wholes[SIZE]])
        return left

    def _keep(self, slots: Positions) -> None:
        """Withdraw all other objects, and let the node with most of what is left come first."""
        wanted = np.zeros(len(self._mask), bool)
        wanted[slots] = True
        self._mask *= wanted
        desk = self._worker.desk
        size, pool = desk.wholes[SIZE], desk.wholes[POOL]
        if pool:
            kept = np.flatnonzero(wanted[_slots(desk.pool_slots[:pool])])
            kept = kept[np.argsort(desk.pool_keys[kept], kind="stable")]  # which makes a heap
            _move(desk.pool_keys, desk.pool_slots, kept)
            desk.wholes[POOL], desk.wholes[SIZE] = len(kept), min(len(kept), 1)
            desk.keys[0] = desk.pool_keys[0]
        elif size and len(self._spans.start):
            nodes = desk.items[:size]
            objects, count = self._spans.tally(nodes, wanted)
            few = count * WORTH_A_SEARCH <= objects
            self._mask[self._below(nodes[few]) & wanted] = NOTED
            kept = np.flatnonzero(~few)
            _move(desk.keys, desk.items, kept[np.argsort(count[kept], kind="stable")])
            desk.wholes[SIZE] = len(kept)

    def _below(self, nodes: Positions) -> Mask:
        """Return which objects may lie below some nodes."""
        if not len(self._spans.start):
            return np.ones(len(self._mask), bool)
        return self._spans.below(nodes)

    @functools.cached_property
    def _worker(self) -> Worker:
        return self._batch.worker(1024)


def _slots(pool: Positions) -> Positions:
    """Return the slots in a pool, where the complement of one may stand for it (see `filtering`)."""
    return np.maximum(pool, ~pool)


def _move(keys: npt.NDArray[np.float64], items: Positions, kept: Positions) -> None:
    """Put what is kept of two arrays into their first places."""
    keys[: len(kept)], items[: len(kept)] = keys[kept], items[kept]


def whose_turn(sieves: list[Sieve], wanted: set[int], due: dict[int, int]) -> tuple[Sieve, int] | None:
    """Return whose turn it is, and how many distances it may take; None if a turn could save nothing.

    Parameters
    ----------
    sieves : list of Sieve
        In the order in which they begin.
    wanted : set of int
        Queries of which some distance is wanted.
    due : dict of int to int
        How many distances of each query are to be computed next, if the structure spares none.
    """
    spent, price = sum(s.cost for s in sieves), max((s.price for s in sieves), default=0)
    most, total = max(due.values()), sum(due.values())
    worth = total > WORTH_A_SEARCH * price
    ready = [s for s in sieves if s.row in wanted and s.waiting and (s.begun or worth)]
    if len(wanted) == 1:  # nothing more is to be learnt between turns
        return next(((s, _TO_THE_END) for s in ready if s.begun), None)
    # While what must be asked goes on, most of what is due will turn out to be excluded.
    going = any(due[s.row] == most for s in ready)
    bill = spent + (min(total, 3 * spent) if going else total)
    spare = {s: _TRIAL + _SHARE * bill - s.loss for s in ready}
    trying = [s for s in ready if spare[s] > 0 and s.cost < _TRIAL + _SHARE * spent]
    able = [s for s in ready if spare[s] > 0 or due[s.row] == most]
    if trying:
        chosen = min(trying, key=lambda s: s.cost)
    elif able:  # what must be asked is put off only for what saves twice as much
        chosen = max(able, key=lambda s: 2 * s.gain if due[s.row] == most else s.gain)
    else:
        return None
    length = _GROWTH * chosen.cost
    if due[chosen.row] < most:
        length = min(length, spare[chosen])
    return chosen, max(1, int(length))


def weigh(sieve: Sieve, sieves: list[Sieve], spent: int, saved: int) -> None:
    """Note what a turn has cost and saved; what others would save for less has been worth only that."""
    sieve.gain = saved / max(spent, 1)
    others = [s.gain for s in sieves if s is not sieve and s.begun and s.waiting]
    sieve.loss = max(0.0, sieve.loss + spent - saved / max([1.0, *others]))
