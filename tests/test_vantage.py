"""Trees of vantage objects: VP-tree, multi-way VP-tree, forest, multi vantage point tree."""

import numpy as np
import pytest

import metricspace as ms
from metricspace.partitions import leave_out

RANDOM = np.random.default_rng(0)
CENTRES = RANDOM.normal(size=(20, 6)) * 3
X = (CENTRES[RANDOM.integers(0, 20, 700)] + RANDOM.normal(size=(700, 6)) * 0.5).astype(np.float32)
X[600:640] = X[0]  # duplicates
Q = X[:40] + np.float32(0.1)
WORDS = ["".join(RANDOM.choice(list("abcd"), RANDOM.integers(2, 9))) for _ in range(600)]


def distances(index, slot, start, stop):
    rows = index._objects.rows.astype(float)
    return np.sqrt(((rows[start:stop] - rows[slot]) ** 2).sum(axis=1))


def least_and_most(d):
    return pytest.approx([d.min(), d.max()], rel=1e-5)


def inside(box, to_first, to_second, between):
    """Whether objects lie in a box of the half plane, wherever their distances put them."""
    if not between > 1e-3:
        return True
    x = (to_first**2 - to_second**2) / (2 * between)
    y = np.sqrt(np.maximum(to_first**2 - (x + between / 2) ** 2, 0))
    near = 1e-4
    return ((x >= box[0] - near).all() and (x <= box[1] + near).all() and (y >= box[2] - near).all()) and (
        y <= box[3] + near
    ).all()


MAKES = {
    "vptree": lambda bounds: ms.VPTree(leaf_size=5, paths=3, bounds=bounds),
    "mwvptree": lambda bounds: ms.MultiwayVPTree(arity=3, leaf_size=5, paths=3, bounds=bounds),
    "wide": lambda bounds: ms.MultiwayVPTree(arity=9, leaf_size=2, paths=3, bounds=bounds),
    "vpforest": lambda bounds: ms.VPForest(leaf_size=5, paths=3, bounds=bounds),
    "by radius": lambda bounds: ms.VPForest(rho=0.3, leaf_size=5, paths=3, bounds=bounds),
}


@pytest.mark.parametrize("make", MAKES)
def test_bands_boxes_and_paths(make):
    index = MAKES[make]("four-point").fit(X)
    tree = index._tree
    homes, nodes = np.zeros(len(X), int), range(len(tree.start))
    for node in nodes:
        start, stop, parent = tree.start[node], tree.stop[node], tree.parent[node]
        if tree.first[node] < 0:
            homes[start:stop] += 1
            ancestor = parent
            for level in range(tree.level[node] - 1, max(tree.level[node] - 3, 0) - 1, -1):
                kept = tree.path[level % 3, start:stop]
                np.testing.assert_allclose(
                    kept, distances(index, tree.start[ancestor], start, stop), rtol=1e-5
                )
                ancestor = tree.parent[ancestor]
        else:
            homes[start] += 1
            parts = range(tree.first[node], tree.last[node])
            assert [tree.parent[part] for part in parts] == [node] * len(parts)
            assert [tree.start[part] for part in parts][1:] == [tree.stop[part] for part in parts][:-1]
            assert (tree.start[parts[0]], tree.stop[parts[-1]]) == (start + 1, stop)
        if parent < 0:
            assert node in tree.roots
            continue
        d = distances(index, tree.start[parent], start, stop)
        if len(tree.roots) == 1:
            assert tree.band[node].tolist() == least_and_most(d)
        else:  # what was left out of the node later on, it covers too
            assert tree.band[node, 0] <= d.min() * (1 + 1e-5)
            assert tree.band[node, 1] >= d.max() * (1 - 1e-5)
        above = tree.parent[parent]
        if above >= 0:
            between = distances(index, tree.start[parent], tree.start[above], tree.start[above] + 1)[0]
            assert tree.apart[parent] == pytest.approx(between, rel=1e-5)
            assert inside(tree.box[node], d, distances(index, tree.start[above], start, stop), between)
    assert (homes == 1).all()
    assert sorted(index._order.tolist()) == list(range(len(X)))


