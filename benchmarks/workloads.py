"""What to search in: real data sets where they lie beside the checkout, and generated ones."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

DATA = pathlib.Path(__file__).parents[2] / "shared" / "data"

Vectors = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Workload:
    """A metric, and objects and queries for it."""

    name: str
    metric: str
    objects: Any
    queries: Any


def clustered(n: int, d: int = 64, clusters: int = 100, spread: float = 0.2, seed: int = 0) -> Vectors:
    """Return vectors in round clusters: within one, all directions vary alike, so that little is excluded."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, d))
    noise = rng.normal(scale=spread, size=(n, d))
    return (centres[rng.integers(clusters, size=n)] + noise).astype(np.float32)


def like_learned(n: int, d: int = 64, clusters: int = 100, seed: int = 0) -> Vectors:
    """Return vectors in clusters that are wide in few directions, as learned embeddings are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, d))
    noise = rng.normal(size=(n, d)) / np.arange(1, d + 1)
    return (centres[rng.integers(clusters, size=n)] + noise).astype(np.float32)


def workloads(n: int, queries: int, data: pathlib.Path = DATA) -> list[Workload]:
    """Return data of every kind, n objects each; generated where the real ones are missing."""
    return [divided(name, metric, objects, n, queries) for name, metric, objects in every(data, n + queries)]


def every(data: pathlib.Path = DATA, n: int = 20_000) -> list[tuple[str, str, Any]]:
    """Return the real data sets, whole, or where they are missing n objects of each generated one."""
    return real(data) if data.is_dir() else generated(n)


def real(data: pathlib.Path) -> list[tuple[str, str, Any]]:
    """Return the real data sets: name, metric, objects."""
    with np.load(data / "wordnet_gloss_words.npz") as sets:
        rows = np.split(sets["indices"], sets["indptr"][1:-1])
    with np.load(data / "fashion_mnist_25k.npz") as fashion:
        pixels = fashion["base"].astype(np.float32)
    sentences = np.load(data / "wordnet_minilm_f16.npy").astype(np.float32)
    return [
        ("cities on the globe", "euclidean", _on_globe(cities(data))),
        ("Fashion-MNIST, pixels", "euclidean", pixels),
        ("sentence embeddings", "angular", sentences),
        ("words", "levenshtein", words(data)),
        ("sets of words", "jaccard", [frozenset(row.tolist()) for row in rows]),
        ("trees", "tree_edit", trees(data)),
    ]


def trees(data: pathlib.Path = DATA, most: int = 60) -> list[str]:
    """Return syntax trees of up to so many nodes, in brackets."""
    lines = (data / "python_stdlib_ast.tsv").read_text(encoding="utf-8").splitlines()
    trees = [line.rpartition("\t")[2] for line in lines]
    return [tree for tree in trees if tree.count("{") <= most]


def _on_globe(degrees: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return latitude and longitude as points of the unit sphere."""
    latitude, longitude = np.radians(degrees).T
    across = np.cos(latitude)
    return np.stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)], axis=1)


def generated(n: int) -> list[tuple[str, str, Any]]:
    """Return generated data sets: name, metric, objects."""
    rng = np.random.default_rng(0)
    return [
        ("uniform, 3 dimensions", "euclidean", rng.random((n, 3))),
        ("clustered, 64 dimensions", "euclidean", like_learned(n)),
        ("random words", "levenshtein", _random_words(n)),
        ("random sets", "jaccard", [frozenset(row.tolist()) for row in rng.zipf(1.3, size=(n, 12)) % 500]),
    ]


def words(data: pathlib.Path = DATA) -> list[str]:
    """Return the words of a dictionary, or random ones where it is missing."""
    if not data.is_dir():
        return _random_words(100_000)
    return (data / "wamerican.txt").read_text(encoding="utf-8").splitlines()


def glosses(data: pathlib.Path = DATA) -> list[str]:
    """Return what words mean, in about 75 characters each, or random text where the data are missing."""
    if not data.is_dir():
        words = _random_words(60_000)
        return [" ".join(words[12 * i : 12 * i + 12]) for i in range(5000)]
    lines = (data / "wordnet_minilm_texts.tsv").read_text(encoding="utf-8").splitlines()
    return [line.rpartition("\t")[2] for line in lines]


def cities(data: pathlib.Path = DATA) -> npt.NDArray[np.float64]:
    """Return latitudes and longitudes of cities in degrees, or of random places where they are missing."""
    if not data.is_dir():
        return np.random.default_rng(0).uniform((-55, -180), (70, 180), (100_000, 2))
    return np.load(data / "rg_cities1000_latlon.npy")


def _random_words(n: int) -> list[str]:
    letters = np.random.default_rng(0).integers(97, 105, size=(n, 8))
    return [bytes(row[: 3 + row[0] % 6].tolist()).decode() for row in letters]


def divided(name: str, metric: str, objects: Any, n: int, queries: int) -> Workload:
    """Return n random objects of some data, and others as queries."""
    chosen = np.random.default_rng(0).permutation(len(objects))[: n + queries]
    if isinstance(objects, np.ndarray):
        return Workload(name, metric, objects[chosen[queries:]], objects[chosen[:queries]])
    return Workload(
        name, metric, [objects[i] for i in chosen[queries:]], [objects[i] for i in chosen[:queries]]
    )


def by_float64_scan(vectors: Vectors, queries: Vectors, k: int) -> npt.NDArray[np.int64]:
    """Return the k nearest by a scan in float64, by (distance, position)."""
    wide, nearest = vectors.astype(np.float64), np.empty((len(queries), k), np.int64)
    for row, query in zip(nearest, queries.astype(np.float64)):
        distances = ((wide - query) ** 2).sum(axis=1)
        close = np.sort(np.argpartition(distances, 4 * k)[: 4 * k])
        row[:] = close[np.argsort(distances[close], kind="stable")[:k]]
    return nearest
