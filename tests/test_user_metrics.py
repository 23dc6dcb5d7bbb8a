"""Metrics of the user's own: compiled or plain, over any objects, and failing in any way."""

import signal
import threading
import time
from fractions import Fraction

import numba
import numpy as np
import pytest

import metricspace as ms
from metricspace.errors import InvalidArgument, MetricFailed, WrongType

X = np.random.default_rng(0).integers(0, 8, (300, 5)).astype(np.float32)
Q = X[:7] + 1


@numba.njit
def cityblock(a, b):
    total = 0.0
    for k in range(a.shape[0]):
        total += abs(a[k] - b[k])
    return total


@numba.njit
def allocating(a, b):
    return np.abs(a - b).sum()


@numba.njit
def nested(a, b):
    return cityblock(a[1:], b[1:]) + abs(a[0] - b[0])


@pytest.mark.parametrize("function", [cityblock, allocating, nested, cityblock.py_func])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_rows_of_any_type(structure, function, dtype):
    own = structure(function).fit(X.astype(dtype))
    expected = structure("manhattan").fit(X)
    mine, theirs = own.knn(Q.astype(dtype), 6), expected.knn(Q, 6)
    assert (mine.positions == theirs.positions).all()
    assert (mine.distances == theirs.distances).all()
    assert own.objects([3]).dtype == dtype


@numba.njit
def unequal(a, b):
    count = 0.0
    for k in range(a.shape[0]):
        count += a[k] != b[k] and (a[k] == a[k] or b[k] == b[k])  # two that are missing are equal
    return count


@pytest.mark.parametrize("function", [unequal, unequal.py_func])
@pytest.mark.parametrize(
    "rows",
    [
        np.eye(6, dtype=bool),
        np.array([[np.nan, 1], [2, np.nan], [np.nan, np.nan], [np.inf, 1]]),
        np.array([[2**63, 1], [2**63 + 1, 2], [2**64 - 1, 1]], np.uint64),
        np.array([[1e300, 2], [-1e300, 2]]),
    ],
    ids=["booleans", "missing", "beyond 63 bits", "large"],
)
def test_rows_that_can_be_indexed_can_be_queries(function, rows, tmp_path):
    index = ms.MTree(function).fit(rows)
    index.save(tmp_path / "index")
    for same in (index, ms.load(tmp_path / "index", metric=function)):
        assert same.knn(rows, 1).positions[:, 0].tolist() == list(range(len(rows)))
    index.add(rows)
    assert index.knn(rows, 2).distances.tolist() == [[0, 0]] * len(rows)
    assert (ms.metric(function).pairwise(rows, rows) == ms.metric(function).pairwise(rows)).all()


@pytest.mark.parametrize(
    ("indexed", "asked"),
    [(bool, 2), (np.uint64, -1), (np.int16, 0.5), (np.int32, np.nan), (np.float32, 1e300)],
)
def test_queries_that_the_type_of_the_rows_cannot_hold(indexed, asked):
    index = ms.LinearScan(unequal).fit(np.ones((3, 2), indexed))
    with pytest.raises(InvalidArgument, match=np.dtype(indexed).name):
        index.knn(np.full((1, 2), asked), 1)
    with pytest.raises(InvalidArgument, match="2 dimensions"):
        index.knn(np.ones((1, 3)), 1)


def test_objects_of_any_kind(structure):
    fractions = [Fraction(n % 17, 1 + n % 5) for n in range(120)]
    hits = structure(lambda a, b: abs(a - b)).fit(fractions).knn([Fraction(1, 3)], 4)
    expected = sorted(range(120), key=lambda i: (float(abs(fractions[i] - Fraction(1, 3))), i))[:4]
    assert hits.ids[0].tolist() == expected


def test_arrays_of_different_lengths():
    curves = [np.arange(n, dtype=float) for n in (3, 9, 4, 30)]
    index = ms.VPTree(lambda a, b: abs(len(a) - len(b))).fit(curves)
    assert index.knn([np.zeros(8)], 2).ids.tolist() == [[1, 2]]
    compiled = ms.VPTree(numba.njit(lambda a, b: abs(len(a) - len(b)))).fit(curves)
    assert compiled.knn([np.zeros(8)], 2).ids.tolist() == [[1, 2]]


