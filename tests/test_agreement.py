"""Every structure × metric × query equals the oracle, ties included."""

import itertools

import numpy as np
import pytest

import metricspace as ms
from tests import naive
from tests.workloads import truth


@pytest.fixture(scope="module")
def index(structure, workload):
    return structure(ms.metric(workload.metric, **workload.params), seed=3).fit(workload.objects)


@pytest.fixture(scope="module")
def rows(workload):
    """The oracle's distances, or, where its arithmetic differs, the metric's own, which it checks."""
    expected = truth(workload)
    if workload.exact_arithmetic:
        return expected
    own = ms.metric(workload.metric, **workload.params).pairwise(workload.queries, workload.objects)
    np.testing.assert_allclose(own, expected, rtol=1e-12, atol=1e-12)
    return own


def radius_of(rows):
    """A radius at which some object of each query lies exactly, and others do not."""
    return np.sort(rows, axis=1)[:, rows.shape[1] // 12]


@pytest.mark.parametrize("k", [1, 7, 1000])
def test_knn(index, workload, rows, k):
    hits = index.knn(workload.queries, k)
    for i, row in enumerate(rows):
        positions, distances = naive.knn(row, k)
        assert hits.positions[i].tolist() == positions
        assert hits.distances[i].tolist() == distances
    assert (hits.ids == hits.positions).all()
    assert hits.exact.all()
    assert hits.ids.shape == hits.distances.shape == (len(rows), k)
    assert (hits.cost <= len(workload.objects)).all()


def test_knn_within_a_radius(index, workload, rows):
    radii = radius_of(rows)
    hits = index.knn(workload.queries, 5, radius=radii)
    for i, row in enumerate(rows):
        assert hits.positions[i].tolist() == naive.knn(row, 5, radii[i])[0]


def test_range_and_count(index, workload, rows):
    radii = radius_of(rows)
    balls = index.range(workload.queries, radii)
    for (ids, distances), row, radius in zip(balls, rows, radii, strict=True):
        expected = naive.ranked(row, radius)
        assert ids.tolist() == expected
        assert distances.tolist() == [row[i] for i in expected]
    assert balls.exact.all()
    counts = index.count(workload.queries, radii)
    assert counts.counts.tolist() == np.diff(balls.indptr).tolist()
    assert index.range(workload.queries, radii, distances=False).distances is None


def test_range_of_everything_and_of_nothing(index, workload, rows):
    assert np.diff(index.range(workload.queries, np.inf).indptr).tolist() == [rows.shape[1]] * len(rows)
    beyond = np.nextafter(rows.min(axis=1), -1).clip(0)
    counted = index.count(workload.queries, beyond).counts
    assert counted.tolist() == [(row <= radius).sum() for row, radius in zip(rows, beyond, strict=True)]


def test_browse(index, workload, rows):
    for query, row in zip(workload.queries, rows, strict=True):
        browser = index.browse(query)
        expected = naive.ranked(row)
        seen, bound = [], 0.0
        for position, distance in browser:
            assert distance == row[position]
            assert distance >= bound
            bound = browser.lower_bound
            seen.append(position)
        assert seen == expected
        assert browser.cost == rows.shape[1]
        assert browser.lower_bound == np.inf
        within = [position for position, _ in index.browse(query, radius=row[expected[9]])]
        assert within == naive.ranked(row, row[expected[9]])


def test_browsing_measures_no_more_than_it_must(index, workload, rows):
    for query in workload.queries[:4]:
        few = index.browse(query)
        assert [position for position, _ in itertools.islice(few, 3)] == index.knn([query], 3).ids[0].tolist()
        # A budget that does not bind makes the search best first, as browsing is.
        assert few.cost <= index.knn([query], 3, budget=rows.shape[1]).cost[0]


def test_filters(index, workload, rows):
    count = rows.shape[1]
    allowed = set(range(0, count, 3))
    mask = np.isin(np.arange(count), sorted(allowed))
    for chosen in (mask, sorted(allowed)):
        hits = index.knn(workload.queries, 4, filter=chosen)
        for i, row in enumerate(rows):
            assert hits.positions[i].tolist() == naive.knn(row, 4, allowed=allowed)[0]
    each = [[i, i + 1, i + 2] for i in range(len(rows))]
    balls = index.range(workload.queries, np.inf, filter=each)
    for (ids, _), row, several in zip(balls, rows, each, strict=True):
        assert ids.tolist() == naive.ranked(row, allowed=several)
    query = workload.queries[0]
    assert [p for p, _ in index.browse(query, filter=mask)] == naive.ranked(rows[0], allowed=allowed)
    nothing = index.knn(workload.queries, 2, filter=np.zeros(count, bool))
    assert (nothing.ids == -1).all()
    assert nothing.exact.all()
    assert index.range(workload.queries, np.inf).exact.all()


def test_eps(index, workload, rows):
    hits = index.knn(workload.queries, 5, eps=0.5)
    for i, row in enumerate(rows):
        true = naive.knn(row, 5)[1]
        assert (hits.distances[i] <= 1.5 * np.array(true)).all()
        if hits.exact[i]:
            assert hits.positions[i].tolist() == naive.knn(row, 5)[0]
    radii = radius_of(rows)
    balls = index.range(workload.queries, radii, eps=0.5)
    for (ids, _), row, radius in zip(balls, rows, radii, strict=True):
        assert set(naive.ranked(row, radius / 1.5)) <= set(ids.tolist()) <= set(naive.ranked(row, radius))


@pytest.mark.parametrize("budget", [1, 20, 90])
def test_budget(index, workload, rows, budget):
    hits = index.knn(workload.queries, 5, budget=budget)
    assert (hits.cost <= budget).all()
    for i, row in enumerate(rows):
        found = [p for p in hits.positions[i].tolist() if p >= 0]
        assert hits.distances[i][: len(found)].tolist() == [row[p] for p in found]
        if hits.exact[i]:
            assert hits.positions[i].tolist() == naive.knn(row, 5)[0]
    assert index.knn(workload.queries, 5, budget=rows.shape[1]).exact.all()


def test_results_do_not_depend_on_threads(index, workload):
    alone, together = (index.knn(workload.queries, 6, n_jobs=jobs) for jobs in (1, 4))
    assert (alone.positions == together.positions).all()
    assert (alone.cost == together.cost).all()
    radius = float(np.median(alone.distances[:, -1]))
    one, four = (index.range(workload.queries, radius, n_jobs=jobs) for jobs in (1, 4))
    assert (one.positions == four.positions).all()
    assert (one.indptr == four.indptr).all()


def test_the_seed_decides(structure, workload, index):
    again = structure(ms.metric(workload.metric, **workload.params), seed=3).fit(workload.objects)
    assert again.build_cost == index.build_cost
    assert (again.knn(workload.queries, 3).cost == index.knn(workload.queries, 3).cost).all()


def test_objects_are_given_back(index, workload):
    chosen = [5, 0, 17]
    given = index.objects(chosen)
    for back, position in zip(given, chosen, strict=True):
        assert np.array_equal(back, workload.objects[position])
