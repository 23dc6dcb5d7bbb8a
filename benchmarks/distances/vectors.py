"""Distances of rows of numbers: beside SciPy and scikit-learn pair by pair, beside faiss in a scan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import haversine_distances

import metricspace as ms
from benchmarks.runner import alternate
from benchmarks.workloads import DATA

WIDTH, BITS, K = 64, 256, 10


def rows(small: bool = False) -> list[dict[str, Any]]:
    """Return a row for each distance: nanoseconds a pair, ours and the peer's, on one thread."""
    few, many = (5, 40) if small else (500, 4000)
    random = np.random.default_rng(0)
    found = []
    for dtype in (np.float32, np.float64):
        queries, objects = (random.normal(size=(n, WIDTH)).astype(dtype) for n in (few, many))
        for name, peer in (
            ("euclidean", "euclidean"),
            ("manhattan", "cityblock"),
            ("chebyshev", "chebyshev"),
        ):
            data = f"random, {WIDTH} dimensions, {np.dtype(dtype)}"
            found.append(_matrices(name, {}, data, queries, objects, _by_scipy(peer), "cdist", 1.5))
    found.append(_packed(1000 if small else 100_000, 5 if small else 200))
    found += _further(few // 5, many // 5, random)  # some peers take microseconds a pair
    return found


def _by_scipy(name: str, **params: Any) -> Callable[[Any, Any], npt.NDArray[Any]]:
    return lambda a, b: cdist(a, b, name, **params)


def _further(few: int, many: int, random: np.random.Generator) -> list[dict[str, Any]]:
    """Return the rows that have no target."""
    dense = random.normal(size=(few + many, WIDTH))
    spread = random.normal(size=(WIDTH, WIDTH))
    form = spread @ spread.T
    weights = random.random(WIDTH)
    if DATA.is_dir():
        cities = np.radians(np.load(DATA / "rg_cities1000_latlon.npy")[: few + many])
        pixels = np.load(DATA / "fashion_mnist_25k.npz")["base"].reshape(-1, 784)[: few + many]
        cities_are, pixels_are = "cities", "Fashion-MNIST, pixels"
    else:
        cities = random.uniform(-1.5, 1.5, (few + many, 2))
        pixels = random.poisson(0.7, (few + many, 784))
        cities_are, pixels_are = "random places", "random counts, 784 bins"
    shares = pixels / pixels.sum(axis=1, keepdims=True)
    normal = f"random, {WIDTH} dimensions, float64"
    several = [
        ("minkowski", {"p": 3, "w": weights}, normal, dense, _by_scipy("minkowski", p=3, w=weights), "cdist"),
        ("mahalanobis", {"VI": form}, normal, dense, _by_scipy("mahalanobis", VI=form), "cdist"),
        ("haversine", {}, cities_are, cities, haversine_distances, "scikit-learn"),
        ("jensenshannon", {}, pixels_are, shares, _by_scipy("jensenshannon"), "cdist"),
    ]
    return [
        _matrices(name, params, data, objects[:few], objects[few:], peer, called, None)
        for name, params, data, objects, peer, called in several
    ]


def _matrices(
    name: str,
    params: dict[str, Any],
    data: str,
    queries: npt.NDArray[Any],
    objects: npt.NDArray[Any],
    peer: Callable[[Any, Any], npt.NDArray[Any]],
    called: str,
    target: float | None,
) -> dict[str, Any]:
    """Compare the matrices of all distances."""
    metric = ms.metric(name, **params)
    contenders = {"ours": lambda: metric.pairwise(queries, objects), "peer": lambda: peer(queries, objects)}
    # scikit-learn loses half of the digits between near places.
    np.testing.assert_allclose(contenders["ours"](), contenders["peer"](), rtol=1e-6, atol=1e-7)
    return _row(name, data, called, alternate(contenders), len(queries) * len(objects), target)


def _packed(many: int, few: int) -> dict[str, Any]:
    """Compare scans of packed bits for the nearest."""
    import faiss

    random = np.random.default_rng(1)
    objects, queries = (random.integers(0, 256, (n, BITS // 8), dtype=np.uint8) for n in (many, few))
    theirs = faiss.IndexBinaryFlat(BITS)
    theirs.add(objects)
    ours = ms.LinearScan("hamming_bits").fit(objects)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        if not np.array_equal(ours.knn(queries, K).distances, theirs.search(queries, K)[0]):
            raise AssertionError("faiss finds the nearest at other distances")
        taken = alternate(
            {"ours": lambda: ours.knn(queries, K, n_jobs=1), "peer": lambda: theirs.search(queries, K)}
        )
    finally:
        faiss.omp_set_num_threads(threads)
    return _row("hamming_bits", f"random, {BITS} bits", "faiss, binary flat", taken, many * few, 0.8)


def _row(
    name: str, data: str, called: str, taken: dict[str, float], pairs: int, target: float | None
) -> dict[str, Any]:
    return {
        "distance": name,
        "data": data,
        "peer": called,
        "ours: ns a pair": taken["ours"] / pairs * 1e9,
        "peer: ns a pair": taken["peer"] / pairs * 1e9,
        "ratio": taken["peer"] / taken["ours"],
        "target": target,
    }
