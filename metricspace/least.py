"""The least of what is offered: pairs of a key and an item, by both.

Few are kept in order. To shift a few numbers is quicker than a heap's comparisons, whose outcome no processor
foresees; mostly they come nearly in order, and in the end they are. Many are kept as a heap with the greatest
on top. Which it is depends on how many there is room for.
"""

from __future__ import annotations

from .kernels import Array, kernel

IN_ORDER = 32  # as many as are kept in order


@kernel
def before(key: float, item: int, other: float, other_item: int) -> bool:
    """Whether one pair comes before another."""
    return key < other or (key == other and item < other_item)


@kernel
def greatest(room: int) -> int:
    """Return where the greatest of as many pairs as there is room for is found."""
    return room - 1 if room <= IN_ORDER else 0


@kernel
def add(keys: Array, items: Array, count: int, key: float, item: int) -> None:
    """Keep one more than `count` pairs, for which there is room."""
    if keys.shape[0] <= IN_ORDER:
        _shift(keys, items, count, key, item)
        return
    i = count
    while i > 0:
        parent = (i - 1) // 2
        if not before(keys[parent], items[parent], key, item):
            break
        keys[i], items[i] = keys[parent], items[parent]
        i = parent
    keys[i], items[i] = key, item


@kernel
def replace(keys: Array, items: Array, key: float, item: int) -> None:
    """Keep a pair in place of the greatest of those for which there is room; it comes before that."""
    if keys.shape[0] <= IN_ORDER:
        _shift(keys, items, keys.shape[0] - 1, key, item)
    else:
        _sink(keys, items, keys.shape[0], key, item)


@kernel
def arrange(keys: Array, items: Array, count: int) -> None:
    """Put so many pairs into order."""
    if keys.shape[0] <= IN_ORDER:
        return
    for last in range(count - 1, 0, -1):
        key, item = keys[last], items[last]
        keys[last], items[last] = keys[0], items[0]
        _sink(keys, items, last, key, item)


@kernel
def _shift(keys: Array, items: Array, count: int, key: float, item: int) -> None:
    """Put a pair among `count` in order; those that come after it move on by one."""
    i = count
    while i > 0 and before(key, item, keys[i - 1], items[i - 1]):
        keys[i], items[i] = keys[i - 1], items[i - 1]
        i -= 1
    keys[i], items[i] = key, item


@kernel
def _sink(keys: Array, items: Array, count: int, key: float, item: int) -> None:
    """Put a pair on top of a heap of `count`, in place of what is there, and let it sink."""
    i = 0
    while 2 * i + 1 < count:
        child = 2 * i + 1
        if child + 1 < count and before(keys[child], items[child], keys[child + 1], items[child + 1]):
            child += 1
        if not before(key, item, keys[child], items[child]):
            break
        keys[i], items[i] = keys[child], items[child]
        i = child
    keys[i], items[i] = key, item
