"""How vectors are fitted into boxes and codes: their axes, their order, and how much of them is coded.

What is best depends on the data, so it is measured: for about a hundred rows the distance of the tenth
neighbour is found, then how many blocks their boxes leave, and how many rows so many coordinates leave. What
each costs, in nanoseconds, is known well enough; the least sum decides.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .coding import (
    FEW,
    Asked,
    Layout,
    Reals,
    centre,
    chunks,
    code_kind,
    columns_of_codes,
    coordinates,
    encode_rows,
    greatest_code,
    in_columns,
    rounding,
)
from .construction import Construction
from .ids import Positions
from .kernels import Array, kernel
from .laws import Metric
from .metrics.directions import ArcSpace
from .norms import ChebyshevSpace, EuclideanSpace, ManhattanSpace, MinkowskiSpace, OnRows
from .simd.differences import GREATEST, MAGNITUDES, SQUARES
from .simd.registers import ROWS
from .simd.tiles import BY_PAIRS, BYTES, OFFSET
from .simd.vectors import aligned
from .together import all_blocks, roam
from .tray import Tray

SAMPLE = 65_536  # rows from which the axes are found
ASKED = 100  # rows that are asked for their neighbours
NEIGHBOURS = 10
COMPARED = 16_384  # rows with which they are compared, coordinate by coordinate
BOXED = 8  # coordinates of boxes
PRUNED = 0.7  # boxes that leave more of the blocks are not looked at
COARSE = 0.1  # codes that are subtracted may be wrong by so much of a usual radius, on either side
SCANNING = 60  # queries that share a block of a scan
NOWHERE = np.inf  # where a child is that does not exist

# Nanoseconds, about.
_MULTIPLIED, _SUBTRACTED = 0.003, 0.05  # a code of a row, a coordinate
_FETCHED, _MEASURED = 25.0, 0.15  # a row, and each of its numbers


def principal_axes(sample: Reals) -> Reals:
    """Return the directions in which some centred rows vary, those in which they vary most first."""
    _, axes = np.linalg.eigh(sample.T @ sample)
    return np.ascontiguousarray(axes[:, ::-1])


def stirred(axes: Reals, seed: int) -> Reals:
    """Return axes turned at random among themselves, so that no coordinate is much longer than the others."""
    width = axes.shape[1]
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((width, width)))
    return axes @ turn


@kernel
def reach_of_rows(rows: Array, mean: Array) -> float:
    """Return the greatest difference of a row from the mean, in any dimension."""
    greatest = 0.0
    for i in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            greatest = max(greatest, abs(np.float64(rows[i, k]) - mean[k]))
    return greatest


# --- blocks ------------------------------------------------------------------------------------------


@kernel
def unit_of(blocks: int) -> int:
    """Return of how many blocks the parts of a division are multiples: whole nodes of the tree."""
    unit = 1
    while unit * ROWS < blocks:
        unit *= ROWS
    return unit


@kernel
def divide_into_blocks(keys: Array, order: Array, todo: Array, state: Array, patience: int) -> bool:
    """Reorder rows so that every 64 that follow one another are near each other (Bentley 1975).

    Spans are divided about in the middle of the coordinate that varies most. ``todo`` holds the spans that
    are left, ``state`` their number and how many rows are done.
    """
    width, worked = keys.shape[1], 0
    while state[0] > 0 and worked < patience:
        state[0] -= 1
        start, stop = todo[state[0], 0], todo[state[0], 1]
        blocks = (stop - start + ROWS - 1) // ROWS
        if blocks <= 1:
            state[1] += stop - start
            continue
        widest, axis = -1.0, 0
        for k in range(width):
            total = squares = 0.0
            shift = np.float64(keys[start, k])
            for i in range(start, stop):
                value = np.float64(keys[i, k]) - shift
                total += value
                squares += value * value
            varies = squares - total * total / (stop - start)
            if varies > widest:
                widest, axis = varies, k
        unit = unit_of(blocks)
        middle = start + max((blocks + unit) // (2 * unit), 1) * unit * ROWS
        select_rows(keys, order, axis, start, stop, middle)
        worked += width * (stop - start)
        todo[state[0], 0], todo[state[0], 1] = middle, stop
        todo[state[0] + 1, 0], todo[state[0] + 1, 1] = start, middle
        state[0] += 2
    return state[0] == 0


@kernel
def select_rows(keys: Array, order: Array, axis: int, start: int, stop: int, middle: int) -> None:
    """Reorder rows of keys so that those least in one column come before the middle (Hoare 1961)."""
    low, high = start, stop - 1
    while low < high:
        pivot = keys[(low + high) // 2, axis]
        i, j = low, high
        while i <= j:
            while keys[i, axis] < pivot:
                i += 1
            while keys[j, axis] > pivot:
                j -= 1
            if i <= j:
                for k in range(keys.shape[1]):
                    keys[i, k], keys[j, k] = keys[j, k], keys[i, k]
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            return


def nested(least: Any, most: Any, means: Any) -> tuple[Any, int, Any, Any]:
    """Return where children begin, the first node above blocks, and the boxes and centres of all children."""
    levels, width = [], least.shape[1]
    below = len(least)
    while True:
        nodes = -(-below // ROWS)
        padded = np.full((3, nodes * ROWS, width), np.float32(NOWHERE))
        padded[:, :below] = least, most, means
        levels.append((below, padded.reshape(3, nodes, ROWS, width).transpose(1, 3, 0, 2)))
        if nodes == 1:
            break
        edges = np.arange(0, below, ROWS)
        least, most = np.minimum.reduceat(least, edges), np.maximum.reduceat(most, edges)
        means = means_of(means, edges)
        below = nodes
    levels.reverse()
    shapes = [held for _, held in levels]
    nodes = sum(map(len, shapes))
    boxes = aligned((nodes, width, 2, ROWS), np.float32)
    centres = aligned((nodes, width, ROWS, 1), np.float32)
    np.concatenate([held[:, :, :2] for held in shapes], out=boxes)
    np.concatenate([held[:, :, 2] for held in shapes], out=centres[..., 0])
    first, number = [], 1
    for below, _ in levels:
        first.append(np.arange(number, number + below, ROWS))
        number += below
    lowest_inner = len(boxes) - len(levels[-1][1])
    return np.concatenate([*first, [number]]), lowest_inner, boxes, centres


def means_of(rows: Any, edges: Positions) -> npt.NDArray[np.float32]:
    """Return the means of rows from each edge to the next, in float32."""
    counts = np.diff(edges, append=len(rows))
    return (np.add.reduceat(rows, edges, dtype=np.float64) / counts[:, None]).astype(np.float32)


# --- the choice --------------------------------------------------------------------------------------


class Plane(NamedTuple):
    """What the kind of metric says: how differences are joined, and how coordinates come about."""

    how: int
    own: bool  # or else that norm is only compared with the metric
    gram: bool
    rotated: bool
    stretch: float
    sphere: float
    scale: float
    mean: Reals
    axes: Reals  # all directions, those in which the data vary most first
    spread: Reals  # those by which blocks are divided
    boxed: int  # coordinates of boxes


def plane_of(space: Any, rows: npt.NDArray[Any], seed: int, turn: bool = True) -> Plane:
    """Return what holds for all rows of a space, turned into their principal axes if that may be."""
    count, width = rows.shape
    chosen = np.random.default_rng(seed).choice(count, min(count, SAMPLE), replace=False)
    sample = np.asarray(rows[np.sort(chosen)], np.float64)
    mean = sample.mean(axis=0)
    greatest = max(reach_of_rows(rows[part], mean) for part in chunks(count, width))
    scale = 2.0 ** -float(np.clip(np.floor(np.log2(greatest)), -900, 900)) if greatest > 0 else 1.0
    sample = (sample - mean) * scale
    how = {ManhattanSpace: MAGNITUDES, ChebyshevSpace: GREATEST}.get(type(space), SQUARES)
    stretch = 1.0
    if isinstance(space, MinkowskiSpace) and space.p > 2:  # by the inequality of power means
        stretch = float(width) ** (0.5 - 1 / space.p)
    sphere = float(space.radius) if isinstance(space, ArcSpace) else 0.0
    gram = how == SQUARES and (width > FEW or not turn)
    rotated = turn and gram and width > BOXED
    # Blocks are of rows that are near each other in any norm; boxes of other norms than L2 are in the
    # coordinates of the vectors, of which more are needed.
    axes = np.eye(width)
    if not as_they_are(how, width):
        axes = axes[:, np.argsort(-sample.var(axis=0), kind="stable")]
    turned = principal_axes(sample) if turn and width > BOXED else axes
    boxed = min(BOXED if how == SQUARES else ROWS, width)
    axes, spread = turned if rotated else axes, np.ascontiguousarray(turned[:, :BOXED])
    own = not isinstance(space, MinkowskiSpace)
    return Plane(how, own, gram, rotated, stretch, sphere, scale, mean, axes, spread, boxed)


def as_they_are(how: int, width: int) -> bool:
    """Whether all dimensions of vectors, in their order, are coordinates of boxes and of codes."""
    return how == SQUARES and width <= BOXED


def place_rows(plane: Plane, rows: npt.NDArray[Any], random: np.random.Generator, most: int) -> Reals:
    """Return some of the rows, drawn at random, centred and scaled."""
    chosen = rows[np.sort(random.choice(len(rows), most, replace=False))]
    placed = np.empty(chosen.shape)
    centre(chosen, plane.mean, plane.scale, placed)
    return placed


def neighbours_of(plane: Plane, rows: npt.NDArray[Any], asked: Reals) -> Reals:
    """Return about how far the tenth neighbour of each of some rows is, in coordinates."""
    count, width = rows.shape
    best = np.full((len(asked), NEIGHBOURS + 1), np.inf)
    for part in chunks(count, width + len(asked)):
        here = np.empty(rows[part].shape)
        centre(rows[part], plane.mean, plane.scale, here)
        apart = pairwise(plane.how, asked, here)
        apart = np.concatenate([best, apart], axis=1)
        best = np.partition(apart, NEIGHBOURS, axis=1)[:, : NEIGHBOURS + 1]
    return best.max(axis=1)  # each is its own first neighbour


def pairwise(how: int, x: Reals, y: Reals) -> Reals:
    """Return the distances of rows, about."""
    if how == SQUARES:
        squares = np.einsum("ij,ij->i", x, x)[:, None] + np.einsum("ij,ij->i", y, y) - 2 * x @ y.T
        return np.sqrt(np.maximum(squares, 0.0))
    apart = np.zeros((len(x), len(y)))
    for a, b in zip(x.T, y.T):
        each = np.abs(a[:, None] - b)
        apart = apart + each if how == MAGNITUDES else np.maximum(apart, each)
    return apart


def whole(plane: Plane, codes: npt.NDArray[Any]) -> bool:
    """Whether codes are all coordinates in float32, to be subtracted, and the metric is the norm of that."""
    return (
        plane.own and not plane.gram and codes.dtype == np.float32 and codes.shape[1] == plane.axes.shape[1]
    )


class Choice(NamedTuple):
    """How much of a row is coded, in coordinates."""

    coded: int
    partial: int


def chosen_codes(plane: Plane, asked: Reals, others: Reals, radii: Reals, scanned: float) -> Choice:
    """Return the choice of least cost for queries like those asked, that see so much of all rows."""
    width = plane.axes.shape[1]
    sizes = [m for m in (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512) if m < width] + [width]
    if not plane.gram:
        sizes = [m for m in sizes if m <= 64 or m == width]
    if as_they_are(plane.how, width):
        sizes = [width]
    x, y = asked @ plane.axes, others @ plane.axes
    left: dict[
        int, tuple[float, float]
    ] = {}  # by coordinates: the share of rows that codes leave, and floats
    joined = np.zeros((len(x), len(y)))
    whole_x, whole_y = (np.einsum("ij,ij->i", side, side) for side in (x, y))
    part_x, part_y = np.zeros(len(x)), np.zeros(len(y))
    done = 0
    for size in sizes:
        a, b = x[:, done:size], y[:, done:size]
        apart = pairwise(plane.how, a, b)
        if plane.how == SQUARES:
            joined += apart * apart
        else:
            joined = joined + apart if plane.how == MAGNITUDES else np.maximum(joined, apart)
        part_x, part_y = part_x + np.einsum("ij,ij->i", a, a), part_y + np.einsum("ij,ij->i", b, b)
        done = size
        bound = joined
        if plane.how == SQUARES:
            rest_x, rest_y = (
                np.sqrt(np.maximum(w - p, 0)) for w, p in ((whole_x, part_x), (whole_y, part_y))
            )
            longest = np.sqrt(whole_y.max())
            # Stirred coordinates are about normal; the longest row has the step made for its greatest, and
            # so has a query, or for the greatest sum of four, which is about 2.1 times as much.
            blur = 0.0102 if BYTES else 0.0001
            blurred = blur * (longest + np.sqrt(whole_x) * (2.1 if BY_PAIRS else 1))
            wrong = blurred if plane.gram else 0.0 * whole_x
            rest = (rest_x[:, None] - rest_y) ** 2 if plane.rotated else 0.0
            bound = np.sqrt(joined + rest)
            coded = float((bound <= (radii + wrong)[:, None]).mean())
            left[size] = coded, float((np.sqrt(joined) <= radii[:, None]).mean())
        else:
            share = float((bound <= radii[:, None]).mean())
            left[size] = share, share
    each = _MULTIPLIED if plane.gram else _SUBTRACTED
    dearest = _FETCHED + _MEASURED * width
    best, choice = np.inf, Choice(sizes[-1], 0)
    for size, (coded, _) in left.items():
        seen = scanned * each * size + 0.02 * scanned
        for partial in (0, *(m for m in sizes if size < m < width / 2 and plane.rotated and width > 256)):
            looked = (_FETCHED + _MEASURED * partial) * coded if partial else 0.0
            cost = seen + looked + (min(left[partial][1], coded) if partial else coded) * dearest
            if cost < best:
                best, choice = cost, Choice(size, partial)
    return choice


def arranged(plane: Plane, choice: Choice, seed: int) -> Layout:
    """Return the layout that was chosen."""
    width = plane.axes.shape[1]
    boxed, coded = plane.boxed, choice.coded
    rest = plane.rotated and coded < width
    coded -= rest
    axes = plane.axes[:, :coded]
    if plane.rotated:
        axes = stirred(axes, seed)
    axes = np.hstack([plane.axes[:, :boxed], axes, plane.axes[:, : choice.partial]])
    if as_they_are(plane.how, width):
        axes = axes[:, :0]
    return Layout(
        plane.how, plane.gram, plane.rotated, plane.mean, np.ascontiguousarray(axes), boxed, coded,
        bool(rest), choice.partial, plane.scale, plane.stretch,
    )  # fmt: skip


# --- the rows ----------------------------------------------------------------------------------------


def block_keys(plane: Plane, rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the coordinates of all rows by which blocks are divided."""
    keys = np.empty((len(rows), plane.spread.shape[1]), np.float32)
    for part in chunks(len(rows), rows.shape[1]):
        here = np.empty(rows[part].shape)
        centre(rows[part], plane.mean, plane.scale, here)
        keys[part] = here @ plane.spread
    return keys


