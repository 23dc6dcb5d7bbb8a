"""Dividing a set of objects (the book, section 1.5): by a ball, by a hyperplane, by rings about a pivot.

The first two divide in two by a key: the objects of smaller key come first. Objects of equal key may go to
either side, so that duplicates in any number are divided like all else.

Rings divide in many by the distance to a pivot: ring j holds the distances from ``begin + j · width`` on, and
the first and the last are open, so that each distance has its ring. Which ring an object is in is decided by
a computed distance; so bounds are made from the least and the greatest distance that occur in a ring.
"""

from __future__ import annotations

import math

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
def divide_by_sign(keys: Array, order: Array, start: int, stop: int) -> int:
    """Reorder two arrays so that negative keys come first and positive ones last; return where to divide.

    Keys of 0 lie between; among them the division is as near to the middle of the span as they allow.
    """
    negative = start
    for i in range(start, stop):
        if keys[i] < 0:
            keys[i], keys[negative] = keys[negative], keys[i]
            order[i], order[negative] = order[negative], order[i]
            negative += 1
    positive = negative
    for i in range(negative, stop):
        if keys[i] == 0:
            keys[i], keys[positive] = keys[positive], keys[i]
            order[i], order[positive] = order[positive], order[i]
            positive += 1
    return min(max((start + stop) // 2, negative), positive)


@kernel
def swap(order: Array, i: int, j: int) -> None:
    """Exchange two places."""
    order[i], order[j] = order[j], order[i]


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
