"""The index to begin with: it tries structures on samples of the data, and builds the best for all of it.

How a structure fares depends on the data: on how alike their distances are, on what one distance takes, on
how many objects there are. All of that shows in a sample. So each candidate is built over two samples, one
four times the other, and asked for the neighbours of objects in neither. What a query takes is carried on
from there to the whole collection as a power of its size; the candidate for which the least comes out is
built.

Where a structure was made for a metric's own kind of object (boxes for vectors, patterns for strings), it is
built without a trial: it chooses its own settings from the data, and nothing else has come near it.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import os
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from .arguments import one_of, whole_number
from .dynamic import DynamicIndex
from .errors import InvalidArgument, NotFitted, TooLarge, UnknownName, WrongType
from .ids import Positions
from .index import BaseIndex, indexes
from .laws import Metric
from .laws import metric as _metric
from .objects import Matrix, Objects
from .progress import shown
from .searchable import Searchable

OBJECTIVES = ("time", "distances")
SPECIALISTS = ("boxes", "patterns")
GENERAL = ("linear", "vptree", "dsat", "mtree", "laesa", "aesa")

_LARGEST, _SMALLEST = 4096, 64  # objects in the larger sample
_QUERIES = 100
_ENOUGH = 20.0  # seconds that all distances between the objects of a sample may take
_ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a structure is expected to take, were it built over all objects.

    Attributes
    ----------
    structure : str
        Its key.
    distances, seconds : float
        For a query, on one thread.
    growth : float
        A query takes n to this power, as far as the samples tell.
    build_distances, build_seconds : float
        To build it.
    refused : str
        Why it cannot be built at all; empty if it can.
    """

    structure: str
    distances: float = math.inf
    seconds: float = math.inf
    growth: float = math.nan
    build_distances: float = math.inf
    build_seconds: float = math.inf
    refused: str = ""


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which structure was chosen, and why.

    Attributes
    ----------
    structure : str
        The key of what was chosen.
    objective : str
        What was to be least, ``"time"`` or ``"distances"``.
    objects, k, queries : int
        How many objects there are, for how many neighbours queries are expected to ask, and how many queries
        are expected, among which what building takes is shared out.
    samples : tuple of int
        How many objects the samples held; empty if there was nothing to try: few objects, one candidate, or
        distances that are all known.
    rho : float
        Intrinsic dimension μ² / 2σ² of the distances: the higher, the less can be excluded. NaN if they do
        not vary.
    seconds_a_distance : float
        What the scan takes for one.
    predictions : tuple of Prediction
        The candidates, the best first.
    """

    structure: str
    objective: str
    objects: int
    k: int
    queries: int
    samples: tuple[int, ...] = ()
    rho: float = math.nan
    seconds_a_distance: float = math.nan
    predictions: tuple[Prediction, ...] = ()

    def __str__(self) -> str:
        if not self.samples:
            return f"{self.structure}: nothing to gain from trying others over these {self.objects:,} objects"
        lines = [
            f"{self.structure}, for the least {self.objective} over {self.objects:,} objects, {self.k} "
            f"neighbours a query and {self.queries:,} queries",
            f"tried on {' and '.join(f'{size:,}' for size in self.samples)} objects: ρ {self.rho:.3g}, "
            f"{_duration(self.seconds_a_distance)} a distance",
        ]
        for each in self.predictions:
            told = each.refused or (
                f"{each.distances:,.0f} distances and {_duration(each.seconds)} a query, growing as "
                f"n^{each.growth:.2f}; {each.build_distances:,.0f} distances to build"
            )
            lines.append(f"  {each.structure}: {told}")
        return "\n".join(lines)


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _by_the_chosen(name: str, inherited: Any) -> Any:
    """Return a method or a property that asks the chosen structure for what it inherits."""
    if not inspect.isfunction(inherited):

        def value(self: Index) -> Any:
            self._fitted()
            return getattr(self.chosen, name)

        return property(value, doc=inherited.__doc__)

    @functools.wraps(inherited)
    def method(self: Index, *given: Any, **named: Any) -> Any:
        self._fitted()
        return getattr(self.chosen, name)(*given, **named)

    return method


def _answered_by_the_chosen(cls: type[Index]) -> type[Index]:
    """Have the chosen structure answer whatever an index is asked, but for what the class does itself."""
    for name, inherited in vars(Searchable).items():
        if not name.startswith("__") and name not in vars(cls):
            setattr(cls, name, _by_the_chosen(name, inherited))
    return cls


@_answered_by_the_chosen
class Index(Searchable):
    """Choose a structure for the data, and build it.

    Every query of every structure is here; the chosen one answers it.

    Parameters
    ----------
    metric : str, Metric or callable
        As for any structure.
    seed : int
        Where all random choices come from.
    max_bytes : int, optional
        As for any structure: what would take more memory is no candidate.
    objective : {"time", "distances"}
        What is to be least. Time is measured, so that of two structures that take about the same now one is
        chosen and now the other; distances are counted, and the same seed chooses the same structure.
    k : int
        For how many neighbours queries are expected to ask.
    queries : int
        How many queries are expected: what building takes is shared out among them.
    dynamic : bool
        Choose among structures to which objects can be added and from which they can be removed.
    structures : sequence of str, optional
        Keys of ``metricspace.indexes()`` to choose from; by default what has proved best somewhere.

    Attributes
    ----------
    chosen : BaseIndex
        The structure that was built.

    Examples
    --------
    >>> import numpy as np
    >>> import metricspace as ms
    >>> X = np.random.default_rng(0).normal(size=(5_000, 16))
    >>> index = ms.Index("euclidean").fit(X)
    >>> index.knn(X[:2], k=1).ids.tolist()
    [[0], [1]]
    >>> index.explain_choice().objects
    5000
    """

    chosen: BaseIndex

    def __init__(
        self,
        metric: str | Metric | Callable[[Any, Any], float] = "euclidean",
        *,
        seed: int = 0,
        max_bytes: int | None = None,
        objective: str = "time",
        k: int = 10,
        queries: int = 10_000,
        dynamic: bool = False,
        structures: Sequence[str] | None = None,
    ) -> None:
        self.metric = _metric(metric)
        self.seed = whole_number("seed", seed, 0)
        self.max_bytes = None if max_bytes is None else whole_number("max_bytes", max_bytes, 1)
        self.objective = one_of("objective", objective, OBJECTIVES)
        self.k = whole_number("k", k, 1)
        self.queries = whole_number("queries", queries, 1)
        if not isinstance(dynamic, (bool, np.bool_)):
            raise WrongType(f"expected dynamic to be True or False, given {dynamic!r}")
        self.dynamic = bool(dynamic)
        self.structures = None if structures is None else _keys(structures)
        self._choice: Choice | None = None

    def __getattr__(self, name: str) -> Any:
        """Return what is the chosen structure's own: its arrays, its objects, its ids, what it cost."""
        if name.startswith("__") or "chosen" not in vars(self):
            raise AttributeError(f"an Index has no attribute {name!r} before fit")
        return getattr(self.chosen, name)

    # Building.

    def fit(
        self, objects: Any, ids: Any = None, *, reverse: int | None = None, progress: bool = False
    ) -> Self:
        """Try the candidates on samples, and build the best over all objects.

        Parameters
        ----------
        objects, ids, reverse, progress
            As for any structure.

        Returns
        -------
        self

        Raises
        ------
        MetricSpaceError
            If the objects do not suit the metric, or no candidate can be built; an index that was built
            before is left as it was.
        """
        container = self.metric.objects(objects)
        choice = self._compare(container, progress)
        chosen = self._made(choice.structure).fit(objects, ids, reverse=reverse, progress=progress)
        self.chosen, self._choice = chosen, choice
        return self

    def candidates(self) -> tuple[str, ...]:
        """Return the keys of the structures that are tried for this metric."""
        known = indexes()
        keys = self.structures
        if keys is None:
            special = tuple(key for key in SPECIALISTS if known[key].suits(self.metric))
            keys = special if special and not self.dynamic else GENERAL
        able = [key for key in keys if known[key].suits(self.metric)]
        if self.dynamic:
            able = [key for key in able if issubclass(known[key], DynamicIndex)]
        if not able:
            raise InvalidArgument(
                f"none of {', '.join(keys)} serves {self.metric.name}"
                + (" and can add and remove objects" if self.dynamic else "")
                + ": name others by structures="
            )
        return tuple(able)

    def explain_choice(self) -> Choice:
        """Return what was chosen, and why; printed, it is a text.

        Raises
        ------
        NotFitted
            If nothing is built.
        """
        self._fitted()
        assert self._choice is not None
        return self._choice

    def _made(self, key: str) -> BaseIndex:
        return indexes()[key](self.metric, seed=self.seed, max_bytes=self.max_bytes)

    def _compare(self, container: Objects, progress: bool) -> Choice:
        """Try every candidate, and say which is the best."""
        keys = self.candidates()
        count = len(container)
        choice = Choice(keys[0], self.objective, count, self.k, self.queries)
        asked = min(_QUERIES, count // 4)
        known = isinstance(container, Matrix)  # and no sample of it is a collection by itself
        few = asked == 0 or count - asked < _SMALLEST
        if few and self.structures is None and not self.dynamic:
            return dataclasses.replace(choice, structure="linear")
        if len(keys) == 1 or known or few:
            return dataclasses.replace(choice, structure="linear" if "linear" in keys else keys[0])
        mixed = np.random.default_rng(self.seed).permutation(count)
        queries, rest = container.take(mixed[:asked]), mixed[asked:]
        a_distance, rho = self._distances(container.take(rest[:asked]), queries)
        large = min(max(count // 4, 1024), len(rest), _LARGEST)
        if self.objective == "time":  # else what is tried must not depend on a clock
            large = min(large, 2 ** int(math.log2(math.sqrt(_ENOUGH / a_distance))))
        large = max(large, _SMALLEST)
        sizes = (large // 4, large)
        samples = [container.take(np.sort(rest[:size])) for size in sizes]
        trials = []
        with shown("choosing a structure", len(keys), progress) as show:
            for number, key in enumerate(keys):
                trials.append(self._tried(key, samples, queries, container))
                show(number + 1)
        ranked = sorted(trials, key=self._price)
        if ranked[0].refused:
            raise TooLarge(ranked[0].refused)
        return dataclasses.replace(
            choice,
            structure=ranked[0].structure,
            samples=sizes,
            rho=rho,
            seconds_a_distance=a_distance,
            predictions=tuple(ranked),
        )

    def _distances(self, left: Objects, right: Objects) -> tuple[float, float]:
        """Return what a distance takes, and the intrinsic dimension of some."""
        self.metric.between(left, right)  # compiles
        started = time.perf_counter()
        distances = self.metric.between(left, right)
        taken = time.perf_counter() - started
        spread = float(distances.var())
        rho = float(distances.mean()) ** 2 / (2 * spread) if spread > 0 else math.nan
        return max(taken / distances.size, 1e-10), rho

    def _price(self, prediction: Prediction) -> float:
        """Return what is to be least."""
        if prediction.refused:
            return math.inf
        if self.objective == "distances":
            return prediction.distances + prediction.build_distances / self.queries
        return prediction.seconds + prediction.build_seconds / self.queries

    def _tried(
        self, key: str, samples: Sequence[Objects], queries: Objects, container: Objects
    ) -> Prediction:
        """Build a structure over the samples, ask it, and predict how it would fare with everything."""
        count, made = len(container), self._made(key)
        try:
            made._refuse_too_large(count, container.nbytes + self.metric.bytes_derived(container, made.scans))
        except TooLarge as error:
            return Prediction(key, refused=str(error))
        sizes = [len(sample) for sample in samples]
        given = [sample.give(np.arange(len(sample))) for sample in samples]
        asked = queries.give(np.arange(len(queries)))
        self._made(key).fit(given[0])  # compiles
        build_seconds, build_distances, seconds, distances = [], [], [], []
        for sample in given:
            started = time.perf_counter()
            index = self._made(key).fit(sample)
            build_seconds.append(time.perf_counter() - started)
            build_distances.append(index.build_cost)
            taken = []
            for _ in range(_ROUNDS + 1):  # the first compiles
                started = time.perf_counter()
                hits = index.knn(asked, self.k, n_jobs=1)
                taken.append(time.perf_counter() - started)
            seconds.append(min(taken[1:]) / len(queries))
            distances.append(float(hits.cost.mean()))
        # A clock is rough: what a query takes grows no slower than the distances that it computes.
        growth = max(_growth(sizes, values, 1.0) for values in (seconds, distances))
        times = count / sizes[-1]  # the last sample
        return Prediction(
            key,
            distances[-1] * times ** _growth(sizes, distances, 1.0),
            seconds[-1] * times**growth,
            growth,
            build_distances[-1] * times ** _growth(sizes, build_distances, 2.0),
            build_seconds[-1] * times ** _growth(sizes, build_seconds, 2.0),
        )

    # What is there.

    def _fitted(self) -> None:
        if "chosen" not in vars(self):
            raise NotFitted("this Index is empty: call fit(objects) first")

    def __len__(self) -> int:
        self._fitted()
        return len(self.chosen)

    def params(self) -> dict[str, Any]:
        """Return the parameters that the index was made with."""
        names = ("metric", "seed", "max_bytes", "objective", "k", "queries", "dynamic", "structures")
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        return f"Index({self.chosen!r})" if "chosen" in vars(self) else f"Index(metric={self.metric!r})"

    def add(self, objects: Any, ids: Any = None, *, progress: bool = False) -> Positions:
        """Insert objects, as the chosen structure does, or says that it cannot (see `dynamic`)."""
        self._fitted()
        return self.chosen.add(objects, ids, progress=progress)

    def remove(self, ids: Any) -> None:
        """Remove objects by their ids, as the chosen structure does, or says that it cannot."""
        self._fitted()
        self.chosen.remove(ids)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the chosen structure to a file, from which ``metricspace.load`` reads it."""
        self._fitted()
        self.chosen.save(pathlib.Path(path))


def _keys(given: Sequence[str]) -> tuple[str, ...]:
    """Return keys of structures, or say which there are."""
    keys = (given,) if isinstance(given, str) else tuple(given)
    known = indexes()
    for key in keys:
        if key not in known:
            raise UnknownName(f"no structure {key!r}; there are {', '.join(known)}")
    if not keys:
        raise InvalidArgument("expected at least one structure to choose from, given none")
    return keys


def _growth(sizes: Sequence[int], values: Sequence[float], most: float) -> float:
    """Return with which power of the size the values grow from one sample to the other, up to `most`."""
    (small, large), (before, after) = sizes, values
    if before <= 0 or after <= before:
        return 0.0
    return min(math.log(after / before) / math.log(large / small), most)
