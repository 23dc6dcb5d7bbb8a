"""Items with their classes, and their division into classes to learn from and classes never seen.

Items are an array, or read from files on demand (:class:`embeddings.data.ImageFiles`): both have ``shape``,
``dtype`` and ``len``, give an array for positions, and ``take`` some of themselves.
"""

import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embeddings.errors import InputError

ARRAYS = ("images", "vectors", "labels", "alphabet", "class_names")


@dataclass(frozen=True)
class Dataset:
    """Items with what is known of them.

    Attributes
    ----------
    items : array of shape (n, h, w), (n, h, w, c) or (n, dim), or ImageFiles
        Images or vectors.
    labels : array of shape (n,) or None
        The class of each item.
    alphabet : array of shape (n,) or None
        The group of classes that each item belongs to.
    names : tuple of str or None
        What class 0, 1, ... is called.
    """

    items: Any
    labels: npt.NDArray[np.int64] | None = None
    alphabet: npt.NDArray[np.int64] | None = None
    names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Split:
    """Training and test items.

    Attributes
    ----------
    train_images, test_images : array of images (or vectors), or ImageFiles
    train_labels, test_labels : array of int64
    """

    train_images: Any
    train_labels: npt.NDArray[np.int64]
    test_images: Any
    test_labels: npt.NDArray[np.int64]

    @property
    def train(self) -> Dataset:
        """The training side; ``zero_shot(split.train, 0.1)`` sets a tenth of its classes aside."""
        return Dataset(self.train_images, self.train_labels)

    @property
    def test(self) -> Dataset:
        """The test side."""
        return Dataset(self.test_images, self.test_labels)


def read_npz(path: str | os.PathLike[str]) -> Dataset:
    """Read a data set from an ``.npz`` file.

    Parameters
    ----------
    path : path
        Holds ``images`` (n, h, w[, c]) and ``labels`` (n,), or ``vectors`` (n, dim) with or without
        ``labels``; and perhaps ``alphabet`` (n,), one group number for each item, and ``class_names``.

    Raises
    ------
    InputError
        If the file cannot be read, lacks these arrays, or their shapes disagree.
    """
    try:
        with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            known = {name: file[name] for name in ARRAYS if name in file}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is not a readable .npz file: {error}") from error
    items = known.get("images", known.get("vectors"))
    if items is None or ("images" in known and "labels" not in known):
        raise InputError(f"{path} needs images and labels, or vectors; it holds {sorted(known)}")
    if items.ndim not in ((3, 4) if "images" in known else (2,)):
        raise InputError(
            f"images have shape (n, h, w[, c]) and vectors (n, dim), but {path} holds {items.shape}"
        )
    for name in ("labels", "alphabet"):
        if name in known and (known[name].shape != (len(items),) or known[name].dtype.kind not in "iu"):
            raise InputError(f"{name} in {path} must be {len(items)} integers, not {known[name].shape}")
    numbers = {name: known[name].astype(np.int64) for name in ("labels", "alphabet") if name in known}
    names = tuple(known["class_names"].astype(str).tolist()) if "class_names" in known else None
    return Dataset(items, names=names, **numbers)


def load_digits() -> Dataset:
    """Load scikit-learn's handwritten digits: 1,797 images of 8 × 8 in [0, 1], ten classes, no download."""
    from sklearn import datasets

    digits = datasets.load_digits()
    return Dataset((digits.images / 16).astype(np.float32), digits.target.astype(np.int64))


def zero_shot(data: Dataset, share: float | None = None) -> Split:
    """Divide a data set by class, so that no test class is ever trained on.

    Where the data set knows alphabets, whole alphabets are set aside, otherwise classes: the last ones. To
    choose among models, set some of the *training* classes aside in the same way, and leave the test alone.

    Parameters
    ----------
    data : Dataset
    share : float, optional
        Share of the alphabets or classes to test on, rounded down; by default a fifth of the alphabets (of
        Omniglot's thirty: 24 to 29) or half of the classes (digits: 5 to 9).

    Raises
    ------
    InputError
        If there are no labels, or too few classes for both sides.
    """
    if data.labels is None:
        raise InputError("a split by class needs labels")
    groups = data.labels if data.alphabet is None else data.alphabet
    share = (0.5 if data.alphabet is None else 0.2) if share is None else share
    names = np.unique(groups)
    seen = len(names) - int(len(names) * share)
    if not 0 < seen < len(names):
        raise InputError(f"{len(names)} classes or alphabets are too few to set {share:g} of them aside")
    train = np.isin(groups, names[:seen])
    here, there = np.flatnonzero(train), np.flatnonzero(~train)
    split = Split(
        data.items.take(here, axis=0), data.labels[here], data.items.take(there, axis=0), data.labels[there]
    )
    if np.isin(split.test_labels, split.train_labels).any():
        raise InputError("a class occurs in alphabets on both sides of the split: number the classes apart")
    return split
