"""Vectors: learned, uniform, on a sphere, pixels, sentences; Euclidean, Manhattan and Chebyshev."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial

import numpy as np

import metricspace as ms
from benchmarks import peers, workloads
from benchmarks.embedded import embedded
from benchmarks.exact.race import JOBS, K, Race, growth, timed

RANGES = 0.7  # of what is wanted of k-NN is wanted of ranges
SINGLY = 1.5  # times the best peer, one query at a time
STRUCTURES = ("boxes", "vptree", "linear")
LEARNED = {"fashion": ("Fashion-MNIST, learned", 8), "omniglot": ("Omniglot, learned", 10)}

Vectors = peers.Vectors


@dataclasses.dataclass(frozen=True)
class Load:
    """Vectors to be searched, queries, and how many times the best peer's speed is wanted."""

    name: str
    vectors: Vectors
    queries: Vectors
    target: float
    metric: str = "euclidean"
    learned: bool = False


def races(small: bool) -> Iterator[Race]:
    """Yield k-NN and range searches over each kind of vectors."""
    for load in loads(small):
        index, built = timed(lambda load=load: ms.Index(load.metric).fit(load.vectors))
        quarter = ms.Index(load.metric).fit(load.vectors[::4])
        chosen = index.explain_choice().structure
        others = {
            key: ms.indexes()[key](load.metric).fit(load.vectors) for key in STRUCTURES if key != chosen
        }
        scan = ms.LinearScan(load.metric).fit(load.vectors)
        rivals = peers.exact_knn(load.vectors, load.metric, JOBS)
        ask = partial(_knn, index)
        race = Race(
            load.name,
            f"{K}-NN",
            load.target,
            load.queries,
            ask,
            {key: partial(_knn, other) for key, other in others.items()},
            {name: partial(_nearest, search) for name, search in rivals.items()},
            partial(_knn, scan),
            chosen,
            {"built": built, "growth": growth(partial(_knn, quarter), ask, load.queries)},
        )
        yield race
        if load.learned:
            yield dataclasses.replace(
                race,
                question=f"{K}-NN, one query at a time",
                target=SINGLY,
                queries=load.queries[:200],
                index=partial(_knn, index, n_jobs=1),
                ours={},
                notes={},
                singly=True,
            )
        if load.metric != "euclidean":
            continue
        # The median distance of the nearest so many: about half of the queries find more.
        radius = float(np.median(scan.knn(load.queries[:200], K).distances[:, -1]))
        yield dataclasses.replace(
            race,
            question=f"range {radius:.3g}",
            target=RANGES * load.target,
            index=partial(_range, index, radius),
            ours={key: partial(_range, other, radius) for key, other in others.items()},
            peers=peers.exact_range(load.vectors, radius, JOBS),
            truth=partial(_range, scan, radius),
            notes={
                "growth": growth(
                    partial(_range, quarter, radius), partial(_range, index, radius), load.queries
                )
            },
        )


def _knn(index: ms.Index, queries: Vectors, n_jobs: int = JOBS) -> ms.Hits:
    return index.knn(queries, K, n_jobs=n_jobs)


def _nearest(search: peers.Search, queries: Vectors) -> object:
    return search(queries, K)


def _range(index: ms.Index, radius: float, queries: Vectors) -> ms.Balls:
    return index.range(queries, radius, n_jobs=JOBS)


def loads(small: bool) -> Iterator[Load]:
    """Yield the data; generated where the real ones are missing."""
    few = slice(400) if small else slice(None)
    asked = slice(40) if small else slice(10_000)
    for key, (name, target) in LEARNED.items():
        made = embedded(key)
        yield Load(name, made.vectors[few], made.queries[asked], target, learned=True)
        if key == "fashion":
            for metric in ("manhattan", "chebyshev"):
                yield Load(f"{name}, {metric}", made.vectors[few], made.queries[asked], 3, metric)
    rng = np.random.default_rng(0)
    uniform = rng.random((400 if small else 200_000, 8), np.float32)
    yield Load("uniform, 8 dimensions", uniform, rng.random((10_000, 8), np.float32)[asked], 3.5)
    real = {name: data for name, _, data in workloads.every(workloads.DATA, 5000)}
    # What is wanted of each, and how many rows are queries: of the cities so many that a batch takes a while.
    kinds = {
        "cities on the globe": (1.5, 10_000),
        "Fashion-MNIST, pixels": (6, 1000),
        "sentence embeddings": (3.5, 1000),
    }
    for name, (target, count) in kinds.items():
        if name not in real:
            continue
        rows = np.asarray(real[name], np.float32)
        if name.startswith("sentence"):
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        mixed = np.random.default_rng(1).permutation(len(rows))
        count = 40 if small else count
        yield Load(name, rows[mixed[count:]][few], rows[mixed[:count]], target)