def test_a_stale_result_is_not_served_for_another_function():
    def scaled(factor):
        return numba.njit(lambda a, b: factor * abs(a[0] - b[0]))

    for factor in (1.0, 2.0, 3.0):
        assert (
            ms.LinearScan(scaled(factor)).fit(np.zeros((1, 1))).knn(np.array([[5.0]]), 1).distances[0, 0]
            == 5 * factor
        )


@numba.njit
def raising(a, b):
    if max(a[0], b[0]) > 6:
        raise ValueError("too large")
    return abs(a[0] - b[0])


@numba.njit
def not_a_number(a, b):
    return np.nan if a[0] > 6 else abs(a[0] - b[0])


@numba.njit
def negative(a, b):
    return a[0] - 6.5


@numba.njit
def infinite(a, b):
    return np.inf


@numba.njit
def ill_typed(a, b):
    return a.colour


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("function", "error", "says"),
    [
        (raising, ValueError, "too large"),
        (not_a_number, MetricFailed, "returned nan"),
        (negative, MetricFailed, "finite number ≥ 0"),
        (infinite, MetricFailed, "returned inf"),
    ],
)
def test_a_metric_that_fails(structure, function, error, says, plain):
    metric = ms.Metric(function.py_func if plain else function, hilbert=True)
    if not structure.suits(metric):
        pytest.skip("it takes no metric of one's own")
    with pytest.raises(error, match=says):
        structure(metric).fit(X).knn(X[:20], 3)
    with pytest.raises(error, match=says):
        ms.metric(metric).pairwise(X)


def test_a_metric_that_fails_in_a_query_only(structure):
    index = structure(raising).fit(np.minimum(X, 6))
    with pytest.raises(ValueError, match="too large"):
        index.knn(X + 7, 2)
    browser = index.browse(X[0] + 7)
    with pytest.raises(ValueError, match="too large"):
        list(browser)
    assert index.knn(np.minimum(X[:2], 6), 1).distances[0, 0] == 0


@pytest.mark.parametrize("returned", ["far", None, [1.0], 1j])
def test_a_metric_that_returns_no_number(returned):
    with pytest.raises((TypeError, ValueError)):
        ms.VPTree(lambda a, b: returned).fit([1, 2, 3] * 20)


def test_a_metric_that_does_not_compile():
    with pytest.raises(WrongType, match=r"ill_typed could not be compiled for two rows of float32: .*colour"):
        ms.VPTree(ill_typed).fit(X)


def test_the_original_traceback_is_kept():
    def broken(a, b):
        return a.missing

    with pytest.raises(AttributeError, match="missing") as caught:
        ms.VPTree(broken).fit([1, 2, 3] * 20)
    assert caught.traceback[-1].name == "broken"


@pytest.mark.parametrize("work", ["build", "query"])
def test_an_interrupt_stops_a_slow_metric(work):
    slow = False

    def metric(a, b):
        if slow:
            time.sleep(0.002)
        return abs(a - b)

    index = ms.LinearScan(metric).fit(list(range(20_000)))
    slow = True
    threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
    began = time.perf_counter()
    slow_work = {
        "query": lambda: index.knn([5] * 100, 3),
        "build": lambda: ms.VPTree(metric).fit(list(range(20_000))),
    }
    with pytest.raises(KeyboardInterrupt):
        slow_work[work]()
    assert time.perf_counter() - began < 5  # the work would have taken a minute and more
    slow = False
    assert index.knn([5.1], 1).ids[0, 0] == 5


def test_declared_laws_and_rounding():
    metric = ms.Metric(cityblock, name="blocks", rounding=1e-5, four_point=True)
    assert set(metric.laws) == {"identity", "triangle", "ptolemaic", "four_point"}
    assert metric.name == "blocks"
    assert metric.distance(X[0], X[1]) == ms.metric("manhattan").distance(X[0], X[1])
