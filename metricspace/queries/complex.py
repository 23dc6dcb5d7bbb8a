"""Complex queries (the book, section 1.4.5): predicates on the distances to several queries.

Idea
    Of each object a predicate holds, fails, or turns on distances that are not known yet. Its queries go
    through the structure in turns (see `sifting`). What a turn excludes for one query decides the predicate,
    or leaves it to fewer queries, and each goes on for those objects alone of which the predicate turns on
    it. What no turn decides more cheaply is measured, one query being asked after the other: a conjunction
    begins with the least radius and goes on with what is found, a disjunction begins with the greatest and
    goes on with the rest.

    Each query is asked at the greatest of its radii, and what it measured decides every predicate on it: a
    ring costs no more than the outer ball. A negation costs what it negates: what a bound puts out of reach
    is decided for it too, without being measured.

References
----------
Ciaccia, Patella, Zezula, Processing complex similarity queries with distance-based access methods, EDBT 1998.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import typing
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from .. import threads
from ..answer import BOUNDS, COST, PAIRS, SIFT, WHOLES
from ..arguments import radii_of
from ..batch import Batch, masks_of
from ..errors import InvalidArgument, WrongType
from ..hits import Matches
from ..ids import Positions
from ..progress import shown
from .refining import Refiner
from .sifting import WORTH_A_SEARCH, Mask, Sieve, weigh, whose_turn

if typing.TYPE_CHECKING:
    from ..searchable import Searchable


class Predicate:
    """What may hold of an object: `Within`, or a combination by `All`, `Any` and `Not`."""

    def leaves(self) -> Iterator[Within]:
        """Yield the range predicates of which this one is made."""
        raise NotImplementedError

    def reach(self, known: Known) -> float:
        """Return a radius that says how much this holds of: conjunctions begin with the least."""
        raise NotImplementedError

    def verdict(self, known: Known) -> tuple[Mask, Mask]:
        """Return for which objects it is known to fail, and for which to hold."""
        raise NotImplementedError

    def want(self, known: Known, among: Mask) -> None:
        """Note on which distances to these objects it turns."""
        raise NotImplementedError

    def ask(self, known: Known, among: Mask) -> Mask:
        """Return of which of these objects it holds if none is near of which that is not known.

        Notes which distances it takes to be sure of that, one part being asked after the other.
        """
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, eq=False)
class Within(Predicate):
    """That an object lies within a radius of a query, the radius itself included.

    Parameters
    ----------
    query : object
        One object, not a batch, of the kind that the index holds.
    radius : float
        At least 0.
    """

    query: typing.Any
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", float(radii_of(self.radius, 1)[0]))

    def leaves(self) -> Iterator[Within]:
        yield self

    def reach(self, known: Known) -> float:
        return known.reach(self)

    def verdict(self, known: Known) -> tuple[Mask, Mask]:
        row = known.rows[self]
        near = known.found[row] <= self.radius
        return ~(near | known.open[row]), near

    def want(self, known: Known, among: Mask) -> None:
        row = known.rows[self]
        known.wanted[row] |= among & known.open[row]

    def ask(self, known: Known, among: Mask) -> Mask:
        row = known.rows[self]
        known.due[row] = known.due.get(row, False) | among & known.open[row]
        return among & (known.found[row] <= self.radius)


class _Combination(Predicate):
    """Several predicates as one, which is decided by any part that has the decisive value."""

    decisive: typing.ClassVar[bool]

    def __init__(self, *parts: Predicate) -> None:
        if not parts:
            raise InvalidArgument(f"expected at least one predicate in {type(self).__name__}, given none")
        self.parts = tuple(_predicate(part) for part in parts)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.parts))})"

    def leaves(self) -> Iterator[Within]:
        for part in self.parts:
            yield from part.leaves()

    def reach(self, known: Known) -> float:
        return (max if self.decisive else min)(part.reach(known) for part in self.parts)

    def verdict(self, known: Known) -> tuple[Mask, Mask]:
        parts = [part.verdict(known) for part in self.parts]
        decided = functools.reduce(np.logical_or, [verdict[self.decisive] for verdict in parts])
        other = functools.reduce(np.logical_and, [verdict[not self.decisive] for verdict in parts])
        return (other, decided) if self.decisive else (decided, other)

    def want(self, known: Known, among: Mask) -> None:
        fails, holds = self.verdict(known)
        for part in self.parts:
            part.want(known, among & ~(fails | holds))

    def ask(self, known: Known, among: Mask) -> Mask:
        left = among
        for part in sorted(self.parts, key=lambda part: part.reach(known), reverse=self.decisive):
            holds = part.ask(known, left)
            left = left & ~holds if self.decisive else holds
        return among & ~left if self.decisive else left


class All(_Combination):
    """That every one of some predicates holds.

    Parameters
    ----------
    *parts : Within, All, Any or Not
        At least one.
    """

    decisive = False


class Any(_Combination):
    """That at least one of some predicates holds.

    Parameters
    ----------
    *parts : Within, All, Any or Not
        At least one.
    """

    decisive = True


class Not(Predicate):
    """That a predicate does not hold.

    Parameters
    ----------
    part : Within, All, Any or Not
    """

    def __init__(self, part: Predicate) -> None:
        self.part = _predicate(part)

    def __repr__(self) -> str:
        return f"Not({self.part!r})"

    def leaves(self) -> Iterator[Within]:
        return self.part.leaves()

    def reach(self, known: Known) -> float:
        return np.inf

    def verdict(self, known: Known) -> tuple[Mask, Mask]:
        fails, holds = self.part.verdict(known)
        return holds, fails

    def want(self, known: Known, among: Mask) -> None:
        self.part.want(known, among)

    def ask(self, known: Known, among: Mask) -> Mask:
        return among & ~self.part.ask(known, among)


def _predicate(given: Predicate) -> Predicate:
    if not isinstance(given, Predicate):
        raise WrongType(
            f"expected a predicate (Within, All, Any or Not), given {type(given).__name__}: "
            "for objects about a query write Within(query, radius)"
        )
    return given


class Known:
    """What is known of a predicate of whose objects it is not decided.

    Attributes
    ----------
    slots : int64
        Of the objects that are considered, ascending.
    undecided : int
        Of how many of these it is not known whether the predicate holds. By query and such slot:
    open : bool
        Whether the distance is neither known nor known to be beyond the query's reach.
    found : float64
        Distances within reach that are known, else infinity.
    wanted : bool
        Whether the predicate turns on the distance.
    due : dict
        Whether it is the next to be asked for, by query in the order in which they are asked, and by slot.
    """

    def __init__(self, index: Searchable, predicate: Predicate, slots: Positions, n_jobs: int) -> None:
        self.index, self.predicate, self.slots, self._n_jobs = index, predicate, slots, n_jobs
        numbers: dict[typing.Any, int] = {}
        self.rows: dict[Within, int] = {}  # which query each leaf asks
        queries: list[typing.Any] = []
        self.reaches: list[float] = []
        for leaf in predicate.leaves():
            row = self.rows[leaf] = numbers.setdefault(_identity(leaf.query), len(queries))
            if row == len(queries):
                queries.append(leaf.query)
                self.reaches.append(leaf.radius)
            self.reaches[row] = max(self.reaches[row], leaf.radius)
        self.asked = index._objects.encode(queries)
        shape = (len(queries), len(slots))
        self.open, self.found = np.ones(shape, bool), np.full(shape, np.inf)
        self.held = [slots[:0]]  # where the predicate is decided and holds
        self.searched: npt.NDArray[np.int64] = np.zeros(WHOLES, np.int64)
        self._review()
        self.sieves = self._sieves() if self._spare_each_other() and not index.scans else []

    def _spare_each_other(self) -> bool:
        """Whether there are queries that need not be asked of an object if all others are out of its reach.

        One such query is asked after the others; and in a disjunction there is none.
        """
        alone, count = copy.copy(self), len(self.reaches)
        alone.open, alone.found = np.eye(count, dtype=bool), np.full((count, count), np.inf)
        fails, holds = self.predicate.verdict(alone)
        return int(np.count_nonzero(fails | holds)) > 1

    def _sieves(self) -> list[Sieve]:
        """Return the queries, to be asked in turns."""
        shape = len(self.reaches), len(self.index._order)
        batch = Batch(self.index, self.asked, SIFT, 0, np.array(self.reaches))
        batch.masks = np.ones(shape, np.uint8)
        spans = self.index._anatomy().spans
        return [Sieve(batch, row, spans) for row in self.due]

    def reach(self, leaf: Within) -> float:
        """Return the radius at which the query of a predicate is asked."""
        return self.reaches[self.rows[leaf]]

    def decide(self, show: Callable[[int], None]) -> Positions:
        """Return the slots of all objects of which the predicate holds; `show` takes how many are decided."""
        total = len(self.slots)
        while len(self.slots):
            show(total - self.undecided)
            due = {row: int(np.count_nonzero(due)) for row, due in self.due.items()}
            turn = whose_turn(self.sieves, {row for row in due if self.wanted[row].any()}, due)
            if turn is None:
                self._measure(next(row for row in due if due[row]))
            else:
                self._advance(*turn)
        return np.concatenate(self.held)

    def _review(self) -> None:
        """See what is to be asked; set aside what is decided, whenever that is half of the objects."""
        fails, holds = self.predicate.verdict(self)
        left = ~(fails | holds)
        self.undecided = int(np.count_nonzero(left))
        if 2 * self.undecided <= len(left):
            self.held.append(self.slots[holds])
            kept = np.flatnonzero(left)
            self.slots, self.open, self.found = self.slots[kept], self.open[:, kept], self.found[:, kept]
            left = np.ones(len(kept), bool)
        self.wanted, self.due = np.zeros_like(self.open), dict[int, Mask]()
        self.predicate.want(self, left)
        self.predicate.ask(self, left)

    def _learn(self, row: int, slots: Positions, distances: npt.NDArray[np.float64], left: Mask) -> None:
        """Note distances of a query, and of which objects its distance is open still."""
        self.found[row, np.searchsorted(self.slots, slots)] = distances
        self.open[row] = left
        self._review()

    def _advance(self, sieve: Sieve, distances: int) -> None:
        """Let a query have its turn."""
        row, before, due = sieve.row, sieve.cost, self._all_due()
        slots, near = sieve.advance(self.slots[self.wanted[row]], distances)
        # One that was due and is near has not been measured in vain, even if another is due for it now.
        due += int(np.count_nonzero(self.due[row][np.searchsorted(self.slots, slots)]))
        self._learn(row, slots, near, self.open[row] & sieve.left()[self.slots])
        weigh(sieve, self.sieves, sieve.cost - before, due - self._all_due())

    def _all_due(self) -> int:
        return sum(int(np.count_nonzero(due)) for due in self.due.values())

    def _measure(self, row: int) -> None:
        """Measure what is asked of a query next: without the structure if that is little, or what it left."""
        due, objects = self.slots[self.due[row]], len(self.index._order)
        begun = any(sieve.begun for sieve in self.sieves if sieve.row == row)
        if begun or len(due) * WORTH_A_SEARCH <= objects:
            slots, distances = due, self._refiner.distances(row, due, self.reaches[row])
        else:
            batch = Batch(
                self.index, self.asked.take(np.array([row])), PAIRS, 0, self.reaches[row], alone=True
            )
            if len(due) < objects:
                batch.masks = np.zeros((1, objects), np.uint8)
                batch.masks[0, due] = 1
            batch.run(1, False)
            slots, distances = self.index._slots[batch.results.positions], batch.results.distances
            self.searched += batch.wholes[0]
        self._learn(row, slots, distances, self.open[row] & ~self.due[row])

    @property
    def cost(self) -> int:
        """Distances computed so far."""
        alone = self._refiner.cost if "_refiner" in self.__dict__ else 0
        return int(self.searched[COST]) + alone + sum(sieve.cost for sieve in self.sieves)

    @functools.cached_property
    def _refiner(self) -> Refiner:
        return Refiner(self.index, self.asked, self._n_jobs)


def _identity(query: typing.Any) -> typing.Any:
    """Return what is equal for equal queries, where that is easily seen."""
    if isinstance(query, np.ndarray):
        return query.dtype.str, query.shape, query.tobytes()
    return query if isinstance(query, (str, bytes)) else id(query)


def evaluate(
    index: Searchable, predicate: Predicate, chosen: typing.Any, n_jobs: int | None, progress: bool
) -> Matches:
    """Return the objects of an index of which a predicate holds, if the filter `chosen` admits them."""
    predicate = _predicate(predicate)
    among = np.ones(len(index._order), bool)
    if chosen is not None:
        among = masks_of(index, chosen, 1)[0] != 0
    among &= ~np.isin(index._order, list(index._ids.removed))
    known = Known(index, predicate, np.flatnonzero(among), threads.jobs(n_jobs))
    with shown("deciding", int(np.count_nonzero(among)), progress) as show:
        positions = np.sort(index._order[known.decide(show)])
    ids, bounds = index._ids.called(positions), int(known.searched[BOUNDS])
    return Matches(ids, positions, known.cost, index.exact, bounds)
