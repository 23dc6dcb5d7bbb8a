"""Complex queries (the book, section 1.4.5): predicates on the distances to several queries.

Idea
    A predicate is decided for sets of objects, part by part, and each part is asked only for the objects
    that the parts before it left undecided: a conjunction goes on with what holds so far, a disjunction with
    what does not, and a negation turns the answer around: what a bound puts out of reach is decided for it
    too, without being measured.

    Of a query's undecided objects, many are left to the structure, as a range query that admits them alone;
    few are measured one by one. Each query is asked at the greatest of its radii, and what it measured
    decides every predicate on it: a ring costs no more than the outer ball.

References
----------
Ciaccia, Patella, Zezula, Processing complex similarity queries with distance-based access methods, EDBT 1998.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..answer import RANGE
from ..arguments import radii_of
from ..batch import Batch, masks_of
from ..errors import InvalidArgument, WrongType
from ..hits import Matches
from .refining import Refiner

if typing.TYPE_CHECKING:
    from ..searchable import Searchable

Mask = npt.NDArray[np.bool_]  # by slot

# A structure finds its way by measuring some objects that need no decision, in a tree about one of sixteen.
# Where no more than that are undecided, it could save nothing.
_WORTH_A_SEARCH = 16


class Predicate:
    """What may hold of an object: `Within`, or a combination by `All`, `Any` and `Not`."""

    def leaves(self) -> Iterator[Within]:
        """Yield the range predicates of which this one is made."""
        raise NotImplementedError

    def reach(self, known: Known) -> float:
        """Return a radius that says how much this holds of: conjunctions begin with the least."""
        raise NotImplementedError

    def holding(self, known: Known, among: Mask) -> Mask:
        """Return of which of these objects it holds."""
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

    def holding(self, known: Known, among: Mask) -> Mask:
        return among & (known.distances(self, among) <= self.radius)


class _Combination(Predicate):
    """Several predicates as one."""

    def __init__(self, *parts: Predicate) -> None:
        if not parts:
            raise InvalidArgument(f"expected at least one predicate in {type(self).__name__}, given none")
        self.parts = tuple(_predicate(part) for part in parts)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.parts))})"

    def leaves(self) -> Iterator[Within]:
        for part in self.parts:
            yield from part.leaves()


class All(_Combination):
    """That every one of some predicates holds.

    Parameters
    ----------
    *parts : Within, All, Any or Not
        At least one.
    """

    def reach(self, known: Known) -> float:
        return min(part.reach(known) for part in self.parts)

    def holding(self, known: Known, among: Mask) -> Mask:
        for part in sorted(self.parts, key=lambda part: part.reach(known)):
            among = part.holding(known, among)
        return among


class Any(_Combination):
    """That at least one of some predicates holds.

    Parameters
    ----------
    *parts : Within, All, Any or Not
        At least one.
    """

    def reach(self, known: Known) -> float:
        return max(part.reach(known) for part in self.parts)

    def holding(self, known: Known, among: Mask) -> Mask:
        found = np.zeros_like(among)
        for part in sorted(self.parts, key=lambda part: -part.reach(known)):
            found |= part.holding(known, among & ~found)
        return found


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

    def holding(self, known: Known, among: Mask) -> Mask:
        return among & ~self.part.holding(known, among)


def _predicate(given: Predicate) -> Predicate:
    if not isinstance(given, Predicate):
        raise WrongType(
            f"expected a predicate (Within, All, Any or Not), given {type(given).__name__}: "
            "for objects about a query write Within(query, radius)"
        )
    return given


class Known:
    """What is known of the distances between the queries of a predicate and the objects of an index."""

    def __init__(self, index: Searchable, leaves: list[Within]) -> None:
        self.index = index
        self.rows: dict[typing.Any, int] = {}  # the number of each query
        queries: list[typing.Any] = []
        reaches: list[float] = []
        for leaf in leaves:
            row = self.rows.setdefault(_identity(leaf.query), len(queries))
            if row == len(queries):
                queries.append(leaf.query)
                reaches.append(leaf.radius)
            reaches[row] = max(reaches[row], leaf.radius)
        self.asked = index._objects.encode(queries)
        self.reaches = reaches
        shape = (len(queries), len(index._order))
        self.settled = np.zeros(shape, bool)  # whether a distance is known, or known to be beyond the reach
        self.found = np.full(shape, np.inf)  # by query and slot
        self.cost = self.bounds = 0
        self.exact = True

    def reach(self, leaf: Within) -> float:
        """Return the radius at which the query of a predicate is asked."""
        return self.reaches[self.rows[_identity(leaf.query)]]

    def distances(self, leaf: Within, among: Mask) -> npt.NDArray[np.float64]:
        """Return distances by slot: true for these objects, if within the query's reach, else infinity."""
        row = self.rows[_identity(leaf.query)]
        fresh = among & ~self.settled[row]
        count = np.count_nonzero(fresh)
        if count * _WORTH_A_SEARCH <= len(fresh):
            slots = np.flatnonzero(fresh)
            self.found[row, slots] = self._refiner.distances(row, slots, self.reaches[row])
        else:
            self._search(row, fresh)
        self.settled[row] |= fresh
        return self.found[row]

    @functools.cached_property
    def _refiner(self) -> Refiner:
        return Refiner(self.index, self.asked)

    def _search(self, row: int, fresh: Mask) -> None:
        batch = Batch(self.index, self.asked.take(np.array([row])), RANGE, 0, self.reaches[row])
        if not fresh.all():
            batch.masks = fresh.astype(np.uint8)[None]
        batch.run(1, False)
        self.found[row, self.index._slots[batch.positions]] = batch.distances
        costs = batch.costs()
        self.cost += int(costs["cost"][0])
        self.bounds += int(costs["bounds"][0])
        self.exact &= bool(costs["exact"][0])

    @property
    def total_cost(self) -> int:
        """Distances computed so far."""
        return self.cost + (self._refiner.cost if "_refiner" in self.__dict__ else 0)


def _identity(query: typing.Any) -> typing.Any:
    """Return what is equal for equal queries, where that is easily seen."""
    if isinstance(query, np.ndarray):
        return query.dtype.str, query.shape, query.tobytes()
    return query if isinstance(query, (str, bytes)) else id(query)


def evaluate(index: Searchable, predicate: Predicate, chosen: typing.Any) -> Matches:
    """Return the objects of an index of which a predicate holds, if the filter `chosen` admits them."""
    predicate = _predicate(predicate)
    known = Known(index, list(predicate.leaves()))
    among = np.ones(len(index._order), bool)
    if chosen is not None:
        among = masks_of(index, chosen, 1)[0] != 0
    among &= ~np.isin(index._order, list(index._ids.removed))
    positions = np.sort(index._order[predicate.holding(known, among)])
    return Matches(index._ids.called(positions), positions, known.total_cost, known.exact, known.bounds)
