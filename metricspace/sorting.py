"""Results of many queries, sorted together where distances are whole numbers."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from .ids import Positions
from .kernels import Array, kernel

_DIGIT = 11  # bits of a key that a pass sorts by
_MASK = (1 << _DIGIT) - 1


class Order(NamedTuple):
    """The order by (query, distance, position), as that of one whole number: how many bits the parts have."""

    query: int
    distance: int
    position: int

    @classmethod
    def of(cls, queries: int, greatest: int | None, objects: int) -> Self | None:
        """Return the order of results of at most so many queries, up to a distance, of so many objects.

        None if distances are not whole (`greatest` is None), or the numbers are too large.
        """
        if greatest is None:
            return None
        order = cls(*(int(number).bit_length() for number in (queries, greatest, objects)))
        return order if sum(order) < 64 else None

    def applied(
        self, found: Positions, positions: Positions, distances: npt.NDArray[np.float64]
    ) -> tuple[Positions, npt.NDArray[np.float64]]:
        """Return results in order; what was given is lost. `found` is how many there are of each query."""
        taken = np.empty_like(positions), np.empty_like(distances)
        _sort(self, found, positions, distances, np.empty(1 << _DIGIT, np.int64), *taken)
        return taken


@kernel
def _sort(
    order: Order,
    found: Array,
    positions: Array,
    distances: Array,
    counts: Array,
    to_positions: Array,
    to_distances: Array,
) -> None:
    """Sort keys digit by digit, from the last."""
    keys, others = positions, distances.view(np.int64)
    i = 0
    for query in range(found.shape[0]):
        for _ in range(found[query]):
            whole = (query << order.distance) | np.int64(distances[i])
            keys[i] = (whole << order.position) | positions[i]
            i += 1
    for shift in range(0, order.query + order.distance + order.position, _DIGIT):
        counts[:] = 0
        for key in keys:
            counts[(key >> shift) & _MASK] += 1
        total = 0
        for digit in range(counts.shape[0]):
            count = counts[digit]
            counts[digit] = total
            total += count
        for key in keys:
            digit = (key >> shift) & _MASK
            others[counts[digit]] = key
            counts[digit] += 1
        keys, others = others, keys
    position, distance = (1 << order.position) - 1, (1 << order.distance) - 1
    for j in range(keys.shape[0]):
        to_positions[j] = keys[j] & position
        to_distances[j] = np.float64((keys[j] >> order.position) & distance)
