"""Measuring what an index does: distances, recall, precision and speed, beside the linear scan."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rich import box
from rich.table import Table

from ..errors import InvalidArgument
from ..hits import Balls, Hits
from ..index import BaseIndex
from ..indexes import LinearScan
from ..laws import Metric

Found = list[npt.NDArray[np.int64]]  # for each query the positions found, in order

LARGEST_TABLE = 2 * 10**9  # bytes that a structure may take in a demo or a benchmark


@dataclasses.dataclass(frozen=True)
class Question:
    """A query with its settings: range if there is a radius, else k-NN.

    Attributes
    ----------
    k : int
        How many neighbours.
    radius : float, optional
        Within which all objects are asked for.
    eps, budget
        As for ``knn``; with either, the answer is approximate.
    """

    k: int = 10
    radius: float | None = None
    eps: float = 0.0
    budget: int | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        kind = f"{self.k}-NN" if self.radius is None else f"range {self.radius:.3g}"
        eps = f", eps {self.eps:g}" if self.eps else ""
        return kind + eps + ("" if self.budget is None else f", budget {self.budget:,}")

    @property
    def exact(self) -> bool:
        """Whether an exact structure must answer as the scan does."""
        return self == self.exactly()

    def exactly(self) -> Question:
        """Return the exact question that this one approximates."""
        return dataclasses.replace(self, eps=0.0, budget=None)

    def ask(self, index: BaseIndex, queries: Any) -> Hits | Balls:
        """Ask an index."""
        if self.radius is None:
            return index.knn(queries, self.k, eps=self.eps, budget=self.budget)
        return index.range(queries, self.radius, eps=self.eps, budget=self.budget)


@dataclasses.dataclass(frozen=True)
class Row:
    """One structure, one question: a row of the table.

    Attributes
    ----------
    structure : str
        Its class.
    exact : bool
        Whether the question was an exact one.
    query : str
        The question.
    build_distances : int
        Distances computed to build the structure.
    distances, share : float
        Distances computed for a query, and that as a share of the scan's.
    recall, precision : float
        Means over the queries, in the scan's answers.
    queries_per_second : float
        With all queries in one batch, on all cores.
    """

    structure: str
    exact: bool
    query: str
    build_distances: int
    distances: float
    share: float
    recall: float
    precision: float
    queries_per_second: float


class Comparison:
    """Objects, queries, and the scan that knows the right answers.

    Parameters
    ----------
    metric : Metric
        The distance.
    objects, queries : batches of objects
        As for ``fit``.
    """

    def __init__(self, metric: Metric, objects: Any, queries: Any) -> None:
        self.queries = queries
        self.scan = LinearScan(metric).fit(objects)
        self._truths: dict[Question, Found] = {}

    def typical_radius(self, k: int) -> float:
        """Return the radius within which half of the queries have k objects."""
        nearest = self.scan.knn(self.queries, min(k, self.scan.n_objects))
        return float(np.median(nearest.distances[:, -1]))

    def truth(self, question: Question) -> Found:
        """Return the scan's answers to the exact question behind this one."""
        asked = question.exactly()
        if asked not in self._truths:
            self._truths[asked] = positions(asked.ask(self.scan, self.queries))
        return self._truths[asked]

    def agrees(self, index: BaseIndex, question: Question) -> bool:
        """Whether every answer of an index is the scan's, in the same order."""
        return self.count(index, question)[1]

    def count(self, index: BaseIndex, question: Question) -> tuple[float, bool]:
        """Return the distances computed for a query, and whether every answer is the scan's, in its order."""
        answer = question.ask(index, self.queries)
        agrees = all(np.array_equal(a, b) for a, b in zip(positions(answer), self.truth(question)))
        return float(answer.cost.mean()), agrees

    def share_and_recall(self, index: BaseIndex, question: Question) -> tuple[float, float]:
        """Return the distances computed for a query, as a share of the scan's, and the mean recall."""
        answer = question.ask(index, self.queries)
        recall, _ = agreement(positions(answer), self.truth(question))
        return float(answer.cost.mean()) / self.scan.n_objects, recall

    def measure(self, index: BaseIndex, question: Question) -> Row:
        """Ask an index, and compare it with the scan."""
        answer = question.ask(index, self.queries)  # compiles, too, so that the timing need not
        recall, precision = agreement(positions(answer), self.truth(question))
        distances = float(answer.cost.mean())
        return Row(
            structure=type(index).__name__,
            exact=question.exact,
            query=question.name,
            build_distances=index.build_cost,
            distances=distances,
            share=distances / self.scan.n_objects,
            recall=recall,
            precision=precision,
            queries_per_second=len(self.queries) / seconds(lambda: question.ask(index, self.queries)),
        )


