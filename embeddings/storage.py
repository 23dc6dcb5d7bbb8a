"""A saved model: a directory with ``model.json`` and the weights that it names.

The weights' file is named after its own SHA-256. A save writes both files under temporary names and renames
the weights before ``model.json``, so whatever interrupts it, the directory holds the old model or the new
one, whole. Loading runs no code from the files: no pickle.
"""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from embeddings.errors import ModelFileError

FORMAT = "embeddings model"
VERSION = 1
CONFIG = "model.json"


def write(directory: str | os.PathLike[str], config: dict[str, Any], weights: dict[str, Tensor]) -> None:
    """Save a configuration and weights, in place of those that the directory may hold.

    Parameters
    ----------
    directory : path
        Made where it is missing; files that are not of an earlier model stay as they are.
    config : dict
        Of what JSON can hold.
    weights : dict of Tensor
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    content = safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in weights.items()})
    digest = hashlib.sha256(content).hexdigest()
    header = {"format": FORMAT, "version": VERSION, "sha256": digest}
    replace(folder / weights_name(digest), content)
    replace(folder / CONFIG, json.dumps({**header, **config}, indent=2, allow_nan=False).encode())
    for path in folder.glob(weights_name("[0-9a-f]" * 64)):
        if path.name != weights_name(digest):
            path.unlink()


def read(directory: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Load what :func:`write` saved.

    Returns
    -------
    (config, weights)

    Raises
    ------
    ModelFileError
        If a file is missing, damaged, or of a later version.
    """
    folder = Path(directory)
    try:
        config = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{folder} holds no readable {CONFIG}: {error}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise ModelFileError(f"{folder / CONFIG} does not describe a model of this package")
    version = config.get("version")
    if version != VERSION:
        raise ModelFileError(
            f"{folder} is of format version {version!r} and this program reads {VERSION}: update the program"
        )
    digest = config.get("sha256")
    # The digest becomes part of a path, so it must not be able to leave the directory.
    if not (isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{64}", digest)):
        raise ModelFileError(f"{folder / CONFIG} is damaged: it names no weights")
    try:
        content = (folder / weights_name(digest)).read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise ModelFileError(f"{folder / weights_name(digest)} is damaged: its SHA-256 differs")
        return config, safetensors.torch.load(content)
    except (OSError, safetensors.SafetensorError) as error:
        raise ModelFileError(f"the weights in {folder} cannot be read: {error}") from error


def weights_name(digest: str) -> str:
    """Name of the file of weights with this SHA-256."""
    return f"weights-{digest}.safetensors"


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
