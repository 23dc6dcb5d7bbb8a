"""Reverse nearest neighbours, known or verified, and ranges in parts."""

import pickle

import numpy as np
import pytest

import metricspace as ms
from benchmarks.workloads import like_learned, words
from metricspace.errors import InvalidArgument, UnknownName, WrongType
from tests import naive
from tests.workloads import workloads

CASES = {one.name: one for one in workloads(90, 6) if one.name in ("euclidean", "levenshtein", "python")}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """A workload, its oracle's distances of queries to objects, and among objects."""
    one = CASES[request.param]
    objects, queries = one.objects, one.queries
    if one.name == "euclidean":
        objects = np.concatenate([objects, objects[:20], objects[:5]])
        queries = np.concatenate([queries, objects[:2]])
    else:
        objects, queries = [*objects, *objects[:20], *objects[:5]], [*queries, *objects[:2]]
    return one, objects, queries, *distances(one.oracle, objects, queries)


def distances(oracle, objects, queries):
    """All distances of queries to objects, and of objects to others."""
    among = naive.matrix(oracle, objects, objects)
    np.fill_diagonal(among, np.inf)
    return naive.matrix(oracle, queries, objects), among


def expected(row, among, k):
    """The objects that have the query among their k nearest, by (distance, position)."""
    return [i for i in naive.ranked(row) if row[i] <= [*sorted(among[i])[: len(among) - 1], np.inf][k - 1]]


def check(index, queries, rows, among, k, **settings):
    """Compare with the oracle and return the result."""
    balls = index.reverse_knn(queries, k, **settings)
    reach = [expected(row, among, min(k, len(among))) for row in rows]
    for (ids, found), row, own in zip(balls, rows, reach, strict=True):
        assert ids.tolist() == own
        assert found.tolist() == [row[i] for i in own]
    assert balls.exact.all()
    return balls


@pytest.mark.parametrize("known", [None, 5])
def test_agreement(structure, case, known):
    one, objects, queries, rows, among = case
    index = structure(one.metric, seed=3).fit(objects, reverse=known)
    for k in (1, 2, 5, 9, len(objects) - 1, len(objects), 1000):
        balls = check(index, queries, rows, among, k)
        assert (balls.cost + balls.bounds > 0).all()
        if known and k <= known:
            assert (balls.cost <= len(objects) * 1.1).all()
    assert len(index.reverse_knn(queries[:0], 2)) == 0


def test_indexed_objects_are_left_out_of_their_own_answers(structure, case):
    one, objects, _, _, among = case
    chosen = [3, 0, 91, 40]
    for known in (None, 4):
        index = structure(one.metric).fit(objects, reverse=known)
        balls = index.reverse_knn(ids=chosen, k=4)
        for (ids, _), i in zip(balls, chosen, strict=True):
            own = expected(among[i], among, 4)
            assert ids.tolist() == [j for j in own if j != i]


@pytest.mark.parametrize("known", [None, 2])
def test_one_object_and_equal_objects(structure, known):
    one = structure().fit(np.ones((1, 2)), reverse=known)
    assert one.reverse_knn([[1, 1], [5, 5]], 1).indptr.tolist() == [0, 1, 2]
    equal = structure().fit(np.ones((60, 2)), reverse=known)
    assert equal.reverse_knn([[1, 1], [5, 5]], 2).indptr.tolist() == [0, 60, 60]


@pytest.mark.parametrize("known", [None, 4])
def test_results_do_not_depend_on_threads(structure, case, known):
    one, objects, queries, _, _ = case
    index = structure(one.metric).fit(objects, reverse=known)
    alone, together = (index.reverse_knn(queries, 3, n_jobs=jobs, progress=jobs > 1) for jobs in (1, 4))
    for name in ("indptr", "positions", "distances", "cost", "bounds"):
        assert np.array_equal(getattr(alone, name), getattr(together, name))


def test_many_queries_at_once():
    X = like_learned(400, d=4)
    assert len(ms.VPTree().fit(X[:300]).reverse_knn(X[300:], 3)) == 100


def test_the_reaches_are_kept_in_files_and_pickles(structure, case, tmp_path):
    one, objects, queries, rows, among = case
    index = structure(one.metric).fit(objects, reverse=4)
    plain = structure(one.metric).fit(objects)
    assert index.build_cost > plain.build_cost
    assert index.nbytes >= plain.nbytes + 4 * 8 * len(objects)
    index.save(tmp_path / "index")
    given = {"metric": one.metric, "objects": objects} if callable(one.metric) else {}
    loaded = [ms.load(tmp_path / "index", **given), ms.load(tmp_path / "index", mmap=True, **given)]
    if not callable(one.metric):
        loaded.append(pickle.loads(pickle.dumps(index)))
    before = index.reverse_knn(queries, 4)
    for other in loaded:
        other.knn_graph(1)  # which derives from the objects what building did
        assert (check(other, queries, rows, among, 4).cost == before.cost).all()
        assert (other.build_cost, other.nbytes) == (index.build_cost, index.nbytes)
    assert index.fit(objects)._reaches is None


def test_the_reaches_follow_additions_and_removals():
    grid = (np.random.default_rng(0).integers(0, 5, (160, 3)) / 2).astype(np.float32)
    queries = grid[::40] + 0.5
    index = ms.MTree(capacity=5).fit(grid[:6], reverse=4)
    there = list(range(6))
    for first in range(6, 160, 22):
        added = np.arange(first, min(first + 22, 160))
        index.add(grid[added])
        there += added.tolist()
        if first > 30:
            index.remove(there[3:17])
            del there[3:17]
        assert index.nbytes > 0
        rows, among = distances(naive.euclidean, grid[there], queries)
        for k in (1, 4):
            balls = index.reverse_knn(queries, k)
            for (ids, _), row in zip(balls, rows, strict=True):
                assert ids.tolist() == [there[i] for i in expected(row, among, k)]
            assert (balls.cost < 2 * len(there)).all()
    index.remove(there)
    assert index.reverse_knn(queries, 2).indptr.tolist() == [0] * (len(queries) + 1)
    index.add(grid[:3])
    assert index.reverse_knn(queries, 3).indptr.tolist() == [0, 3, 6, 9, 12][: len(queries) + 1]


