"""Objects added and removed: answers are those of a fresh index over what is there."""

import numpy as np
import pytest

import metricspace as ms
from metricspace.dynamic import DynamicIndex
from tests import naive
from tests.workloads import truth, workloads

DYNAMIC = [cls for cls in ms.indexes().values() if issubclass(cls, DynamicIndex)]
LOADS = {load.name: load for load in workloads() if load.name in ("euclidean", "levenshtein", "python")}


@pytest.fixture(params=DYNAMIC, ids=lambda cls: cls.key)
def dynamic(request):
    return request.param


def agrees(index, load, present):
    """Whether k-NN, range and browsing answer as the oracle does for the objects that are there."""
    rows = truth(load)
    hits = index.knn(load.queries, 7)
    radii = np.sort(rows, axis=1)[:, 9]
    balls = index.range(load.queries, radii)
    for i, (row, (ids, _)) in enumerate(zip(rows, balls)):
        expected = naive.knn(row, 7, allowed=present)[0]
        assert [p for p in hits.positions[i].tolist() if p >= 0] == [p for p in expected if p >= 0]
        assert ids.tolist() == naive.ranked(row, radii[i], allowed=present)
    assert [p for p, _ in index.browse(load.queries[0])] == naive.ranked(rows[0], allowed=present)


@pytest.mark.parametrize("name", LOADS)
def test_added_and_removed(dynamic, name):
    load = LOADS[name]
    n = len(load.objects)
    index = dynamic(load.metric, seed=2).fit(load.objects[:10])
    assert index.add(load.objects[10:11]).tolist() == [10]
    assert index.add(load.objects[11:]).tolist() == list(range(11, n))
    agrees(index, load, set(range(n)))
    gone = set(range(0, n, 3))
    index.remove(sorted(gone))
    assert index.n_objects == n - len(gone)
    agrees(index, load, set(range(n)) - gone)
    with pytest.raises(ms.MetricSpaceError):
        index.remove([0])
    rest = sorted(set(range(n)) - gone)
    index.remove(rest[:-1])
    agrees(index, load, {rest[-1]})
    index.add(load.objects[:1])
    assert index.knn([load.objects[0]], 1).distances[0, 0] == 0


def test_nothing_is_added(dynamic):
    index = dynamic().fit(np.eye(3))
    assert index.add(np.empty((0, 3))).tolist() == []
    assert index.n_objects == 3


def test_a_failing_metric_changes_nothing(dynamic):
    def apart(a, b):
        if "no" in (a, b):
            raise RuntimeError("no")
        return float(abs(len(a) - len(b)))

    index = dynamic(ms.Metric(apart)).fit(["a" * i for i in range(1, 101)])  # more than a bucket holds
    with pytest.raises(RuntimeError):
        index.add(["a" * 110, "no", "a" * 120])
    assert index.n_objects == 100
    assert index.knn(["a" * 130], 3).positions.tolist() == [[99, 98, 97]]
    assert index.add(["a" * 128]).tolist() == [100]
    assert index.knn(["a" * 130], 2).positions.tolist() == [[100, 99]]


def test_reaches_follow(dynamic):
    load = LOADS["euclidean"]
    index = dynamic(seed=2).fit(load.objects[:60], reverse=3)
    index.add(load.objects[60:100])
    index.remove(list(range(0, 100, 4)))
    fresh = ms.LinearScan().fit(load.objects[:100][np.arange(100) % 4 != 0])
    kept = np.flatnonzero(np.arange(100) % 4 != 0)
    for found, expected in zip(index.reverse_knn(load.queries, 3), fresh.reverse_knn(load.queries, 3)):
        assert found[0].tolist() == kept[expected[0]].tolist()


def test_saved_after_changes(dynamic, tmp_path):
    load = LOADS["levenshtein"]
    index = dynamic("levenshtein").fit(load.objects[:80])
    index.add(load.objects[80:])
    index.remove([3, 100])
    index.save(tmp_path / "kept")
    again = ms.load(tmp_path / "kept")
    assert (again.knn(load.queries, 5).positions == index.knn(load.queries, 5).positions).all()
    again.add(load.objects[:5])
    assert again.n_objects == len(load.objects) + 3


def test_growing_does_not_make_searching_dear(dynamic):
    random = np.random.default_rng(4)
    centres, noise = random.normal(size=(40, 16)) * 2, random.normal(size=(2100, 16)) / np.arange(1, 17)
    vectors = (centres[random.integers(0, 40, 2100)] + noise).astype(np.float32)
    objects, queries = vectors[:2000], vectors[2000:]
    grown, fresh = dynamic(seed=1).fit(objects[:500]), dynamic(seed=1).fit(objects)
    for first in range(500, 2000, 250):
        grown.add(objects[first : first + 250])
    hits, expected = grown.knn(queries, 10), fresh.knn(queries, 10)
    assert (hits.positions == expected.positions).all()
    assert hits.cost.mean() <= 1.3 * expected.cost.mean()
    radius = float(np.median(expected.distances[:, -1]))
    assert grown.count(queries, radius).cost.mean() <= 1.3 * fresh.count(queries, radius).cost.mean()