@pytest.mark.parametrize("arity", [2, 3, 8])
def test_parts_are_of_equal_size(arity):
    tree = ms.MultiwayVPTree(arity=arity, leaf_size=5).fit(X)._tree
    for node in np.flatnonzero(tree.first >= 0):
        parts = slice(tree.first[node], tree.last[node])
        assert np.ptp(tree.stop[parts] - tree.start[parts]) <= 1


def test_a_vptree_is_the_multiway_tree_of_two_parts():
    one, other = ms.VPTree().fit(X), ms.MultiwayVPTree(arity=2, bounds="triangle").fit(X)
    assert (one._order == other._order).all()
    assert (one.knn(Q, 5).cost == other.knn(Q, 5).cost).all()


@pytest.mark.parametrize("rho", [0.05, 0.1])
def test_a_ball_of_the_radius_takes_one_path_in_each_tree(rho):
    index = ms.VPForest(rho=rho, leaf_size=40, bounds="triangle").fit(X)
    tree = index._tree
    assert len(tree.roots) > 1
    for node in np.flatnonzero(tree.last - tree.first == 2):
        near, far = tree.band[tree.first[node] : tree.last[node]]
        assert far[0] - near[1] > 2 * rho
    levels = index._anatomy().levels
    trees = np.split(levels, np.flatnonzero(tree.parent < 0)[1:])
    longest = sum(levels.max() + 1 for levels in trees)
    assert max(index.explain(query, radius=rho * 0.999).visited for query in Q) <= longest
    assert max(index.explain(query, radius=rho * 20).visited for query in Q) > longest


def test_the_middle_is_limited_however_large_the_radius():
    for objects in (X, np.ones((3000, 2), np.float32)):
        roots = ms.VPForest(rho=100.0).fit(objects)._tree.roots
        assert len(roots) < 4 * len(objects) ** 0.5


def test_leaving_out_by_width():
    keys = RANDOM.permutation(np.arange(100.0))
    order = keys.astype(np.int64)
    for share, width, gap in (
        (0.0, 10.0, range(50, 50)),
        (0.5, 10.0, range(45, 56)),
        (0.1, 99.0, range(45, 55)),
    ):
        low, high = leave_out(keys, order, 0, 100, 50, share, width)
        assert sorted(keys[low:high]) == list(gap)
        assert (keys == order).all()
        assert (keys[:low] < 50).all()
        assert (keys[high:] >= 50).all()


@pytest.mark.parametrize("leaf_size", [1, 7, 100])
def test_multi_vantage_point_tree(leaf_size):
    index = ms.MVPTree(arity=3, leaf_size=leaf_size, paths=2, bounds="four-point").fit(X)
    tree = index._tree
    homes = np.zeros(len(X), int)
    for node in range(len(tree.start)):
        start, stop, parent = tree.start[node], tree.stop[node], tree.parent[node]
        size = stop - start
        if size > 2:
            assert tree.apart[node] == pytest.approx(distances(index, start, start, stop).max(), rel=1e-5)
        if tree.first[node] < 0:
            homes[start:stop] += 1
            assert size <= leaf_size + 2
            for j in range(2 if size > 2 else 0):
                kept = tree.own[j, start + 2 : stop]
                np.testing.assert_allclose(kept, distances(index, start + j, start + 2, stop), rtol=1e-5)
            ancestor = parent
            while ancestor >= 0:
                level = tree.level[ancestor]
                for j in range(2 if level < 2 else 0):
                    expected = distances(index, tree.start[ancestor] + j, start, stop)
                    np.testing.assert_allclose(tree.path[2 * level + j, start:stop], expected, rtol=1e-5)
                ancestor = tree.parent[ancestor]
        else:
            homes[start : start + 2] += 1
            children = slice(tree.first[node], tree.last[node])
            assert 4 <= tree.last[node] - tree.first[node] <= 9 or leaf_size == 1
            assert (tree.stop[children] - tree.start[children]).sum() == size - 2
        if parent >= 0:
            first, second = (distances(index, tree.start[parent] + j, start, stop) for j in range(2))
            assert tree.band[node, :2].tolist() == least_and_most(first)
            assert tree.band[node, 2:].tolist() == least_and_most(second)
            assert inside(tree.box[node], first, second, tree.apart[parent])
    assert (homes == 1).all()
    assert sorted(index._order.tolist()) == list(range(len(X)))


