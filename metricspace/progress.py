"""Progress bars for long work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


def shown(what: str, total: int, wanted: bool) -> contextlib.AbstractContextManager[Callable[[int], None]]:
    """Show a bar while the block runs, if wanted; gives a function that takes how much is done."""
    return _bar(what, total) if wanted else contextlib.nullcontext(_ignore)


def _ignore(done: int) -> None:
    pass


@contextlib.contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.progress import Progress  # only now: it would slow down the import of the package

    with Progress(transient=True) as bars:
        bar = bars.add_task(what, total=total)
        yield lambda done: bars.update(bar, completed=done)
