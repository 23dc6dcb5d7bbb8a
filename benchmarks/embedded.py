"""A frozen learned embedding of Fashion-MNIST: made once by the trainer with a fixed recipe, then kept."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import workloads
from benchmarks.report import RESULTS

KEPT = RESULTS / "embedded.npz"
"""Where the embedding is kept; git ignores it."""


@dataclasses.dataclass(frozen=True)
class Embedded:
    """Vectors, and in words where they come from.

    Attributes
    ----------
    vectors : float32, shape (n, 64)
        The training images, embedded.
    about : str
        The data, with recall@1 on the test images and the intrinsic dimension ρ of `vectors`.
    """

    vectors: npt.NDArray[np.float32]
    about: str


def embedded() -> Embedded:
    """Return the embedding that was kept, or make it; where there are no images, generated vectors."""
    if KEPT.exists():
        with np.load(KEPT) as kept:
            return Embedded(kept["vectors"], str(kept["about"]))
    found = _images()
    if found is None:
        return Embedded(workloads.like_learned(60_000), "generated in clusters, as there are no images")
    made = _trained(*found)
    KEPT.parent.mkdir(exist_ok=True)
    np.savez(KEPT, vectors=made.vectors, about=made.about)
    return made


def _images() -> tuple[Any, Any, Any, Any] | None:
    """Return images and labels to train on, then to test on, if there are any."""
    from embeddings import data  # only to make the vectors, as below

    if data.idx.DEBIAN.is_dir():
        split = data.fashion_mnist()
        return split.train_images, split.train_labels, split.test_images, split.test_labels
    kept = workloads.DATA / "fashion_mnist_25k.npz"
    if not kept.exists():
        return None
    with np.load(kept) as held:
        return held["base"], held["base_labels"], held["query"], held["query_labels"]


def _trained(images: Any, labels: Any, test: Any, test_labels: Any) -> Embedded:
    """Train on all ten classes, which takes about a minute on two cores, and embed the training images."""
    from embeddings import Trainer, evaluation, indexability

    images, test = (given.reshape(-1, 28, 28) for given in (images, test))
    model = Trainer.for_images(
        images, dim=64, seed=0, classes_per_batch=10, items_per_class=12, epochs=10, batches_per_epoch=100
    ).fit(images, labels)
    vectors = model.embed(images)
    recall = evaluation.recall(model.embed(test), test_labels)
    rho = indexability.intrinsic_dimension(vectors)
    return Embedded(
        vectors,
        f"{len(vectors):,} images of Fashion-MNIST under a learned embedding into 64 dimensions "
        f"(recall@1 {recall:.3f} on {len(test):,} test images, ρ {rho:.1f})",
    )