SHARPER = {**MAKES, "mvptree": lambda bounds: ms.MVPTree(arity=2, leaf_size=20, paths=3, bounds=bounds)}


@pytest.mark.parametrize("make", SHARPER)
def test_four_point_bounds_exclude_more(make):
    scan = ms.LinearScan().fit(X)
    plain, sharp = (SHARPER[make](bounds).fit(X) for bounds in ("triangle", "four-point"))
    assert plain.build_cost == sharp.build_cost
    for radius in (0.3, 0.8, 1.5):
        expected = scan.range(Q, radius)
        one, other = plain.range(Q, radius), sharp.range(Q, radius)
        assert one.positions.tolist() == other.positions.tolist() == expected.positions.tolist()
        assert (other.cost <= one.cost).all()
        assert other.cost.sum() < one.cost.sum()
    assert plain.knn(Q, 5).positions.tolist() == sharp.knn(Q, 5).positions.tolist()
    told = sharp.explain(Q[0], radius=1.5)
    assert "planar" in {**told.excluded_nodes, **told.excluded_objects}
    assert "planar" not in plain.explain(Q[0], radius=1.5).excluded_objects


@pytest.mark.parametrize("cls", [ms.VPTree, ms.MultiwayVPTree, ms.VPForest, ms.MVPTree])
def test_bounds_are_those_that_the_metric_allows(cls):
    assert len(cls("levenshtein").fit(WORDS)._tree.box) == 0
    with pytest.raises(ms.MetricSpaceError, match="four_point"):
        cls("levenshtein", bounds="four-point").fit(WORDS)
    with pytest.raises(ms.MetricSpaceError, match="bounds"):
        cls(bounds="sharp")
    tree = cls().fit(X)._tree
    assert (len(tree.box) > 0) == (cls is not ms.VPTree)


@pytest.mark.parametrize("rho", [0, -1, np.inf, np.nan, True, "1"])
def test_rho_is_a_radius(rho):
    with pytest.raises(ms.MetricSpaceError, match="rho"):
        ms.VPForest(rho=rho)


@pytest.mark.parametrize("data", ["vectors", "words"])
def test_the_multi_vantage_point_tree_measures_least(data):
    metric, objects, queries = (
        ("euclidean", X, Q) if data == "vectors" else ("levenshtein", WORDS, WORDS[:30])
    )
    costs = [
        index.fit(objects).knn(queries, 5).cost.mean()
        for index in (ms.MVPTree(metric), ms.VPTree(metric, paths=0), ms.GHTree(metric))
    ]
    assert costs[0] < min(costs[1:])


@pytest.mark.parametrize("cls", [ms.VPTree, ms.MultiwayVPTree, ms.VPForest, ms.MVPTree])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 9, 30])
def test_smallest_leaves(cls, n):
    for objects in (X[:n], np.ones((n, 2), np.float32)):
        scan = ms.LinearScan().fit(objects)
        index = cls(leaf_size=1, paths=2, bounds="four-point").fit(objects)
        assert index.knn(objects, 4).positions.tolist() == scan.knn(objects, 4).positions.tolist()
        balls = index.range(objects, 1.0)
        assert balls.positions.tolist() == scan.range(objects, 1.0).positions.tolist()
