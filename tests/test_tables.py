"""Pivot tables: how pivots are chosen, what the rows hold, that bounds hold and how much they exclude."""

import numpy as np
import pytest

import metricspace as ms
from benchmarks.workloads import like_learned
from metricspace import filtering
from metricspace.answer import KNN
from metricspace.batch import Batch
from metricspace.construction import Construction
from metricspace.errors import InvalidArgument, NotAMetric
from metricspace.families.tables import TableIndex
from metricspace.kernels import kernel
from metricspace.pivots import STRATEGIES, choose
from tests import naive
from tests.test_hostile import HOSTILE
from tests.test_structures import Q, X

TABLES = [cls for cls in ms.indexes().values() if issubclass(cls, TableIndex)]
tables = pytest.mark.parametrize("cls", TABLES, ids=[cls.key for cls in TABLES])


def constructed(objects, metric="euclidean", seed=0):
    container = ms.metric(metric).objects(objects)
    return Construction(ms.metric(metric).bind(container, container), seed, lambda done: None)


# --- choosing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategies_choose_distinct_objects(strategy):
    for objects in (X, np.ones((700, 2)), np.eye(3), np.zeros((1, 2)), X[:40].repeat(30, axis=0)):
        for count in (1, 2, 17, 90):
            chosen = choose(constructed(objects), strategy, count)
            assert len(set(chosen.tolist())) == len(chosen) == min(count, len(objects))
            assert (chosen == choose(constructed(objects), strategy, count)).all()
    assert (choose(constructed(X, seed=1), strategy, 9) != choose(constructed(X), strategy, 9)).any()


def test_choosing_is_counted():
    costs = {}
    for strategy in STRATEGIES:
        construction = constructed(X)
        choose(construction, strategy, 8)
        costs[strategy] = construction.cost
    assert costs["random"] == 0
    assert costs["farthest"] == costs["separation"] == 7 * 512
    assert costs["farthest"] < costs["hf"] < costs["incremental"] < costs["hfi"] < len(X) * 32


def test_greedy_strategies_follow_their_rules():
    few = X[:200]
    d = naive.matrix(naive.euclidean, few, few)
    farthest, separated, hull = (
        choose(constructed(few), strategy, 8).tolist() for strategy in ("farthest", "separation", "hf")
    )
    edge = d[hull[0], hull[1]]
    for p in range(2, 8):
        others = np.delete(np.arange(200), hull[:p])
        assert d[farthest[p], farthest[:p]].min() == pytest.approx(d[:, farthest[:p]].min(axis=1).max())
        assert d[separated[p], separated[:p]].sum() == pytest.approx(d[:, separated[:p]].sum(axis=1).max())
        errors = np.abs(edge - d[:, hull[:p]]).sum(axis=1)
        assert errors[hull[p]] == pytest.approx(errors[others].min())
    outliers = choose(constructed(few), "outliers", 8)
    assert d[outliers].mean() > 1.2 * d.mean()


def test_incremental_choices_bound_better_than_random_ones():
    d = naive.matrix(naive.euclidean, X[:500], X[:500])

    def mean_bound(strategy):
        rows = d[choose(constructed(X[:500]), strategy, 4)]
        return np.abs(rows[:, :, None] - rows[:, None, :]).max(axis=0).mean()

    random = mean_bound("random")
    assert mean_bound("incremental") > 1.1 * random
    assert mean_bound("hfi") > 1.1 * random


# --- rows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [ms.LAESA, ms.PtolemaicTable])
def test_rows_hold_the_distances_to_the_pivots(cls):
    index = cls(pivots=7).fit(X[:200])
    index.add(X[200:300])
    tree = index._tree
    np.testing.assert_allclose(tree.table, naive.matrix(naive.euclidean, X[:300], X[tree.pivots]), rtol=1e-5)
    assert np.flatnonzero(tree.is_pivot).tolist() == sorted(tree.pivots.tolist())


