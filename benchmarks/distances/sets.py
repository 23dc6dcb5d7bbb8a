"""Jaccard distance on sets of words, beside the product of sparse matrices."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

import metricspace as ms
from benchmarks.distances.pairs import row_of
from benchmarks.runner import alternate
from benchmarks.workloads import DATA

QUERIES, TARGET, RADIUS = 200, 1.0, 0.5

Distances = npt.NDArray[np.float32]


def rows(small: bool = False) -> list[dict[str, Any]]:
    """Time all distances of the queries, and a range query by a scan, against the same product."""
    stored, name = _sets(small)
    chosen = np.random.default_rng(0).permutation(stored.shape[0])[: 5 if small else QUERIES]
    asked = stored[chosen]
    metric = ms.metric("jaccard")
    scan = ms.LinearScan(metric).fit(stored)
    transposed = stored.T.tocsr()
    own, peers = metric.pairwise(asked, stored), by_product(asked, stored, transposed)
    if not np.allclose(own, peers, rtol=0, atol=1e-6):
        raise AssertionError("the distances differ from those by the sparse product")
    balls = scan.range(asked, RADIUS, n_jobs=1)
    if balls.indptr[-1] != (own <= RADIUS).sum():
        raise AssertionError("the scan does not find what lies within the radius")
    seconds = alternate(
        {
            "pairwise": partial(metric.pairwise, asked, stored),
            "range": partial(scan.range, asked, RADIUS, n_jobs=1),
            "peer": partial(by_product, asked, stored, transposed),
        },
        rounds=1 if small else 5,
    )
    scanned = f"jaccard, scan within {RADIUS:g}"
    return [
        row_of(what, name, "scipy.sparse, Q @ X.T", seconds[ours], seconds["peer"], own.size, TARGET)
        for ours, what in (("pairwise", "jaccard, all pairs"), ("range", scanned))
    ]


def by_product(asked: Any, stored: Any, transposed: Any) -> Distances:
    """Return all distances from the numbers of common items, which are a product of sparse matrices.

    The transposed matrix is given, and the arithmetic is done in place in float32.
    """
    common = (asked @ transposed).toarray()
    union = np.add.outer(np.diff(asked.indptr).astype(np.float32), np.diff(stored.indptr).astype(np.float32))
    union -= common
    np.divide(common, union, out=common)
    return np.subtract(1, common, out=common)


def _sets(small: bool) -> tuple[Any, str]:
    """Return sets as the rows of a sparse matrix of ones, and what they are."""
    path = DATA / "wordnet_gloss_words.npz"
    if path.exists() and not small:
        with np.load(path) as held:
            indptr, indices, columns = held["indptr"], held["indices"], len(held["vocab"])
        name = f"{len(indptr) - 1:,} glosses of WordNet"
    else:
        drawn = np.random.default_rng(1).zipf(1.3, size=(300, 12)) % 500
        sets = [np.unique(row) for row in drawn]
        indptr, indices, columns = np.cumsum([0, *map(len, sets)]), np.concatenate(sets), 500
        name = "300 random sets"
    ones = np.ones(len(indices), np.float32)
    return sparse.csr_array((ones, indices, indptr), shape=(len(indptr) - 1, columns)), name
