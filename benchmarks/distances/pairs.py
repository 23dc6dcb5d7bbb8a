"""The rows that all families report."""

from __future__ import annotations

from typing import Any


def row_of(
    distance: str, data: str, peer: str, ours: float, theirs: float, pairs: int, target: float
) -> dict[str, Any]:
    """Return a row of the table.

    Parameters
    ----------
    distance, data, peer : str
        What was measured, on what, beside whom.
    ours, theirs : float
        Seconds for all pairs.
    pairs : int
        How many.
    target : float
        The least ratio that is wanted.
    """
    return {
        "distance": distance,
        "data": data,
        "peer": peer,
        "ours: ns a pair": ours / pairs * 1e9,
        "peer: ns a pair": theirs / pairs * 1e9,
        "ratio": theirs / ours,
        "target": target,
    }
