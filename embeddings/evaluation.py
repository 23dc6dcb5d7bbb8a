"""How well embeddings separate classes, as the field measures it.

Recall@K, NMI and F1 are those of Oh Song et al. (CVPR 2016); precision@1, R-precision and MAP@R those of
Musgrave, Belongie, Lim: *A Metric Learning Reality Check*, ECCV 2020; AMI is that of Vinh, Epps, Bailey, JMLR
11, 2010. Neighbours come from this project's own exact index, some queries at a time: memory grows with the
number of items, and not with its square.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

import metricspace
from embeddings.arrays import Labels, Vectors, as_labels, as_vectors
from embeddings.embedder import METRIC
from embeddings.errors import InputError

Counts = npt.NDArray[np.int64]
Matches = npt.NDArray[np.bool_]

NEIGHBOURS_AT_ONCE = 2**21  # of all queries of a batch: bounds the memory where classes, and so R, are large
QUERIES_AT_ONCE = 4096
MOST_FOR_LLOYD = 2 * 10**7  # items × clusters; beyond, ten runs of Lloyd's algorithm take minutes to hours


def evaluate(
    embeddings: ArrayLike,
    labels: ArrayLike,
    ks: Sequence[int] = (1, 2, 4, 8),
    seed: int = 0,
    *,
    clustering: bool = True,
    n_jobs: int | None = None,
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
    clustering : bool, default True
        Also cluster the embeddings, which takes longer than all the rest where classes are many.
    n_jobs : int, optional
        Threads that search; None for all cores.

    Returns
    -------
    dict of float
        ``recall@K``: share of the items with one of their own class among their K nearest others, over all
        items, also those alone in their class, which never count. ``recall@K of accompanied``: the other
        convention, over the items that have another of their class. ``alone``: share of the others.
        ``precision@1``, ``r_precision``, ``map@r``: with R the number of others in the query's class, the
        precision among its nearest and among its R nearest, and the mean over these R ranks of the precision
        up to each rank that holds a match; over the items not alone in their class (0 if there are none).
        ``nmi``: 2 I / (H_cluster + H_class); ``ami``: the same, of I and the entropies less the I that is
        expected of random clusters of these sizes; ``f1``: over pairs of items; all for k-means with as many
        clusters as classes; 0/0 is 0. ``kmeans_seed``, ``kmeans_starts`` (of which the best counts),
        ``kmeans_iterations`` (of the best), ``kmeans_minibatch``: how the clusters were found; 1 where items
        and clusters are so many that k-means learned from random batches, and the scores are a little lower.

    Raises
    ------
    InputError
        If there are fewer than two items, or shapes, types or values do not fit.
    """
    vectors, classes = checked(embeddings, labels, ks)
    scores = retrieval(vectors, classes, ks, n_jobs)
    if not clustering:
        return scores
    clusters, how = cluster(vectors, len(np.unique(classes)), seed)
    table = contingency(clusters, classes)
    return {**scores, "nmi": nmi(table), "ami": ami(table), "f1": pair_f1(table), **how}


def recall(embeddings: ArrayLike, labels: ArrayLike, k: int = 1, *, n_jobs: int | None = None) -> float:
    """Recall@k alone, as in :func:`evaluate`: quick enough to be taken after every epoch."""
    vectors, classes = checked(embeddings, labels, [k])
    batches = matches(vectors, classes, np.full(len(vectors), k), n_jobs)
    return sum(int(match.any(axis=1).sum()) for _, match in batches) / len(vectors)


def map_at_r(embeddings: ArrayLike, labels: ArrayLike, *, n_jobs: int | None = None) -> float:
    """MAP@R alone, as in :func:`evaluate`."""
    vectors, classes = checked(embeddings, labels, [1])
    return retrieval(vectors, classes, [1], n_jobs)["map@r"]


def retrieval(
    vectors: Vectors, classes: Labels, ks: Sequence[int], n_jobs: int | None = None
) -> dict[str, float]:
    """Recall at each of ks, precision@1, R-precision and MAP@R; see :func:`evaluate`."""
    others = class_sizes(classes) - 1
    found = np.empty((len(ks), len(vectors)), dtype=bool)
    first, precision, average = np.empty((3, len(vectors)))
    for queries, match in matches(vectors, classes, np.maximum(others, max(ks)), n_jobs):
        ranks = np.arange(1, match.shape[1] + 1)
        for row, k in zip(found, ks):
            row[queries] = match[:, :k].any(axis=1)
        first[queries] = match[:, 0]
        relevant = np.maximum(others[queries], 1)
        match &= ranks <= others[queries, None]
        precision[queries] = match.sum(axis=1) / relevant
        average[queries] = (match * (match.cumsum(axis=1) / ranks)).sum(axis=1) / relevant
    accompanied = np.flatnonzero(others)

    def mean(values: npt.NDArray[np.generic]) -> float:
        return float(values[accompanied].mean()) if len(accompanied) else 0.0

    return {
        **{f"recall@{k}": float(row.mean()) for row, k in zip(found, ks)},
        **{f"recall@{k} of accompanied": mean(row) for row, k in zip(found, ks)},
        "alone": 1 - len(accompanied) / len(vectors),
        "precision@1": mean(first),
        "r_precision": mean(precision),
        "map@r": mean(average),
    }


