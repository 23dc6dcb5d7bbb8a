"""Trees of rings and the array of their leaves: what they keep, and what that spares."""

import numpy as np
import pytest

import metricspace as ms
from metricspace.indexes.fqarray import end_of, unpacked
from metricspace.partitions import cut, ring_at
from tests import naive
from tests.workloads import workloads

WORDS = next(load.objects for load in workloads(600) if load.name == "levenshtein")
POINTS = np.random.default_rng(1).normal(size=(600, 3)).astype(np.float32)
DATA = {"levenshtein": (WORDS, naive.levenshtein), "euclidean": (POINTS, naive.euclidean)}
TREES = {
    "pure": ms.BKTree(leaf_size=1),
    "bktree": ms.BKTree(leaf_size=5, arity=4),
    "wide": ms.BKTree(leaf_size=5, width=1.5),
    "fqtree": ms.FQTree(leaf_size=5, height=9, arity=4),
    "fhqtree": ms.FHQTree(height=6, arity=5),
}


def fresh(name, metric, seed=3):
    given = TREES[name].params() | {"metric": metric, "seed": seed}
    return type(TREES[name])(**given)


def chained(first, following):
    """The numbers of a chain."""
    found = []
    while first >= 0:
        found.append(int(first))
        first = following[first]
    return found


def check(index, apart):
    """Assert every invariant of a tree of rings."""
    tree, objects = index._tree, index._objects
    given = objects.give(np.arange(len(objects)))
    own_pivots = isinstance(index, ms.BKTree)
    seen = []

    def walk(node, level):
        axis = tree.axis[node]
        if axis < 0:
            below = chained(tree.head[node], tree.next)
            assert len(below) == tree.size[node] <= tree.whole[2]
            seen.extend(below)
            return below
        assert tree.head[node] == -1
        assert axis == (node if own_pivots else level)
        pivot = tree.pivot[axis]
        below = [int(pivot)] if own_pivots else []
        seen.extend(below)
        children = chained(tree.first[node], tree.sibling)
        assert len(children) <= tree.whole[1]
        assert len({tree.ring[child] for child in children}) == len(children)
        for child in children:
            assert tree.parent[child] == node
            under = walk(child, level + 1)
            distances = [apart(given[slot], given[pivot]) for slot in under]
            np.testing.assert_allclose(tree.band[child], [min(distances), max(distances)], rtol=1e-5)
            rings = {ring_at(d, *tree.cut[axis], tree.rings) for d in tree.band[child]}
            assert rings == {tree.ring[child]}
            below += under
        return below

    walk(0, 0)
    assert sorted(seen) == list(range(len(objects)))
    assert tree.whole[0] == len(tree.size)


@pytest.mark.parametrize("metric", DATA)
@pytest.mark.parametrize("name", TREES)
def test_trees_of_rings(name, metric):
    objects, apart = DATA[metric]
    index = fresh(name, metric).fit(objects[:400])
    check(index, apart)
    for start, stop in ((400, 401), (401, 450), (450, 600)):
        index.add(objects[start:stop])
    check(index, apart)
    scan = ms.LinearScan(metric).fit(objects)
    assert (index.knn(objects[:20], 7).positions == scan.knn(objects[:20], 7).positions).all()


@pytest.mark.parametrize("name", ["pure", "bktree", "wide"])
def test_fitting_is_inserting(name):
    parts = fresh(name, "levenshtein").fit(WORDS[:3])
    for start in range(3, 600, 199):
        parts.add(WORDS[start : start + 199])
    whole = fresh(name, "levenshtein").fit(WORDS)
    for field in ("first", "sibling", "parent", "ring", "band", "axis", "size", "cut"):
        assert np.array_equal(getattr(whole._tree, field), getattr(parts._tree, field)), field
    inner = whole._tree.axis >= 0
    assert (whole._order[whole._tree.pivot[inner]] == parts._order[parts._tree.pivot[inner]]).all()
    homes = [index._anatomy().homes[index._slots] for index in (whole, parts)]
    assert (homes[0] == homes[1]).all()


def test_the_pure_tree_has_a_child_for_each_distance():
    tree = fresh("pure", "levenshtein").fit(WORDS)._tree
    children = np.flatnonzero(tree.parent >= 0)
    assert (tree.band[children, 0] == tree.band[children, 1]).all()
    assert (tree.band[children, 0] == tree.ring[children]).all()


def test_leaves_of_fixed_height_are_at_one_level():
    index = fresh("fhqtree", "euclidean").fit(POINTS)
    anatomy = index._anatomy()
    is_pivot = index._tree.level >= 0  # a pivot is a node of its own below its leaf
    assert is_pivot.sum() == 6
    assert (anatomy.levels[anatomy.homes] == 6 + is_pivot).all()
    assert index.build_cost == 600 * 6 + 6 * 64
    shallow = fresh("fqtree", "euclidean").fit(POINTS)
    size = shallow._tree.size
    levels = shallow._anatomy().levels[: len(size)]
    assert size.sum() == 600
    assert (levels[size > 5] == 9).all()
    assert levels.max() == 9
    assert levels[size > 0].min() < 9


