"""Self-joins of words and of learned vectors, beside the libraries that one would use for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

import metricspace as ms
from benchmarks import peers, workloads
from benchmarks.embedded import embedded
from benchmarks.report import Result
from benchmarks.runner import alternate, once
from metricspace.hits import Pairs

WORDS_TARGET, VECTORS_TARGET = 200, 3  # times the speed of RapidFuzz; of the fastest peer
SAMPLE = 2000  # objects that a peer is asked for; its time for all is extrapolated
CHECKED = 100  # vectors whose neighbours are counted in float64
ROUNDS = 3
JOBS = 2

Vectors = npt.NDArray[np.float32]


def run(objects: int | None = None, sample: int = SAMPLE) -> Result:
    """Join all words and all vectors, or the first `objects` of them, with themselves."""
    rows: list[dict[str, Any]] = []
    verdicts: dict[str, bool] = {}
    _join_words(workloads.words()[:objects], sample, rows, verdicts)
    about = _join_vectors(objects, sample, rows, verdicts)
    return Result(
        f"All pairs within a radius, {JOBS} threads, median of alternating rounds. Peers marked † were asked "
        f"for {sample:,} random objects at most, and their seconds are extrapolated to all; all but SciPy's "
        f"find each pair twice. Indexes are built beforehand. Vectors: {about}.",
        rows,
        verdicts,
    )


def _join_words(words: list[str], sample: int, rows: list[dict[str, Any]], verdicts: dict[str, bool]) -> None:
    chosen = _chosen(len(words), sample)
    asked = [words[i] for i in chosen]
    index = ms.LinearScan("levenshtein").fit(words)
    pairs = index.self_join(1, n_jobs=JOBS)
    matrix = partial(peers.rapidfuzz_within, asked, words, 1, JOBS)
    times = alternate(
        {"LinearScan": partial(index.self_join, 1, n_jobs=JOBS), "RapidFuzz cdist †": matrix}, ROUNDS
    )
    times["RapidFuzz cdist †"] *= len(words) / len(asked)
    found = {(int(chosen[row]), int(j)) for row, j in matrix() if chosen[row] != j}
    ours = _of_sample(pairs, chosen)
    best = times["RapidFuzz cdist †"]
    _tell("words", len(words), 1.0, pairs, times, best, rows)
    ratio = best / times["LinearScan"]
    verdicts[f"words: at least {WORDS_TARGET} times RapidFuzz's speed; reached {ratio:.0f}"] = (
        ratio >= WORDS_TARGET
    )
    verdicts[f"words: RapidFuzz's pairs, for {len(asked):,} words"] = ours == found


def _join_vectors(
    objects: int | None, sample: int, rows: list[dict[str, Any]], verdicts: dict[str, bool]
) -> str:
    data = embedded()
    vectors = data.vectors[:objects]
    chosen = _chosen(len(vectors), sample)
    index = ms.VPTree("euclidean").fit(vectors)
    radius = float(np.median(index.knn(ids=chosen, k=5).distances[:, 4]))
    pairs = index.self_join(radius, n_jobs=JOBS)
    rivals = peers.range_searches(vectors, radius, JOBS)
    contenders: dict[str, Callable[[], object]] = {
        "VPTree": partial(index.self_join, radius, n_jobs=JOBS),
        **{name: partial(search, vectors[chosen[:at_most]]) for name, (search, at_most) in rivals.items()},
    }
    times = alternate(contenders, ROUNDS)
    for name, (_, at_most) in rivals.items():
        times[name] *= len(vectors) / len(chosen[:at_most])
    times["SciPy cKDTree query_pairs, once"] = once(peers.scipy_pairs(vectors, radius))
    best = min(seconds for name, seconds in times.items() if name != "VPTree")
    _tell("vectors", len(vectors), radius, pairs, times, best, rows)
    ratio = best / times["VPTree"]
    verdicts[f"vectors: at least {VECTORS_TARGET} times the fastest peer's speed; reached {ratio:.1f}"] = (
        ratio >= VECTORS_TARGET
    )
    few = chosen[:CHECKED]
    wide = vectors.astype(np.float64)
    true = {
        (int(i), int(j))
        for i in few
        for j in np.flatnonzero(np.sqrt(((wide - wide[i]) ** 2).sum(axis=1)) <= radius)
        if i != j
    }
    verdicts[f"vectors: the pairs of a float64 scan, for {len(few)} vectors"] = _of_sample(pairs, few) == true
    return data.about


def _chosen(count: int, sample: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(0).permutation(count)[:sample]


def _of_sample(pairs: Pairs, chosen: npt.NDArray[np.int64]) -> set[tuple[int, int]]:
    """Return the pairs of some objects, each from the side of every such object."""
    both = np.stack([pairs.left_positions, pairs.right_positions], axis=1)
    ends = np.concatenate([both, both[:, ::-1]])
    return set(map(tuple, ends[np.isin(ends[:, 0], chosen)].tolist()))


def _tell(
    data: str,
    count: int,
    radius: float,
    pairs: Pairs,
    times: dict[str, float],
    best: float,
    rows: list[dict[str, Any]],
) -> None:
    for contender, seconds in times.items():
        own = contender in ("LinearScan", "VPTree")
        rows.append(
            {
                "data": f"{count:,} {data}, radius {radius:.3g}",
                "join": contender,
                "seconds": seconds,
                "times the fastest peer": best / seconds,
                "pairs": len(pairs) if own else None,
                "distances an object": pairs.cost / count if own else None,
            }
        )
