"""Where items come from: arrays, folders of images and data sets of torch, all alike to the trainer.

A source has a length, and ``source[positions]`` gives the items at an array of positions as an array. What is
read on demand is checked as it is read.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from embeddings.arrays import Items, Labels, as_items, as_labels
from embeddings.errors import InputError

Positions = npt.NDArray[np.int64]


class Source(Protocol):
    """Items that can be asked for by their positions."""

    def __len__(self) -> int: ...

    def __getitem__(self, positions: Any, /) -> Any: ...


@dataclass(frozen=True)
class Labelled:
    """Items and the class of each."""

    items: Source
    labels: Labels

    def take(self, positions: Positions) -> "Labelled":
        """Return some of the items, without copying them."""
        return Labelled(Selected(self.items, positions), self.labels[positions])


@dataclass(frozen=True)
class Selected:
    """The items of a source at some positions."""

    source: Source
    chosen: Positions

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, positions: Positions) -> Any:
        return self.source[self.chosen[positions]]


@dataclass(frozen=True)
class FromDataset:
    """The items of a map-style data set of torch, which gives pairs of an item and its label.

    Attributes
    ----------
    dataset : torch.utils.data.Dataset
        With a length. Tensors of three dimensions are images as torch has them: channels first.
    """

    dataset: Any

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, positions: Positions) -> npt.NDArray[Any]:
        return np.stack([self.item(int(position)) for position in positions])

    def item(self, position: int) -> npt.NDArray[Any]:
        """Read one item, channels last; a single channel has no axis."""
        item = self.dataset[position][0]
        array = np.asarray(item)
        if isinstance(item, Tensor) and array.ndim == 3:
            array = np.moveaxis(array, 0, -1)
        return array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array

    def labels(self) -> Any:
        """Return all labels: those that the data set lists, as those of torchvision do, or else read them."""
        listed = getattr(self.dataset, "targets", getattr(self.dataset, "labels", None))
        return [int(self.dataset[i][1]) for i in range(len(self))] if listed is None else listed


def as_source(items: Any, shape: tuple[int, ...]) -> Source:
    """Return items as a source: arrays are checked at once, what is read on demand is left as it is.

    Raises
    ------
    InputError
        If they are an array that is not of n items of this shape.
    """
    in_memory = isinstance(items, np.ndarray | Tensor | Sequence) or hasattr(items, "to_numpy")
    return as_items(items, shape) if in_memory or not can_be_asked(items) else items


def can_be_asked(items: Any) -> bool:
    """Whether items have a length, and can be asked for by their positions."""
    return hasattr(items, "__getitem__") and hasattr(items, "__len__")


def read(source: Source, positions: Positions, shape: tuple[int, ...]) -> Items:
    """Read the items at these positions, checked."""
    return as_items(source[positions], shape)


def labelled(given: Any, labels: Any, shape: tuple[int, ...]) -> Labelled:
    """Return what a user hands over as items with labels.

    Parameters
    ----------
    given : array, source, object with items and labels, torch Dataset, or path
        A path is a folder with one folder of images for each class.
    labels : array of n integers, or None
        None where they come with the items.
    shape : tuple of int
        Of one item.

    Raises
    ------
    InputError
        If there are no labels, fewer than two items, or either is not usable.
    """
    items = given
    if labels is None:
        if isinstance(given, str | os.PathLike):
            from embeddings.data import ImageFolder

            given = ImageFolder(given, shape=shape)
        if hasattr(given, "items") and hasattr(given, "labels"):
            items, labels = given.items, given.labels
        elif can_be_asked(given) and not hasattr(given, "__array__"):
            items = FromDataset(given)
            labels = items.labels()
    if labels is None:
        raise InputError("training needs labels: pass them beside the items, or a data set that has them")
    source = as_source(items, shape)
    classes = as_labels(labels, len(source))
    if len(source) < 2:
        raise InputError(f"at least two items are needed, not {len(source)}")
    return Labelled(source, classes)


def hold_out(labels: Labels, share: float, seed: int) -> tuple[Positions, Positions]:
    """Divide items by class: those to learn from, and those of a share of the classes, drawn at random.

    Parameters
    ----------
    labels : array of n integers
    share : float
        Of the classes, between 0 and 1; rounded, and at least two on either side.
    seed : int
        The same seed holds the same classes out.

    Returns
    -------
    (learn, held_out) : arrays of positions, ascending

    Raises
    ------
    InputError
        If the share is not between 0 and 1, or there are fewer than four classes.
    """
    names = np.unique(labels)
    if not 0 < share < 1:
        raise InputError(f"the share of classes to hold out lies between 0 and 1, not {share}")
    if len(names) < 4:
        raise InputError(f"to hold classes out takes at least four, and the labels name {len(names)}")
    count = min(max(2, round(share * len(names))), len(names) - 2)
    drawn = np.random.default_rng((seed, 2)).permutation(names)[:count]
    apart = np.isin(labels, drawn)
    return np.flatnonzero(~apart), np.flatnonzero(apart)
