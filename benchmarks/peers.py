"""Other libraries under one roof, each with what it needs to be measured fairly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Search = Callable[[Vectors, int], npt.NDArray[np.int64]]


def pynear_vptree(vectors: Vectors) -> Search:
    """Return the k-NN search of pynear's VP-tree: C++ with SIMD, exact, on all cores."""
    import pynear  # type: ignore[import-untyped]

    index = pynear.VPTreeL2Index()
    index.set(vectors)
    return lambda queries, k: np.asarray(index.searchKNN_arrays(queries, k)[0])


def faiss_flat(vectors: Vectors) -> Search:
    """Return the k-NN search of faiss's exhaustive index: BLAS, exact up to rounding, on all cores."""
    import faiss

    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(vectors)
    return lambda queries, k: np.asarray(index.search(queries, k)[1])


_FAISS = {"euclidean": "METRIC_L2", "manhattan": "METRIC_L1", "chebyshev": "METRIC_Linf"}
_PYNEAR = {"euclidean": "VPTreeL2Index", "manhattan": "VPTreeL1Index", "chebyshev": "VPTreeChebyshevIndex"}
_NMSLIB = {"euclidean": "l2", "manhattan": "l1", "chebyshev": "linf"}
_POWER = {"euclidean": 2.0, "manhattan": 1.0, "chebyshev": float("inf")}


def exact_knn(vectors: Vectors, metric: str, n_jobs: int) -> dict[str, Search]:
    """Return the k-NN searches of every library that answers exactly, up to rounding."""
    import faiss
    import nmslib  # type: ignore[import-not-found]
    import pynear
    from pykdtree.kdtree import KDTree  # type: ignore[import-not-found]
    from scipy.spatial import cKDTree
    from sklearn.neighbors import NearestNeighbors

    faiss.omp_set_num_threads(n_jobs)
    flat = faiss.IndexFlat(vectors.shape[1], getattr(faiss, _FAISS[metric]))
    flat.add(vectors)
    vptree = getattr(pynear, _PYNEAR[metric])()
    vptree.set(vectors)
    brute = NearestNeighbors(algorithm="brute", metric=metric, n_jobs=n_jobs).fit(vectors)
    sequential = nmslib.init(method="seq_search", space=_NMSLIB[metric])
    sequential.addDataPointBatch(vectors)
    sequential.createIndex()
    tree = cKDTree(vectors)

    def by_nmslib(queries: Vectors, k: int) -> npt.NDArray[np.int64]:
        return np.array([found[0] for found in sequential.knnQueryBatch(queries, k, num_threads=n_jobs)])

    searches: dict[str, Search] = {
        "faiss flat": lambda queries, k: np.asarray(flat.search(queries, k)[1]),
        "pynear VP-tree": lambda queries, k: np.asarray(vptree.searchKNN_arrays(queries, k)[0]),
        "scikit-learn brute": lambda queries, k: brute.kneighbors(queries, k, return_distance=False),
        "SciPy cKDTree": lambda queries, k: tree.query(queries, k, p=_POWER[metric], workers=n_jobs)[1],
        "nmslib sequential": by_nmslib,
    }
    if metric == "euclidean" and vectors.shape[1] < 128:  # all that it takes
        balanced = KDTree(vectors)  # as many threads as OpenMP is told
        searches["pykdtree"] = lambda queries, k: balanced.query(queries, k)[1]
    return searches


def exact_range(vectors: Vectors, radius: float, n_jobs: int) -> dict[str, Callable[[Vectors], object]]:
    """Return the Euclidean range searches of every library that answers exactly, up to rounding."""
    from scipy.spatial import cKDTree

    tree = cKDTree(vectors)
    searches = {name: search for name, (search, _) in range_searches(vectors, radius, n_jobs).items()}
    return {name.removesuffix(" †"): search for name, search in searches.items()} | {
        "SciPy cKDTree": lambda queries: tree.query_ball_point(queries, radius, workers=n_jobs)
    }


def edit_distances(
    strings: list[str], radius: int | None, k: int, n_jobs: int
) -> dict[str, Callable[[list[str]], object]]:
    """Return searches within an edit distance, or for the k nearest."""
    import pybktree  # type: ignore[import-not-found]
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cdist

    def matrix(queries: list[str]) -> object:
        if radius is not None:
            return rapidfuzz_within(queries, strings, radius, n_jobs)
        found = []
        for first in range(0, len(queries), 250):
            part = queries[first : first + 250]
            distances = cdist(part, strings, scorer=Levenshtein.distance, dtype=np.uint8, workers=n_jobs)
            found.append(np.argpartition(distances, k, axis=1)[:, :k])
        return np.concatenate(found)

    searches: dict[str, Callable[[list[str]], object]] = {"RapidFuzz cdist": matrix}
    if radius is not None:
        tree = pybktree.BKTree(Levenshtein.distance, strings)
        searches["pybktree"] = lambda queries: [tree.find(query, radius) for query in queries]
    return searches


def rapidfuzz_within(queries: list[str], words: list[str], radius: int, n_jobs: int) -> npt.NDArray[np.int64]:
    """Return (query, word) within an edit distance by RapidFuzz's full matrix, in chunks."""
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cdist

    found = []
    for first in range(0, len(queries), 250):
        part = queries[first : first + 250]
        distances = cdist(
            part, words, scorer=Levenshtein.distance, score_cutoff=radius, dtype=np.uint8, workers=n_jobs
        )
        found.append(np.argwhere(distances <= radius) + np.array([first, 0]))
    return np.concatenate(found)


def scipy_pairs(vectors: Vectors, radius: float) -> Callable[[], object]:
    """Return the join of SciPy's k-d tree with itself: two nodes at a time, each pair once, on one core."""
    from scipy.spatial import cKDTree

    tree = cKDTree(vectors)
    return lambda: tree.query_pairs(radius, output_type="ndarray")


def range_searches(
    vectors: Vectors, radius: float, n_jobs: int
) -> dict[str, tuple[Callable[[Vectors], object], int | None]]:
    """Return searches for all neighbours within a radius, and how many queries suffice to time each."""
    import faiss
    from sklearn.neighbors import NearestNeighbors

    faiss.omp_set_num_threads(n_jobs)
    flat = faiss.IndexFlatL2(vectors.shape[1])
    flat.add(vectors)
    brute, ball = (
        NearestNeighbors(radius=radius, algorithm=algorithm, n_jobs=n_jobs).fit(vectors)
        for algorithm in ("brute", "ball_tree")
    )
    return {
        "faiss range_search, flat †": (lambda queries: flat.range_search(queries, radius**2), None),
        "scikit-learn radius graph, brute †": (
            lambda queries: brute.radius_neighbors_graph(queries, mode="distance"),
            None,
        ),
        "scikit-learn radius graph, ball tree †": (
            lambda queries: ball.radius_neighbors_graph(queries, mode="distance"),
            500,
        ),
    }
