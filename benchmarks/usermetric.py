"""What a metric of the user's own costs beside a built-in one."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numba
import numpy as np

import metricspace as ms
from benchmarks import workloads
from benchmarks.report import Result
from benchmarks.runner import alternate

OBJECTS, QUERIES, K = 20_000, 500, 10
SLOWER = 1.1  # a jitted metric may take so many times the built-in one's time
OVERHEAD = 1.0  # microseconds that calling a plain Python metric may add


@numba.njit(fastmath=True)
def manhattan(a: Any, b: Any) -> Any:
    """L1, as a user would write it."""
    total = np.float32(0)
    for i in range(a.shape[0]):
        total += abs(a[i] - b[i])
    return total


@numba.njit(fastmath=True)
def euclidean(a: Any, b: Any) -> Any:
    """L2, as a user would write it."""
    total = np.float32(0)
    for i in range(a.shape[0]):
        difference = a[i] - b[i]
        total += difference * difference
    return math.sqrt(total)


def run(objects: int = OBJECTS, queries: int = QUERIES) -> Result:
    """Time the same structures under a built-in metric and under the user's, both called by address."""
    vectors = workloads.clustered(objects + queries)
    stored, asked = vectors[:objects], vectors[objects:]
    rows, verdicts = [], {}
    # The VP-tree calls manhattan by its address, the GH-tree every metric.
    for structure, name, own in ((ms.VPTree, "manhattan", manhattan), (ms.GHTree, "euclidean", euclidean)):
        built_in, users = structure(name).fit(stored), structure(own).fit(stored)
        distances = int(built_in.knn(asked, K, n_jobs=1).cost.sum())
        times = alternate(
            {
                "built in": partial(built_in.knn, asked, K, n_jobs=1),
                "own, jitted": partial(users.knn, asked, K, n_jobs=1),
            }
        )
        for kind, seconds in times.items():
            rows.append(_row(structure.__name__, f"{name}, {kind}", distances, seconds / distances))
        ratio = times["own, jitted"] / times["built in"]
        target = (
            f"{structure.__name__}, {name}: own at most {SLOWER} times the built-in's time; took {ratio:.2f}"
        )
        verdicts[target] = ratio <= SLOWER
    overhead, calls, alone = _python_overhead(stored[:2000], asked[:20])
    rows.append(_row("LinearScan", "plain Python, called by itself", calls, alone))
    rows.append(_row("LinearScan", "plain Python, in a search", calls, alone + overhead))
    micro = overhead * 1e6
    verdicts[f"plain Python: at most {OVERHEAD:g} µs a call over its own cost; {micro:.2f}"] = (
        micro <= OVERHEAD
    )
    return Result(f"{K}-NN, d = 64, float32, one thread, by address.", rows, verdicts)


def _row(structure: str, metric: str, distances: int, seconds: float) -> dict[str, Any]:
    return {"structure": structure, "metric": metric, "distances": distances, "ns a distance": seconds * 1e9}


def _python_overhead(stored: Any, asked: Any) -> tuple[float, int, float]:
    """Return the seconds that a search adds to a call, how many calls there are, and what one takes alone."""

    def first_coordinate(a: Any, b: Any) -> float:
        return abs(float(a[0]) - float(b[0]))

    rows, queries = list(stored), list(asked)

    def alone() -> None:
        for query in queries:
            for row in rows:
                first_coordinate(row, query)

    index = ms.LinearScan(first_coordinate).fit(stored)
    times = alternate({"search": lambda: index.knn(asked, K), "alone": alone})
    calls = len(rows) * len(queries)
    return (times["search"] - times["alone"]) / calls, calls, times["alone"] / calls
