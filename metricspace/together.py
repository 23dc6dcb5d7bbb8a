"""Queries that go together: several of them share each block of objects that is brought near.

Idea
    Queries in one batch are often near to each other. In the order of the block nearest to each, a group
    goes through the blocks of a structure. A block's codes are multiplied by those of several at once, and
    what comes out, a lower bound of each distance, is compared in the registers in which it is made with what
    each query still admits (`simd.tiles`). The few objects that pass wait until some have come together:
    their rows are fetched meanwhile, then estimated, and what is left in the end is settled by the canonical
    distance. So k-NN, ranges, counts and joins are answered, exactly and in the order of all answers.

Bounds
    A query is admitted objects up to an estimate, as in every traversal. `reach` is that number as the codes
    measure it, and gives way to all that was rounded: the codes of the query (`blur`) and those of the rows
    (`error`), measured when they were made, and the product, by `slack` (Σ‖x‖² + ‖q‖² − 2xq cancels, so its
    rounding is a part of the squared norms and not of the result). What then remains to be compared with is
    the `limit`. Codes that are `whole`, all coordinates in float32 and not multiplied, are estimates: then
    nothing is measured but what is settled.

A structure that is swept says how (`roam`); its arrays are at least those of `coding.Coded`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .answer import (
    ADMIT,
    BALLS,
    BOUNDS,
    COST,
    FOUND,
    KNN,
    Answer,
    admitted,
    finish,
    offer,
    start,
)
from .bounds import allowance
from .coding import Asked, encode_queries
from .kernels import Array, fast_kernel, generic, kernel
from .least import IN_ORDER
from .simd.counts import popcount
from .simd.differences import (
    MAGNITUDES,
    SQUARES,
    codes_by_greatest,
    codes_by_magnitudes,
    rows_by_greatest,
    rows_by_magnitudes,
    rows_by_squares,
)
from .simd.matrices import begin_products, end_products
from .simd.registers import ROWS, greatest_of, least_of, lowest, prefetch, values_within
from .simd.tiles import tile_of_most, tile_of_one, tile_of_three, tile_of_two, tile_values
from .space import Room, distance, estimate_within, fetch, prepare, settle
from .traversal import DONE, MORE_RESULTS, STOPPED
from .tray import (
    ALL,
    CROWDED,
    FULL,
    LISTED,
    NODES,
    POOLED,
    STOP,
    TURN,
    WAIT,
    WAITING,
    Tray,
    farthest,
    has,
    keep,
    keep_first,
    list_members,
    pool,
    without_own,
)


class Question(NamedTuple):
    """What every query of a batch asks, and where the results go."""

    blank: Answer
    radii: Array
    skips: Array
    afters: Array
    positions: Array
    distances: Array
    wholes: Array
    k: int
    offset: int  # the first query that goes


@generic
def roam(tree: Any, asked: Asked, first: int, tray: Tray) -> Any:
    """Write the next blocks that may hold answers, and who needs them; return how many, 0 at the end.

    The members are the queries from `first` on. What is still to be looked at waits in `Tray.nodes`: at first
    node 0 alone.
    """


@kernel
def all_blocks(tree: Any, asked: Asked, first: int, tray: Tray) -> int:
    """Write the next blocks of all, which every member needs."""
    following = tray.nodes[0]
    found = min(tree.norms.shape[0] - following, ROWS)
    if found == 0:
        return 0
    for i in range(found):
        tray.blocks[i], tray.needed[i] = following + i, np.uint64(0)
    for r in range(min(tray.head.shape[0], asked.place.shape[0] - first)):
        left = still_unseen(tree, following, ALL >> np.uint64(ROWS - found), asked.homes[first + r], r, tray)
        for i in range(found):
            tray.needed[i] |= ((left >> np.uint64(i)) & np.uint64(1)) << np.uint64(r)
    tray.nodes[0] = following + found
    return found


@kernel
def still_unseen(tree: Any, block: int, bits: Any, homes: Array, r: int, tray: Tray) -> Any:
    """Return the bits of those of 64 blocks, from one on, that a member looks at, and count their rows.

    Of those whose bits are given, it has looked at those about its home already, and all rows of others
    come before those that it may have.
    """
    for place in range(tray.homes[r]):
        if block <= homes[place] < block + ROWS:
            bits &= ~(np.uint64(1) << np.uint64(homes[place] - block))
    passed = (tray.after[r] + 1) // ROWS - block
    rows = -((tray.after[r] + 1) % ROWS) if 0 <= passed < ROWS and has(bits, passed) else 0
    if passed > 0:
        bits = (bits >> np.uint64(passed)) << np.uint64(passed) if passed < ROWS else np.uint64(0)
    end = tree.norms.shape[0] - 1 - block
    if 0 <= end < ROWS and has(bits, end):
        rows -= (end + block + 1) * ROWS - tree.objects
    tray.looked[r] += rows + ROWS * popcount(bits)
    return bits


@kernel
def answer_of(ask: Question, i: int, used: int, room: int, reals: Array) -> Answer:
    """Return the answer of a query, whose results go into so many places from `used` on."""
    blank = ask.blank
    return Answer(
        ask.positions[used : used + room], ask.distances[used : used + room], reals, ask.wholes[i],
        blank.order, blank.mask, ask.skips[min(i, ask.skips.shape[0] - 1)],
        ask.afters[min(i, ask.afters.shape[0] - 1)], blank.kind, blank.stretch, blank.budget, blank.enough,
        blank.reaches, blank.node_reaches, blank.scale, blank.margin, blank.slack,
    )  # fmt: skip


@kernel
def reach_in_codes(tree: Any, d: float) -> float:
    """Return what lies no farther apart than `d` in the codes' own measure, as far as they are exact."""
    if tree.sphere > 0.0:  # the chord of an arc
        half = min(d / (2 * tree.sphere), np.pi / 2)
        d = 2 * np.sin(half) * (1 + 1e-12) if half < np.pi / 2 else np.inf
    return d * tree.scale * tree.stretch * (1 + 1e-9)


