"""Distances a query of every structure on data of every kind, and whether the papers' orderings come out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import metricspace as ms
from benchmarks import workloads
from benchmarks.embedded import embedded
from benchmarks.report import Result
from metricspace.cli.measuring import Comparison, Question, intrinsic_dimension
from metricspace.errors import NotAMetric, TooLarge

QUERIES, K = 200, 10
LARGEST = 4 * 10**9  # bytes that a structure may take: all distances of 30,000 objects


@dataclasses.dataclass(frozen=True)
class Contender:
    """A structure with settings of its own, and what the tables call it."""

    key: str
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The key, and the settings in brackets."""
        given = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{self.key}({given})" if given else self.key

    def fitted(self, metric: ms.Metric, objects: Any) -> Any:
        """Return an index over these objects."""
        return ms.indexes()[self.key](metric, seed=0, max_bytes=LARGEST, **self.settings).fit(objects)


TRIANGLE = {"bounds": "triangle"}
NO_PATHS = Contender("vptree", {"paths": 0} | TRIANGLE)
"""The VP-tree as it was published, whose leaves are not filtered by their ancestors' distances."""
HYPERPLANES = ("bisector", "dsat", "ghtree", "gnat", "monotonous", "sat", "voronoi")
"""Structures that divide by nearness, for which four-point bounds were made."""
BEYOND_AESA = ("aesa", "roaesa", "ptolemaic", "simplex", "boxes", "patterns")
"""AESA itself, and what prunes by more than the triangle inequality, or by other things."""
ELKI = {"mtree": 0.18, "covertree": 0.12}
"""The share of the scan that ELKI 0.7.1 needs for 10-NN among 10,000 vectors of a learned embedding, ρ 4."""


def contenders(metric: ms.Metric) -> list[Contender]:
    """Return every structure; where four-point bounds serve a metric, those without them, too."""
    able = [key for key, cls in ms.indexes().items() if has_bounds(cls)]
    restricted = [Contender(key, TRIANGLE) for key in able if metric.laws.four_point]
    return [*(Contender(key) for key in ms.indexes()), *restricted, NO_PATHS]


def has_bounds(structure: type) -> bool:
    """Return whether a structure can be told by which bounds to exclude."""
    return "bounds" in structure().params()  # type: ignore[attr-defined]


def loads(objects: int | None, queries: int) -> list[workloads.Workload]:
    """Return the data: a learned embedding, and real data of every kind, some thousand of each."""
    learned = ("learned embedding", "euclidean", embedded().vectors)
    sizes = {"sets of words": 10_000, "trees": 3_000, "words": 200_000}  # all words
    every = [learned, *workloads.every()]
    return [
        workloads.divided(
            name, metric, data, min(objects or sizes.get(name, 24_000), len(data) - queries), queries
        )
        for name, metric, data in every
    ]


def run(objects: int | None = None, queries: int = QUERIES) -> Result:
    """Ask every structure for the nearest and for what lies about as near, and count."""
    rows, verdicts = [], {}
    for load in loads(objects, queries):
        metric = ms.metric(load.metric)
        found, wrong = measured(load)
        rows += found
        for name in wrong:
            verdicts[f"{name} returns the scan's ids on {load.name}"] = False
        verdicts |= {
            f"{load.name}: {promise}, {shown}": holds for promise, shown, holds in orderings(found, metric)
        }
    verdicts |= beside_elki(objects or 10_000, queries)
    verdicts["every structure returns the scan's ids"] = not any("returns" in name for name in verdicts)
    return Result(
        f"Exact {K}-NN, ranges within the median distance of the {K}-th nearest, and small ranges within "
        f"half of that: distances computed for a query (mean of {queries} queries that are not indexed), "
        "and their share of the scan's.",
        rows,
        verdicts,
    )


def beside_elki(objects: int, queries: int) -> dict[str, bool]:
    """Return whether structures need no more than ELKI's, with its shares measured on such an embedding."""
    vectors, verdicts = embedded().vectors, {}
    for key, most in ELKI.items():
        index = Contender(key).fitted(ms.metric("euclidean"), vectors[:objects])
        share = float(index.knn(vectors[objects : objects + queries], K).cost.mean()) / objects
        verdicts[f"{key}: at most {most:.0%} of a scan of {objects:,}, as ELKI's; {share:.1%}"] = (
            share <= most
        )
    return verdicts


def measured(load: workloads.Workload) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each structure that takes the metric and fits, and which answered unlike the scan."""
    metric = ms.metric(load.metric)
    compared = Comparison(metric, load.objects, load.queries)
    radius = compared.typical_radius(K)
    questions = {
        "k-NN": Question(K),
        "range": Question(radius=radius),
        "small range": Question(radius=radius / 2),
    }
    rho = intrinsic_dimension(metric, load.objects)
    rows, wrong = [], []
    for contender in contenders(metric):
        try:
            index = contender.fitted(metric, load.objects)
        except (TooLarge, NotAMetric):
            continue
        statistics, held = index.statistics(), index._objects.nbytes
        row: dict[str, Any] = {
            "data": load.name,
            "objects": index.n_objects,
            "metric": metric.name,
            "ρ": rho,
            "structure": contender.name,
            "built with": index.build_cost,
            "built for each": index.build_cost / index.n_objects,
        }
        for name, question in questions.items():
            cost, agrees = compared.count(index, question)
            row[name], row[f"{name}, of the scan"] = cost, cost / index.n_objects
            if not agrees:
                wrong.append(contender.name)
        row["bytes an object"] = (statistics.nbytes - held) / index.n_objects
        row |= {"nodes": statistics.nodes, "depth": statistics.depth}
        rows.append(row)
    return rows, wrong


def orderings(rows: list[dict[str, Any]], metric: ms.Metric) -> Iterator[tuple[str, str, bool]]:
    """Yield what the papers promise of structures, what came out on one data set, and whether it holds.

    Where hardly anything can be excluded nothing is promised. Nor is much where the metric has a bound of its
    own, which excludes objects for nothing, even from the scan, but none of those that lead the way.
    """
    cost = {row["structure"]: row for row in rows}

    def compare(fewer: str, more: str, query: str, share: float = 1.0) -> Iterator[tuple[str, str, bool]]:
        if {fewer, more} <= set(cost) and min(
            cost[one][f"{query}, of the scan"] for one in (fewer, more)
        ) < 0.5:
            a, b = cost[fewer][query], cost[more][query]
            most = f"at most {share:g} of" if share < 1 else "no more than"
            yield f"{query}: {fewer} {most} {more}", f"{a:,.0f} and {b:,.0f}", a <= share * b

    triangle = {row["structure"].partition("(")[0]: row["structure"] for row in rows}
    others = {name: cost[name]["k-NN"] for key, name in triangle.items() if key not in BEYOND_AESA}
    if "aesa" in cost and others:
        yield from compare("aesa", min(others, key=others.__getitem__), "k-NN")
    if cost["linear"]["k-NN, of the scan"] < 1:
        return
    for key in ("gnat", "mvptree", "dsat"):
        for other in (NO_PATHS.name, triangle.get("ghtree", "")):
            yield from compare(triangle.get(key, ""), other, "k-NN")
    yield from compare(triangle.get("dsat", ""), triangle.get("sat", ""), "k-NN")
    for key in HYPERPLANES if metric.laws.four_point else ():
        yield from compare(key, Contender(key, TRIANGLE).name, "small range", 0.9)
