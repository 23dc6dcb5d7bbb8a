"""Predicates over several queries, and the best objects over several indexes, against brute force."""

import collections

import numpy as np
import pytest

import metricspace as ms
from metricspace import errors
from tests.workloads import truth, workloads

CHOSEN = [one for one in workloads(100, 5) if one.name in ("euclidean", "levenshtein", "python")]


@pytest.fixture(scope="module", params=CHOSEN, ids=[one.name for one in CHOSEN])
def case(request):
    return request.param, truth(request.param)


@pytest.fixture(scope="module")
def index(structure, case):
    return structure(case[0].metric, seed=2).fit(case[0].objects)


def holds(predicate, distances):
    """Whether a predicate holds of an object with these distances, by query."""
    match predicate:
        case ms.Within():
            return distances[predicate.query] <= predicate.radius
        case ms.All():
            return all(holds(part, distances) for part in predicate.parts)
        case ms.Any():
            return any(holds(part, distances) for part in predicate.parts)
        case ms.Not():
            return not holds(predicate.part, distances)


def asked(predicate, queries):
    """The same predicate about the queries of these numbers."""
    match predicate:
        case ms.Within():
            return ms.Within(queries[predicate.query], predicate.radius)
        case ms.Not():
            return ms.Not(asked(predicate.part, queries))
    return type(predicate)(*(asked(part, queries) for part in predicate.parts))


def reaches(predicate):
    """The greatest radius by number of the query."""
    match predicate:
        case ms.Within():
            return {predicate.query: predicate.radius}
        case ms.Not():
            return reaches(predicate.part)
    found = {}
    for part in predicate.parts:
        for query, radius in reaches(part).items():
            found[query] = max(radius, found.get(query, 0.0))
    return found


def apart(index, predicate, queries):
    """What the queries of a predicate cost, each for itself."""
    return sum(index.range([queries[i]], radius).cost[0] for i, radius in reaches(predicate).items())


def random_predicate(random, rows, depth):
    kind = random.integers(4) if depth else 0
    if kind == 0:
        query = int(random.integers(len(rows)))
        radius = random.choice(
            [0.0, np.inf, *np.quantile(rows[query], [0.05, 0.2, 0.5])], p=[0.05, 0.05, 0.3, 0.3, 0.3]
        )
        return ms.Within(query, radius)
    if kind == 1:
        return ms.Not(random_predicate(random, rows, depth - 1))
    parts = [random_predicate(random, rows, depth - 1) for _ in range(random.integers(1, 4))]
    return (ms.All if kind == 2 else ms.Any)(*parts)


def test_predicates(index, case):
    workload, rows = case
    random = np.random.default_rng(0)
    sizes = []
    for turn in range(60):
        predicate = random_predicate(random, rows, 3)
        admitted = np.ones(rows.shape[1], bool) if turn % 3 else random.random(rows.shape[1]) < 0.7
        found = index.where(asked(predicate, workload.queries), filter=None if turn % 3 else admitted)
        expected = [i for i in np.flatnonzero(admitted) if holds(predicate, rows[:, i])]
        assert found.positions.tolist() == found.ids.tolist() == expected
        assert found.cost <= apart(index, predicate, workload.queries) + 32  # once more the pivots of LAESA
        assert found.exact
        assert len(found) == len(expected)
        sizes.append(len(expected))
    assert 0 in sizes
    assert rows.shape[1] in sizes


def test_predicates_with_a_filter(index, case):
    workload, rows = case
    near = ms.Within(0, float(np.median(rows[0])))
    for predicate in (near, ms.Not(near), ms.All(near, ms.Not(ms.Within(1, float(np.median(rows[1])))))):
        expected = [i for i in range(0, 100, 3) if holds(predicate, rows[:, i])]
        for chosen in (range(0, 100, 3), np.arange(100) % 3 == 0):
            found = index.where(asked(predicate, workload.queries), filter=chosen)
            assert found.positions.tolist() == expected
    assert len(index.where(asked(near, workload.queries), filter=[])) == 0
    with pytest.raises(errors.InvalidArgument, match="filter"):
        index.where(asked(near, workload.queries), filter=np.ones((2, 100), bool))


