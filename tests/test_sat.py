"""Spatial approximation trees: who hangs where, what is known of it, and what the bounds are worth."""

import numpy as np
import pytest

import metricspace as ms
from benchmarks import workloads
from metricspace.families.descending import PLANES
from tests import naive

BOTH = pytest.mark.parametrize("cls", [ms.SAT, ms.DistalSAT])


def listed(tree, first):
    """Return the slots of a list of children or equals."""
    slots = []
    while first >= 0:
        slots.append(int(first))
        first = tree.next[first]
    return slots


def spots_of(distances, first, second, between):
    """Return where objects lie in the half plane of two others: x, y."""
    x = (distances[:, first] ** 2 - distances[:, second] ** 2) / (2 * between)
    return np.array([x, np.sqrt(np.maximum(distances[:, first] ** 2 - (x + between / 2) ** 2, 0))])


def check(index):
    """Assert every invariant of the structure, and return the distances of its objects by slot."""
    tree = index._tree
    between = naive.matrix(naive.euclidean, index._objects.rows, index._objects.rows)
    loose = 1e-6 * between.max()
    seen = [0]
    below = {}
    for node in reversed(range(len(tree.parent))):
        neighbours, equals = listed(tree, tree.child[node]), listed(tree, tree.equal[node])
        seen += neighbours + equals
        assert (tree.parent[neighbours + equals] == node).all()
        assert len(neighbours) == tree.arity[node] <= index.arity
        assert neighbours == sorted(neighbours)
        assert (between[node, equals] == 0).all()
        assert not equals or equals[0] == min(equals)
        under = neighbours + equals + [slot for neighbour in neighbours for slot in below[neighbour]]
        assert all(slot > node for slot in under)
        assert tree.cover[node] == pytest.approx(max([0, *between[node, under]]), rel=1e-6)
        below[node] = under
        for rank, neighbour in enumerate(neighbours):
            with_it = [neighbour, *below[neighbour]]
            assert tree.to_parent[neighbour] == pytest.approx(between[node, neighbour], rel=1e-6)
            ring = between[node, with_it].min(), between[node, with_it].max()
            np.testing.assert_allclose(tree.ring[neighbour], ring, rtol=1e-6)
            for older, sibling in enumerate(neighbours[:rank]):
                assert between[neighbour, node] <= between[neighbour, sibling] + loose
                if len(tree.between):
                    kept = tree.between[neighbour, older]
                    assert kept == pytest.approx(between[neighbour, sibling], rel=1e-5)
                    if older < PLANES:
                        spots = spots_of(between[with_it], node, sibling, between[node, sibling])
                        box = tree.box[neighbour, older]
                        assert (box[[0, 2]] <= spots.min(axis=1) + 1e-5).all()
                        assert (box[[1, 3]] >= spots.max(axis=1) - 1e-5).all()
            for slot in below[neighbour]:
                there = [sibling for sibling in neighbours if sibling < slot]
                assert between[slot, neighbour] <= between[slot, there].min() + loose
                assert tree.forced[neighbour] or between[slot, neighbour] <= between[slot, node] + loose
    assert sorted(seen) == list(range(len(tree.parent)))
    return between


@BOTH
@pytest.mark.parametrize(("arity", "bounds"), [(2, "triangle"), (5, "auto"), (300, "four-point")])
def test_invariants_when_built_and_when_added_to(cls, arity, bounds):
    objects = np.random.default_rng(1).normal(size=(300, 3)).astype(np.float32)
    objects[::7] = objects[0]
    index = cls(arity=arity, bounds=bounds).fit(objects[:150])
    check(index)
    for start, stop in ((150, 151), (151, 300)):
        index.add(objects[start:stop])
        check(index)
    index.remove(range(0, 300, 2))
    scan = ms.LinearScan().fit(objects).knn(objects[:9], 8, filter=range(1, 300, 2))
    assert (index.knn(objects[:9], 8).positions == scan.positions).all()


def test_neighbours_of_the_distal_tree_come_farthest_first():
    index = ms.DistalSAT().fit(np.random.default_rng(2).normal(size=(400, 4)))
    between, tree = check(index), index._tree
    for node in range(400):
        neighbours = listed(tree, tree.child[node])
        to_node = between[node, neighbours]
        assert (np.diff(to_node) <= 0).all()
        if neighbours:
            below = np.flatnonzero(tree.parent >= 0)
            under = [slot for slot in below if node in ancestors(tree, slot)]
            assert to_node[0] == between[node, under].max()


def ancestors(tree, slot):
    while tree.parent[slot] >= 0:
        slot = tree.parent[slot]
        yield slot


@BOTH
def test_objects_that_are_alike_make_no_chain(cls):
    equal = cls().fit(np.ones((10_000, 2)))
    assert equal.statistics().depth == 1
    assert equal.build_cost < 20_000
    apart = cls(arity=8).fit(np.eye(1000))  # any two are equally far apart
    assert apart.statistics().depth < 12
    assert apart.build_cost < 1000 * 8 * 6


@BOTH
def test_sharper_bounds_save_distances(cls):
    objects = workloads.like_learned(3100, d=16, clusters=60)
    queries = objects[3000:]
    triangle = cls(bounds="triangle").fit(objects[:3000])
    sharper = cls(bounds="four-point").fit(objects[:3000])
    near = triangle.knn(queries, 10)
    assert (near.positions == sharper.knn(queries, 10).positions).all()
    assert sharper.knn(queries, 10).cost.mean() <= near.cost.mean()
    radius = np.median(near.distances[:, 0]) / 2
    assert (triangle.range(queries, radius).ids == sharper.range(queries, radius).ids).all()
    assert sharper.range(queries, radius).cost.mean() <= 0.9 * triangle.range(queries, radius).cost.mean()


@BOTH
def test_bounds_need_their_law(cls):
    with pytest.raises(ms.MetricSpaceError, match="four_point"):
        cls("manhattan", bounds="four-point").fit(np.eye(3))
    with pytest.raises(ms.MetricSpaceError, match="bounds"):
        cls(bounds="ptolemaic")
    assert len(cls("manhattan").fit(np.eye(3))._tree.between) == 0
    assert len(cls().fit(np.eye(3))._tree.between) == 3


def test_the_distal_tree_needs_the_fewest_distances(data):
    cities = next(load for load in workloads.workloads(5000, 100, data) if load.name == "cities on the globe")
    learned = workloads.like_learned(5100)
    for objects, queries in ((cities.objects, cities.queries), (learned[:5000], learned[5000:])):
        costs = [
            index.fit(objects).knn(queries, 10).cost.mean()
            for index in (  # of this metric nothing but the triangle inequality is known
                ms.DistalSAT("manhattan"),
                ms.SAT("manhattan"),
                ms.VPTree("manhattan", paths=0),
                ms.GHTree("manhattan"),
            )
        ]
        assert costs[0] == min(costs)


@BOTH
def test_costs_stay_near_those_of_a_fresh_tree(cls):
    objects = workloads.like_learned(4200, d=12)
    queries = objects[4000:]
    index = cls().fit(objects[:400])
    for start in range(400, 4000, 400):
        index.add(objects[start : start + 400])
    fresh = cls().fit(objects[:4000])
    assert index.knn(queries, 10).cost.mean() <= 1.3 * fresh.knn(queries, 10).cost.mean()
