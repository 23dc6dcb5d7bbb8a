"""Lists of different lengths, one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from .base import Positions


def starts_of(lengths: Iterable[int], count: int) -> npt.NDArray[np.int64]:
    """Return where lists of these lengths begin when they follow one another, and where the last ends."""
    starts = np.zeros(count + 1, np.int64)
    np.cumsum(np.fromiter(lengths, np.int64, count), out=starts[1:])
    return starts


def ragged(lists: list[list[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where each list begins, and all their values."""
    starts = starts_of(map(len, lists), len(lists))
    return starts, np.fromiter(itertools.chain.from_iterable(lists), np.int64, int(starts[-1]))


def take_ragged(
    starts: npt.NDArray[np.int64], values: npt.NDArray[Any], positions: Positions
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return the lists at these positions, in this order."""
    lengths = np.diff(starts)[positions]
    taken = starts_of(lengths, len(lengths))
    # Each value's place: its offset within its own list, from where that list began.
    places = np.arange(taken[-1]) + np.repeat(starts[:-1][positions] - taken[:-1], lengths)
    return taken, values[places]
