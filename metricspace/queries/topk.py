"""The best objects by a score over several indexes: Fagin's A0 and the threshold algorithm.

Idea
    Each index holds the same objects under another metric, and lists them by distance to a query of its own
    (sorted access: `browse`); it also gives the distance of one object (random access). A score that grows
    with each distance ranks the objects. No object that no list has given yet can score less than the
    threshold, the score of what the lists have reached.

    A0 goes down all lists until k objects have come up in every one, and only then asks for the missing
    distances of all that came up. The threshold algorithm asks for them at once, and stops as soon as k
    objects score less than the threshold; it never goes deeper than A0.

    Both go on while the k-th score equals the threshold: an object still to come might tie with it and have
    been inserted earlier. What the lists have reached is the bound of the browsers, which may lie beyond the
    last distance that they gave.

References
----------
Fagin, Combining fuzzy information from multiple systems, JCSS 58, 1999.
Fagin, Lotem, Naor, Optimal aggregation algorithms for middleware, JCSS 66, 2003 (PODS 2001).
"""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..arguments import whole_number
from ..browsing import Browser
from ..errors import InvalidArgument, WrongType
from ..hits import TopK
from ..ids import Ids
from .refining import Refiner

if TYPE_CHECKING:
    from ..searchable import Searchable

Reals = npt.NDArray[np.float64]
Score = Callable[[Reals], float]

THRESHOLD, FAGIN = "threshold", "fagin"


class _List:
    """One index with its query, asked in both ways."""

    def __init__(self, index: Searchable, query: Any, first: Searchable) -> None:
        self.index, self.first = index, first
        self.browser: Browser = index.browse(query)
        self.refiner = Refiner(index, index._objects.encode([query]))

    def next(self) -> tuple[int, float] | None:
        """Return the next object, by its position in the first index, and its distance."""
        found = self.browser.advance()
        return None if found is None else (int(self.first._ids.find([found[1]])[0]), found[2])

    def distance(self, position: int) -> float:
        """Return the distance of an object, given by its position in the first index."""
        name = self.first._ids.called(np.array([position]))
        slots = self.index._slots[self.index._ids.find(name)]
        return float(self.refiner.distances(0, slots)[0])

    @property
    def cost(self) -> int:
        """Distances computed so far."""
        return self.browser.cost + self.refiner.cost


def top_k(
    sources: Sequence[tuple[Searchable, Any]],
    k: int = 10,
    *,
    score: str | Score | npt.ArrayLike | None = None,
    method: str = THRESHOLD,
) -> TopK:
    """Return the k objects of least score over several indexes of the same ids.

    Parameters
    ----------
    sources : sequence of (index, query)
        Indexes over the same ids, under metrics of their own, each with one query object.
    k : int
        How many, at least 1; all objects where there are fewer.
    score : "sum", "max", m weights, or callable
        What ranks an object by its m distances, least first. Weights (at least 0) are for a weighted sum. A
        callable takes an array of m distances and must be monotone: it may not fall when a distance grows.
    method : "threshold" or "fagin"
        The threshold algorithm, or Fagin's A0. They return the same.

    Returns
    -------
    TopK
        By (score, order of insertion into the first index).

    Raises
    ------
    MetricSpaceError
        If an argument cannot be used, or the indexes do not hold the same ids.
    """
    k = whole_number("k", k, 1)
    if method not in (THRESHOLD, FAGIN):
        raise InvalidArgument(f"expected the method {THRESHOLD!r} or {FAGIN!r}, given {method!r}")
    pairs = _pairs(sources)
    scored = _score(score, len(pairs))
    _refuse_different_ids([index for index, _ in pairs])
    first = pairs[0][0]
    with contextlib.ExitStack() as stack:
        lists = [_List(index, query, first) for index, query in pairs]
        for one in lists:
            stack.enter_context(one.browser)
        return _combined(lists, min(k, first.n_objects), scored, method)


