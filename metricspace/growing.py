"""Static trees grow by dividing nodes until what is left fits into leaves.

All of them keep the objects in tree order, so that node ``i`` occupies slots ``start[i]`` to ``stop[i]``: the
objects that it keeps to itself first, then those of each child. A structure says how one node is divided.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from .answer import Answer
from .construction import COST, DONE, NODES, PENDING, Construction
from .ids import Positions
from .kernels import Array, generic, kernel
from .space import Room, estimate
from .traversal import Desk, consider, offer_child

Tree = TypeVar("Tree", bound=Any)


@generic
def divide(tree: Any, node: int, space: Any, order: Array, keys: Array, room: Room, state: Array) -> Any:
    """Choose what a node keeps to itself, and hang the rest below it.

    Reorders ``order[start:stop]`` of the node, and makes the children with `hang`. ``keys`` is scratch,
    beside `order`.
    """


@kernel
def hang(tree: Any, start: int, stop: int, state: Array) -> int:
    """Make a node of a span of objects and return its number."""
    child = state[NODES]
    state[NODES] += 1
    tree.start[child], tree.stop[child] = start, stop
    return child


@kernel
def grow(
    tree: Any,
    space: Any,
    order: Array,
    keys: Array,
    todo: Array,
    leaf_size: int,
    room: Room,
    state: Array,
    patience: int,
) -> bool:
    """Divide pending nodes until none is left or `patience` distances are computed."""
    enough = state[COST] + patience
    while state[PENDING] > 0 and state[COST] < enough:
        state[PENDING] -= 1
        node = todo[state[PENDING]]
        size = tree.stop[node] - tree.start[node]
        if size <= leaf_size:
            state[DONE] += size
            continue
        first = state[NODES]
        divide(tree, node, space, order, keys, room, state)
        if room.fault[0] != 0:
            return False
        for child in range(state[NODES] - 1, first - 1, -1):  # the first child next
            todo[state[PENDING]] = child
            state[PENDING] += 1
    return state[PENDING] == 0


@kernel
def measure_span(
    space: Any, order: Array, start: int, stop: int, query: Any, keys: Array, room: Room, state: Array
) -> None:
    """Write the distances of a span of objects to a query into their keys."""
    for place in range(start, stop):
        keys[place] = estimate(space, order[place], query)
        if room.fault[0] != 0:
            return
    state[COST] += stop - start


@kernel
def offer_span(tree: Any, node: int, bound: float, answer: Answer, desk: Desk) -> None:
    """Offer a node, unless none of its objects is admissible because of their slots."""
    if tree.stop[node] - 1 > answer.after:
        offer_child(desk, answer, node, bound)


@kernel
def scan_leaf(tree: Any, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    """Measure the objects of a leaf."""
    for slot in range(tree.start[node], tree.stop[node]):
        consider(space, slot, desk.bound[0], query, answer, desk)


class Extents(NamedTuple):
    """Which objects lie below each node: spans of an order of the slots."""

    order: Positions | slice  # a slice where the slots lie in order already
    start: Positions
    stop: Positions

    def greatest(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return for each node the greatest of some values, by slot, below it."""
        spans = np.stack([self.start, self.stop], axis=1).ravel()
        return np.maximum.reduceat(np.append(values[self.order], -np.inf), spans)[::2]

    def tally(self, nodes: Positions, chosen: npt.NDArray[np.bool_]) -> tuple[Positions, Positions]:
        """Return how many slots lie below each of some nodes, and how many of those that are chosen."""
        start, stop = self.start[nodes], self.stop[nodes]
        spans = np.stack([start, stop], axis=1).ravel()
        count = np.add.reduceat(np.append(chosen[self.order], False), spans, dtype=np.int64)[::2]
        return stop - start, count

    def below(self, nodes: Positions, count: int) -> npt.NDArray[np.bool_]:
        """Return which of `count` slots lie below any of some nodes."""
        inside = np.zeros(count, bool)
        for start, stop in zip(self.start[nodes].tolist(), self.stop[nodes].tolist()):
            inside[start:stop] = True
        below = np.empty_like(inside)
        below[self.order] = inside
        return below


def grown(tree: Tree, construction: Construction, leaf_size: int) -> tuple[Tree, Positions]:
    """Divide a tree whose root holds everything, and return it with its order; spare nodes are dropped."""
    n = construction.count
    tree.stop[0] = n
    order, keys, todo = np.arange(n), np.zeros(n), np.zeros(len(tree.start), np.int64)
    construction.state[PENDING] = construction.state[NODES] = 1
    construction.run(
        lambda: grow(
            tree, construction.space, order, keys, todo, leaf_size,
            construction.room, construction.state, construction.patience,
        )
    )  # fmt: skip
    spare, used = len(tree.start), construction.state[NODES]
    kept = {
        name: array[:used].copy() if len(array) == spare else array for name, array in tree._asdict().items()
    }
    return tree._replace(**kept), order
