"""A saved model: a directory with ``model.json``, the weights that it names, and perhaps an index.

The files of weights and index are named after their own SHA-256. A save writes all files under temporary
names and renames ``model.json`` last, so whatever interrupts it, the directory holds the old model or the new
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

import metricspace
from embeddings.errors import ModelFileError

FORMAT = "embeddings model"
VERSION = 1
CONFIG = "model.json"
WEIGHTS = "weights-{}.safetensors"
INDEX = "index-{}.metricspace"


def write(
    directory: str | os.PathLike[str],
    config: dict[str, Any],
    weights: dict[str, Tensor],
    index: Any = None,
) -> None:
    """Save a configuration, weights and an index, in place of those that the directory may hold.

    Parameters
    ----------
    directory : path
        Made where it is missing; files that are not of an earlier model stay as they are.
    config : dict
        Of what JSON can hold.
    weights : dict of Tensor
    index : metricspace index, optional
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    content = safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in weights.items()})
    digests = {"sha256": hashlib.sha256(content).hexdigest()}
    replace(folder / WEIGHTS.format(digests["sha256"]), content)
    if index is not None:
        aside = folder / f".index.{os.getpid()}"
        try:
            index.save(aside)
            digests["index_sha256"] = digest_of(aside)
            aside.replace(folder / INDEX.format(digests["index_sha256"]))
        finally:
            aside.unlink(missing_ok=True)
    header = {"format": FORMAT, "version": VERSION, **digests}
    replace(folder / CONFIG, json.dumps({**header, **config}, indent=2, allow_nan=False).encode())
    for pattern in (WEIGHTS, INDEX):
        for path in folder.glob(pattern.format("[0-9a-f]" * 64)):
            if not any(digest in path.name for digest in digests.values()):
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
    path = named_path(folder, WEIGHTS, config, "sha256")
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != config["sha256"]:
            raise ModelFileError(f"{path} is damaged: its SHA-256 differs")
        return config, safetensors.torch.load(content)
    except (OSError, safetensors.SafetensorError) as error:
        raise ModelFileError(f"the weights in {folder} cannot be read: {error}") from error


def read_index(directory: str | os.PathLike[str], config: dict[str, Any]) -> Any:
    """Load the index that was saved with a configuration; None where there is none.

    Raises
    ------
    ModelFileError
        If it is missing or damaged.
    """
    if "index_sha256" not in config:
        return None
    path = named_path(Path(directory), INDEX, config, "index_sha256")
    try:
        if digest_of(path) != config["index_sha256"]:
            raise ModelFileError(f"{path} is damaged: its SHA-256 differs")
        return metricspace.load(path)
    except (OSError, metricspace.MetricSpaceError) as error:
        raise ModelFileError(f"the index in {directory} cannot be read: {error}") from error


def named_path(folder: Path, pattern: str, config: dict[str, Any], key: str) -> Path:
    """Return the path of a file that is named after the digest in a configuration."""
    digest = config.get(key)
    # The digest becomes part of a path, so it must not be able to leave the directory.
    if not (isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{64}", digest)):
        raise ModelFileError(f"{folder / CONFIG} is damaged: it names no weights, or no index")
    return folder / pattern.format(digest)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
