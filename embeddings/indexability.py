"""How well embeddings can be searched exactly: what an index can exclude, epoch after epoch.

Of two networks of the same recall one may give embeddings that an index searches at a tenth of the cost. What
decides is the distribution of the distances: the more alike they are, the less the triangle inequality
excludes. The intrinsic dimension ρ = μ² / 2σ² (Chávez, Navarro, Baeza-Yates, Marroquín: *Searching in metric
spaces*, ACM Comput. Surv. 33, 2001) and the relative contrast (He, Kumar, Chang: *On the difficulty of
nearest neighbor search*, ICML 2012) say so in one number; hubness (Radovanović, Nanopoulos, Ivanović: *Hubs
in space*, JMLR 11, 2010) says whether a few items are neighbours of many. The report has these, and what this
project's own structures then compute for a query.
"""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

import metricspace
from embeddings.arrays import Labels, Vectors, as_labels, as_vectors
from embeddings.embedder import METRIC
from embeddings.errors import InputError

Positions = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

PAIRS = 20_000  # random ones, for the distribution of the distances
PIVOTS = 16
QUERIES = 256  # on which pivots are tried
COLLAPSED = 1e-3
MEASURED = "distances_"  # begins the name of what a structure computes for a query
COLOURS = ("#0077bb", "#ee7733", "#009988", "#cc3311", "#aa3377", "#33bbee")


def report(
    embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    sample: int = 2000,
    structures: Sequence[str] = ("vptree", "laesa"),
    k: int = 10,
    seed: int = 0,
    n_jobs: int | None = None,
) -> dict[str, float]:
    """Measure how well embeddings can be searched under the Euclidean distance; cheap enough for every epoch.

    Parameters
    ----------
    embeddings : array of shape (n, dim)
    labels : array of n integers
    sample : int, default 2000
        So many random items, at most, are indexed and searched; n and the seed determine which.
    structures : sequence of str, default ("vptree", "laesa")
        Keys of ``metricspace.indexes()``.
    k : int, default 10
        Number of neighbours.
    seed : int, default 0
        Of the sample, the pivots and the structures.
    n_jobs : int, optional
        Threads that search; None for all cores.

    Returns
    -------
    dict of float
        ``rho``, ``rho_within``: ρ = μ² / 2σ² of the distances of random pairs, and of random pairs within
        classes. The lower ``rho``, the more can be excluded.
        ``excluded``: share of the (query, object) pairs that 16 random pivots exclude, where the radius is
        the true distance of the k-th nearest.
        ``distances_<structure>``: distance computations of a k-NN query; each item of the sample asks for its
        neighbours among the others. ``searched``: how many others there are, which is what a scan computes.
        ``contrast``: mean distance of random pairs over mean distance to the nearest.
        ``hubness``: skewness of the number of items that have an item among their k nearest.
        ``norm_mean``, ``norm_std``: of the norms. ``collapsed``: 1 if the mean distance is no more than a
        thousandth of the mean norm. ``duplicates``: share of all items that equal another one before them.

    Raises
    ------
    InputError
        If there are fewer than three items, a structure is unknown, or a number is too small.
    """
    vectors = as_vectors(embeddings)
    classes = as_labels(labels, len(vectors))
    if min(len(vectors), sample) < 3 or k < 1:
        raise InputError(
            f"a report needs 3 items, a sample of 3 and k of 1 at least, not {len(vectors)}, {sample} and {k}"
        )
    kinds = metricspace.indexes()
    if not structures or not kinds.keys() >= set(structures):
        raise InputError(f"structures are some of {', '.join(kinds)}, not {tuple(structures)}")
    rng = np.random.default_rng(seed)
    pairs = pair_distances(vectors, *random_pairs(len(vectors), PAIRS, rng))
    within = pair_distances(vectors, *pairs_within(classes, PAIRS, rng))
    chosen = vectors[np.sort(rng.choice(len(vectors), min(sample, len(vectors)), replace=False))]
    measured = {}
    for structure in structures:
        index = kinds[structure](metric=METRIC, seed=seed).fit(chosen)
        nearest = index.knn_graph(min(k, len(chosen) - 1), n_jobs=n_jobs)
        measured[MEASURED + structure] = float(nearest.cost.mean())
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return {
        "rho": rho(pairs),
        "rho_within": rho(within),
        "excluded": excluded(chosen, nearest.distances[:, -1], rng),
        **measured,
        "searched": float(len(chosen) - 1),
        "contrast": quotient(float(pairs.mean()), float(nearest.distances[:, 0].mean())),
        "hubness": skewness(np.bincount(nearest.positions.ravel(), minlength=len(chosen))),
        "norm_mean": float(norms.mean()),
        "norm_std": float(norms.std()),
        "collapsed": float(pairs.mean() <= COLLAPSED * norms.mean()),
        "duplicates": duplicates(vectors),
    }


