"""How reference points are chosen (the book, section 1.10.5), and the random numbers for it.

Trees choose theirs node by node, among few objects. Whoever wants some for the whole set asks `choose` for
them by the name of a strategy. All strategies look at a random sample of the objects, so that choosing costs
little beside the use that is made of the chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .construction import COST, DONE, SEED, Construction
from .ids import Positions
from .kernels import Array, kernel
from .space import Room, estimate, prepare

Reals = npt.NDArray[np.float64]

SAMPLE = 512  # objects among which reference points are chosen
CANDIDATES = 64  # objects of which greedy strategies choose the best, at least
ASKING = 32  # of these, stand for queries


@kernel
def random_below(state: Array, limit: int) -> int:
    """Return a number from 0 to limit − 1 (SplitMix64: Steele, Lea, Flood 2014)."""
    # Unsigned: to the compiler, a signed sum that wraps round is one that never happens.
    z = np.uint64(state[SEED]) + np.uint64(0x9E3779B97F4A7C15)
    state[SEED] = np.int64(z)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.int64(z % np.uint64(limit))  # type: ignore[return-value]


@kernel
def widest_spread(
    space: Any, order: Array, start: int, stop: int, candidates: int, sample: int, room: Room, state: Array
) -> int:
    """Return the place of the object, of some candidates, whose distances to a sample vary most.

    A pivot prunes by how much its distances differ from object to object, hence by their variance
    (Yianilos 1993).
    """
    best = start + random_below(state, stop - start)
    if candidates < 2:
        return best
    most = -1.0
    for _ in range(candidates):
        place = start + random_below(state, stop - start)
        query = prepare(space, space, order[place], room)
        total = squares = 0.0
        for _ in range(sample):
            d = estimate(space, order[start + random_below(state, stop - start)], query)
            total += d
            squares += d * d
        state[COST] += sample
        variance = squares - total * total / sample
        if variance > most:
            most, best = variance, place
    return best


# --- reference points for the whole set --------------------------------------------------------------


@kernel
def measure_rows(
    space: Any, slots: Array, others: Array, out: Array, room: Room, state: Array, patience: int
) -> bool:
    """Write the distances of some objects to others, a row each, until `patience` are computed."""
    enough = state[COST] + patience
    while state[DONE] < slots.shape[0] and state[COST] < enough:
        row = state[DONE]
        query = prepare(space, space, slots[row], room)
        for j in range(others.shape[0]):
            out[row, j] = estimate(space, others[j], query)
        if room.fault[0] != 0:
            return False
        state[COST] += others.shape[0]
        state[DONE] = row + 1
    return state[DONE] == slots.shape[0]


def measured(construction: Construction, slots: Positions, others: Positions, out: Any) -> Any:
    """Fill a matrix with the distances of some objects to others, a row each, and return it."""
    construction.state[DONE] = 0
    construction.run(
        lambda: measure_rows(
            construction.space, slots, others, out,
            construction.room, construction.state, construction.patience,
        )
    )  # fmt: skip
    return out


@kernel
def shuffle(order: Array, count: int, state: Array) -> None:
    """Put a random choice into the first places (Fisher, Yates 1938)."""
    for i in range(count):
        j = i + random_below(state, order.shape[0] - i)
        order[i], order[j] = order[j], order[i]


class Sample:
    """Objects in random order, of all or among some, among which reference points are chosen.

    Attributes
    ----------
    slots : array of int64
        The objects; strategies call them by their places here.
    """

    def __init__(self, construction: Construction, size: int, among: Positions | None = None) -> None:
        order = np.arange(construction.count) if among is None else among.copy()
        size = min(size, len(order))
        shuffle(order, size, construction.state)
        self.slots = order[:size].copy()
        self._construction = construction
        self._known: dict[int, Reals] = {}

    def __len__(self) -> int:
        return len(self.slots)

    def rows(self, places: Sequence[int]) -> Reals:
        """Return the distances of some of them to all of them, a row each."""
        new = [place for place in places if place not in self._known]
        out = np.empty((len(new), len(self)))
        self._known |= zip(new, measured(self._construction, self.slots[new], self.slots, out))
        return np.stack([self._known[place] for place in places])


Choice = list[int]


def choose(construction: Construction, strategy: str, count: int) -> Positions:
    """Return the slots of so many objects, or of all if there are not as many, chosen as reference points.

    Parameters
    ----------
    construction : Construction
        Whose objects, cost and random numbers they are.
    strategy : str
        One of `STRATEGIES`.
    count : int
        How many, at least 1.
    """
    sample = Sample(construction, max(SAMPLE, 2 * count))
    return sample.slots[STRATEGIES[strategy](sample, min(count, len(sample)))]


def at_random(sample: Sample, count: int) -> Choice:
    """Choose at random."""
    return list(range(count))


def farthest_first(sample: Sample, count: int) -> Choice:
    """Choose the object farthest from the nearest chosen one (Gonzalez 1985; Micó, Oncina, Vidal 1994)."""
    return _greedily(sample, count, [0], np.full(len(sample), np.inf), np.minimum)


def separated(sample: Sample, count: int) -> Choice:
    """Choose the object whose sum of distances to the chosen ones is greatest."""
    return _greedily(sample, count, [0], np.zeros(len(sample)), np.add)


def hull_of_foci(sample: Sample, count: int) -> Choice:
    """Choose two that are far apart, then objects about as far from all chosen ones as these are.

    HF of the Omni-family (Santos Filho, Traina, Traina, Faloutsos 2001; Traina et al. 2007).
    """
    first = int(sample.rows([0])[0].argmax())
    row = sample.rows([first])[0]
    second = int(row.argmax())
    edge = row[second]
    start = [first, second] if second != first else [first]
    return _greedily(sample, count, start, np.zeros(len(sample)), lambda score, row: score - abs(row - edge))


def outlying(sample: Sample, count: int) -> Choice:
    """Choose the objects whose mean distance to others is greatest."""
    means = sample.rows(range(min(ASKING, len(sample)))).mean(axis=0)
    return np.argsort(-means, kind="stable")[:count].tolist()


def incremental(sample: Sample, count: int) -> Choice:
    """Choose the candidate that raises the mean lower bound on pairs most (Bustos, Navarro, Chávez 2003)."""
    return _by_bounds(sample, count, at_random(sample, _candidates(sample, count)), relative=False)


def hull_incremental(sample: Sample, count: int) -> Choice:
    """Choose the candidate on the hull that raises the mean lower bound relative to the distance most.

    HFI (Chen, Gao, Li, Jensen, Chen 2015).
    """
    return _by_bounds(sample, count, hull_of_foci(sample, _candidates(sample, count)), relative=True)


STRATEGIES: dict[str, Callable[[Sample, int], Choice]] = {
    "random": at_random,
    "farthest": farthest_first,
    "separation": separated,
    "outliers": outlying,
    "hf": hull_of_foci,
    "incremental": incremental,
    "hfi": hull_incremental,
}


def _candidates(sample: Sample, count: int) -> int:
    return min(max(CANDIDATES, 2 * count), len(sample))


def _greedily(
    sample: Sample, count: int, start: Choice, score: Reals, merge: Callable[[Reals, Reals], Reals]
) -> Choice:
    """Choose the object of greatest score, into which the distances of each chosen one are merged."""
    chosen, merged = start[:count], 0
    while len(chosen) < count:
        for place in chosen[merged:]:
            score = merge(score, sample.rows([place])[0])
            score[place] = -np.inf  # never twice, even where all objects are equal
        merged = len(chosen)
        chosen.append(int(score.argmax()))
    return chosen


def _by_bounds(sample: Sample, count: int, candidates: Choice, *, relative: bool) -> Choice:
    """Choose the candidate that raises the sum of the lower bounds on the distances of pairs most."""
    rows, asking = sample.rows(candidates), range(min(ASKING, len(sample)))
    bounds = rows[:, None, -SAMPLE:] - rows[:, asking, None]
    np.abs(bounds, out=bounds)
    bounds[rows[:, asking] == 0] = 0.0  # a candidate knows all about itself, and is to serve others
    if relative:
        distances = sample.rows(asking)[:, -SAMPLE:]
        bounds /= np.where(distances > 0, distances, np.inf)
    bounds = bounds.reshape(len(candidates), -1)
    best, gains, chosen = np.zeros_like(bounds[0]), bounds.sum(axis=1), list[int]()
    while len(chosen) < count:
        place = int(gains.argmax())
        gains[place] = np.maximum(bounds[place] - best, 0.0).sum()
        if place == gains.argmax():  # the gains of others are of old, and can only have shrunk (Minoux 1978)
            best = np.maximum(best, bounds[place])
            chosen.append(candidates[place])
            gains[place] = -1.0
    return chosen
