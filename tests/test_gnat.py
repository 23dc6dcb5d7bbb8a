"""GNAT keeps its invariants while it is built and while it grows, and measures few split points."""

import numpy as np
import pytest

import metricspace as ms
from metricspace.indexes.gnat import CANDIDATES, DISPLACED, LEAST, MOST, PAIRED, USED
from tests import naive


def some(n, d=4, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(12, d)) * 3
    return (centres[random.integers(0, 12, n)] + random.normal(size=(n, d))).astype(np.float32)


X, Q = some(1100)[:1000], some(1100)[1000:]


def check(index):
    """Assert every invariant of the structure, and return the objects below each node."""
    tree, rows = index._tree, index._objects.rows
    d = naive.matrix(naive.euclidean, rows, rows)
    count = tree.whole[USED]
    assert len(tree.parent) == count
    assert tree.whole[DISPLACED] == -1
    assert len(tree.band) == max(tree.whole[PAIRED], 1)
    below = {}
    for node in range(count - 1, -1, -1):
        degree = tree.degree[node]
        if degree == 0:
            bucket, slot = [], tree.bucket[node]
            while slot >= 0:
                bucket.append(int(slot))
                slot = tree.following[slot]
            assert len(bucket) <= index.leaf_size
            assert (tree.home[bucket] == node).all()
            below[node] = bucket
            if node > 0:
                centre = tree.centre[node]
                np.testing.assert_allclose(tree.to_centre[bucket], d[bucket, centre], rtol=1e-5)
                if len(tree.box):
                    first = tree.centre[tree.below[tree.parent[node]]]
                    np.testing.assert_allclose(tree.to_first[bucket], d[bucket, first], rtol=1e-5)
        else:
            children = range(tree.below[node], tree.below[node] + degree)
            centres = tree.centre[children]
            assert degree <= MOST * index.degree
            assert len(set(centres.tolist())) == degree
            assert (tree.home[centres] == node).all()
            assert (tree.parent[children] == node).all()
            below[node] = centres.tolist()
            for j, child in enumerate(children):
                objects = below[child]
                below[node] = below[node] + objects
                assert (d[objects, centres[j]][:, None] <= d[objects][:, centres] * (1 + 1e-6)).all()
                for k in range(degree):
                    pair = tree.table[child] + k
                    held = d[objects if k == j else [*objects, centres[j]], centres[k]]
                    if len(held):
                        np.testing.assert_allclose(tree.band[pair], [held.min(), held.max()], rtol=1e-5)
                    if k == j or not len(tree.box):
                        continue
                    between = d[centres[j], centres[k]]
                    assert tree.apart[pair] == pytest.approx(between, rel=1e-5)
                    if objects and between > 0:
                        x = (d[objects, centres[j]] ** 2 - d[objects, centres[k]] ** 2) / (2 * between)
                        box = tree.box[pair]
                        assert box[0] <= x.min()
                        assert box[1] >= x.max()
                        np.testing.assert_allclose(box[:2], [x.min(), x.max()], rtol=1e-3, atol=1e-2)
        assert tree.size[node] == len(below[node])
    assert sorted(below[0]) == list(range(len(rows)))
    return below


@pytest.mark.parametrize("bounds", ["triangle", "four-point"])
@pytest.mark.parametrize(("degree", "leaf_size"), [(4, 2), (5, 5), (32, 64)])
def test_building(degree, leaf_size, bounds):
    index = ms.GNAT(degree=degree, leaf_size=leaf_size, bounds=bounds).fit(X[:400])
    check(index)
    assert (len(index._tree.box) > 0) == (len(index._tree.to_first) > 0) == (bounds == "four-point")


def test_split_points_are_far_apart():
    index = ms.GNAT(degree=12, leaf_size=8).fit(X)
    tree, rows = index._tree, index._objects.rows
    chosen = tree.centre[tree.below[0] : tree.below[0] + tree.degree[0]]
    d = naive.matrix(naive.euclidean, rows[chosen], rows)
    gaps = [d[:j, chosen[j]].min() for j in range(1, 12)]
    assert (np.diff(gaps) <= 0).all()  # each is the farthest that was left
    random = np.random.default_rng(0)
    for _ in range(20):
        others = random.choice(1000, 12, replace=False)
        apart = naive.matrix(naive.euclidean, rows[others], rows[others])
        assert apart[np.triu_indices(12, 1)].min() < gaps[-1]
    assert CANDIDATES == 3


