"""Objects of every kind to search in: coarse grids and whole distances, so that ties are plenty."""

import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests import naive

DATA = pathlib.Path(__file__).parents[2] / "shared" / "data"
"""Real data sets that may lie beside a checkout."""


@dataclass(frozen=True)
class Workload:
    """A metric, objects and queries for it, and its oracle."""

    name: str
    metric: Any
    params: dict[str, Any]
    objects: Any
    queries: Any
    oracle: Callable[[Any, Any], float]
    exact_arithmetic: bool = True


def _grid(n, d, seed, high=4, dtype=np.float32):
    """Points of a coarse grid: distances are exact and often equal."""
    return (np.random.default_rng(seed).integers(0, high, (n, d)) / 2).astype(dtype)


def _words(n, seed, letters="abcé日", longest=9):
    random = np.random.default_rng(seed)
    return ["".join(random.choice(list(letters), size=random.integers(0, longest))) for _ in range(n)]


def _texts(n, seed):
    """Strings of up to three words of 64 bits, that are near to each other."""
    random = np.random.default_rng(seed)
    base = "".join(random.choice(list("abcdef"), size=150))
    texts = []
    for _ in range(n):
        text = list(base[: random.integers(40, 150)])
        for _ in range(random.integers(0, 12)):
            text[random.integers(len(text))] = random.choice(list("abcxyz"))
        texts.append("".join(text))
    return texts


def _tokens(n, seed):
    """Sequences of tokens of two types; queries hold some that no object has."""
    random = np.random.default_rng(seed)
    tokens = ["the", "cat", 0, 1, -7, f"of {seed}"]
    return [tuple(tokens[i] for i in random.integers(0, 6, random.integers(0, 7))) for _ in range(n)]


# Multiples of a quarter, whose sums are exact; z occurs in queries alone.
COSTS = {
    "costs": {("a", "b"): 0.25, ("a", "z"): 0.5, ("é", None): 0.5, ("b", "z"): 0.75},
    "replace": 1.0,
    "insert": 0.75,
}


def _sets(n, seed):
    random = np.random.default_rng(seed)
    return [set(random.choice(12, size=random.integers(0, 7), replace=False).tolist()) for _ in range(n)]


def workloads(n=150, m=12):
    """Return a workload for every metric and every kind of object."""
    grid, asked = _grid(n, 4, 0), _grid(m, 4, 1)
    codes, asked_codes = (_grid(count, 6, seed, dtype=np.int64) for count, seed in ((n, 2), (m, 3)))
    directions = np.random.default_rng(4).normal(size=(n, 5))
    directions[1::7] = directions[::7][: len(directions[1::7])] * 2
    asked_directions = np.random.default_rng(5).normal(size=(m, 5))
    table = naive.matrix(naive.manhattan, grid, grid)
    rows = naive.matrix(naive.manhattan, asked, grid)
    return [
        Workload("euclidean", "euclidean", {}, grid, asked, naive.euclidean),
        Workload("euclidean64", "euclidean", {}, grid.astype(float), asked.astype(float), naive.euclidean),
        Workload("manhattan", "manhattan", {}, grid, asked, naive.manhattan),
        Workload("chebyshev", "chebyshev", {}, grid, asked, naive.chebyshev),
        Workload("minkowski", "minkowski", {"p": 3}, grid, asked, naive.minkowski(3), exact_arithmetic=False),
        Workload(
            "angular", "angular", {}, directions, asked_directions, naive.angular, exact_arithmetic=False
        ),
        Workload("hamming", "hamming", {}, codes, asked_codes, naive.hamming),
        Workload("levenshtein", "levenshtein", {}, _words(n, 6), _words(m, 7), naive.levenshtein),
        Workload("levenshtein-long", "levenshtein", {}, _texts(60, 8), _texts(4, 9), naive.levenshtein),
        Workload(
            "levenshtein-bytes",
            "levenshtein",
            {},
            [word.encode() for word in _words(100, 14)],
            [word.encode() for word in _words(8, 15, letters="abcéñ")],
            naive.levenshtein,
        ),
        Workload(
            "levenshtein-tokens", "levenshtein", {}, _tokens(100, 16), _tokens(8, 17), naive.levenshtein
        ),
        Workload(
            "levenshtein-weighted",
            "levenshtein",
            COSTS,
            _words(100, 18),
            _words(8, 19, letters="abézx"),
            naive.edit(**COSTS),
        ),
        Workload("jaccard", "jaccard", {}, _sets(n, 10), _sets(m, 11), naive.jaccard),
        Workload("precomputed", "precomputed", {}, table, rows, None),
        Workload(
            "python",
            lambda a, b: abs(a - b),
            {},
            _whole(n, 12),
            _whole(m, 13),
            lambda a, b: float(abs(a - b)),
        ),
    ]


def _whole(n, seed):
    return np.random.default_rng(seed).integers(0, 60, n).tolist()


def truth(workload):
    """Return the oracle's matrix of distances of the queries to the objects."""
    if workload.oracle is None:
        return workload.queries
    return naive.matrix(workload.oracle, workload.queries, workload.objects)
