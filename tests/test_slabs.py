"""Results are written to memory that is used again, however much each query finds."""

import numpy as np
import pytest

import metricspace as ms
from metricspace import slabs, workers
from tests import naive

X = np.random.default_rng(0).normal(size=(900, 6)).astype(np.float32)


@pytest.fixture
def small(monkeypatch):
    """Let memory be too small for most queries, and for all groups of them; return how often it was."""
    monkeypatch.setattr(slabs, "SLAB", 32)
    monkeypatch.setattr(slabs, "_idle", [])
    times, more = [], workers.Memory.more_results
    monkeypatch.setattr(
        workers.Memory, "more_results", lambda *given: times.append(len(given)) or more(*given)
    )
    return times


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ranges_that_outgrow_their_memory(structure, small, n_jobs):
    index = structure().fit(X)
    queries, radii = X[::20] + np.float32(0.25), np.linspace(0, 4, 45)
    balls = index.range(queries, radii, n_jobs=n_jobs)
    found = np.diff(balls.indptr)
    assert found.min() == 0
    assert found.max() > 600
    rows = naive.matrix(naive.euclidean, queries.tolist(), X.tolist())
    for (ids, distances), row, radius in zip(balls, rows, radii):
        right = naive.ranked(row, radius)
        assert ids.tolist() == right
        assert distances == pytest.approx(row[right])
    assert len(small) > 5


def test_joins_that_outgrow_their_memory(structure, small):
    index = structure().fit(X)
    pairs = index.self_join(1.5)
    near = naive.matrix(naive.euclidean, X.tolist(), X.tolist()) <= 1.5
    assert (np.stack([pairs.left, pairs.right]) == np.nonzero(np.triu(near, 1))).all()
    assert len(small) > 5


def test_a_query_that_outgrows_what_another_left(structure, small):
    index = structure().fit(X)
    balls = index.range(X[:4], 1e3, n_jobs=1)  # an earlier one has enlarged the memory, and filled a part
    assert np.diff(balls.indptr).tolist() == [900] * 4
    assert (np.sort(balls.ids.reshape(4, 900)) == np.arange(900)).all()


def test_what_was_found_stays_when_more_is_sought():
    index = ms.BoxTree().fit(X)
    first = index.range(X[:50], 2.0)
    ids, distances = first.ids.copy(), first.distances.copy()
    index.range(X[50:200], 3.0)
    assert (first.ids == ids).all()
    assert (first.distances == distances).all()


def test_little_memory_is_kept(monkeypatch):
    monkeypatch.setattr(slabs, "_idle", [])
    taken = [slabs.taken_slab() for _ in range(100)]
    large = slabs.taken_slab(3 * slabs.SLAB)
    for slab in (*taken, large):
        slabs.give_back_slab(slab)
    assert len(slabs._idle) == 64
    assert {len(slab.positions) for slab in slabs._idle} == {slabs.SLAB}
    assert slabs.taken_slab() is taken[63]
