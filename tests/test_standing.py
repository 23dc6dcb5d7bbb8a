"""One query after the other, for which everything but the query is kept."""

import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

import metricspace as ms


def clustered(n, d, seed=0):
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(20, d))
    return (centres[random.integers(0, 20, n)] + random.normal(size=(n, d)) * 0.1).astype(np.float32)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev", "angular", "chord"])
@pytest.mark.parametrize("names", [None, [f"object {i}" for i in range(1000)]])
def test_queries_in_turn_are_answered_as_in_a_batch(metric, names):
    rows, queries = clustered(1000, 20), clustered(30, 20, seed=3)
    index = ms.Index(metric).fit(rows, ids=names)
    together = index.knn(queries, 7)
    alone = [index.knn(queries[i : i + 1], 7) for i in range(30)]
    for i, hits in enumerate(alone):  # after all of them: none shares what it returned with the next
        assert hits.ids[0].tolist() == together.ids[i].tolist()
        assert hits.positions[0].tolist() == together.positions[i].tolist()
        assert hits.distances[0].tolist() == together.distances[i].tolist()
        assert hits.exact.all()
        assert hits.cost[0] > 0


def test_a_query_is_kept_for_each_k_and_for_no_other_question():
    rows = clustered(1000, 20)
    index, scan = ms.BoxTree().fit(rows), ms.LinearScan().fit(rows)
    mask = np.arange(1000) % 2 == 0
    for given in ({}, {"k": 3}, {}, {"radius": 0.1}, {"filter": mask}, {"ids": [5]}, {"k": 2000}, {"k": 3}):
        asked = {} if "ids" in given else {"queries": rows[70:71] + np.float32(0.01)}
        hits, right = index.knn(**asked, **given), scan.knn(**asked, **given)
        assert hits.ids.tolist() == right.ids.tolist()
        assert hits.distances.tolist() == right.distances.tolist()
    assert sorted(index._standing) == [3, 10]
    assert [len(kept) for kept in index._standing.values()] == [1, 1]


def test_weighted_and_double_vectors():
    rows = clustered(800, 12).astype(np.float64)
    matrix = np.diag(np.arange(1.0, 13))
    for metric in (
        ms.metric("euclidean"),
        ms.metric("minkowski", p=3),
        ms.metric("quadratic_form", matrix=matrix),
    ):
        index, scan = ms.BoxTree(metric).fit(rows), ms.LinearScan(metric).fit(rows)
        for query in clustered(20, 12, seed=8):
            given = [query.tolist()] if query[0] > 0 else query[None]
            assert index.knn(given, 4).distances.tolist() == scan.knn(given, 4).distances.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_after_a_query_that_is_refused_others_are_answered(bad):
    rows = clustered(500, 8)
    index = ms.BoxTree().fit(rows)
    right = index.knn(rows[:1], 3)
    worse = rows[:1].astype(np.float64)
    worse[0, 2] = bad
    with pytest.raises(ms.errors.MetricSpaceError):
        index.knn(worse, 3)
    with pytest.raises(ms.errors.MetricSpaceError):
        index.knn(rows[:1], 3, n_jobs=0)
    with pytest.raises(ms.errors.MetricSpaceError):
        index.knn(rows[:1], 0)
    assert index.knn(rows[:1], 3).ids.tolist() == right.ids.tolist()


def test_threads_do_not_share_a_question():
    rows = clustered(3000, 16)
    index = ms.BoxTree().fit(rows)
    right = index.knn(rows, 5)
    wrong = []

    def ask(first):
        for i in range(first, 3000, 12):
            hits = index.knn(rows[i : i + 1], 5)
            if hits.ids[0].tolist() != right.ids[i].tolist():
                wrong.append(i)

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert 1 <= len(index._standing[5]) <= 8


def test_what_is_kept_is_of_the_index_as_it_is():
    rows = clustered(600, 9)
    index = ms.BoxTree().fit(rows)
    index.knn(rows[:1], 2)
    copied = pickle.loads(pickle.dumps(index))
    assert "_standing" not in vars(copied)
    assert copied.knn(rows[:1], 2).ids.tolist() == index.knn(rows[:1], 2).ids.tolist()
    index.fit(rows[::-1].copy())
    assert index.knn(rows[:1], 1).ids.tolist() == [[599]]


def test_an_index_is_freed_when_nothing_refers_to_it():
    index = ms.BoxTree().fit(clustered(600, 9))
    index.knn(clustered(1, 9), 2)
    gc.disable()  # what forms a circle would only be freed by the collector
    try:
        seen = weakref.ref(index)
        del index
        assert seen() is None
    finally:
        gc.enable()


def test_little_is_kept_and_the_last_asked_for_is():
    index, query = ms.BoxTree().fit(clustered(600, 9)), clustered(1, 9)
    for k in (*range(1, 40), 2000):
        assert index.knn(query, k).ids.shape == (1, k)
    assert sorted(index._standing) == list(range(32, 40))
    right = index.knn(query, 39).ids[0]
    assert [index.knn(query, k).ids[0].tolist() for k in range(1, 39)] == [
        right[:k].tolist() for k in range(1, 39)
    ]
