"""The VP-tree beside the fastest peer of its kind."""

from __future__ import annotations

from functools import partial

import metricspace as ms
from benchmarks import peers, workloads
from benchmarks.report import Result
from benchmarks.runner import alternate

OBJECTS, QUERIES, K, CHECKED = 100_000, 1000, 10, 50
TARGET = 0.7  # of pynear's speed


def run(objects: int = OBJECTS, queries: int = QUERIES) -> Result:
    """Search clustered vectors with two threads; contenders take turns."""
    rows, verdicts = [], {}
    for name, make in (("round clusters", workloads.clustered), ("like learned", workloads.like_learned)):
        vectors = make(objects + queries)
        stored, asked = vectors[:objects], vectors[objects:]
        index = ms.VPTree("euclidean").fit(stored)
        rivals = {"pynear VP-tree": peers.pynear_vptree(stored), "faiss flat": peers.faiss_flat(stored)}
        hits = index.knn(asked, K, n_jobs=2)
        right = workloads.by_float64_scan(stored, asked[:CHECKED], K)
        times = alternate(
            {
                "VPTree": partial(index.knn, asked, K, n_jobs=2),
                **{rival: partial(ask, asked, K) for rival, ask in rivals.items()},
            }
        )
        answers = {"VPTree": hits.ids, **{rival: ask(asked, K) for rival, ask in rivals.items()}}
        for contender, seconds in times.items():
            rows.append(
                {
                    "data": name,
                    "index": contender,
                    "queries a second": queries / seconds,
                    "of pynear": times["pynear VP-tree"] / seconds,
                    "distances a query": float(hits.cost.mean()) if contender == "VPTree" else None,
                    "ids as a float64 scan's": f"{(answers[contender][:CHECKED] == right).mean():.2%}",
                }
            )
        ratio = times["pynear VP-tree"] / times["VPTree"]
        verdicts[f"{name}: at least {TARGET} of pynear's speed; reached {ratio:.2f}"] = ratio >= TARGET
        same = bool((hits.ids[:CHECKED] == right).all())
        verdicts[f"{name}: the ids of a float64 scan, for {CHECKED} queries"] = same
    return Result(
        f"Exact {K}-NN over {objects:,} × 64 float32, {queries:,} queries in one batch, two threads, "
        "median of alternating rounds.",
        rows,
        verdicts,
    )
