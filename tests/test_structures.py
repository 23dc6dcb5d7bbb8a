"""Invariants and costs of the structures: what they keep, what they prune, what they report."""

import numpy as np
import pytest

import metricspace as ms
from metricspace.dynamic import DynamicIndex
from metricspace.simd.tiles import BY_PAIRS, BYTES
from tests import naive


def clustered(n, d=8, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(30, d)) * 4
    return (centres[random.integers(0, 30, n)] + random.normal(size=(n, d)) * 0.4).astype(np.float32)


X, Q = clustered(2100)[:2000], clustered(2100)[2000:]


def test_laesa_and_aesa_tables():
    laesa = ms.LAESA(pivots=7, selection="farthest").fit(X[:300])
    pivots, table = laesa._tree.pivots, laesa._tree.table
    expected = naive.matrix(naive.euclidean, X[:300], X[pivots])
    np.testing.assert_allclose(table, expected, rtol=1e-5)
    assert len(set(pivots.tolist())) == 7
    for p in range(1, 7):  # farthest first
        assert expected[pivots[p], :p].min() == pytest.approx(expected[:, :p].min(axis=1).max())
    aesa = ms.AESA().fit(X[:300])._tree.matrix
    np.testing.assert_allclose(aesa, naive.matrix(naive.euclidean, X[:300], X[:300]), rtol=1e-5)


# Distances per query and for the build, as measured with seed 0, of 2,000 clustered objects; a
# change of more than a tenth either way is a change of the pruning and should be looked at.
# Those of boxes depend on what codes the machine multiplies: of 16 bits, of 8 with 7 in queries, or of 8.
BOXED = (64000, 11.7, 1.24) if not BYTES else (64000, 24.4, 5.54) if BY_PAIRS else (64000, 20.6, 3.46)
COSTS = {
    "aesa": (1999000, 51.4, 24.8),
    "bisector": (35294, 86.5, 74.3),
    "bktree": (6803, 72.2, 64.8),
    "boxes": BOXED,
    "clusters": (61549, 101.5, 84.7),
    "covertree": (69246, 71.0, 56.7),
    "dindex": (57662, 63.7, 34.2),
    "dsat": (68867, 71.6, 53.2),
    "ept": (265856, 92.8, 65.7),
    "fhqtree": (33024, 69.5, 43.2),
    "fqarray": (40880, 76.3, 53.2),
    "fqtree": (16342, 86.8, 72.6),
    "ghtree": (35294, 86.7, 74.5),
    "gnat": (70686, 82.7, 51.8),
    "laesa": (111616, 81.8, 51.9),
    "linear": (0, 2000.0, 2000.0),
    "monotonous": (20186, 75.8, 67.8),
    "mtree": (80013, 205.2, 130.9),
    "mvptree": (11877, 75.9, 38.2),
    "mwvptree": (6837, 80.7, 41.7),
    "ptolemaic": (112640, 68.5, 40.8),
    "roaesa": (1999000, 51.4, 24.8),
    "sat": (59376, 74.8, 56.4),
    "shapiro": (79616, 66.9, 37.0),
    "simplex": (66640, 18.9, 10.2),
    "tlaesa": (132923, 81.8, 51.9),
    "voronoi": (25564, 76.1, 65.6),
    "vpforest": (14606, 90.4, 42.5),
    "vptree": (13704, 78.0, 45.7),
}


def test_tlaesa_covers_and_measures_what_laesa_does():
    index, laesa = ms.TLAESA(leaf_size=8).fit(X), ms.LAESA().fit(X)
    tree, rows = index._tree, index._objects.rows
    for node in np.flatnonzero(tree.centre >= 0):
        away = np.linalg.norm(rows[tree.start[node] : tree.stop[node]] - rows[tree.centre[node]], axis=1)
        assert (away <= tree.radius[node] * (1 + 1e-5)).all()
    np.testing.assert_allclose(
        tree.table, naive.matrix(naive.euclidean, rows, rows[tree.pivots]), rtol=1e-5, atol=1e-6
    )
    assert sorted(index._order[tree.pivots].tolist()) == sorted(laesa._tree.pivots.tolist())
    assert (index.knn(Q, 10).cost == laesa.knn(Q, 10).cost).all()
    assert (index.range(Q, 0.8).cost == laesa.range(Q, 0.8).cost).all()


def test_roaesa_measures_what_aesa_does():
    aesa, reduced = ms.AESA().fit(X[:500]), ms.ROAESA().fit(X[:500])
    assert (np.diff(reduced._tree.sorted) >= 0).all()
    assert (reduced._tree.sorted == reduced._tree.matrix[0, reduced._tree.by_distance]).all()
    assert abs(aesa.knn(Q, 5).cost - reduced.knn(Q, 5).cost).max() <= 2
    assert (np.abs(aesa.range(Q, 0.8).cost - reduced.range(Q, 0.8).cost) <= 2).all()


@pytest.mark.parametrize("key", COSTS)
def test_costs(key):
    build, knn, ranged = COSTS[key]
    index = ms.indexes()[key]().fit(X)
    hits = index.knn(Q, 10)
    balls = index.range(Q, 0.8)
    assert index.build_cost == pytest.approx(build, rel=0.1)
    assert hits.cost.mean() == pytest.approx(knn, rel=0.1)
    assert balls.cost.mean() == pytest.approx(ranged, rel=0.1)


def test_every_structure_has_its_costs():
    euclidean = ms.metric("euclidean")
    assert set(COSTS) == {key for key, structure in ms.indexes().items() if structure.suits(euclidean)}


def test_what_an_index_says_of_itself(structure):
    index = structure(seed=5).fit(X)
    assert index.n_objects == len(index) == 2000
    assert index.params()["seed"] == 5
    assert repr(index).startswith(f"{structure.__name__}(metric=metric('euclidean'), ")
    assert index.nbytes >= X.nbytes
    assert index._objects.rows.dtype == np.float32
    assert ms.indexes()[structure.key] is structure


def test_no_more_than_one_copy_of_the_objects(structure):
    index = structure().fit(X)
    rows = index._objects.rows
    assert rows.flags.c_contiguous
    assert rows.nbytes == X.nbytes
    arrays = [array for array in index._tree if isinstance(array, np.ndarray)]
    assert not any(array.shape == X.shape and (np.sort(array, 0) == np.sort(X, 0)).all() for array in arrays)


def test_every_distance_is_counted_once(structure):
    calls = 0

    def apart(a, b):
        nonlocal calls
        calls += 1
        return float(abs(a - b))

    def since(before):
        return calls - before

    objects = np.random.default_rng(0).integers(0, 500, 300).tolist()
    line = ms.Metric(apart, hilbert=True)
    index = structure(line).fit(objects)
    assert since(0) == index.build_cost
    for ask in (
        lambda: index.knn([7, 250], 5),
        lambda: index.knn([7, 250], 5, budget=40),
        lambda: index.knn([7, 250], 5, filter=[1, 40, 200]),
        lambda: index.knn([7, 250], 5, metric=ms.Metric(apart, name="other")),
        lambda: index.range([7, 250], 20.0),
        lambda: index.reverse_knn([7, 250], 3),
    ):
        before = calls
        assert ask().cost.sum() == since(before)
    if issubclass(structure, DynamicIndex):
        before, cost = calls, index.build_cost
        index.add(objects[:20])
        index.remove([3, 301])
        assert index.build_cost - cost == since(before)
