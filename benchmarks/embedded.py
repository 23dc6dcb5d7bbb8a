"""A frozen learned embedding of Fashion-MNIST: made once by the trainer with a fixed recipe, then kept."""

from __future__ import annotations

import dataclasses
import gzip
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import workloads
from benchmarks.report import RESULTS

DEBIAN = pathlib.Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts the images."""

KEPT = RESULTS / "embedded.npz"
"""Where the embedding is kept; git ignores it."""
_IDX_HEADER = {"images": 16, "labels": 8}  # bytes before the pixels and before the labels


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
    if DEBIAN.is_dir():
        parts = [_idx(part, what) for part in ("train", "t10k") for what in ("images", "labels")]
        return parts[0], parts[1], parts[2], parts[3]
    kept = workloads.DATA / "fashion_mnist_25k.npz"
    if not kept.exists():
        return None
    with np.load(kept) as held:
        return held["base"], held["base_labels"], held["query"], held["query_labels"]


def _idx(part: str, what: str) -> npt.NDArray[np.uint8]:
    dimensions = {"images": 3, "labels": 1}[what]
    packed = (DEBIAN / f"{part}-{what}-idx{dimensions}-ubyte.gz").read_bytes()
    return np.frombuffer(gzip.decompress(packed), np.uint8, offset=_IDX_HEADER[what])


def _trained(images: Any, labels: Any, test: Any, test_labels: Any) -> Embedded:
    """Train on all ten classes, which takes about a minute on two cores, and embed the training images."""
    from embeddings import Trainer, evaluation, indexability  # only to make the vectors

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