def test_extreme_rows_hold_the_best_pivots():
    index = ms.ExtremePivots(pivots=9, kept=3).fit(X[:200])
    index.add(X[200:260])
    tree = index._tree
    d = naive.matrix(naive.euclidean, X[:260], X[tree.pivots])
    np.testing.assert_allclose(tree.table, np.take_along_axis(d, tree.which.astype(int), 1), rtol=1e-5)
    assert (np.diff(np.sort(tree.which, axis=1), axis=1) > 0).all()
    to_asking = naive.matrix(naive.euclidean, X[:260], X[tree.asking])
    between = naive.matrix(naive.euclidean, X[tree.pivots], X[tree.asking])
    bounds = np.abs(d[:, :, None] - between) / np.where(to_asking > 0, to_asking, np.inf)[:, None]
    first = bounds.sum(axis=2)
    np.testing.assert_allclose(first[np.arange(260), tree.which[:, 0]], first.max(axis=1), rtol=1e-6)


def test_apexes_are_where_the_distances_put_them():
    index = ms.NSimplex(pivots=5).fit(X[:200].astype(float))
    tree, d = index._tree, naive.matrix(naive.euclidean, X[:200], X[:200])
    assert len(tree.pivots) == 5
    at = tree.table[:, :4].astype(float) * tree.unit
    heights = tree.table[:, 4:6].astype(float) * tree.unit
    assert (heights[:, 0] <= heights[:, 1]).all()
    np.testing.assert_allclose(heights[:, 0], heights[:, 1], rtol=1e-6, atol=1e-4)  # 0 is least certain
    for p in tree.pivots:  # whose own height is 0
        apart = np.sqrt(((at - at[p]) ** 2).sum(axis=1) + heights[:, 1] ** 2)
        np.testing.assert_allclose(apart, d[p], rtol=1e-5, atol=1e-3)


@tables
def test_few_objects_grow_into_a_table(cls):
    index = cls(seed=3).fit(X[:4])
    for first in range(4, 60, 7):
        index.add(X[first : min(first + 7, 60)])
    index.add(X[60:])
    fresh = cls(seed=3).fit(X)
    assert len(index._tree.pivots) >= len(fresh._tree.pivots) - 2
    assert (index.knn(Q, 10).positions == fresh.knn(Q, 10).positions).all()
    assert index.knn(Q, 10).cost.mean() <= 1.3 * fresh.knn(Q, 10).cost.mean()


@tables
def test_additions_and_removals_keep_the_costs(cls):
    index = cls().fit(X[:500])
    index.add(X[500:])
    fresh = cls().fit(X)
    found = index.knn(Q, 10)
    assert (found.positions == fresh.knn(Q, 10).positions).all()
    assert found.cost.mean() <= 1.3 * fresh.knn(Q, 10).cost.mean()
    index.remove(list(range(0, 2000, 2)))
    kept = index.knn(Q, 10)
    expected = ms.LinearScan().fit(X[1::2]).knn(Q, 10)
    assert (kept.positions == 2 * expected.positions + 1).all()
    assert kept.cost.mean() < found.cost.mean() + 10


# --- bounds ------------------------------------------------------------------------------------------


@kernel
def fill_bounds(tree, answer, desk, out):
    for slot in range(out.shape[1]):
        out[0, slot], _ = filtering.lower_bound(tree, slot, answer, desk)
        out[1, slot], _ = filtering.sharper_bound(tree, slot, out[0, slot], answer, desk)
        out[2, slot] = filtering.upper_bound(tree, slot, answer, desk)


def bounds_of(index, query):
    """The first, the sharper and the upper bounds on the distances of all objects to a query."""
    batch = Batch(index, index._objects.encode([query]), KNN, 1, np.inf)
    batch.run(1, False)
    desk, answer = batch.workers[0].desk, batch.blank
    answer.reals[:] = np.inf
    out = np.zeros((3, len(index)))
    fill_bounds(index._tree, answer, desk, out)
    return out


