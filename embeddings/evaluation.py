"""How well embeddings separate classes, as the field measures it; and how hard they are to search.

Recall@K, NMI and F1 are those of Oh Song et al. (CVPR 2016); R-precision and MAP@R those of Musgrave,
Belongie, Lim: *A Metric Learning Reality Check*, ECCV 2020. Neighbours come from this project's own exact
index.
"""

import math
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

import metricspace
from embeddings.arrays import Labels, Vectors, as_labels, as_vectors
from embeddings.embedder import METRIC
from embeddings.errors import InputError

Counts = npt.NDArray[np.int64]
Matches = npt.NDArray[np.bool_]

QUERIES_AT_ONCE = 1024  # bounds the memory for neighbours where classes, and so R, are large


def evaluate(
    embeddings: ArrayLike, labels: ArrayLike, ks: Sequence[int] = (1, 2, 4, 8), seed: int = 0
) -> dict[str, float]:
    """Measure retrieval and clustering under the Euclidean distance.

    Parameters
    ----------
    embeddings : array of shape (n, dim)
    labels : array of n integers
        For a zero-shot result: classes that were not trained on.
    ks : sequence of int, default (1, 2, 4, 8)
        Numbers of neighbours for recall.
    seed : int, default 0
        Of k-means.

    Returns
    -------
    dict of float
        ``recall@K``: share of the items with one of their own class among their K nearest others, over all
        items.
        ``alone``: share of the items that are alone in their class and so never count; over the others,
        recall is ``recall@K / (1 - alone)``.
        ``r_precision``, ``map@r``: with R the number of others in the query's class, the precision among
        its R nearest, and the mean over these R ranks of the precision up to each rank that holds a match;
        over the items not alone in their class (0 if there are none).
        ``nmi``: 2 I / (H_cluster + H_class); ``f1``: over pairs of items; both for k-means with as many
        clusters as classes, best of ten starts; 0/0 is 0. ``kmeans_seed``, ``kmeans_iterations``: how that
        was found.

    Raises
    ------
    InputError
        If there are fewer than two items, or shapes, types or values do not fit.
    """
    vectors = as_vectors(embeddings)
    classes = as_labels(labels, len(vectors))
    check_ranks(vectors, ks)
    scores = retrieval(vectors, classes, ks)
    clusters, iterations = cluster(vectors, len(np.unique(classes)), seed)
    table = contingency(clusters, classes)
    return {
        **scores,
        "nmi": nmi(table),
        "f1": pair_f1(table),
        "kmeans_seed": float(seed),
        "kmeans_iterations": float(iterations),
    }


def recall(embeddings: ArrayLike, labels: ArrayLike, k: int = 1) -> float:
    """Recall@k alone, as in :func:`evaluate`: quick enough to be taken after every epoch."""
    vectors = as_vectors(embeddings)
    classes = as_labels(labels, len(vectors))
    check_ranks(vectors, [k])
    return float(np.concatenate([match.any(axis=1) for match in matches(vectors, classes, k)]).mean())


def intrinsic_dimension(embeddings: ArrayLike, sample: int = 100_000, seed: int = 0) -> float:
    """Intrinsic dimension ρ = μ² / 2σ² of the Euclidean distances (Chávez et al., ACM Comput. Surv. 2001).

    The larger it is, the more alike all distances are, and the less any exact index can exclude.

    Parameters
    ----------
    embeddings : array of shape (n, dim)
        At least two.
    sample : int, default 100,000
        Number of random pairs of different rows.
    seed : int, default 0

    Returns
    -------
    float
        0 if all vectors are equal; infinite if all distances are equal otherwise.
    """
    vectors = as_vectors(embeddings).astype(np.float64)
    if len(vectors) < 2 or sample < 1:
        raise InputError(f"distances need two vectors and a sample, not {len(vectors)} and {sample}")
    rng = np.random.default_rng(seed)
    left = rng.integers(len(vectors), size=sample)
    right = (left + rng.integers(1, len(vectors), size=sample)) % len(vectors)
    distances = np.concatenate(
        [
            np.linalg.norm(vectors[left[at : at + 4096]] - vectors[right[at : at + 4096]], axis=1)
            for at in range(0, sample, 4096)
        ]
    )
    mean, variance = float(distances.mean()), float(distances.var())
    if variance == 0.0:
        return math.inf if mean > 0.0 else 0.0
    return mean**2 / (2 * variance)


