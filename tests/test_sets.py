"""Jaccard distance on every form of sets: real glosses, and sparse, boolean and packed rows."""

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import cdist

import metricspace as ms
from metricspace.errors import InvalidArgument, WrongType
from metricspace.kernels import COMPILED
from metricspace.space import at_least, make_room, prepare
from tests import naive

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.random((60, 130)) < 0.05
ROWS[7] = ROWS[8] = False
EXPECTED = naive.matrix(naive.jaccard_of_rows, ROWS, ROWS)
PACKED = np.packbits(ROWS, axis=1)

FORMS = {
    "sets": (ms.metric("jaccard"), [set(np.flatnonzero(row).tolist()) for row in ROWS]),
    "frozensets of strings": (
        ms.metric("jaccard"),
        [frozenset(map(str, np.flatnonzero(row).tolist())) for row in ROWS],
    ),
    "booleans": (ms.metric("jaccard"), ROWS),
    "lists of booleans": (ms.metric("jaccard"), ROWS.tolist()),
    "packed": (ms.metric("jaccard", packed=True), PACKED),
    "array": (ms.metric("jaccard"), sparse.csr_array(ROWS.astype(np.float32))),
    "matrix": (ms.metric("jaccard"), sparse.csr_matrix(ROWS.astype(np.int16))),
    "columns": (ms.metric("jaccard"), sparse.csc_array(ROWS)),
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_have_the_same_distances(form):
    metric, objects = FORMS[form]
    assert (metric.pairwise(objects) == EXPECTED).all()
    for structure in (ms.LinearScan, ms.VPTree):
        hits = structure(metric).fit(objects).knn(objects, 9)
        for row, positions, distances in zip(EXPECTED, hits.positions, hits.distances, strict=True):
            assert (positions.tolist(), distances.tolist()) == naive.knn(row, 9)


def dense(objects):
    return objects.toarray() if sparse.issparse(objects) else np.asarray(objects)


@pytest.mark.parametrize("form", FORMS)
def test_objects_are_given_back_kept_and_added(form, tmp_path):
    metric, objects = FORMS[form]
    few, more = (objects[:40], objects[40:])
    index = ms.MTree(metric).fit(few)
    index.add(more)
    index.save(tmp_path / "index")
    for kept in (index, ms.load(tmp_path / "index"), pickle.loads(pickle.dumps(index))):
        back = kept.objects([7, 59, 3])
        if isinstance(objects, list) and isinstance(objects[0], (set, frozenset)):
            assert back == [objects[i] for i in (7, 59, 3)]
        else:
            assert (dense(back) == dense(objects)[[7, 59, 3]]).all()
            assert dense(back).dtype == dense(objects).dtype
        assert kept.metric.params == metric.params
        assert (
            kept.knn(objects, 60).positions == ms.LinearScan(metric).fit(objects).knn(objects, 60).ids
        ).all()


def test_sparse_rows_are_given_back_in_their_class():
    for cls in (sparse.csr_array, sparse.csr_matrix):
        index = ms.LinearScan("jaccard").fit(cls(np.eye(4) * 7))
        back = index.objects([2, 0])
        assert type(back) is cls
        assert (back.toarray() == (np.eye(4) * 7)[[2, 0]]).all()


def test_one_sparse_row_may_be_a_query():
    rows = sparse.csr_array(ROWS.astype(float))
    index = ms.VPTree("jaccard").fit(rows)
    first = [position for position, _ in index.browse(rows[[3]])]
    assert first == naive.ranked(EXPECTED[3])
    assert [position for position, _ in index.browse(rows[3])] == first
    assert ms.metric("jaccard").distance(rows[[3]], rows[[4]]) == EXPECTED[3, 4]
    assert index.knn([], 2).ids.shape == (0, 2)


def test_entries_that_are_zero_or_stored_twice():
    twice = sparse.csr_array(([1, 2, 3, -3], [1, 1, 0, 0], [0, 2, 4]), shape=(2, 3))
    explicit = sparse.csr_array(([3, 0], [1, 2], [0, 2, 2]), shape=(2, 3))
    for rows in (twice, explicit):
        assert ms.metric("jaccard").pairwise(rows).tolist() == [[0, 1], [1, 0]]
    assert (twice.nnz, explicit.nnz) == (4, 2)  # the user's matrix is not touched


def test_against_scipy_on_rows_of_booleans():
    rows = np.random.default_rng(1).random((50, 200)) < 0.2
    assert (ms.metric("jaccard").pairwise(rows) == cdist(rows, rows, "jaccard")).all()


def test_items_of_a_query_that_no_indexed_set_has():
    index = ms.LinearScan("jaccard").fit([{1, 2}, {3}, set()])
    hits = index.range([{1, 7, 8}, {9}, set()], 1.0)
    assert [dict(zip(*ball, strict=True)) for ball in hits] == [
        {0: 3 / 4, 1: 1.0, 2: 1.0},
        {0: 1.0, 1: 1.0, 2: 1.0},
        {2: 0.0, 0: 1.0, 1: 1.0},
    ]
    assert ms.metric("jaccard").pairwise([{1, 7, 8}], [{1, 2}, {3}]).tolist() == [[3 / 4, 1.0]]


def test_memory_does_not_grow_with_the_columns():
    random = np.random.default_rng(2)
    wide = sparse.random_array((30, 2**28), density=10 / 2**28, format="csr", rng=random)
    few, more = wide[:20], wide[15:]
    few.data[0], few.indices[0] = 7.0, 5
    tracemalloc.start()
    index = ms.MTree("jaccard", capacity=4).fit(few)
    expected = naive.matrix(naive.jaccard, *[[set(row.indices) for row in rows] for rows in (more, few)])
    hits = index.knn(more, 20)
    assert (ms.metric("jaccard").pairwise(more, few) == expected).all()
    index.add(more)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22
    for row, positions, distances in zip(expected, hits.positions, hits.distances, strict=True):
        assert (positions.tolist(), distances.tolist()) == naive.knn(row, 20)
    assert (index.objects(range(35)) != sparse.vstack([few, more])).nnz == 0
    assert index.knn(more, 1).distances.max() == 0
    # Columns of a query alone are kept, too.
    asked = ms.metric("jaccard").objects(few).encode(more)
    assert (asked.give(np.arange(15)) != more).nnz == 0


def test_sets_without_items():
    for empty in ([set(), set()], np.zeros((2, 5), bool), sparse.csr_array((2, 5))):
        assert ms.metric("jaccard").pairwise(empty).tolist() == [[0, 0], [0, 0]]
        assert ms.VPTree("jaccard").fit(empty).knn(empty, 2).positions.tolist() == [[0, 1], [0, 1]]


many = st.lists(st.sets(st.integers(0, 200), max_size=90), min_size=1, max_size=6)


@settings(max_examples=80, deadline=None)
@given(many, many)
def test_the_bound_is_never_above_the_distance(objects, asked):
    metric = ms.metric("jaccard")
    for convert in (list, _as_rows):
        held = metric.objects(convert(objects))
        queries = held.encode(convert(asked))
        space, other = metric.space(held), metric.space(queries)
        expected = naive.matrix(naive.jaccard, asked, objects)
        assert (metric.between(queries, held) == expected).all()
        bounds = np.array(
            [
                [_bound(space, j, other, i, make_room(metric.words(queries))) for j in range(len(objects))]
                for i in range(len(asked))
            ]
        )
        assert (bounds <= expected).all()
        by_size = [[1 - min(len(a), len(b)) / max(len(a), len(b), 1) for b in objects] for a in asked]
        assert (bounds >= np.where(expected > 0, by_size, 0) - 1e-15).all()


def _as_rows(sets):
    rows = np.zeros((len(sets), 201), bool)
    for row, items in zip(rows, sets, strict=True):
        row[list(items)] = True
    return rows


def _bound_in_a_kernel(space, j, queries, i, room):
    return at_least(space, j, prepare(space, queries, i, room))


if COMPILED:
    from metricspace.kernels import kernel

    _bound = kernel(_bound_in_a_kernel)
else:
    _bound = _bound_in_a_kernel


@pytest.mark.parametrize(
    ("fitted", "asked", "error", "says"),
    [
        ("array", sparse.csr_array((2, 7)), InvalidArgument, "130 columns"),
        ("array", ROWS, WrongType, "csr_array"),
        ("array", [{1}], WrongType, "csr_array"),
        ("booleans", ROWS[:, :9], InvalidArgument, "130 dimensions"),
        ("booleans", ROWS.astype(int), WrongType, "x != 0"),
        ("packed", ROWS[:, :17], WrongType, "packbits"),
        ("sets", ROWS, WrongType, r"set\(x\)"),
    ],
)
def test_queries_of_another_form(fitted, asked, error, says):
    metric, objects = FORMS[fitted]
    with pytest.raises(error, match=says):
        ms.LinearScan(metric).fit(objects).knn(asked, 1)


def test_the_four_point_law_fails():
    report = ms.check_metric("jaccard", [{"a"}, {"b"}, {"a", "b"}, {"c"}])
    assert report
    assert report.counterexamples["four_point"] == (0, 1, 2, 3)


@pytest.fixture(scope="module")
def glosses(data):
    with np.load(data / "wordnet_gloss_words.npz") as held:
        indptr, indices, columns = held["indptr"], held["indices"], len(held["vocab"])
    rows = sparse.csr_array((np.ones(len(indices), bool), indices, indptr), shape=(len(indptr) - 1, columns))
    return rows[RANDOM.permutation(rows.shape[0])[:3000]]


def test_glosses(glosses):
    sets = [frozenset(row.tolist()) for row in np.split(glosses.indices, glosses.indptr[1:-1])]
    expected = naive.matrix(naive.jaccard, sets[:20], sets)
    assert (ms.metric("jaccard").pairwise(glosses[:20], glosses) == expected).all()
    assert (ms.metric("jaccard").pairwise(sets[:20], sets, n_jobs=4) == expected).all()
    scan, tree = (structure("jaccard").fit(glosses) for structure in (ms.LinearScan, ms.VPTree))
    radius = float(np.sort(expected, axis=1)[:, 5].max())
    for index in (scan, tree):
        for row, (ids, distances) in zip(expected, index.range(glosses[:20], radius), strict=True):
            assert ids.tolist() == naive.ranked(row, radius)
            assert distances.tolist() == row[ids].tolist()
    # Signatures exclude most sets that share hardly anything, before they are measured.
    assert scan.range(glosses[:20], 0.5).cost.max() < 100