@tables
@pytest.mark.parametrize("make", HOSTILE)
def test_the_distance_lies_between_the_bounds(cls, make):
    objects, queries = make(np.random.default_rng(1))
    wide = np.asarray(objects, np.longdouble)
    index = cls(pivots=12, seed=1).fit(objects)
    for query in (*queries[:4], *objects[:4]):
        true = np.sqrt(((wide - np.asarray(query, np.longdouble)) ** 2).sum(axis=1))
        first, sharper, most = bounds_of(index, query)
        assert (first <= true).all()
        assert (first <= sharper).all()
        assert (sharper <= true).all()
        assert (true <= most).all()


@pytest.mark.parametrize("cls", [ms.PtolemaicTable, ms.NSimplex])
@pytest.mark.parametrize("noise", [0, 1e-15, 1e-11, 1e-7, 1e-3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pivots_that_nearly_depend_on_each_other(cls, noise, dtype):
    random = np.random.default_rng(2)
    flat = np.pad(random.normal(size=(600, 2)), ((0, 0), (0, 6)))
    objects = (flat + noise * random.normal(size=flat.shape) + 1).astype(dtype)
    index, scan = cls(seed=1).fit(objects[20:]), ms.LinearScan().fit(objects[20:])
    assert (index.knn(objects[:20], 10).positions == scan.knn(objects[:20], 10).positions).all()
    radii = scan.knn(objects[:20], 10).distances[:, -1]
    assert (index.range(objects[:20], radii).positions == scan.range(objects[:20], radii).positions).all()
    wide = objects.astype(np.longdouble)
    for query in range(5):
        true = np.sqrt(((wide[20:] - wide[query]) ** 2).sum(axis=1))
        _, least, most = bounds_of(index, objects[query])
        assert (least <= true).all()
        assert (true <= most).all()


METRICS = {
    "chord": {},
    "hellinger": {"normalize": True},
    "jensenshannon": {"normalize": True},
    "sqrt_triangular": {"normalize": True},
    "quadratic_form": {"matrix": [[2, 1, 0, 0], [1, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]},
    "minkowski": {"p": 2, "w": [1, 4, 0, 0.5]},
}


@pytest.mark.parametrize("cls", [ms.PtolemaicTable, ms.NSimplex])
@pytest.mark.parametrize("name", METRICS)
def test_metrics_that_embed(cls, name):
    objects = np.random.default_rng(3).integers(0, 9, (400, 4)) / 8 + 0.125
    objects[200:230] = objects[:30]
    metric = ms.metric(name, **METRICS[name])
    index, scan = cls(metric, pivots=10).fit(objects[10:]), ms.LinearScan(metric).fit(objects[10:])
    found, expected = index.knn(objects[:20], 12), scan.knn(objects[:20], 12)
    assert (found.positions == expected.positions).all()
    assert found.cost.mean() < 200
    radii = expected.distances[:, 5]
    assert (index.range(objects[:20], radii).positions == scan.range(objects[:20], radii).positions).all()


def test_pivots_beyond_the_dimensions_are_dropped():
    sphere = np.random.default_rng(0).normal(size=(500, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    assert len(ms.NSimplex().fit(sphere)._tree.pivots) == 4
    line = np.arange(100.0)[:, None] * [[1, 2, 3]]
    assert len(ms.NSimplex().fit(line)._tree.pivots) == 2
    assert len(ms.NSimplex().fit(np.ones((100, 3)))._tree.pivots) == 1


def test_what_is_far_beyond_the_pivots():
    index = ms.NSimplex().fit(X[:200].astype(float) * 1e-150)
    far = X[200:210].astype(float) * 1e140
    index.add(far)
    scan = ms.LinearScan().fit(np.concatenate([X[:200].astype(float) * 1e-150, far]))
    for queries in (far, X[:5].astype(float) * 1e-150):
        assert (index.knn(queries, 12).positions == scan.knn(queries, 12).positions).all()


# --- what they exclude -------------------------------------------------------------------------------


def costs(index):
    return index.knn(Q, 10).cost.mean()


def test_sharper_bounds_measure_fewer():
    laesa, ptolemaic, every, simplex = (
        made.fit(X)
        for made in (ms.LAESA(), ms.PtolemaicTable(), ms.PtolemaicTable(pairs="all"), ms.NSimplex())
    )
    same = laesa.knn(Q, 10).positions
    for index in (ptolemaic, every, simplex):
        assert (index.knn(Q, 10).positions == same).all()
    assert costs(every) <= costs(ptolemaic) < costs(laesa)
    assert costs(simplex) < costs(laesa)
    assert (ptolemaic.knn(Q, 10).cost <= laesa.knn(Q, 10).cost).all()
    reasons = ptolemaic.explain(Q[0]).excluded_objects
    assert reasons["Ptolemaic"] > 0
    assert "simplex" in simplex.explain(Q[0], radius=0.5).excluded_objects


def test_laesa_has_an_optimum_of_pivots():
    few, some, many, most = (costs(ms.LAESA(pivots=pivots).fit(X)) for pivots in (1, 4, 8, 128))
    assert few > some > many < most


def test_aesa_measures_fewest_of_the_triangle_inequality():
    few = X[:1500]
    fewest = costs(ms.AESA().fit(few))
    for cls in ms.indexes().values():
        if cls.needs == "triangle" and cls.exact:
            index = cls(**({"bounds": "triangle"} if "bounds" in cls().params() else {})).fit(few)
            assert fewest <= costs(index)


def test_extreme_pivots_need_fewer_than_a_table_of_the_same_size():
    objects = like_learned(4100)
    extreme, table = ms.ExtremePivots().fit(objects[100:]), ms.LAESA(pivots=10).fit(objects[100:])
    assert extreme._tree.table.nbytes + extreme._tree.which.nbytes == table._tree.table.nbytes
    assert extreme.knn(objects[:100], 10).cost.mean() < 0.9 * table.knn(objects[:100], 10).cost.mean()


@tables
def test_objects_are_counted_unmeasured(cls):
    index, scan = cls().fit(X), ms.LinearScan().fit(X)
    for radius in (0.0, 2.0, 8.0, 15.0, 30.0, np.inf):
        counted, expected = index.count(Q, radius), scan.count(Q, radius)
        assert (counted.counts == expected.counts).all()
        assert (counted.cost <= index.range(Q, radius).cost).all()
    assert (counted.cost == len(index._tree.pivots)).all()
    assert index.count(Q, 15.0).cost.mean() < 0.9 * index.range(Q, 15.0).cost.mean()
    odd = np.arange(2000) % 2 == 1
    assert (index.count(Q, 15.0, filter=odd).counts == scan.count(Q, 15.0, filter=odd).counts).all()


def test_budgets_that_end_among_the_pivots():
    for cls in TABLES:
        index = cls(pivots=20).fit(X)
        for budget in (1, len(index._tree.pivots), len(index._tree.pivots) + 1):
            hits = index.knn(Q[:5], 3, budget=budget)
            assert (hits.cost == budget).all()
            assert not hits.exact.any()


# --- refusals ----------------------------------------------------------------------------------------


def test_refusals():
    with pytest.raises(NotAMetric, match=r"'ptolemaic', which manhattan does not declare: use LAESA"):
        ms.PtolemaicTable("manhattan").fit(X)
    with pytest.raises(NotAMetric, match=r"'hilbert', which levenshtein .*Metric\(function, hilbert=True\)"):
        ms.NSimplex("levenshtein").fit(["a", "b"])
    with pytest.raises(InvalidArgument, match="selection to be one of random, farthest"):
        ms.LAESA(selection="best")
    with pytest.raises(InvalidArgument, match="pairs to be one of extreme, all"):
        ms.PtolemaicTable(pairs="some")
    with pytest.raises(InvalidArgument, match="at most 256 pivots, given 257"):
        ms.ExtremePivots(pivots=257)
