"""Laws by property tests on random objects, distances against the oracle, and `check_metric`."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metricspace as ms
from metricspace.errors import InvalidArgument, NotAMetric, WrongType
from tests import naive
from tests.workloads import COSTS, truth

finite = st.floats(-100, 100, width=32)
vectors = st.lists(st.tuples(finite, finite, finite), min_size=3, max_size=5)
directions = st.lists(st.tuples(finite, finite, st.floats(1, 9, width=32)), min_size=3, max_size=5)
codes = st.lists(st.tuples(*[st.integers(0, 3)] * 4), min_size=3, max_size=5)
words = st.lists(st.text(alphabet="abé日\U0001f600", max_size=70), min_size=3, max_size=5)
weighted_words = st.lists(st.text(alphabet="abézñ", max_size=40), min_size=3, max_size=5)
byte_strings = st.lists(st.binary(max_size=70), min_size=3, max_size=5)
tokens = st.lists(
    st.lists(st.sampled_from([0, 1, "a", "b", (0, 1)]), max_size=20).map(tuple), min_size=3, max_size=5
)
sets = st.lists(st.sets(st.integers(0, 9), max_size=6), min_size=3, max_size=5)
point_sets = st.lists(st.lists(st.tuples(finite, finite), min_size=1, max_size=4), min_size=3, max_size=5)
trees = st.lists(
    st.recursive(
        st.tuples(st.sampled_from("abc")),
        lambda child: st.builds(
            lambda label, children: (label, *children), st.sampled_from("abc"), st.lists(child, max_size=3)
        ),
        max_leaves=5,
    ),
    min_size=3,
    max_size=4,
)
amounts = st.lists(st.tuples(*[st.integers(0, 5)] * 4), min_size=3, max_size=5)
filled = st.lists(
    st.tuples(st.floats(0.125, 5, width=32), *[st.sampled_from([0, 0.5, 0.5000001, 3, 1e-9])] * 3),
    min_size=3,
    max_size=5,
)
places = st.lists(
    st.tuples(st.floats(-90, 90, width=32), st.floats(-360, 360, width=32)), min_size=3, max_size=5
)
packed = st.lists(st.tuples(*[st.booleans()] * 70), min_size=3, max_size=5)

WEIGHTS = [0.5, 3.0, 2.0]
FORM = [[2.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 3.0]]

KINDS = {
    "euclidean": (vectors, naive.euclidean, {}),
    "manhattan": (vectors, naive.manhattan, {}),
    "chebyshev": (vectors, naive.chebyshev, {}),
    "minkowski": (vectors, naive.minkowski(2.5), {"p": 2.5}),
    "angular": (directions, naive.angular, {}),
    "hamming": (codes, naive.hamming, {}),
    "chord": (directions, naive.chord, {}),
    "quadratic_form": (vectors, naive.quadratic_form(FORM), {"matrix": FORM}),
    "mahalanobis": (vectors, naive.quadratic_form(FORM), {"VI": FORM}),
    "haversine": (places, lambda a, b: naive.haversine(a, b, "degrees"), {"unit": "degrees"}),
    "hamming_bits": (packed, naive.hamming_bits, {}),
    "jensenshannon": (filled, naive.jensenshannon, {"normalize": True}),
    "hellinger": (filled, naive.hellinger, {"normalize": True}),
    "sqrt_triangular": (filled, naive.sqrt_triangular, {"normalize": True}),
    "wasserstein1d": (filled, naive.wasserstein1d, {"normalize": True}),
    "weighted_jaccard": (amounts, naive.weighted_jaccard, {}),
    "levenshtein": (words, naive.levenshtein, {}),
    "levenshtein of bytes": (byte_strings, naive.levenshtein, {}),
    "levenshtein of tokens": (tokens, naive.levenshtein, {}),
    "levenshtein with costs": (weighted_words, naive.edit(**COSTS), COSTS),
    "jaccard": (sets, naive.jaccard, {}),
    "hausdorff": (point_sets, naive.hausdorff(naive.euclidean), {}),
    "tree_edit": (trees, naive.tree_edit(), {}),
}


def test_every_metric_is_tried():
    assert {*(kind.split()[0] for kind in KINDS), "precomputed"} == set(ms.metrics())


@pytest.mark.parametrize("name", KINDS)
def test_laws_and_values(name):
    strategy, oracle, params = KINDS[name]
    metric = ms.metric(name.split()[0], **params)

    @settings(max_examples=60, deadline=None)
    @given(strategy)
    def holds(objects):
        d = metric.pairwise(objects)
        assert (d == d.T).all()
        assert (np.diagonal(d) == 0).all()
        assert (d >= 0).all()
        np.testing.assert_allclose(d, naive.matrix(oracle, objects, objects), rtol=1e-9, atol=1e-7)
        slack = 1e-9 * d.max() + 1e-12
        assert (d[:, None, :] <= d[:, :, None] + d[None, :, :] + slack).all()
        assert ms.check_metric(metric, objects, tolerance=1e-7)

    holds()


def test_pairwise_and_distance(workload):
    metric = ms.metric(workload.metric, **workload.params)
    if workload.name == "precomputed":
        assert (metric.pairwise(workload.objects) == workload.objects).all()
        return
    d = metric.pairwise(workload.queries, workload.objects)
    np.testing.assert_allclose(d, truth(workload), rtol=1e-12, atol=1e-12)
    assert metric.distance(workload.queries[0], workload.objects[1]) == d[0, 1]


def test_the_order_of_two_batches_does_not_matter():
    manhattan = ms.metric("manhattan")
    assert manhattan.distance([0.1], [0]) == manhattan.distance([0], [0.1]) == 0.1
    single, double = np.float32([[0.1, 3.0]]), np.array([[0.1, 3.0]])
    assert (manhattan.pairwise(single, double) == manhattan.pairwise(double, single).T).all()


CODES = np.random.default_rng(5).integers(0, 3, (40, 300), np.uint8)
TEXTS = ["", "a", "kitten", "sitting", "x" * 200]
TREES = ["{a{b}{c}}", "{a}", "{c{c{c}}}"]
WHOLE = [  # distances that are whole numbers, and a type in which they may not fit
    ("hamming", {}, CODES, np.uint8),
    ("hamming_bits", {}, CODES > 1, np.uint8),
    ("levenshtein", {}, TEXTS, np.int8),
    ("tree_edit", {}, [*TREES, "{a" * 150 + "}" * 150], np.uint8),
    ("hausdorff", {"ground": "levenshtein"}, [TEXTS[:2], TEXTS[1:]], np.int8),
]


@pytest.mark.parametrize(("name", "params", "objects", "small"), WHOLE)
def test_whole_distances_in_any_type_that_holds_them(name, params, objects, small):
    metric = ms.metric(name, **params)
    expected = metric.pairwise(objects)
    for dtype in (np.uint16, np.int32, np.uint64, "f4", None):
        found = metric.pairwise(objects, dtype=dtype)
        assert found.dtype == np.dtype(dtype)
        assert (found == expected).all()
    with pytest.raises(InvalidArgument, match=rf"{name} may be up to \d+, too large for {np.dtype(small)}"):
        metric.pairwise(objects, dtype=small)


@pytest.mark.parametrize(
    ("name", "params", "objects"),
    [
        ("euclidean", {}, CODES),
        ("jaccard", {}, [{1, 2}, {2, 3}]),
        ("jaccard", {}, CODES > 1),
        ("levenshtein", {"insert": 1.5}, TEXTS),
        ("tree_edit", {"replace": 0.5}, TREES),
        ("precomputed", {}, np.zeros((3, 3))),
        (lambda a, b: abs(len(a) - len(b)), {}, TEXTS),
    ],
)
def test_other_distances_in_single_precision_but_not_in_integers(name, params, objects):
    metric = ms.metric(name, **params)
    found = metric.pairwise(objects, dtype=np.float32)
    assert found.dtype == np.float32
    assert (found == metric.pairwise(objects).astype(np.float32)).all()
    with pytest.raises(InvalidArgument, match="need not be whole numbers"):
        metric.pairwise(objects, dtype=np.int64)


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, complex, bool, ">f8", ">i4", "U3", object])
def test_types_that_take_no_distances(dtype):
    for metric in map(ms.metric, ("levenshtein", lambda a, b: 0.0)):
        with pytest.raises(InvalidArgument, match="expected dtype float64, float32 or an integer type"):
            metric.pairwise(TEXTS, dtype=dtype)
        with pytest.raises(WrongType, match="data type"):
            metric.pairwise(TEXTS, dtype="many")


@pytest.mark.parametrize(("name", "most"), [("weighted_jaccard", 1.0), ("jensenshannon", np.sqrt(np.log(2)))])
def test_what_shares_nothing_is_at_the_greatest_distance(name, most):
    rows = np.random.default_rng(0).random((200, 20))
    params = {"normalize": True} if name == "jensenshannon" else {}
    nothing = np.zeros_like(rows)
    d = ms.metric(name, **params).pairwise(np.hstack([rows, nothing]), np.hstack([nothing, rows]))
    assert d.max() <= most
    np.testing.assert_allclose(d, most, rtol=1e-12)


def test_minkowski_with_a_known_exponent_is_the_known_metric():
    assert ms.metric("minkowski", p=1).name == "manhattan"
    assert ms.metric("minkowski", p=2).name == "euclidean"
    assert ms.metric("minkowski", p=math.inf).name == "chebyshev"
    assert ms.metric("l2").name == "euclidean"
    assert ms.metric("minkowski", p=50).distance([0.0, 0.0], [1e200 / 1e60, 1.0]) == pytest.approx(1e140)


def test_angles_are_accurate_at_both_ends():
    angular = ms.metric("angular")
    assert angular.distance([1.0, 0.0], [1.0, 1e-9]) == pytest.approx(1e-9, rel=1e-12)
    assert angular.distance([1.0, 0.0], [-1.0, 1e-9]) == pytest.approx(math.pi - 1e-9, rel=1e-15)
    assert angular.distance([3.0, 4.0], [6.0, 8.0]) == 0
    assert angular.distance([2.0, 1.0], [-2.0, -1.0]) == pytest.approx(math.pi)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 127, 128, 129, 300])
def test_strings_around_the_width_of_a_word(length):
    random = np.random.default_rng(length)
    texts = [
        "".join(random.choice(list("ab"), size=n)) for n in (length, length, max(length - 3, 0), length + 2)
    ]
    expected = naive.matrix(naive.levenshtein, texts, texts)
    assert (ms.metric("levenshtein").pairwise(texts) == expected).all()
    assert (ms.metric("levenshtein").pairwise(texts[:1], texts[1:]) == expected[:1, 1:]).all()


def test_strings_hold_any_code_point():
    texts = ["\U0001f600é", "\x00", "\ud800", "é", ""]
    index = ms.LinearScan("levenshtein").fit(texts)
    assert index.objects(range(5)) == texts
    assert index.knn(["unknown symbols"], 1).distances[0, 0] == 15


def squared(a, b):
    return float(np.sum((np.asarray(a) - np.asarray(b)) ** 2))


def one_sided(a, b):
    return float(max(a - b, 0))


def test_check_metric_finds_counterexamples():
    sample = np.random.default_rng(0).random((20, 3))
    assert ms.check_metric("euclidean", sample)
    report = ms.check_metric(squared, sample)
    assert not report
    assert report.missing == ("triangle",)
    i, k, j = report.counterexamples["triangle"]
    assert squared(sample[i], sample[j]) > squared(sample[i], sample[k]) + squared(sample[k], sample[j])
    assert "symmetry" in ms.check_metric(one_sided, [1, 2, 5]).missing
    assert ms.check_metric(lambda a, b: abs(a // 2 - b // 2), range(8)).holds["identity"]
    with pytest.raises(NotAMetric, match=r"negative|≥ 0"):
        ms.check_metric(lambda a, b: a - b, [1, 2, 5])


def test_check_metric_tells_the_stronger_laws_apart():
    random = np.random.default_rng(1).normal(size=(24, 3))
    assert all(ms.check_metric("euclidean", random).holds.values())
    # On four points of a great circle the arc has no isometric picture in space.
    circle = [[math.cos(t), math.sin(t)] for t in np.arange(4) * math.pi / 2]
    arc = ms.check_metric("angular", circle).holds
    assert arc["triangle"]
    assert not arc["four_point"]
    jaccard = ms.check_metric("jaccard", [{"a"}, {"b"}, {"a", "b"}, {"c"}]).holds
    assert jaccard["triangle"]
    assert not jaccard["four_point"]
    for law in ("ptolemaic", "four_point", "hilbert"):
        over_declared = ms.Metric(lambda a, b: naive.manhattan(a, b), **{law: True})
        assert law in ms.check_metric(over_declared, random.tolist()).missing


def test_identity_needs_different_objects():
    same_first = ms.Metric(lambda a, b: abs(a[0] - b[0]) + 0.0)
    assert ms.check_metric(same_first, [(0, 1), (0, 2), (3, 1)]).holds[
        "identity"
    ]  # no third object tells them apart
