"""What users hand over, checked once and laid out for the network."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from embeddings.errors import InputError

Items = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]


def as_items(items: Any, shape: tuple[int, ...]) -> Items:
    """Check images or vectors: uint8 as they are, every other real type as float32.

    Parameters
    ----------
    items : array of shape (n, *shape)
    shape : tuple of int
        Shape of one item.

    Raises
    ------
    InputError
        If the array is not of that shape, not of numbers, or holds NaN, infinity or values beyond float32.
    """
    array = np.asarray(items)
    if array.dtype.kind not in "buif":
        raise InputError(f"images and vectors must be real numbers, not {array.dtype}")
    if array.shape[1:] != shape or array.ndim == 0:
        hint = "; pass a single item as a batch of one, x[None]" if array.shape == shape else ""
        wanted = ", ".join(map(str, ("n", *shape)))
        raise InputError(f"items of shape ({wanted}) are expected, not {array.shape}{hint}")
    if array.dtype == np.uint8:
        return array
    with np.errstate(over="ignore"):
        real = array.astype(np.float32, copy=False)
    if not np.isfinite(real).all():
        raise InputError(
            "images and vectors must be finite in float32: NaN, infinity or too large a value found"
        )
    return real


def as_labels(labels: Any, n: int) -> Labels:
    """Check that there are n integer labels, and return them as int64.

    Raises
    ------
    InputError
        If they are of another shape or type.
    """
    array = np.asarray(labels)
    if array.shape != (n,):
        raise InputError(f"{n} items need labels of shape ({n},), not {array.shape}")
    if array.dtype.kind not in "iub" and n > 0:
        raise InputError(
            f"labels must be integers, not {array.dtype}: "
            "np.unique(labels, return_inverse=True)[1] numbers them"
        )
    return array.astype(np.int64)


def as_vectors(embeddings: Any) -> Vectors:
    """Check embeddings of shape (n, dim), and return them as contiguous float32.

    Raises
    ------
    InputError
        If they are of another shape or type, or not finite.
    """
    array = np.asarray(embeddings)
    if array.ndim != 2:
        raise InputError(f"embeddings must have shape (n, dim), not {array.shape}")
    return np.ascontiguousarray(as_items(array, array.shape[1:]), dtype=np.float32)


def as_tensor(items: Items, device: str) -> Tensor:
    """Lay checked items out for a network: float32, uint8 scaled to [0, 1], images as (n, c, h, w)."""
    tensor = torch.tensor(np.ascontiguousarray(items), device=device)
    tensor = tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor
    if tensor.ndim == 3:
        return tensor.unsqueeze(1)
    return tensor.movedim(3, 1) if tensor.ndim == 4 else tensor
