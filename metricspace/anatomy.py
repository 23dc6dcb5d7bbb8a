"""What a structure looks like inside, and where a query spends its distances."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .bounds import REASONS
from .ids import Positions
from .kernels import Array, kernel
from .traversal import NODES, OBJECTS, VISITED, Desk

Reals = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]  # by slot


class Spans(NamedTuple):
    """The objects below each node: a span of the slots in this order."""

    order: Positions
    start: Positions  # by node
    stop: Positions

    def tally(self, nodes: Positions, chosen: Mask) -> tuple[Positions, Positions]:
        """Return how many slots lie below each of some nodes, and how many of those are chosen."""
        start, stop = self.start[nodes], self.stop[nodes]
        spans = np.stack([start, stop], axis=1).ravel()
        count = np.add.reduceat(np.append(chosen[self.order], False), spans, dtype=np.int64)[::2]
        return stop - start, count

    def below(self, nodes: Positions) -> Mask:
        """Return which slots lie below any of some nodes."""
        inside = np.zeros(len(self.order), bool)
        for start, stop in zip(self.start[nodes].tolist(), self.stop[nodes].tolist()):
            inside[start:stop] = True
        below = np.empty_like(inside)
        below[self.order] = inside
        return below


@kernel
def lay_out(nodes: Array, parents: Array, own: Array, size: Array, start: Array, free: Array) -> None:
    """Place the objects of each node in front of those of its children; `nodes` come after their parents.

    ``size`` is that of ``own`` objects at first; ``free``, scratch, is where the next child begins.
    """
    for i in range(nodes.shape[0] - 1, -1, -1):
        node = nodes[i]
        if parents[node] >= 0:
            size[parents[node]] += size[node]
    place = 0
    for node in nodes:
        above = parents[node]
        if above < 0:
            start[node] = place
            place += size[node]
        else:
            start[node] = free[above]
            free[above] += size[node]
        free[node] = start[node] + own[node]


class Anatomy(NamedTuple):
    """Where the objects live. A structure without nodes, such as a table, has no parents."""

    homes: Positions  # by slot: the deepest node to which an object belongs, −1 if to none
    parents: Positions  # by node: −1 at a root, and at a number that no node has

    @property
    def levels(self) -> Positions:
        """The number of ancestors of each node."""
        levels, above = (self.parents >= 0).astype(np.int64), self.parents
        while (above >= 0).any():  # from each node twice as far as before
            levels += np.where(above >= 0, levels[above], 0)
            above = np.where(above >= 0, above[above], -1)
        return levels

    @property
    def spans(self) -> Spans:
        """The slots in an order in which those below a node follow one another."""
        housed = self.homes >= 0
        own = np.bincount(self.homes[housed], minlength=len(self.parents))
        size, start = own.copy(), np.zeros_like(own)
        lay_out(np.argsort(self.levels), self.parents, own, size, start, np.zeros_like(own))
        places = np.full(len(housed), len(housed))
        places[housed] = start[self.homes[housed]]
        return Spans(np.argsort(places, kind="stable"), start, start + size)

    def greatest_below(self, values: Reals) -> Reals:
        """Return for each node the greatest of some values of the objects, by slot, below it."""
        greatest = np.full(len(self.parents), -np.inf)
        if len(greatest):
            there = self.homes >= 0
            np.maximum.at(greatest, self.homes[there], values[there])
            levels = self.levels
            for level in range(levels.max(), 0, -1):
                nodes = np.flatnonzero(levels == level)
                np.maximum.at(greatest, self.parents[nodes], greatest[nodes])
        return greatest


@dataclasses.dataclass(frozen=True)
class Statistics:
    """What a structure is made of.

    Attributes
    ----------
    objects : int
        How many it holds.
    build_cost : int
        Distances computed to build and to change it.
    nbytes : int
        Bytes held by the objects and the structure.
    nodes, leaves, depth : int
        Nodes, those without children, and the most ancestors that a node has; 0 if there are no nodes.
    covering_radii : tuple of float, optional
        The least, mean and greatest covering radius of its regions, if it keeps any.
    """

    objects: int
    build_cost: int
    nbytes: int
    nodes: int
    leaves: int
    depth: int
    covering_radii: tuple[float, float, float] | None

    @classmethod
    def of(cls, objects: int, build_cost: int, nbytes: int, anatomy: Anatomy, radii: Reals) -> Statistics:
        """Return the statistics of a structure with these parts."""
        levels = anatomy.levels
        inner = np.unique(anatomy.parents[anatomy.parents >= 0])
        used = np.unique(np.concatenate([inner, anatomy.homes[anatomy.homes >= 0]]))
        radii = radii[np.isfinite(radii)]
        covering = (float(radii.min()), float(radii.mean()), float(radii.max())) if len(radii) else None
        return cls(
            objects, build_cost, nbytes, len(used), len(used) - len(inner),
            int(levels.max(initial=0)), covering,
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Where a query spent its distances.

    Attributes
    ----------
    objects : int
        How many are indexed.
    cost : int
        Distances computed.
    visited : int
        Nodes that the search went into; to a table each object that it measured is one.
    excluded_nodes, excluded_objects : dict of str to int
        What was left out, by the bound that proved it too far; whatever lies below a node goes with it.
    """

    objects: int
    cost: int
    visited: int
    excluded_nodes: dict[str, int]
    excluded_objects: dict[str, int]

    @classmethod
    def of(cls, objects: int, cost: int, desk: Desk) -> Explanation:
        """Return what a desk has noted of the only query that it served."""
        nodes, each = (_named(desk.tally[row]) for row in (NODES, OBJECTS))
        return cls(objects, cost, int(desk.wholes[VISITED]), nodes, each)

    def __str__(self) -> str:
        lines = [
            f"{self.cost:,} distances, {self.cost / max(self.objects, 1):.1%} of a scan's {self.objects:,}",
            f"{self.visited:,} nodes visited",
        ]
        for what, excluded in (("nodes", self.excluded_nodes), ("objects", self.excluded_objects)):
            lines += [f"{count:,} {what} excluded by {reason}" for reason, count in excluded.items()]
        return "\n".join(lines)


def _named(tally: npt.NDArray[Any]) -> dict[str, int]:
    return {reason: int(count) for reason, count in zip(REASONS, tally) if count}
