"""Browsing: lazy, with a cutoff, by ids, several at once."""

import itertools

import numpy as np
import pytest

import metricspace as ms
from metricspace import errors
from tests import naive
from tests.workloads import truth, workloads

CHOSEN = [one for one in workloads(100, 5) if one.name in ("euclidean", "levenshtein", "python")]


@pytest.fixture(scope="module", params=CHOSEN, ids=[one.name for one in CHOSEN])
def case(request):
    return request.param, truth(request.param)


@pytest.fixture(scope="module")
def index(structure, case):
    return structure(case[0].metric, seed=2).fit(case[0].objects)


def test_a_cutoff_ends_a_browse(index, case):
    workload, rows = case
    for query, row in zip(workload.queries, rows, strict=True):
        ranked = naive.ranked(row)
        cutoff = row[ranked[20]]
        with index.browse(query) as browser:
            seen = [next(browser)[0] for _ in range(5)]
            browser.cutoff = cutoff
            assert browser.cutoff == cutoff
            cost = browser.cost
            seen += [position for position, _ in browser]
            assert browser.lower_bound == np.inf
        assert seen == naive.ranked(row, cutoff)
        assert cost <= browser.cost <= index.n_objects


def test_a_cutoff_before_the_first_object(index, case):
    workload, rows = case
    browser = index.browse(workload.queries[0])
    browser.cutoff = radius = float(np.median(rows[0]))
    assert [position for position, _ in browser] == naive.ranked(rows[0], radius)


def test_a_cutoff_at_once_below_what_is_known(index, case):
    workload, rows = case
    far = max(range(len(rows)), key=lambda i: rows[i].min())  # a query that no object is equal to
    browser = index.browse(workload.queries[far])
    nearest = next(browser)[1]
    browser.cutoff = nearest / 2
    cost = browser.cost
    assert list(browser) == []
    assert browser.cost == cost or nearest == 0


def test_a_cutoff_saves_distances():
    objects = np.random.default_rng(0).random((2000, 2))
    index = ms.VPTree().fit(objects)
    with index.browse(objects[0]) as whole:
        assert len(list(whole)) == 2000
    with index.browse(objects[0]) as browser:
        next(browser)
        browser.cutoff = 0.05
        count = len(list(browser))
    assert count == index.count(objects[:1], 0.05).counts[0] - 1
    assert browser.cost < 300 < whole.cost


def test_a_cutoff_can_only_be_lowered(index, case):
    browser = index.browse(case[0].queries[0], radius=2.0)
    with pytest.raises(errors.InvalidArgument, match="at most 2"):
        browser.cutoff = 3.0
    with pytest.raises(errors.InvalidArgument, match="at least 0"):
        browser.cutoff = -1.0
    browser.cutoff = 2.0
    assert browser.cutoff == 2.0


def test_closing(index, case):
    workload, rows = case
    browser = index.browse(workload.queries[0])
    first = next(browser)
    assert first[1] == rows[0].min()
    browser.close()
    browser.close()
    assert list(browser) == []
    assert browser.lower_bound == np.inf
    assert browser.cost >= 1


def test_by_the_id_of_an_indexed_object(index, case):
    workload, _ = case
    row = naive.matrix(workload.oracle, [workload.objects[7]], workload.objects)[0]
    expected = [position for position in naive.ranked(row) if position != 7]
    assert [position for position, _ in index.browse(ids=[7])] == expected


def test_positions(index, case):
    browser = index.browse(case[0].queries[0])
    position, name, distance = browser.advance()
    assert (position, distance) == (name, case[1][0][position])


def test_the_first_object_is_cheap(structure):
    objects = np.random.default_rng(0).random((4000, 2)).astype(np.float32)
    index = structure(seed=1).fit(objects) if structure is not ms.AESA else structure().fit(objects[:1000])
    browser = index.browse(objects[5])
    assert browser.cost == 0
    assert browser.lower_bound == 0
    assert next(browser) == (5, 0.0)
    assert browser.cost < 200 or structure is ms.LinearScan


def test_many_queries_in_one_order(index, case):
    workload, rows = case
    merged = index.browse_many(workload.queries)
    assert merged.cost == 0
    expected = sorted((d, i, position) for i, row in enumerate(rows) for position, d in enumerate(row))
    seen, bound = [], 0.0
    for number, position, distance in merged:
        assert distance >= bound
        bound = merged.lower_bound
        seen.append((distance, number, position))
    assert seen == expected
    assert bound == merged.lower_bound == np.inf


def test_many_queries_with_radii_and_filters(index, case):
    workload, rows = case
    radii = np.median(rows, axis=1)
    each = [list(range(i, 100, 3)) for i in range(len(rows))]
    found = list(index.browse_many(workload.queries, radius=radii, filter=each))
    for i, row in enumerate(rows):
        mine = [position for number, position, _ in found if number == i]
        assert mine == naive.ranked(row, radii[i], allowed=each[i])
    assert [d for _, _, d in found] == sorted(d for _, _, d in found)
    own = list(index.browse_many(ids=[3, 4], radius=0.0))
    assert all(position != 3 + number for number, position, _ in own)
    empty = index.browse_many(workload.queries[:0])
    assert list(empty) == []
    assert empty.lower_bound == np.inf


def test_merged_browses_are_lazy():
    objects = np.random.default_rng(0).random((5000, 2))
    index = ms.VPTree().fit(objects)
    asked = np.random.default_rng(1).random((8, 2))
    with index.browse_many(asked) as merged:
        found = list(itertools.islice(merged, 5))
    distances = np.linalg.norm(asked[:, None] - objects, axis=2)
    expected = np.sort(distances.ravel())[:5]
    np.testing.assert_allclose([d for _, _, d in found], expected)
    assert merged.cost < 8 * 250
    assert list(merged) == []


def test_browses_of_several_indexes_merge():
    left = ms.VPTree("manhattan").fit([[0.0], [2.0]], ids=["a", "b"])
    right = ms.LinearScan("levenshtein").fit(["x", "yy"])
    merged = ms.merge([left.browse([0.0]), right.browse("x")])
    assert list(merged) == [(0, "a", 0.0), (1, 0, 0.0), (0, "b", 2.0), (1, 1, 2.0)]


def test_what_cannot_be_browsed():
    index = ms.VPTree().fit(np.eye(3))
    for call, error, says in (
        (lambda: index.browse(), errors.InvalidArgument, "either queries or the ids"),
        (lambda: index.browse([1, 0, 0], ids=[1]), errors.InvalidArgument, "either"),
        (lambda: index.browse(ids=[0, 1]), errors.InvalidArgument, "browse_many"),
        (lambda: index.browse(ids=[9]), errors.UnknownName, "9"),
        (lambda: index.browse([1, 0, 0], radius=-1), errors.InvalidArgument, "at least 0"),
        (lambda: ms.merge([index]), errors.WrongType, "expected browsers"),
    ):
        with pytest.raises(error, match=says):
            call()


def test_a_metric_that_fails_ends_the_browse():
    def metric(a, b):
        if (a, b) in ((50, 9), (9, 50)):
            raise ZeroDivisionError("fifty")
        return abs(a - b)

    index = ms.LinearScan(metric).fit(list(range(60)))
    browser = index.browse(9)
    with pytest.raises(ZeroDivisionError, match="fifty"):
        next(browser)
    assert list(browser) == []
