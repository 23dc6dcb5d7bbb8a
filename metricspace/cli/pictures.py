"""The two pictures of the demo: the embedding, and what recall costs."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

COLOURS = ("#0077bb", "#ee7733", "#009988", "#cc3311", "#aa3377", "#33bbee", "#997700", "#666677")
MARKERS = "os^Dvp"
INK = "#22252b"
MOST_POINTS = 3000  # projected
SIDE = 0.035  # of an image, where a panel is 1 wide


def draw_embedding(
    file: pathlib.Path, panels: dict[str, npt.NDArray[Any]], labels: npt.NDArray[np.int64] | None, seed: int
) -> pathlib.Path:
    """Draw projections into the plane.

    Parameters
    ----------
    file : path
        Of the PNG.
    panels : dict of str to array, shape (n, ...)
        Views of the same objects by their titles, side by side. Where one is of images, they are shown.
    labels : array, shape (n,), optional
        Classes, which are coloured; colours recur where there are many.
    seed : int
        Of the projection.
    """
    chosen = np.random.default_rng(seed).permutation(len(next(iter(panels.values()))))[:MOST_POINTS]
    images = next((view[chosen] for view in panels.values() if view.ndim > 2), None)
    figure, axes = _figure(len(panels), 6.0, 6.3)
    for axis, (title, view) in zip(axes, panels.items()):
        points = view[chosen].reshape(len(chosen), -1).astype(np.float64)
        plane = _projected(points, labels is not None, seed)
        axis.set_title(title, color=INK, fontsize=13)
        axis.axis("off")
        if labels is None:
            _by_distance(axis, plane, points)
        else:
            _by_class(axis, plane, labels[chosen], images)
        axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    if labels is not None:
        _headed(figure, f"{len(np.unique(labels))} classes never seen in training (t-SNE)")
    return _saved(figure, file)


def _projected(points: npt.NDArray[np.float64], cluster: bool, seed: int) -> npt.NDArray[np.float64]:
    """Return places in the unit square: by t-SNE where classes are to be seen, else by PCA."""
    centred = points - points.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    reduced = centred @ axes[:50].T
    if cluster and len(points) > 50:
        from sklearn.manifold import TSNE

        plane = TSNE(init="pca", perplexity=30, random_state=seed).fit_transform(reduced).astype(np.float64)
    else:
        plane = np.pad(reduced, ((0, 0), (0, max(0, 2 - reduced.shape[1]))))[:, :2]
    plane -= plane.min(axis=0)
    return np.asarray(plane / np.maximum(plane.max(axis=0), 1e-12))


def _by_distance(axis: Any, plane: npt.NDArray[np.float64], points: npt.NDArray[np.float64]) -> None:
    """Colour points by their distance to the first."""
    distances = np.linalg.norm(points - points[0], axis=1)
    drawn = axis.scatter(*plane.T, c=distances, s=9, cmap="viridis_r", linewidths=0)
    axis.plot(*plane[0], marker="*", markersize=20, color=COLOURS[3], markeredgecolor="white")
    axis.figure.colorbar(drawn, ax=axis, shrink=0.6, label="distance to the star, in all dimensions")


def _by_class(
    axis: Any, plane: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], images: npt.NDArray[Any] | None
) -> None:
    """Colour points by class; draw many images of a few classes, or one of each of many."""
    names, classes = np.unique(labels, return_inverse=True)
    few = len(names) <= len(COLOURS)
    middles = [_middle(plane, np.flatnonzero(classes == number)) for number in range(len(names))]
    bare = np.ones(len(plane), bool)
    if images is not None:
        for member in _apart(plane, np.arange(len(plane)) if few else np.array(middles), SIDE):
            _draw_image(
                axis, images[member], plane[member], COLOURS[classes[member] % len(COLOURS)] if few else INK
            )
            if few:
                bare &= np.abs(plane - plane[member]).max(axis=1) > SIDE / 2
    for number, name in enumerate(names):
        colour = COLOURS[number % len(COLOURS)]
        axis.scatter(
            *plane[(classes == number) & bare].T, s=12, color=colour, linewidths=0, alpha=0.5 if few else 0.35
        )
        if few:
            disc = {"boxstyle": "circle,pad=0.25", "facecolor": colour, "edgecolor": "white"}
            style = {"color": "white", "fontsize": 13, "fontweight": "bold", "zorder": 5, "bbox": disc}
            axis.text(*plane[middles[number]], str(name), ha="center", va="center", **style)


def _middle(plane: npt.NDArray[np.float64], members: npt.NDArray[np.int64]) -> int:
    """Return the member nearest to the middle of all."""
    middle = np.median(plane[members], axis=0)
    return int(members[np.linalg.norm(plane[members] - middle, axis=1).argmin()])


def _apart(plane: npt.NDArray[np.float64], members: npt.NDArray[np.int64], side: float) -> list[int]:
    """Return members whose images would not cover each other."""
    kept: list[int] = []
    for member in members:
        if not kept or np.abs(plane[kept] - plane[member]).max(axis=1).min() > side:
            kept.append(int(member))
    return kept


def _draw_image(axis: Any, image: npt.NDArray[Any], place: npt.NDArray[np.float64], colour: str) -> None:
    """Draw an image in its class's colour; transparent where the image is at its background."""
    from matplotlib.colors import to_rgb

    grey = image.astype(np.float64) if image.ndim == 2 else image.mean(axis=2)
    grey = (grey - grey.min()) / max(float(np.ptp(grey)), 1e-12)
    tinted = np.empty((*grey.shape, 4))
    tinted[..., :3] = to_rgb(colour)
    tinted[..., 3] = grey if np.median(grey) < 0.5 else 1 - grey
    (x, y), half = place, SIDE / 2
    axis.imshow(tinted, extent=(x - half, x + half, y - half, y + half), interpolation="bilinear", zorder=3)


