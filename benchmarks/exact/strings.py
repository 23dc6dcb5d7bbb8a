"""Strings under the edit distance: words, and sentences of about 75 characters."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from functools import partial

import metricspace as ms
from benchmarks import peers, workloads
from benchmarks.exact.race import JOBS, K, Race, growth, timed

STRUCTURES = ("patterns", "bktree", "linear")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclasses.dataclass(frozen=True)
class Load:
    """Strings to be searched, queries, and how many times RapidFuzz's speed is wanted."""

    name: str
    strings: list[str]
    queries: list[str]
    ranges: dict[int, float]
    nearest: float


def races(small: bool) -> Iterator[Race]:
    """Yield ranges and k-NN over words and over sentences."""
    for load in loads(small):
        index, built = timed(lambda load=load: ms.Index("levenshtein").fit(load.strings))
        quarter = ms.Index("levenshtein").fit(load.strings[::4])
        chosen = index.explain_choice().structure
        others = {
            key: ms.indexes()[key]("levenshtein").fit(load.strings) for key in STRUCTURES if key != chosen
        }
        scan = ms.LinearScan("levenshtein").fit(load.strings)
        for radius, target in [*load.ranges.items(), (None, load.nearest)]:
            ask = _knn if radius is None else partial(_range, radius)
            own = partial(ask, index)
            yield Race(
                load.name,
                f"{K}-NN" if radius is None else f"range {radius}",
                target,
                load.queries,
                own,
                {key: partial(ask, other) for key, other in others.items()},
                peers.edit_distances(load.strings, radius, K, JOBS),
                partial(ask, scan),
                chosen,
                {"built": built, "growth": growth(partial(ask, quarter), own, load.queries)},
            )


def _range(radius: int, index: ms.Index, queries: list[str]) -> ms.Balls:
    return index.range(queries, radius, n_jobs=JOBS)


def _knn(index: ms.Index, queries: list[str]) -> ms.Hits:
    return index.knn(queries, K, n_jobs=JOBS)


def loads(small: bool) -> Iterator[Load]:
    """Yield words and sentences."""
    count = 400 if small else None
    asked = 40 if small else 20_000
    words = workloads.words()[:count]
    yield Load(f"{len(words):,} words", words, edited(words, asked, 2), {1: 200, 2: 80, 3: 30}, 20)
    glosses = workloads.glosses()[:count]
    yield Load(f"{len(glosses):,} glosses", glosses, edited(glosses, asked // 10, 4), {8: 40}, 8)


def edited(strings: list[str], count: int, edits: int, seed: int = 0) -> list[str]:
    """Return random strings, each with so many characters exchanged for random letters."""
    rng = random.Random(seed)
    queries = []
    for _ in range(count):
        letters = list(rng.choice(strings))
        for _ in range(edits if letters else 0):
            letters[rng.randrange(len(letters))] = rng.choice(LETTERS)
        queries.append("".join(letters))
    return queries