@kernel
def distance_of(tree: Any, apart: float) -> float:
    """Return the distance of vectors that are so far apart in coordinates, or what it is at least."""
    d = apart / (tree.scale * tree.stretch)
    return 2 * tree.sphere * np.arcsin(min(d / 2, 1.0)) if tree.sphere > 0.0 else d


@kernel
def admit(tree: Any, asked: Asked, first: int, r: int, estimate: float, tray: Tray) -> None:
    """Admit a member nothing beyond an estimate."""
    j, reach = first + r, reach_in_codes(tree, estimate)
    tray.admit[r], tray.reach[r] = estimate, reach
    reach += asked.blur[j] + tree.error
    if tree.how == SQUARES:
        reach *= reach
    reach *= 1 + (tree.codes.shape[1] + 32) * 2.0**-23  # sums of so many terms in float32
    tray.limit[r] = np.float32(reach - asked.square[j] + asked.slack[j] if tree.gram else reach)


@kernel
def tighten(tree: Any, asked: Asked, first: int, r: int, estimate: float, tray: Tray) -> None:
    """Admit a member nothing beyond an estimate, if that is less than before."""
    if estimate < tray.admit[r]:
        admit(tree, asked, first, r, estimate, tray)


@kernel
def visit(tree: Any, space: Any, block: int, needed: Any, place: int, asked: Asked, first: int,
          ask: Question, tray: Tray) -> None:  # fmt: skip
    """Look at a block for the members that need it; what may belong to them waits.

    Its place in `Tray.near` is given if its codes were compared already, as it is about the home of the only
    member that needs it; else −1.
    """
    again = place >= 0
    start, stop = block * ROWS, min((block + 1) * ROWS, tree.objects)
    inside = ALL >> np.uint64(ROWS - (stop - start))
    if needed != tray.listed[0]:
        list_members(needed, tray)
    done, count = 0, tray.sizes[LISTED]
    while done < count:
        taken = count - done
        if tree.gram and not again:
            taken = compare(tree, block, asked, first, done, taken, tray)
        for i in range(taken):
            r, values = tray.needing[done + i], tray.bounds
            if again:  # what is left of it, now that there is a threshold, or else the nearest
                values = tray.near[place]
                most = tray.limit[r] if tray.cut[1] == -np.inf else tray.cut[1]
                mask = values_within(values, most) & ~values_within(values, tray.cut[0])
            elif tree.gram:
                mask = tray.masks[i]
            else:
                mask = compare_one(tree, block, asked.codes[first + r], tray.limit[r], values)
            mask &= inside
            if mask == np.uint64(0):
                continue
            mask = without_own(mask, start, r, tray)
            if tree.whole:
                take_in(tree, space, start, mask, values, asked, first, r, ask, tray)
            else:
                let_wait(tree, space, start, mask, r, tray)
        done += taken


