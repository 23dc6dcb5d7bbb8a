"""Metrics called by their addresses.

`Addressed` is the space of every metric that no search is compiled for: the user's own functions, and the
library's less common metrics. One compiled search serves them all, and compilation grows as structures +
metrics, not as their product.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.ccallback import CFunc
from numba.extending import intrinsic

from .kernels import COMPILED, OPTIONS, Array, Cache, kernel
from .space import FRAME, QUERY, Room, at_least, distance, make_room, prepare, within


class Addressed(NamedTuple):
    """A space behind addresses.

    Native code finds the named arrays of the space in `frame`, and prepares a query into the frame of
    the room. Python code (`prepare_at` is 0) needs only the numbers of the object and the query.
    """

    prepare_at: int
    within_at: int
    at_least_at: int  # 0: there is no such bound
    frame: Array  # uint64: the named arrays, as the machine holds them


class AddressedQuery(NamedTuple):
    """A query on its way to an address: where it was prepared (for Python code, its number again)."""

    at: int
    number: int
    fault: Array


@intrinsic
def address(typing: Any, array: Any) -> Any:
    """Return where the data of an array begin."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.int64(array), generate


@intrinsic
def store(typing: Any, at: Any, value: Any) -> Any:
    """Keep a tuple at an address, as the machine holds it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where, kept = arguments
        builder.store(kept, builder.inttoptr(where, kept.type.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(types.int64, value), generate


@intrinsic
def load(typing: Any, at: Any, reference: Any) -> Any:
    """Return the tuple of a known type that was kept at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(signature.return_type)
        assert context.get_abi_sizeof(kind) <= 8 * FRAME, "the named arrays of a space fill a frame at most"
        return builder.load(builder.inttoptr(arguments[0], kind.as_pointer()), align=8)

    return reference.instance_type(types.int64, reference), generate


@intrinsic
def load_query(typing: Any, at: Any, space: Any) -> Any:
    """Return the query kept at an address; its type is what `prepare` makes for this space."""
    room = numba.typeof(make_room(1))
    asked = (space.instance_type, space.instance_type, types.int64, room)
    query = typing.resolve_value_type(prepare).get_call_type(typing, asked, {}).return_type

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(signature.return_type)
        assert context.get_abi_sizeof(kind) <= 8 * (FRAME - QUERY), (
            "a prepared query fills the rest of a frame at most"
        )
        return builder.load(builder.inttoptr(arguments[0], kind.as_pointer()), align=8)

    return query(types.int64, space), generate


@intrinsic
def call_prepare(typing: Any, at: Any, frame: Any, queries: Any, i: Any, room: Any) -> Any:
    """Call the function at an address to prepare a query in the frame of a room."""
    return types.void(*[types.int64] * 5), _call


@intrinsic
def call_within(typing: Any, at: Any, frame: Any, i: Any, query: Any, limit: Any) -> Any:
    """Call the function at an address for one distance."""
    return types.float64(*[types.int64] * 4, types.float64), _call


@intrinsic
def call_at_least(typing: Any, at: Any, frame: Any, i: Any, query: Any) -> Any:
    """Call the function at an address for one lower bound."""
    return types.float64(*[types.int64] * 4), _call


def _call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    at, *passed = arguments
    result = ir.VoidType() if signature.return_type == types.void else ir.DoubleType()
    shape = ir.FunctionType(result, [value.type for value in passed])
    value = builder.call(builder.inttoptr(at, shape.as_pointer()), passed)
    return value if signature.return_type != types.void else context.get_dummy_value()


@prepare.of(Addressed)
def _(space: Addressed, queries: Addressed, i: int, room: Room) -> Any:
    if queries.prepare_at == 0:
        return AddressedQuery(i, i, room.fault)
    own = address(room.frame)
    store(own, room)
    call_prepare(queries.prepare_at, address(space.frame), address(queries.frame), i, own)
    return AddressedQuery(own + 8 * QUERY, i, room.fault)


@within.of(Addressed)
def _(space: Addressed, i: int, query: Any, limit: float) -> float:
    return checked(call_within(space.within_at, address(space.frame), i, query.at, limit), i, query)


