"""Vectors as boxes and codes see them: turned, cut into blocks of 64, and rounded.

Idea
    Distances do not change when vectors are centred and turned. In the principal axes a few coordinates hold
    most of a distance, and the length of all that is left over, as one more coordinate, bounds the rest: the
    distance of such rows is at most that of the vectors. Rows are rounded to whole numbers, and how far that
    moves a row is measured, not estimated: every bound gives way by the greatest such `error`. Queries are
    turned in float32, whose rounding has a bound (Higham, Accuracy and Stability of Numerical Algorithms,
    section 3.1), and rounded likewise.

    Norms other than L2 change when vectors are turned. Then the axes are columns of the vectors themselves,
    those that vary most, and differences are compared instead of products.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .kernels import Array, fast_kernel, generic, kernel
from .simd.differences import MAGNITUDES, SQUARES
from .simd.registers import ROWS
from .simd.tiles import BY_PAIRS, BYTES, GREATEST_SUM, MOST, OFFSET, TOGETHER, turn_one, turn_six
from .simd.vectors import aligned
from .space import Room, prepare, wrapping

Reals = npt.NDArray[np.float64]

CHUNK = 1 << 21  # numbers that are turned at once
UNKNOWN = -2
FEW = 4  # up to so many coordinates, rows are compared by differences, in float32
# Objects about home that give the first threshold: the more, the longer rows are; in few dimensions, few do.
_LEAST_FIRST, _MOST_FIRST = 256, 512
_MOST_SUBTRACTED = 128
_LARGEST_HALF = 32_000.0  # length of a row of codes of 16 bits: products stay in 32
_FAR = 1e6  # queries beyond so many times the reach of the data are as good as infinitely far


class Layout(NamedTuple):
    """How vectors become coordinates."""

    how: int  # how differences are joined
    gram: bool  # whether codes are multiplied, or else subtracted
    rotated: bool  # whether axes are other than those of the vectors
    mean: Array
    axes: Array  # (dimensions of vectors, boxes' coordinates + codes' + those of the second look), or none:
    # then vectors are coordinates as they are, of boxes and codes alike
    boxed: int  # coordinates of boxes
    coded: int  # coordinates of codes, without the rest
    rest: bool  # whether the length of the rest is a coordinate
    partial: int  # coordinates of the second look
    scale: float  # coordinates are so many times the distances
    stretch: float  # and no more than so many times, where the norm is another


def columns_of_codes(layout: Layout) -> slice:
    """Return which coordinates those of codes are."""
    begin = layout.boxed if layout.axes.shape[1] else 0
    return slice(begin, begin + layout.coded)


@kernel
def centre(rows: Array, mean: Array, scale: float, out: Array) -> None:
    """Write rows without their mean, scaled; what would leave float32 becomes as large as it can be."""
    for i in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            value = (np.float64(rows[i, k]) - mean[k]) * scale
            out[i, k] = min(max(value, -1e30), 1e30)


def chunks(count: int, width: int) -> list[slice]:
    """Return spans of rows, whole blocks, of about so many numbers as are turned at once."""
    size = max(CHUNK // max(width, 1) // ROWS, 1) * ROWS
    return [slice(first, min(first + size, count)) for first in range(0, count, size)]


def coordinates(layout: Layout, rows: npt.NDArray[Any]) -> tuple[Reals, Reals, Reals]:
    """Return some rows in all coordinates, the rest of each, and how wrong these are, in float64."""
    centred = np.empty(rows.shape)
    centre(rows, layout.mean, layout.scale, centred)
    turned: Reals = centred @ layout.axes if layout.axes.shape[1] else centred
    whole = np.einsum("ij,ij->i", centred, centred)
    wrong, dimensions = len(layout.mean) * 2.0**-51, turned.shape[1]
    if not layout.rest:
        return turned, np.zeros(len(rows)), wrong * np.sqrt(dimensions * whole)
    coded = turned[:, columns_of_codes(layout)]
    rest = np.sqrt(np.maximum(whole - np.einsum("ij,ij->i", coded, coded), 0.0))
    return turned, rest, np.sqrt((wrong + dimensions * wrong * wrong) * whole)


# --- queries ----------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """Queries in the order in which they go, and as boxes and codes see them; there is room for more."""

    place: Array  # which query each is
    homes: Array  # blocks nearest to it; −1 beyond those that are known, UNKNOWN before they are sought
    given: Array  # queries as they were asked
    rows: Array  # float32: these, centred
    turned: Array  # and in all coordinates, in blocks of 64
    at: Array  # float32 (queries, dimensions of boxes)
    away: Array  # how wrong that may be
    codes: Array  # (queries, codes of a row)
    blur: Array  # how far the codes lie from the query
    bias: Array  # what is added to each product
    factor: Array  # float32: what a product is multiplied by
    square: Array  # ‖q‖² of the codes
    slack: Array  # how wrong their squared distance to a row may be
    partial: Array  # float32 (queries, dimensions of the second look)
    vague: Array  # how wrong that may be


@generic
def write_homes(tree: Any, at: Array, homes: Array, apart: Array, bounds: Array) -> Any:
    """Write the blocks nearest to a query, the nearest first, and −1 where the structure knows no more.

    ``apart``, of as many places, and ``bounds``, of 64, are scratch.
    """


@write_homes.of(object)
def _(tree: Any, at: Array, homes: Array, apart: Array, bounds: Array) -> None:
    homes[:] = -1


def homes_wanted(tree: Any, k: int) -> int:
    """Return how many blocks about each query are looked at first, to find its k nearest."""
    if k == 0:
        return 1  # to go beside others that are near the same
    rows = k + ROWS // 4
    if tree.coded > FEW:
        rows = max(min(max(_LEAST_FIRST, 2 * tree.coded), _MOST_FIRST), k + ROWS)
    return max(min(-(-rows // ROWS), len(tree.norms)), 1)


def most_homes(k: int) -> int:
    """Return how many that are at most, whatever is searched."""
    return max(_MOST_FIRST, k + 2 * ROWS) // ROWS


# --- codes of rows -----------------------------------------------------------------------------------


@kernel
def encode_rows(how: int, rows: Array, first: int, step: float, noise: Array, codes: Array,
                norms: Array) -> float:  # fmt: skip
    """Write the codes of rows of coordinates, from a block on, and return how wrong the worst of them is.

    ``step`` is that of whole numbers, else 0; ``noise`` is how wrong each row's coordinates are already.
    """
    each, worst = codes.shape[3], 0.0
    for i in range(rows.shape[0]):
        block, j = first + i // ROWS, i % ROWS
        wrong, square = 0.0, 0.0
        for k in range(rows.shape[1]):
            value = rows[i, k]
            if step > 0.0:
                whole = np.rint(value / step)
                near = whole * step
                codes[block, k // each, j, k % each] = whole + (OFFSET if codes.itemsize == 1 else 0)
            else:
                codes[block, k // each, j, k % each] = value
                near = np.float64(codes[block, k // each, j, k % each])
            square += near * near
            apart = abs(near - value)
            if how == SQUARES:
                wrong += apart * apart
            elif how == MAGNITUDES:
                wrong += apart
            else:
                wrong = max(wrong, apart)
        norms[block, j] = square
        if how == SQUARES:
            wrong = np.sqrt(wrong)
        worst = max(worst, np.float64(wrong * (1 + 1e-6) + noise[i]))
    return worst


# --- codes of queries --------------------------------------------------------------------------------


@kernel
def coordinate(own: Array, rest: float, k: int) -> float:
    """Return what is coded in place k: a coordinate, what the others leave, or nothing."""
    if k < own.shape[0]:
        return np.float64(own[k])
    return rest if k == own.shape[0] else 0.0


@kernel
def greatest_sum(own: Array, rest: float, count: int) -> float:
    """Return the greatest magnitude of what is coded, or sum of those whose products meet in 16 bits."""
    greatest = 0.0
    if not BY_PAIRS:
        for k in range(count):
            greatest = max(greatest, abs(coordinate(own, rest, k)))
        return greatest
    for first in range(0, count, 8):  # two of each four, and of the next
        for k in (first, first + 2):
            total = 0.0
            for other in (k, k + 1, k + 4, k + 5):
                total += abs(coordinate(own, rest, other))
            greatest = max(greatest, total)
    return greatest


@fast_kernel
def encode_query(tree: Any, row: Array, turned: Array, j: int, asked: Asked) -> None:
    """Write a query's codes into place `j`, from its centred row and its coordinates, both in float32."""
    boxed, coded, each = tree.boxes.shape[1], tree.coded, tree.codes.shape[3]
    length = 0.0
    for k in range(row.shape[0]):
        length += np.float64(row[k]) * np.float64(row[k])
    length = np.sqrt(length)
    wrong = tree.rounding * length + 1e-30
    vague = not length < _FAR
    asked.away[j] = np.inf if vague else wrong
    for k in range(boxed):
        asked.at[j, k] = 0.0 if vague else turned[k]
    for k in range(asked.partial.shape[1]):
        asked.partial[j, k] = 0.0 if vague else turned[boxed + coded + k]
    asked.vague[j] = np.inf if vague else wrong + 2.0**-23 * tree.radius
    begin = boxed if tree.axes.shape[0] > 0 else 0
    own = turned[begin : begin + coded]
    square = 0.0
    for k in range(coded):
        square += np.float64(own[k]) * np.float64(own[k])
    rest = unsure = 0.0
    if tree.rest:
        # The row and its coordinates are rounded, so the rest lies between two bounds.
        whole, part = length * 2.0**-22, np.sqrt(square)
        most = max((length + whole) ** 2 - max(part - wrong, 0.0) ** 2, 0.0)
        least = max((length - whole) ** 2 - (part + wrong) ** 2, 0.0)
        rest = (np.sqrt(most) + np.sqrt(least)) / 2
        unsure = (np.sqrt(most) - np.sqrt(least)) / 2 + 1e-12 * length
        rest -= tree.middle
        square += rest * rest
    step = 0.0
    if not tree.gram:
        step = tree.step
    elif each == 4:
        step = greatest_sum(own, rest, asked.codes.shape[1]) / GREATEST_SUM
    elif each == 2:
        step = np.sqrt(square) / _LARGEST_HALF
    edge = step * greatest_code(tree.how, coded) if not tree.gram and step > 0.0 else np.inf
    lost = total = norm = 0.0
    codes = asked.codes[j]
    for k in range(codes.shape[0]):
        value = 0.0 if vague else coordinate(own, rest, k)
        value = min(max(value, -edge), edge)  # all rows are within, and so none is farther for it
        near = value
        if step > 0.0:
            whole = np.rint(value / step)
            codes[k] = whole
            near = whole * step
            total += whole
        else:
            codes[k] = value
            near = np.float64(codes[k])
        apart = abs(near - value)
        if tree.how == SQUARES:
            lost += apart * apart
        else:
            lost = lost + apart if tree.how == MAGNITUDES else max(lost, apart)
        norm += near * near
    asked.bias[j] = -OFFSET * total if each == 4 else 0.0
    asked.factor[j] = -2.0 * tree.step * step if step > 0.0 else -2.0
    asked.square[j] = norm
    if tree.how == SQUARES:
        lost = np.sqrt(lost)
        wrong = np.sqrt(wrong * wrong + unsure * unsure)
    asked.blur[j] = np.inf if vague else (lost + wrong) * (1 + 1e-6)
    units = 16.0 if each > 1 else 16.0 + codes.shape[0]
    asked.slack[j] = units * 2.0**-24 * (tree.radius + np.sqrt(norm)) ** 2 + 1e-30


