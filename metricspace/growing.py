"""Static trees grow by dividing nodes until what is left fits into leaves.

All of them keep the objects in tree order, so that node ``i``, a child of ``parent[i]`` (−1 at the root),
occupies slots ``start[i]`` to ``stop[i]``: the objects that it keeps to itself first, then those of each
child. Children have greater numbers than their parents. A structure says how one node is divided.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from .answer import Answer
from .bounds import SHRUNK
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
    beside `order`: a number for each place, or what else the structure gives to `grown`.
    """


@kernel
def hang(tree: Any, parent: int, start: int, stop: int, state: Array) -> int:
    """Make a node of a span of objects, below another one, and return its number."""
    child = state[NODES]
    state[NODES] += 1
    tree.parent[child], tree.start[child], tree.stop[child] = parent, start, stop
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
def offer_span(tree: Any, node: int, bound: float, reason: int, answer: Answer, desk: Desk) -> None:
    """Offer a node, unless none of its objects is admissible because of their slots."""
    if tree.stop[node] - 1 > answer.after:
        offer_child(desk, answer, node, bound, reason)


@kernel
def scan_leaf(tree: Any, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    """Measure the objects of a leaf."""
    for slot in range(tree.start[node], tree.stop[node]):
        consider(space, slot, desk.bound[0], SHRUNK, query, answer, desk)


@kernel
def inhabit(start: Array, stop: Array, homes: Array) -> None:
    """Write into `homes` the deepest node to which each slot belongs."""
    for node in range(start.shape[0]):  # children come after their parents
        homes[start[node] : stop[node]] = node


def grown(
    tree: Tree,
    construction: Construction,
    leaf_size: int,
    keys: Array | None = None,
    objects: Positions | None = None,
) -> tuple[Tree, Positions]:
    """Divide a tree whose root holds everything, or some objects, and return it with its order.

    Spare nodes are dropped.
    """
    order = np.arange(construction.count) if objects is None else objects.copy()
    tree.stop[0] = len(order)
    todo = np.zeros(len(tree.start), np.int64)
    keys = np.zeros(len(order)) if keys is None else keys
    construction.state[PENDING] = construction.state[NODES] = 1
    construction.run(
        lambda: grow(
            tree, construction.space, order, keys, todo, leaf_size,
            construction.room, construction.state, construction.patience,
        )
    )  # fmt: skip
    spare, used = len(tree.start), construction.state[NODES]
    by_node = {
        name: value[:used].copy()
        for name, value in tree._asdict().items()
        if isinstance(value, np.ndarray) and len(value) == spare
    }
    return tree._replace(**by_node), order