@pytest.mark.parametrize("metric", DATA)
@pytest.mark.parametrize(("pivots", "bits"), [(1, 1), (7, 4), (20, 6), (33, 5), (12, 8)])
def test_the_array(metric, pivots, bits):
    objects, apart = DATA[metric]
    index = ms.FQArray(metric, pivots=pivots, bits=bits, seed=4).fit(objects)
    tree, order = index._tree, index._order
    assert sorted(order.tolist()) == list(range(600))
    rings = unpacked(tree)
    assert rings.tolist() == sorted(rings.tolist())
    given = [objects[i] for i in order]
    for p in range(pivots):
        distances = np.array([apart(one, given[p]) for one in given[pivots:]])
        for ring in range(1 << bits):
            inside = distances[rings[:, p] == ring]
            band = [inside.min(), inside.max()] if len(inside) else [np.inf, 0]
            np.testing.assert_allclose(tree.band[p, ring], band, rtol=1e-5)
    for level in range(pivots + 1):
        for row in (0, 3, 250, len(rings) - 1):
            same = (rings[row:, :level] == rings[row, :level]).all(axis=1)
            assert end_of(tree, row, level) == row + same.sum()
    alike = np.unique(rings, axis=0, return_counts=True)[1].max()
    assert tree.alike == alike


def test_the_array_measures_what_the_tree_does_in_a_fraction_of_its_bytes():
    objects, queries = WORDS[:500], WORDS[500:]
    tree = ms.FHQTree("levenshtein", height=10, seed=4).fit(objects)
    array = ms.FQArray("levenshtein", pivots=10, bits=6, seed=4).fit(objects)
    assert (tree._order[tree._tree.pivot] == array._order[:10]).all()
    for radius in (1, 2, 3):
        by_tree, by_array = tree.range(queries, radius), array.range(queries, radius)
        assert (by_tree.positions == by_array.positions).all()
        # The tree does without the pivots of levels to which nothing leads.
        assert (by_tree.cost <= by_array.cost).all()
        assert by_array.cost.mean() <= by_tree.cost.mean() + 2
    held = [sum(a.nbytes for a in index._tree if isinstance(a, np.ndarray)) for index in (tree, array)]
    assert held[1] * 10 < held[0]


@pytest.mark.parametrize("count", [2, 5, 16, 64])
def test_rings(count):
    for least, most in ((0, 9), (3, 3), (17, 300), (0, 0), (5, 12)):
        begin, width = cut(float(least), float(most), True, count)
        numbers = [ring_at(float(d), begin, width, count) for d in range(1000)]
        assert width == max(1, -(-(most - least + 1) // count))
        assert numbers == sorted(numbers)
        assert 0 <= numbers[0] <= numbers[-1] < count
        shared = np.bincount(numbers[least : most + 1])
        assert shared.max() <= width
    for least, most in ((0.0, 1.0), (2.5, 2.5), (1e-9, 3e300), (5e-324, 1e-323)):
        begin, width = cut(least, most, False, count)
        numbers = [ring_at(d, begin, width, count) for d in np.linspace(least, most, 50)]
        assert numbers == sorted(numbers)
        assert 0 <= ring_at(0.0, begin, width, count) <= numbers[0]
        assert numbers[-1] <= ring_at(np.inf, begin, width, count) == count - 1


@pytest.mark.parametrize("cls", [ms.BKTree, ms.FQTree, ms.FHQTree, ms.FQArray])
def test_equal_and_equidistant_objects_are_built_in_linear_time(cls):
    index = cls().fit(np.ones((10_000, 2)))
    assert index.build_cost <= 10_000 * 40
    alike = cls(ms.Metric(lambda a, b: float(a != b))).fit(list(range(800)))
    assert alike.build_cost <= 800 * 40
    assert alike.knn([5, 900], 2).positions.tolist() == [[5, 0], [0, 1]]


@pytest.mark.parametrize("cls", [ms.BKTree, ms.FQTree, ms.FHQTree])
def test_costs_after_many_additions(cls):
    random = np.random.default_rng(3)
    centres = random.normal(size=(40, 6)) * 4
    objects = (centres[random.integers(0, 40, 4000)] + random.normal(size=(4000, 6)) * 0.3).astype(np.float32)
    index = cls().fit(objects[:1000])
    for start in range(1000, 4000, 100):
        index.add(objects[start : start + 100])
    whole = cls().fit(objects)
    queries = objects[:200]
    assert index.knn(queries, 10).cost.mean() <= 1.3 * whole.knn(queries, 10).cost.mean()
    index.remove(range(0, 4000, 2))
    half = index.knn(queries, 10)
    assert (half.positions % 2 == 1).all()


def test_words_of_a_dictionary(data):
    words = (data / "wamerican.txt").read_text(encoding="utf-8").splitlines()
    chosen = np.random.default_rng(0).permutation(len(words))[:3000]
    objects, queries = [words[i] for i in chosen[50:]], [words[i] for i in chosen[:50]]
    scan = ms.LinearScan("levenshtein").fit(objects)
    for radius, share in ((1, 0.2), (2, 0.2)):
        expected = scan.range(queries, radius)
        for cls in (ms.BKTree, ms.FQTree, ms.FHQTree, ms.FQArray):
            found = cls("levenshtein").fit(objects).range(queries, radius)
            assert (found.positions == expected.positions).all()
            assert found.cost.mean() < share * expected.cost.mean()


@pytest.mark.parametrize(
    ("cls", "wrong"),
    [
        (ms.BKTree, {"width": 0}),
        (ms.BKTree, {"width": np.inf}),
        (ms.BKTree, {"width": "1"}),
        (ms.BKTree, {"arity": 1}),
        (ms.BKTree, {"leaf_size": 0}),
        (ms.FQTree, {"height": 0}),
        (ms.FQTree, {"arity": 1}),
        (ms.FHQTree, {"height": 2.5}),
        (ms.FQArray, {"bits": 9}),
        (ms.FQArray, {"pivots": 0}),
    ],
)
def test_parameters_are_checked(cls, wrong):
    with pytest.raises(ms.MetricSpaceError, match=next(iter(wrong))):
        cls(**wrong)
