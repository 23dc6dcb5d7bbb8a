"""Rows of bytes whose columns are put into another order, many rows at once.

Idea
    A row of a hundred thousand bytes does not fit into the fastest cache, so that one waits for each of them
    when they are taken in an order of one's own. Rows are therefore interleaved first: the first byte of all
    32, then the second of all, and so on. What lies together is taken together, so that one wait serves 32,
    and is taken apart in the fastest cache, a block at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .kernels import Array, called_kernel
from .simd.vectors import WIDTH
from .simd.weaving import WOVEN, interleave, take_apart

_WORDS = WOVEN // 8  # of 64 bits, in a column


class Loom(NamedTuple):
    """Memory in which rows of so many columns are put into order, a block of them at a time."""

    rows: Array  # uint8 (WOVEN, block): as they come, and as they go
    woven: Array  # uint8: all rows in one
    taken: Array  # uint8: the same of a block, in order


def make_loom(columns: int, block: int) -> Loom:
    """Return memory for rows of so many columns, `WOVEN` bytes each, that come in blocks of some `WIDTH`."""
    room = -(-columns // WIDTH) * WIDTH
    sizes = WOVEN * room, WOVEN * block
    return Loom(np.zeros((WOVEN, block), np.uint8), *(np.zeros(size, np.uint8) for size in sizes))


@called_kernel
def weave(loom: Loom, start: int, stop: int) -> None:
    """Put what the rows hold into columns `start` to `stop`."""
    for first in range(0, stop - start, WIDTH):
        interleave(loom.rows, first, loom.woven[WOVEN * (start + first) :])


@called_kernel
def put_in_order(loom: Loom, places: Array, out: Array) -> None:
    """Write to column j of each row what was put into column ``places[j]``."""
    block = loom.rows.shape[1]
    woven, taken = loom.woven.view(np.uint64), loom.taken.view(np.uint64)
    for start in range(0, places.shape[0], block):
        size = min(block, places.shape[0] - start)
        for j in range(size):
            # Named one by one, the words of a column are moved as one vector.
            k = _WORDS * places[start + j]
            a, b, c, d = woven[k], woven[k + 1], woven[k + 2], woven[k + 3]
            k = _WORDS * j
            taken[k], taken[k + 1], taken[k + 2], taken[k + 3] = a, b, c, d
        for first in range(0, size, WIDTH):
            column = start + first
            if out.itemsize == 1 and out.shape[0] == WOVEN and column + WIDTH <= out.shape[1]:
                take_apart(out, column, loom.taken[WOVEN * first :])
                continue
            take_apart(loom.rows, first, loom.taken[WOVEN * first :])
            for i in range(out.shape[0]):
                row, part = loom.rows[i, first:], out[i, column : start + min(first + WIDTH, size)]
                for j in range(part.shape[0]):
                    part[j] = row[j]
