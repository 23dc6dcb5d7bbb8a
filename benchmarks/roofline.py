"""What this machine could do at most, and how near to that searches of vectors come, on one thread."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import metricspace as ms
from benchmarks import report
from benchmarks.exact.vectors import loads
from benchmarks.report import Result
from metricspace.fitting import SCANNING
from metricspace.indexes.boxes import GROUP
from metricspace.kernels import Array, kernel
from metricspace.simd.matrices import begin_products, end_products
from metricspace.simd.registers import ROWS
from metricspace.simd.tiles import BYTES, MOST, TOGETHER, tile_of_most, turn_six
from metricspace.simd.vectors import aligned

K, ROUNDS, ENOUGH = 10, 5, 0.1  # seconds of a round
STEPS = 64  # a block of so many steps stays in the fastest cache
SIZES = {"second cache": 1 << 18, "third cache": 1 << 23, "memory": 1 << 28}  # bytes that do not fit in less

Rates = dict[str, float]


def run(small: bool = False) -> Result:
    """Measure the machine, then box trees and scans of everything that is searched in `exact`.

    Parameters
    ----------
    small : bool
        A few hundred vectors of each kind, to see whether everything runs.
    """
    limits = machine_limits(1 << 10 if small else 1 << 20)
    rows = []
    for load in loads(small):
        if load.metric != "euclidean":
            continue
        tree, scan = ms.BoxTree().fit(load.vectors), ms.LinearScan().fit(load.vectors)
        rows += [row_of(load.name, index, load.queries, limits) for index in (tree, scan)]
    draw(limits, rows, report.RESULTS / f"{report.named('roofline', report.variant())}.png")
    told = ", ".join(f"{name} {rate:,.0f}" for name, rate in limits.items())
    return Result(
        f"{K}-NN on one thread, and what it would take if nothing limited it but the machine. In billions "
        f"a second: {told}. Products are those of codes, or of a scan's float32 rows, with what turns the "
        f"query; bytes are those of codes or rows that {GROUP} queries share ({SCANNING} in a scan), and "
        "of rows that are measured. The limit is what products and measured distances take at the machine's "
        "rate, or reading from the third cache, whichever is longer.",
        rows,
        variant=report.variant(),
    )


def row_of(name: str, index: Any, queries: npt.NDArray[np.float32], limits: Rates) -> dict[str, Any]:
    """Return what a query takes, what it computes and reads, and the machine's limit for that."""
    hits = index.knn(queries, K, n_jobs=1)
    seconds = best_of(lambda: index.knn(queries, K, n_jobs=1)) / len(queries)
    boxes, (objects, width) = index.key == "boxes", index._objects.rows.shape
    tree = index._tree if boxes else index._swept(len(queries))
    codes = tree.codes.shape[1] * tree.codes.shape[3]
    compared = float(hits.bounds.mean()) if boxes else float(objects)
    measured = float(hits.cost.mean()) if boxes else float(K)
    multiplied, turned = compared * codes, float(width * ROWS * len(tree.axes))
    read = compared * codes * tree.codes.itemsize / tree.together + measured * 4 * width
    rate = "products of bytes" if tree.codes.itemsize == 1 else "products of float32"
    computing = multiplied / limits[rate] + (turned + measured * width) / limits["products of float32"]
    limit = max(computing, read / limits["bytes from the third cache"]) / 1e9
    return {
        "data": name,
        "structure": index.key,
        "µs a query": 1e6 * seconds,
        "at the limit": 1e6 * limit,
        "share": limit / seconds,
        "products a query": multiplied + turned,
        "bytes a query": read,
        "products a nanosecond": (multiplied + turned) / seconds / 1e9,
    }


