"""Many threads at one index, and use after fork and under spawn."""

import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import metricspace as ms
from metricspace import threads
from metricspace.batch import LONGEST, even, shrinking

X = np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)


def ask(index):
    return index.knn(X[:40], 5).positions


def ask_a_fork(index, connection):
    connection.send(ask(index))


def test_many_queries_at_once(structure):
    index = structure().fit(X)
    expected = index.knn(X[:64], 7)
    radius = float(expected.distances[:, -1].mean())
    ball = index.range(X[:64], radius)

    def one(i):
        hits = index.knn(X[i : i + 1], 7, n_jobs=2)
        found = index.range(X[i : i + 1], radius)
        first = next(index.browse(X[i]))
        return hits.positions[0], found.positions, first

    with ThreadPoolExecutor(64) as pool:
        for i, (positions, found, first) in enumerate(pool.map(one, range(64))):
            assert (positions == expected.positions[i]).all()
            assert (found == ball.positions[ball.indptr[i] : ball.indptr[i + 1]]).all()
            assert first == (i, 0.0)


def test_a_users_metric_on_many_threads():
    index = ms.VPTree(lambda a, b: abs(a - b)).fit(list(range(500)))
    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda q: index.knn([q + 0.2], 1).ids[0, 0], range(64))
        assert list(answers) == list(range(64))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes(structure, method):
    index = structure().fit(X)
    expected = ask(index)  # the pool has threads now, which a fork loses
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=ask_a_fork, args=(index, sender))
    process.start()
    assert receiver.poll(60)
    assert (receiver.recv() == expected).all()
    process.join(10)
    assert process.exitcode == 0


def test_progress_is_shown(capsys):
    index = ms.VPTree().fit(X, progress=True)
    index.knn(X[:600], 3, progress=True)
    index.range(X[:600], 0.1, progress=True)
    assert (index.knn(X[:600], 3, progress=True).positions[:, 0] == np.arange(600)).all()


@pytest.mark.parametrize("left", [False, True])
def test_the_caller_begins_with_the_first_task(left):
    ran = []

    def brief(until):
        ran.append("brief")
        return left

    tasks = [lambda name=name: ran.append(name) for name in ("first", "second", "third")]
    threads.run(tasks, lambda: None, brief=brief)
    assert sorted(ran) == sorted(["brief", "second", "third"] + ["first"] * left)


def test_what_the_caller_leaves_is_searched_by_others(monkeypatch):
    monkeypatch.setattr(threads, "_BRIEF", 0.0)  # it leaves all
    rows = np.random.default_rng(3).normal(size=(2000, 6)).astype(np.float32)
    for cls in (ms.BoxTree, ms.VPTree, ms.LinearScan):
        index, right = cls().fit(rows), ms.LinearScan().fit(rows).range(rows[:300], 1.0, n_jobs=1)
        for n_jobs in (1, 2):
            found = index.range(rows[:300], 1.0, n_jobs=n_jobs)
            assert (found.indptr == right.indptr).all()
            assert (found.ids == right.ids).all()


def test_queries_of_another_kind_of_array_follow_usual_ones(tmp_path):
    rows = np.random.default_rng(4).normal(size=(300, 5)).astype(np.float32)
    ms.LinearScan().fit(rows).save(tmp_path / "index")
    kept = ms.load(tmp_path / "index")  # its arrays may not be written to
    for cls in (ms.BoxTree, ms.VPTree, ms.LinearScan):
        index = cls().fit(rows)
        usual = index.knn(rows, 3)
        assert (index.knn_join(kept, 3).ids == usual.ids).all()
        assert (index.knn(rows, 3).ids == usual.ids).all()
        assert len(index._machine_code) >= 1


@pytest.mark.parametrize("count", [0, 1, 36, 37, 100, 1000, 10_001, 300_000])
@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_spans_shrink_and_begin_with_a_group(count, jobs):
    spans = shrinking(count, jobs, 36)
    assert [i for first, last in spans for i in (first, last)] == sorted(
        [0, count] * bool(count) + 2 * [last for _, last in spans[:-1]]
    )
    sizes = [last - first for first, last in spans]
    assert sizes == sorted(sizes, reverse=True)
    assert all(size % 36 == 0 for size in sizes[:-1])
    assert max(sizes, default=0) < LONGEST + 36
    assert len(spans) >= min(jobs, count // 36)


@pytest.mark.parametrize("count", [0, 1, 48, 49, 96, 97, 1000, 10_001])
def test_groups_are_even(count):
    members = even(count, 48)
    groups = -(-count // members)
    assert 1 <= members <= 48
    assert groups <= 1 or groups % 2 == 0 or groups > members
    assert groups <= max(-(-count // 48), 1) + 1
    assert groups <= 1 or groups * members - count < groups  # none is smaller by more than is left over


def test_homes_of_many_long_queries_are_found_by_several_threads():
    rows = np.random.default_rng(5).normal(size=(3000, 300)).astype(np.float32)
    index, scan = ms.BoxTree().fit(rows), ms.LinearScan().fit(rows)
    for count in (200, 2000):
        one, two = (index.knn(rows[:count] + 0.1, 5, n_jobs=jobs) for jobs in (1, 2))
        right = scan.knn(rows[:count] + 0.1, 5)
        for hits in (one, two):
            assert (hits.ids == right.ids).all()
            assert (hits.distances == right.distances).all()
        assert (one.cost == two.cost).all()
