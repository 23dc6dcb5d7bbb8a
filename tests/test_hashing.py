"""Buckets by split functions, by balls out of a list, and along a line: what they hold, what they save."""

import numpy as np
import pytest

import metricspace as ms
from benchmarks.workloads import like_learned
from metricspace.errors import InvalidArgument
from tests import naive


def clustered(n, d=6, seed=3):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(40, d)) * 4
    return (centres[random.integers(0, 40, n)] + random.normal(size=(n, d)) * 0.5).astype(np.float32)


X = clustered(1600)


def chain(tree, node):
    """The slots of a bucket."""
    slots, slot = [], tree.first[node]
    while slot >= 0:
        slots.append(int(slot))
        slot = tree.following[slot]
    return slots


# --- D-index -----------------------------------------------------------------------------------------


def check_hashing(index):
    """Assert every invariant of the D-index, and return the separable buckets of each level."""
    tree = index._tree
    rows = index._objects.rows.astype(float)
    levels, splits = tree.pivots.shape
    width = 2**splits + 1
    held = [chain(tree, node) for node in range(len(tree.first))]
    everything = [slot for slots in held for slot in slots] + tree.pivots.ravel().tolist()
    assert sorted(everything) == list(range(len(rows)))
    for node, slots in enumerate(held):
        assert (tree.home[slots] == node).all()
        passed = min(node // width + 1, levels)
        for slot in slots:
            d = np.linalg.norm(rows[tree.pivots[:passed].ravel()] - rows[slot], axis=1)
            np.testing.assert_allclose(tree.to_pivots[slot, : passed * splits], d, rtol=1e-5, atol=1e-6)
            d = tree.to_pivots[slot, : passed * splits].astype(float).reshape(passed, splits)
            excluded = (d > tree.low[:passed]) & (d <= tree.high[:passed])
            before = excluded if node == levels * width else excluded[:-1]
            assert before.any(axis=1).all()
            for level, by in enumerate(before):
                j = by.argmax()
                least, most = tree.band[(level + 1) * width, j]
                assert least <= d[level, j] <= most
            if node < levels * width:
                assert not excluded[-1].any()
                zones = (d[-1] > tree.high[passed - 1]) @ (1 << np.arange(splits))
                assert node == (passed - 1) * width + 1 + zones
                assert (tree.band[node, :, 0] <= d[-1]).all()
                assert (tree.band[node, :, 1] >= d[-1]).all()
    for level in range(levels):
        assert (tree.home[tree.pivots[level]] == level * width).all()
    return [held[level * width + 1 : (level + 1) * width] for level in range(levels)]


@pytest.mark.parametrize(("rho", "levels", "splits"), [(None, 4, 6), (0.4, 8, 3), (0.0, 2, 2), (50.0, 3, 1)])
def test_hashed_to_buckets_that_are_apart(rho, levels, splits):
    index = ms.DIndex(rho=rho, levels=levels, splits=splits).fit(X[:700])
    rows, found = index._objects.rows.astype(float), index.separation
    assert rho is None or found == rho
    for buckets in check_hashing(index):
        for a, slots in enumerate(buckets):
            others = [slot for bucket in buckets[:a] for slot in bucket]
            if slots and others:
                apart = np.linalg.norm(rows[slots][:, None] - rows[others][None], axis=2)
                assert apart.min() > 2 * found


def test_the_medians_divide_the_first_level():
    tree = ms.DIndex(splits=3).fit(X)._tree
    for j in range(3):
        inner, outer = (tree.to_pivots[3:, j] <= tree.low[0, j]), (tree.to_pivots[3:, j] > tree.high[0, j])
        assert abs(int(inner.sum()) - int(outer.sum())) < 0.3 * len(X)
    excluded = (tree.home >= 2**3 + 1).mean()
    assert 0.45 < excluded < 0.55


@pytest.mark.parametrize("metric", ["euclidean", "levenshtein"])
def test_one_separable_bucket_a_level(metric):
    random = np.random.default_rng(5)
    if metric == "euclidean":
        objects, queries, rho = X[:1500], X[1500:], 0.7
    else:
        objects = ["".join(random.choice(list("abcd"), random.integers(1, 14))) for _ in range(800)]
        queries, rho = objects[::20], 1.0
    index = ms.DIndex(metric, rho=rho, levels=4, splits=3).fit(objects)
    levels = len(index._tree.pivots)
    visited = [index.explain(query, radius=rho).visited for query in queries]
    assert max(visited) <= 2 * levels + 1
    assert min(visited) <= 2  # within a zone of every split of the first level
    wide = [index.explain(query, radius=8 * rho).visited for query in queries]
    assert max(wide) > 2 * levels + 1


def test_a_small_ball_is_cheap_and_any_ball_exact():
    index = ms.DIndex().fit(X[:1500])
    assert index.range(X[1500:], index.separation).cost.mean() < 150
    scan = ms.LinearScan().fit(X[:1500])
    for radius in (0, 0.5, 2.0, 9.0):
        found, expected = index.range(X[1500:], radius), scan.range(X[1500:], radius)
        assert (found.positions == expected.positions).all()


def test_pivots_filter_the_objects_of_a_bucket():
    index = ms.DIndex().fit(X[:1500])
    told = index.explain(X[1501], radius=0.5)
    assert told.excluded_objects["object-pivot"] > told.cost
    assert told.excluded_nodes["range-pivot"] > 0


def test_hashing_what_is_added():
    index = ms.DIndex(rho=0.4, levels=3, splits=3).fit(X[:500])
    before = index.build_cost
    index.add(X[500:600])
    assert index.build_cost - before <= 100 * 9
    index.add(X[600:601])
    index.remove(range(100))
    check_hashing(index)
    hits = index.knn(X[:9], 1)
    assert (hits.positions >= 100).all()


def test_ten_thousand_equal_objects_are_hashed_at_once():
    index = ms.DIndex().fit(np.ones((10_000, 2)))
    assert index.build_cost < 10 * 10_000
    assert index.count(np.ones((1, 2)), 0).counts[0] == 10_000


def test_arguments_of_hashing():
    for wrong in (
        {"rho": -1.0},
        {"rho": np.nan},
        {"levels": 0},
        {"splits": 0},
        {"splits": 17},
        {"bounds": "x"},
    ):
        with pytest.raises(InvalidArgument):
            ms.DIndex(**wrong)


# --- list of clusters --------------------------------------------------------------------------------


def check_list(index):
    """Assert every invariant of the list of clusters."""
    tree, rows = index._tree, index._objects.rows.astype(float)
    buckets = [chain(tree, i) for i in range(len(tree.centre))]
    assert sorted(sum(buckets, tree.centre.tolist())) == list(range(len(rows)))
    assert [len(bucket) for bucket in buckets] == tree.size.tolist()
    if index.radius is None:
        assert (tree.size[:-1] == index.bucket_size).all()
    later = []
    for i in reversed(range(len(buckets))):
        d = np.linalg.norm(rows - rows[tree.centre[i]], axis=1)
        np.testing.assert_allclose(tree.to_centre[buckets[i]], d[buckets[i]], rtol=1e-5, atol=1e-6)
        assert (tree.home[buckets[i]] == 2 * i + 1).all()
        assert tree.home[tree.centre[i]] == 2 * i
        if i > 0:
            before = np.linalg.norm(rows - rows[tree.centre[i - 1]], axis=1)
            np.testing.assert_allclose(tree.to_before[buckets[i]], before[buckets[i]], rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(tree.apart[i], before[tree.centre[i]], rtol=1e-5, atol=1e-6)
        reach = index.radius
        if buckets[i]:
            inner = [d[buckets[i]].min(), d[buckets[i]].max()]
            np.testing.assert_allclose(tree.inside[i], inner, rtol=1e-5, atol=1e-6)
            reach = inner[1] if reach is None else reach
        if later:
            assert tree.beyond[i, 0] <= d[later].min() * (1 + 1e-6)
            assert tree.beyond[i, 1] >= d[later].max() * (1 - 1e-6)
            assert tree.beyond[i, 0] >= reach * (1 - 1e-6)
        later += [*buckets[i], tree.centre[i]]


@pytest.mark.parametrize(
    "settings", [{"bucket_size": 1}, {"bucket_size": 10}, {"radius": 1.0}, {"radius": 0.0}]
)
def test_the_list(settings):
    index = ms.ListOfClusters(**settings).fit(X[:300])
    check_list(index)
    tree, rows = index._tree, index._objects.rows.astype(float)
    order = np.lexsort((tree.home % 2, tree.home // 2))
    assert (order == np.arange(300)).all()  # objects lie in the order of the list
    for i, centre in enumerate(tree.centre[1:6], 1):  # the farthest in sum of those before is next
        sums = sum(np.linalg.norm(rows - rows[c], axis=1) for c in tree.centre[:i])
        assert sums[centre] >= sums[centre:].max() * (1 - 1e-6)


@pytest.mark.parametrize("settings", [{"bucket_size": 3}, {"bucket_size": 20}, {"radius": 1.5}])
def test_the_list_grows(settings):
    index = ms.ListOfClusters(**settings).fit(X[:1])
    scan = ms.LinearScan().fit(X[:400])
    for first, last in ((1, 2), (2, 50), (50, 51), (51, 400)):
        index.add(X[first:last])
        check_list(index)
    assert (index.knn(X[400:450], 5).positions == scan.knn(X[400:450], 5).positions).all()
    if "bucket_size" in settings:  # at most one distance for each cluster that there is
        before, clusters = index.build_cost, len(index._tree.centre)
        index.add(X[400:401])
        assert index.build_cost - before <= clusters


def test_the_search_ends_inside_a_ball():
    index = ms.ListOfClusters(bucket_size=20).fit(X)
    near = index._objects.rows[index._tree.centre[:1]]
    told = index.explain(near[0], radius=float(index._tree.inside[0, 1]) / 4)
    assert told.cost <= 21
    assert told.visited <= 2
    assert told.excluded_nodes["range-pivot"] >= 1


def test_a_list_suits_many_dimensions():
    spread = np.random.default_rng(1).normal(size=(3050, 12)).astype(np.float32)
    listed, halved = (
        index.fit(spread[50:]).knn(spread[:50], 10).cost.mean()
        for index in (ms.ListOfClusters(), ms.VPTree(paths=0))
    )
    assert listed < 0.9 * halved


@pytest.mark.parametrize("key", ["clusters", "dindex", "shapiro"])
def test_costs_stay_near_those_of_a_fresh_one(key):
    objects = like_learned(2100, d=8, clusters=40)
    structure = ms.indexes()[key]
    index = structure().fit(objects[:1000])
    for first in range(1000, 2000, 100):
        index.add(objects[first : first + 100])
    fresh = structure().fit(objects[:2000])
    grown, made = (one.knn(objects[2000:], 10).cost.mean() for one in (index, fresh))
    assert grown <= 1.3 * made


@pytest.mark.parametrize("key", ["clusters", "dindex"])
def test_the_four_point_property_saves_distances(key):
    structure = ms.indexes()[key]
    plain, sharp = (structure(bounds=bounds).fit(X[:1500]) for bounds in ("triangle", "four-point"))
    for ask in (lambda index: index.knn(X[1500:], 10), lambda index: index.range(X[1500:], 1.0)):
        expected, found = ask(plain), ask(sharp)
        assert (found.positions == expected.positions).all()
        assert (found.cost <= expected.cost).all()
        assert found.cost.sum() < 0.95 * expected.cost.sum()
    assert sharp.explain(X[1500], 10).excluded_objects["planar"] > 0
    with pytest.raises(ms.MetricSpaceError, match="four_point"):
        structure("manhattan", bounds="four-point").fit(X)


def test_arguments_of_the_list():
    for wrong in ({"radius": -1.0}, {"radius": np.nan}, {"bucket_size": 0}, {"bounds": "x"}):
        with pytest.raises(InvalidArgument):
            ms.ListOfClusters(**wrong)


# --- Shapiro's list ----------------------------------------------------------------------------------


def check_line(index):
    """Assert every invariant of Shapiro's list."""
    tree = index._tree
    expected = naive.matrix(naive.euclidean, index._objects.rows, index._objects.rows[tree.pivots])
    np.testing.assert_allclose(tree.table, expected, rtol=1e-5, atol=1e-6)
    assert sorted([*tree.line, *tree.pivots]) == list(range(len(tree.table)))
    assert (np.diff(tree.table[tree.line, 0]) >= 0).all()


def test_the_line_is_in_order_and_stays_so():
    index = ms.ShapiroList(pivots=5).fit(X[:200])
    check_line(index)
    index.add(X[200:300])
    index.add(X[300:301])
    index.remove([0, 250])
    check_line(index)


def test_as_few_distances_as_a_table_of_the_same_pivots():
    given = {"pivots": 9, "selection": "farthest", "seed": 4}
    index, table = ms.ShapiroList(**given).fit(X[:1500]), ms.LAESA(**given).fit(X[:1500])
    assert (index._tree.pivots == table._tree.pivots).all()
    for radius in (0.2, 0.8, 3.0):
        assert (index.range(X[1500:], radius).cost == table.range(X[1500:], radius).cost).all()
    assert index.knn(X[1500:], 5).cost.mean() <= 1.01 * table.knn(X[1500:], 5).cost.mean()


def test_only_what_lies_about_the_query_is_looked_at():
    index = ms.ShapiroList(pivots=4).fit(X[:1500])
    to_first = index._tree.table[index._tree.line, 0]
    for query in X[1500:1520]:
        d = naive.euclidean(query, X[index._order[index._tree.pivots[0]]])
        about = int((abs(to_first - d) <= 0.3).sum())
        told = index.explain(query, radius=0.3)
        looked = told.cost - 4 + sum(told.excluded_objects.values())
        assert about <= looked <= about + 16


def test_more_pivots_than_objects():
    index = ms.ShapiroList(pivots=50).fit(X[:20])
    assert len(index._tree.line) == 0
    assert index.knn(X[:3], 1).positions.ravel().tolist() == [0, 1, 2]
    index.add(X[20:60])
    check_line(index)
