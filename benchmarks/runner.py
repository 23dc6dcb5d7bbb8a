"""Timing: contenders take turns, so that what else the machine does strikes all alike."""

from __future__ import annotations

import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

ROOT = pathlib.Path(__file__).parents[1]
PAUSE = 0.05  # seconds: threads of BLAS and OpenMP spin on after their work, beside whoever comes next


def alternate(contenders: Mapping[str, Callable[[], object]], rounds: int = 7) -> dict[str, float]:
    """Return the median seconds of each contender, after one round that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, work in contenders.items():
            until = time.perf_counter() + PAUSE
            while time.perf_counter() < until:  # asleep, a core would slow down
                pass
            started = time.perf_counter()
            work()
            if turn:
                taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(several) for name, several in taken.items()}


def once(work: Callable[[], object]) -> float:
    """Return the seconds of work that takes too long to be repeated."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_new_process(code: str, *arguments: str) -> tuple[str, float]:
    """Run Python code in a process of its own.

    Returns
    -------
    output : str
        What it printed.
    seconds : float
        From start to end, the interpreter's own included.
    """
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout, time.perf_counter() - started