@kernel
def turn(tree: Any, asked: Asked, first: int, last: int) -> None:
    """Centre some queries and write their coordinates, 64 at a time: six share a column of the axes."""
    centre(asked.given[first:last], tree.mean, tree.scale, asked.rows[first:last])
    # Not by BLAS, whose threads would go on to spin beside those that search.
    width = asked.turned.shape[1]
    for block in range(tree.axes.shape[0]):
        i = first
        while i < last:
            place = i * width + block * ROWS
            if i + TOGETHER <= last:
                turn_six(tree.axes[block], asked.rows, i, asked.turned, place, width)
                i += TOGETHER
            else:
                turn_one(tree.axes[block], asked.rows, i, asked.turned, place, width)
                i += 1


@kernel
def find_homes(tree: Any, asked: Asked, first: int, last: int, apart: Array, bounds: Array) -> None:
    """Write the coordinates of some queries, and the blocks nearest to each."""
    turn(tree, asked, first, last)
    for i in range(first, last):
        write_homes(tree, asked.turned[i], asked.homes[i], apart, bounds)


@kernel
def sort_by_homes(asked: Asked, homes: Array, starts: Array, offset: int) -> None:
    """Put queries, asked as so many more than they are rows of `asked`, into the order of their homes.

    ``starts`` has two places more than there are blocks, all 0.
    """
    for i in range(homes.shape[0]):  # −1 is the first
        starts[homes[i, 0] + 2] += 1
    for block in range(1, starts.shape[0]):
        starts[block] += starts[block - 1]
    for i in range(homes.shape[0]):
        place = starts[homes[i, 0] + 1]
        starts[homes[i, 0] + 1] += 1
        asked.place[place] = offset + i
        for k in range(homes.shape[1]):
            asked.homes[place, k] = homes[i, k]


