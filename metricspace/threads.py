"""Threads for kernels, which hold no GIL, and interruption of those that run long."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from .errors import InvalidArgument

T = TypeVar("T")

_BRIEF = 0.1  # seconds for which an interrupt may wait

_pool: ThreadPoolExecutor | None = None


def _forget_pool() -> None:
    global _pool
    _pool = None  # its threads did not survive the fork


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def jobs(n_jobs: int | None) -> int:
    """Return the number of threads meant by `n_jobs`; None and −1 mean all cores."""
    if n_jobs is None or n_jobs == -1:
        return cores()
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < 1:
        raise InvalidArgument(f"expected n_jobs of at least 1, or None for all cores, given {n_jobs!r}")
    return n_jobs


def run(
    tasks: Sequence[Callable[[], T]],
    cancel: Callable[[], None],
    tick: Callable[[], None] | None = None,
    brief: Callable[[float], bool] | None = None,
) -> list[T]:
    """Run tasks on threads and return their results; interrupted, cancel them and wait for their end.

    The caller only waits, and looks up ten times a second: a signal that another thread received would not
    wake it. `tick` is called as often.

    But for a while it may do the first task itself: `brief` works until a moment, as of ``time.monotonic``,
    and returns whether anything is left of that task. Threads that a caller wakes and waits for share a core
    with each other at first, which takes half of the speed of what lasts a few milliseconds.
    """
    running = [_submit(task) for task in (tasks[1:] if brief else tasks)]
    try:
        if brief and brief(time.monotonic() + _BRIEF):
            running.append(_submit(tasks[0]))
        while running and wait(running, timeout=0.1).not_done:
            if tick:
                tick()
    except BaseException:
        cancel()
        wait(running)
        raise
    return [future.result() for future in running]


def _submit(task: Callable[[], T]) -> Future[T]:
    global _pool
    if _pool is None:
        # Beyond the cores, so that callers on many threads do not wait for each other's long searches.
        _pool = ThreadPoolExecutor(2 * cores() + 4, thread_name_prefix="metricspace")
    return _pool.submit(task)
