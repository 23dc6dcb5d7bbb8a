"""Reading what users have: vectors, strings and sets in files; and metrics on a command line."""

from __future__ import annotations

import json
import pathlib
import zipfile
import zlib
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from ..errors import InvalidArgument
from ..laws import Metric, metric

FORMATS = (
    "vectors in .npy or in .npz as 'vectors', sets in .npz as 'indptr' and 'indices' (compressed rows), "
    "or strings in a text file, one a line"
)
DEFAULT_METRICS = {"vectors": "euclidean", "strings": "levenshtein", "sets": "jaccard"}

DataArgument = Annotated[pathlib.Path, typer.Argument(help=f"The objects: {FORMATS}.", show_default=False)]
MetricOption = Annotated[
    str | None,
    typer.Option(
        help="The distance, such as manhattan or minkowski:p=3; by default euclidean for vectors, "
        "levenshtein for strings, jaccard for sets.",
        show_default=False,
    ),
]
ModelOption = Annotated[
    pathlib.Path | None,
    typer.Option(
        help="A model from 'metricspace train': the file holds 'images' or 'vectors', which it embeds first.",
        show_default=False,
    ),
]


def read_objects(path: pathlib.Path) -> tuple[str, Any]:
    """Read the objects of a file.

    Parameters
    ----------
    path : path
        See `FORMATS`; what does not end in .npy or .npz is text.

    Returns
    -------
    kind : str
        "vectors", "strings" or "sets".
    objects : batch of objects
        As ``fit`` takes them.

    Raises
    ------
    InvalidArgument
        If the file cannot be read as such.
    """
    try:
        if path.suffix == ".npy":
            return "vectors", np.load(path, allow_pickle=False)
        if path.suffix == ".npz":
            return _from_archive(path)
        return "strings", read_lines(path)
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument(f"expected {FORMATS}; {path} is none of these") from error


def read_lines(path: pathlib.Path) -> list[str]:
    """Return the lines of a text file."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"expected text in UTF-8, and {path} is none: {error}") from error


def _from_archive(path: pathlib.Path) -> tuple[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        if "vectors" in file:
            return "vectors", file["vectors"]
        if "indptr" in file and "indices" in file:
            return "sets", _sets(file["indptr"], file["indices"])
        raise InvalidArgument(f"expected {FORMATS}; {path} holds {', '.join(file.files)}")


def _sets(indptr: npt.NDArray[Any], indices: npt.NDArray[Any]) -> list[frozenset[int]]:
    flat = indptr.ndim == 1 and indices.ndim == 1 and len(indptr) > 1
    if not flat or indptr[0] != 0 or indptr[-1] != len(indices) or (np.diff(indptr) < 0).any():
        raise InvalidArgument("expected indptr to rise from 0 to the length of indices, and both to be flat")
    return [frozenset(row.tolist()) for row in np.split(indices, indptr[1:-1])]


def read_embedded(path: pathlib.Path, model: pathlib.Path) -> npt.NDArray[np.float32]:
    """Read images or vectors, and embed them by a trained model; of a folder all images below it."""
    from embeddings import Embedder, data

    embedder = Embedder.load(model)
    if path.is_dir():
        files = data.folders.images_below(path)
        return embedder.embed(data.ImageFiles(files, shape=embedder.network.input_shape))
    return embedder.embed(data.read_npz(path).items)


def index_in(path: pathlib.Path) -> pathlib.Path:
    """Return the file of an index: the path itself, or the index in the directory of a model.

    Raises
    ------
    InvalidArgument
        If it is a directory, and not that of a model with an index.
    """
    if not path.is_dir():
        return path
    try:
        known = json.loads((path / "model.json").read_bytes())
        return path / f"index-{known['index_sha256']}.metricspace"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidArgument(f"expected an index or a model with one, and {path} is neither") from error


def parse_metric(text: str) -> Metric:
    """Return the metric of a name with parameters, such as ``minkowski:p=3``.

    Raises
    ------
    InvalidArgument
        If the parameters are not written ``name=value``, with values as in JSON.
    """
    name, _, given = text.partition(":")
    params = {}
    for part in filter(None, given.split(",")):
        key, _, value = part.partition("=")
        try:
            params[key] = json.loads(value)
        except ValueError as error:
            raise InvalidArgument(f"expected NAME or NAME:PARAMETER=NUMBER, given {text!r}") from error
    try:
        return metric(name, **params)
    except TypeError as error:
        raise InvalidArgument(f"{name} does not take these parameters: {given}") from error