def in_blocks(keys: npt.NDArray[np.float32], construction: Construction) -> Positions:
    """Reorder keys so that blocks of 64 hold near ones, and return the order."""
    order = np.arange(len(keys))
    todo, left = np.zeros((128, 2), np.int64), np.array([1, 0])
    todo[0] = 0, len(keys)
    construction.run(lambda: divide_into_blocks(keys, order, todo, left, 64 * construction.patience))
    return order


class Coded(NamedTuple):
    """Codes of all rows, in the order of blocks."""

    step: float
    middle: float
    codes: npt.NDArray[Any]
    norms: npt.NDArray[np.float32]
    error: float
    partial: npt.NDArray[np.float32]


def coded(layout: Layout, rows: npt.NDArray[Any], order: Positions, radius: float) -> Coded:
    """Return the codes of rows in an order, where queries usually have such a radius."""
    count, width = rows.shape
    own = columns_of_codes(layout)
    peak = longest = greatest = 0.0
    least = np.inf
    for part in chunks(count, width + layout.axes.shape[1]):
        found, rest, _ = coordinates(layout, rows[part])
        peak = max(peak, float(np.abs(found[:, own]).max()))
        least, greatest = min(least, float(rest.min())), max(greatest, float(rest.max()))
        longest = max(
            longest, float((np.einsum("ij,ij->i", found[:, own], found[:, own]) + rest * rest).max())
        )
    middle = (least + greatest) / 2 if layout.rest else 0.0
    peak = max(peak, greatest - middle if layout.rest else 0.0)
    each, kind = code_kind(layout)
    if each == 2:
        step = float(np.sqrt(longest)) / 32_000
    else:
        step = peak / (OFFSET - 1 if each == 4 else greatest_code(layout.how, layout.coded))
    if each == 1:
        wrong = step / 4 * (layout.coded if layout.how == MAGNITUDES else 2)
        kind = kind if wrong <= COARSE * radius else np.float32
    if kind is np.float32:
        step = 0.0
    elif step == 0.0:
        step = 1.0  # all rows are the same
    blocks, steps = -(-count // ROWS), -(-(layout.coded + layout.rest) // each)
    codes = aligned((blocks, steps, ROWS, each), kind)
    codes.fill(OFFSET if each == 4 else 0)
    norms, error = aligned((blocks, ROWS), np.float32), 0.0
    partial = np.zeros((count, layout.partial), np.float32)
    for part in chunks(count, width + layout.axes.shape[1]):
        found, rest, noise = coordinates(layout, rows[order[part]])
        partial[part] = found[:, own.stop :]
        kept = np.hstack([found[:, own], (rest - middle)[:, None]]) if layout.rest else found[:, own].copy()
        worst = encode_rows(layout.how, kept, part.start // ROWS, step, noise, codes, norms)
        error = max(error, worst)
    return Coded(step, middle, codes, norms, error, partial)


def bytes_coded(metric: OnRows, count: int, width: int) -> int:
    """Return how many bytes codes of so many rows take at most, with their norms."""
    norm = getattr(metric.arrays, "func", metric.arrays)
    products = norm not in (ManhattanSpace, ChebyshevSpace) and width > FEW
    each = (1 if BYTES else 2) if products else 4
    second = 2 * width if products and width > 256 else 0  # half of a row in float32
    return count * (each * (width + 4) + second + 4)


def boxes_of(plane: Plane, rows: npt.NDArray[Any], order: Positions) -> tuple[Array, Array, Array]:
    """Return the boxes of blocks of rows, rounded outward to float32, and the means of these."""
    blocks, axes = -(-len(rows) // ROWS), np.ascontiguousarray(plane.axes[:, : plane.boxed])
    least, most, means = np.empty((3, blocks, plane.boxed), np.float32)
    for part in chunks(len(rows), rows.shape[1]):
        here = np.empty(rows[part].shape)
        centre(rows[order[part]], plane.mean, plane.scale, here)
        found = (here @ axes).astype(np.float32)
        edges = np.arange(0, len(found), ROWS)
        span = slice(part.start // ROWS, part.start // ROWS + len(edges))
        least[span] = np.nextafter(np.minimum.reduceat(found, edges), np.float32(-np.inf))
        most[span] = np.nextafter(np.maximum.reduceat(found, edges), np.float32(np.inf))
        means[span] = means_of(found, edges)
    return least, most, means


def blocks_left(plane: Plane, asked: Reals, radii: Reals, least: Array, most: Array) -> float:
    """Return the share of blocks that boxes leave to queries like those asked."""
    at = asked @ plane.axes[:, : least.shape[1]]
    left = 0.0
    for first in range(0, len(least), SAMPLE):
        low, high = least[first : first + SAMPLE], most[first : first + SAMPLE]
        apart = np.zeros((len(at), len(low)))
        for k in range(at.shape[1]):
            own = at[:, k, None]
            gap = np.maximum(np.maximum(low[:, k] - own, own - high[:, k]), 0.0)
            if plane.how == GREATEST:
                apart = np.maximum(apart, gap)
            else:
                apart += gap * gap if plane.how == SQUARES else gap
        reach = radii**2 if plane.how == SQUARES else radii
        left += float((apart <= reach[:, None]).sum())
    return left / (len(at) * len(least))


# --- rows as they are --------------------------------------------------------------------------------


class Flat(NamedTuple):
    """All rows as they are, in float32 and column by column, with no boxes."""

    objects: int
    how: int
    gram: bool
    measured: bool  # whether comparing codes counts as measuring: true, as nothing is left out
    whole: bool
    together: int
    coded: int
    rest: bool
    scale: float
    stretch: float
    sphere: float
    step: float
    middle: float
    radius: float
    rounding: float
    mean: Array
    axes: Array
    boxes: Array
    codes: Array
    norms: Array
    error: float
    partial: Array


@roam.of(Flat)
def _(tree: Flat, asked: Asked, first: int, tray: Tray) -> int:
    return all_blocks(tree, asked, first, tray)


def scanned_together(metric: Metric) -> bool:
    """Return whether distances are norms that tiles of float32 measure."""
    kind = getattr(metric, "arrays", None)
    kinds = (EuclideanSpace, ManhattanSpace, ChebyshevSpace, ArcSpace)
    return isinstance(metric, OnRows) and getattr(kind, "func", kind) in kinds


def flattened(space: Any, rows: npt.NDArray[Any]) -> Flat:
    """Return rows to be scanned by queries that go together."""
    count, width = rows.shape
    plane = plane_of(space, rows, 0, turn=False)
    layout = Layout(
        plane.how, plane.gram, False, plane.mean, np.zeros((width, 0)), 0, width, False, 0, plane.scale, 1.0
    )
    blocks = -(-count // ROWS)
    codes = aligned((blocks, width, ROWS, 1), np.float32)
    norms, error = aligned((blocks, ROWS), np.float32), 0.0
    for part in chunks(count, width):
        here = np.empty(rows[part].shape)
        centre(rows[part], plane.mean, plane.scale, here)
        noise = 2.0**-50 * np.abs(here).sum(axis=1)
        worst = encode_rows(plane.how, here, part.start // ROWS, 0.0, noise, codes, norms)
        error = max(error, worst)
    radius = float(np.sqrt(norms.max(initial=0.0))) * (1 + 1e-6)
    return Flat(
        count, plane.how, plane.gram, True, whole(plane, codes), SCANNING, width, False, plane.scale, 1.0,
        plane.sphere, 0.0, 0.0, radius, rounding(layout), plane.mean, in_columns(layout.axes),
        np.zeros((0, 0, 2, ROWS), np.float32), codes, norms, error, np.zeros((0, 0), np.float32),
    )  # fmt: skip
