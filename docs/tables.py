"""Put what was measured into the documentation.

``python -m docs.tables`` fills the places between ``<!-- name -->`` and ``<!-- /name -->`` in the README and
in the pages beside this file: ``demo:quality`` and ``demo:rows`` with the tables of the demo, which it runs
if ``out/demo.json`` is missing; ``demo/NAME:quality`` and ``demo/NAME:rows`` with those of a demo that was
run with ``--out out/NAME``; ``benchmark:NAME`` with the last result of that benchmark, and ``structure:KEY``
with what that of the structures says of one; ``exact:summary`` with the index and the best peer of each
race, and ``exact-avx2:summary`` with those of machines without AVX-512. It also copies the pictures of the
demo and of benchmarks to ``docs/images``.
"""

from __future__ import annotations

import itertools
import json
import pathlib
import shutil
from typing import Any

from benchmarks import report

DOCS = pathlib.Path(__file__).parent
ROOT = DOCS.parent
OUT = ROOT / "out"


def main() -> None:
    """Fill every place for which there is a result."""
    if not (OUT / "demo.json").exists():
        from metricspace.cli import app

        app(["demo", "--out", str(OUT)], standalone_mode=False)
    (DOCS / "images").mkdir(exist_ok=True)
    for picture in (*OUT.glob("*.png"), *report.RESULTS.glob("*.png")):
        shutil.copy(picture, DOCS / "images" / picture.name)
    places = {}
    for file in (OUT / "demo.json", *sorted(OUT.glob("*/demo.json"))):
        demo = "/".join(("demo", *file.parent.relative_to(OUT).parts))
        tables = demo_tables(json.loads(file.read_text(encoding="utf-8")))
        places |= {f"{demo}:{name}": table for name, table in tables.items()}
    for file in sorted(report.RESULTS.glob("*.json")):
        result = report.read(file)
        if file.stem == "structures":
            places |= structure_tables(result)
        else:
            places[f"benchmark:{file.stem}"] = report.markdown(result)
        if file.stem.partition("-")[0] == "exact":
            places[f"{file.stem}:summary"] = exact_summary(result)
    for page in [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("structures/*.md"))]:
        if page.exists():
            text = page.read_text(encoding="utf-8")
            filled = fill(text, places)
            if filled != text:
                page.write_text(filled, encoding="utf-8")
                print(f"updated {page.relative_to(ROOT)}")  # noqa: T201


def exact_summary(result: report.Result) -> str:
    """Return the index of our choice and the best peer, a row for each race, as Markdown."""
    rows = []
    for (data, query), race in itertools.groupby(result.rows, lambda row: (row["data"], row["query"])):
        contenders = {row["contender"]: row for row in race}
        own = next(name for name in contenders if name.startswith("Index"))
        peer = next(name for name, row in contenders.items() if row["times the best peer"] == 1)
        rows.append(
            {
                "data": data,
                "query": query,
                "queries a second": contenders[own]["queries a second"],
                "the best peer": peer,
                "its queries a second": contenders[peer]["queries a second"],
                "ratio": contenders[own]["times the best peer"],
            }
        )
    return f"{report.table(rows)}\n\n*{result.machine}*"


def demo_tables(demo: dict[str, Any]) -> dict[str, str]:
    """Return a demo's tables as Markdown, by name."""
    quality = demo["quality"]
    before, after = quality["before"], {name: quality[name] for name in quality["before"]}
    measured = [
        {"the classes never seen": "as they are", **before, "ρ": quality["rho_before"]},
        {"the classes never seen": "embedded", **after, "ρ": quality["rho_after"]},
    ]
    scan = {
        row["query"]: row["queries_per_second"] for row in demo["rows"] if row["structure"] == "LinearScan"
    }
    rows = [
        {
            "structure": row["structure"],
            "query": row["query"],
            "": "exact" if row["exact"] else "approximate",
            "built with": row["build_distances"],
            "distances": round(row["distances"]),
            "of the scan": f"{row['share']:.1%}",
            "recall": f"{row['recall']:.3f}",
            "precision": f"{row['precision']:.3f}",
            "queries a second": round(row["queries_per_second"]),
            "× the scan": row["queries_per_second"] / scan[row["query"].partition(",")[0]],
        }
        for row in demo["rows"]
    ]
    return {"quality": report.table(measured), "rows": report.table(rows)}


def structure_tables(result: report.Result) -> dict[str, str]:
    """Return the tables of the benchmark of the structures: one for each, and all side by side."""
    data = list(dict.fromkeys(row["data"] for row in result.rows))
    by_name: dict[str, dict[str, Any]] = {}
    for row in result.rows:
        by_name.setdefault(row["structure"], {})[row["data"]] = row

    def beside(column: str, digits: str) -> str:
        def shown(row: dict[str, Any] | None) -> str:
            return "–" if row is None else f"{row[column]:{digits}}"

        return report.table(
            [
                {"structure": f"`{name}`"} | {one: shown(rows.get(one)) for one in data}
                for name, rows in by_name.items()
            ]
        )

    about = [
        f"{row['data']}: {row['objects']:,} objects, {row['metric']}, ρ {row['ρ']:.1f}"
        for row in result.rows
        if row["structure"] == "linear"
    ]
    verdicts = "\n".join(f"- {'✓' if met else '✗'} {target}" for target, met in result.verdicts.items())
    every = [
        f"{result.about} Data: {'; '.join(about)}.",
        "10-NN, share of the scan's distances:",
        beside("k-NN, of the scan", ".1%"),
        "Range, share of the scan's distances:",
        beside("range, of the scan", ".1%"),
        "Distances to build, for each object:",
        beside("built for each", ",.1f"),
        f"What the papers promise, where less than half is measured:\n\n{verdicts}\n\n*{result.machine}*",
    ]
    tables = {"benchmark:structures": "\n\n".join(every)}
    for key in {name.partition("(")[0] for name in by_name}:
        tables[f"structure:{key}"] = report.table(
            [
                {
                    "data": one["data"],
                    "objects": one["objects"],
                    "ρ": one["ρ"],
                    "with": f"`{other}`",
                    "built with": one["built with"],
                    "10-NN": f"{one['k-NN']:,.0f} ({one['k-NN, of the scan']:.1%})",
                    "range": f"{one['range']:,.0f} ({one['range, of the scan']:.1%})",
                    "small range": f"{one['small range']:,.0f} ({one['small range, of the scan']:.1%})",
                    "bytes an object": one["bytes an object"],
                    "nodes": one["nodes"],
                    "depth": one["depth"],
                }
                for other, several in by_name.items()
                if other.partition("(")[0] == key
                for one in several.values()
            ]
        )
    return tables


def fill(text: str, places: dict[str, str]) -> str:
    """Return a page with its places filled.

    Parameters
    ----------
    text : str
        Of the page.
    places : dict of str to str
        What belongs between ``<!-- name -->`` and ``<!-- /name -->``; names without a place are left out.
    """
    for name, content in places.items():
        start, stop = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, opened, rest = text.partition(start)
        _, closed, after = rest.partition(stop)
        if opened and closed:
            text = f"{before}{start}\n{content}\n{stop}{after}"
    return text


if __name__ == "__main__":
    main()
