"""``metricspace build``: an index from a file of objects."""

from __future__ import annotations

import pathlib
import time
from typing import Annotated

import typer

from ..choosing import Index
from ..errors import UnknownName
from ..index import BaseIndex, indexes
from .data import (
    DEFAULT_METRICS,
    DataArgument,
    MetricOption,
    ModelOption,
    parse_metric,
    read_embedded,
    read_lines,
    read_objects,
)
from .info import show
from .reporting import JsonOption, console, require, shows_progress


def build(
    data: DataArgument,
    index_file: Annotated[
        pathlib.Path, typer.Argument(metavar="INDEX", help="Where to save.", show_default=False)
    ],
    structure: Annotated[
        str, typer.Option(help="Which structure, as 'metricspace bench' compares; 'auto' tries some.")
    ] = "auto",
    metric: MetricOption = None,
    model: ModelOption = None,
    ids: Annotated[
        pathlib.Path | None,
        typer.Option(help="A text file with one id a line, returned by queries; by default positions."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Where random choices come from.")] = 0,
    json: JsonOption = None,
) -> None:
    """Build an index of the objects in a file, and save it.

    Example:

    $ metricspace build words.txt words.index --metric levenshtein
    """
    out = console(json)
    if model is None:
        kind, objects = read_objects(data)
    else:
        require("train")
        kind, objects = "vectors", read_embedded(data, model)
    make = Index if structure == "auto" else structure_named(structure)
    index = make(metric=parse_metric(metric or DEFAULT_METRICS[kind]), seed=seed)
    names = None if ids is None else read_lines(ids)
    started = time.perf_counter()
    index.fit(objects, ids=names, progress=shows_progress(json))
    seconds = time.perf_counter() - started
    index.save(index_file)
    out.print(f"built in {seconds:.2f} s and saved as {index_file}", markup=False)
    if isinstance(index, Index):
        out.print(str(index.explain_choice()), markup=False, highlight=False)
    show(index.chosen if isinstance(index, Index) else index, index_file, out, json)


def structure_named(key: str) -> type[BaseIndex]:
    """Return the structure of a key of ``metricspace.indexes()``."""
    known = indexes()
    if key not in known:
        raise UnknownName(f"no structure {key!r}; there are {', '.join(known)}")
    return known[key]
