"""Every distance beside the library that was made for it: the same pairs, one thread each."""

from __future__ import annotations

import importlib

from benchmarks.report import Result

FAMILIES = ("sequences", "trees", "sets", "pointsets", "vectors")


def run(small: bool = False) -> Result:
    """Measure all families; `small` is for tests of the benchmark itself."""
    rows = [
        row
        for family in FAMILIES
        for row in importlib.import_module(f"{__name__}.{family}").rows(small=small)
    ]
    verdicts = {}
    for row in rows:
        if row["target"] is None:  # beside a peer for the record
            continue
        target = f"{row['distance']}, {row['data']}: at least {row['target']:g} × {row['peer']}"
        verdicts[f"{target}; reached {row['ratio']:.3g}"] = row["ratio"] >= row["target"]
    return Result(
        "Nanoseconds for the distance of one pair, and how many times as fast as the peer: the same pairs in "
        "one run, one thread each, contenders taking turns, medians.",
        rows,
        verdicts,
    )
