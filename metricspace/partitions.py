"""Dividing a set of objects (the book, section 1.5): by a ball, by hyperplanes.

Both divide by keys, which are distances. Objects of equal keys may go to either side, so that duplicates in
any number are divided like all else.
"""

from __future__ import annotations

import numpy as np

from .kernels import Array, kernel


@kernel
def divide_at(keys: Array, order: Array, start: int, stop: int, middle: int) -> None:
    """Reorder two arrays so that the least ``middle − start`` keys of a span come first (Hoare 1961)."""
    low, high = start, stop - 1
    while low < high:
        pivot = keys[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while keys[i] < pivot:
                i += 1
            while keys[j] > pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            return


@kernel
def divide_by_nearest(keys: Array, order: Array, first: int, start: int, stop: int) -> int:
    """Put in front the objects whose key is least in row `first`, of that and later rows; return their end.

    Of those whose least key is in a later row, too, as many as make the shares of all rows equal, if they can.
    """
    rivals = keys[first + 1 :]
    nearer = 0
    for place in range(start, stop):
        rest = least_key(rivals, place)
        nearer += keys[first, place] < rest
    wanted = max((stop - start) // (rivals.shape[0] + 1) - nearer, 0)
    middle = start
    for place in range(start, stop):
        rest = least_key(rivals, place)
        taken = keys[first, place] < rest
        if keys[first, place] == rest and wanted > 0:
            taken = True
            wanted -= 1
        if taken:
            swap_columns(keys, order, place, middle)
            middle += 1
    return middle


@kernel
def least_key(keys: Array, place: int) -> float:
    """Return the least of the keys of a place, infinity if there is none."""
    least = np.inf
    for row in range(keys.shape[0]):
        least = min(least, keys[row, place])
    return least


@kernel
def swap_columns(keys: Array, order: Array, i: int, j: int) -> None:
    """Exchange two places and all of their keys."""
    swap(order, i, j)
    for row in range(keys.shape[0]):
        keys[row, i], keys[row, j] = keys[row, j], keys[row, i]


@kernel
def swap(order: Array, i: int, j: int) -> None:
    """Exchange two places."""
    order[i], order[j] = order[j], order[i]
