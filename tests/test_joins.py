"""Joins, graphs and closest pairs equal those of nested loops, ties included."""

import itertools
import signal
import threading
import time

import numpy as np
import pytest

import metricspace as ms
from metricspace import errors
from tests import naive
from tests.workloads import Workload, _grid, _whole, _words


def _doubled(objects):
    """Objects of which the first few occur again at the end."""
    return (
        np.concatenate([objects, objects[:9]]) if isinstance(objects, np.ndarray) else objects + objects[:9]
    )


def _difference(a, b):
    return float(abs(a - b))


KINDS = [
    Workload("grid", "euclidean", {}, _doubled(_grid(90, 3, 0)), _grid(40, 3, 1), naive.euclidean),
    Workload("words", "levenshtein", {}, _doubled(_words(80, 2)), _words(30, 3), naive.levenshtein),
    Workload("python", _difference, {}, _doubled(_whole(60, 4)), _whole(25, 5), _difference),
]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def index(structure, kind):
    return structure(kind.metric, seed=1).fit(kind.objects)


@pytest.fixture(scope="module")
def across(kind):
    """Distances of the objects (rows) to the others (columns)."""
    return naive.matrix(kind.oracle, kind.objects, kind.queries)


@pytest.fixture(scope="module")
def within(kind):
    """Distances of the objects to each other."""
    return naive.matrix(kind.oracle, kind.objects, kind.objects)


