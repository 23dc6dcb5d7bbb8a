"""The memory of a thread that answers queries together: what its group admits, keeps, and lets wait."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .answer import REALS
from .coding import most_homes
from .kernels import Array, kernel
from .least import add, greatest, replace
from .simd.counts import popcount
from .simd.registers import ROWS, lowest, values_within
from .simd.tiles import MOST
from .simd.vectors import aligned
from .space import fetch

WAITING = 64  # objects that wait until they are measured
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)

# Tray.sizes; of a group, and others
WAIT, POOLED, NODES, TURN, CROWDED, FULL, STOP, LISTED = range(8)


class Tray(NamedTuple):
    """The memory of one thread: what the members of a group have, and what waits for them."""

    reals: Array  # as of `Answer`
    admit: Array  # estimates up to this may belong
    reach: Array  # the same as the codes measure
    limit: Array  # float32: what a tile compares with, that nothing within reach is lost
    skip: Array  # as of `Answer`
    after: Array
    looked: Array  # how many codes were compared
    cost: Array  # how many objects were measured
    kept: Array  # (members, k): the least estimates so far of those who seek neighbours, see `least`
    kept_slots: Array
    filled: Array
    homes: Array  # how many blocks are looked at first
    apart: Array  # float32: how far they are, for one member
    near: Array  # float32 (blocks, 64): distances of their objects, for one member
    cut: Array  # which of these are measured: those beyond one and up to another
    needing: Array  # members who need a block, and more, as a tile may be larger than what is left
    listed: Array  # the bits of these members
    masks: Array
    wanted: Array  # which members need each child of a node, a bit for each; 0 before it is looked at
    bounds: Array  # float32 (64,)
    blocks: Array  # the next blocks
    needed: Array  # which members need each of them
    places: Array  # of home blocks, in `near`
    members: Array  # of what waits
    slots: Array
    estimated: Array  # what waits, as it is estimated
    head: Array  # of each member's list in the pool, −1 where it is empty
    following: Array  # the pool: other estimated objects that may belong
    pool_slots: Array
    estimates: Array
    ranked: Array  # places in a block, in the order of distances
    keys: Array  # nodes that wait
    nodes: Array
    whose: Array  # which members need them
    sizes: Array


def make_tray(members: int, k: int, pool: int, nodes: int) -> Tray:
    """Return the memory of one thread."""
    room = WAITING + members * ROWS
    return Tray(
        reals=np.zeros((members, REALS)),
        admit=np.zeros(members),
        reach=np.zeros(members),
        limit=np.zeros(members, np.float32),
        skip=np.zeros(members, np.int64),
        after=np.zeros(members, np.int64),
        looked=np.zeros(members, np.int64),
        cost=np.zeros(members, np.int64),
        kept=np.zeros((members, max(k, 1))),
        kept_slots=np.zeros((members, max(k, 1)), np.int64),
        filled=np.zeros(members, np.int64),
        homes=np.zeros(members, np.int64),
        apart=np.zeros(most_homes(k), np.float32),
        near=aligned((most_homes(k), ROWS), np.float32),
        cut=np.zeros(2, np.float32),
        needing=np.zeros(members + MOST, np.int64),
        listed=np.zeros(1, np.uint64),
        masks=np.zeros(MOST, np.uint64),
        wanted=np.zeros(ROWS, np.uint64),
        bounds=aligned(ROWS, np.float32),
        blocks=np.zeros(ROWS, np.int64),
        needed=np.zeros(ROWS, np.uint64),
        places=np.zeros(ROWS, np.int64),
        members=np.zeros(room, np.int64),
        slots=np.zeros(room, np.int64),
        estimated=np.zeros(room),
        head=np.zeros(members, np.int64),
        following=np.zeros(pool + room, np.int64),
        pool_slots=np.zeros(pool + room, np.int64),
        estimates=np.zeros(pool + room),
        ranked=np.zeros(ROWS, np.int64),
        keys=np.zeros(nodes),
        nodes=np.zeros(nodes, np.int64),
        whose=np.zeros(nodes, np.uint64),
        sizes=np.zeros(8, np.int64),
    )


_idle: dict[tuple[int, int], list[Tray]] = {}  # by members and k; making one takes as long as a query
_KEPT = 8  # of them, at most


def taken_tray(members: int, k: int) -> Tray:
    """Return the memory of one thread, used before if there is some."""
    try:
        tray = _idle[members, k].pop()
    except (KeyError, IndexError):
        return make_tray(members, k, 2 * members * (k + 512), 8 * ROWS)
    tray.sizes[FULL] = tray.sizes[STOP] = 0
    return tray


def give_back(tray: Tray) -> None:
    """Keep memory that is not used any more for the next thread, if there is little."""
    key = tray.kept.shape
    if tray.estimates.size < 1 << 16 and (key in _idle or len(_idle) < _KEPT):
        kept = _idle.setdefault(key, [])
        if len(kept) < _KEPT:
            kept.append(tray)


def larger(tray: Tray) -> Tray:
    """Return the same memory with twice the pool."""
    return tray._replace(
        **{
            name: np.concatenate([getattr(tray, name)] * 2)
            for name in ("following", "pool_slots", "estimates")
        }
    )


@kernel
def has(bits: Any, place: int) -> bool:
    """Whether a bit is set."""
    return (bits >> np.uint64(place)) & np.uint64(1) != np.uint64(0)


@kernel
def without_own(mask: Any, start: int, r: int, tray: Tray) -> Any:
    """Leave out what a member must not find: the object that it is, and those up to one."""
    own, passed = tray.skip[r] - start, tray.after[r] + 1 - start
    if 0 <= own < ROWS:
        mask &= ~(np.uint64(1) << np.uint64(own))
    if passed > 0:
        mask = (mask >> np.uint64(passed)) << np.uint64(passed) if passed < ROWS else np.uint64(0)
    return mask


@kernel
def list_members(needed: Any, tray: Tray) -> None:
    """List those whose bits are set."""
    tray.listed[0] = needed
    count = 0
    while needed != np.uint64(0):
        tray.needing[count] = lowest(needed)
        needed &= needed - np.uint64(1)
        count += 1
    tray.sizes[LISTED] = count
    for i in range(count, count + MOST):
        tray.needing[i] = tray.needing[0]  # a tile may be larger than what is left


@kernel
def pool(slot: int, estimate: float, r: int, tray: Tray) -> None:
    """Put an object into the pool."""
    place = tray.sizes[POOLED]
    tray.sizes[POOLED] = place + 1
    tray.estimates[place], tray.pool_slots[place] = estimate, slot
    tray.following[place] = tray.head[r]
    tray.head[r] = place


@kernel
def keep(slot: int, estimate: float, r: int, tray: Tray) -> bool:
    """Keep an object if it is among a member's nearest, and return whether the k-th is nearer for it.

    What is not, or not any more, goes to the pool: estimates are not distances.
    """
    estimates, slots, filled = tray.kept[r], tray.kept_slots[r], tray.filled[r]
    room = estimates.shape[0]
    if filled < room:
        add(estimates, slots, filled, estimate, slot)
        tray.filled[r] = filled + 1
        return filled + 1 == room
    top = greatest(room)
    if estimate >= estimates[top]:
        pool(slot, estimate, r, tray)
        return False
    pool(slots[top], estimates[top], r, tray)
    replace(estimates, slots, estimate, slot)
    return True


@kernel
def keep_first(space: Any, start: int, mask: Any, values: Array, r: int, tray: Tray) -> bool:
    """Keep the first objects of a member, in order at once: an object's place is how many are nearer.

    Return whether there are k.
    """
    count, estimates, slots = popcount(mask), tray.kept[r], tray.kept_slots[r]
    for place in range(count):
        tray.ranked[place] = -1
    left = mask
    while left != np.uint64(0):
        i = lowest(left)
        left &= left - np.uint64(1)
        fetch(space, start + i)
        place = popcount(values_within(values, values[i]) & mask) - 1
        while tray.ranked[place] >= 0:  # of another that is as near
            place -= 1
        tray.ranked[place] = i
    for place in range(count):
        i = tray.ranked[place]
        if place < estimates.shape[0]:
            estimates[place], slots[place] = values[i], start + i
        else:
            pool(start + i, np.float64(values[i]), r, tray)
    tray.filled[r] = min(count, estimates.shape[0])
    return count >= estimates.shape[0]


@kernel
def farthest(r: int, tray: Tray) -> float:
    """Return the estimate of a member's k-th nearest."""
    return tray.kept[r, greatest(tray.kept.shape[1])]