@pytest.mark.parametrize(("objects", "query"), [([[1.0, 2.0]], [1.0, 2.0]), ([[0.0, 1.0]] * 90, [0.0, 1.0])])
def test_one_object_and_objects_that_are_all_equal(structure, objects, query):
    index = structure().fit(objects)
    here, far = ms.Within(query, 0.0), ms.Within([9.0, 9.0], 1.0)
    every = list(range(len(objects)))
    assert index.where(here).positions.tolist() == every
    assert index.where(ms.Any(here, far)).positions.tolist() == every
    assert index.where(ms.All(here, far)).positions.tolist() == []
    assert index.where(ms.All(ms.Not(far), ms.Within(far.query, np.inf))).positions.tolist() == every
    assert index.where(ms.Not(ms.Any(here, far))).positions.tolist() == []
    assert index.where(ms.All(here, ms.Within([0.5, 1.5], 2.0))).positions.tolist() == every
    assert index.where(ms.All(ms.Within([0.5, 1.5], 2.0), far, here)).positions.tolist() == []


def test_duplicates_in_any_quantity(structure):
    random = np.random.default_rng(3)
    objects = np.repeat([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0]], 200, axis=0)
    index = structure(seed=1).fit(objects)
    queries = np.array([[0.0, 0.0], [0.5, 0.0], [5.0, 4.0], [2.0, 2.0]])
    rows = np.hypot(*(queries[:, None] - objects).transpose(2, 0, 1))
    for _ in range(30):
        predicate = random_predicate(random, rows, 3)
        found = index.where(asked(predicate, queries))
        assert found.positions.tolist() == [i for i in range(600) if holds(predicate, rows[:, i])]


def test_ids_and_removed_objects():
    index = ms.MTree().fit([[0.0], [1.0], [2.0], [3.0]], ids=["a", "b", "c", "d"])
    index.remove(["b"])
    assert index.where(ms.Within([0.0], 2.0)).ids.tolist() == ["a", "c"]
    assert index.where(ms.Not(ms.Within([0.0], 0.0))).ids.tolist() == ["c", "d"]


def test_removed_objects_may_still_show_the_way():
    random = np.random.default_rng(1)
    objects = random.integers(0, 30, (700, 2)).astype(float)
    index = ms.MTree(capacity=6).fit(objects)
    gone = random.permutation(700)[:400]
    index.remove(gone)
    index.add(objects[gone[:100]])
    objects = np.concatenate([objects, objects[gone[:100]]])
    queries = random.integers(0, 30, (4, 2)).astype(float)
    rows = np.hypot(*(queries[:, None] - objects).transpose(2, 0, 1))
    there = np.setdiff1d(np.arange(800), gone)
    for _ in range(40):
        predicate = random_predicate(random, rows, 3)
        found = index.where(asked(predicate, queries))
        assert found.positions.tolist() == [i for i in there if holds(predicate, rows[:, i])]


def counted(objects):
    """A metric in Python that counts how often each pair is measured."""
    pairs = collections.Counter()

    def metric(a, b):
        pairs[a, b] += 1
        return abs(a - b)

    return metric, pairs


def test_an_object_is_measured_once_for_a_query(structure):
    metric, pairs = counted(range(300))
    index = structure(metric, seed=1).fit([(7 * i) % 300 for i in range(300)])
    a, b = 100.25, 150.75
    for predicate in (
        ms.All(ms.Within(a, 40), ms.Not(ms.Within(a, 20))),
        ms.All(ms.Within(a, 60), ms.Within(b, 30)),
        ms.Any(ms.Within(a, 10), ms.All(ms.Within(b, 10), ms.Within(a, 90)), ms.Not(ms.Within(a, 50))),
    ):
        pairs.clear()
        found = index.where(predicate)
        assert max(pairs.values()) == 1
        assert found.cost == pairs.total()


def test_a_ring_costs_no_more_than_its_outer_ball(index, case):
    workload, rows = case
    query, outer, inner = workload.queries[0], *np.quantile(rows[0], [0.3, 0.1])
    ring = index.where(ms.All(ms.Not(ms.Within(query, inner)), ms.Within(query, outer)))
    assert ring.cost == index.range([query], outer).cost[0]