def test_an_addition_changes_few_reaches():
    X = like_learned(1000, d=8)
    index = ms.MTree().fit(X[:900], reverse=3)
    before = index.build_cost
    index.add(X[900:901])
    assert index.build_cost - before < 9000


def test_a_failing_addition_leaves_the_reaches_as_they_were():
    def picky(a, b):
        if 99 in (a, b) and abs(a - b) > 90:
            raise RuntimeError("picky")
        return abs(a - b)

    index = ms.MTree(picky).fit(list(range(50)), reverse=2)
    before = index.reverse_knn([7], 2)
    with pytest.raises(RuntimeError, match="picky"):
        index.add([99])
    assert (index.reverse_knn([7], 2).positions == before.positions).all()
    assert len(index) == 50


def test_without_the_triangle_inequality():
    squared = ms.Metric(lambda a, b: float((a - b) ** 2), triangle=False)
    objects = _whole = np.random.default_rng(0).integers(0, 200, 80).tolist()
    rows, among = distances(lambda a, b: float((a - b) ** 2), objects, [3, 77])
    for known in (None, 3):
        check(ms.LinearScan(squared).fit(_whole, reverse=known), [3, 77], rows, among, 3)


def test_offsets_that_swallow_digits(structure):
    X = (like_learned(300, d=3) * 1e-3 + 1e6).astype(np.float32)
    among = ms.metric("euclidean").pairwise(X)
    rows = among[:6]
    among = among.copy()
    np.fill_diagonal(among, np.inf)
    for known in (None, 2):
        check(structure().fit(X, reverse=known), X[:6], rows, among, 2)


def test_arguments(structure):
    with pytest.raises(InvalidArgument, match="reverse of at least 1"):
        structure().fit(np.eye(3), reverse=0)
    with pytest.raises(WrongType, match="reverse to be an integer"):
        structure().fit(np.eye(3), reverse=True)
    index = structure().fit(np.eye(3))
    with pytest.raises(InvalidArgument, match="k of at least 1"):
        index.reverse_knn(np.eye(3), 0)
    with pytest.raises(InvalidArgument, match="either queries or the ids"):
        index.reverse_knn()
    with pytest.raises(UnknownName):
        index.reverse_knn(ids=[7])


@pytest.mark.parametrize(("kind", "least"), [("embeddings", 10), ("words", 3)])
def test_far_fewer_distances_than_a_knn_query_for_each_object(kind, least):
    if kind == "embeddings":
        objects, metric = like_learned(2010), "euclidean"
    else:
        every = words()
        objects = [every[i] for i in np.random.default_rng(0).permutation(len(every))[:2010]]
        metric = "levenshtein"
    index = ms.VPTree(metric).fit(objects[:2000], reverse=10)
    graph = index.knn_graph(10)
    known = index.reverse_knn(objects[2000:], 10)
    assert known.cost.mean() < 2000
    index.fit(objects[:2000])
    verified = index.reverse_knn(objects[2000:], 10)
    assert (verified.positions == known.positions).all()
    assert verified.cost.mean() * least < graph.cost.sum()


# --- ranges in parts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_ranges_in_parts(structure, case, size):
    one, objects, queries, rows, _ = case
    index = structure(one.metric).fit(objects)
    radii = np.sort(rows, axis=1)[:, 9]
    for radius in (0, radii, np.inf):
        whole = index.range(queries, radius)
        parts = list(index.range_batches(queries, radius, size=size))
        assert [len(part) for part in parts[:-1]] == [size] * (len(parts) - 1)
        for name in ("ids", "positions", "distances", "cost", "exact", "bounds"):
            assert np.array_equal(
                np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name)
            )
        assert [n for part in parts for n in np.diff(part.indptr)] == np.diff(whole.indptr).tolist()
        assert whole.exact.all()
    each = [[i, i + 1] for i in range(len(queries))]
    filtered = index.range_batches(queries, np.inf, size=size, filter=each, distances=False)
    assert [sorted(ids) for part in filtered for ids, _ in part] == each
    own = index.range_batches(ids=[4, 5], radius=np.inf, size=1)
    assert [len(part.ids) for part in own] == [len(objects) - 1] * 2


def test_parts_are_refused_before_they_are_asked_for(structure):
    index = structure().fit(np.eye(3))
    for call, says in (
        (lambda: index.range_batches(np.eye(3), -1), "radius"),
        (lambda: index.range_batches(np.eye(3), 1, size=0), "size"),
        (lambda: index.range_batches(np.eye(3), 1, filter=[True]), "filter"),
    ):
        with pytest.raises(InvalidArgument, match=says):
            call()
    assert list(index.range_batches(np.empty((0, 3)), 1)) == []


def test_a_range_that_outgrows_its_room_measures_nothing_twice(structure):
    measured = []

    def counted(a, b):
        measured.append((a, b))
        return abs(a - b)

    index = structure(counted).fit(list(range(3000)) if structure is not ms.AESA else list(range(1500)))
    measured.clear()
    ball = index.range([7.5], np.inf)
    assert len(ball.positions) == len(index)
    assert ball.cost[0] == len(measured) < 1.1 * len(index)
