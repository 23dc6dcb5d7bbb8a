"""A metric is a distance function and the laws that it obeys.

Exact search prunes by laws, so a law that does not hold gives silently wrong answers. Every metric
therefore declares its laws, each stronger one with those that it implies:

    hilbert → four_point → ptolemaic → triangle

and ``metricspace.check_metric`` looks for a counterexample on a sample.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError

from . import threads
from .addressed import Addressed, addressed, by_callback
from .bounds import Slack
from .errors import InvalidArgument, MetricFailed, NotAMetric, UnknownName, WrongType
from .ids import Positions
from .interleaved import Loom, make_loom
from .kernels import COMPILED
from .objects import Handles, NumericRows, Objects, Rows
from .simd.weaving import WOVEN
from .space import BLOCK, Room, RowSpace, TwoMetrics, fill_distances, fill_in_order, make_room

# Lines of a compiler's complaint that say where and not what.
_IN_PASSING = re.compile(r"Failed in|During|File|There|\s")

_UNIT = {2: 2.0**-11, 4: 2.0**-24, 8: 2.0**-53, 16: 2.0**-53}  # rounding of one operation, by bytes
# Distances that a structure keeps are rounded to float32: by so much of them, or by so much where they are
# less than its least normal number.
STORED, VANISHING = 2.0**-24, 2.0**-148


@dataclasses.dataclass(frozen=True)
class Laws:
    """What a distance function obeys, beside d(a, b) = d(b, a) ≥ 0 and d(a, a) = 0.

    Parameters
    ----------
    identity : bool
        d(a, b) = 0 only when a and b are the same; without it, a pseudometric.
    triangle, ptolemaic, four_point, hilbert : bool
        Each implies those before it. `hilbert`: isometric to a subset of a Hilbert space.
    """

    identity: bool = True
    triangle: bool = True
    ptolemaic: bool = False
    four_point: bool = False
    hilbert: bool = False

    def __post_init__(self) -> None:
        ladder = ("hilbert", "four_point", "ptolemaic", "triangle")
        for stronger, weaker in itertools.pairwise(ladder):
            if getattr(self, stronger):
                object.__setattr__(self, weaker, True)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the laws that hold."""
        return (field.name for field in dataclasses.fields(self) if getattr(self, field.name))


HILBERT = Laws(hilbert=True)
TRIANGLE = Laws()