@kernel
def compare(tree: Any, block: int, asked: Asked, first: int, place: int, left: int, tray: Tray) -> int:
    """Write which rows of a block are within the limits of members, by products of their codes.

    So many members are left from a place of the list on; return for how many of them it is done.
    """
    codes, norms = tree.codes[block], tree.norms[block]
    own = asked.codes, asked.bias, norms, asked.factor, first, tray.needing, place, tray.limit, tray.masks
    if left > 3:
        return tile_of_most(codes, *own, left)
    if left == 1:
        tile_of_one(codes, *own)
    elif left == 2:
        tile_of_two(codes, *own)
    else:
        tile_of_three(codes, *own)
    return left


@kernel
def compare_one(tree: Any, block: int, own: Array, limit: Any, bounds: Array) -> Any:
    """Return the bits of the rows of a block within a limit of one query, by their differences."""
    if tree.step > 0.0:
        step = np.float32(tree.step)
        if tree.how == MAGNITUDES:
            return codes_by_magnitudes(tree.codes[block], own, step, limit, bounds)
        return codes_by_greatest(tree.codes[block], own, step, limit, bounds)
    if tree.how == SQUARES:
        return rows_by_squares(tree.codes[block], own, limit, bounds)
    if tree.how == MAGNITUDES:
        return rows_by_magnitudes(tree.codes[block], own, limit, bounds)
    return rows_by_greatest(tree.codes[block], own, limit, bounds)


@kernel
def let_wait(tree: Any, space: Any, start: int, mask: Any, r: int, tray: Tray) -> None:
    """Put the objects of a block whose bits are set on the list of what is to be measured."""
    place = tray.sizes[WAIT]
    while mask != np.uint64(0):
        slot = start + lowest(mask)
        mask &= mask - np.uint64(1)
        tray.members[place], tray.slots[place] = r, slot
        place += 1
        if tree.partial.shape[1] > 0:
            prefetch(tree.partial, slot)
        else:
            fetch(space, slot)
    tray.sizes[WAIT] = place


@kernel
def refine(tree: Any, space: Any, queries: Any, asked: Asked, first: int, room: Room, ask: Question,
           tray: Tray) -> None:  # fmt: skip
    """Estimate what waits."""
    count, left = tray.sizes[WAIT], 0
    tray.sizes[WAIT] = 0
    if tree.partial.shape[1] > 0:
        for z in range(count):
            r, slot = tray.members[z], tray.slots[z]
            j = first + r
            reach = tray.reach[r] + asked.vague[j]
            if squares_apart(tree.partial[slot], asked.partial[j]) <= reach * reach * (1 + 1e-4):
                tray.members[left], tray.slots[left] = r, slot
                left += 1
                fetch(space, slot)
        count = left
    # First all, then which of them belong: no processor foresees that, and would have measured in vain.
    for z in range(count):
        r, slot = tray.members[z], tray.slots[z]
        query = prepare(space, queries, asked.place[first + r], room)
        tray.estimated[z] = estimate_within(space, slot, query, tray.admit[r])
    for z in range(count):
        r, slot, d = tray.members[z], tray.slots[z], tray.estimated[z]
        tray.cost[r] += 1
        if not d <= tray.admit[r]:
            continue
        if ask.blank.kind != KNN:
            pool(slot, d, r, tray)
        elif keep(slot, d, r, tray):
            admit_nearest(tree, asked, first, r, farthest(r, tray), ask, tray)