def cheapest(
    history: Sequence[Mapping[str, float]], within: float = 0.005, structure: str | None = None
) -> int:
    """Choose an epoch: among those with recall@1 nearly as good as the best, the cheapest to search.

    Parameters
    ----------
    history : sequence of dict
        With ``epoch``, ``recall@1`` and what :func:`report` gives; epochs that lack these are passed over.
    within : float, default 0.005
        How much less recall@1 than the best is good enough.
    structure : str, optional
        What will search; by default the one of the report that computes fewest distances, epoch by epoch.

    Returns
    -------
    int
        Its ``epoch``; of equally cheap ones that of the better recall, then the earlier.

    Raises
    ------
    InputError
        If no epoch was measured.
    """
    wanted = None if structure is None else MEASURED + structure
    measured = [
        (min(costs), -entry["recall@1"], int(entry["epoch"]))
        for entry in history
        if "recall@1" in entry
        and (costs := [entry[name] for name in entry if name.startswith(MEASURED) and wanted in (None, name)])
    ]
    if not measured:
        raise InputError(f"no epoch of the history has recall@1 and {wanted or MEASURED + '...'}")
    best = -min(negative for _, negative, _ in measured)
    return min(entry for entry in measured if -entry[1] >= best - within)[2]


def picture(
    history: Sequence[Mapping[str, float]],
    embeddings: ArrayLike,
    labels: ArrayLike,
    path: str | os.PathLike[str],
    *,
    seed: int = 0,
) -> Path:
    """Draw distances within and between classes, and recall@1, ρ and the cost of searches over the epochs.

    Parameters
    ----------
    history : sequence of dict
        As for :func:`cheapest`.
    embeddings, labels : arrays
        Of the last epoch.
    path : path
        Of the picture; its suffix chooses the format, such as ``.png`` or ``.svg``.
    seed : int, default 0
        Of the pairs whose distances are drawn.

    Returns
    -------
    path

    Raises
    ------
    InputError
        If there are fewer than two items.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    vectors = as_vectors(embeddings)
    classes = as_labels(labels, len(vectors))
    figure = Figure(figsize=(15, 4.2), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    distances, quality, costs = figure.subplots(1, 3)
    draw_distances(distances, vectors, classes, seed)
    draw_quality(quality, [entry for entry in history if "recall@1" in entry])
    draw_costs(costs, [entry for entry in history if "searched" in entry])
    for axis in (distances, quality, costs):
        axis.spines["top"].set_visible(False)
    for axis in (quality, costs):
        axis.xaxis.get_major_locator().set_params(integer=True)
    figure.savefig(path, dpi=130)
    return Path(path)


def draw_distances(axis: Any, vectors: Vectors, classes: Labels, seed: int) -> None:
    """Draw histograms of the distances within and between classes."""
    rng = np.random.default_rng(seed)
    left, right = random_pairs(len(vectors), PAIRS, rng)
    apart = classes[left] != classes[right]
    between = pair_distances(vectors, left[apart], right[apart])
    within = pair_distances(vectors, *pairs_within(classes, PAIRS, rng))
    edges = np.linspace(0, max([*between, *within, 1e-9]), 80)
    for values, name, colour in (
        (within, "within classes", COLOURS[1]),
        (between, "between classes", COLOURS[0]),
    ):
        if len(values):
            shown = f"{name}, ρ {rho(values):.1f}"
            axis.hist(values, edges, density=True, alpha=0.6, color=colour, label=shown)
    axis.set(xlabel="distance", yticks=[], title="distances")
    axis.legend(frameon=False)


def draw_quality(axis: Any, history: Sequence[Mapping[str, float]]) -> None:
    """Draw recall@1, and on an axis of its own ρ, over the epochs."""
    other = axis.twinx()
    other.spines["top"].set_visible(False)
    for side, name, label, colour in (
        (axis, "recall@1", "recall@1", COLOURS[2]),
        (other, "rho", "ρ", COLOURS[0]),
    ):
        known = [(entry["epoch"], entry[name]) for entry in history if name in entry]
        if known:
            side.plot(*zip(*known), color=colour, marker=".")
        side.set_ylabel(label, color=colour)
        side.tick_params(axis="y", colors=colour)
    axis.set(xlabel="epoch", title="recall and intrinsic dimension")


def draw_costs(axis: Any, history: Sequence[Mapping[str, float]]) -> None:
    """Draw the distance computations of each structure, as a share of a scan's, over the epochs."""
    names = list(dict.fromkeys(name for entry in history for name in entry if name.startswith(MEASURED)))
    for place, name in enumerate(names):
        known = [(entry["epoch"], entry[name] / entry["searched"]) for entry in history if name in entry]
        axis.plot(
            *zip(*known), color=COLOURS[place % len(COLOURS)], marker=".", label=name.removeprefix(MEASURED)
        )
    axis.set(
        xlabel="epoch", ylabel="share of a scan's distances", ylim=(0, None), title="cost of a k-NN query"
    )
    if names:
        axis.legend(frameon=False)


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
    vectors = as_vectors(embeddings)
    if len(vectors) < 2 or sample < 1:
        raise InputError(f"distances need two vectors and a sample, not {len(vectors)} and {sample}")
    return rho(pair_distances(vectors, *random_pairs(len(vectors), sample, np.random.default_rng(seed))))


