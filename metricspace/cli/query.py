"""``metricspace query``: ask a saved index."""

from __future__ import annotations

import math
import pathlib
from typing import Annotated, Any

import numpy as np
import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from ..errors import InvalidArgument
from ..hits import Balls, Hits
from ..storage import load
from .data import FORMATS, ModelOption, index_in, read_embedded, read_objects
from .info import IndexArgument
from .reporting import JsonOption, console, require, write_json

SHOWN = 20  # queries in the printed table; JSON holds all


def query(
    index_file: IndexArgument,
    queries: Annotated[
        pathlib.Path | None, typer.Argument(help=f"The queries: {FORMATS}.", show_default=False)
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="A string to look for; may be repeated.")] = None,
    model: ModelOption = None,
    k: Annotated[int | None, typer.Option(help="How many neighbours; 10 unless there is a radius.")] = None,
    radius: Annotated[
        float | None, typer.Option(help="All objects within; with --k the nearest of them.")
    ] = None,
    eps: Annotated[float, typer.Option(help="Allow distances up to 1 + eps times the true ones.")] = 0.0,
    budget: Annotated[int | None, typer.Option(help="The most distances that a query may compute.")] = None,
    json: JsonOption = None,
) -> None:
    """Find the nearest objects of each query, or all within a radius.

    Example:

    $ metricspace query words.index --text helo --text wrld --k 3
    """
    index = load(index_in(index_file))
    if model is None and index_file.is_dir():
        model = index_file
    if (queries is None) == (not text):
        raise InvalidArgument("expected queries in a file or as --text, one of the two")
    asked: Any = text
    if queries is not None and model is not None:
        require("train")
        asked = read_embedded(queries, model)
    elif queries is not None:
        asked = read_objects(queries)[1]
    found: Hits | Balls
    if radius is not None and k is None:
        found = index.range(asked, radius, eps=eps, budget=budget)
    else:
        within = math.inf if radius is None else radius
        found = index.knn(asked, 10 if k is None else k, radius=within, eps=eps, budget=budget)
    answers = _answers(found)
    if not answers:
        raise InvalidArgument("expected at least one query, given none")
    strings = isinstance(asked, list) and isinstance(asked[0], str)
    out = console(json)
    table = Table("query", *(["object"] if strings else []), "id", "distance", box=box.SIMPLE)
    for number, answer in enumerate(answers[:SHOWN]):
        named = asked[number] if strings else str(number)
        for place, (id_, distance) in enumerate(zip(answer["ids"], answer["distances"])):
            object_ = index.objects([id_]) if strings else []
            cells = map(escape, ["" if place else named, *object_, str(id_)])
            table.add_row(*cells, f"{distance:.6g}")
        table.add_section()
    out.print(table)
    if len(answers) > SHOWN:
        out.print(f"… and {len(answers) - SHOWN:,} more queries; --json gives all")
    proven = sum(answer["exact"] for answer in answers)
    out.print(
        f"{np.mean(found.cost):,.1f} distances a query among {index.n_objects:,} objects; "
        f"{proven:,} of {len(answers):,} answers proven exact"
    )
    write_json({"index": str(index_file), "answers": answers}, json)


def _answers(found: Hits | Balls) -> list[dict[str, Any]]:
    """Return for each query its ids and distances, what they cost, and whether they are proven exact."""
    if isinstance(found, Balls):
        pairs = [(ids, distances) for ids, distances in found if distances is not None]
    else:
        there = found.positions >= 0
        pairs = [(found.ids[i, there[i]], found.distances[i, there[i]]) for i in range(len(found))]
    return [
        {"ids": ids.tolist(), "distances": distances.tolist(), "cost": int(cost), "exact": bool(exact)}
        for (ids, distances), cost, exact in zip(pairs, found.cost, found.exact)
    ]