def matches(
    vectors: Vectors, classes: Labels, wanted: Counts, n_jobs: int | None = None
) -> Iterator[tuple[Counts, Matches]]:
    """For one batch of items after another, whether each of their nearest others shares the class.

    Parameters
    ----------
    vectors : array of shape (n, dim)
    classes, wanted : array of shape (n,)
        The class of each item, and how many neighbours it needs.
    n_jobs : int, optional

    Yields
    ------
    items : array of shape (batch,)
        Those that need most neighbours come first.
    match : array of shape (batch, k)
        With k the most that one of these needs, in (distance, position) order; False where there are no k
        others.
    """
    index = metricspace.VPTree(metric=METRIC).fit(vectors)
    order = np.lexsort((classes, -wanted))  # one class after another: what follows each other is near
    start = 0
    while start < len(order):
        k = int(wanted[order[start]])
        queries = order[start : start + max(1, min(QUERIES_AT_ONCE, NEIGHBOURS_AT_ONCE // k))]
        start += len(queries)
        nearest = index.knn(ids=queries, k=k, n_jobs=n_jobs).positions
        yield queries, (nearest >= 0) & (classes[nearest] == classes[queries, None])


def cluster(vectors: Vectors, count: int, seed: int) -> tuple[Labels, dict[str, float]]:
    """Cluster by k-means: the cluster of each vector, and how it was found; see :func:`evaluate`."""
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    large = len(vectors) * count > MOST_FOR_LLOYD
    if large:
        # A batch holds several items of each cluster; the default of a thousand would reassign most of them.
        starts, batch = 1, max(4096, 2 * count)
        method = MiniBatchKMeans(count, n_init=1, batch_size=batch, max_no_improvement=20, random_state=seed)
    else:
        starts = 10
        method = KMeans(count, n_init=starts, random_state=seed)
    with warnings.catch_warnings():
        # Collapsed embeddings have fewer distinct points than classes; the scores themselves tell.
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = method.fit(vectors)
    how = {"seed": seed, "starts": starts, "iterations": result.n_iter_, "minibatch": large}
    return result.labels_.astype(np.int64), {f"kmeans_{name}": float(value) for name, value in how.items()}


class Contingency(NamedTuple):
    """How many items two partitions have in each part; parts that share nothing are not listed."""

    both: Counts  # in a cluster and in a class, for each pair of these that has some
    clusters: Counts
    classes: Counts


def contingency(clusters: Labels, classes: Labels) -> Contingency:
    """Count the items of each cluster, of each class, and of each in each."""
    _, rows = np.unique(clusters, return_inverse=True)
    _, columns = np.unique(classes, return_inverse=True)
    pairs = rows * (columns.max() + 1) + columns
    return Contingency(np.unique_counts(pairs).counts, np.bincount(rows), np.bincount(columns))


def nmi(table: Contingency) -> float:
    """Normalised mutual information 2 I / (H_cluster + H_class); 0/0 is 0."""
    entropies = entropy(table.clusters) + entropy(table.classes)
    return max(0.0, 2 * information(table) / entropies) if entropies else 0.0


def ami(table: Contingency) -> float:
    """Return the adjusted mutual information (I − E) / ((H_cluster + H_class) / 2 − E); 0/0 is 0."""
    expected = expected_information(table.clusters, table.classes)
    most = (entropy(table.clusters) + entropy(table.classes)) / 2 - expected
    # Where every item is alone, or all are together, both differences are zero but for rounding.
    return (information(table) - expected) / most if most > 1e-12 else 0.0


def information(table: Contingency) -> float:
    """Mutual information of two partitions, in nats."""
    return entropy(table.clusters) + entropy(table.classes) - entropy(table.both)


def expected_information(clusters: Counts, classes: Counts) -> float:
    """Mean mutual information of two random partitions of these sizes (Vinh, Epps, Bailey 2010).

    It depends on sizes alone, and of n items there are at most √(2n) different ones on either side.
    """
    from scipy.special import gammaln

    n = int(clusters.sum())
    factorial = gammaln(np.arange(n + 1) + 1.0)  # its logarithm
    total = 0.0
    for a, several in zip(*np.unique_counts(clusters)):
        for b, many in zip(*np.unique_counts(classes)):
            shared = np.arange(max(1, a + b - n), min(a, b) + 1)
            chance = factorial[[a, b, n - a, n - b]].sum() - factorial[n] - factorial[shared]
            chance = chance - factorial[a - shared] - factorial[b - shared] - factorial[n - a - b + shared]
            gain = shared / n * (np.log(shared) + math.log(n) - math.log(a) - math.log(b))
            total += several * many * float(gain @ np.exp(chance))
    return total


def entropy(counts: Counts) -> float:
    """Entropy, in nats, of the distribution that counts describe."""
    shares = counts[counts > 0] / counts.sum()
    return -float((shares * np.log(shares)).sum())


def pair_f1(table: Contingency) -> float:
    """F1 of "same cluster" as a prediction of "same class", over all pairs of items; 0/0 is 0."""
    together = pairs(table.both)
    either = pairs(table.clusters) + pairs(table.classes)
    # 2PR / (P + R) with P = TP / (TP + FP) and R = TP / (TP + FN).
    return 2 * together / either if either else 0.0


def pairs(counts: Counts) -> int:
    """Count the pairs within groups of these sizes."""
    return int((counts * (counts - 1) // 2).sum())


def class_sizes(classes: Labels) -> Counts:
    """For each item the size of its class."""
    _, numbers, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    return sizes[numbers]


def checked(embeddings: ArrayLike, labels: ArrayLike, ks: Sequence[int]) -> tuple[Vectors, Labels]:
    """Check embeddings, labels and numbers of neighbours; at least two items, and all numbers positive."""
    vectors = as_vectors(embeddings)
    classes = as_labels(labels, len(vectors))
    if len(vectors) < 2:
        raise InputError(f"an item is compared with others, so two are needed at least, not {len(vectors)}")
    if len(ks) == 0 or min(ks) < 1:
        raise InputError(f"ks must be positive numbers of neighbours, not {tuple(ks)}")
    return vectors, classes
