"""Progress bars for long work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def shown(what: str, total: int, wanted: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs, if wanted; yields a function that takes how much is done."""
    if not wanted:
        yield lambda done: None
        return
    from rich.progress import Progress  # only now: it would slow down the import of the package

    with Progress(transient=True) as bars:
        bar = bars.add_task(what, total=total)
        yield lambda done: bars.update(bar, completed=done)