def test_degrees_follow_sizes():
    index = ms.GNAT(degree=12, leaf_size=8).fit(X)
    tree = index._tree
    assert tree.degree[0] == 12
    children = np.arange(tree.below[0], tree.below[0] + 12)
    share = tree.size[children] * 12 / (1000 - 12)
    expected = np.minimum(np.minimum(12 * share, MOST * 12), 2 * tree.size[children] // 8).astype(int)
    inner = tree.degree[children] > 0
    assert (tree.degree[children][inner] == np.maximum(expected, LEAST)[inner]).all()
    assert len(set(tree.degree[children][inner].tolist())) > 2


@pytest.mark.parametrize("leaf_size", [2, 9])
def test_adding(leaf_size):
    index = ms.GNAT(degree=4, leaf_size=leaf_size).fit(X[:1])
    for start, stop in ((1, 2), (2, 40), (40, 41), (41, 400)):
        assert index.add(X[start:stop]).tolist() == list(range(start, stop))
        check(index)
    found, expected = index.knn(Q, 8), ms.LinearScan().fit(X[:400]).knn(Q, 8)
    assert (found.positions == expected.positions).all()


def test_adding_changes_no_earlier_index():
    index = ms.GNAT(leaf_size=4).fit(X[:100])
    before = {name: np.copy(value) for name, value in index._tree._asdict().items()}
    tree = index._tree
    index.add(X[100:300])
    assert all((getattr(tree, name) == value).all() for name, value in before.items())


def test_removed_objects_lead_on():
    index = ms.GNAT(leaf_size=8, degree=8).fit(X)
    tree = index._tree
    gone = tree.centre[tree.below[0] : tree.below[0] + tree.degree[0]]
    index.remove(gone)
    kept = np.setdiff1d(np.arange(1000), gone)
    assert (index.knn(Q, 9).positions == kept[ms.LinearScan().fit(X[kept]).knn(Q, 9).positions]).all()
    index.add(X[gone])
    assert index.n_objects == 1000


def test_costs_stay_near_those_of_a_fresh_tree():
    objects, queries = some(6200, d=6)[:6000], some(6200, d=6)[6000:]
    fresh, index = ms.GNAT().fit(objects), ms.GNAT().fit(objects[:3000])
    for start in range(3000, 6000, 500):
        index.add(objects[start : start + 500])
    assert index.knn(queries, 10).cost.mean() <= 1.3 * fresh.knn(queries, 10).cost.mean()
    assert index.range(queries, 1.0).cost.mean() <= 1.3 * fresh.range(queries, 1.0).cost.mean()


def test_equal_objects_are_shared_out():
    index = ms.GNAT().fit(np.ones((4096, 2)))
    assert index.statistics().depth <= 3
    index.add(np.ones((500, 2)))
    assert index.statistics().depth <= 4


def test_sharper_bounds_exclude_more():
    sharp, blunt = ms.GNAT().fit(X), ms.GNAT(bounds="triangle").fit(X)
    assert sharp.build_cost == blunt.build_cost
    for radius in (0.3, 0.8):
        found, expected = sharp.range(Q, radius), blunt.range(Q, radius)
        assert (found.positions == expected.positions).all()
        assert (found.cost <= expected.cost).all()
        assert found.cost.mean() <= 0.9 * expected.cost.mean()
    told = sharp.explain(Q[0], radius=0.3)
    assert told.excluded_objects["planar"] > 0
    plain = blunt.explain(Q[0], radius=0.3)
    assert "planar" not in plain.excluded_nodes
    assert "planar" not in plain.excluded_objects


def test_sharper_bounds_need_their_law():
    with pytest.raises(ms.MetricSpaceError, match="four_point"):
        ms.GNAT("levenshtein", bounds="four-point").fit(["cat", "dog"])
    with pytest.raises(ms.MetricSpaceError, match="bounds"):
        ms.GNAT(bounds="sharp")


def test_few_split_points_are_measured():
    index = ms.GNAT(degree=32).fit(X)
    told = index.explain(Q[0], radius=0.1)
    assert told.excluded_nodes["range-pivot"] > 16
    assert told.cost < 32


def test_fewer_distances_than_other_trees(data):
    words = (data / "wamerican.txt").read_text(encoding="utf-8").splitlines()
    order = np.random.default_rng(0).permutation(len(words))[:3050]
    words = [words[i] for i in order]
    costs = {
        cls: cls("levenshtein", **params).fit(words[50:]).knn(words[:50], 10).cost.mean()
        for cls, params in ((ms.GNAT, {}), (ms.VPTree, {"paths": 0}), (ms.GHTree, {}))
    }
    assert costs[ms.GNAT] < costs[ms.VPTree]
    assert costs[ms.GNAT] < costs[ms.GHTree]


def test_building_takes_the_memory_that_fit_foresees():
    rows, index = some(6000), ms.GNAT(degree=8, leaf_size=8).fit(X)
    assert naive.most_memory(lambda: index.fit(rows)) < 2 * (index._bytes(len(rows)) + rows.nbytes)
