"""Edit distance of misspelt words to all words, beside RapidFuzz's scan with SIMD."""

from __future__ import annotations

from typing import Any

import numpy as np

import metricspace as ms
from benchmarks import workloads
from benchmarks.distances.pairs import row_of
from benchmarks.runner import alternate

QUERIES, K, RADIUS = 256, 10, 2
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def rows(small: bool = False) -> list[dict[str, Any]]:
    """Time all distances, and scans for the nearest and within a radius, which measure only some."""
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cdist

    words = workloads.words()[: 2000 if small else None]
    queries = misspelt(words, 10 if small else QUERIES)
    scan = ms.LinearScan("levenshtein").fit(words)

    def peer(cutoff: int | None = None) -> Any:
        return cdist(
            queries, words, scorer=Levenshtein.distance, score_cutoff=cutoff, dtype=np.uint8, workers=1
        )

    def distances() -> Any:
        return scan.distances(queries, dtype=np.uint8, n_jobs=1)

    nearest, near = scan.knn(queries, K), scan.count(queries, RADIUS)
    matrix = peer()
    assert np.array_equal(distances(), matrix)
    assert (np.sort(matrix, axis=1)[:, :K] == nearest.distances).all()
    assert ((matrix <= RADIUS).sum(axis=1) == near.counts).all()
    times = alternate(
        {
            "nearest": lambda: scan.knn(queries, K, n_jobs=1),
            "cdist": peer,
            "within": lambda: scan.range(queries, RADIUS, n_jobs=1),
            "cut off": lambda: peer(RADIUS),
            "matrix": distances,
        },
        rounds=1 if small else 7,
    )
    pairs, data = len(words) * len(queries), f"{len(words):,} words"
    return [
        row_of("Levenshtein, all distances", data, "RapidFuzz", times["matrix"], times["cdist"], pairs, 10),
        row_of(f"Levenshtein, {K} nearest", data, "RapidFuzz", times["nearest"], times["cdist"], pairs, 10),
        row_of(
            f"Levenshtein, within {RADIUS}", data, "RapidFuzz", times["within"], times["cut off"], pairs, 25
        ),
    ]


def misspelt(words: list[str], count: int) -> list[str]:
    """Return words with two letters replaced at random."""
    random = np.random.default_rng(0)
    found = []
    for place in random.integers(len(words), size=count):
        letters = list(words[place])
        for _ in range(2):
            letters[random.integers(len(letters))] = LETTERS[random.integers(len(LETTERS))]
        found.append("".join(letters))
    return found