def draw(limits: Rates, rows: list[dict[str, Any]], file: pathlib.Path) -> None:
    """Draw the machine's roofs, and how near to them searches come."""
    from matplotlib.figure import Figure

    figure = Figure((7, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    at = np.geomspace(0.1, 1000, 200)
    peak = max(rate for name, rate in limits.items() if name.startswith("products"))
    place = 0.12  # of a label: those of rates that are hardly different must not lie on each other
    for name, rate in limits.items():
        if name.startswith("bytes"):
            axes.plot(at, np.minimum(rate * at, peak), color="#a8a29e", linewidth=1)
            label = f"{name.removeprefix('bytes ')}: {rate:.0f} GB/s"
            axes.annotate(label, (place, place * rate), color="#57534e", fontsize=7, rotation=33)
            place *= 4
        else:
            axes.axhline(rate, color="#57534e", linewidth=1)
            axes.annotate(f"{name}: {rate:.0f} G/s", (950, rate), fontsize=7, ha="right", va="bottom")
    for name in dict.fromkeys(row["data"] for row in rows):
        own = [row for row in rows if row["data"] == name]
        places = [
            (row["products a query"] / row["bytes a query"], row["products a nanosecond"]) for row in own
        ]
        points = axes.scatter(*zip(*places), s=[36, 14][: len(own)], label=name)
        axes.plot(*zip(*places), color=points.get_facecolor()[0], linewidth=0.5, linestyle=":")
    axes.set(
        xscale="log", yscale="log", xlim=(0.1, 1000), title="One thread: box trees (large), scans (small)"
    )
    axes.set(xlabel="products for each byte that is read", ylabel="billions of products a second")
    axes.legend(fontsize=7, loc="lower right")
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file)


def machine_limits(times: int) -> Rates:
    """Return how many billions of products, and of bytes from each memory, one thread gets a second."""
    rates = {}
    if BYTES:
        codes, asked = aligned((STEPS, ROWS, 4), np.uint8), aligned((MOST, 4 * STEPS), np.int8)
        bias, norms = np.zeros(MOST, np.int32), np.zeros(ROWS, np.float32)
        factors, limits = np.ones(MOST, np.float32), np.zeros(MOST, np.float32)
        given = codes, asked, bias, norms, factors, np.arange(MOST), limits, np.zeros(MOST, np.uint64)
        products = codes.size * MOST * (times // 256)
        rates["products of bytes"] = products / best_of(lambda: _compare(times // 256, *given)) / 1e9
    columns, rows = aligned((STEPS, ROWS, 1), np.float32), np.ones((TOGETHER, STEPS), np.float32)
    out, products = np.zeros((TOGETHER, ROWS), np.float32), columns.size * TOGETHER * (times // 64)
    rates["products of float32"] = products / best_of(lambda: _turn(times // 64, columns, rows, out)) / 1e9
    for name, size in SIZES.items():
        numbers = np.ones(min(size, 64 * times) // 8, np.int64)
        again = max(64 * times // numbers.nbytes, 1)
        rates[f"bytes from the {name}" if "cache" in name else "bytes from memory"] = (
            again * numbers.nbytes / best_of(lambda numbers=numbers, again=again: _add(again, numbers)) / 1e9
        )
    return rates


def best_of(work: Callable[[], object]) -> float:
    """Return the least seconds of some work: what else the machine does only adds to them."""
    work()
    least, until = np.inf, time.perf_counter() + ENOUGH * ROUNDS
    while least == np.inf or time.perf_counter() < until:
        started = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - started)
    return float(least)


@kernel
def _compare(
    times: int, codes: Array, asked: Array, bias: Array, norms: Array, factors: Array, members: Array,
    limits: Array, found: Array,
) -> None:  # fmt: skip
    begin_products(codes)
    for _ in range(times):
        tile_of_most(codes, asked, bias, norms, factors, 0, members, 0, limits, found, MOST)
    end_products(codes)


@kernel
def _turn(times: int, columns: Array, rows: Array, out: Array) -> None:
    for _ in range(times):
        turn_six(columns, rows, 0, out, 0, ROWS)


@kernel
def _add(times: int, numbers: Array) -> int:
    total = 0
    for _ in range(times):
        for i in range(numbers.shape[0]):
            total += numbers[i]
        numbers[0] = total  # so that no round can be left out
    return total
