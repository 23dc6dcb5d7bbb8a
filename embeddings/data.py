"""Data sets, and their division into classes to learn from and classes never seen."""

import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embeddings.errors import InputError


@dataclass(frozen=True)
class Dataset:
    """Items with what is known of them.

    Attributes
    ----------
    items : array of shape (n, h, w), (n, h, w, c) or (n, dim)
        Images or vectors.
    labels : array of shape (n,) or None
        The class of each item.
    alphabet : array of shape (n,) or None
        The group of classes that each item belongs to.
    """

    items: npt.NDArray[Any]
    labels: npt.NDArray[np.int64] | None = None
    alphabet: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Split:
    """Training and test items without a class in common.

    Attributes
    ----------
    train_images, test_images : array of images (or vectors)
    train_labels, test_labels : array of int64
    """

    train_images: npt.NDArray[Any]
    train_labels: npt.NDArray[np.int64]
    test_images: npt.NDArray[Any]
    test_labels: npt.NDArray[np.int64]


def read_npz(path: str | os.PathLike[str]) -> Dataset:
    """Read a data set from an ``.npz`` file.

    Parameters
    ----------
    path : path
        Holds ``images`` (n, h, w[, c]) and ``labels`` (n,), or ``vectors`` (n, dim) with or without
        ``labels``; and perhaps ``alphabet`` (n,), one group number for each item.

    Raises
    ------
    InputError
        If the file cannot be read, lacks these arrays, or their shapes disagree.
    """
    try:
        with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            known = {name: file[name] for name in ("images", "vectors", "labels", "alphabet") if name in file}
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
    return Dataset(items, **numbers)


def load_digits() -> Dataset:
    """Load scikit-learn's handwritten digits: 1,797 images of 8 × 8 in [0, 1], ten classes, no download."""
    from sklearn import datasets

    digits = datasets.load_digits()
    return Dataset((digits.images / 16).astype(np.float32), digits.target.astype(np.int64))


def zero_shot(data: Dataset) -> Split:
    """Divide a data set by class, so that no test class is ever trained on.

    Where the data set knows alphabets, the last fifth of the alphabets is the test set (of Omniglot's thirty:
    24 to 29). Otherwise the first half of the classes, the middle one included, trains and the rest tests
    (digits: 0–4 and 5–9).

    Raises
    ------
    InputError
        If there are no labels, or too few classes for both sides.
    """
    if data.labels is None:
        raise InputError("a split by class needs labels")
    groups = data.labels if data.alphabet is None else data.alphabet
    names = np.unique(groups)
    seen = (len(names) + 1) // 2 if data.alphabet is None else len(names) - len(names) // 5
    if not 0 < seen < len(names):
        raise InputError(f"{len(names)} classes or alphabets are too few to set some aside for the test")
    train = np.isin(groups, names[:seen])
    split = Split(data.items[train], data.labels[train], data.items[~train], data.labels[~train])
    if np.isin(split.test_labels, split.train_labels).any():
        raise InputError("a class occurs in alphabets on both sides of the split: number the classes apart")
    return split
