"""Looking for counterexamples to the laws of a metric on a sample of objects."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import MetricFailed, NotAMetric
from .laws import Metric, metric


@dataclasses.dataclass(frozen=True)
class LawReport:
    """Which laws hold on a sample.

    Attributes
    ----------
    holds : dict of str to bool
        For each law, and for "symmetry", whether it holds on the whole sample.
    counterexamples : dict of str to tuple
        For each law that fails, the positions in the sample of the objects that break it.
    missing : tuple of str
        The laws that the metric declares and the sample breaks.
    """

    holds: dict[str, bool]
    counterexamples: dict[str, tuple[int, ...]]
    missing: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether all that the metric declares holds."""
        return not self.missing


def check_metric(
    given: str | Metric | Callable[[Any, Any], float], sample: Any, *, tolerance: float = 1e-9
) -> LawReport:
    """Look for counterexamples to the laws of a metric in a sample of objects.

    All pairs, triples and (of the first 24 objects) quadruples are tried, so a sample of 20 to 100
    varied objects is best. That no counterexample is found proves nothing beyond the sample.

    Parameters
    ----------
    given : str, Metric or callable
        The metric, as for an index.
    sample : batch of objects
        Objects of the kind that will be indexed, at least one.
    tolerance : float
        How far a law may be broken by rounding, relative to the greatest distance of the sample.

    Returns
    -------
    LawReport
        True if all declared laws hold. Laws that hold without being declared are worth declaring.
    """
    checked = metric(given)
    try:
        d = checked.pairwise(sample)
    except MetricFailed as error:
        raise NotAMetric(f"{checked.name} is no distance on this sample: {error}") from error
    slack = tolerance * float(d.max(initial=0.0))
    found: dict[str, tuple[int, ...] | None] = {
        "symmetry": _worst(np.abs(d - d.T), slack),
        "identity": _broken_identity(d, slack),
        "triangle": _broken_triangle(d, slack),
        **_broken_quadruples(d[:24, :24], tolerance),
        "hilbert": _broken_hilbert(d, tolerance),
    }
    declared = ("symmetry", *checked.laws)
    return LawReport(
        holds={law: broken is None for law, broken in found.items()},
        counterexamples={law: broken for law, broken in found.items() if broken is not None},
        missing=tuple(law for law in declared if found[law] is not None),
    )


def _worst(excess: npt.NDArray[np.float64], slack: float) -> tuple[int, ...] | None:
    """Return where the excess is greatest, if it is beyond the slack."""
    if excess.size == 0 or excess.max() <= slack:
        return None
    return tuple(int(i) for i in np.unravel_index(int(excess.argmax()), excess.shape))


def _broken_identity(d: npt.NDArray[np.float64], slack: float) -> tuple[int, ...] | None:
    """Return an object at a distance from itself, or two different ones at distance 0.

    Two objects are taken to be different when some third object is not at the same distance from both.
    """
    on_diagonal = np.flatnonzero(np.diagonal(d) > slack)
    if len(on_diagonal):
        return (int(on_diagonal[0]), int(on_diagonal[0]))
    for i, j in zip(*np.nonzero(np.triu(d == 0, 1)), strict=True):
        if np.abs(d[i] - d[j]).max() > slack:
            return (int(i), int(j))
    return None


def _broken_triangle(d: npt.NDArray[np.float64], slack: float) -> tuple[int, ...] | None:
    worst = None
    for k in range(len(d)):
        excess = d - (d[:, k : k + 1] + d[k : k + 1, :])
        if (found := _worst(excess, slack)) is not None:
            worst, slack = (found[0], k, found[1]), float(excess.max())
    return worst


def _broken_quadruples(d: npt.NDArray[np.float64], tolerance: float) -> dict[str, tuple[int, ...] | None]:
    four = np.array(list(itertools.combinations(range(len(d)), 4)), np.int64).reshape(-1, 4)
    if len(four) == 0:
        return {"ptolemaic": None, "four_point": None}
    a, b, c, e = four.T
    scale = float(d.max()) or 1.0
    products = np.stack([d[a, b] * d[c, e], d[a, c] * d[b, e], d[a, e] * d[b, c]]) / scale**2
    ptolemaic = 2 * products.max(axis=0) - products.sum(axis=0)
    square = (d[four[:, :, None], four[:, None, :]] / scale) ** 2
    gram = (square[:, 1:, :1] + square[:, :1, 1:] - square[:, 1:, 1:]) / 2
    four_point = -np.linalg.eigvalsh(gram)[:, 0]
    return {
        law: None if (where := _worst(excess, 16 * tolerance)) is None else tuple(four[where[0]].tolist())
        for law, excess in (("ptolemaic", ptolemaic), ("four_point", np.asarray(four_point, np.float64)))
    }


def _broken_hilbert(d: npt.NDArray[np.float64], tolerance: float) -> tuple[int, ...] | None:
    """Return all objects, if their Gram matrix about the first has a negative eigenvalue."""
    if len(d) < 2:
        return None
    square = (d / (float(d.max()) or 1.0)) ** 2
    gram = (square[1:, :1] + square[:1, 1:] - square[1:, 1:]) / 2
    if np.linalg.eigvalsh(gram)[0] >= -16 * tolerance * len(d):
        return None
    return tuple(range(len(d)))


def check_scale(
    indexed: str | Metric | Callable[[Any, Any], float],
    asked: str | Metric | Callable[[Any, Any], float],
    sample: Any,
) -> float:
    """Return the least scale with which a sample can be searched by one metric, indexed by another.

    That is the greatest ratio of the distance under `indexed` to that under `asked`. Beyond the sample
    the ratio may be greater.

    Parameters
    ----------
    indexed, asked : str, Metric or callable
        The metric of the index, and the metric of the query; see ``knn(metric=..., scale=...)``.
    sample : batch of objects
        Objects that both metrics take.

    Returns
    -------
    float
        Infinity if two objects differ under `indexed` and are at distance 0 under `asked`.
    """
    of_index, of_query = (metric(given).pairwise(sample) for given in (indexed, asked))
    apart = of_index > 0
    with np.errstate(divide="ignore"):
        return float((of_index[apart] / of_query[apart]).max(initial=0.0))
