"""Memory that results are written to before it is known how many there are, kept for the next queries.

What a system hands out has to be cleared first, page by page, by the host of a virtual machine as well; for
queries that find much this takes longer than to search.
"""

from __future__ import annotations

import numpy as np

from .sorting import Results

SLAB = 1 << 16  # results
_KEPT = 64  # slabs at most: 64 MB

_idle: list[Results] = []


def taken_slab(room: int = 0) -> Results:
    """Return memory for so many results or more, used before if there is some."""
    if room <= SLAB:
        try:
            return _idle.pop()
        except IndexError:
            pass
    room = max(room, SLAB)
    return Results(np.empty(room, np.int64), np.empty(room))


def give_back_slab(slab: Results) -> None:
    """Keep memory that is not used any more for other queries, if it is of the usual size and little."""
    if len(slab.positions) == SLAB and len(_idle) < _KEPT:
        _idle.append(slab)