def random_pairs(n: int, count: int, rng: np.random.Generator) -> tuple[Positions, Positions]:
    """Draw pairs of two different items out of n."""
    if n < 2:
        raise InputError(f"a pair needs two items, not {n}")
    left = rng.integers(n, size=count)
    return left, (left + rng.integers(1, n, size=count)) % n


def pairs_within(classes: Labels, count: int, rng: np.random.Generator) -> tuple[Positions, Positions]:
    """Draw pairs of two different items of one class; none where every item is alone in its class."""
    order = np.argsort(classes, kind="stable")
    _, starts, numbers, sizes = np.unique(
        classes[order], return_index=True, return_inverse=True, return_counts=True
    )
    accompanied = np.flatnonzero(sizes[numbers] > 1)
    if len(accompanied) == 0:
        return accompanied, accompanied
    left = rng.choice(accompanied, count)
    start, size = starts[numbers[left]], sizes[numbers[left]]
    right = start + (left - start + rng.integers(1, size)) % size
    return order[left], order[right]


def pair_distances(vectors: Vectors, left: Positions, right: Positions) -> Reals:
    """Euclidean distances of some pairs of rows, in float64."""
    distances = np.empty(len(left))
    for at in range(0, len(left), 4096):
        part = slice(at, at + 4096)
        difference = vectors[left[part]].astype(np.float64) - vectors[right[part]]
        distances[part] = np.linalg.norm(difference, axis=1)
    return distances


def rho(distances: Reals) -> float:
    """μ² / 2σ²: 0 where all distances are zero or there are none, infinite where they are equal otherwise."""
    if len(distances) == 0:
        return 0.0
    # Of equal numbers, the mean may differ by rounding, and so the variance from zero.
    variance = float(distances.var()) if np.ptp(distances) > 0 else 0.0
    return quotient(float(distances.mean()) ** 2, 2 * variance)


def excluded(vectors: Vectors, radii: Reals, rng: np.random.Generator) -> float:
    """Share of the (query, object) pairs whose distance some pivot bounds to more than the query's radius."""
    order = rng.permutation(len(vectors))
    count = min(PIVOTS, len(vectors) // 2)
    pivots, queries = order[:count], order[count : count + QUERIES]
    bound = np.zeros((len(queries), len(vectors)))
    for pivot in pivots:
        distances = np.linalg.norm(vectors.astype(np.float64) - vectors[pivot], axis=1)
        np.maximum(bound, np.abs(distances[queries, None] - distances), out=bound)
    # A query excludes no pair of itself, which is none of the pairs.
    return float((bound > radii[queries, None]).sum() / (bound.size - len(queries)))


def skewness(values: npt.NDArray[np.int64]) -> float:
    """Third moment about the mean over the cube of the standard deviation; 0 where all values are equal."""
    apart = values - values.mean()
    deviation = math.sqrt(float((apart**2).mean()))
    return float((apart**3).mean()) / deviation**3 if deviation > 0 else 0.0


def duplicates(vectors: Vectors) -> float:
    """Share of the rows that equal another one before them."""
    positive = vectors + np.float32(0)  # -0 equals 0, and its bytes differ
    rows = positive.view(np.dtype((np.void, positive.itemsize * positive.shape[1])))
    return 1 - len(np.unique(rows)) / len(vectors)


def quotient(numerator: float, denominator: float) -> float:
    """Divide, where 0/0 is 0 and anything else over 0 is infinite."""
    if denominator == 0:
        return math.inf if numerator > 0 else 0.0
    return numerator / denominator
