"""Tree edit distance on ordered labelled trees: Zhang and Shasha (1989), from the cheaper side, in a band.

The distance of two trees is made from those of their subtrees. Nodes are numbered in postorder; a *path*
leads from a leaf upwards for as long as each node is the first child of its parent, and the topmost node of a
path is a *key root*. For each two key roots one table of distances between forests is filled, in which all
subtrees that hang from their paths are compared. The work is the product of two numbers, one of either tree:
the sum of the sizes of the key roots' subtrees. Seen from the right, with last children in place of first
ones, trees have other paths; whichever side takes less work for a pair is taken for it (Pawlik and Augsten
2016 choose anew for each two subtrees).

With a limit the labels are compared first, in postorder and as strings, from both sides (Guha et al. 2002),
and then only a band of each table is filled (Touzet 2005): if two prefixes of the trees, in postorder,
differ in size by s, then s nodes at the least are inserted or deleted there, and so for what follows them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..bounds import Slack
from ..costs import BLANK, EditCosts, Given
from ..errors import TooLarge
from ..kernels import Array, kernel
from ..laws import TRIANGLE, Metric, register
from ..objects import Objects, Trees
from ..space import Room, at_least, prepare, within

_LABEL, _FIRST, _PATH = range(3)  # rows of `TreeSpace.nodes`
_MOST_WORDS = 1 << 29
_ONE, _TOP = np.uint64(1), np.uint64(63)
_ALL = ~np.uint64(0)
_BEYOND = 1e300  # more than any distance, and finite still when two are added
_ROUNDING = 2.0**-29  # a sum of 2²⁴ costs, in float64


class TreeSpace(NamedTuple):
    """Trees from the left and from the right."""

    starts: Array  # tree i has the nodes starts[i] to starts[i + 1]
    nodes: Array  # (3, 2, nodes): label, first leaf of the subtree, nodes in order of their paths; by side
    gaps: Array  # (2, nodes): what deleting or inserting each node costs
    paths: Array  # where the paths of each tree begin in `ends`; there are as many from either side
    ends: Array  # (2, paths): where each path ends in the third row of `nodes`, within its tree
    work: Array  # (2, trees): the sum of the sizes of the key roots' subtrees
    groups: Array  # where the labels of each tree begin in `named` and `repeats`
    named: Array  # the different labels of each tree
    repeats: Array  # and how many nodes have them
    table: Array  # costs by rows, see `EditCosts`
    rows: Array  # by label: its row of the table
    least_gap: float
    least_change: float
    certain: float  # bounds are multiplied by this, which covers the rounding of the distance


class TreeQuery(NamedTuple):
    """A tree and the tables to compare it with another."""

    nodes: Array  # of all queries, as in `TreeSpace`; contiguous rows are faster to read than cuts of them
    gaps: Array
    ends: Array
    first: int  # the nodes of the tree are first to stop
    stop: int
    first_path: int
    stop_path: int
    left: float  # work from the left
    right: float
    counts: Array  # by label: how many nodes have it
    blocks: int  # words for a bit for each node
    masks: Array  # by side, label and block: where the label stands in postorder; and a column behind them
    tables: Array  # float64: distances between forests, and behind them between subtrees


class Side(NamedTuple):
    """A tree from one side."""

    labels: Array
    firsts: Array  # the first leaf of each node's subtree
    path: Array  # nodes in the order of their paths
    ends: Array  # where each path ends in `path`
    gaps: Array


class Path(NamedTuple):
    """A path of a tree: ``side.path[begin:end]``."""

    side: Side
    begin: Any
    end: Any
    step: Any  # from one node of the tree to the next in the table of subtrees


@prepare.of(TreeSpace)
def _(space: TreeSpace, queries: TreeSpace, i: int, room: Room) -> Any:
    labels = space.rows.shape[0]
    counts = room.words[:labels]
    for label in range(labels):
        counts[label] = np.uint64(0)
    for k in range(queries.groups[i], queries.groups[i + 1]):
        counts[queries.named[k]] = np.uint64(queries.repeats[k])
    counts[0] = np.uint64(0)  # a label of no indexed tree matches nothing
    first, size = queries.starts[i], queries.starts[i + 1] - queries.starts[i]
    blocks = (size + 63) // 64
    behind = labels + 2 * labels * blocks + 2 * blocks
    masks = room.words[labels:behind]
    for k in range(2 * labels * blocks):
        masks[k] = np.uint64(0)
    for side in range(2):
        for k in range(size):
            code = np.int64(queries.nodes[_LABEL, side, first + k])
            if code != 0:
                masks[(side * labels + code) * blocks + k // 64] |= _ONE << np.uint64(k % 64)
    return TreeQuery(
        queries.nodes,
        queries.gaps,
        queries.ends,
        queries.starts[i],
        queries.starts[i + 1],
        queries.paths[i],
        queries.paths[i + 1],
        queries.work[0, i],
        queries.work[1, i],
        counts,
        blocks,
        masks,
        room.words[behind:].view(np.float64),
    )


@at_least.of(TreeSpace)
def _(space: TreeSpace, i: int, query: Any) -> float:
    # Nodes without a partner of their label are changed, inserted or deleted.
    common = np.int64(0)
    for k in range(space.groups[i], space.groups[i + 1]):
        common += min(np.int64(space.repeats[k]), np.int64(query.counts[space.named[k]]))
    size, other = space.starts[i + 1] - space.starts[i], query.stop - query.first
    smaller, larger = min(size, other), max(size, other)
    return ((smaller - common) * space.least_change + (larger - smaller) * space.least_gap) * space.certain


@within.of(TreeSpace)
def _(space: TreeSpace, i: int, query: Any, limit: float) -> float:
    size, other = space.starts[i + 1] - space.starts[i], query.stop - query.first
    side = 0
    if space.work[1, i] * query.right < space.work[0, i] * query.left:
        side = 1
    most = size + other  # nodes that may be inserted and deleted
    if limit < most * space.least_gap:
        most = np.int64(limit / (space.least_gap * space.certain))
        if abs(size - other) > most:
            return _BEYOND
        edits = limit / (min(space.least_gap, space.least_change) * space.certain)
        for either in range(2):
            labels = space.nodes[_LABEL, either, space.starts[i] : space.starts[i + 1]]
            if _string_distance(labels, query, either, edits) > edits:
                return _BEYOND
        first = (size + 1) * (other + 1)
        for k in range(first, first + size * other):
            query.tables[k] = _BEYOND  # what is not compared is far
    own = _side(space, side, space.starts[i], space.starts[i + 1], space.paths[i], space.paths[i + 1])
    asked = _side(query, side, query.first, query.stop, query.first_path, query.stop_path)
    d = _by_paths(space, own, asked, query.tables, most)
    return d if d <= limit else min(d, _BEYOND)


@kernel
def _side(trees: Any, side: int, first: int, stop: int, first_path: int, stop_path: int) -> Side:
    return Side(
        trees.nodes[_LABEL, side, first:stop],
        trees.nodes[_FIRST, side, first:stop],
        trees.nodes[_PATH, side, first:stop],
        trees.ends[side, first_path:stop_path],
        trees.gaps[side, first:stop],
    )


@kernel
def _string_distance(labels: Array, query: Any, side: int, limit: float) -> int:
    """Return the edit distance of the labels in postorder, as strings, or some number beyond a limit.

    It takes no more edits than the trees (Guha et al. 2002). Bit-parallel, by Myers (1999) in the form of
    Hyyrö (2003), as Levenshtein distance is: differences are kept as bits, for 64 nodes of the query a word.
    """
    blocks, length = query.blocks, query.stop - query.first
    size, masks = labels.shape[0], query.masks
    first = side * query.counts.shape[0] * blocks
    column = masks[2 * query.counts.shape[0] * blocks :]
    for word in range(blocks):
        column[2 * word] = _ALL
        column[2 * word + 1] = np.uint64(0)
    last = np.uint64((length - 1) % 64)
    score = length
    for x in range(size):
        row = first + np.int64(labels[x]) * blocks
        carry_up, carry_down = _ONE, np.uint64(0)
        for word in range(blocks):
            rises, falls = column[2 * word], column[2 * word + 1]
            match = masks[row + word] | carry_down
            diagonal = (((match & rises) + rises) ^ rises) | match | falls
            up, down = falls | ~(diagonal | rises), diagonal & rises
            if word == blocks - 1:
                score += np.int64((up >> last) & _ONE) - np.int64((down >> last) & _ONE)
            next_up, next_down = up >> _TOP, down >> _TOP
            up, down = (up << _ONE) | carry_up, (down << _ONE) | carry_down
            column[2 * word], column[2 * word + 1] = down | ~(diagonal | up), up & diagonal
            carry_up, carry_down = next_up, next_down
        if score - (size - 1 - x) > limit:  # what is to come lowers it by one each, at the most
            return score - (size - 1 - x)
    return score


@kernel
def _by_paths(space: Any, own: Side, asked: Side, tables: Array, most: int) -> float:
    """Compare two trees from one side, with at most so many insertions and deletions."""
    size, other = own.labels.shape[0], asked.labels.shape[0]
    forests = tables[: (size + 1) * (other + 1)]
    subtrees = tables[(size + 1) * (other + 1) :]
    begin = np.int64(0)
    for i in range(own.ends.shape[0]):
        end = np.int64(own.ends[i])
        height = own.path[end - 1] - own.path[begin]
        asked_begin = np.int64(0)
        for j in range(asked.ends.shape[0]):
            asked_end = np.int64(asked.ends[j])
            # Long rows are cheaper than many.
            turned = height > asked.path[asked_end - 1] - asked.path[asked_begin]
            _fill(
                space,
                Path(asked, asked_begin, asked_end, 1) if turned else Path(own, begin, end, other),
                Path(own, begin, end, other) if turned else Path(asked, asked_begin, asked_end, 1),
                forests,
                subtrees,
                most,
            )
            asked_begin = asked_end
        begin = end
    return subtrees[size * other - 1]


@kernel
def _fill(space: Any, down: Path, across: Path, forests: Array, subtrees: Array, most: int) -> None:
    """Compare the subtrees that hang from a path of either tree.

    In the row after a and the column after b of `forests` stands the distance between the nodes up to a and
    up to b of the two subtrees; ``subtrees[a * down.step + b * across.step]`` is that of the subtrees of a
    and b.
    """
    rows, columns = down.side, across.side
    # Indices are unsigned: one that cannot be negative takes no check.
    one, width = np.uint64(1), np.uint64(columns.labels.shape[0] + 1)
    row_step, column_step = np.uint64(down.step), np.uint64(across.step)
    root_a, root_b = np.int64(rows.path[down.end - 1]), np.int64(columns.path[across.end - 1])
    left_a, left_b = np.int64(rows.path[down.begin]), np.int64(columns.path[across.begin])
    # The first tree has so many nodes more before these subtrees, and from there on.
    before, after = left_a - left_b, (rows.labels.shape[0] - left_a) - (columns.labels.shape[0] - left_b)
    band = most - abs(before)
    if abs(after) > band:
        return
    fewer, more = (band - after) // 2, (band + after) // 2
    at = np.uint64(left_a) * width
    d = 0.0
    forests[at + np.uint64(left_b)] = d
    for b in range(np.uint64(left_b), np.uint64(root_b) + one):
        d += columns.gaps[b]
        forests[at + b + one] = d
    for a in range(np.uint64(left_a), np.uint64(root_a) + one):
        # Columns low to high are within the band, those beside it far.
        past = np.int64(a) - left_a
        low = left_b + max(past - more, 0)
        high = min(left_b + past + fewer, root_b) + 1
        here, above, beside = (a + one) * width + one, a * width + one, np.uint64(rows.firsts[a]) * width
        known, gap = a * row_step, rows.gaps[a]
        forests[here - one + np.uint64(left_b)] = forests[above - one + np.uint64(left_b)] + gap
        for b in range(np.uint64(left_b), np.uint64(min(low, root_b + 1))):
            forests[here + b] = _BEYOND
        for b in range(np.uint64(high), np.uint64(root_b + 1)):
            forests[here + b] = _BEYOND
        if low >= high:
            continue
        on_path = np.int64(rows.firsts[a]) == left_a
        if on_path:
            # Where both are on the paths the subtrees are compared by changing a into b. Entered beforehand,
            # this needs no case in the loop below.
            for k in range(across.begin, across.end):
                node = np.uint64(columns.path[k])
                if low <= np.int64(node) < high:
                    change = _change(space, rows.labels[a], columns.labels[node])
                    subtrees[known + node * column_step] = forests[above - one + node] + change
        d = forests[here - one + np.uint64(low)]
        for b in range(np.uint64(low), np.uint64(high)):
            hung = forests[beside + np.uint64(columns.firsts[b])] + subtrees[known + b * column_step]
            deleted, inserted = forests[above + b] + gap, d + columns.gaps[b]
            # Not min(), which looks for NaN.
            d = hung if hung < deleted else deleted
            d = d if d < inserted else inserted
            forests[here + b] = d
        if on_path:
            for k in range(across.begin, across.end):
                node = np.uint64(columns.path[k])
                if low <= np.int64(node) < high:
                    subtrees[known + node * column_step] = forests[here + node]


@kernel
def _change(space: Any, label: int, other: int) -> float:
    return 0.0 if label == other else space.table[space.rows[label], space.rows[other]]


# --- laying trees out --------------------------------------------------------------------------------


class _Sides(NamedTuple):
    """What of `TreeSpace` does not depend on the costs."""

    nodes: npt.NDArray[np.uint32]
    paths: npt.NDArray[np.int64]
    ends: npt.NDArray[np.uint32]
    work: npt.NDArray[np.float64]
    groups: npt.NDArray[np.int64]
    named: npt.NDArray[np.uint32]
    repeats: npt.NDArray[np.uint32]


def _sides(trees: Trees) -> _Sides:
    starts, labels, sizes, _ = trees.nodes
    lengths, total, places = np.diff(starts), len(sizes), np.arange(len(sizes))
    begun = np.repeat(starts[:-1], lengths)
    # A node lies within its ancestors: those whose subtree begins no later, and that come after it.
    first = places - sizes + 1
    depths = np.cumsum(np.bincount(first, minlength=total) - np.bincount(places, minlength=total))
    # From the right, postorder is the reverse of preorder, in which a node comes after its ancestors and all
    # that is left of it.
    preorder = first - begun + depths
    nodes = np.empty((3, 2, total), np.uint32)
    paths = np.concatenate([[0], np.cumsum(sizes == 1)])[starts]  # one for each leaf
    ends = np.empty((2, paths[-1]), np.uint32)
    work = np.zeros((2, len(lengths)))
    for side, moved in enumerate((places, begun + np.repeat(lengths, lengths) - 1 - preorder)):
        counted = np.empty_like(sizes)
        counted[moved] = sizes
        nodes[_LABEL, side, moved] = labels
        first = places - counted + 1
        nodes[_FIRST, side] = first - begun
        root = np.empty(total, np.int64)
        root[first] = places  # of the nodes with this first leaf the last one stays
        order = np.argsort(root[first], kind="stable")
        nodes[_PATH, side] = order - begun
        last = np.flatnonzero(root[first][order] == order)
        ends[side] = last - begun[last] + 1
        work[side] = np.bincount(
            np.repeat(np.arange(len(lengths)), lengths),
            np.where(root[first] == places, counted, 0),
            len(lengths),
        )
    span = len(trees.vocabulary) + 1
    pairs, count = np.unique(np.repeat(np.arange(len(lengths)), lengths) * span + labels, return_counts=True)
    kinds = np.searchsorted(pairs, np.arange(len(lengths) + 1) * span)
    return _Sides(nodes, paths, ends, work, kinds, (pairs % span).astype(np.uint32), count.astype(np.uint32))


@register("tree_edit")
class TreeEdit(Metric):
    """The least cost of deleting, inserting and relabelling nodes that turns one ordered tree into the other.

    The children of a deleted node take its place.

    Parameters
    ----------
    costs : mapping of (label, label) to float, or triples (label, label, cost), optional
        What changing one label into the other costs; None in place of a label stands for no node, so that
        (label, None) is what inserting or deleting such a node costs.
    replace, insert : float
        The costs of the pairs that are not listed, without and with None.

    Raises
    ------
    NotAMetric
        If the costs are not a metric, the distance would be none.
    """

    function = None

    def __init__(self, costs: Given | None = None, replace: float = 1.0, insert: float = 1.0) -> None:
        self.name, self.laws = "tree_edit", TRIANGLE
        self.costs = EditCosts(costs, replace, insert)

    @property
    def params(self) -> dict[str, Any]:
        return {} if self.costs.unit else self.costs.params

    def objects(self, data: Any) -> Objects:
        return Trees.of(data, self.costs.symbols)

    def greatest(self, queries: Objects, objects: Objects) -> int | None:
        assert isinstance(queries, Trees)
        assert isinstance(objects, Trees)
        return queries.largest + objects.largest if self.costs.unit else None

    def space(self, objects: Objects) -> Any:
        assert isinstance(objects, Trees)
        sides = objects.derived(_sides)
        table = self.costs.table
        rows = np.concatenate([[1], self.costs.rows_of(objects.vocabulary)])
        changes = table[1:, 1:][~np.eye(len(table) - 1, dtype=bool)]
        least_gap = float(table[BLANK, 1:].min())
        least_change = min(float(changes.min(initial=self.costs.replace)), 2 * least_gap)
        return TreeSpace(
            objects.nodes.starts,
            sides.nodes,
            table[BLANK, rows[sides.nodes[_LABEL]]],
            sides.paths,
            sides.ends,
            sides.work,
            sides.groups,
            sides.named,
            sides.repeats,
            table,
            rows,
            least_gap,
            least_change,
            1.0 if self.costs.unit else 1.0 - _ROUNDING,
        )

    def words(self, queries: Objects) -> int:
        assert isinstance(queries, Trees)
        size, other = queries.largest, queries.widest
        labels, blocks = len(queries.vocabulary) + 1, (size + 63) // 64
        needed = labels + 2 * blocks * (labels + 1) + (size + 1) * (other + 1) + size * other
        if needed > _MOST_WORDS:
            raise TooLarge(
                f"comparing trees of {size} and {other} nodes would take {8 * needed / 1e9:.3g} GB a thread: "
                "remove or divide the largest trees"
            )
        return needed

    def error(self, objects: Objects) -> Slack:
        return Slack(0.0 if self.costs.unit else _ROUNDING, 0.0)
