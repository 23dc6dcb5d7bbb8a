"""Union-pattern tree: strings that lie together share a pattern, which bounds their edit distances.

Idea
    Myers' recurrence (1999) compares a text with a pattern of which it knows only where each symbol occurs.
    A pattern that has the symbols of several strings in each place is nearer to any text than each of them:
    it bounds their distances from below. Strings in order of length, and of their ends, are taken by eight,
    and eight such groups again. Where a group is near enough its eight members are looked at, and in the end
    the strings themselves, eight side by side (`unions`).

    It is a lower-bounding function and no pruning by the triangle inequality: nothing is measured to build
    it, and what a query computes beside distances are bounds.

Rounds
    Bounds are whole numbers. A query computes all those of the top level, a byte each, and keeps them. Round
    b looks at all that is bounded by b, and offers round b + 1 as its only child, so k-NN ends when the k-th
    nearest found lies within b. A range knows its radius, and has one round.

Arrays
    None of its own: strings in lanes are derived from the objects, and are no part of a file. The costs of
    edits make a bound by their number one of the distance; where they differ, or symbols share a row, lanes
    bound the strings as well, and what may belong is measured one by one.

Invariants
    A lane's bound is no greater than that of any of its members. What is bounded by less than the round that
    comes next has been looked at.

References
----------
Myers, A fast bit-vector algorithm for approximate string matching based on dynamic programming, Journal of
the ACM 46, 1999. Hyyrö, A bit-vector algorithm for computing Levenshtein and Damerau edit distances, Nordic
Journal of Computing 10, 2003. Ukkonen, Algorithms for approximate string matching, Information and Control
64, 1985.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..anatomy import Anatomy
from ..answer import ADMIT, BALLS, BOUNDS, COST, COUNT, REACH, Answer, may_contain
from ..bounds import OWN, Slack
from ..construction import Construction
from ..ids import Positions
from ..index import BaseIndex
from ..kernels import Array, called_kernel, kernel
from ..lanes import by_length
from ..laws import Bound, Metric
from ..objects import Objects, Sequences
from ..simd.patterns import FAR, TILE
from ..simd.vectors import aligned
from ..space import Room, settling
from ..traversal import (
    BEST_FIRST,
    ORDER,
    VISITED,
    Desk,
    begin,
    consider,
    expand,
    make_desk,
    offer_child,
    offer_measured,
    take_back,
)
from ..unions import (
    EIGHT,
    LONGEST,
    MOST_PARTS,
    NOTHING,
    SINGLE,
    Unions,
    UnionSpace,
    at_once,
    bound_eights,
    bound_tops,
    bytes_united,
    exact,
    gone,
    next_of,
    only,
    scratch,
    united,
    up_to,
    without_next,
)


class Patterns(NamedTuple):
    """What a number of edits says of the distance."""

    objects: int
    scale: float  # a distance is no less than so much for each edit
    exact: bool  # whether lanes of single strings give the distances


# Nodes of the frontier. Those behind them are numbered, too, but do not wait there.
_LANES, _LONG, _OTHERS = 0, 1, 2

# Desk.memo: of the search; of each part; then bounds of the lanes of the top level, and of the eight below
# each.
_ROUND = 0  # the next
_WAITING = 1  # lanes within reach that were not looked into yet
_PARTS = 2
_FIRST, _LAST = 0, 1  # lanes of the top level that are within reach
_OPENED = 2  # how many of them were opened; the pool has their numbers
_OF_A_PART = 3
_HEAD = _PARTS + _OF_A_PART * MOST_PARTS


@begin.of(Patterns)
def _(tree: Patterns, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    if not may_contain(answer, 0.0):
        return
    unions, length, parts = space.unions, query.length, space.unions.size.shape[0]
    edits, limit = most_edits(tree, answer.reals[REACH]), most_within(tree, answer)
    start, stop = first_of(unions, length - edits), first_of(unions, length + edits + 1)
    if stop - start < tree.objects:
        may_contain(answer, (edits + 1) * tree.scale)  # if that is passed over, it is noted
    start, longer = max(start, answer.after + 1), unions.start[parts]
    if stop > longer:
        offer_child(desk, answer, _LONG, max(LONGEST + 1 - length, 0) * tree.scale, OWN)
    marks = desk.memo[_HEAD:].view(np.uint64)
    desk.memo[_ROUND] = desk.memo[_WAITING] = 0.0
    for part in range(parts):
        of_part = desk.memo[_PARTS + _OF_A_PART * part :]
        of_part[_FIRST] = of_part[_LAST] = of_part[_OPENED] = 0.0
        above = unions.start[part]
        from_here, up_to_here = max(start, above) - above, min(stop, unions.start[part + 1]) - above
        if from_here < up_to_here:
            first, last, number = from_here // 64, (up_to_here - 1) // 64 + 1, unions.top[part]
            first -= first % (64 // min(unions.size[part], 8))  # where a register begins
            bound_tops(unions, part, first, last, limit, query, marks.view(np.uint8)[number + first :])
            first, last = number + first, number + last
            if first % 8 > 0:
                marks[first // 8] |= NOTHING ^ only(first % 8)
            if last % 8 > 0:
                marks[last // 8] |= only(last % 8)
            of_part[_FIRST], of_part[_LAST] = first, last
            desk.memo[_WAITING] += last - first
    answer.wholes[BOUNDS] += np.int64(desk.memo[_WAITING])
    if desk.memo[_WAITING] > 0:
        offer_child(desk, answer, _LANES, 0.0, OWN)


@expand.of(Patterns)
def _(tree: Patterns, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    unions = space.unions
    if node == _LONG:
        one_by_one(
            space, unions.start[unions.size.shape[0]], tree.objects, desk.bound[0], query, answer, desk
        )
        return
    edits = int(desk.memo[_ROUND])
    if edits > 0:
        take_back(desk)
    if desk.wholes[ORDER] != BEST_FIRST and (answer.kind in BALLS or answer.kind == COUNT):
        edits = most_edits(tree, answer.reals[REACH])
    edits = min(edits, FAR)
    for part in range(unions.size.shape[0]):
        if may_contain(answer, desk.bound[0]):
            open_tops(tree, part, edits, unions, query, answer, desk)
            look_into(tree, part, edits, space, query, answer, desk)
    if desk.memo[_WAITING] > 0 and edits < FAR:
        desk.memo[_ROUND] = edits + 1
        offer_child(desk, answer, _LANES, (edits + 1) * tree.scale, OWN)


@kernel
def most_edits(tree: Patterns, limit: float) -> int:
    """Return how many edits may be within a distance, at most; −1 if the distance is below 0."""
    # The quotient may have been rounded down.
    return int(max(min(np.floor(limit / tree.scale * (1 + 2.0**-50)), 2.0**40), -1.0))


@kernel
def most_within(tree: Patterns, answer: Answer) -> int:
    """Return how many edits an object may be away and yet belong, as far as bytes can tell."""
    return min(most_edits(tree, answer.reals[ADMIT]), FAR)


@kernel
def first_of(unions: Unions, length: int) -> int:
    """Return the first string of at least this length."""
    return unions.reached[min(max(length, 0), unions.reached.shape[0] - 1)]


@kernel
def open_tops(
    tree: Patterns, part: int, edits: int, unions: Unions, query: Any, answer: Answer, desk: Desk
) -> None:
    """Bound the groups of eight below all lanes of the top level that are bounded by so many edits."""
    of_part, number = desk.memo[_PARTS + _OF_A_PART * part :], unions.top[part]
    marks, opened = desk.memo[_HEAD:].view(np.uint64), desk.pool_slots[number:]
    count = before = int(of_part[_OPENED])
    for word in range(int(of_part[_FIRST]) // 8, (int(of_part[_LAST]) + 7) // 8):
        bits = up_to(marks[word], edits)
        if bits != 0:
            marks[word] = gone(marks[word], bits)
        while bits != 0:
            opened[count] = 8 * word + next_of(bits)
            count += 1
            bits = without_next(bits)
    of_part[_OPENED] = count
    desk.wholes[VISITED] += count - before
    desk.memo[_WAITING] -= count - before
    under, objects = marks[under_tops(unions) :], unions.start[part + 1] - unions.start[part]
    start, groups, limit = before, 0, most_within(tree, answer)
    while start < count:
        stop = bound_eights(unions, EIGHT, part, opened[:count], start, number, limit, query)
        for i in range(start, stop):
            there = min((objects - 64 * (opened[i] - number) + 7) // 8, 8)
            under[opened[i]] = query.found[i - start] | only(there)
            groups += there
        start = stop
    answer.wholes[BOUNDS] += groups
    desk.memo[_WAITING] += groups


@kernel
def look_into(
    tree: Patterns, part: int, edits: int, space: Any, query: Any, answer: Answer, desk: Desk
) -> None:
    """Look at the strings of all groups of eight that are bounded by so many edits."""
    unions, tops = space.unions, under_tops(space.unions)
    count, number = int(desk.memo[_PARTS + _OF_A_PART * part + _OPENED]), unions.top[part]
    opened, groups = desk.pool_slots[number : number + count], desk.pool_slots[number_of_tops(unions) :]
    under = desk.memo[_HEAD:].view(np.uint64)[tops:]
    found = 0
    for lane in opened:
        bits = up_to(under[lane], edits)
        if bits != 0:
            under[lane] = gone(under[lane], bits)
        while bits != 0:
            groups[found] = 8 * lane + next_of(bits)
            found += 1
            bits = without_next(bits)
    desk.memo[_WAITING] -= found
    desk.wholes[VISITED] += found
    start = 0
    while start < found and may_contain(answer, desk.bound[0]):
        start = look_at(tree, part, groups[:found], start, space, query, answer, desk)


@kernel
def look_at(
    tree: Patterns, part: int, groups: Array, start: int, space: Any, query: Any, answer: Answer, desk: Desk
) -> int:
    """Look at the strings of the next few groups of one part, side by side if nothing forbids it.

    Return which group comes next.
    """
    unions = space.unions
    end, above = unions.start[part + 1], 8 * unions.top[part]
    stop = min(start + at_once(unions.size[part]), groups.shape[0])
    most_cost = 8 * (stop - start) * (2 if settling(space) else 1)
    free = answer.mask.shape[0] == 0 and answer.wholes[COST] + most_cost <= answer.budget
    if not free:
        for group in groups[start:stop]:
            first = unions.start[part] + 8 * (group - above)
            one_by_one(space, first, min(first + 8, end), desk.bound[0], query, answer, desk)
        return stop
    admit = answer.reals[ADMIT]
    most = most_within(tree, answer)
    bound_eights(unions, SINGLE, part, groups, start, above, most, query)
    found = query.found.view(np.uint8)
    for i in range(stop - start):
        if answer.reals[ADMIT] < admit:
            admit = answer.reals[ADMIT]
            most = most_within(tree, answer)
            if most < 0:
                return stop
        first = unions.start[part] + 8 * (groups[start + i] - above)
        answer.wholes[COST if tree.exact else BOUNDS] += min(8, end - first)
        bits = up_to(query.found[i] | only(end - first), most)
        while bits != 0:
            lane = next_of(bits)
            bits = without_next(bits)
            edits = found[8 * i + lane]
            if tree.exact and edits < FAR:
                offer_measured(space, first + lane, np.float64(edits), query, answer, desk)
            else:
                if tree.exact:  # a bound after all
                    answer.wholes[COST] -= 1
                    answer.wholes[BOUNDS] += 1
                slot = first + lane
                one_by_one(space, slot, slot + 1, edits * tree.scale, query, answer, desk)
    return stop


@called_kernel
def one_by_one(
    space: Any, first: int, last: int, bound: float, query: Any, answer: Answer, desk: Desk
) -> None:
    """Consider some strings, none of which is nearer than a bound."""
    for slot in range(first, last):
        consider(space, slot, bound, OWN, query, answer, desk)


@kernel
def number_of_tops(unions: Unions) -> int:
    """Return how many numbers the lanes of the top level have."""
    return unions.top[unions.size.shape[0]]


@kernel
def under_tops(unions: Unions) -> int:
    """Return the number of the word in which the bounds below the first lane of the top level are kept."""
    return (number_of_tops(unions) + TILE) // 8


# --- the index ----------------------------------------------------------------------------------------


def _unions(objects: Sequences) -> Unions:
    return united(objects.starts, objects.codes, objects.alphabet)


class _Bound(Bound):
    """Sequences in lanes, around what they are measured by one by one."""

    def __init__(self, own: Bound, objects: Sequences, asked: Sequences) -> None:
        unions = objects.derived(_unions)
        space = UnionSpace(unions, objects.starts, objects.codes, own.space)
        queries = UnionSpace(unions, asked.starts, asked.codes, own.queries)
        super().__init__(space, queries, own.objects, own.asked, own.metric)
        self.own, self._words = own, scratch(asked.longest)

    @property
    def native(self) -> bool:
        return self.own.native

    @property
    def error(self) -> Slack:
        return self.own.error

    def room(self) -> Room:
        own = self.own.room()
        return own._replace(words=aligned(8 * (self._words + len(own.words))).view(np.uint64))

    def complaint(self, fault: npt.NDArray[np.int64]) -> BaseException:
        return self.own.complaint(fault)


class PatternTree(BaseIndex):
    """Edit distances are bounded for 64 strings at once, then for 8, and computed for 8 at once.

    Parameters
    ----------
    metric : str or Metric
        ``"levenshtein"``, whatever edits cost.
    seed : int
        Unused: nothing is chosen at random.
    max_bytes : int, optional
        Refuse objects that take more memory.

    References
    ----------
    Myers, A fast bit-vector algorithm for approximate string matching based on dynamic programming, Journal
    of the ACM 46, 1999.
    """

    key = "patterns"
    arrays = Patterns
    needs = "edits"
    specialised = True
    smaller = "linear"

    @classmethod
    def suits(cls, metric: Metric) -> bool:
        return metric.edits is not None

    def _unsuited(self) -> str:
        return (
            f"{type(self).__name__} takes edit distances of strings and other sequences, "
            f"metric='levenshtein' with costs of any kind, given {self.metric.name}: use VPTree or LinearScan"
        )

    def _arranged(self, objects: Objects) -> Positions | None:
        assert isinstance(objects, Sequences)
        return by_length(objects.starts, objects.codes, backwards=True)

    def _build(self, construction: Construction) -> tuple[Any, Positions | None]:
        objects, (least, greatest) = construction.bound.objects, self.metric.edits or (1.0, 1.0)
        assert isinstance(objects, Sequences)
        objects.derived(_unions)
        unit = least == greatest == 1
        scale = 1.0 if unit else least * (1 - 2 * construction.slack.relative)
        return Patterns(len(objects), scale, unit and exact(objects.alphabet)), None

    def _around(self, bound: Bound, objects: Objects, queries: Objects) -> Bound:
        assert isinstance(objects, Sequences)
        assert isinstance(queries, Sequences)
        return _Bound(bound, objects, queries)

    def _bytes_derived(self, objects: Objects) -> int:
        assert isinstance(objects, Sequences)
        return super()._bytes_derived(objects) + bytes_united(np.diff(objects.starts), objects.alphabet)

    def _bytes(self, count: int) -> int:
        return 8 * count

    def _tops(self) -> int:
        assert isinstance(self._objects, Sequences)
        return int(self._objects.derived(_unions).top[-1])

    def _desk(self) -> Desk:
        tops = self._tops()
        return make_desk(self._tree.objects + 2, _HEAD + (tops + TILE) // 8 + tops, 9 * tops)

    def _anatomy(self) -> Anatomy:
        assert isinstance(self._objects, Sequences)
        unions, tops = self._objects.derived(_unions), self._tops()
        homes = np.full(len(self._order), _LONG)
        for part, (first, last) in enumerate(itertools.pairwise(unions.start.tolist())):
            homes[first:last] = _OTHERS + tops + 8 * unions.top[part] + np.arange(last - first) // 8
        eights = np.unique(homes[homes != _LONG])
        parents = np.full(_OTHERS + 9 * tops, -1)
        parents[eights] = _OTHERS + (eights - _OTHERS - tops) // 8
        parents[parents[eights]] = _LANES
        return Anatomy(homes, parents)
