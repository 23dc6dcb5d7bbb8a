"""Draw the pictures of the pages on structures.

``python -m docs.figures [key ...]`` draws, for every structure or those named, how it divides the plane and
what one query measures; then all divisions side by side, for the gallery, and the distances that LAESA needs
over the number of its pivots. It asks the library itself, under a metric that writes down what it measures.
"""

from __future__ import annotations

import argparse
import math
import pathlib
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from scipy.spatial import cKDTree

import metricspace as ms
from benchmarks import workloads
from benchmarks.embedded import embedded

IMAGES = pathlib.Path(__file__).parent / "images" / "structures"
OBJECTS, K, SEED, PIXELS = 4000, 10, 0, 400
REGIONS = 150  # the most that are told apart
QUERY = (0.62, 0.44)
SMALL = {"leaf_size": 200, "capacity": 60, "bucket_size": 200, "pivots": 8}
"""Settings, where a structure has them, with which few enough regions are left to be seen."""
MEASURED, EXCLUDED, ANSWER = "#c2410c", "#d6d3d1", "#1d4ed8"
_WHOLE: dict[str, Any] = {"extent": (0, 1, 0, 1), "origin": "lower", "interpolation": "nearest"}

Points = npt.NDArray[np.float64]


class Watched:
    """The Euclidean distance in the plane, which writes down what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, float]] = []
        self.metric = ms.Metric(self._distance, name="plane", hilbert=True)

    def _distance(self, a: tuple[float, float], b: tuple[float, float]) -> float:
        self.asked.append(a)
        return math.dist(a, b)


def main() -> None:
    """Draw what is named on the command line, or everything."""
    parser = argparse.ArgumentParser(prog="python -m docs.figures", description=__doc__)
    parser.add_argument("keys", nargs="*", metavar="key", help=f"one of {', '.join(ms.indexes())}")
    keys = parser.parse_args().keys
    matplotlib.use("Agg")
    plt.rcParams.update({"font.size": 9, "axes.titlesize": 9, "savefig.dpi": 80, "figure.facecolor": "white"})
    IMAGES.mkdir(parents=True, exist_ok=True)
    points = clusters()
    for key in keys or drawn():
        draw(key, points)
    if not keys:
        gallery(points)
        pivots()


def drawn() -> list[str]:
    """Return the structures that take points of the plane."""
    return [key for key, structure in ms.indexes().items() if structure.suits(Watched().metric)]


def clusters() -> Points:
    """Return points of the unit square, half of them in clusters."""
    rng = np.random.default_rng(SEED)
    centres = rng.random((12, 2))
    near = centres[rng.integers(12, size=OBJECTS // 2)] + rng.normal(scale=0.05, size=(OBJECTS // 2, 2))
    points = np.concatenate([near, rng.random((4 * OBJECTS, 2))])
    return points[((points > 0) & (points < 1)).all(axis=1)][:OBJECTS]


def fitted(key: str, points: Points) -> tuple[Any, Watched]:
    """Return a structure over points, and a metric that it was built with, if it takes one of that kind."""
    structure, watched = ms.indexes()[key], Watched()
    if not structure.suits(watched.metric):
        return structure("euclidean", seed=SEED).fit(points), watched
    known = structure().params()
    settings = {name: value for name, value in SMALL.items() if name in known}
    objects = [(x, y) for x, y in points.tolist()]
    return structure(watched.metric, seed=SEED, **settings).fit(objects), watched


def draw(key: str, points: Points) -> None:
    """Draw a structure's regions, and beside them what a query measures."""
    index, watched = fitted(key, points)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 4.2), layout="constrained")
    regions(left, index, points)
    watched.asked.clear()
    hits = index.knn([QUERY], K)
    asked = np.array(watched.asked) if watched.asked else points[hits.positions[0]]  # the answer at least
    explored(right, points, asked, hits.distances[0, -1])
    right.set_title(f"{K}-NN: {int(hits.cost[0]):,} of {len(points):,} distances")
    figure.savefig(IMAGES / f"{key}.png", pil_kwargs={"optimize": True})
    plt.close(figure)


