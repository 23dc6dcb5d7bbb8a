"""Put what was measured into the documentation.

``python -m docs.tables`` fills the places between ``<!-- name -->`` and ``<!-- /name -->`` in the README and
in the pages beside this file: ``demo:quality`` and ``demo:rows`` with the tables of the demo, which it runs
if ``out/demo.json`` is missing; ``demo/NAME:quality`` and ``demo/NAME:rows`` with those of a demo that was
run with ``--out out/NAME``; ``benchmark:NAME`` with the last result of that benchmark. It also copies the
demo's pictures to ``docs/images``.
"""

from __future__ import annotations

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
    for picture in OUT.glob("*.png"):
        shutil.copy(picture, DOCS / "images" / picture.name)
    places = {}
    for file in (OUT / "demo.json", *sorted(OUT.glob("*/demo.json"))):
        demo = "/".join(("demo", *file.parent.relative_to(OUT).parts))
        tables = demo_tables(json.loads(file.read_text(encoding="utf-8")))
        places |= {f"{demo}:{name}": table for name, table in tables.items()}
    for file in sorted(report.RESULTS.glob("*.json")):
        places[f"benchmark:{file.stem}"] = report.markdown(report.read(file))
    for page in [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]:
        if page.exists():
            text = page.read_text(encoding="utf-8")
            filled = fill(text, places)
            if filled != text:
                page.write_text(filled, encoding="utf-8")
                print(f"updated {page.relative_to(ROOT)}")  # noqa: T201


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