@dataclasses.dataclass
class Bound:
    """A metric bound to objects and queries, ready for a kernel.

    `space` and `queries` are what kernels take; `failure` holds what a user's function raised.
    """

    space: Any
    queries: Any
    objects: Objects
    asked: Objects
    metric: Metric
    alive: tuple[Any, ...] = ()
    failure: list[BaseException] = dataclasses.field(default_factory=list)

    @property
    def native(self) -> bool:
        """Whether distances are computed without Python."""
        return self.metric.native

    @property
    def error(self) -> Slack:
        """How far a distance that kernels measure may lie from the true one: by address it is canonical."""
        by_address = isinstance(self.space, Addressed)
        return self.metric.canonical_error(self.objects) if by_address else self.metric.error(self.objects)

    def room(self) -> Room:
        """Return scratch memory for one thread."""
        return make_room(self.metric.words(self.asked))

    def distances(
        self, places: Positions | None, n_jobs: int | None, dtype: npt.DTypeLike = np.float64
    ) -> npt.NDArray[Any]:
        """Return the matrix of distances of the queries to the objects.

        Column j is of object ``places[j]``; without `places`, of object j.
        """
        count, objects = len(self.asked), len(self.objects)
        greatest = self.metric.greatest(self.asked, self.objects)
        out = np.empty((count, objects), checked_dtype(dtype, self.metric.name, greatest))
        if places is not None and (places[:-1] < places[1:]).all():
            places = None  # they lie in this order
        # A loom puts 32 rows of bytes into order for what a few rows of any numbers take.
        in_bytes = places is not None and greatest is not None and greatest < 256 and count >= WOVEN // 4
        # Between chunks an interrupt is noticed.
        chunk = (65_536 if self.metric.native else 1024) // max(objects, 1)
        chunk = max(chunk, WOVEN if in_bytes else 1)
        waiting = list(range(0, count, chunk))[::-1]
        rooms = []

        def work() -> None:
            room = self.room()
            rooms.append(room)
            loom = make_loom(objects, BLOCK) if in_bytes else None
            while waiting and not room.fault[0]:
                with contextlib.suppress(IndexError):  # another thread was quicker
                    first = waiting.pop()
                    self._fill(first, out[first : first + chunk], places, room, loom)

        jobs = min(threads.jobs(n_jobs) if self.metric.native else 1, len(waiting))
        if self.metric.native and jobs == 1:
            work()
        else:
            threads.run([work] * jobs, waiting.clear)
        for room in rooms:
            if room.fault[0]:
                raise self.complaint(room.fault)
        return out

    def _fill(
        self, first: int, out: npt.NDArray[Any], places: Positions | None, room: Room, loom: Loom | None
    ) -> None:
        """Write the distances of as many queries as `out` has rows, with a loom if they fit into bytes."""
        last = first + len(out)
        if places is None:
            fill_distances(self.space, self.queries, first, last, room, out)
        elif loom is None:
            found = np.empty_like(out)
            fill_distances(self.space, self.queries, first, last, room, found)
            np.take(found, places, axis=1, out=out, mode="clip")  # by default it would copy `out`
        else:
            fill_in_order(self.space, self.queries, first, last, places, room, loom, out)

    def complaint(self, fault: npt.NDArray[np.int64]) -> BaseException:
        """Return the error behind a fault: what the user's function raised, or what it returned."""
        if self.failure:
            return self.failure[0]
        function = self.metric.function
        here = np.asarray(fault[1:2]), np.asarray(fault[2:3])
        a, b = self.objects.give(here[0])[0], self.asked.give(here[1])[0]
        if function is not None:
            try:
                value = function(a, b)
            except Exception as error:  # the user's own, which compiled code could only count
                return error
            return MetricFailed(
                f"{self.metric.name} returned {value!r}, and a distance is a finite number ≥ 0; "
                f"the objects were {_shortened(a)} and {_shortened(b)}"
            )
        return MetricFailed(
            f"{self.metric.name} overflowed for {_shortened(a)} and {_shortened(b)}: scale the data"
        )


class BoundTwice(Bound):
    """Objects and queries bound to the metric that a structure reasons with, and to the one asked for.

    Parameters
    ----------
    built, asked : Bound
        The same objects and queries under either, by address.
    """

    def __init__(self, built: Bound, asked: Bound) -> None:
        space, queries = TwoMetrics(built.space, asked.space), TwoMetrics(built.queries, asked.queries)
        super().__init__(space, queries, asked.objects, asked.asked, asked.metric)
        self.both = built, asked

    @property
    def native(self) -> bool:
        return all(bound.native for bound in self.both)

    def room(self) -> Room:
        return make_room(max(bound.metric.words(bound.asked) for bound in self.both), at_once=2)

    def complaint(self, fault: npt.NDArray[np.int64]) -> BaseException:
        for bound in self.both:
            try:
                bound.metric.between(bound.asked.take(fault[2:3]), bound.objects.take(fault[1:2]))
            except BaseException as error:  # the metric whose fault it was
                return error
        return super().complaint(fault)


def checked_dtype(given: npt.DTypeLike, name: str, greatest: int | None) -> np.dtype[Any]:
    """Return the type that distances are wanted in, or say why a metric's cannot be.

    Parameters
    ----------
    given : data type
        What is wanted.
    name : str
        The metric's name.
    greatest : int or None
        As of `Metric.greatest`.
    """
    try:
        dtype = np.dtype(given)
    except TypeError as error:
        raise WrongType(f"expected a data type of numbers, given {given!r}") from error
    if dtype in (np.float64, np.float32):
        return dtype
    if dtype.kind not in "iu" or not dtype.isnative:
        raise InvalidArgument(f"expected dtype float64, float32 or an integer type, given {dtype}")
    if greatest is None:
        raise InvalidArgument(
            f"distances by {name} need not be whole numbers: expected dtype float64 or float32, given {dtype}"
        )
    if greatest > np.iinfo(dtype).max:
        raise InvalidArgument(
            f"of these objects distances by {name} may be up to {greatest}, too large for {dtype}: "
            f"{np.min_scalar_type(greatest)} holds them"
        )
    return dtype


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


