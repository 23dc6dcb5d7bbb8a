"""Hausdorff distance on the ink of handwritten characters, beside SciPy."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import directed_hausdorff

import metricspace as ms
from benchmarks.distances.pairs import row_of
from benchmarks.runner import alternate
from benchmarks.workloads import DATA

QUERIES, OBJECTS, TARGET = 20, 300, 5.0

Points = npt.NDArray[np.float64]


def rows(small: bool = False) -> list[dict[str, Any]]:
    """Time the distances of the same pairs."""
    queries, objects = (3, 10) if small else (QUERIES, OBJECTS)
    sets, name = _ink(queries + objects, small)
    asked, stored = sets[:queries], sets[queries:]
    metric = ms.metric("hausdorff")
    own, peers = metric.pairwise(asked, stored), by_scipy(asked, stored)
    if not np.allclose(own, peers, rtol=1e-15, atol=0):
        raise AssertionError("the distances differ from those of SciPy")
    seconds = alternate(
        {"own": partial(metric.pairwise, asked, stored), "peer": partial(by_scipy, asked, stored)},
        rounds=1 if small else 5,
    )
    peer = "scipy directed_hausdorff, both ways"
    return [row_of("hausdorff, euclidean", name, peer, seconds["own"], seconds["peer"], own.size, TARGET)]


def by_scipy(asked: list[Points], stored: list[Points]) -> Points:
    """Return the greater of the two directed distances of each pair."""
    return np.array(
        [[max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0]) for b in stored] for a in asked]
    )


def _ink(count: int, small: bool) -> tuple[list[Points], str]:
    """Return sets of points in float64, as SciPy takes them, and what they are."""
    random = np.random.default_rng(0)
    path = DATA / "omniglot_background_28.npz"
    if path.exists() and not small:
        with np.load(path) as held:
            images = held["images"]
        chosen = random.permutation(len(images))[:count]
        sets = [np.argwhere(images[i] > 127).astype(np.float64) for i in chosen]
        points = np.mean([len(one) for one in sets])
        return sets, f"Omniglot, {points:.0f} pixels of ink in the mean"
    sets = [random.integers(0, 28, (random.integers(5, 15), 2)).astype(np.float64) for _ in range(count)]
    return sets, "random points of a grid"
