"""Distances that predicates cost: their queries one after the other, and together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

import metricspace as ms
from benchmarks import workloads
from benchmarks.report import Result
from metricspace.queries.complex import Known, Predicate

STRUCTURES = ("vptree", "mtree", "laesa", "ghtree")
MOST = 1.1  # times what the queries cost one after the other
DISJOINT = 10  # distances in the VP-tree for balls that have nothing in common

PLACES = {
    "Paris": (48.857, 2.352),
    "Brussels": (50.850, 4.352),
    "London": (51.507, -0.128),
    "Rome": (41.903, 12.496),
}
All, Any_, Not, near = ms.All, ms.Any, ms.Not, ms.Within
WORDS = (
    All(near("restart", 3), near("retract", 3)),
    All(near("restart", 2), near("retract", 4)),
    All(near("house", 3), near("mouses", 3), near("horse", 3)),
    All(near("restart", 3), Not(near("retract", 3))),
    Any_(near("restart", 3), near("retract", 3)),
    Any_(near("house", 2), All(near("restart", 3), near("retract", 3))),
)
FAR_APART = All(near("Paris", 300), near("Rome", 300))
CITIES = (
    All(near("Paris", 300), near("Brussels", 200)),
    All(near("Paris", 500), near("London", 500)),
    All(near("Paris", 500), near("London", 500), Not(near("Brussels", 200))),
    All(
        Any_(near("Paris", 300), near("Brussels", 200)),
        Any_(near("London", 500), near("Rome", 300)),
    ),
    FAR_APART,
    All(near("Paris", 500), Not(near("Paris", 300))),
    Any_(near("Paris", 300), near("Rome", 300)),
    Not(near("Paris", 3000)),
)


def run(objects: int | None = None) -> Result:
    """Ask for what is near to several words, and to several cities, among at most so many objects."""
    words = [word for word in workloads.words() if word.isalpha()][::5][:objects]
    cities = workloads.cities()[::3][:objects]
    kilometres = ms.metric("haversine", unit="degrees", radius=6371.0)
    found = {
        **asked("levenshtein", words, WORDS, lambda word: word),
        **asked(kilometres, cities, CITIES, lambda name: np.array(PLACES[name])),
    }
    worst = max(together / apart for _, costs in found.values() for apart, together in costs.values())
    disjoint = found[shown(FAR_APART)][1]["vptree"][1]
    return Result(
        f"Distances computed, the queries being asked one after the other → together. {len(words):,} words "
        f"under Levenshtein; {len(cities):,} cities under haversine, radii in kilometres.",
        [
            {"predicate": name, "found": count}
            | {key: f"{apart:,} → {together:,}" for key, (apart, together) in costs.items()}
            for name, (count, costs) in found.items()
        ],
        {
            f"balls that are far apart: at most {DISJOINT} distances in the VP-tree; {disjoint}": (
                disjoint <= DISJOINT
            ),
            f"at most {MOST} times what the queries cost one after the other; {worst:.2f}": worst <= MOST,
        },
    )


def asked(
    metric: Any, objects: Any, predicates: tuple[Predicate, ...], query: Callable[[str], Any]
) -> dict[str, tuple[int, dict[str, tuple[int, int]]]]:
    """Return for each predicate how much was found, and by structure its cost in order and together."""
    indexes = {key: ms.indexes()[key](metric, seed=0).fit(objects) for key in STRUCTURES}
    found = {}
    for named in predicates:
        predicate, costs = about(named, query), {}
        for key, index in indexes.items():
            with mock.patch.object(Known, "_spare_each_other", return_value=False):
                apart = index.where(predicate)
            together = index.where(predicate)
            assert (together.positions == apart.positions).all()
            costs[key] = apart.cost, together.cost
        found[shown(named)] = len(together), costs
    return found


def about(predicate: Predicate, query: Callable[[str], Any]) -> Predicate:
    """Return a predicate on names as one on the objects that they name."""
    if isinstance(predicate, ms.Within):
        return ms.Within(query(predicate.query), predicate.radius)
    if isinstance(predicate, ms.Not):
        return ms.Not(about(predicate.part, query))
    assert isinstance(predicate, (ms.All, ms.Any))
    return type(predicate)(*(about(part, query) for part in predicate.parts))


def shown(predicate: Predicate) -> str:
    """Return a predicate on names in words."""
    if isinstance(predicate, ms.Within):
        return f"{predicate.query} {predicate.radius:g}"
    parts = [predicate.part] if isinstance(predicate, ms.Not) else predicate.parts  # type: ignore[attr-defined]
    return f"{type(predicate).__name__}({', '.join(map(shown, parts))})"