class Metric:
    """A distance function and the laws that it obeys.

    Built directly, it wraps a function of your own; the metrics of the library are subclasses.

    Parameters
    ----------
    function : callable
        Takes two objects and returns their distance, a finite number ≥ 0. Compiled with ``numba.njit`` it
        runs inside the search at native speed, over the rows of any numeric matrix; in plain Python it may
        take objects of any kind. It must not call back into the index that uses it.
    name : str, optional
        How errors and stored files call it; by default the function's name.
    rounding : float, optional
        The greatest relative error of a returned distance. By default that of adding up as many terms
        as a row has, in the precision of the row.
    **laws : bool
        What it obeys beyond the triangle inequality, see `Laws`. ``triangle=False`` allows only the
        linear scan.

    Raises
    ------
    WrongType
        If `function` is not callable.
    """

    name: str
    laws: Laws
    hot: bool = False  # whether searches are compiled for its own space
    batched: bool = False  # whether its arrays for a scan measure many objects at once
    edits: tuple[float, float] | None = (
        None  # of an edit distance of sequences: what edits cost, least and most
    )
    _rounding: float | None = None

    def __init__(
        self,
        function: Callable[[Any, Any], float],
        *,
        name: str | None = None,
        rounding: float | None = None,
        **laws: bool,
    ) -> None:
        if not callable(function):
            given = type(function).__name__
            raise WrongType(f"expected a metric's name, a Metric or a function of two objects, given {given}")
        self.function: Callable[[Any, Any], float] | None = function
        self.name = str(name or getattr(function, "__name__", type(function).__name__))
        try:
            self.laws = Laws(**laws)
        except TypeError as error:
            known = ", ".join(field.name for field in dataclasses.fields(Laws))
            raise WrongType(f"expected laws among {known}, given {', '.join(laws)}") from error
        self._rounding = None if rounding is None else checked_rounding(rounding)

    @property
    def params(self) -> dict[str, Any]:
        """What distinguishes this metric from others of its name, fit for JSON."""
        return {}

    def __repr__(self) -> str:
        given = "".join(f", {key}={value!r}" for key, value in self.params.items())
        return f"metric({self.name!r}{given})"

    @property
    def native(self) -> bool:
        """Whether distances are computed without Python, and so on several threads at once."""
        return not (self.function is not None and not isinstance(self.function, Dispatcher))

    # What a subclass brings.

    def objects(self, data: Any) -> Objects:
        """Validate the user's objects and put them into a container."""
        given = np.asarray(data) if hasattr(data, "__array__") else data  # data frames and tensors too
        if isinstance(given, np.ndarray) and given.ndim == 2 and given.dtype.kind in "fiub" and len(given):
            return NumericRows.of(given)
        return Handles.of(given)

    def space(self, objects: Objects) -> Any:
        """Return the objects as the named arrays that this metric's kernels take."""
        assert isinstance(objects, Rows)
        return RowSpace(objects.rows)

    def arranged(self, objects: Objects) -> Positions | None:
        """Return the order in which a scan had best find these objects, if that matters."""
        return None

    def scanned(self, objects: Objects) -> Any:
        """Return the named arrays for a scan of all objects; others than those of `space` may be better."""
        return self.space(objects)

    def bytes_derived(self, objects: Objects, scan: bool = False) -> int:
        """Return about how much memory takes what a search needs beside these objects, such as images.

        With `scan`, what only a scan of all objects needs is counted too.
        """
        return 0

    def greatest(self, queries: Objects, objects: Objects) -> int | None:
        """Return what no distance of a query to an object exceeds, if all are whole numbers; else None."""
        return None

    def words(self, queries: Objects) -> int:
        """Return how many 64-bit words preparing any one of these queries needs."""
        return 1

    def error(self, objects: Objects) -> Slack:
        """Return how far a computed distance, be it an estimate, may lie from the true one."""
        if self._rounding is not None:
            return Slack(self._rounding, 0.0)
        if isinstance(objects, Rows):
            return summing(objects.rows)
        return Slack(64 * _UNIT[8], 0.0)

    def canonical_error(self, objects: Objects) -> Slack:
        """Return how far a canonical distance may lie from the true one, which may be less."""
        return self.error(objects)

    # What every metric can do.

    def slack(self, objects: Objects) -> Slack:
        """Return what pruning must allow for: the metric's rounding, and that of stored distances."""
        error = self.error(objects)
        return Slack(error.relative + STORED, error.absolute + VANISHING)

    def bind(
        self, objects: Objects, queries: Objects, *, own_kernels: bool = False, scan: bool = False
    ) -> Bound:
        """Make objects and queries ready for kernels.

        With `own_kernels` the metric's own arrays are handed over, for kernels compiled for them;
        otherwise the metric is called by its address. With `scan` they are those for a scan of all objects.
        """
        if self.function is not None and not (
            COMPILED and isinstance(self.function, Dispatcher) and isinstance(objects, Rows)
        ):
            return self._bind_python(objects, queries)
        own_kernels = own_kernels or not COMPILED
        space = self.scanned(objects) if own_kernels and scan else self.space(objects)
        asked = self.space(queries)
        bound = Bound(space, asked, objects, queries, self, (space, asked))
        if own_kernels:
            return bound
        try:
            bound.space = addressed(space, self.function)
            bound.queries = addressed(asked, self.function)
        except NumbaError as error:
            reason = next(line for line in str(error).splitlines() if line and not _IN_PASSING.match(line))
            kind = objects.rows.dtype if isinstance(objects, Rows) else objects.kind
            raise WrongType(f"{self.name} could not be compiled for two rows of {kind}: {reason}") from error
        return bound

    def _bind_python(self, objects: Objects, queries: Objects) -> Bound:
        function = self.function
        assert function is not None
        everything = np.arange(len(objects)), np.arange(len(queries))
        left = list(objects.give(everything[0]))
        right = left if queries is objects else list(queries.give(everything[1]))
        failure: list[BaseException] = []

        def call(_: int, i: int, j: int, limit: float) -> float:
            try:
                return float(function(left[i], right[j]))
            except BaseException as error:  # nothing may escape into compiled code
                failure.append(error)
                return np.nan

        space, callback = by_callback(call)
        return Bound(space, space, objects, queries, self, (callback,), failure)

    def pairwise(
        self, a: Any, b: Any | None = None, *, dtype: npt.DTypeLike = np.float64, n_jobs: int | None = 1
    ) -> npt.NDArray[Any]:
        """Return the matrix of distances between two batches of objects, or within one.

        Parameters
        ----------
        a, b : batches of objects
            As for ``fit``; `b` is `a` if left out.
        dtype : data type
            float64; float32, to which distances are then rounded; or integers, if the distances are whole
            numbers and fit, whatever the objects.
        n_jobs : int, optional
            Threads; None for all cores.

        Returns
        -------
        array, shape (len(a), len(b)), of `dtype`

        Raises
        ------
        MetricSpaceError
            If the objects do not suit the metric, or the distances not the type.
        """
        objects = self.objects(a if b is None else b)
        if b is None:
            return self.between(objects, objects, n_jobs, dtype)
        # Both sides in the wider of their types, so that their order does not matter.
        objects = objects.widened(a)
        return self.between(objects.encode(a), objects, n_jobs, dtype)

    def between(
        self,
        queries: Objects,
        objects: Objects,
        n_jobs: int | None = 1,
        dtype: npt.DTypeLike = np.float64,
    ) -> npt.NDArray[Any]:
        """Return the matrix of distances of queries to objects that are in containers already."""
        order = self.arranged(objects) if self.batched else None
        if order is not None:
            objects = objects.take(order)
        places = None if order is None else np.argsort(order)
        return self.bind(objects, queries, own_kernels=self.hot, scan=True).distances(places, n_jobs, dtype)

    def distance(self, a: Any, b: Any) -> float:
        """Return the distance of two objects."""
        return float(self.pairwise([a], [b])[0, 0])


