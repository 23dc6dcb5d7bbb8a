"""Queries that measure with another metric than that of the index."""

import pickle

import numba
import numpy as np
import pytest

import metricspace as ms
from metricspace.errors import InvalidArgument, MetricFailed, WrongType
from tests import naive
from tests.workloads import workloads

SOME = {one.name: one for one in workloads(110, 7)}
GRID, WORDS, NUMBERS = SOME["euclidean"], SOME["levenshtein"], SOME["python"]


def longer(a, b):
    """A metric on strings that is at least the edit distance; in plain Python."""
    return naive.levenshtein(a, b) + abs(len(a) - len(b)) / 2


def stretched(a, b):
    return np.abs(a - b).sum() + np.abs(a[0] - b[0])


def rough(a, b):
    return float(abs(a - b) // 5 * 5 + 5) if a != b else 0.0


CASES = {
    "manhattan": (GRID, "manhattan", naive.manhattan, 1.0),
    "chebyshev": (GRID, "chebyshev", naive.chebyshev, 2.0),
    "compiled": (GRID, numba.njit(stretched), stretched, 1.0),
    "python": (WORDS, longer, longer, 1.0),
    "weighted": (
        WORDS,
        ms.metric("levenshtein", replace=0.75, insert=0.5),
        naive.edit({}, 0.75, 0.5),
        2.0,
    ),
    "rough": (NUMBERS, rough, rough, 1.0),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """Objects, queries, the index's metric, the query's, its distances, and the scale."""
    one, metric, oracle, scale = CASES[request.param]
    return one.objects, one.queries, one.metric, metric, naive.matrix(oracle, one.queries, one.objects), scale


def test_agreement(structure, case):
    objects, queries, indexed, metric, rows, scale = case
    index = structure(indexed, seed=3).fit(objects)
    asked = {"metric": metric, "scale": scale}
    for k in (1, 6, 500):
        hits = index.knn(queries, k, **asked)
        for i, row in enumerate(rows):
            positions, distances = naive.knn(row, k)
            assert hits.positions[i].tolist() == positions
            assert hits.distances[i].tolist() == distances
        assert hits.exact.all()
        assert (hits.cost <= 2 * len(objects) + 30).all()
    radii = np.sort(rows, axis=1)[:, 9]
    for radius in (0.0, radii, np.inf):
        balls = index.range(queries, radius, **asked)
        counts = index.count(queries, radius, **asked)
        for (ids, distances), row, r, count in zip(
            balls, rows, np.broadcast_to(radius, len(rows)), counts.counts, strict=True
        ):
            assert ids.tolist() == naive.ranked(row, r)
            assert distances.tolist() == [row[i] for i in ids]
            assert count == len(ids)
        assert balls.exact.all()
    within = index.knn(queries, 4, radius=radii, filter=np.arange(len(objects)) % 2 == 0, **asked)
    for i, row in enumerate(rows):
        allowed = set(range(0, len(objects), 2))
        assert within.positions[i].tolist() == naive.knn(row, 4, radii[i], allowed)[0]


def test_budgets_and_eps(structure, case):
    objects, queries, indexed, metric, rows, scale = case
    index = structure(indexed).fit(objects)
    for budget in (1, 2, 25, 1000):
        hits = index.knn(queries, 4, budget=budget, metric=metric, scale=scale)
        assert (hits.cost <= budget).all()
        for i, row in enumerate(rows):
            if hits.exact[i]:
                assert hits.positions[i].tolist() == naive.knn(row, 4)[0]
    assert hits.exact.all()
    near = index.knn(queries, 4, eps=0.5, metric=metric, scale=scale)
    for i, row in enumerate(rows):
        assert (near.distances[i] <= 1.5 * np.array(naive.knn(row, 4)[1])).all()


def test_threads_and_indexed_queries(structure, case):
    objects, queries, indexed, metric, _, scale = case
    index = structure(indexed).fit(objects)
    alone, together = (index.knn(queries, 5, metric=metric, scale=scale, n_jobs=jobs) for jobs in (1, 4))
    assert (alone.positions == together.positions).all()
    assert (alone.cost == together.cost).all()
    given = [objects[3], objects[8]]
    others = index.knn(ids=[3, 8], k=len(objects), metric=metric, scale=scale)
    everything = index.knn(given, len(objects), metric=metric, scale=scale)
    for own, mine, all_of_them in zip([3, 8], others.ids, everything.ids, strict=True):
        assert mine[:-1].tolist() == [i for i in all_of_them if i != own]


def test_it_prunes():
    X = np.random.default_rng(0).normal(size=(3000, 3))
    index = ms.VPTree().fit(X)
    hits = index.knn(X[:20], 3, metric="manhattan")
    assert hits.cost.mean() < 600
    assert index.range(X[:20], 0.05, metric="manhattan").cost.mean() < 200


def test_the_container_is_kept_for_the_last_metric(structure):
    index = structure().fit(GRID.objects)
    before = index.nbytes
    index.knn(GRID.queries, 2, metric="manhattan")
    kept = index._recast[1]
    index.knn(GRID.queries, 2, metric=ms.metric("manhattan"))
    assert index._recast[1] is kept
    assert index.nbytes > before
    index.knn(GRID.queries, 2, metric=lambda a, b: float(np.abs(a - b).sum()))
    assert index._recast[1] is not kept
    assert pickle.loads(pickle.dumps(index)).nbytes == before
    assert index.fit(GRID.objects).nbytes == before


def test_added_objects_are_found():
    index = ms.MTree().fit(GRID.objects[:50])
    index.knn(GRID.queries, 2, metric="manhattan")
    index.add(GRID.objects[50:])
    index.remove([0, 60])
    hits = index.knn(GRID.queries, 5, metric="manhattan")
    allowed = set(range(len(GRID.objects))) - {0, 60}
    for row, found in zip(naive.matrix(naive.manhattan, GRID.queries, GRID.objects), hits.ids, strict=True):
        assert found.tolist() == naive.knn(row, 5, allowed=allowed)[0]


def test_a_metric_that_fails_is_named(structure):
    index = structure("levenshtein").fit(WORDS.objects)

    def failing(a, b):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        index.knn(WORDS.queries, 2, metric=failing)
    with pytest.raises(MetricFailed, match="nothing returned nan"):
        index.knn(WORDS.queries, 2, metric=ms.Metric(lambda a, b: float("nan"), name="nothing"))
    theirs = structure(lambda a, b: abs(a - b) if b < 1000 else 1 / 0).fit(NUMBERS.objects)
    with pytest.raises(ZeroDivisionError):
        theirs.knn([2000], 1, metric=rough)
    vectors = structure().fit(GRID.objects)
    with pytest.raises(MetricFailed, match="broken returned nan"):
        vectors.knn(GRID.queries, 1, metric=ms.Metric(numba.njit(lambda a, b: np.nan), name="broken"))


@pytest.mark.parametrize("scale", [0, -1, np.nan, np.inf, "2", True])
def test_scales_that_cannot_be(scale):
    with pytest.raises(InvalidArgument, match="scale above 0"):
        ms.LinearScan().fit(GRID.objects).knn(GRID.queries, metric="manhattan", scale=scale)


def test_arguments():
    index = ms.VPTree("levenshtein").fit(WORDS.objects)
    with pytest.raises(InvalidArgument, match="a metric with the scale"):
        index.knn(WORDS.queries, scale=2)
    with pytest.raises(WrongType, match="real numbers"):
        index.range(WORDS.queries, 1, metric="euclidean")


def test_check_scale():
    X = [[0.0, 0.0], [1.0, 1.0], [3.0, 0.0]]
    assert ms.check_scale("euclidean", "manhattan", X) == 1.0
    assert ms.check_scale("manhattan", "euclidean", X) == pytest.approx(np.sqrt(2))
    assert ms.check_scale("euclidean", lambda a, b: float(abs(a[0] - b[0]) > 2), X) == np.inf
    assert ms.check_scale("euclidean", "manhattan", X[:1]) == 0.0
