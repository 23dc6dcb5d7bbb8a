"""Edit distance on strings, bytes and tokens: real texts, limits, files, and what is refused."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metricspace as ms
from metricspace import errors
from metricspace.objects import Sequences
from metricspace.objects.sequences import ByteStrings, Strings
from tests import naive

PRUNING = (ms.VPTree, ms.LAESA, ms.MTree)


def words(data, step):
    return (data / "wamerican.txt").read_text(encoding="utf-8").splitlines()[::step]


def texts(data, step):
    lines = (data / "wordnet_minilm_texts.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[2] for line in lines[::step]]


def form(kind, strings):
    """Return strings as sequences of another kind."""
    if kind == "bytes":
        return [string.encode() for string in strings]
    return [tuple(string.split()) for string in strings] if kind == "tokens" else strings


@pytest.mark.parametrize("weights", [(1, 1, 1), (1, 1, 2), (2, 2, 3), (3, 3, 1)])
@pytest.mark.parametrize("kind", ["strings", "bytes", "tokens"])
def test_distances_are_those_of_rapidfuzz(data, kind, weights):
    peer = pytest.importorskip("rapidfuzz").distance.Levenshtein
    metric = ms.metric("levenshtein", insert=weights[0], replace=weights[2])
    for queries, objects in ((words(data, 9001), words(data, 499)), (texts(data, 2999), texts(data, 401))):
        queries, objects = form(kind, queries), form(kind, objects)
        expected = [[peer.distance(q, o, weights=weights) for o in objects] for q in queries]
        assert (metric.pairwise(queries, objects) == expected).all()


def test_neighbours_of_real_words_are_those_of_rapidfuzz(data):
    process = pytest.importorskip("rapidfuzz").process
    peer = pytest.importorskip("rapidfuzz").distance.Levenshtein
    objects, queries = words(data, 11), [word[1:] + "e" for word in words(data, 7001)]
    d = process.cdist(queries, objects, scorer=peer.distance)
    for structure in (*PRUNING, ms.LinearScan):
        index = structure("levenshtein").fit(objects)
        for radius in (1, 2, 3):
            balls = index.range(queries, radius)
            assert [ids.tolist() for ids, _ in balls] == [naive.ranked(row, radius) for row in d]


def test_signatures_spare_distances(data):
    objects = words(data, 10)
    index = ms.VPTree("levenshtein").fit(objects)
    cost = index.count([word + "x" for word in objects[::900]], 2).cost
    assert cost.mean() < len(objects) / 20  # a fifth, were lengths all that bounds a distance


LENGTHS = (0, 1, 62, 63, 64, 65, 66, 127, 128, 129, 130, 192, 193)


@pytest.mark.parametrize(
    "costs", [{}, {"replace": 1.5, "insert": 1.0}, {"costs": {("a", "b"): 0.1, ("c", None): 0.7}}]
)
def test_a_limit_changes_no_distance_within_it(costs):
    random = np.random.default_rng(0)
    base = random.choice(list("abcd"), size=200)
    objects = []
    for length in LENGTHS * 6:
        text = base[:length].copy()
        for place in random.integers(0, max(length, 1), min(length, random.integers(0, 9))):
            text[place] = random.choice(list("abce"))
        objects.append("".join(text))
    metric = ms.metric("levenshtein", **costs)
    queries = objects[:: len(LENGTHS) - 1]
    d = metric.pairwise(queries, objects)
    assert (d == metric.pairwise(objects, queries).T).all()
    for structure in (ms.LinearScan, *PRUNING):
        index = structure(metric).fit(objects)
        # Small ones, and those at which an object lies to the bit, or only just does not.
        exact = np.sort(d, axis=1)[:, [3, 9, 20, 40]]
        just_less = np.nextafter(exact, 0)
        for radii in (
            *np.full((8, len(d)), [[0], [0.5], [1], [2], [3], [5], [8.5], [64]]),
            *exact.T,
            *just_less.T,
        ):
            for (ids, distances), row, radius in zip(index.range(queries, radii), d, radii, strict=True):
                expected = naive.ranked(row, radius)
                assert ids.tolist() == expected
                assert distances.tolist() == [row[i] for i in expected]


some = st.text(alphabet="ab\x00\U0001f600", max_size=140)


@pytest.mark.parametrize(
    "costs", [{}, {"costs": {("a", "b"): 0.3, ("\x00", None): 0.5}, "replace": 0.9, "insert": 0.6}]
)
def test_a_limit_changes_no_distance_of_any_strings(costs):
    metric = ms.metric("levenshtein", **costs)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(some, min_size=1, max_size=6), some)
    def holds(objects, query):
        row = metric.pairwise([query], objects)[0]
        for index in (ms.LinearScan(metric).fit(objects), ms.MTree(metric).fit(objects)):
            for radius in (*row, *np.nextafter(row, -1).clip(0), *range(0, 140, 7)):
                assert index.range([query], radius).ids.tolist() == naive.ranked(row, radius)

    holds()


def test_code_points_are_compared():
    d = ms.metric("levenshtein").distance
    assert d("é", "e\u0301") == 2  # composed and decomposed: normalise if they are to be the same
    assert d("\U0001f600", "\ud83d\ude00") == 2  # one code point, and two surrogates that stand alone
    assert d("\ud800", "\udfff") == 1
    assert d("a\x00b", "ab") == 1
    assert d("", "\x00") == 1
    assert d("", "") == 0
    assert d("é".encode(), b"e") == 2


STRANGE = ["\U0001f600é", "e\u0301", "\x00", "\ud800", "\ud83d\ude00", "a" * 129, ""]


@pytest.mark.parametrize(
    "objects",
    [
        STRANGE,
        [b"\x00\xff", b"", bytes(range(256))],
        [("a", 1), (), ("b",)],
        [["a", -(2**40)], []],
        [np.array([3, 1, 2]), np.array([], int), np.array([-1])],
    ],
    ids=["strings", "bytes", "tuples", "lists", "arrays"],
)
def test_what_was_given_is_given_back_and_stored(objects, tmp_path):
    index = ms.VPTree("levenshtein").fit(objects)
    index.save(tmp_path / "index")
    expected = index.knn(objects, 2)
    for same in (index, ms.load(tmp_path / "index"), pickle.loads(pickle.dumps(index))):
        given = same.objects(range(len(objects)))
        assert all(type(a) is type(b) and np.array_equal(a, b) for a, b in zip(given, objects, strict=True))
        assert (same.knn(objects, 2).ids == expected.ids).all()
    assert expected.ids[:, 0].tolist() == list(range(len(objects)))


def test_sequences_come_back_as_the_type_of_the_first():
    index = ms.LinearScan("levenshtein").fit([[1, 2], (3,), np.array([4])])
    assert index.objects([0, 1, 2]) == [[1, 2], [3], [4]]
    assert index.knn([(1, 2), np.array([3])], 1).distances.tolist() == [[0], [0]]


@pytest.mark.parametrize(
    ("tokens", "dtype"),
    [
        ([3, -(2**63), 2**63 - 1], np.int64),
        ([3, 2**63, 2**64 - 1], np.uint64),
        ([-1, 2**63], object),
        ([1, "a", (1, 2)], object),
        ([], np.int64),
    ],
)
def test_arrays_come_back_exactly(tokens, dtype):
    index = ms.LinearScan("levenshtein").fit([np.zeros(0, int), tokens])
    (back,) = index.objects([1])
    assert back.dtype == dtype
    assert back.tolist() == tokens


def test_costs_are_kept_in_a_file(tmp_path):
    costs = {("b", "a"): 0.25, ("x", None): 0.5, ("c", "a"): 1.0}
    metric = ms.metric("levenshtein", costs=costs, insert=0.75)
    other_order = ms.metric("levenshtein", costs=[("x", None, 0.5), ("a", "b", 0.25)], insert=0.75)
    assert metric.params == other_order.params
    index = ms.VPTree(metric).fit(["abc", "xyz", "ab"])
    index.save(tmp_path / "index")
    loaded = ms.load(tmp_path / "index")
    loaded.save(tmp_path / "again")
    again = ms.load(tmp_path / "again", metric=metric)
    assert repr(again) == repr(index)
    assert (
        again.knn(["bb"], 3).distances.tolist()
        == index.knn(["bb"], 3).distances.tolist()
        == [[0.25, 1.0, 2.5]]
    )
    with pytest.raises(errors.StorageError, match="not with 'levenshtein'"):
        ms.load(tmp_path / "index", metric="levenshtein")


def test_tokens_that_no_file_can_hold(tmp_path):
    index = ms.LinearScan("levenshtein").fit([[(1, 2), None], []])
    with pytest.raises(errors.NotSupported, match="number the tokens, or pickle"):
        index.save(tmp_path / "index")
    assert pickle.loads(pickle.dumps(index)).knn([[None]], 1).distances[0, 0] == 1


def test_listed_symbols_cost_what_they_should_wherever_they_occur():
    costs = {("a", "z"): 0.25, ("q", None): 0.5}
    metric = ms.metric("levenshtein", costs=costs)
    index = ms.LinearScan(metric).fit(["a", "b"])  # neither has z or q
    assert index.knn(["z", "q", "?"], 2).distances.tolist() == [[0.25, 1.0], [1.0, 1.0], [1.0, 1.0]]
    assert metric.distance("b", "bq") == 0.5
    assert ms.metric("levenshtein", costs={(0, 1): 0.5}).distance(b"\x00", b"\x01") == 0.5
    assert ms.metric("levenshtein", costs={("cat", "dog"): 0.5}).distance(["cat"], ["dog"]) == 0.5


@pytest.mark.parametrize("costs", [{}, {"costs": {("é", "e"): 0.5, ("ñ", "n"): 0.5}}])
def test_an_index_grows_by_new_symbols(costs):
    metric = ms.metric("levenshtein", **costs)
    oracle = naive.edit(costs.get("costs", {}), 1.0, 1.0)
    objects = ["cat", "dog", "", "cot"] * 10
    index = ms.MTree(metric, capacity=4).fit(objects)
    for more in (["日本", "caté"], ["mañana", "日", ""], ["niño"]):
        index.add(more)
        objects += more
    queries = ["日本語", "cate", "nino", "dg", ""]
    assert index.objects(range(40, 46)) == objects[40:]
    hits = index.knn(queries, 5)
    for i, row in enumerate(naive.matrix(oracle, queries, objects)):
        assert hits.positions[i].tolist(), hits.distances[i].tolist() == naive.knn(row, 5)


def test_a_cheap_insertion_bounds_without_losing_rounded_sums():
    # Ten times 0.1 added up is less than 1, which a bound by the difference of lengths must not exceed.
    metric = ms.metric("levenshtein", insert=0.1, replace=0.2)
    (d,) = metric.pairwise([""], ["a" * 10])[0]
    assert d < 1
    for structure in (ms.LinearScan, *PRUNING):
        assert structure(metric).fit(["a" * 10, "a" * 11]).count([""], d).counts.tolist() == [1]


@pytest.mark.parametrize(
    ("objects", "error", "says"),
    [
        (["a", b"b"], errors.WrongType, "expected strings like the first, given a bytes at position 1"),
        ([b"a", b"b", "c"], errors.WrongType, "expected bytes like the first, given a str at position 2"),
        ([["a"], "b"], errors.WrongType, "given a str at position 1"),
        ([["a"], {"b"}], errors.WrongType, "given a set at position 1"),
        ([{"a"}], errors.WrongType, "given set at position 0"),
        ([1, 2], errors.WrongType, r"given int at position 0: pass \[x\]"),
        (np.arange(3), errors.WrongType, r"pass \[x\]"),
        (b"bytes", errors.WrongType, "single bytes"),
        ([[["a"]], []], errors.WrongType, "hashable.*position 0"),
        ([np.zeros(2)], errors.WrongType, "integers.*float64 of shape"),
        ([np.zeros((2, 2), int)], errors.WrongType, "one dimension"),
        ([], errors.InvalidArgument, "at least one"),
    ],
)
def test_what_cannot_be_indexed(objects, error, says):
    with pytest.raises(error, match=says):
        ms.LinearScan("levenshtein").fit(objects)


def test_queries_must_be_of_the_kind_that_is_indexed():
    index = ms.LinearScan("levenshtein").fit([b"ab"])
    for queries in (["ab"], [["a", "b"]], [(97, 98)], b"ab", "ab"):
        with pytest.raises(errors.WrongType, match="bytes"):
            index.knn(queries, 1)


@pytest.mark.parametrize(
    ("params", "error", "says"),
    [
        ({"replace": 3}, errors.NotAMetric, "triangle"),
        ({"insert": 0}, errors.NotAMetric, "positive"),
        ({"insert": float("nan")}, errors.NotAMetric, "positive"),
        ({"costs": {("a", "b"): 5.0}}, errors.NotAMetric, "'a' to 'b' costs 5|'b' to 'a' costs 5"),
        ({"costs": [("a", "b", 1.0), ("b", "a", 0.5)]}, errors.NotAMetric, "either way"),
        ({"costs": {("a", "a"): 1.0}}, errors.InvalidArgument, "leave the pair out"),
        ({"costs": 5}, errors.WrongType, "blank"),
        ({"insert": "1"}, errors.WrongType, "number"),
    ],
)
def test_costs_that_are_refused(params, error, says):
    with pytest.raises(error, match=says):
        ms.metric("levenshtein", **params)


@pytest.mark.parametrize(
    ("objects", "symbol", "says"),
    [
        (["ab"], "ab", "single characters"),
        (["ab"], 7, "single characters"),
        ([b"ab"], "a", "b'a'"),
        ([b"ab"], 256, "256"),
    ],
)
def test_costs_of_what_is_no_symbol(objects, symbol, says):
    metric = ms.metric("levenshtein", costs={(symbol, None): 0.75})
    with pytest.raises(errors.InvalidArgument, match=says):
        ms.LinearScan(metric).fit(objects)


def test_the_kind_is_that_of_the_first_object():
    kinds = [
        type(ms.metric("levenshtein").objects(data)) for data in (["a"], [b"a"], [["a"]], [np.arange(2)])
    ]
    assert kinds == [Strings, ByteStrings, Sequences, Sequences]
