"""Large collections: what building the default index takes, and what searching it then takes."""

from __future__ import annotations

import json

from benchmarks.report import Result
from benchmarks.runner import in_new_process

SIZES = ((250_000, 64), (1_000_000, 64), (10_000_000, 32))
QUERIES, CHECKED, JOBS = 1000, 5, 2
SECONDS, TIMES = 60, 3  # to build a million vectors; bytes, of the data's

_BUILD = """
import json, resource, sys, time
import numpy as np
import metricspace as ms
from benchmarks import workloads

objects, width, queries, checked, jobs = map(int, sys.argv[1:])
vectors = np.empty((objects, width), np.float32)
for seed, part in enumerate(np.array_split(vectors, -(-objects // 100_000))):
    part[:] = workloads.like_learned(len(part), width, seed=seed)
asked = workloads.like_learned(queries, width, seed=0) + np.float32(0.01)
ms.Index("euclidean").fit(vectors[:5000]).knn(asked[:2], 10)  # loads kernels
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
started = time.perf_counter()
index = ms.Index("euclidean").fit(vectors)
built = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
index.knn(asked, 10, n_jobs=jobs)
started = time.perf_counter()
hits = index.knn(asked, 10, n_jobs=jobs)
seconds = time.perf_counter() - started
same = True
for query, found in zip(asked[:checked].astype(np.float64), hits.positions):
    nearest = []
    for first in range(0, objects, 100_000):
        squares = ((vectors[first : first + 100_000] - query) ** 2).sum(axis=1)
        some = np.argpartition(squares, 10)[:10] if len(squares) > 10 else np.arange(len(squares))
        nearest += [(squares[i], first + i) for i in some]
    same &= [place for _, place in sorted(nearest)[:10]] == found.tolist()
print(json.dumps({"chosen": index.explain_choice().structure, "built": built, "held": index.nbytes,
                  "peak": peak - before, "data": vectors.nbytes, "a second": queries / seconds,
                  "distances": float(hits.cost.mean()), "same": same}))
"""


def run(sizes: tuple[tuple[int, int], ...] = SIZES, queries: int = QUERIES) -> Result:
    """Build and search, each size in a process of its own."""
    rows, verdicts = [], {}
    for objects, width in sizes:
        printed, _ = in_new_process(_BUILD, *map(str, (objects, width, queries, CHECKED, JOBS)))
        told = json.loads(printed.splitlines()[-1])
        rows.append(
            {
                "vectors": f"{objects:,} × {width}",
                "chosen": told["chosen"],
                "built in s": told["built"],
                "held, of the data": told["held"] / told["data"],
                "at the peak of fit, of the data": told["peak"] / told["data"],
                "queries a second": told["a second"],
                "distances a query": told["distances"],
            }
        )
        name = f"{objects:,} × {width}"
        verdicts[f"{name}: the ids of a float64 scan, for {CHECKED} queries"] = told["same"]
        held, built = told["held"] / told["data"], told["built"]
        verdicts[f"{name}: at most {TIMES} times the data's bytes; {held:.2f}"] = held <= TIMES
        if objects <= 1_000_000:
            verdicts[f"{name}: built within {SECONDS} s; {built:.1f}"] = built <= SECONDS
    return Result(
        f"`Index` over float32 vectors in clusters that are wide in few directions; {queries:,} queries for "
        f"10 neighbours in one batch, {JOBS} threads. The peak is that of the process beyond what it held "
        "before, the copy that the index keeps included.",
        rows,
        verdicts,
    )
