"""The three data sets of the paper, as they are published, divided by class as everyone divides them.

Each loader reads the unpacked archive, and decodes the images when they are asked for. It checks the numbers
of images and classes, because a set that lacks some gives results that compare with nothing.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embeddings.data import archives
from embeddings.data.base import Split
from embeddings.data.folders import ImageFiles
from embeddings.errors import InputError

Labels = npt.NDArray[np.int64]


class Counts(NamedTuple):
    """How much is published."""

    train_images: int
    train_classes: int
    test_images: int
    test_classes: int


CUB = Counts(5_864, 100, 5_924, 100)
CARS = Counts(8_054, 98, 8_131, 98)
PRODUCTS = Counts(59_551, 11_318, 60_502, 11_316)


def cub200(
    path: str | os.PathLike[str], shape: tuple[int, ...] = (224, 224, 3), *, complete: bool = True
) -> Split:
    """Read CUB-200-2011: 11,788 images of 200 kinds of birds; the first 100 kinds train, the others test.

    Parameters
    ----------
    path : path
        The folder ``CUB_200_2011`` of the archive: ``images.txt``, ``image_class_labels.txt`` and ``images``.
    shape : (h, w) or (h, w, 3), default (224, 224, 3)
        What each image is scaled and cut to; the boxes about the birds are not used.
    complete : bool, default True
        Refuse anything but the published numbers of images and classes.

    Returns
    -------
    Split
        Labels are the published ones, 1 to 200.

    Raises
    ------
    InputError
        If files are missing, cannot be understood or, unless ``complete`` is false, are too few or too many.

    References
    ----------
    Wah, Branson, Welinder, Perona, Belongie: The Caltech-UCSD Birds-200-2011 Dataset, CNS-TR-2011-001, 2011.
    """
    root = Path(path)
    names = dict(table(root / "images.txt", 2, archives.CUB))
    classes = dict(table(root / "image_class_labels.txt", 2, archives.CUB))
    if names.keys() != classes.keys():
        raise InputError(f"images.txt and image_class_labels.txt in {root} name different images")
    labels = whole_numbers([classes[image] for image in names], root / "image_class_labels.txt")
    files = [root / "images" / name for name in names.values()]
    return divided(files, labels, labels <= 100, shape, CUB if complete else None, archives.CUB)


def cars196(
    path: str | os.PathLike[str], shape: tuple[int, ...] = (224, 224, 3), *, complete: bool = True
) -> Split:
    """Read Cars196: 16,185 images of 196 models of cars; the first 98 models train, the others test.

    Parameters
    ----------
    path : path
        A folder with ``cars_annos.mat`` and the unpacked ``car_ims``.
    shape, complete
        As for :func:`cub200`.

    Returns
    -------
    Split
        Labels are the published ones, 1 to 196.

    Raises
    ------
    InputError
        As for :func:`cub200`.

    References
    ----------
    Krause, Stark, Deng, Fei-Fei: 3D Object Representations for Fine-Grained Categorization, 4th International
    IEEE Workshop on 3D Representation and Recognition, 2013.
    """
    from scipy.io import loadmat

    root = Path(path)
    file = root / "cars_annos.mat"
    check_exists(file, archives.CARS)
    try:
        annotations = loadmat(file, squeeze_me=True)["annotations"]
        names = [str(name) for name in np.atleast_1d(annotations["relative_im_path"])]
        labels = np.atleast_1d(annotations["class"]).astype(np.int64)
    except Exception as error:  # SciPy raises whatever a damaged file leads it to
        raise InputError(f"{file} does not hold annotations of cars: {error!r}") from error
    files = [root / name for name in names]
    return divided(files, labels, labels <= 98, shape, CARS if complete else None, archives.CARS)


def online_products(
    path: str | os.PathLike[str], shape: tuple[int, ...] = (224, 224, 3), *, complete: bool = True
) -> Split:
    """Read Stanford Online Products: 120,053 images of 22,634 products, divided as they are published.

    Parameters
    ----------
    path : path
        The folder ``Stanford_Online_Products`` of the archive: ``Ebay_train.txt``, ``Ebay_test.txt`` and a
        folder for each kind of product.
    shape, complete
        As for :func:`cub200`.

    Returns
    -------
    Split
        Labels are the published ones: 1 to 11,318 to train, the others to test.

    Raises
    ------
    InputError
        As for :func:`cub200`.

    References
    ----------
    Oh Song, Xiang, Jegelka, Savarese: Deep Metric Learning via Lifted Structured Feature Embedding, CVPR
    2016.
    """
    root = Path(path)
    parts = [table(root / f"Ebay_{part}.txt", 4, archives.PRODUCTS)[1:] for part in ("train", "test")]
    rows = [row for part in parts for row in part]  # without the lines that name the columns
    labels = whole_numbers([row[1] for row in rows], root / "Ebay_train.txt, Ebay_test.txt")
    train = np.arange(len(rows)) < len(parts[0])
    files = [root / row[3] for row in rows]
    return divided(files, labels, train, shape, PRODUCTS if complete else None, archives.PRODUCTS)


def divided(
    files: Sequence[Path],
    labels: Labels,
    train: npt.NDArray[np.bool_],
    shape: tuple[int, ...],
    published: Counts | None,
    source: str,
) -> Split:
    """Divide images into those to train and those to test, after checking that all are there.

    Parameters
    ----------
    files : sequence of path
    labels : array of int64
    train : array of bool
        Which of them train.
    shape : tuple of int
        Of one image.
    published : Counts or None
        What must be found; None accepts anything.
    source : str
        Where to get the data.
    """
    if np.isin(labels[train], labels[~train]).any():
        raise InputError("a class occurs on both sides of the split: these are not the published files")
    found = Counts(
        int(train.sum()), len(np.unique(labels[train])), int((~train).sum()), len(np.unique(labels[~train]))
    )
    if published is not None and found != published:
        raise InputError(
            f"{found} are listed where {published} were published: get the data from {source}, "
            "or pass complete=False to use what is there"
        )
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise InputError(
            f"{len(missing):,} of {len(files):,} images are missing, such as {missing[0]}: "
            f"unpack the archive whole, or get it from {source}"
        )
    images = ImageFiles(files, shape)
    here, there = np.flatnonzero(train), np.flatnonzero(~train)
    return Split(images.take(here), labels[here], images.take(there), labels[there])


def table(file: Path, columns: int, source: str) -> list[list[str]]:
    """Read lines of so many words; the last may hold blanks."""
    check_exists(file, source)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    rows = [line.split(maxsplit=columns - 1) for line in lines if line.strip()]
    if not rows or any(len(row) != columns for row in rows):
        raise InputError(f"{file} should hold lines of {columns} words")
    return rows


def whole_numbers(words: Sequence[str], file: Any) -> Labels:
    """Read words as whole numbers."""
    try:
        return np.array(words, dtype=np.str_).astype(np.int64)
    except ValueError as error:
        raise InputError(f"the classes in {file} should be whole numbers: {error}") from error


def check_exists(file: Path, source: str) -> None:
    """Raise :class:`InputError`, saying where the data are offered, unless there is such a file."""
    if not file.is_file():
        raise InputError(f"there is no {file}: unpack the data set there; it is offered at {source}")
