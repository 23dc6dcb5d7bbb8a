"""How reference points are chosen, and the random numbers for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .construction import COST, SEED
from .kernels import Array, kernel
from .space import Room, estimate, prepare


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