def _combined(lists: list[_List], k: int, score: Score, method: str) -> TopK:
    m = len(lists)
    seen: dict[int, Reals] = {}  # distances by position, NaN where no list has given one
    unscored: list[int] = []
    best: list[tuple[float, int]] = []  # the k best so far
    in_all = sorted_accesses = random_accesses = 0
    while True:
        for j, one in enumerate(lists):
            found = one.next()
            if found is None:
                continue
            sorted_accesses += 1
            position, distance = found
            if position not in seen:
                seen[position] = np.full(m, np.nan)
                unscored.append(position)
            if np.isnan(seen[position][j]):  # else random access came first
                seen[position][j] = distance
                in_all += int(not np.isnan(seen[position]).any())
        reached = np.array([one.browser.lower_bound for one in lists])
        everything = bool(np.isinf(reached).any())  # a list that has ended has given every object
        if method == FAGIN and in_all < k and not everything:
            continue
        for position in unscored:
            distances = seen[position]
            for j in np.flatnonzero(np.isnan(distances)).tolist():
                distances[j] = lists[j].distance(position)
                random_accesses += 1
            bisect.insort(best, (score(distances), position))
            del best[k:]
        unscored.clear()
        if everything or (len(best) == k and best[-1][0] < score(reached)):
            break
    positions = np.array([position for _, position in best], np.int64)
    return TopK(
        lists[0].index._ids.called(positions),
        positions,
        np.array([value for value, _ in best]),
        np.array([seen[position] for _, position in best]).reshape(len(best), m),
        sorted_accesses,
        random_accesses,
        np.array([one.cost for one in lists], np.int64),
    )


def _pairs(sources: Any) -> list[tuple[Searchable, Any]]:
    from ..searchable import Searchable  # only to ask

    pairs = list(sources)
    if not pairs:
        raise InvalidArgument("expected at least one (index, query), given none")
    for pair in pairs:
        if not (isinstance(pair, (tuple, list)) and len(pair) == 2 and isinstance(pair[0], Searchable)):
            raise WrongType(f"expected pairs of (index, query), given {type(pair).__name__} among them")
        pair[0]._fitted()
    return [(index, query) for index, query in pairs]


def _score(given: Any, m: int) -> Score:
    """Return a function of m distances."""
    if isinstance(given, str) and given in ("sum", "max"):
        return (lambda d: float(np.sum(d))) if given == "sum" else (lambda d: float(np.max(d)))
    if callable(given):
        return lambda d: _number(given(d.copy()))
    if given is None or isinstance(given, str):
        raise InvalidArgument(
            f"expected a score: 'sum', 'max', a weight for each index, or a function of the array of "
            f"distances, given {given!r}"
        )
    try:
        weights = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise WrongType(f"expected 'sum', 'max', weights or a function as score, given {given!r}") from error
    if weights.shape != (m,) or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise InvalidArgument(
            f"expected a finite weight of at least 0 for each of {m} indexes, given {given!r}: a score may "
            "not fall when a distance grows"
        )
    return lambda d: float(np.sum(weights * d))


def _number(value: Any) -> float:
    """Return what a user's score returned, if it is a number."""
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise WrongType(f"expected the score to return a number, given {value!r}") from error
    if np.isnan(number):
        raise InvalidArgument("expected the score to return a number, given NaN")
    return number


def _refuse_different_ids(indexes: list[Searchable]) -> None:
    first = indexes[0]._ids
    for j, index in enumerate(indexes[1:], 1):
        other = index._ids
        unnamed = first.names is None and other.names is None
        if unnamed and (first.count, first.removed) == (other.count, other.removed):
            continue
        ours, theirs = _names(first), _names(other)
        if ours != theirs:
            alone = [
                f"{one!r} is only in number {number}"
                for number, only in ((0, ours - theirs), (j, theirs - ours))
                for one in list(only)[:1]
            ]
            raise InvalidArgument(
                f"expected indexes over the same ids; numbers 0 and {j} differ in "
                f"{len(ours ^ theirs)}: {' and '.join(alone)}"
            )


def _names(ids: Ids) -> set[Any]:
    return set(ids.places) if ids.names is not None else set(range(ids.count)) - ids.removed
