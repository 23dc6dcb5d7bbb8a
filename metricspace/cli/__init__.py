"""The command ``metricspace``: a demo, benchmarks, and the way from data to an index without Python.

Each command lives in a file of its own. Heavy packages (torch, scikit-learn, matplotlib) are imported by the
commands that need them, when they run.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from ..errors import MetricSpaceError
from .bench import bench
from .build import build
from .demo import demo
from .info import info
from .query import query
from .reporting import MissingExtra
from .train import train


class Commands(TyperGroup):
    """Commands whose complaints are one line on standard error and exit code 2, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except _complaints() as error:
            typer.echo(f"metricspace: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(2) from error


def _complaints() -> tuple[type[Exception], ...]:
    """Return the errors that are raised on purpose, without importing the trainer only to ask."""
    trainer = sys.modules.get("embeddings.errors")
    own = (MetricSpaceError, MissingExtra, OSError)
    return own if trainer is None else (*own, trainer.EmbeddingError)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, bench, train, build, query, info):
    app.command()(command)


@app.callback()
def main() -> None:
    """Exact and approximate similarity search in any metric space.

    Start with [bold]metricspace demo[/bold]. Every command explains itself with --help.
    """
    # Training threads that spin while they wait make each other ten times slower on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