def retrieval(vectors: Vectors, classes: Labels, ks: Sequence[int]) -> dict[str, float]:
    """Recall at each of ks, R-precision and MAP@R; see :func:`evaluate`."""
    others = class_sizes(classes) - 1
    ranks = np.arange(1, max(*ks, int(others.max())) + 1)
    found, precision, average = [], [], []
    start = 0
    for match in matches(vectors, classes, len(ranks)):
        relevant = others[start : start + len(match), None]
        start += len(match)
        found.append([match[:, :k].any(axis=1) for k in ks])
        among = match & (ranks <= relevant)
        safe = np.maximum(relevant[:, 0], 1)
        precision.append(among.sum(axis=1) / safe)
        average.append((among * (among.cumsum(axis=1) / ranks)).sum(axis=1) / safe)
    accompanied = max(1, int((others > 0).sum()))
    return {
        **{f"recall@{k}": float(hits.mean()) for k, hits in zip(ks, np.concatenate(found, axis=1))},
        "alone": float((others == 0).mean()),
        "r_precision": float(np.concatenate(precision).sum() / accompanied),
        "map@r": float(np.concatenate(average).sum() / accompanied),
    }


def matches(vectors: Vectors, classes: Labels, k: int) -> Iterator[Matches]:
    """For one batch of items after another, whether each of their k nearest others shares the class.

    Yields
    ------
    array of shape (batch, k)
        In (distance, position) order; False where there are no k others.
    """
    index = metricspace.VPTree(metric=METRIC).fit(vectors)
    for start in range(0, len(vectors), QUERIES_AT_ONCE):
        queries = np.arange(start, min(start + QUERIES_AT_ONCE, len(vectors)))
        positions = index.knn(vectors[queries], k=k + 1).positions
        # An item need not be its own first neighbour: a duplicate at an earlier position precedes it.
        itself = positions == queries[:, None]
        order = np.argsort(itself, axis=1, kind="stable")[:, :k]
        nearest = np.take_along_axis(positions, order, axis=1)
        nearest[np.take_along_axis(itself, order, axis=1)] = -1
        yield (nearest >= 0) & (classes[nearest] == classes[queries, None])


def cluster(vectors: Vectors, count: int, seed: int) -> tuple[Labels, int]:
    """Cluster by k-means: the cluster of each vector, and the number of iterations of the best start."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # Collapsed embeddings have fewer distinct points than classes; the scores themselves tell.
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = KMeans(count, n_init=10, random_state=seed).fit(vectors)
    return result.labels_.astype(np.int64), int(result.n_iter_)


def contingency(clusters: Labels, classes: Labels) -> Counts:
    """Count the items of each cluster (row) in each class (column)."""
    _, rows = np.unique(clusters, return_inverse=True)
    _, columns = np.unique(classes, return_inverse=True)
    table = np.zeros((rows.max() + 1, columns.max() + 1), dtype=np.int64)
    np.add.at(table, (rows, columns), 1)
    return table


def nmi(table: Counts) -> float:
    """Normalised mutual information 2 I / (H_cluster + H_class) of a contingency table; 0/0 is 0."""
    rows, columns = entropy(table.sum(axis=1)), entropy(table.sum(axis=0))
    if rows + columns == 0.0:
        return 0.0
    return max(0.0, 2 * (rows + columns - entropy(table.ravel())) / (rows + columns))


def entropy(counts: Counts) -> float:
    """Entropy, in nats, of the distribution that counts describe."""
    shares = counts[counts > 0] / counts.sum()
    return -float((shares * np.log(shares)).sum())


def pair_f1(table: Counts) -> float:
    """F1 of "same cluster" as a prediction of "same class", over all pairs of items; 0/0 is 0."""
    together = pairs(table.ravel())
    either = pairs(table.sum(axis=1)) + pairs(table.sum(axis=0))
    # 2PR / (P + R) with P = TP / (TP + FP) and R = TP / (TP + FN).
    return 2 * together / either if either else 0.0


def pairs(counts: Counts) -> int:
    """Count the pairs within groups of these sizes."""
    return int((counts * (counts - 1) // 2).sum())


def class_sizes(classes: Labels) -> Counts:
    """For each item the size of its class."""
    _, numbers, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    return sizes[numbers]


def check_ranks(vectors: Vectors, ks: Sequence[int]) -> None:
    """Raise :class:`InputError` unless there are two vectors and all ranks are positive."""
    if len(vectors) < 2:
        raise InputError(f"an item is compared with others, so two are needed at least, not {len(vectors)}")
    if len(ks) == 0 or min(ks) < 1:
        raise InputError(f"ks must be positive numbers of neighbours, not {tuple(ks)}")
