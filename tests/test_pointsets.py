"""Hausdorff distance over any ground metric: real ink, words, directions, and functions of the user's own."""

import pickle

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import directed_hausdorff

import metricspace as ms
from metricspace.errors import (
    InvalidArgument,
    MetricFailed,
    NotAMetric,
    NotSupported,
    StorageError,
    WrongType,
)
from tests import naive


def grid_sets(n, d, seed, low=1, high=7):
    """Sets of points of a coarse grid without the origin, so that all have a direction."""
    random = np.random.default_rng(seed)
    return [random.integers(1, 6, (random.integers(low, high), d)).astype(np.float32) for _ in range(n)]


SETS, ASKED = grid_sets(50, 3, 0), grid_sets(7, 3, 1)


@numba.njit
def cityblock(a, b):
    total = 0.0
    for k in range(a.shape[0]):
        total += abs(a[k] - b[k])
    return total


def plain(a, b):
    return float(np.abs(np.asarray(a) - b).sum())


GROUNDS = {
    "euclidean": ({}, naive.euclidean),
    "manhattan": ({}, naive.manhattan),
    "chebyshev": ({}, naive.chebyshev),
    "minkowski": ({"p": 3}, naive.minkowski(3)),
    "angular": ({}, naive.angular),
    "hamming": ({}, naive.hamming),
}


@pytest.mark.parametrize("ground", GROUNDS)
def test_grounds_on_vectors(ground):
    params, oracle = GROUNDS[ground]
    metric = ms.metric("hausdorff", ground=ground, **params)
    assert metric.params == {"ground": ground, **metric.ground.params}
    d = metric.pairwise(ASKED, SETS)
    np.testing.assert_allclose(d, naive.matrix(naive.hausdorff(oracle), ASKED, SETS), rtol=1e-12, atol=1e-12)
    assert (metric.pairwise(SETS, ASKED) == d.T).all()
    # It is a distance of the ground metric, to the bit.
    points = ms.metric(ground, **params).pairwise(ASKED[0], SETS[0])
    assert d[0, 0] == max(points.min(axis=0).max(), points.min(axis=1).max())


def test_other_grounds():
    random = np.random.default_rng(2)
    words = [["".join(random.choice(list("ab"), 3)) for _ in range(random.integers(1, 5))] for _ in range(20)]
    words[3].append("a" * 150)  # longer than all of the queries', and than a word of 64 bits
    metric = ms.metric("hausdorff", ground="levenshtein")
    asked = [["ab", "xyz"], ["", "b" * 70], ["aba"]]
    expected = naive.matrix(naive.hausdorff(naive.levenshtein), asked, words)
    assert (metric.pairwise(asked, words) == expected).all()
    assert (metric.pairwise(words, asked) == expected.T).all()
    sets = [[{1, 2}, {3}], [set()], [{1}, {9, 8}, {7}]]
    strange = [[{1, 50}, {60, 61}], [{2}]]
    expected = naive.matrix(naive.hausdorff(naive.jaccard), strange, sets)
    assert (ms.metric("hausdorff", ground="jaccard").pairwise(strange, sets) == expected).all()
    rows = [sparse.csr_array(np.array(one)) for one in ([[1, 0], [1, 1]], [[0, 2]])]
    assert ms.metric("hausdorff", ground="jaccard").pairwise(rows).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("function", [cityblock, plain])
def test_grounds_of_the_users_own(structure, function, tmp_path):
    metric = ms.metric("hausdorff", ground=function)
    expected = ms.metric("hausdorff", ground="manhattan").pairwise(ASKED, SETS)
    assert (metric.pairwise(ASKED, SETS) == expected).all()
    index = structure(metric).fit(SETS)
    hits = index.knn(ASKED, 6)
    for row, positions in zip(expected, hits.positions, strict=True):
        assert positions.tolist() == naive.knn(row, 6)[0]
    index.save(tmp_path / "index")
    with pytest.raises(StorageError, match="your own"):
        ms.load(tmp_path / "index")
    for kept in (ms.load(tmp_path / "index", metric=metric), pickle.loads(pickle.dumps(index))):
        assert (kept.knn(ASKED, 6).positions == hits.positions).all()


def test_a_ground_in_plain_python_takes_points_of_any_kind():
    metric = ms.metric("hausdorff", ground=lambda a, b: abs(a - b))
    sets = [[1, 5], [2], np.array([9.5, 1.0])]
    expected = naive.matrix(naive.hausdorff(lambda a, b: abs(a - b)), sets, sets)
    assert metric.pairwise(sets).tolist() == expected.tolist()
    index = ms.VPTree(metric).fit(sets)
    assert index.knn([[5, 1]], 1).ids.tolist() == [[0]]
    assert index.objects([0]) == [[1, 5]]


@numba.njit
def far_is_unknown(a, b):
    d = abs(a[0] - b[0])
    return np.nan if d > 3 else d


