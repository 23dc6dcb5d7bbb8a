"""Distances a query of every structure on data of every kind."""

from __future__ import annotations

from typing import Any

import metricspace as ms
from benchmarks import workloads
from benchmarks.report import Result
from metricspace.cli.measuring import Comparison, Question, intrinsic_dimension

OBJECTS, QUERIES, K = 10_000, 100, 10


def run(objects: int = OBJECTS, queries: int = QUERIES) -> Result:
    """Ask every structure for the nearest, and count."""
    rows, verdicts = [], {}
    question = Question(K)
    for load in workloads.workloads(objects, queries):
        metric = ms.metric(load.metric)
        compared = Comparison(metric, load.objects, load.queries)
        row: dict[str, Any] = {
            "data": load.name,
            "metric": load.metric,
            "ρ": intrinsic_dimension(metric, load.objects),
        }
        for structure in ms.indexes().values():
            if not structure.suits(metric):
                row[structure.__name__] = "–"
                continue
            index = structure(metric, seed=0).fit(load.objects)
            share, _ = compared.share_and_recall(index, question)
            row[structure.__name__] = f"{share:.1%}"
            if not compared.agrees(index, question):
                verdicts[f"{structure.__name__} returns the scan's ids on {load.name}"] = False
        rows.append(row)
    verdicts.setdefault("every structure returns the scan's ids", not verdicts)
    return Result(
        f"Exact {K}-NN among {objects:,} objects: distances computed for a query, as a share of the scan's "
        f"(mean of {queries} queries that are not indexed). ρ is the intrinsic dimension.",
        rows,
        verdicts,
    )
