"""Fashion-MNIST (Xiao, Rasul, Vollgraf 2017), and any other images and labels in the format of MNIST."""

import gzip
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embeddings.data import archives
from embeddings.data.base import Split
from embeddings.errors import InputError

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts the files."""

UNSIGNED_BYTES = 8  # the type of the values, in the third byte of a file


def fashion_mnist(path: str | os.PathLike[str] = DEBIAN) -> Split:
    """Read Fashion-MNIST: 60,000 images of 28 × 28 to train and 10,000 to test, of ten kinds of clothes.

    All ten classes are on both sides: results are not zero-shot. For that, divide one side by class:
    ``zero_shot(fashion_mnist().train)``.

    Parameters
    ----------
    path : path, default ``/usr/share/datasets/fashion-mnist``
        A folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
        ``t10k-labels-idx1-ubyte``, as they are or with ``.gz``. MNIST and KMNIST come in the same files.

    Raises
    ------
    InputError
        If a file is missing or damaged, or the labels do not match the images.

    References
    ----------
    Xiao, Rasul, Vollgraf: Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms,
    arXiv:1708.07747, 2017.
    """
    sides: list[npt.NDArray[Any]] = []
    for side in ("train", "t10k"):
        images = read_idx(Path(path) / f"{side}-images-idx3-ubyte")
        labels = read_idx(Path(path) / f"{side}-labels-idx1-ubyte")
        if images.ndim != 3 or labels.shape != (len(images),):
            raise InputError(f"{side} in {path} has images {images.shape} and labels {labels.shape}")
        sides += [images, labels.astype(np.int64)]
    return Split(*sides)


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Read an array of bytes in the format of MNIST.

    The file begins with two zeros, the type of the values and the number of axes, then the length of each
    axis in four bytes, most significant first.

    Parameters
    ----------
    path : path
        Read with ``.gz`` added where there is no such file.
    """
    packed = path.with_name(path.name + ".gz")
    try:
        content = path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} cannot be read, nor with .gz ({error}): install Debian's dataset-fashion-mnist, "
            f"or get the files from {archives.FASHION}"
        ) from error
    axes = content[3] if len(content) > 3 else 0
    shape = (
        np.frombuffer(content[4 : 4 + 4 * axes], dtype=">u4").tolist() if len(content) >= 4 + 4 * axes else []
    )
    values = np.frombuffer(content, dtype=np.uint8, offset=min(4 + 4 * axes, len(content)))
    if content[:3] != bytes([0, 0, UNSIGNED_BYTES]) or not shape or len(values) != np.prod(shape):
        raise InputError(f"{path} is damaged, or not an array of bytes in the format of MNIST")
    return values.reshape(shape)