@at_least.of(Addressed)
def _(space: Addressed, i: int, query: Any) -> float:
    if space.at_least_at == 0:
        return 0.0
    return call_at_least(space.at_least_at, address(space.frame), i, query.at)


@kernel
def checked(d: float, i: int, query: Any) -> float:
    """Return a distance that a metric gave, and note a fault if it is none."""
    if not 0.0 <= d < np.inf:
        query.fault[0] = 1
        query.fault[1] = i
        query.fault[2] = query.number
    return d


class Called(NamedTuple):
    """A Python function of (number of object, number of query), when nothing is compiled."""

    function: Callable[[int, int, int, float], float]


class CalledQuery(NamedTuple):
    """The number of a query."""

    number: int
    fault: Array


@prepare.of(Called)
def _(space: Called, queries: Called, i: int, room: Room) -> Any:
    return CalledQuery(i, room.fault)


@distance.of(Called)
def _(space: Called, i: int, query: Any) -> float:
    return checked(space.function(0, i, query.number, np.inf), i, query)


@kernel
def _keep(space: Any, frame: Array) -> None:
    store(address(frame), space)


Function = Callable[..., float]

_ADDRESSES: dict[Any, tuple[int, int, int]] = {}
_ALIVE: list[CFunc] = []  # compiled code behind the addresses that were given out


def addressed(space: Any, function: Function | None = None) -> Addressed:
    """Put a space behind addresses, with the user's compiled `function` of two rows in place of its metric.

    The caller keeps `space` alive for as long as the result is used.
    """
    kind = numba.typeof(space)
    if (kind, function) not in _ADDRESSES:
        _ADDRESSES[kind, function] = _entry_points(kind, function)
    frame = np.zeros(FRAME, np.uint64)
    _keep(space, frame)
    return Addressed(*_ADDRESSES[kind, function], frame)


def by_callback(function: Callable[[int, int, int, float], float]) -> tuple[Any, Any]:
    """Put a Python function of (anything, number of object, number of query, limit) behind an address.

    Returns the space and what must be kept alive while it is used.
    """
    if not COMPILED:
        return Called(function), None
    whole, real = ctypes.c_int64, ctypes.c_double
    callback = ctypes.CFUNCTYPE(real, whole, whole, whole, real)(function)
    at = ctypes.cast(callback, ctypes.c_void_p).value
    return Addressed(0, at or 0, 0, np.zeros(FRAME, np.uint64)), callback


def _entry_points(kind: Any, function: Function | None) -> tuple[int, int, int]:
    room = numba.typeof(make_room(1))

    def prepare_into(space_at: int, queries_at: int, i: int, room_at: int) -> None:
        scratch = load(room_at, room)
        query = prepare(load(space_at, kind), load(queries_at, kind), i, scratch)
        store(room_at + 8 * QUERY, query)

    def metric_within(space_at: int, i: int, query_at: int, limit: float) -> float:
        return within(load(space_at, kind), i, load_query(query_at, kind), limit)

    def users_distance(space_at: int, i: int, query_at: int, limit: float) -> float:
        # An exception becomes NaN, which is a fault; Python then calls the function again to show it.
        try:
            row, query = load(space_at, kind).rows[i], load_query(query_at, kind).row
            return np.float64(function(row, query))  # type: ignore[misc]
        except Exception:
            return np.nan

    def metric_at_least(space_at: int, i: int, query_at: int) -> float:
        return at_least(load(space_at, kind), i, load_query(query_at, kind))

    whole, real = types.int64, types.float64
    bounded = function is None and kind.instance_class in at_least.bodies
    return (
        _compiled_address(prepare_into, types.void(whole, whole, whole, whole)),
        _compiled_address(
            metric_within if function is None else users_distance, real(whole, whole, whole, real)
        ),
        _compiled_address(metric_at_least, real(whole, whole, whole)) if bounded else 0,
    )


def _compiled_address(body: Callable[..., Any], signature: Any) -> int:
    # A user's function may allocate, and must not be left without reference counts.
    options = {**OPTIONS, "_nrt": "function" in body.__code__.co_freevars}
    compiled: Any = CFunc(body, (signature.args, signature.return_type), {}, options)
    compiled._cache = Cache(body)
    compiled.compile()
    _ALIVE.append(compiled)
    return int(compiled.address)
