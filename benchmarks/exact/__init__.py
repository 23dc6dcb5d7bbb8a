"""Exact search beside every peer: queries a second, with the ids of the scan."""

from __future__ import annotations

from benchmarks.embedded import embedded
from benchmarks.exact import strings, vectors
from benchmarks.exact.race import JOBS, SLOW, K
from benchmarks.report import Result, variant


def run(small: bool = False) -> Result:
    """Search vectors and strings.

    Parameters
    ----------
    small : bool
        A few hundred objects of each kind, to see whether everything runs.
    """
    rows, verdicts = [], {}
    for family in (vectors, strings):
        for race in family.races(small):
            found, kept = race.run()
            print(f"{race.data}, {race.question}: {found[0]['contender']} is the fastest", flush=True)
            rows += found
            verdicts |= kept
    return Result(
        f"Exact {K}-NN, and ranges within the median distance of the {K}th nearest or the distance given. "
        f"{JOBS} threads each, the median of alternating rounds. Contenders marked † took more than {SLOW} "
        "times as long as the fastest peer for a few queries, and were asked no more. Growth: a query takes "
        "n to this power, from a quarter of the objects to all. Learned are "
        f"{' and '.join(embedded(key).about for key in vectors.LEARNED)}.",
        rows,
        verdicts,
        variant=variant(),
    )