def sharpest(given: str, metric: Metric, *sharper: str) -> str:
    """Return by which bounds a structure prunes under a metric.

    Parameters
    ----------
    given : str
        What its user asks for: ``"auto"``, ``"triangle"`` or one of `sharper`.
    metric : Metric
        Whose laws decide.
    *sharper : str
        What the structure can do beyond the triangle inequality, the sharpest first: ``"four-point"`` or
        ``"ptolemaic"``.

    Raises
    ------
    NotAMetric
        If the metric does not declare the law that the given bounds rest on.
    """
    held = [bounds for bounds in (*sharper, "triangle") if bounds.replace("-", "_") in metric.laws]
    if given == "auto":
        return held[0] if held else "triangle"
    if given not in held:
        law = given.replace("-", "_")
        raise NotAMetric(
            f"bounds={given!r} rest on the law {law!r}, which {metric.name} does not declare: use "
            f"bounds='auto', or declare it if it holds, Metric(function, {law}=True)"
        )
    return given


def checked_rounding(given: Any) -> float:
    """Return a relative error of distances, or say what is wrong with it."""
    if isinstance(given, bool) or not isinstance(given, (int, float, np.number)) or not 0 <= given < 1:
        raise InvalidArgument(f"expected the rounding as a relative error from 0 to below 1, given {given!r}")
    return float(given)