@kernel
def take_in(tree: Any, space: Any, start: int, mask: Any, values: Array, asked: Asked, first: int, r: int,
            ask: Question, tray: Tray) -> None:  # fmt: skip
    """Keep the objects of a block whose bits are set: codes that are whole are estimates.

    Here, estimates are in the codes' own measure.
    """
    nearer = False
    if ask.blank.kind == KNN and tray.filled[r] == 0 and tray.kept.shape[1] <= IN_ORDER:
        nearer, mask = keep_first(space, start, mask, values, r, tray), np.uint64(0)
    while mask != np.uint64(0):
        i = lowest(mask)
        mask &= mask - np.uint64(1)
        slot, value = start + i, np.float64(values[i])
        fetch(space, slot)
        if ask.blank.kind != KNN:
            pool(slot, value, r, tray)
        elif keep(slot, value, r, tray):
            nearer = True
    if nearer:
        apart = farthest(r, tray) * (1 + (tree.codes.shape[1] + 32) * 2.0**-23)  # of sums in float32
        if tree.how == SQUARES:
            apart = np.sqrt(apart)
        most = distance_of(tree, apart + asked.blur[first + r] + tree.error) * (1 + 1e-9)
        admit_nearest(tree, asked, first, r, most, ask, tray)


@kernel
def admit_nearest(tree: Any, asked: Asked, first: int, r: int, most: float, ask: Question,
                  tray: Tray) -> None:  # fmt: skip
    """Admit a member nothing farther than its k-th nearest, which lies within an estimate."""
    # The k-th estimate, its error and that of whatever is compared with it.
    slack = ask.blank.slack
    tighten(tree, asked, first, r, admitted(most + allowance(slack, most), slack), tray)


@fast_kernel
def squares_apart(x: Array, y: Array) -> Any:
    """Return Σ(xₖ − yₖ)² in float32."""
    total = np.float32(0)
    for k in range(x.shape[0]):
        apart = x[k] - y[k]
        total += apart * apart
    return total


@kernel
def settle_all(tree: Any, space: Any, queries: Any, asked: Asked, first: int, r: int, answer: Answer,
               room: Room, tray: Tray) -> None:  # fmt: skip
    """Settle what a member has kept or has in the pool, and offer it to its answer."""
    if tray.filled[r] == 0 and tray.head[r] < 0:
        return
    query = prepare(space, queries, asked.place[first + r], room)
    for i in range(tray.filled[r]):
        settle_one(tree, space, query, tray.kept_slots[r, i], tray.kept[r, i], r, answer, tray)
    place = tray.head[r]
    while place >= 0:
        settle_one(tree, space, query, tray.pool_slots[place], tray.estimates[place], r, answer, tray)
        place = tray.following[place]
    tray.head[r], tray.filled[r] = -1, 0
    tighten(tree, asked, first, r, answer.reals[ADMIT], tray)


@kernel
def settle_one(tree: Any, space: Any, query: Any, slot: int, estimate: float, r: int, answer: Answer,
               tray: Tray) -> None:  # fmt: skip
    """Offer an object at its distance, unless its estimate says that it does not belong."""
    if tree.whole:
        if estimate <= tray.limit[r]:
            tray.cost[r] += 1
            offer(answer, slot, distance(space, slot, query))
    elif estimate <= tray.admit[r]:
        offer(answer, slot, settle(space, slot, query, estimate))


