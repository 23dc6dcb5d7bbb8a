"""Trees of Dirichlet domains keep their invariants, and sharper bounds exclude more."""

import numpy as np
import pytest

import metricspace as ms
from tests import naive

TREES = [ms.BisectorTree, ms.GHTree, ms.MonotonousBisectorTree, ms.VoronoiTree]


@pytest.fixture(params=TREES, ids=lambda cls: cls.key)
def tree(request):
    return request.param


def some(n, d=4, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(12, d)) * 3
    return (centres[random.integers(0, 12, n)] + random.normal(size=(n, d))).astype(np.float32)


X, Q = some(900)[:800], some(900)[800:]


@pytest.mark.parametrize("leaf_size", [2, 3, 16])
def test_domains(tree, leaf_size):
    index = tree(leaf_size=leaf_size).fit(X)
    nodes = index._tree
    rows = index._objects.rows
    d = naive.matrix(naive.euclidean, rows, rows)
    homes = np.zeros(len(X), int)
    measured = 0
    for node in range(len(nodes.start)):
        start, stop = nodes.start[node], nodes.stop[node]
        if nodes.below[node] < 0:
            assert stop - start <= leaf_size
            homes[start:stop] += 1
            continue
        children = range(nodes.below[node], nodes.below[node] + tree.centres)
        centres = nodes.centre[children]
        own = [centre for centre in centres if centre >= start]
        assert len(own) == tree.centres - (tree.inherits and node > 0)
        assert sorted(own) == list(range(start, start + len(own)))
        homes[own] += 1
        measured += len(own)
        if tree.inherits and node > 0:
            assert centres[0] == nodes.centre[node]
        assert nodes.stop[children[-1]] == stop
        for c, child in enumerate(children):
            assert nodes.parent[child] == node
            assert nodes.start[child] == (nodes.stop[child - 1] if c else start + len(own))
            below = range(nodes.start[child], nodes.stop[child])
            assert (d[below, centres[c]][:, None] <= d[below][:, centres] * (1 + 1e-6)).all()
            if tree.covers:
                reach = d[below, centres[c]].max(initial=0.0)
                assert nodes.radius[child] == pytest.approx(reach, rel=1e-6)
            others = [centre for centre in centres if centre != centres[c]]
            for i, other in enumerate(others):
                between = d[centres[c], other]
                assert nodes.apart[child, i] == pytest.approx(between, rel=1e-6)
                x = (d[below, centres[c]] ** 2 - d[below, other] ** 2) / (2 * between)
                y = np.sqrt(np.maximum(d[below, centres[c]] ** 2 - (x + between / 2) ** 2, 0))
                if below:
                    box = nodes.box[child, i]
                    np.testing.assert_allclose(
                        box, [x.min(), x.max(), y.min(), y.max()], rtol=1e-3, atol=1e-2
                    )
                    assert box[0] <= x.min()
                    assert box[1] >= x.max()
                    assert box[2] <= y.min() + 1e-9
                    assert box[3] >= y.max()
    assert (homes == 1).all()
    assert measured < len(X)


@pytest.mark.parametrize("cls", [ms.MonotonousBisectorTree, ms.VoronoiTree])
def test_radii_shrink_on_the_way_down(cls):
    nodes = cls(leaf_size=3).fit(X)._tree
    inner = np.flatnonzero(nodes.parent > 0)
    assert (nodes.radius[inner] <= nodes.radius[nodes.parent[inner]]).all()
    assert (nodes.radius[inner] < nodes.radius[nodes.parent[inner]]).any()


@pytest.mark.parametrize(
    ("cls", "least", "most"), [(ms.MonotonousBisectorTree, 1, 1), (ms.VoronoiTree, 2, 2)]
)
def test_an_inherited_centre_is_not_measured_again(cls, least, most):
    index = cls(leaf_size=8, bounds="triangle").fit(X)
    told = index.explain(Q[0], radius=np.inf)
    assert told.cost == len(X)  # each object once, centre or not
    inner = int((index._tree.below >= 0).sum())
    kept = len(X) - sum(
        int(index._tree.stop[leaf] - index._tree.start[leaf])
        for leaf in np.flatnonzero(index._tree.below < 0)
    )
    assert least * inner <= kept - 1 <= most * inner


def test_equal_objects_are_shared_out(tree):
    index = tree().fit(np.ones((4096, 2)))
    assert index.statistics().depth <= 13
    assert index.build_cost < 4096 * 3 * 13


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_small_trees(tree, n):
    index = tree(leaf_size=2).fit(X[:n])
    assert sorted(index.knn(Q[:1], n).ids[0].tolist()) == list(range(n))


@pytest.mark.parametrize("radius", [0.3, 0.8])
def test_sharper_bounds_exclude_more(tree, radius):
    sharp, blunt = tree().fit(X), tree(bounds="triangle").fit(X)
    assert tree(bounds="four-point").fit(X).build_cost == sharp.build_cost == blunt.build_cost
    found, expected = sharp.range(Q, radius), blunt.range(Q, radius)
    assert (found.positions == expected.positions).all()
    assert (found.cost <= expected.cost).all()
    assert found.cost.mean() <= 0.9 * expected.cost.mean()
    told = sharp.explain(Q[0], radius=radius)
    assert told.excluded_nodes["planar"] > 0
    assert "planar" not in blunt.explain(Q[0], radius=radius).excluded_nodes


def test_sharper_bounds_need_their_law(tree):
    with pytest.raises(ms.MetricSpaceError, match="four_point"):
        tree("manhattan", bounds="four-point").fit(X)
    with pytest.raises(ms.MetricSpaceError, match="bounds"):
        tree(bounds="ptolemaic")
    assert tree("manhattan").fit(X)._tree.box.shape[1] == 0


def test_what_was_resolved_is_saved(tree, tmp_path):
    index = tree().fit(X)
    index.save(tmp_path / "kept")
    again = ms.load(tmp_path / "kept")
    assert (again.range(Q, 0.5).cost == index.range(Q, 0.5).cost).all()


def test_the_rule_of_each_paper(tree):
    told = tree(bounds="triangle").fit(X).explain(Q[0], radius=0.5)
    rule = "range-pivot" if tree.covers else "double-pivot"
    assert set(told.excluded_nodes) == {rule}


def test_building_takes_the_memory_that_fit_foresees(tree):
    rows, index = some(6000), tree().fit(X)
    assert naive.most_memory(lambda: index.fit(rows)) < 2 * (index._bytes(len(rows)) + rows.nbytes)
