"""Box tree: vectors in blocks of 64, in nested boxes, with rounded copies to look at first.

Idea
    A k-d tree of fan-out 64 (Bentley 1975) over the leading principal coordinates puts vectors that are near
    each other into one block, and each node keeps a tight box for each of its children. A query visits the
    blocks whose boxes are near enough. There a rounded copy of the vectors, in a few more coordinates and one
    that holds the length of the rest, gives a lower bound of every distance, for many rows in one step (the
    VA-file of Weber, Schek, Blott 1998, in vector registers). What is left is measured. Queries of a batch go
    together, several to a block; see `together`. How vectors become codes, and what their rounding costs, is
    told in `coding`; what is chosen for the data, in `fitting`.

    Nothing here rests on the triangle inequality, but on norms: the difference in some coordinates is no
    longer than the whole difference. So the structure takes norms, also after a map of each vector.

Arrays
    Node 0 is the root; nodes of one level follow one another, those that hold boxes before the blocks. The
    children of node i are ``first[i]`` up to ``first[i + 1]``; ``boxes[i]`` holds their least and greatest
    coordinates, ``centres[i]`` their means. Blocks come after all nodes that hold boxes; block b
    holds slots 64 b to 64 b + 63; ``codes[b]`` are its codes, ``norms[b]`` their squared lengths, and
    ``error`` is how far rounding moved any row.

Invariants
    Every node but the last of each level is full. A box holds the coordinates of all rows below it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..anatomy import Anatomy
from ..answer import BOUNDS, Answer
from ..bounds import BOX, CODES, allowance
from ..coding import Asked, Placed, blank_asked, encode_queries, in_columns, rounding, write_homes
from ..construction import COST, Construction
from ..fitting import (
    ASKED,
    COMPARED,
    PRUNED,
    arranged,
    block_keys,
    blocks_left,
    boxes_of,
    bytes_coded,
    chosen_codes,
    coded,
    in_blocks,
    neighbours_of,
    nested,
    place_rows,
    plane_of,
    whole,
)
from ..ids import Positions
from ..index import BaseIndex
from ..kernels import Array, kernel
from ..laws import Bound, Metric
from ..metrics.directions import ArcSpace
from ..norms import ChebyshevSpace, EuclideanSpace, ManhattanSpace, MinkowskiSpace, OnRows, rows_of
from ..objects import Objects
from ..simd.differences import (
    MAGNITUDES,
    SQUARES,
    boxes_by_greatest,
    boxes_by_magnitudes,
    boxes_by_squares,
    rows_by_squares,
)
from ..simd.matrices import LINES, MATRICES
from ..simd.registers import ROWS, lowest, place_of_least
from ..simd.tiles import TOGETHER
from ..together import all_blocks, distance_of, roam, still_unseen
from ..traversal import Desk, consider, expand, make_desk, offer_child
from ..tray import ALL, NODES, Tray

# Queries that go together: those that need a block fill its tiles.
GROUP = 3 * LINES if MATRICES else 6 * TOGETHER


class Boxes(NamedTuple):
    """Boxes, codes, and how a query becomes comparable with them."""

    objects: int
    how: int  # how differences are joined; see `simd.differences`
    gram: bool  # whether codes are multiplied, or else subtracted
    measured: bool  # whether comparing codes counts as measuring: false
    whole: bool  # whether codes are all of a row, in float32, and their differences are estimates
    pruned: bool  # whether boxes are looked at in a sweep
    together: int  # queries that go together
    coded: int  # coordinates of codes, without the rest
    rest: bool  # whether the length of the rest is one more
    scale: float  # coordinates are so many times the distances
    stretch: float  # distances in coordinates are at most so many times those of vectors
    sphere: float  # the radius of the sphere on which distances are arcs, or 0
    step: float  # the step of codes that are whole numbers, or 0
    middle: float  # subtracted from the length of the rest
    radius: float  # the greatest length of a row of codes
    rounding: float  # how wrong a query's coordinates are, as a part of its length
    lowest: int  # the first node whose children are blocks
    mean: Array  # float64
    axes: Array  # float32, see `in_columns`: coordinates of boxes, of codes, of the second look
    first: Array  # by node that holds boxes, and once more: where children begin
    boxes: Array  # float32 (nodes, coordinates, 2, 64)
    centres: Array  # float32 (nodes, coordinates, 64, 1)
    codes: Array  # (blocks, steps, 64, codes in 32 bits)
    norms: Array  # float32 (blocks, 64)
    error: float  # how wrong the worst code is
    partial: Array  # float32 (objects, coordinates of the second look)


# --- one query at a time -----------------------------------------------------------------------------


@expand.of(Boxes)
def _(tree: Boxes, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    inner = tree.first.shape[0] - 1
    if node < inner:
        for child in range(children(tree, node)):
            number = tree.first[node] + child
            if last_slot(tree, number) > answer.after:
                bound = box_bound(tree, node, child, query.asked, query.place)
                bound = as_distance(tree, bound)
                offer_child(desk, answer, number, bound - allowance(answer.slack, 2 * bound), BOX)
        return
    block = node - inner
    count = min(ROWS, tree.objects - block * ROWS)
    answer.wholes[BOUNDS] += count
    for j in range(count):
        bound = as_distance(tree, code_bound(tree, block, j, query.asked, query.place))
        bound = max(bound - allowance(answer.slack, 2 * bound), desk.bound[0])
        consider(space, block * ROWS + j, bound, CODES, query, answer, desk)


@kernel
def children(tree: Boxes, node: int) -> int:
    """Return how many children a node has."""
    return tree.first[node + 1] - tree.first[node]


@kernel
def last_slot(tree: Boxes, node: int) -> int:
    """Return the last slot below a node."""
    inner = tree.first.shape[0] - 1
    while node < inner:
        node = tree.first[node + 1] - 1
    return min((node - inner + 1) * ROWS, tree.objects) - 1


@kernel
def box_bound(tree: Boxes, node: int, child: int, asked: Asked, place: int) -> float:
    """Return how far a query is at least from a child's box, in coordinates."""
    total, box, at = 0.0, tree.boxes[node], asked.at[place]
    for k in range(box.shape[0]):
        own = np.float64(at[k])
        apart = max(np.float64(box[k, 0, child]) - own, own - np.float64(box[k, 1, child]), 0.0)
        total = joined(tree.how, total, apart)
    return max(length(tree.how, total) - asked.away[place], 0.0)


