"""Invariants and costs of the structures: what they keep, what they prune, what they report."""

import numpy as np
import pytest

import metricspace as ms
from tests import naive


def clustered(n, d=8, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(30, d)) * 4
    return (centres[random.integers(0, 30, n)] + random.normal(size=(n, d)) * 0.4).astype(np.float32)


X, Q = clustered(2100)[:2000], clustered(2100)[2000:]


def test_vptree_bands_and_paths():
    index = ms.VPTree(leaf_size=5, paths=3).fit(X[:400])
    tree, rows = index._tree, index._objects.rows

    def distances(slot, start, stop):
        return [naive.euclidean(rows[slot], row) for row in rows[start:stop]]

    covered = np.zeros(400, int)
    for node in range(len(tree.near)):
        start, stop = tree.start[node], tree.stop[node]
        if tree.near[node] >= 0:
            covered[start] += 1
            sizes = []
            for side, child in enumerate((tree.near[node], tree.far[node])):
                assert tree.parent[child] == node
                d = distances(start, tree.start[child], tree.stop[child])
                np.testing.assert_allclose(
                    [min(d), max(d)], tree.band[node, 2 * side : 2 * side + 2], rtol=1e-5
                )
                sizes.append(len(d))
            assert sum(sizes) == stop - start - 1
            assert abs(sizes[0] - sizes[1]) <= 1
            continue
        covered[start:stop] += 1
        ancestor = tree.parent[node]
        for level in range(tree.level[node] - 1, tree.level[node] - 4, -1):
            kept = tree.path[level % 3, start:stop]
            np.testing.assert_allclose(kept, distances(tree.start[ancestor], start, stop), rtol=1e-5)
            ancestor = tree.parent[ancestor]
    assert (covered == 1).all()
    assert sorted(index._order.tolist()) == list(range(400))


def test_ghtree_sides():
    index = ms.GHTree(leaf_size=4).fit(X[:400])
    tree, rows = index._tree, index._objects.rows
    for node in np.flatnonzero(tree.near_first >= 0):
        start = tree.start[node]
        for own, other, child in (
            (start, start + 1, tree.near_first[node]),
            (start + 1, start, tree.near_second[node]),
        ):
            for row in rows[tree.start[child] : tree.stop[child]]:
                assert naive.euclidean(row, rows[own]) <= naive.euclidean(row, rows[other]) * (1 + 1e-5)
    assert sorted(index._order.tolist()) == list(range(400))


def test_ghtree_shares_out_duplicates():
    index = ms.GHTree().fit(np.ones((4096, 2)))
    assert len(index._tree.start) < 1200
    assert index.build_cost < 4096 * 2 * 13


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
COSTS = {
    "aesa": (1999000, 51.4, 24.8),
    "ept": (265856, 92.8, 65.7),
    "ghtree": (36930, 207.2, 137.5),
    "laesa": (111616, 81.8, 51.9),
    "linear": (0, 2000.0, 2000.0),
    "mtree": (80013, 339.9, 130.9),
    "ptolemaic": (112640, 68.5, 40.8),
    "simplex": (66640, 18.9, 10.2),
    "vptree": (13704, 78.0, 45.7),
}


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
    assert set(COSTS) == set(ms.indexes())


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
    assert (
        not any(array.nbytes >= X.nbytes for array in index._tree if isinstance(array, np.ndarray))
        or "table" in structure.arrays._fields
        or structure in (ms.AESA, ms.MTree)
    )
