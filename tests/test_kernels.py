"""Compilation: no reference counts, a cache that is hit and never stale, the same when interpreted."""

import os
import pathlib
import shutil
import subprocess
import sys
import textwrap

import pytest

import metricspace
from metricspace.kernels import COMPILED, kernel

PACKAGE = pathlib.Path(metricspace.__file__).parent


def run(script, cwd, **environment):
    """Run a script in a process of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=cwd,
        env={**os.environ, **environment, "PYTHONPATH": str(cwd)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


COUNT_COMPILATIONS = """
from numba.core import event
class Compilations(event.Listener):
    count = 0
    def on_start(self, event): self.count += 1
    def on_end(self, event): pass
compilations = Compilations()
event.register("numba:compile", compilations)
"""


def test_import_compiles_nothing():
    assert run(COUNT_COMPILATIONS + "import metricspace; print(compilations.count)", PACKAGE.parent) == ["0"]


EVERYTHING = """
import metricspace as ms
from tests.workloads import pairs, workloads
for workload, structure in pairs(workloads(30, 2)):
    index = structure(ms.metric(workload.metric, **workload.params)).fit(workload.objects)
    index.knn(workload.queries, 2)
    index.range(workload.queries, 1.0)
    next(index.browse(workload.queries[0]))
print(compilations.count)
"""


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
def test_a_second_process_compiles_nothing():
    run(COUNT_COMPILATIONS + EVERYTHING, PACKAGE.parent)
    assert run(COUNT_COMPILATIONS + EVERYTHING, PACKAGE.parent) == ["0"]


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
def test_a_search_counts_no_references(tmp_path):
    script = """
    import numpy as np, metricspace as ms
    from metricspace.traversal import search
    ms.VPTree().fit(np.eye(3)).knn(np.eye(3), 1)
    ms.VPTree("manhattan").fit(np.eye(3)).knn(np.eye(3), 1)
    compiled = search.inspect_asm().values()
    print(len(compiled), sum("NRT_" in text for text in compiled), min(map(len, compiled)) > 10_000)
    """
    # In a fresh cache: code that was loaded cannot be inspected.
    assert run(script, PACKAGE.parent, NUMBA_CACHE_DIR=str(tmp_path)) == ["2", "0", "True"]


@pytest.fixture
def copied(tmp_path):
    """A copy of the package, with all that is compiled already."""
    shutil.copytree(PACKAGE, tmp_path / "metricspace")
    return tmp_path


def edit(folder, file, before, after):
    path = folder / "metricspace" / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


ASK = """
import metricspace as ms
import numpy as np
X = np.arange(40.0)[:, None] * np.ones((1, 2))
X, q = (["cat", "dog"], "cow") if "{metric}" == "levenshtein" else (X, [3.2, 3.2])
hits = ms.{structure}("{metric}").fit(X).knn([q], 1)
print(hits.ids[0, 0], hits.distances[0, 0].round(3))
"""


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
@pytest.mark.parametrize(
    ("file", "before", "after", "metric", "key", "expected"),
    [
        # the body of a metric, called by address
        ("norms.py", "return sum_of_magnitudes(space.rows[i], query.row)",
         "return 3 * sum_of_magnitudes(space.rows[i], query.row)",
         "manhattan", "GHTree", ["3", "1.2"]),
        # a function that metrics share, one of them compiled into the search
        ("simd/sums.py", "return join(builder, _folded(builder, lanes, join), rest)",
         "return join(builder, join(builder, _folded(builder, lanes, join), rest), rest)",
         "euclidean", "LinearScan", ["3", "0.4"]),
        # the core, far below the kernel that is stored
        ("answer.py", "position = answer.order[slot]", "position = answer.order[slot] + 7",
         "manhattan", "LinearScan", ["10", "0.4"]),
        # the body of a structure
        ("indexes/linear.py", "consider_block(space, start,", "consider_block(space, start + 40,",
         "manhattan", "LinearScan", ["-1", "inf"]),
        # a constant
        ("metrics/sequences.py", "_ALL = ~np.uint64(0)", "_ALL = np.uint64(1)", "levenshtein", "VPTree",
         ["0", "4.0"]),
    ],
)  # fmt: skip
def test_an_edit_is_seen(copied, file, before, after, metric, key, expected):
    ask = ASK.format(structure=key, metric=metric)
    assert run(ask, copied) != expected
    edit(copied, file, before, after)
    assert run(ask, copied) == expected
    assert run(ask, copied) == expected


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
def test_renaming_and_adding_disturb_nothing(copied):
    ask = ASK.format(structure="GHTree", metric="manhattan")
    before = run(ask, copied)
    edit(copied, "families/domains.py", "Domains", "DirichletDomains")
    assert run(COUNT_COMPILATIONS + ask + "print(compilations.count > 0)", copied) == [*before, "True"]
    own = """
    from typing import NamedTuple
    import metricspace as ms, numpy as np
    from metricspace.index import BaseIndex
    from metricspace.traversal import consider, expand, make_desk
    class Nodes(NamedTuple):
        count: int
    @expand.of(Nodes)
    def _(tree, node, space, query, answer, desk):
        for slot in range(tree.count - {fewer}):
            consider(space, slot, 0.0, 0, query, answer, desk)
    class Own(BaseIndex):
        key, arrays = "own", Nodes
        def _build(self, construction): return Nodes(construction.count), None
        def _desk(self): return make_desk(100, 0, 0)
    print(Own("manhattan").fit(np.arange(40.0)[:, None]).count([[0.0]], 100).counts[0])
    """
    # The structure of a script is stored too, and told apart from its earlier form.
    assert run(own.format(fewer=0), copied) == ["40"]
    assert run(own.format(fewer=7), copied) == ["33"]
    assert run(COUNT_COMPILATIONS + ask + "print(compilations.count)", copied) == [*before, "0"]


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
def test_damaged_entries_are_compiled_again(copied):
    ask = ASK.format(structure="LinearScan", metric="manhattan")
    before = run(ask, copied)
    for stored in (copied / "metricspace").rglob("*.nbc"):
        data = bytearray(stored.read_bytes())
        data[len(data) // 2] ^= 255
        stored.write_bytes(data)
    assert run(ask, copied) == before


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
def test_without_a_writable_place_each_process_compiles(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    ask = ASK.format(structure="LinearScan", metric="manhattan")
    there = run(ask, PACKAGE.parent)
    assert run(ask, PACKAGE.parent, NUMBA_CACHE_DIR=str(blocked / "under")) == there


def test_interpreted_is_the_same():
    script = """
    import metricspace as ms
    from tests.workloads import pairs, workloads
    for workload, structure in pairs(workloads(40, 2)):
        index = structure(ms.metric(workload.metric, **workload.params)).fit(workload.objects)
        hits = index.knn(workload.queries, 3)
        print(*hits.positions.ravel(), *hits.cost, *next(index.browse(workload.queries[0])))
    """
    compiled, interpreted = (run(script, PACKAGE.parent, NUMBA_DISABLE_JIT=flag) for flag in "01")
    assert compiled == interpreted
    assert len(compiled) > 500


def test_what_is_given_by_default_belongs_to_the_code():
    once, twice = kernel(lambda x: x), kernel(lambda x: x + x)
    both = [kernel(lambda x, own=own: own(x)) for own in (once, twice)]
    assert [each(4) for each in both] == [4, 8]