@kernel
def encode_queries(tree: Any, asked: Asked, offset: int, first: int, last: int, apart: Array,
                   bounds: Array) -> None:  # fmt: skip
    """Write the codes of some queries, which were asked as so many more than they are rows of `asked`."""
    for j in range(first, last):
        i = asked.place[j] - offset
        if asked.homes[j, 0] == UNKNOWN:  # then none has changed places
            find_homes(tree, asked, i, i + 1, apart, bounds)
        encode_query(tree, asked.rows[i], asked.turned[i], j, asked)


def blank_asked(tree: Any, rows: npt.NDArray[Any], offset: int = 0, k: int = 0) -> Asked:
    """Return queries, in the order of rows, that are still to be turned and encoded, and seek so many."""
    count = len(rows)
    centred = np.empty(rows.shape, np.float32)
    width = ROWS * len(tree.axes)
    turned = np.empty((count, width), np.float32) if width else centred  # rows may be coordinates
    padded = count + MOST
    kind = np.dtype(np.int8) if tree.codes.dtype == np.uint8 else tree.codes.dtype
    sums = np.float32 if kind == np.float32 else np.int32
    homes = np.empty((count, homes_wanted(tree, k)), np.int64)
    homes.fill(UNKNOWN)
    reals, floats = np.zeros((5, padded)), np.zeros((2, padded), np.float32)
    return Asked(
        place=np.arange(offset, offset + count),
        homes=homes,
        given=rows,
        rows=centred,
        turned=turned,
        at=np.zeros((padded, tree.boxes.shape[1]), np.float32),
        away=reals[0],
        codes=aligned((padded, tree.codes.shape[1] * tree.codes.shape[3]), kind),
        blur=reals[1],
        bias=np.zeros(padded, sums),
        factor=floats[0],
        square=reals[2],
        slack=reals[3],
        partial=np.zeros((padded, tree.partial.shape[1]), np.float32),
        vague=reals[4],
    )