def test_a_negation_costs_no_more_than_what_it_negates(index, case):
    workload, rows = case
    query, radius = workload.queries[0], float(np.quantile(rows[0], 0.1))
    assert index.where(ms.Not(ms.Within(query, radius))).cost == index.range([query], radius).cost[0]


def test_a_conjunction_costs_its_smallest_ball_and_what_lies_in_it():
    random = np.random.default_rng(0)
    objects = random.random((20_000, 3))
    index = ms.VPTree().fit(objects)
    a, b = [0.5, 0.5, 0.5], [0.55, 0.5, 0.5]
    found = index.where(ms.All(ms.Within(b, 0.4), ms.Within(a, 0.05)))
    ball = index.range([a], 0.05)
    assert found.cost <= ball.cost[0] + len(ball.positions) + 8  # distances that were tried for the other
    assert found.cost < index.range([b], 0.4).cost[0] / 4


PLANE = np.random.default_rng(7).random((20_000, 2))


@pytest.mark.parametrize(
    ("key", "most"),
    [
        ("vptree", 8),
        ("mtree", 200),
        ("laesa", 64),
        ("tlaesa", 64),
        ("shapiro", 32),
        ("roaesa", 8),
    ],
)
def test_balls_that_are_far_apart_cost_a_few_distances(key, most):
    index = ms.indexes()[key](seed=0).fit(PLANE if key != "roaesa" else PLANE[:2000])
    here, there = ms.Within([0.1, 0.2], 0.1), ms.Within([0.9, 0.8], 0.1)
    found = index.where(ms.All(here, there))
    assert len(found) == 0
    assert found.cost <= most
    assert index.where(ms.Not(ms.All(here, there))).cost == found.cost


@pytest.mark.parametrize("key", ["vptree", "laesa", "mtree"])
def test_the_bounds_of_all_queries_decide_together(key):
    index = ms.indexes()[key](seed=0).fit(PLANE)
    centres = [[0.5, 0.5], [0.62, 0.5], [0.56, 0.4]]
    predicate = ms.All(*(ms.Within(centre, 0.12) for centre in centres))
    found = index.where(predicate)
    distances = np.hypot(*(np.array(centres)[:, None] - PLANE).transpose(2, 0, 1))
    assert found.positions.tolist() == np.flatnonzero((distances <= 0.12).all(axis=0)).tolist()
    first = index.range([centres[0]], 0.12)
    assert found.cost < first.cost[0] + len(first.positions) / 2  # in order, all of these are asked again


def test_no_alternative_is_asked_of_what_another_holds(structure):
    index = structure(seed=0).fit(PLANE[:2000])
    here, there = ms.Within([0.4, 0.5], 0.2), ms.Within([0.5, 0.5], 0.1)
    found = index.where(ms.Any(there, here))
    assert found.cost <= index.range([here.query, there.query], [0.2, 0.1]).cost.sum()


def test_many_queries(structure):
    random = np.random.default_rng(2)
    queries = random.random((12, 2))
    index = structure(seed=0).fit(PLANE[:1000])
    rows = np.hypot(*(queries[:, None] - PLANE[:1000]).transpose(2, 0, 1))
    for make in (ms.All, ms.Any):
        predicate = make(*(ms.Within(i, 0.9 if make is ms.All else 0.1) for i in range(12)))
        found = index.where(asked(predicate, queries))
        assert found.positions.tolist() == [i for i in range(1000) if holds(predicate, rows[:, i])]


