"""Dividing a set of objects (the book, section 1.5): by balls, by a hyperplane, with an excluded middle.

All divide by a key: the objects of smaller key come first. Objects of equal key may go to either side,
so that duplicates in any number are divided like all else.
"""

from __future__ import annotations

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
def swap(array: Array, i: int, j: int) -> None:
    """Exchange two places."""
    array[i], array[j] = array[j], array[i]
