"""The trainer: what its losses cost, and what it learns of Omniglot."""

from __future__ import annotations

from benchmarks.report import Result
from benchmarks.trainer import losses, omniglot


def run() -> Result:
    """Measure the losses, then train under each of some."""
    costs, learned = losses.rows(), omniglot.rows()
    return Result(
        f"{losses.ABOUT} {omniglot.ABOUT}",
        costs + learned,
        losses.verdicts(costs) | omniglot.verdicts(learned),
    )
