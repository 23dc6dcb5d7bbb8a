"""What commands print: text for people, JSON for programs; and which extras they need."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

STDOUT = pathlib.Path("-")
WIDTH = 110  # where the output is not a terminal

JsonOption = Annotated[
    pathlib.Path | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; - is standard output."),
]

_EXTRAS = {"train": ("torch", "sklearn", "scipy"), "bench": ("matplotlib",)}


class MissingExtra(Exception):
    """A command needs packages that a plain installation leaves out."""


def require(*extras: str) -> None:
    """Refuse to go on without the packages of these extras.

    Raises
    ------
    MissingExtra
        Naming what to install.
    """
    missing = [name for extra in extras for name in _EXTRAS[extra] if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f'this command needs {", ".join(missing)}: pip install "metricspace-search[{",".join(extras)}]"'
        )


def console(json_file: pathlib.Path | None = None) -> Console:
    """Return where to write for people: standard error, if JSON goes to standard output."""
    found = Console(stderr=json_file == STDOUT, highlight=False)
    return found if found.is_terminal else Console(stderr=json_file == STDOUT, highlight=False, width=WIDTH)


def shows_progress(json_file: pathlib.Path | None) -> bool:
    """Whether standard output is a terminal, free for progress bars."""
    return sys.stdout.isatty() and json_file != STDOUT


def write_json(result: dict[str, Any], file: pathlib.Path | None) -> None:
    """Write a result for programs, if a file is given."""
    if file is None:
        return
    text = json.dumps(result, indent=2, allow_nan=False) + "\n"
    if file == STDOUT:
        sys.stdout.write(text)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