def draw_recall(
    file: pathlib.Path, sweeps: dict[str, dict[str, list[tuple[float, float]]]], objects: int
) -> pathlib.Path:
    """Draw recall against the share of the scan's distances.

    Parameters
    ----------
    file : path
        Of the PNG.
    sweeps : dict of str to dict
        For "budget" and "eps", a panel each: for every structure its (share, recall).
    objects : int
        How many are indexed.
    """
    titles = {
        "budget": "with a budget of distances",
        "eps": "with distances up to 1 + eps times the true ones",
    }
    figure, axes = _figure(len(sweeps), 6.4, 4.8, sharey=True)
    for axis, (kind, curves) in zip(axes, sweeps.items()):
        least = 0.8 * min(share for curve in curves.values() for share, _ in curve)
        scan = np.geomspace(least, 1, 60)
        axis.plot(scan, scan, color="#9aa0aa", linestyle="--", zorder=1, label="a scan that\nstops early")
        for (name, curve), colour, marker in zip(curves.items(), COLOURS, MARKERS):
            points = {"marker": marker, "markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.6}
            axis.plot(*np.array(sorted(curve)).T, color=colour, linewidth=1.8, label=name, **points)
        axis.set(
            xscale="log",
            xlim=(least, 1.1),
            ylim=(0, 1.03),
            xlabel="share of the objects that a query measures",
        )
        axis.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}" if share >= 0.01 else f"{share:.1%}")
        axis.set_title(titles[kind], loc="left", color=INK, fontsize=11.5)
        axis.grid(which="major", color="#eceef2")
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("recall of the 10 nearest")
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside right center")
    _headed(figure, f"What recall costs, among {objects:,} objects: up and to the left is better")
    return _saved(figure, file)


def _figure(panels: int, width: float, height: float, **settings: Any) -> tuple[Any, Any]:
    """Return a figure that needs no display, and its axes side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * panels, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, panels, squeeze=False, **settings)[0]


def _headed(figure: Any, title: str) -> None:
    figure.suptitle(title, x=0.012, ha="left", fontsize=15, fontweight="bold", color=INK)


def _saved(figure: Any, file: pathlib.Path) -> pathlib.Path:
    figure.savefig(file, dpi=130)
    return file
