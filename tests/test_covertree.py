"""The cover tree: levels, balls and what lies in them."""

import math

import numpy as np
import pytest

import metricspace as ms
from benchmarks import workloads
from tests import naive


def check(index, levels=True):
    """Assert the invariants of the structure; those of levels hold while no node is full."""
    tree = index._tree
    between = naive.matrix(naive.euclidean, index._objects.rows, index._objects.rows)
    n = len(tree.parent)
    below = {node: [] for node in range(n)}
    for slot in reversed(range(1, n)):
        below[tree.parent[slot]] += [slot, *below[slot]]
    assert len(below[0]) == n - 1
    for node, under in below.items():
        assert tree.cover[node] == pytest.approx(max([0, *between[node, under]]), rel=1e-6)
        children = [slot for slot in under if tree.parent[slot] == node and between[slot, node] > 0]
        assert len(children) == tree.arity[node] <= index.capacity
        for child in children:
            assert tree.level[child] < tree.level[node]
            assert tree.to_parent[child] == pytest.approx(between[node, child], rel=1e-6)
            ring = between[node, [child, *below[child]]]
            np.testing.assert_allclose(tree.ring[child], (ring.min(), ring.max()), rtol=1e-6)
            if levels:
                assert between[node, child] <= index.base ** tree.level[node] * (1 + 1e-6)
                if node > 0:  # whose children are all on one level
                    apart = between[child, [other for other in children if other != child]]
                    assert (apart > index.base ** tree.level[child] * (1 - 1e-6)).all()


@pytest.mark.parametrize("base", [1.2, 1.6, 3.0])
def test_invariants_when_built_and_when_added_to(base):
    objects = np.random.default_rng(1).normal(size=(300, 3)).astype(np.float32)
    objects[::7] = objects[0]
    objects[150:] *= 3  # the root has to rise
    index = ms.CoverTree(base=base, capacity=300).fit(objects[:100])
    check(index)
    for start, stop in ((100, 101), (101, 300)):
        index.add(objects[start:stop])
        check(index)
    index.remove(range(0, 300, 2))
    scan = ms.LinearScan().fit(objects).knn(objects[:9], 8, filter=range(1, 300, 2))
    assert (index.knn(objects[:9], 8).positions == scan.positions).all()


def test_full_nodes_pass_objects_on():
    index = ms.CoverTree(capacity=4).fit(np.random.default_rng(2).normal(size=(300, 6)))
    check(index, levels=False)
    assert index._tree.arity.max() == 4


def test_objects_that_are_alike_make_no_chain():
    equal = ms.CoverTree().fit(np.ones((10_000, 2)))
    assert equal.statistics().depth == 1
    assert equal.build_cost < 20_000
    apart = ms.CoverTree(capacity=8).fit(np.eye(1000))  # any two are equally far apart
    assert apart.statistics().depth < 12
    assert apart.build_cost < 1000 * 8 * 6


def test_costs_stay_near_those_of_a_fresh_tree():
    objects = workloads.like_learned(4200, d=12)
    queries = objects[4000:]
    index = ms.CoverTree().fit(objects[:400])
    for start in range(400, 4000, 400):
        index.add(objects[start : start + 400])
    fresh = ms.CoverTree().fit(objects[:4000])
    assert index.knn(queries, 10).cost.mean() <= 1.3 * fresh.knn(queries, 10).cost.mean()


@pytest.mark.parametrize("base", [1, 0.5, math.inf, math.nan, "2", True])
def test_a_base_that_is_none(base):
    with pytest.raises(ms.MetricSpaceError, match="base"):
        ms.CoverTree(base=base)
