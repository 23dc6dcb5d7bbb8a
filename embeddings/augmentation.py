"""More images from few: small random distortions, and symmetries that make new classes."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from embeddings.arrays import Labels, as_labels
from embeddings.errors import InputError


@dataclass(frozen=True)
class RandomAffine:
    """Shift, turn and scale every image by random amounts, uniform up to the given ones; edges are extended.

    Parameters
    ----------
    shift : float, default 0.05
        Greatest shift along each side, as a share of it.
    degrees : float, default 10
        Greatest rotation.
    scale : float, default 0.1
        Greatest relative change of size along each side; below 1.

    Raises
    ------
    InputError
        If a parameter is out of range.
    """

    shift: float = 0.05
    degrees: float = 10.0
    scale: float = 0.1

    def __post_init__(self) -> None:
        if not (0 <= self.shift < 1 and 0 <= self.degrees <= 180 and 0 <= self.scale < 1):
            raise InputError(f"shift and scale must lie in [0, 1), degrees in [0, 180], not {self}")

    def __call__(self, images: Tensor, rng: np.random.Generator) -> Tensor:
        """Distort a batch of images of shape (n, c, h, w)."""
        n, _, height, width = images.shape
        angle = math.radians(self.degrees) * rng.uniform(-1, 1, n)
        across, down = 1 + self.scale * rng.uniform(-1, 1, (2, n))
        right, below = 2 * self.shift * rng.uniform(-1, 1, (2, n))
        cos, sin, aspect = np.cos(angle), np.sin(angle), height / width
        # The grid runs from -1 to 1 along either side: aspect keeps the rotation of an oblong image rigid.
        rows = [[cos * across, -sin * aspect * down, right], [sin / aspect * across, cos * down, below]]
        maps = torch.from_numpy(np.moveaxis(np.array(rows), 2, 0)).to(images)
        grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def with_symmetries(images: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[npt.NDArray[Any], Labels]:
    """Turn and mirror square images in all eight ways, and make each way a class of its own.

    For training where classes are so few that telling them apart teaches little about others. Not for images
    whose class survives a turn or a mirror.

    Parameters
    ----------
    images : array of shape (n, h, h) or (n, h, h, c)
    labels : array of n integers, not negative

    Returns
    -------
    images : array of shape (8 n, h, h) or (8 n, h, h, c)
    labels : array of 8 n integers
        ``8 * label + way``; way 0 is the image as it is.

    Raises
    ------
    InputError
        If the images are not square, or do not match the labels.
    """
    array = np.asarray(images)
    if array.ndim not in (3, 4) or array.shape[1] != array.shape[2]:
        raise InputError(f"symmetries need square images (n, h, h[, c]), not {array.shape}")
    classes = as_labels(labels, len(array))
    turned = [np.rot90(array, quarter, axes=(1, 2)) for quarter in range(4)]
    ways = [*turned, *(image[:, :, ::-1] for image in turned)]
    return np.concatenate(ways), np.concatenate([8 * classes + way for way in range(8)])
