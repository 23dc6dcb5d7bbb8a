"""Omniglot: handwritten characters of many alphabets, twenty of each."""

import os
from pathlib import Path

import numpy as np

from embeddings.data import archives
from embeddings.data.base import Dataset, read_npz
from embeddings.data.folders import ImageFiles, images_below, visible
from embeddings.errors import InputError


def omniglot(path: str | os.PathLike[str], size: int = 28) -> Dataset:
    """Read Omniglot from its folders, or from an ``.npz`` file.

    Parameters
    ----------
    path : path
        ``images_background`` or ``images_evaluation`` of the published archives, which hold a folder for each
        alphabet, and these one for each character; or an ``.npz`` file of ``images``, ``labels`` and
        ``alphabet``.
    size : int, default 28
        Images read from folders become size × size; they are published as 105 × 105.

    Returns
    -------
    Dataset
        Images of uint8, ink bright on black; ``labels`` number the characters and ``alphabet`` the alphabets,
        in alphabetical order; ``names`` are ``"Alphabet/character01"``. :func:`zero_shot` keeps alphabets
        whole.

    Raises
    ------
    InputError
        If there are no such folders, or the file is not readable.

    References
    ----------
    Lake, Salakhutdinov, Tenenbaum: Human-level concept learning through probabilistic program induction,
    Science 350, 2015.
    """
    root = Path(path)
    if root.suffix == ".npz":
        return read_npz(root)
    alphabets = [folder for folder in visible(root) if folder.is_dir()] if root.is_dir() else []
    characters = [folder for alphabet in alphabets for folder in visible(alphabet) if folder.is_dir()]
    files = [images_below(folder) for folder in characters]
    counts = [len(images) for images in files]
    if not all(counts) or not counts:
        raise InputError(
            f"{root} should hold a folder for each alphabet, in it one for each character, and there images: "
            f"unpack images_background.zip of {archives.OMNIGLOT}"
        )
    images = ImageFiles([image for several in files for image in several], (size, size))
    number = {alphabet.name: place for place, alphabet in enumerate(alphabets)}
    return Dataset(
        255 - images[:],
        np.repeat(np.arange(len(characters)), counts),
        np.repeat([number[folder.parent.name] for folder in characters], counts),
        tuple(f"{folder.parent.name}/{folder.name}" for folder in characters),
    )