def radii(distances):
    """Radii of no pair or of equal objects alone, of some pairs with ties, and of all."""
    some = np.sort(distances, axis=None)
    return [0.0, float(some[len(some) // 20]), np.inf]


def pairs_of(pairs):
    """The pairs by position, in the order given."""
    columns = pairs.left_positions, pairs.right_positions, pairs.distances
    return list(zip(*(column.tolist() for column in columns), strict=True))


def joined(distances, radius):
    """All pairs of a row and a column within a radius."""
    return [(i, j, distances[i, j]) for i, j in np.argwhere(distances <= radius).tolist()]


def self_joined(distances, radius):
    return [pair for pair in joined(distances, radius) if pair[0] < pair[1]]


def test_join_with_objects(index, kind, across):
    for radius in radii(across):
        pairs = index.join(kind.queries, radius)
        assert pairs_of(pairs) == joined(across, radius)
        assert pairs.build_cost == index.build_cost
        assert len(pairs) == len(list(pairs))


@pytest.mark.parametrize("names", [None, lambda n: [f"object {i}" for i in range(n)][::-1]])
def test_join_with_an_index(index, kind, across, names):
    ids = None if names is None else names(len(kind.queries))
    other = ms.VPTree(kind.metric, leaf_size=4).fit(kind.queries, ids=ids)
    radius = radii(across)[1]
    pairs = index.join(other, radius)
    assert pairs_of(pairs) == joined(across, radius)
    assert pairs.left.tolist() == pairs.left_positions.tolist()
    expected = [j if ids is None else ids[j] for j in pairs.right_positions.tolist()]
    assert pairs.right.tolist() == expected
    hits = index.knn_join(other, 4)
    for j in range(len(kind.queries)):
        assert hits.positions[j].tolist() == naive.knn(across[:, j], 4)[0]


def test_self_join(index, within):
    for radius in radii(within):
        assert pairs_of(index.self_join(radius)) == self_joined(within, radius)


def test_parts_are_those_of_the_whole(index, kind, across, within):
    for other, whole in ((kind.queries, joined(across, radii(across)[1])), (None, None)):
        radius = radii(across if other is not None else within)[1]
        parts = list(index.join_batches(other, radius, size=7))
        streamed = [pair for part in parts for pair in pairs_of(part)]
        assert all(pairs_of(part) == sorted(pairs_of(part)) for part in parts)
        assert sorted(streamed) == (self_joined(within, radius) if whole is None else whole)
        total = index.self_join(radius) if other is None else index.join(other, radius)
        if other is None or index.key != "linear":
            assert sum(part.cost for part in parts) == total.cost


def test_knn_join_and_graph(index, kind, across, within):
    hits = index.knn_join(kind.queries, 3)
    for j in range(len(kind.queries)):
        positions, distances = naive.knn(across[:, j], 3)
        assert (hits.positions[j].tolist(), hits.distances[j].tolist()) == (positions, distances)
    n = len(within)
    for k in (5, n + 2):
        graph = index.knn_graph(k)
        assert graph.positions.shape == (n, k)
        for i, row in enumerate(within):  # itself goes by position, its duplicates stay
            positions, distances = naive.knn(row, k, allowed=set(range(n)) - {i})
            assert (graph.positions[i].tolist(), graph.distances[i].tolist()) == (positions, distances)
            assert graph.ids[i].tolist() == positions


def test_closest_pairs(index, within):
    ranked = sorted(self_joined(within, np.inf), key=lambda pair: (pair[2], pair[0], pair[1]))
    for k in (1, 13, 60, len(ranked) + 5):
        assert pairs_of(index.closest_pairs(k)) == ranked[:k]


def test_own_ids_leave_the_object_out(index, within):
    asked = [len(within) - 1, 0, 8, 0]  # the last equals the ninth
    radius = radii(within)[1]
    hits = index.knn(ids=asked, k=3)
    balls = index.range(ids=asked, radius=radius)
    counts = index.count(ids=asked, radius=radius).counts
    for i, position in enumerate(asked):
        others = set(range(len(within))) - {position}
        assert hits.positions[i].tolist() == naive.knn(within[position], 3, allowed=others)[0]
        expected = naive.ranked(within[position], radius, others)
        assert balls.positions[balls.indptr[i] : balls.indptr[i + 1]].tolist() == expected
        assert counts[i] == len(expected)


def test_threads_change_nothing(index, kind, across, within):
    here, there = radii(within)[1], radii(across)[1]
    for ask in (
        lambda jobs: index.self_join(here, n_jobs=jobs),
        lambda jobs: index.join(kind.queries, there, n_jobs=jobs),
        lambda jobs: index.closest_pairs(20, n_jobs=jobs),
    ):
        one, two = ask(1), ask(2)
        assert pairs_of(one) == pairs_of(two)
        assert one.cost == two.cost > 0
    one, two = (index.knn_graph(3, n_jobs=jobs) for jobs in (1, 2))
    assert (one.positions == two.positions).all()
    assert (one.cost == two.cost).all()


def test_one_object_and_no_others(structure):
    index = structure().fit([[1.0, 2.0]])
    assert len(index.self_join(5)) == len(index.closest_pairs(3)) == 0
    assert index.knn_graph(2).positions.tolist() == [[-1, -1]]
    assert len(index.join(np.zeros((0, 2)), 5)) == 0
    assert list(index.join_batches(np.zeros((0, 2)), 5)) == []
    assert index.knn_join(np.zeros((0, 2)), 3).positions.shape == (0, 3)


def test_removed_objects_appear_nowhere():
    objects = _grid(120, 2, 6, high=8)
    distances = naive.matrix(naive.euclidean, objects, objects)
    index = ms.MTree(capacity=6).fit(objects)
    gone = list(range(0, 120, 4))
    index.remove(gone)
    kept = [i for i in range(120) if i % 4]
    distances[gone] = distances[:, gone] = np.inf
    assert pairs_of(index.self_join(0.5)) == self_joined(distances, 0.5)
    ranked = sorted(self_joined(distances, 5.0), key=lambda pair: (pair[2], pair[0], pair[1]))
    assert pairs_of(index.closest_pairs(50)) == ranked[:50]
    graph = index.knn_graph(3)
    assert len(graph) == len(kept)
    for row, i in enumerate(kept):
        assert graph.positions[row].tolist() == naive.knn(distances[i], 3, allowed=set(kept) - {i})[0]
    pairs = ms.VPTree().fit(objects).join(index, 0.5)
    both = naive.matrix(naive.euclidean, objects, objects)
    both[:, gone] = np.inf
    assert pairs_of(pairs) == joined(both, 0.5)
    with pytest.raises(errors.UnknownName):
        index.knn(ids=[0], k=2)


X = np.random.default_rng(7).random((60, 2))


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda i: i.self_join(-1), errors.InvalidArgument, "at least 0"),
        (lambda i: i.self_join(np.nan), errors.InvalidArgument, "at least 0"),
        (lambda i: i.join(X, -0.5), errors.InvalidArgument, "at least 0"),
        (lambda i: i.join(X, "near"), errors.WrongType, "radius"),
        (lambda i: i.join(X, [1.0, 2.0]), errors.InvalidArgument, "radius|one for each"),
        (lambda i: i.join_batches(X, 1, size=0), errors.InvalidArgument, "size of at least 1"),
        (lambda i: i.join_batches(None, 1, size=-4), errors.InvalidArgument, "given -4"),
        (lambda i: i.join_batches(X, -1), errors.InvalidArgument, "at least 0"),
        (lambda i: i.closest_pairs(0), errors.InvalidArgument, "k of at least 1"),
        (lambda i: i.knn_graph(0), errors.InvalidArgument, "k of at least 1"),
        (lambda i: i.knn_join(X, 0), errors.InvalidArgument, "k of at least 1"),
        (lambda i: i.join(X[:, :1], 1), errors.InvalidArgument, "2 dimensions"),
        (lambda i: i.join(ms.VPTree("manhattan").fit(X), 1), errors.InvalidArgument, "'manhattan'.*objects"),
        (lambda i: i.knn_join(ms.VPTree("manhattan").fit(X), 1), errors.InvalidArgument, "same metric"),
        (lambda i: i.join(ms.VPTree(), 1), errors.NotFitted, "fit"),
        (lambda i: i.knn(), errors.InvalidArgument, "queries or the ids"),
        (lambda i: i.range(X, 1, ids=[3]), errors.InvalidArgument, "queries or the ids"),
        (lambda i: i.count(ids=[99], radius=1), errors.UnknownName, "99"),
    ],
)
def test_joins_that_cannot_be_made(call, error, says):
    with pytest.raises(error, match=says):
        call(ms.VPTree().fit(X))


