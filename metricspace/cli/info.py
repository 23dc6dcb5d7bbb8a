"""``metricspace info``: what a saved index holds."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from ..index import BaseIndex
from ..storage import load
from .data import index_in
from .reporting import JsonOption, console, write_json

IndexArgument = Annotated[
    pathlib.Path,
    typer.Argument(
        metavar="INDEX",
        help="A file from 'metricspace build', or a directory from 'metricspace train'.",
        show_default=False,
    ),
]


def info(index_file: IndexArgument, json: JsonOption = None) -> None:
    """Show the structure, the metric, the size and the cost of a saved index.

    Example:

    $ metricspace info words.index
    """
    file = index_in(index_file)
    show(load(file), file, console(json), json)


def show(index: BaseIndex, file: pathlib.Path, out: Console, json_file: pathlib.Path | None) -> None:
    """Print what there is to know about an index, and write it as JSON."""
    statistics = index.statistics()
    known = {
        "structure": index.key,
        "params": {
            name: value for name, value in index.params().items() if name != "metric" and value is not None
        },
        "metric": index.metric.name,
        "metric_params": index.metric.params,
        "laws": list(index.metric.laws),
        "objects": index.n_objects,
        "bytes": index.nbytes,
        "file_bytes": file.stat().st_size,
        "build_distances": index.build_cost,
        "nodes": statistics.nodes,
        "leaves": statistics.leaves,
        "depth": statistics.depth,
    }
    table = Table(box=box.SIMPLE, show_header=False)
    for name, value in known.items():
        table.add_row(name.replace("_", " "), _readable(value))
    out.print(table)
    write_json(known, json_file)


def _readable(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={part}" for name, part in value.items()) or "—"
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