def regions(axes: Axes, index: Any, points: Points) -> None:
    """Colour the plane by the node of the nearest object, or else by how often that is measured."""
    names = names_of(index)
    _frame(axes)
    middles = (np.arange(PIXELS) + 0.5) / PIXELS
    nearest = cKDTree(points).query(np.stack(np.meshgrid(middles, middles), axis=-1))[1]
    if names.max() > 0:
        shades = np.random.default_rng(SEED).permutation(names.max() + 1)[names]
        axes.imshow(shades[nearest], cmap="turbo", **_WHOLE)
        axes.scatter(*points.T, c="black", s=0.4, linewidths=0)
        axes.set_title(f"{index.key}: {names.max() + 1:,} regions")
    else:
        axes.imshow(how_often(index, points)[nearest], cmap="YlOrBr", norm=LogNorm(0.003, 1), **_WHOLE)
        axes.set_title(f"{index.key}: how often each is measured")


def names_of(index: Any) -> npt.NDArray[np.int64]:
    """Return a number for the region of each object: its node, or one so high above that few are left."""
    anatomy = index._anatomy()
    homes, levels = anatomy.homes[index._slots], anatomy.levels
    names = np.unique(homes, return_inverse=True)[1]
    for level in range(int(levels.max(initial=0)), 0, -1):
        if names.max() < REGIONS:
            break
        homes = np.where(levels[homes] >= level, anatomy.parents[homes], homes)
        names = np.unique(homes, return_inverse=True)[1]
    return names


def how_often(index: Any, points: Points, queries: int = 200) -> Points:
    """Return the share of some queries that measure each object, more than that of none."""
    watched = Watched()
    again = type(index)(**index.params() | {"metric": watched.metric})
    again.fit([(x, y) for x, y in points.tolist()])
    watched.asked.clear()
    again.knn([(x, y) for x, y in np.random.default_rng(1).random((queries, 2)).tolist()], K)
    place = {point: i for i, point in enumerate(map(tuple, points.tolist()))}
    counts = np.bincount([place[a] for a in watched.asked], minlength=len(points))
    return np.clip(counts / queries, 0.003, 1)


def explored(axes: Axes, points: Points, asked: Points, radius: float) -> None:
    """Draw which objects a query measured, and the ball of its answer."""
    _frame(axes)
    axes.scatter(*points.T, c=EXCLUDED, s=4, linewidths=0)
    axes.scatter(*asked.T, c=MEASURED, s=6, linewidths=0)
    axes.add_patch(plt.Circle(QUERY, radius, fill=False, color=ANSWER, linewidth=1.2))
    axes.plot(*QUERY, "+", color=ANSWER)


def _frame(axes: Axes) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], aspect="equal")


def gallery(points: Points) -> None:
    """Draw the regions of every structure side by side."""
    keys, columns = drawn(), 5
    lines = -(-len(keys) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(2.4 * columns, 2.6 * lines), layout="constrained")
    for axis, key in zip(axes.ravel(), keys):
        regions(axis, fitted(key, points)[0], points)
        axis.set_title(key)
    for axis in axes.ravel()[len(keys) :]:
        axis.axis("off")
    figure.savefig(IMAGES / "gallery.png", pil_kwargs={"optimize": True})
    plt.close(figure)


def pivots(objects: int = 10_000, queries: int = 200) -> None:
    """Draw the distances that LAESA needs over the number of pivots: fewer at first, then the pivots' own."""
    learned = ("learned embedding", "euclidean", embedded().vectors)
    counts = (2, 4, 8, 16, 32, 64, 128, 256)
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for name, metric, data in (learned, *workloads.every()[:1], *workloads.every()[3:4]):
        load = workloads.divided(name, metric, data, min(objects, len(data) - queries), queries)
        costs = [
            ms.LAESA(metric, pivots=count, seed=SEED).fit(load.objects).knn(load.queries, K).cost.mean()
            for count in counts
        ]
        axes.loglog(counts, costs, "o-", markersize=3, label=f"{name}, {metric}")
    axes.set(xlabel="pivots", ylabel=f"distances for {K}-NN, of {objects:,}")
    axes.legend(frameon=False)
    figure.savefig(IMAGES / "laesa-pivots.png", pil_kwargs={"optimize": True})
    plt.close(figure)


if __name__ == "__main__":
    main()