@numba.njit
def raising(a, b):
    if max(a[0], b[0]) > 4:
        raise ValueError("too far")
    return abs(a[0] - b[0])


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    ("function", "error", "says"),
    [(far_is_unknown, MetricFailed, "far_is_unknown returned nan"), (raising, ValueError, "too far")],
)
def test_a_ground_that_fails(function, error, says, compiled):
    metric = ms.metric("hausdorff", ground=function if compiled else getattr(function, "py_func", function))
    with pytest.raises(error, match=says):
        metric.pairwise(SETS)
    with pytest.raises(error, match=says):
        ms.VPTree(metric).fit(SETS).knn(SETS, 3)


def test_sets_of_one_point_are_points():
    points = np.random.default_rng(3).normal(size=(30, 4))
    single = ms.metric("hausdorff").pairwise(points[:, None])
    assert (single == ms.metric("euclidean").pairwise(points)).all()


def test_points_count_once_and_in_no_order():
    metric = ms.metric("hausdorff")
    once = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert metric.distance(once, once[[1, 0, 1, 1]]) == 0
    assert metric.distance(once, once[:1]) == 5


points = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(st.lists(points, min_size=1, max_size=4), st.lists(points, min_size=1, max_size=3), st.floats(0, 6))
def test_stopping_at_a_limit(objects, asked, radius):
    expected = naive.matrix(naive.hausdorff(naive.euclidean), asked, objects)
    balls = ms.LinearScan("hausdorff").fit(objects).range(asked, radius)
    for (ids, distances), row in zip(balls, expected, strict=True):
        assert ids.tolist() == naive.ranked(row, radius)
        assert distances.tolist() == row[ids].tolist()


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: ms.metric("hausdorff", ground="precomputed"), NotSupported, r"lambda i, j: D\[i, j\]"),
        (lambda: ms.metric("hausdorff", ground="hausdorff"), NotSupported, "sets of sets"),
        (lambda: ms.metric("hausdorff", ground=ms.Metric(plain, triangle=False)), NotAMetric, "triangle"),
        (lambda: ms.metric("hausdorff", ground="cosine"), NotAMetric, "angular"),
        (lambda: ms.metric("hausdorff", ground="euclidean", p=2), TypeError, "p"),
    ],
)
def test_grounds_that_cannot_be_used(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_queries_that_cannot_be_used():
    index = ms.LinearScan("hausdorff").fit(SETS)
    with pytest.raises(InvalidArgument, match="position 1 is empty"):
        index.knn([SETS[0], np.zeros((0, 3))])
    with pytest.raises(InvalidArgument, match="3 dimensions"):
        index.knn([np.zeros((2, 2))])
    with pytest.raises(WrongType, match="each object is a set"):
        index.knn(SETS[0])
    with pytest.raises(InvalidArgument, match="length 0"):
        ms.LinearScan(ms.metric("hausdorff", ground="angular")).fit([np.zeros((2, 2))])
    assert index.knn([], 2).ids.shape == (0, 2)


def test_laws_follow_the_ground():
    assert set(ms.metric("hausdorff").laws) == {"identity", "triangle"}
    assert set(ms.metric("hausdorff", ground="angular").laws) == {"triangle"}


@pytest.fixture(scope="module")
def ink(data):
    """The pixels of characters that are more ink than paper, as (row, column)."""
    with np.load(data / "omniglot_background_28.npz") as held:
        images = held["images"]
    chosen = np.random.default_rng(4).permutation(len(images))[:210]
    return [np.argwhere(images[i] > 127) for i in chosen]


def test_ink_against_scipy(ink):
    d = ms.metric("hausdorff").pairwise(ink[:10], ink)
    expected = [
        [max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0]) for b in ink] for a in ink[:10]
    ]
    np.testing.assert_allclose(d, expected, rtol=1e-15)


@pytest.mark.parametrize("cls", [ms.VPTree, ms.LAESA, ms.MTree])
def test_structures_over_ink(cls, ink, tmp_path):
    stored, asked = ink[10:], ink[:10]
    scan = ms.LinearScan("hausdorff").fit(stored)
    if cls is ms.MTree:
        index = cls("hausdorff").fit(stored[:150])
        index.add(stored[150:])
    else:
        index = cls("hausdorff").fit(stored)
    index.save(tmp_path / "index")
    for kept in (index, ms.load(tmp_path / "index"), pickle.loads(pickle.dumps(index))):
        nearest, expected = kept.knn(asked, 5), scan.knn(asked, 5)
        assert (nearest.positions == expected.positions).all()
        assert (nearest.distances == expected.distances).all()
        radius = float(np.median(expected.distances))
        balls, expected = kept.range(asked, radius), scan.range(asked, radius)
        assert (balls.indptr == expected.indptr).all()
        assert (balls.positions == expected.positions).all()
        back = kept.objects([199, 4])
        assert all((one == stored[i]).all() for one, i in zip(back, (199, 4), strict=True))
