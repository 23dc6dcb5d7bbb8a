"""The M-tree grows and shrinks, and keeps its invariants."""

import numpy as np
import pytest

import metricspace as ms
from metricspace.indexes.mtree import HEIGHT, ROOT
from metricspace.objects.base import appended
from tests import naive


def check(index):
    """Assert every invariant of the structure."""
    tree, rows = index._tree, index._objects.rows
    seen = []

    def walk(node, level):
        size = tree.size[node]
        entries = tree.entry[node, :size]
        assert size <= index.capacity
        if tree.leaf[node]:
            assert level == tree.whole[HEIGHT]
            if node != tree.whole[ROOT]:
                assert size >= tree.least
            assert (tree.home[entries] == node).all()
            below = entries.tolist()
            seen.extend(below)
        else:
            assert size >= (2 if node == tree.whole[ROOT] else 1)
            below = []
            for e in range(size):
                child = tree.child[node, e]
                assert tree.parent[child] == node
                assert tree.router[child] == entries[e]
                under = walk(child, level + 1)
                reach = max(naive.euclidean(rows[o], rows[entries[e]]) for o in under)
                assert reach <= tree.cover[node, e] * (1 + 1e-6)
                below += under
        if tree.router[node] >= 0:
            for e in range(size):
                expected = naive.euclidean(rows[entries[e]], rows[tree.router[node]])
                assert tree.to_router[node, e] == pytest.approx(expected, rel=1e-5, abs=1e-9)
        return below

    walk(tree.whole[ROOT], 0)
    alive = [p for p in range(index._ids.count) if p not in index._ids.removed]
    assert sorted(seen) == alive
    assert (np.flatnonzero(tree.home >= 0) == alive).all()
    return alive


def agrees(index, objects, alive):
    queries = objects[:5] + np.float32(0.01)
    scan = ms.LinearScan().fit(objects).knn(queries, 8, filter=alive)
    assert (index.knn(queries, 8).positions == scan.positions).all()


@pytest.mark.parametrize("capacity", [4, 7, 24])
def test_insertion(capacity):
    objects = np.random.default_rng(1).normal(size=(500, 3)).astype(np.float32)
    index = ms.MTree(capacity=capacity).fit(objects[:1])
    for start, stop in ((1, 2), (2, 40), (40, 41), (41, 500)):
        assert index.add(objects[start:stop]).tolist() == list(range(start, stop))
        check(index)
    agrees(index, objects, range(500))
    together = ms.MTree(capacity=capacity).fit(objects)
    assert (together._tree.size[:100] == index._tree.size[:100]).all()


def test_insertion_and_removal_at_random():
    random = np.random.default_rng(2)
    objects = random.normal(size=(900, 3)).astype(np.float32)
    objects[::5] = objects[0]
    index = ms.MTree(capacity=6).fit(objects[:300])
    for start in range(300, 900, 100):
        alive = check(index)
        index.remove(random.choice(alive, 90, replace=False))
        index.add(objects[start : start + 100])
        agrees(index, objects[: start + 100], check(index))
    alive = check(index)
    random.shuffle(alive)
    for part in np.array_split(alive, 12):
        index.remove(part)
        check(index)
    assert len(index) == 0
    assert (index.knn(objects[:2], 3).ids == -1).all()
    assert index.range(objects[:2], np.inf).ids.size == 0
    assert list(index.browse(objects[0])) == []
    assert index.add(objects[:50]).tolist() == list(range(900, 950))
    assert index.knn(objects[:1], 1).ids[0, 0] == 900


def test_costs_stay_near_those_of_a_fresh_tree():
    random = np.random.default_rng(3)
    centres = random.normal(size=(40, 6)) * 4
    objects = (centres[random.integers(0, 40, 4000)] + random.normal(size=(4000, 6)) * 0.3).astype(np.float32)
    index = ms.MTree().fit(objects[:2000])
    for start in range(2000, 4000, 100):
        index.add(objects[start : start + 100])
        index.remove(range(start - 2000, start - 1900))
    fresh = ms.MTree().fit(objects[2000:])
    queries = objects[:200]
    assert index.knn(queries, 10).cost.mean() <= 1.3 * fresh.knn(queries, 10).cost.mean()


def test_what_cannot_be_changed_changes_nothing():
    index = ms.MTree().fit(np.eye(3), ids=["a", "b", "c"])
    for change in (
        lambda: index.add([[1, 2]], ids=["d"]),
        lambda: index.add([[1, 2, np.nan]], ids=["d"]),
        lambda: index.add([[1, 2, 3]]),
        lambda: index.add([[1, 2, 3]], ids=["a"]),
        lambda: index.add([[1, 2, 3]], ids=[4]),
        lambda: index.add([[1, 2, 3]] * 2, ids=["d", "d"]),
        lambda: index.remove(["a", "z"]),
        lambda: index.remove(["a", "a"]),
    ):
        with pytest.raises(ms.MetricSpaceError):
            change()
        assert check(index) == [0, 1, 2]
    index.remove(["b"])
    index.add([[1, 1, 1]], ids=["b"])
    assert index.knn([[1, 1, 1]], 1).ids[0, 0] == "b"


def test_a_failing_metric_leaves_the_tree_as_it_was():
    failing = False

    def metric(a, b):
        if failing and max(a, b) > 150:
            raise RuntimeError("out of order")
        return abs(a - b)

    index = ms.MTree(metric, capacity=4).fit(list(range(100)))
    before = index.knn([3.3], 100).ids.tolist()
    failing = True
    with pytest.raises(RuntimeError, match="out of order"):
        index.add(list(range(100, 200)))
    assert index.knn([3.3], 100).ids.tolist() == before
    assert len(index) == 100
    failing = False
    index.add(list(range(100, 200)))
    assert index.knn([160.2], 1).ids[0, 0] == 160


def test_words_with_new_letters_can_be_added():
    index = ms.MTree("levenshtein").fit(["cat", "dog"])
    index.add(["日本", "caté"])
    assert index.knn(["日本語"], 1).ids[0, 0] == 2
    assert index.knn(["cate"], 1).distances[0, 0] == 1
    assert index.objects([2, 3]) == ["日本", "caté"]


def test_a_matrix_cannot_grow():
    index = ms.MTree("precomputed").fit(np.zeros((2, 2)))
    with pytest.raises(ms.MetricSpaceError, match="cannot grow"):
        index.add(np.zeros((1, 2)))


def test_growing_by_small_parts_keeps_earlier_results():
    first = appended(np.arange(4), np.array([4]))
    second = appended(first, np.array([5]))
    other = appended(first, np.array([6, 7]))
    assert second.base is first.base
    assert other.base is not first.base
    assert [a.tolist() for a in (first, second, other)] == [[*range(5)], [*range(6)], [*range(5), 6, 7]]
