"""``metricspace bench``: structures × metrics × queries on a data set."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Annotated, Any

import numpy as np
import typer

from ..errors import NotAMetric, TooLarge
from ..index import indexes
from ..indexes import LinearScan
from .build import structure_named
from .data import DEFAULT_METRICS, FORMATS, parse_metric, read_objects
from .measuring import (
    LARGEST_TABLE,
    Comparison,
    Question,
    Row,
    chosen,
    hold_out,
    intrinsic_dimension,
    table_of,
)
from .reporting import JsonOption, console, write_json

CLUSTERS, DIMENSIONS, SPREAD = 50, 16, 0.2


def bench(
    data: Annotated[
        pathlib.Path | None,
        typer.Option(
            help=f"The objects: {FORMATS}. By default clustered vectors are generated.", show_default=False
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="A distance, such as minkowski:p=3; may be repeated. By default the usual one.",
            show_default=False,
        ),
    ] = None,
    structure: Annotated[
        list[str] | None,
        typer.Option(
            "--structure",
            "--structures",
            help=f"One of {', '.join(indexes())}, or all, as by default; may be repeated.",
            show_default=False,
        ),
    ] = None,
    n: Annotated[int, typer.Option(help="Objects to take from the data.", min=4)] = 10_000,
    queries: Annotated[int, typer.Option(help="Objects among them to take out as queries.", min=1)] = 100,
    k: Annotated[int, typer.Option(help="Neighbours to look for.", min=1)] = 10,
    radius: Annotated[
        float | None,
        typer.Option(
            help="Of range queries; by default half of the queries have k objects within.", show_default=False
        ),
    ] = None,
    eps: Annotated[float | None, typer.Option(help="Also ask for neighbours within 1 + eps.")] = None,
    budget: Annotated[int | None, typer.Option(help="Also ask with at most so many distances.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same distances.")] = 0,
    json: JsonOption = None,
) -> None:
    """Compare structures: distances, recall, precision and speed of k-NN and range queries.

    Example:

    $ metricspace bench --data words.txt --n 20000 --structures all
    """
    out = console(json)
    kind, objects = ("vectors", clustered(n, seed)) if data is None else read_objects(data)
    taken, asked = hold_out(_sample(objects, n, seed), queries, seed)
    keys = indexes() if "all" in (structure or ["all"]) else structure or []
    structures = [structure_named(key) for key in keys]
    results = []
    for name in metric or [DEFAULT_METRICS[kind]]:
        measured = parse_metric(name)
        compared = Comparison(measured, taken, asked)
        questions = [Question(k), Question(radius=compared.typical_radius(k) if radius is None else radius)]
        questions += [] if eps is None else [Question(k, eps=eps)]
        questions += [] if budget is None else [Question(k, budget=budget)]
        rows: list[Row] = []
        # The scan comes first: the speed of the others is shown beside it.
        for cls in sorted(structures, key=lambda cls: cls is not LinearScan):
            index = cls(measured, seed=seed, max_bytes=LARGEST_TABLE)
            try:
                with out.status(f"{cls.__name__} under {name}"):
                    index.fit(taken)
                    rows += [compared.measure(index, question) for question in questions]
            except (TooLarge, NotAMetric) as error:
                out.print(f"[yellow]left out:[/] {error}")
        rho = intrinsic_dimension(measured, taken, seed)
        shown = "" if rho is None else f", intrinsic dimension {rho:.1f}"
        out.print(table_of(rows, f"{name}: {len(taken):,} {kind}, {len(asked):,} queries{shown}"))
        results += [{"metric": name, **dataclasses.asdict(row)} for row in rows]
    setting = {
        "data": None if data is None else data.name,
        "objects": len(taken),
        "queries": len(asked),
        "seed": seed,
    }
    write_json({"rows": results, "setting": setting}, json)


def clustered(n: int, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return vectors in clusters."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(CLUSTERS, DIMENSIONS))
    noise = rng.normal(scale=SPREAD, size=(n, DIMENSIONS))
    return (centres[rng.integers(CLUSTERS, size=n)] + noise).astype(np.float32)


def _sample(objects: Any, n: int, seed: int) -> Any:
    """Return n objects at random, or all if there are fewer."""
    if len(objects) <= n:
        return objects
    return chosen(objects, np.sort(np.random.default_rng(seed).choice(len(objects), n, replace=False)))
