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
