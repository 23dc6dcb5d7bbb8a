"""The shipped preset for Omniglot under several losses: what is learned, and what it is then to search."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.workloads import DATA

FILE = DATA / "omniglot_background_28.npz"
LOSSES = ("lifted", "contrastive", "triplet")
STRUCTURES = (
    "vptree",
    "mvptree",
    "ghtree",
    "gnat",
    "sat",
    "mtree",
    "covertree",
    "clusters",
    "laesa",
    "aesa",
)
TARGET, MINUTES, SHARE = 0.9, 10, 0.5
ABOUT = (
    "Then the preset for Omniglot under several losses: trained on alphabets 0 to 23, measured on all "
    "characters of 24 to 29, each of which asks for its 10 nearest others; beside the pixels themselves."
)


def rows(
    losses: Sequence[str] = LOSSES,
    path: pathlib.Path = FILE,
    structures: Sequence[str] = STRUCTURES,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Train on alphabets 0 to 23 under each loss, and measure on all characters of 24 to 29.

    Parameters
    ----------
    losses : sequence of str
        Names of losses, each with its defaults.
    path : path
        The images; without them there is nothing to measure.
    structures : sequence of str
        What searches for the 10 nearest of each image among all others.
    **settings
        Of the preset.

    Returns
    -------
    list of dict
        The first row is that of the pixels.
    """
    if not path.exists():
        return []
    from embeddings import losses as known
    from embeddings import omniglot, presets, with_symmetries, zero_shot

    split = zero_shot(omniglot(path))
    learned = with_symmetries(split.train_images, split.train_labels)
    unseen, labels = split.test_images, split.test_labels
    pixels = unseen.reshape(len(unseen), -1).astype(np.float32) / 255
    found = [{"embedding": "pixels", "CPU minutes": None, **measured(pixels, labels, structures)}]
    for name in losses:
        started = time.process_time()
        model = presets.omniglot(loss=known.build({"name": name}), **settings).fit(*learned, progress=False)
        minutes = (time.process_time() - started) / 60
        row = measured(model.embed(unseen), labels, structures)
        found.append({"embedding": name, "CPU minutes": minutes, **row})
    return found


def measured(vectors: Any, labels: Any, structures: Sequence[str]) -> dict[str, Any]:
    """Return how well classes are told apart, ρ, and what searches compute, as a share of a scan."""
    from embeddings import evaluate, indexability

    scores = evaluate(vectors, labels, ks=(1, 4))
    report = indexability.report(vectors, labels, sample=len(vectors), structures=structures, k=10)
    kept = {name: scores[name] for name in ("recall@1", "recall@4", "map@r", "nmi")}
    searches = {f"{name}, of a scan": report[f"distances_{name}"] / report["searched"] for name in structures}
    return {**kept, "ρ": report["rho"], "ρ within classes": report["rho_within"], **searches}


def verdicts(rows: Sequence[dict[str, Any]]) -> dict[str, bool]:
    """Return the targets in words, for the shipped loss, with what was reached, and whether it was."""
    found = {row["embedding"]: row for row in rows}
    if "lifted" not in found:
        return {}
    ours, pixels = found["lifted"], found["pixels"]
    reached, minutes = ours["recall@1"], ours["CPU minutes"]
    said = {
        f"Omniglot, unseen alphabets: recall@1 of at least {TARGET} within {MINUTES} minutes of CPU; "
        f"reached {reached:.3f} in {minutes:.1f}": reached >= TARGET and minutes <= MINUTES
    }
    for name in (column for column in ours if column.endswith("of a scan")):
        share = ours[name] / pixels[name]
        structure = name.partition(",")[0]
        said[
            f"Omniglot, 10-NN by {structure}: at most half the distances that it computes on pixels; "
            f"reached {share:.2f}"
        ] = share <= SHARE
    return said
