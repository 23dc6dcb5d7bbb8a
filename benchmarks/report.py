"""Results of benchmarks: as JSON for programs, as Markdown for the documentation."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import pathlib
import platform
from importlib import metadata
from typing import Any

from metricspace.simd.matrices import MATRICES
from metricspace.simd.vectors import PAIRS, WIDE

RESULTS = pathlib.Path(__file__).parent / "results"


def machine() -> str:
    """Return in words what the benchmark runs on."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("numpy", "numba"))
    cores = len(os.sched_getaffinity(0))
    return f"{_processor()}, {cores} cores, {registers()}; Python {platform.python_version()}, {versions}"


def registers() -> str:
    """Return the instructions that kernels are compiled for."""
    if WIDE:
        return "AVX-512 and AMX" if MATRICES else "AVX-512"
    return "AVX2" if PAIRS else "no AVX2"


def variant() -> str:
    """Return what results are called that wider registers would better; nothing for the widest."""
    return "" if WIDE else "avx2" if PAIRS else "plain"


def named(name: str, variant: str) -> str:
    """Return the name of a file of some variant."""
    return f"{name}-{variant}" if variant else name


def _processor() -> str:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


@dataclasses.dataclass
class Result:
    """What a benchmark found.

    Attributes
    ----------
    about : str
        What was measured, and how.
    rows : list of dict
        Rows of a table, or of several: those that follow one another with the same keys make one.
    verdicts : dict of str to bool
        Each target in words, with what was reached, and whether it was.
    machine : str
        What it ran on.
    variant : str
        Added to the name under which it is kept, beside results that it must not replace.
    """

    about: str
    rows: list[dict[str, Any]]
    verdicts: dict[str, bool] = dataclasses.field(default_factory=dict)
    machine: str = dataclasses.field(default_factory=machine)
    variant: str = ""


def write(name: str, result: Result) -> str:
    """Write a result as JSON and return the file's name."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{named(name, result.variant)}.json"
    file.write_text(json.dumps(dataclasses.asdict(result), indent=2) + "\n", encoding="utf-8")
    return f"{RESULTS.parent.name}/{RESULTS.name}/{file.name}"


def read(file: pathlib.Path) -> Result:
    """Read a result that `write` wrote."""
    return Result(**json.loads(file.read_text(encoding="utf-8")))


def markdown(result: Result) -> str:
    """Return a result as Markdown."""
    tables = [table(list(rows)) for _, rows in itertools.groupby(result.rows, tuple)]
    parts = [result.about, *tables]
    if result.verdicts:
        parts.append(
            "\n".join(f"- {'✓' if met else '✗'} {target}" for target, met in result.verdicts.items())
        )
    return "\n\n".join([*parts, f"*{result.machine}*"])


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as a Markdown table: numbers to the right, three digits of them."""
    names = list(rows[0])
    right = [isinstance(rows[0][name], (int, float)) for name in names]
    lines = [names, ["--:" if numeric else ":--" for numeric in right]]
    lines += [[_shown(row[name]) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _shown(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
