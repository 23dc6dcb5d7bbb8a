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