@kernel
def code_bound(tree: Boxes, block: int, j: int, asked: Asked, place: int) -> float:
    """Return how far a query is at least from a row, in coordinates."""
    codes, own = tree.codes[block], asked.codes[place]
    total, each = 0.0, codes.shape[2]
    if tree.gram:
        product = np.float64(asked.bias[place])
        for step in range(codes.shape[0]):
            for part in range(each):
                product += np.float64(codes[step, j, part]) * np.float64(own[step * each + part])
        total = np.float64(tree.norms[block, j]) + asked.factor[place] * product + asked.square[place]
        total = max(total - asked.slack[place], 0.0)
    else:
        for k in range(codes.shape[0]):
            apart = abs(np.float64(codes[k, j, 0]) - np.float64(own[k]))
            total = joined(tree.how, total, apart * tree.step if tree.step > 0.0 else apart)
    return max(length(tree.how, total) - asked.blur[place] - tree.error, 0.0)


@kernel
def joined(how: int, total: float, apart: float) -> float:
    """Join one more difference to others."""
    if how == SQUARES:
        return total + apart * apart
    return total + apart if how == MAGNITUDES else max(total, apart)


@kernel
def length(how: int, total: float) -> float:
    """Return the length that joined differences are of."""
    return np.sqrt(total) if how == SQUARES else total


@kernel
def as_distance(tree: Boxes, bound: float) -> float:
    """Return the distance of vectors that are so far apart in coordinates."""
    return distance_of(tree, bound * (1 - 1e-9)) * (1 - 1e-12)


# --- several together --------------------------------------------------------------------------------


@write_homes.of(Boxes)
def _(tree: Boxes, at: Array, homes: Array, apart: Array, bounds: Array) -> None:
    homes[:], apart[:] = -1, np.inf
    last, node = homes.shape[0] - 1, 0
    while tree.first[node] < tree.lowest:  # toward the nearest centre, while there are many to choose from
        rows_by_squares(tree.centres[node], at, apart[last], bounds)
        node = tree.first[node] + place_of_least(bounds)
    own, left = node, np.uint64(0)
    if (
        node < tree.lowest
    ):  # its children, the nearest box first, and others for as long as they may be nearer
        left = boxes_by_squares(tree.boxes[node], at, apart[last], bounds) & existing(tree, node)
        child = place_of_least(bounds)
        own, left = tree.first[node] + child, left & ~(np.uint64(1) << np.uint64(child))
    while True:
        if rows_by_squares(tree.centres[own], at, apart[last], bounds) != np.uint64(0):
            take_nearest(tree.first[own] - (tree.first.shape[0] - 1), homes, apart, bounds)
            if left != np.uint64(0):
                left &= boxes_by_squares(tree.boxes[node], at, apart[last], bounds)
        if left == np.uint64(0):
            return
        own = tree.first[node] + lowest(left)
        left &= left - np.uint64(1)