def test_threads_share_what_no_bound_decides(capsys):
    points = np.random.default_rng(5).random((30_000, 2))
    index = ms.VPTree(seed=0).fit(points)
    predicate = ms.All(ms.Within([0.4, 0.5], 0.4), ms.Within([0.6, 0.5], 0.4))
    alone, together = (index.where(predicate, n_jobs=jobs, progress=jobs > 1) for jobs in (1, 3))
    assert alone.positions.tolist() == together.positions.tolist()
    assert alone.cost == together.cost
    near = np.hypot(*(np.array([[0.4, 0.5], [0.6, 0.5]])[:, None] - points).transpose(2, 0, 1)) <= 0.4
    assert alone.positions.tolist() == np.flatnonzero(near.all(axis=0)).tolist()
    with pytest.raises(errors.InvalidArgument, match="n_jobs"):
        index.where(predicate, n_jobs=0)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: ms.All(), errors.InvalidArgument, "at least one predicate in All"),
        (lambda: ms.Any(), errors.InvalidArgument, "at least one predicate in Any"),
        (lambda: ms.Not([1.0]), errors.WrongType, r"Within\(query, radius\)"),
        (lambda: ms.All(ms.Within([1.0], 1), 3), errors.WrongType, "given int"),
        (lambda: ms.Within([1.0], -1), errors.InvalidArgument, "at least 0"),
        (lambda: ms.Within([1.0], float("nan")), errors.InvalidArgument, "at least 0"),
        (lambda: ms.Within([1.0], "far"), errors.WrongType, "radius"),
        (lambda: ms.VPTree().fit([[1.0]]).where([1.0]), errors.WrongType, "given list"),
        (lambda: ms.VPTree().fit([[1.0]]).where(ms.Within("a", 1)), errors.WrongType, "real numbers"),
        (lambda: ms.VPTree().fit([[1.0]]).where(ms.Within([1, 2], 1)), errors.InvalidArgument, "1 dim"),
        (lambda: ms.VPTree().where(ms.Within([1.0], 1)), errors.NotFitted, "fit"),
    ],
)  # fmt: skip
def test_predicates_that_cannot_be_asked(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_a_metric_that_fails(structure):
    built = False

    def metric(a, b):
        if built and 9 in (a, b) and 50 in (a, b):
            raise ZeroDivisionError("fifty")
        return abs(a - b)

    index = structure(metric).fit([*range(60), *range(1000, 1200)])
    built = True
    near = ms.Within(49, 3)
    for predicate in (
        ms.Within(9, 60),
        ms.All(near, ms.Within(9, 60)),
        ms.Not(ms.All(near, ms.Within(9, 60))),
    ):
        with pytest.raises(ZeroDivisionError, match="fifty"):
            index.where(predicate)
    assert len(index.where(ms.All(near, ms.Within(10, 60)))) == 7


# --- the best objects over several indexes -----------------------------------------------------------

WORDS = next(one for one in workloads(80, 4) if one.name == "levenshtein")
NUMBERS = np.random.default_rng(3).integers(0, 12, 80).tolist()
POINTS = np.random.default_rng(4).integers(0, 5, (80, 2)).astype(float)
SCORES = {
    "sum": lambda d: d[0] + d[1] + d[2],
    "max": max,
    "weights": lambda d: 0.5 * d[0] + 2 * d[2],
    "function": lambda d: min(d[0], d[1]) + d[2] ** 2,
    "constant": lambda d: 1.0,
}


@pytest.fixture(scope="module")
def lists(structure):
    """Three indexes over the same ids, of which the last was given the objects in another order."""
    turned = np.arange(80)[::-1]
    return (
        structure("levenshtein").fit(WORDS.objects),
        structure(lambda a, b: abs(a - b)).fit(NUMBERS, ids=range(80)),
        structure().fit(POINTS[turned], ids=turned),
    )


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("k", [1, 7, 200])
def test_top_k(lists, score, k):
    given = {"weights": [0.5, 0.0, 2.0], "function": SCORES["function"], "constant": SCORES["constant"]}
    for i, word in enumerate(WORDS.queries):
        asked = (word, 3 * i, [2.0, i])
        distances = np.stack(
            [
                np.array([WORDS.oracle(word, o) for o in WORDS.objects]),
                np.abs(np.array(NUMBERS) - 3.0 * i),
                np.hypot(*(POINTS - asked[2]).T),
            ],
            axis=1,
        )
        own = ms.metric("euclidean").pairwise([asked[2]], POINTS)[0]
        np.testing.assert_allclose(own, distances[:, 2], rtol=1e-12)
        distances[:, 2] = own
        scores = np.array([float(SCORES[score](row)) for row in distances])
        expected = sorted(range(80), key=lambda p: (scores[p], p))[:k]
        accesses = {}
        for method in ("threshold", "fagin"):
            found = ms.top_k(list(zip(lists, asked)), k, score=given.get(score, score), method=method)
            assert found.positions.tolist() == found.ids.tolist() == expected
            np.testing.assert_allclose(found.scores, scores[expected], rtol=1e-15)
            assert (found.distances == distances[expected]).all()
            assert found.cost.shape == (3,)
            assert len(found) == len(expected)
            accesses[method] = found.sorted_accesses
        assert accesses["threshold"] <= accesses["fagin"]


def test_top_k_of_one_index_is_knn(structure):
    index = structure("levenshtein").fit(WORDS.objects)
    for word in WORDS.queries:
        hits = index.knn([word], 9)
        found = ms.top_k([(index, word)], 9, score="max")
        assert found.positions.tolist() == hits.positions[0].tolist()
        assert found.scores.tolist() == found.distances[:, 0].tolist() == hits.distances[0].tolist()


def test_top_k_stops_early_and_counts():
    random = np.random.default_rng(5)
    left, right = random.random((3000, 2)), random.random((3000, 2))
    pairs = [(ms.VPTree().fit(left), left[0]), (ms.VPTree().fit(right), right[0])]
    threshold, fagin = (ms.top_k(pairs, 5, score="sum", method=m) for m in ("threshold", "fagin"))
    assert threshold.positions.tolist() == fagin.positions.tolist()
    assert threshold.positions[0] == 0
    assert threshold.sorted_accesses <= fagin.sorted_accesses < 1500
    assert threshold.random_accesses <= threshold.sorted_accesses
    assert (threshold.cost < 1500).all()


def test_top_k_with_names_in_any_order():
    left = ms.VPTree("manhattan").fit([[1.0], [0.0], [1.0]], ids=["a", "b", "c"])
    right = ms.MTree("levenshtein").fit(["x", "xx", "", "gone"], ids=["c", "b", "a", "d"])
    right.remove(["d"])
    found = ms.top_k([(left, [0.0]), (right, "x")], 2, score="sum")
    assert found.ids.tolist() == ["b", "c"]  # both score 1
    assert found.scores.tolist() == [1.0, 1.0]
    assert found.distances.tolist() == [[0.0, 1.0], [1.0, 0.0]]


A, B = ms.LinearScan().fit(np.eye(3)), ms.LinearScan().fit(np.eye(4)[:, :3])


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: ms.top_k([(A, [1, 0, 0])], 0, score="sum"), errors.InvalidArgument, "k of at least 1"),
        (lambda: ms.top_k([(A, [1, 0, 0])], 2), errors.InvalidArgument, "expected a score"),
        (lambda: ms.top_k([(A, [1, 0, 0])], 2, score="mean"), errors.InvalidArgument, "'mean'"),
        (lambda: ms.top_k([(A, [1, 0, 0])], 2, score=[1, 2]), errors.InvalidArgument, "each of 1"),
        (lambda: ms.top_k([(A, [1, 0, 0])], 2, score=[-1]), errors.InvalidArgument, "at least 0"),
        (lambda: ms.top_k([(A, [1, 0, 0])], 2, score={}), errors.WrongType, "score"),
        (lambda: ms.top_k([(A, [1, 0, 0])], 2, score=lambda d: np.nan), errors.InvalidArgument, "NaN"),
        (lambda: ms.top_k([(A, [1, 0, 0])], 2, score=lambda d: "x"), errors.WrongType, "number"),
        (lambda: ms.top_k([(A, [1, 0, 0])], 2, score="sum", method="nra"), errors.InvalidArgument, "nra"),
        (lambda: ms.top_k([], 2, score="sum"), errors.InvalidArgument, "at least one"),
        (lambda: ms.top_k([A], 2, score="sum"), errors.WrongType, "pairs"),
        (lambda: ms.top_k([(A, [1, 0])], 2, score="sum"), errors.InvalidArgument, "3 dimensions"),
        (lambda: ms.top_k([(ms.VPTree(), [1])], 2, score="sum"), errors.NotFitted, "fit"),
        (
            lambda: ms.top_k([(A, [1, 0, 0]), (B, [1, 0, 0])], 2, score="sum"),
            errors.InvalidArgument,
            "same ids; numbers 0 and 1 differ in 1: 3 is only in number 1",
        ),
    ],
)
def test_top_k_that_cannot_be_asked(call, error, says):
    with pytest.raises(error, match=says):
        call()