@kernel
def gather(tree: Any, space: Any, queries: Any, asked: Asked, first: int, count: int, used: Array, room: Room,
           ask: Question, tray: Tray, last: bool) -> None:  # fmt: skip
    """Empty the pool into the answers of the members, and finish these if nothing more comes."""
    kind = ask.blank.kind
    for r in range(count):
        q = asked.place[first + r]
        at = q * ask.k if kind == KNN else used[0]
        places = ask.positions.shape[0] - used[0] if kind in BALLS else ask.k
        answer = answer_of(ask, q, at, places, tray.reals[r])
        settle_all(tree, space, queries, asked, first, r, answer, room, tray)
        if last:
            # Where comparing codes counts as measuring, whole blocks were counted.
            answer.wholes[COST] += tray.looked[r] if tree.measured else tray.cost[r]
            answer.wholes[BOUNDS] += 0 if tree.measured else tray.looked[r]
            finish(answer)
            if kind in BALLS:
                used[0] += answer.wholes[FOUND]
    tray.sizes[POOLED] = 0


@kernel
def begin_group(tree: Any, asked: Asked, first: int, count: int, ask: Question, tray: Tray) -> None:
    """Let every member start from nothing."""
    tray.sizes[:STOP] = 0
    tray.nodes[0], tray.sizes[NODES], tray.whose[0] = 0, 1, ALL >> np.uint64(ROWS - count)
    encode_queries(tree, asked, ask.offset, first, first + count, tray.apart, tray.bounds)
    for r in range(tray.head.shape[0]):
        tray.head[r], tray.filled[r] = -1, 0
        tray.homes[r] = 0
        tray.limit[r] = -np.inf
        tray.admit[r] = tray.reach[r] = -np.inf
        if r >= count:
            continue
        q = asked.place[first + r]
        answer = answer_of(ask, q, 0, 0, tray.reals[r])
        start(answer, ask.radii[q])
        tray.skip[r], tray.after[r], tray.looked[r] = answer.skip, answer.after, 0
        tray.cost[r] = 0
        admit(tree, asked, first, r, answer.reals[ADMIT], tray)
        if ask.blank.kind == KNN:
            for home in asked.homes[first + r]:
                tray.homes[r] += home >= 0


@kernel
def next_blocks(tree: Any, asked: Asked, first: int, count: int, k: int, tray: Tray) -> int:
    """Write the next blocks and who needs them: at first those about each home, then those on the way."""
    turn = tray.sizes[TURN]
    r = turn >> 40
    while r < count:
        done, blocks = turn & ((1 << 40) - 1), tray.homes[r]
        if done < 2 * blocks:  # those that are nearest, then those of the others that may belong
            if done == 0:
                tray.cut[0], tray.cut[1] = -np.inf, look_about(tree, asked, first + r, r, k, tray)
            elif done == blocks:
                tray.cut[0], tray.cut[1] = tray.cut[1], -np.inf
            found = min(blocks - done % blocks, ROWS)
            for i in range(found):
                tray.places[i] = done % blocks + i
                tray.blocks[i] = asked.homes[first + r, tray.places[i]]
                tray.needed[i] = np.uint64(1) << np.uint64(r)
            tray.sizes[TURN] = turn + found
            return found
        r += 1
        turn = r << 40
        tray.sizes[TURN] = turn
    return roam(tree, asked, first, tray)


