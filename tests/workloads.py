"""Objects of every kind to search in: coarse grids and whole distances, so that ties are plenty."""

import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import metricspace as ms
from tests import naive

DATA = pathlib.Path(__file__).parents[2] / "shared" / "data"
"""Real data sets that may lie beside a checkout."""


# Metrics are tested on one structure of each kind, structures on one metric of each kind; all of either
# on all of the other would take an hour.
EVERY_WORKLOAD = ("linear", "patterns", "vptree", "ghtree", "laesa", "mtree")
EVERY_STRUCTURE = ("euclidean", "angular", "levenshtein", "jaccard", "precomputed", "python")


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


_HAUSDORFF = naive.hausdorff(naive.euclidean)


def _bits(n, seed):
    return np.random.default_rng(seed).random((n, 70)) < 0.06


def _point_sets(n, seed):
    random = np.random.default_rng(seed)
    return [_grid(random.integers(1, 6), 2, [seed, i], high=6) for i in range(n)]


def _sets_of_words(n, seed):
    random = np.random.default_rng(seed)
    return [_words(random.integers(1, 4), [seed, i], letters="ab", longest=5) for i in range(n)]


def _trees(n, seed, largest=9):
    """Trees of up to so many nodes in brackets: each node is hung below an earlier one."""
    random = np.random.default_rng(seed)
    trees = []
    for _ in range(n):
        children = [[] for _ in range(random.integers(1, largest + 1))]
        texts = [""] * len(children)
        for node in range(1, len(children)):
            children[random.integers(max(node - 3, 0), node)].append(node)
        for node in reversed(range(len(children))):
            label = random.choice(list("abc"))
            texts[node] = "{" + label + "".join(texts[child] for child in children[node]) + "}"
        trees.append(texts[0])
    return trees


LABEL_COSTS = {("a", "b"): 0.5, ("a", None): 0.75, ("c", None): 1.25}


def _change(a, b):
    return 0.0 if a == b else LABEL_COSTS.get((a, b), LABEL_COSTS.get((b, a), 1.0))


weighted_tree_edit = naive.tree_edit(_change, lambda a: LABEL_COSTS.get((a, None), 1.0))


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
        *_on_rows(n, m),
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
        Workload("jaccard-rows", "jaccard", {}, _bits(100, 14), _bits(m, 15), naive.jaccard_of_rows),
        Workload("hausdorff", "hausdorff", {}, _point_sets(80, 16), _point_sets(6, 17), _HAUSDORFF),
        Workload(
            "hausdorff-words",
            "hausdorff",
            {"ground": "levenshtein"},
            _sets_of_words(60, 18),
            _sets_of_words(6, 19),
            naive.hausdorff(naive.levenshtein),
        ),
        Workload("trees", "tree_edit", {}, _trees(100, 14), _trees(6, 15), naive.tree_edit()),
        Workload(
            "trees-weighted",
            "tree_edit",
            {"costs": LABEL_COSTS},
            _trees(80, 16),
            _trees(5, 17),
            weighted_tree_edit,
        ),
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


def _on_rows(n, m):
    """Return workloads for further metrics on rows of numbers."""
    grid, asked = _grid(n, 4, 20), _grid(m, 4, 21)
    weights = [4.0, 0.0, 0.25, 1.0]  # whose square roots are exact
    form = np.array([[4, 2, 0, 0], [2, 2, 1, 0], [0, 1, 1, 0], [0, 0, 0, 4.0]])  # of rank 3
    places, asked_places = (
        _grid(count, 2, seed, high=7) * [60, 120] - [90, 180] for seed, count in ((22, n), (23, m))
    )
    bits, asked_bits = (
        np.random.default_rng(seed).integers(0, 4, (count, 30), dtype=np.uint8)
        for seed, count in ((24, n), (25, m))
    )
    counts, asked_counts = _grid(n, 5, 26), _grid(m, 5, 27)
    filled, asked_filled = counts.copy(), asked_counts.copy()
    filled[:, 0] += 1
    asked_filled[:, 0] += 1
    return [
        Workload("minkowski-weighted", "minkowski", {"p": 2, "w": weights}, grid, asked,
                 naive.weighted_minkowski(2, weights), exact_arithmetic=False),
        Workload("quadratic_form", "quadratic_form", {"matrix": form.tolist()}, grid, asked,
                 naive.quadratic_form(form), exact_arithmetic=False),
        Workload("haversine", "haversine", {"unit": "degrees"}, places, asked_places,
                 lambda a, b: naive.haversine(a, b, "degrees"), exact_arithmetic=False),
        Workload("hamming_bits", "hamming_bits", {}, bits, asked_bits, naive.hamming_bits),
        Workload("jensenshannon", "jensenshannon", {"normalize": True}, filled, asked_filled,
                 naive.jensenshannon, exact_arithmetic=False),
        Workload("weighted_jaccard", "weighted_jaccard", {}, counts, asked_counts, naive.weighted_jaccard),
    ]  # fmt: skip


def _whole(n, seed):
    return np.random.default_rng(seed).integers(0, 60, n).tolist()


def truth(workload):
    """Return the oracle's matrix of distances of the queries to the objects."""
    if workload.oracle is None:
        return workload.queries
    return naive.matrix(workload.oracle, workload.queries, workload.objects)


def pairs(every):
    """Return some workloads, each with the structures that it is tested on."""
    return [
        (load, structure)
        for load in every
        for key, structure in ms.indexes().items()
        if key in EVERY_WORKLOAD or load.name in EVERY_STRUCTURE
        if structure.suits(ms.metric(load.metric, **load.params))
    ]