def positions(answer: Hits | Balls) -> Found:
    """Return the positions that each query found."""
    if isinstance(answer, Balls):
        return np.split(answer.positions, answer.indptr[1:-1])
    return [row[row >= 0] for row in answer.positions]


def agreement(found: Found, truth: Found) -> tuple[float, float]:
    """Return the mean recall and precision of answers; where nothing is right or found, 1."""
    shared = [len(np.intersect1d(a, b)) for a, b in zip(found, truth)]
    recall = [both / len(right) if len(right) else 1.0 for both, right in zip(shared, truth)]
    precision = [both / len(given) if len(given) else 1.0 for both, given in zip(shared, found)]
    return float(np.mean(recall)), float(np.mean(precision))


def seconds(work: Callable[[], object], rounds: int = 5, enough: float = 0.5) -> float:
    """Return the median time of a piece of work, done until it has taken long enough."""
    taken: list[float] = []
    while len(taken) < rounds and sum(taken) < enough:
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def intrinsic_dimension(metric: Metric, objects: Any, seed: int = 0) -> float | None:
    """Return ρ = μ² / 2σ² of the distances between 1,000 random objects and 1,000 others.

    The higher, the more alike are all distances, and the less can be excluded. None if they are all equal.
    """
    mixed = np.random.default_rng(seed).permutation(len(objects))
    half = min(1000, len(mixed) // 2)
    left, right = chosen(objects, mixed[:half]), chosen(objects, mixed[half : 2 * half])
    distances = metric.pairwise(left, right) if half else np.zeros(0)
    spread = float(distances.var()) if half else 0.0
    return float(distances.mean()) ** 2 / (2 * spread) if spread > 0 else None


def chosen(objects: Any, places: npt.NDArray[np.int64]) -> Any:
    """Return some of a batch of objects."""
    return objects[places] if isinstance(objects, np.ndarray) else [objects[place] for place in places]


def hold_out(objects: Any, queries: int, seed: int) -> tuple[Any, Any]:
    """Divide objects at random into those to index and the queries, at most half of them."""
    if len(objects) < 2:
        raise InvalidArgument(f"expected at least two objects, one of them a query, given {len(objects)}")
    mixed = np.random.default_rng(seed).permutation(len(objects))
    asked = min(queries, len(mixed) // 2)
    return chosen(objects, np.sort(mixed[asked:])), chosen(objects, mixed[:asked])


def table_of(rows: Sequence[Row], title: str) -> Table:
    """Return the rows as a table, each structure's together, speeds beside the scan's."""
    table = Table(
        title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, collapse_padding=True
    )
    for name in ("structure", "query", ""):
        table.add_column(name, no_wrap=True)
    for name in ("built with", "distances", "of scan", "recall", "precision", "q/s", "× scan"):
        table.add_column(name, justify="right")
    scan = {row.query: row.queries_per_second for row in rows if row.structure == LinearScan.__name__}
    last = ""
    for row in rows:
        if row.structure != last:
            table.add_section()
        kind = "exact" if row.exact else "approx."
        beside = scan.get(row.query) or scan.get(row.query.partition(",")[0])
        table.add_row(
            row.structure if row.structure != last else "",
            row.query,
            kind,
            f"{row.build_distances:,}" if row.structure != last else "",
            f"{row.distances:,.0f}",
            f"{row.share:.1%}",
            f"{row.recall:.3f}",
            f"{row.precision:.3f}",
            f"{row.queries_per_second:,.0f}",
            f"{row.queries_per_second / beside:.1f}" if beside else "",
            style=None if row.exact else "dim",
        )
        last = row.structure
    return table