@kernel
def take_nearest(first: int, homes: Array, apart: Array, bounds: Array) -> None:
    """Put those of 64 blocks, from one on, among the nearest that are nearer than some; ``bounds`` is lost.

    What does not exist is infinitely far, and so are all from a query whose squares are infinite.
    """
    last = homes.shape[0] - 1
    for _ in range(homes.shape[0]):
        child = place_of_least(bounds)
        d = bounds[child]
        if not d < apart[last]:
            return
        bounds[child] = np.inf
        place = last
        while place > 0 and d < apart[place - 1]:
            homes[place], apart[place] = homes[place - 1], apart[place - 1]
            place -= 1
        homes[place], apart[place] = first + child, d


@kernel
def existing(tree: Boxes, node: int) -> Any:
    """Return the bits of a node's children."""
    return ALL >> np.uint64(ROWS - children(tree, node))


@roam.of(Boxes)
def _(tree: Boxes, asked: Asked, first: int, tray: Tray) -> int:
    inner = tree.first.shape[0] - 1
    if not tree.pruned:
        return all_blocks(tree, asked, first, tray)
    found, size = 0, tray.sizes[NODES]
    while size > 0 and found == 0:
        size -= 1
        node, base = tray.nodes[size], size
        union = look(tree, node, tray.whose[size], asked, first, tray)
        while union != np.uint64(0):
            child = lowest(union)
            union &= union - np.uint64(1)
            number, needed = tree.first[node] + child, tray.wanted[child]
            tray.wanted[child] = 0
            if number >= inner:
                tray.blocks[found], tray.needed[found] = number - inner, needed
                found += 1
            else:  # in the order of one member's bounds
                key, place = np.float64(tray.bounds[child]), size
                size += 1
                while place > base and tray.keys[place - 1] < key:
                    tray.keys[place], tray.nodes[place] = tray.keys[place - 1], tray.nodes[place - 1]
                    tray.whose[place] = tray.whose[place - 1]
                    place -= 1
                tray.keys[place], tray.nodes[place], tray.whose[place] = key, number, needed
    tray.sizes[NODES] = size
    return found


@kernel
def look(tree: Boxes, node: int, members: Any, asked: Asked, first: int, tray: Tray) -> Any:
    """Return the bits of a node's children that any of some members needs; `Tray.wanted` has who."""
    union, box = np.uint64(0), tree.boxes[node]
    block = tree.first[node] - (tree.first.shape[0] - 1)
    while members != np.uint64(0):
        r = lowest(members)
        members &= members - np.uint64(1)
        j = first + r
        reach, at = tray.reach[r] + asked.away[j], asked.at[j]
        if tree.how == SQUARES:
            mask = boxes_by_squares(box, at, np.float32(reach * reach * (1 + 4e-6)), tray.bounds)
        elif tree.how == MAGNITUDES:
            mask = boxes_by_magnitudes(box, at, np.float32(reach * (1 + 4e-6)), tray.bounds)
        else:
            mask = boxes_by_greatest(box, at, np.float32(reach * (1 + 4e-6)), tray.bounds)
        mask &= existing(tree, node)
        if block >= 0:
            mask = still_unseen(tree, block, mask, asked.homes[j], r, tray)
        union |= mask
        while mask != np.uint64(0):
            tray.wanted[lowest(mask)] |= np.uint64(1) << np.uint64(r)
            mask &= mask - np.uint64(1)
    return union


# --- the structure -----------------------------------------------------------------------------------


