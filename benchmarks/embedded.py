"""A frozen learned embedding of Fashion-MNIST: made once by the trainer with a fixed recipe, then kept."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import workloads
from benchmarks.report import RESULTS

KEPT = RESULTS / "embedded"
"""Where embeddings are kept; git ignores them."""


@dataclasses.dataclass(frozen=True)
class Embedded:
    """Vectors, and in words where they come from.

    Attributes
    ----------
    vectors : float32, shape (n, 64)
        Images, embedded.
    queries : float32, shape (m, 64)
        Other images, embedded alike.
    about : str
        The data, with recall@1 on classes or images that were not trained on, and the intrinsic dimension ρ
        of `vectors`.
    """

    vectors: npt.NDArray[np.float32]
    queries: npt.NDArray[np.float32]
    about: str


def embedded(name: str = "fashion") -> Embedded:
    """Return an embedding that was kept, or make it; where there are no images, generated vectors.

    Parameters
    ----------
    name : {"fashion", "omniglot"}
        Images of clothes, or of handwritten characters.
    """
    file = KEPT / f"{name}.npz"
    if file.exists():
        with np.load(file) as kept:
            return Embedded(kept["vectors"], kept["queries"], str(kept["about"]))
    made = {"fashion": _fashion, "omniglot": _omniglot}[name]()
    if made is None:
        vectors = workloads.like_learned(61_000)
        return Embedded(vectors[:60_000], vectors[60_000:], "generated in clusters, as there are no images")
    KEPT.mkdir(parents=True, exist_ok=True)
    np.savez(file, vectors=made.vectors, queries=made.queries, about=made.about)
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


def _fashion() -> Embedded | None:
    """Train on all ten classes, which takes about a minute on two cores, and embed the training images."""
    from embeddings import Trainer, evaluation, indexability

    found = _images()
    if found is None:
        return None
    images, labels, test, test_labels = found
    images, test = (given.reshape(-1, 28, 28) for given in (images, test))
    model = Trainer.for_images(
        images, dim=64, seed=0, classes_per_batch=10, items_per_class=12, epochs=10, batches_per_epoch=100
    ).fit(images, labels)
    vectors, queries = model.embed(images), model.embed(test)
    recall = evaluation.recall(queries, test_labels)
    rho = indexability.intrinsic_dimension(vectors)
    return Embedded(
        vectors,
        queries,
        f"{len(vectors):,} images of Fashion-MNIST under a learned embedding into 64 dimensions "
        f"(recall@1 {recall:.3f} on {len(test):,} test images, ρ {rho:.1f})",
    )


OMNIGLOT = "omniglot_background_28.npz"
TRAINED_ALPHABETS = 24  # of thirty
DRAWN = 10_000  # queries, as many as Fashion-MNIST has


def _omniglot() -> Embedded | None:
    """Train on the first 24 alphabets, which takes about a minute, and embed the characters of all thirty.

    Queries are characters drawn once more: shifted, turned and stretched a little.
    """
    from embeddings import Trainer, evaluation, indexability
    from embeddings.arrays import as_tensor
    from embeddings.augmentation import RandomAffine

    file = workloads.DATA / OMNIGLOT
    if not file.exists():
        return None
    with np.load(file) as held:
        images, labels, alphabets = held["images"], held["labels"], held["alphabet"]
    trained = alphabets < TRAINED_ALPHABETS
    model = Trainer.for_images(images, dim=64, seed=0, epochs=10, batches_per_epoch=100).fit(
        images[trained], labels[trained]
    )
    vectors = model.embed(images)
    recall = evaluation.recall(vectors[~trained], labels[~trained])
    rho = indexability.intrinsic_dimension(vectors)
    rng = np.random.default_rng(0)
    some = as_tensor(images[np.sort(rng.permutation(len(images))[:DRAWN])], "cpu")
    drawn = RandomAffine()(some, rng)[:, 0].numpy()
    return Embedded(
        vectors,
        model.embed(drawn),
        f"{len(vectors):,} characters of Omniglot's background set under a learned embedding into 64 "
        f"dimensions (recall@1 {recall:.3f} on the alphabets not trained on, ρ {rho:.1f})",
    )