def summing(rows: npt.NDArray[Any]) -> Slack:
    """Return the rounding error of adding up one term a dimension, in the precision of the rows."""
    unit = _UNIT[rows.dtype.itemsize] if rows.dtype.kind == "f" else _UNIT[8]
    return Slack((rows.shape[1] / 2 + 3) * unit, 0.0)


# --- names -------------------------------------------------------------------------------------------

_METRICS: dict[str, Callable[..., Metric]] = {}
_ALIASES: dict[str, str] = {}
_REFUSED = {
    "cosine": "1 − cos breaks the triangle inequality: use 'angular', which gives the same order",
    "sqeuclidean": "the squared distance breaks the triangle inequality: use 'euclidean', which gives the "
    "same order of neighbours, and square what it returns",
    "dtw": "dynamic time warping breaks the triangle inequality: use the linear scan with your own function",
    "braycurtis": "it breaks the triangle inequality: use 'weighted_jaccard', which gives the same order of "
    "neighbours (a distance of d becomes 2d / (1 + d))",
}


def register(name: str, *aliases: str) -> Callable[[Callable[..., Metric]], Callable[..., Metric]]:
    """Make a metric known by a name, and by others beside it."""

    def enter(make: Any) -> Any:
        _METRICS[name] = make
        _ALIASES.update(dict.fromkeys(aliases, name))
        return make

    return enter


def metrics() -> dict[str, Callable[..., Metric]]:
    """Return every metric of the library by its name."""
    return dict(sorted(_METRICS.items()))


def metric(given: str | Metric | Callable[[Any, Any], float], **params: Any) -> Metric:
    """Return a metric by its name, or wrap a function of your own.

    Parameters
    ----------
    given : str, Metric or callable
        A name of `metrics`, a metric (returned as it is), or a function of two objects.
    **params
        The metric's parameters, such as ``p`` for ``"minkowski"``.

    Raises
    ------
    UnknownName
        If there is no metric of that name; the message lists them.
    NotAMetric
        If it is known not to be one; the message names the remedy.
    """
    if isinstance(given, Metric):
        if params:
            raise WrongType(f"a metric has its parameters already: given {', '.join(params)} beside {given}")
        return given
    if not isinstance(given, str):
        return Metric(given, **params)
    name = _ALIASES.get(given, given)
    if name in _REFUSED:
        raise NotAMetric(f"{name!r} is not a metric: {_REFUSED[name]}")
    if name not in _METRICS:
        raise UnknownName(f"no metric {given!r}; there are {', '.join(metrics())}, and functions of your own")
    make = _METRICS[name]
    try:
        inspect.signature(make).bind(**params)
    except TypeError as error:
        known = ", ".join(inspect.signature(make).parameters) or "no parameters"
        raise WrongType(f"the metric {name!r} takes {known}: {error}") from error
    return make(**params)
