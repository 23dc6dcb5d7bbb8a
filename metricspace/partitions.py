"""Dividing a set of objects (the book, section 1.5): by balls, hyperplanes, an excluded middle, or rings.

All but rings divide by keys, which are distances. Objects of equal keys may go to either side, so that
duplicates in any number are divided like all else.

Rings divide by the distance to a pivot: ring j holds the distances from ``begin + j · width`` on, and the
first and the last are open, so that each distance has its ring. Which ring an object is in is decided by a
computed distance; so bounds are made from the least and the greatest distance that occur in a ring.
"""

from __future__ import annotations

import math

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
def part_at(start: int, stop: int, i: int, parts: int) -> int:
    """Return where part `i` of a span begins that is divided into parts of equal size."""
    return start + (stop - start) * i // parts


@kernel
def divide_evenly(keys: Array, order: Array, start: int, stop: int, parts: int) -> None:
    """Reorder two arrays so that the keys of each part of a span are at most those of the next part."""
    for i in range(1, parts):
        divide_at(keys, order, part_at(start, stop, i - 1, parts), stop, part_at(start, stop, i, parts))


@kernel
def leave_out(
    keys: Array, order: Array, start: int, stop: int, middle: int, share: float, width: float
) -> tuple[int, int]:
    """Divide as `divide_at` does, but with a gap, and return where it begins and ends.

    In the gap are the objects whose keys are within half the `width` of the key at the middle, but at most
    a `share` of all.
    """
    divide_at(keys, order, start, stop, middle)
    most = int(share * (stop - start) / 2)
    low, high = middle - most, middle + most
    if most == 0:
        return low, high
    key = keys[middle]
    divide_at(keys, order, start, middle, low)
    divide_at(keys, order, middle, stop, high)
    for i in range(low, middle):
        if keys[i] < key - width / 2:
            swap(order, i, low)
            swap(keys, i, low)
            low += 1
    for i in range(high - 1, middle - 1, -1):
        if keys[i] > key + width / 2:
            high -= 1
            swap(order, i, high)
            swap(keys, i, high)
    return low, high


@kernel
def divide_by_nearest(keys: Array, order: Array, first: int, start: int, stop: int) -> int:
    """Put in front the objects whose key is least in row `first`, of that and later rows; return their end.

    Of those whose least key is in a later row, too, so many are among them as give each row an equal share.
    """
    rivals = keys[first + 1 :]
    share = (stop - start) // (rivals.shape[0] + 1)
    for place in range(start, stop):
        share -= keys[first, place] < least_key(rivals, place)
    middle = start
    for place in range(start, stop):
        rest = least_key(rivals, place)
        tied = keys[first, place] == rest and share > 0
        share -= tied
        if tied or keys[first, place] < rest:
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
def swap(array: Array, i: int, j: int) -> None:
    """Exchange two places."""
    array[i], array[j] = array[j], array[i]


@kernel
def cut(least: float, most: float, whole: bool, count: int) -> tuple[float, float]:
    """Return where `count` rings for these distances begin, and their width.

    Where all distances are whole numbers, each has a ring to itself if `count` allows.
    """
    if whole:
        width = max(1.0, math.ceil((most - least + 1.0) / count))
        return max(0.0, most + 1.0 - count * width), width
    width = (most - least) / count
    return least, width if width > 0.0 else 1.0


@kernel
def ring_at(d: float, begin: float, width: float, count: int) -> int:
    """Return in which of `count` rings a distance lies."""
    place = (d - begin) / width
    if place >= count:
        return count - 1
    return int(place) if place > 0.0 else 0
