"""The benchmarks run, on small data, and their results become Markdown."""

import importlib

import numpy as np
import pytest

from benchmarks import (
    complex,  # noqa: A004
    distances,
    embedded,
    exact,
    joins,
    memory,
    report,
    roofline,
    scale,
    startup,
    structures,
    usermetric,
    vptree,
    workloads,
)
from docs import tables


@pytest.fixture(autouse=True)
def generated(monkeypatch, tmp_path):
    """Vectors are generated: the learned ones would have to be learned first."""
    monkeypatch.setattr(embedded, "KEPT", tmp_path / "embedded")
    monkeypatch.setattr(embedded, "_images", lambda: None)
    monkeypatch.setattr(embedded, "_omniglot", lambda: None)


@pytest.mark.parametrize(
    ("benchmark", "sizes"),
    [
        (memory, {"objects": 300, "fewer": 100}),
        (usermetric, {"objects": 300, "queries": 5}),
        (structures, {"objects": 120, "queries": 5}),
        (startup, {"structures": ("vptree",)}),
        (vptree, {"objects": 400, "queries": 60}),
        (joins, {"objects": 400, "sample": 60}),
        (complex, {"objects": 500}),
        (roofline, {"small": True}),
        (scale, {"sizes": ((2000, 8),), "queries": 20}),
        (exact, {"small": True}),
    ],
    ids=lambda part: part.__name__.rpartition(".")[2] if hasattr(part, "run") else "",
)
def test_benchmark_runs(benchmark, sizes, monkeypatch, tmp_path):
    if benchmark is joins:
        pytest.importorskip("rapidfuzz")
        monkeypatch.setattr(workloads, "DATA", tmp_path / "absent")
    if benchmark in (vptree, joins, exact):
        pytest.importorskip("pynear")
        pytest.importorskip("faiss")
    if benchmark is exact:
        for package in ("pykdtree", "nmslib", "pybktree", "rapidfuzz"):
            pytest.importorskip(package)
        monkeypatch.setattr("benchmarks.exact.race.ROUNDS", 1)
    monkeypatch.setattr(startup, "ROUNDS", 1)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    result = benchmark.run(**sizes)
    assert len({tuple(row) for row in result.rows}) == 1
    report.write("some", result)
    name = report.named("some", result.variant)
    assert report.read(tmp_path / "results" / f"{name}.json") == result
    assert report.markdown(result).count("\n") > len(result.rows)


@pytest.mark.parametrize(
    ("family", "needs"),
    [
        ("sequences", ("rapidfuzz",)),
        ("trees", ("apted", "zss")),
        ("sets", ()),
        ("pointsets", ()),
        ("vectors", ("faiss",)),
    ],
)
def test_distances_agree_with_the_peers(family, needs):
    for package in needs:
        pytest.importorskip(package)
    rows = importlib.import_module(f"benchmarks.distances.{family}").rows(small=True)
    assert family in distances.FAMILIES
    for row in rows:
        assert list(row) == list(rows[0])
        assert row["ratio"] == pytest.approx(row["peer: ns a pair"] / row["ours: ns a pair"])


def test_structures_agree_with_the_scan():
    result = structures.run(objects=120, queries=5)
    assert result.verdicts["every structure returns the scan's ids"]
    assert not any("returns the scan's ids on" in verdict for verdict in result.verdicts)


def test_generated_data_stand_in_for_missing_ones(tmp_path):
    loads = workloads.workloads(50, 5, data=tmp_path / "absent")
    assert all(len(load.objects) == 50 and len(load.queries) == 5 for load in loads)
    assert {load.metric for load in loads} == {"euclidean", "levenshtein", "jaccard"}


def test_scan_in_float64():
    vectors = workloads.clustered(200, 8)
    nearest = workloads.by_float64_scan(vectors, vectors[:3], 2)
    assert nearest[:, 0].tolist() == [0, 1, 2]
    assert nearest.dtype == np.int64


def test_places_in_pages_are_filled():
    page = "a\n<!-- x -->\nold\n<!-- /x -->\nb <!-- y -->"
    assert (
        tables.fill(page, {"x": "new", "y": "?", "z": "?"}) == "a\n<!-- x -->\nnew\n<!-- /x -->\nb <!-- y -->"
    )


def test_table_in_markdown():
    rows = [{"name": "a", "count": 1200, "ratio": 0.12345}, {"name": "b", "count": 7, "ratio": None}]
    assert report.table(rows).splitlines() == [
        "| name | count | ratio |",
        "| :-- | --: | --: |",
        "| a | 1,200 | 0.123 |",
        "| b | 7 | – |",
    ]