def test_metrics_are_told_apart_by_parameters_and_functions():
    index = ms.VPTree(ms.metric("minkowski", p=3)).fit(X)
    assert len(index.join(ms.LinearScan(ms.metric("minkowski", p=3)).fit(X), 0.0)) == len(X)
    with pytest.raises(errors.InvalidArgument, match="p=4"):
        index.join(ms.LinearScan(ms.metric("minkowski", p=4)).fit(X), 0.0)
    whole = _whole(20, 8)
    with pytest.raises(errors.InvalidArgument, match="same metric"):
        ms.VPTree(_difference).fit(whole).join(ms.VPTree(lambda a, b: _difference(a, b)).fit(whole), 1)


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals need it")
def test_an_interrupted_join_leaves_the_index_usable():
    calls = itertools.count()

    def slow(a, b):
        call = next(calls)
        if call == 60_000:
            signal.raise_signal(signal.SIGINT)
        if 60_000 <= call < 62_000:
            time.sleep(0.001)  # the main thread looks up ten times a second
        return float(abs(a - b))

    index = ms.VPTree(slow).fit(list(range(600)))
    with pytest.raises(KeyboardInterrupt):
        index.self_join(np.inf)
    assert next(calls) < 62_000
    assert len(index.self_join(1)) == 599


def test_a_failing_metric_shows_its_error():
    def fragile(a, b):
        if not armed or a + b < 110:
            return float(abs(a - b))
        raise ZeroDivisionError(a)

    armed = []
    index = ms.VPTree(fragile).fit(list(range(60)))
    armed.append(True)
    with pytest.raises(ZeroDivisionError):
        index.self_join(np.inf)
    armed.clear()
    assert len(index.self_join(1)) == 59


def _clustered(n, d=8):
    rng = np.random.default_rng(9)
    return (rng.normal(size=(20, d))[rng.integers(20, size=n)] + rng.normal(scale=0.1, size=(n, d))).astype(
        np.float32
    )


@pytest.mark.parametrize(("key", "share"), [("vptree", 0.75), ("ghtree", 0.75), ("linear", 0.51)])
def test_a_pair_is_looked_for_from_one_side(key, share):
    objects = _clustered(3000)
    index = ms.indexes()[key]().fit(objects)
    pairs = index.self_join(0.2)
    balls = index.range(ids=np.arange(len(objects)), radius=0.2)
    assert 2 * len(pairs) == len(balls.positions) > 0
    assert pairs.cost <= share * balls.cost.sum()
    assert pairs.cost < len(objects) * (len(objects) - 1) / 2 or key == "linear"


def test_a_scan_of_words_passes_over_what_is_too_long_or_before():
    """On more than two runs of blocks, each of which is passed over in one step."""
    words = _words(10_000, 10, letters="abcdefgh", longest=20)
    index = ms.LinearScan("levenshtein").fit(words)
    few = np.random.default_rng(11).choice(len(words), 40, replace=False)
    between = index.metric.pairwise([words[i] for i in few], words)
    balls = index.range([words[i] for i in few], 1)
    for row, ids in zip(between, (ids for ids, _ in balls), strict=True):
        assert ids.tolist() == naive.ranked(row, 1)
    pairs = {(i, j): d for i, j, d in pairs_of(index.self_join(1))}
    chosen = set(few.tolist())
    expected = {
        (min(i, j), max(i, j)): between[row, j]
        for row, i in enumerate(few.tolist())
        for j in np.flatnonzero(between[row] <= 1).tolist()
        if i != j
    }
    assert {pair: d for pair, d in pairs.items() if chosen & set(pair)} == expected
