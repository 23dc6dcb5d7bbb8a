"""The trainer: what its losses cost."""

from __future__ import annotations

from benchmarks.report import Result
from benchmarks.trainer import losses


def run() -> Result:
    """Measure every part; rows have the columns of all parts."""
    rows = losses.rows()
    return Result(losses.ABOUT, rows, losses.verdicts(rows))