class BoxTree(BaseIndex):
    """Vectors in nested boxes, with rounded copies: the fastest exact search there is for vectors.

    Parameters
    ----------
    metric : str or Metric
        A norm of the difference of vectors, after a map of each if need be: Minkowski distances, weighted
        or not, quadratic forms, angles and chords.
    seed : int
        Where all random choices come from.
    max_bytes : int, optional
        Refuse to build what takes more memory.

    References
    ----------
    Bentley, Multidimensional binary search trees used for associative searching, CACM 18, 1975.
    Weber, Schek, Blott, A quantitative analysis and performance study for similarity-search methods in
    high-dimensional spaces, VLDB 1998.
    """

    key = "boxes"
    arrays = Boxes
    needs = "norm"
    specialised = True
    smaller = "linear"

    @classmethod
    def suits(cls, metric: Metric) -> bool:
        """Return whether distances are norms of differences of vectors."""
        given = getattr(metric, "arrays", None)
        kinds = (EuclideanSpace, ManhattanSpace, ChebyshevSpace, MinkowskiSpace, ArcSpace)
        return isinstance(metric, OnRows) and getattr(given, "func", given) in kinds

    def _unsuited(self) -> str:
        other = "VPTree" if "triangle" in self.metric.laws else "LinearScan"
        return (
            f"BoxTree takes norms of the difference of vectors, and {self.metric.name} is none: use {other}"
        )

    def _swept(self, queries: int) -> Any:
        return self._tree

    def chosen(self) -> str:
        """Return in words what `fit` chose for the data."""
        self._fitted()
        tree = self._tree
        boxes = f"boxes in {tree.boxes.shape[1]} coordinates" if tree.pruned else "all blocks"
        rest = " and the length of the rest" if tree.rest else ""
        bits = 8 * tree.codes.itemsize
        second = f", then {tree.partial.shape[1]} in float32" if tree.partial.shape[1] else ""
        return f"{boxes}; codes of {bits} bits of {tree.coded} coordinates{rest}{second}"

    def _vectors(self, objects: Objects) -> npt.NDArray[Any]:
        assert isinstance(self.metric, OnRows)
        return self.metric.matrix(objects)

    def _build(self, construction: Construction) -> tuple[Boxes, Positions]:
        metric, objects = construction.bound.metric, construction.bound.objects
        assert isinstance(metric, OnRows)
        rows, space = metric.matrix(objects), metric.space(objects)
        count, random = len(rows), np.random.default_rng(self.seed)
        plane = plane_of(space, rows, self.seed)
        order = in_blocks(block_keys(plane, rows), construction)
        least, most, means = boxes_of(plane, rows, order)
        asked, others = (
            place_rows(plane, rows, random, min(most_rows, count))
            for most_rows in (-(-count // ROWS), COMPARED)
        )
        asked = asked[:ASKED]
        radii = neighbours_of(plane, rows, asked)
        construction.state[COST] += len(asked) * count
        left = blocks_left(plane, asked, radii, least, most)
        pruned = left < PRUNED
        layout = arranged(
            plane, chosen_codes(plane, asked, others, radii, left if pruned else 1.0), self.seed
        )
        first, above, boxes, centres = nested(least, most, means)
        codes = coded(layout, rows, order, float(np.median(radii)))
        radius = float(np.sqrt(codes.norms.max(initial=0.0))) * (1 + 1e-6)
        return Boxes(
            count, layout.how, layout.gram, False, whole(plane, codes.codes), pruned, GROUP,
            layout.coded, layout.rest, layout.scale, layout.stretch, plane.sphere, codes.step, codes.middle,
            radius, rounding(layout), above, layout.mean, in_columns(layout.axes), first, boxes, centres,
            codes.codes, codes.norms, codes.error, codes.partial,
        ), order  # fmt: skip

    def _around(self, bound: Bound, objects: Objects, queries: Objects) -> Bound:
        rows = self._vectors(queries)
        asked = blank_asked(self._tree, rows)
        encode_queries(self._tree, asked, 0, 0, len(rows), *np.empty((2, ROWS), np.float32))
        bound.space = Placed(bound.space, blank_asked(self._tree, rows[:0]))
        bound.queries = Placed(bound.queries, asked)
        return bound

    def _anatomy(self) -> Anatomy:
        tree = self._tree
        inner, blocks = len(tree.first) - 1, len(tree.norms)
        parents = np.full(inner + blocks, -1)
        parents[1:] = np.repeat(np.arange(inner), np.diff(tree.first))
        return Anatomy(inner + np.arange(tree.objects) // ROWS, parents)

    def _bytes_derived(self, objects: Objects) -> int:
        assert isinstance(self.metric, OnRows)
        return super()._bytes_derived(objects) + bytes_coded(self.metric, *rows_of(objects).shape)

    def _bytes(self, count: int) -> int:
        return 64 * count

    def _desk(self) -> Desk:
        return make_desk(ROWS + 2, 0, 0)