def in_columns(axes: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return axes in blocks of 64, ``[dimension][64][1]``, the last one filled up with zeros."""
    dimensions, count = axes.shape
    blocks = aligned((-(-count // ROWS), dimensions, ROWS, 1), np.float32)
    for block, first in zip(blocks, range(0, count, ROWS)):
        part = axes[:, first : first + ROWS]
        block[:, : part.shape[1], 0] = part
    return blocks


def code_kind(layout: Layout) -> tuple[int, type]:
    """Return how many codes of a row lie together, in 32 bits, on this machine, and their type."""
    if layout.gram:
        return (4, np.uint8) if BYTES else (2, np.int16)
    # Few coordinates need not be whole numbers, and of many the sums would leave 16 bits.
    return 1, np.int16 if FEW < layout.coded <= _MOST_SUBTRACTED else np.float32


@kernel
def greatest_code(how: int, coded: int) -> int:
    """Return the greatest whole number of those that are subtracted, whose sums stay in 16 bits."""
    return 32767 // (2 * coded) if how == MAGNITUDES else 16383


def rounding(layout: Layout) -> float:
    """Return how wrong a query's coordinates in float32 are, as a part of its length."""
    most = max(layout.coded, layout.boxed, layout.partial)
    if not layout.rotated:
        return 2.0**-22 * float(np.sqrt(most))
    return (len(layout.mean) + 4) * 2.0**-24 * float(np.sqrt(most)) * 1.01


# --- one query at a time -----------------------------------------------------------------------------


@wrapping
class Placed(NamedTuple):
    """A space whose queries have coordinates."""

    own: Any
    asked: Asked


class PlacedQuery(NamedTuple):
    """A query prepared for its own space, and which of those with coordinates it is."""

    own: Any
    asked: Asked
    place: int


@prepare.of(Placed)
def _(space: Placed, queries: Placed, i: int, room: Room) -> Any:
    return PlacedQuery(prepare(space.own, queries.own, i, room), queries.asked, i)