@kernel
def look_about(tree: Any, asked: Asked, j: int, r: int, k: int, tray: Tray) -> Any:
    """Compare the codes about a member's home, and return up to where k are, and hardly more.

    These are measured then, and their distances are the first threshold.
    """
    blocks = tray.homes[r]
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for place in range(blocks):
        block, near = asked.homes[j, place], tray.near[place]
        start = block * ROWS
        stop = min(start + ROWS, tree.objects)
        tray.looked[r] += stop - start
        if tree.gram:
            tile_values(tree.codes[block], asked.codes, asked.bias, tree.norms[block], asked.factor, j, near)
        else:
            compare_one(tree, block, asked.codes[j], np.float32(np.inf), near)
        for slot in range(stop, start + ROWS):
            near[slot - start] = np.nan
        if start <= tray.skip[r] < stop:
            near[tray.skip[r] - start] = np.nan
        for slot in range(start, min(tray.after[r] + 1, stop)):
            near[slot - start] = np.nan
        low, high = least_of(near, low), greatest_of(near, high)
    for _ in range(24):
        middle, below = low + (high - low) / np.float32(2), 0
        for place in range(blocks):
            below += popcount(values_within(tray.near[place], middle))
        if below >= k:
            high = middle
            if below <= k + 3:
                break
        else:
            low = middle
    return high


@kernel
def look_ahead(tree: Any, space: Any, asked: Asked, first: int, last: int, order: Array) -> None:
    """Ask for what queries will look at first: in few dimensions much of their time is waiting for it."""
    seen, codes, places = -1, tree.codes.reshape(tree.codes.shape[0], -1), order.reshape(-1, 1)
    for j in range(first, last):
        home = asked.homes[j, 0]
        if home >= 0 and home != seen:
            seen = home
            prefetch(codes, home)
            for slot in range(home * ROWS, min((home + 1) * ROWS, tree.objects), 4):
                fetch(space, slot)
                prefetch(places, slot)


@kernel
def sweep(tree: Any, space: Any, queries: Any, asked: Asked, room: Room, ask: Question, span: Array,
          used: Array, tray: Tray) -> int:  # fmt: skip
    """Answer the queries of a span, a group at a time, and return how it went.

    ``span`` holds the next query and the end, in the order in which they go, and begins where a group does;
    ``used`` how much of the result buffers is taken.
    """
    begin_products(tree.codes)
    status = answer_groups(tree, space, queries, asked, room, ask, span, used, tray)
    end_products(tree.codes)
    return status


@kernel
def answer_groups(tree: Any, space: Any, queries: Any, asked: Asked, room: Room, ask: Question, span: Array,
                  used: Array, tray: Tray) -> int:  # fmt: skip
    """Answer the queries of a span, as `sweep` does."""
    balls = ask.blank.kind in BALLS
    enough = tray.estimates.shape[0] - tray.slots.shape[0]
    while span[0] < span[1]:
        if tray.sizes[STOP] != 0 or room.fault[0] != 0:
            return STOPPED
        first = span[0]
        count = min(tray.head.shape[0], span[1] - first)
        if tray.sizes[FULL] == 0:
            begin_group(tree, asked, first, count, ask, tray)
            if tree.whole:
                following = min(first + 2 * count, span[1])
                look_ahead(tree, space, asked, first + count, following, ask.blank.order)
        more = True
        while more:
            blocks = next_blocks(tree, asked, first, count, ask.k, tray)
            more, home = blocks > 0, tray.sizes[TURN] >> 40 < count
            for i in range(max(blocks, 1)):
                if more:
                    place = tray.places[i] if home else -1
                    visit(tree, space, tray.blocks[i], tray.needed[i], place, asked, first, ask, tray)
                if tray.sizes[WAIT] >= WAITING or not more or (home and i == blocks - 1):
                    refine(tree, space, queries, asked, first, room, ask, tray)
                if tray.sizes[POOLED] > enough or not more:
                    left = ask.positions.shape[0] - used[0]
                    tray.sizes[CROWDED] = balls and more
                    tray.sizes[FULL] = balls and not more and tray.sizes[POOLED] > left
                    if tray.sizes[CROWDED] + tray.sizes[FULL] > 0:
                        return MORE_RESULTS  # with a larger pool the group begins anew, else it goes on here
                    gather(tree, space, queries, asked, first, count, used, room, ask, tray, not more)
        span[0] = first + count
    return DONE if room.fault[0] == 0 else STOPPED
