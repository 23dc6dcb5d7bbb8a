"""The union-pattern tree: the answers of a scan, from hostile strings, and what its bounds leave."""

import itertools
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import metricspace as ms
from metricspace import errors, unions
from metricspace.simd import patterns
from metricspace.simd.vectors import VECTORS
from tests import naive

MANY = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))
HOSTILE = [
    "",
    "a",
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "e\u0301",
    "\u00e9",
    "\U0001f600",
    "\U0010ffff",
    "日本語",
]


def _strings(seed, count, longest, letters="abcdé日"):
    random = np.random.default_rng(seed)
    return ["".join(random.choice(list(letters), size=random.integers(0, longest + 1))) for _ in range(count)]


def _edited(seed, words, edits):
    random = np.random.default_rng(seed)
    made = []
    for word in words:
        text = list(word)
        for _ in range(edits):
            place = random.integers(len(text) + 1)
            text[place : place + random.integers(2)] = random.choice(list("abc?"), size=random.integers(2))
        made.append("".join(text))
    return made


def _same(objects, queries, metric="levenshtein", radii=(0, 1, 2.5, 9, 130, np.inf), ks=(1, 9)):
    """Check that the tree answers as the scan does, and return it."""
    tree, scan = ms.PatternTree(metric).fit(objects), ms.LinearScan(metric).fit(objects)
    for radius in radii:
        ours, theirs = tree.range(queries, radius), scan.range(queries, radius)
        assert ours.indptr.tolist() == theirs.indptr.tolist()
        assert (ours.positions == theirs.positions).all()
        assert (ours.distances == theirs.distances).all()
        assert (tree.count(queries, radius).counts == np.diff(theirs.indptr)).all()
        assert ours.exact.all()
    for k in (*ks, len(objects) + 2):
        for settings in ({}, {"radius": 3.0}, {"filter": range(0, len(objects), 3)}):
            ours, theirs = tree.knn(queries, k, **settings), scan.knn(queries, k, **settings)
            assert (ours.positions == theirs.positions).all()
            assert (ours.distances == theirs.distances).all()
    return tree


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129])
def test_strings_of_one_length_and_beside_it(length):
    random = np.random.default_rng(length)
    base = random.choice(list("abc"), length)
    strings = ["".join(base)] * 3
    for _ in range(150):
        text = base.copy()
        text[random.random(length) < 0.05] = "x"
        strings.append("".join(text)[random.integers(2) :])
    _same(strings, [*_edited(1, strings[:6], 2), "", "c" * length, "b" * (length + 1)])


@pytest.mark.parametrize("longest", [9, 40, 70, 300])
def test_all_lengths_together(longest):
    strings = _strings(longest, 1500 if longest < 100 else 400, longest)
    _same(strings, [*_edited(2, strings[:5], 2), *_strings(3, 3, longest), ""])


def test_hostile_strings():
    strings = HOSTILE * 12 + ["a" * 513, "b" * 600, "a" * 512]
    tree = _same(strings, [*HOSTILE, "a" * 520, "never seen", "b"])
    assert tree.objects([3]) == ["\ud800"]


@pytest.mark.parametrize("strings", [[""], ["", ""], ["ab"], ["x"] * 700, ["y" * 700] * 3])
def test_few_and_equal_strings(strings):
    _same(strings, ["", "ab", "x", "y" * 699])


@pytest.mark.parametrize("symbols", [30, 40, 128, 129, 300, 3000])
def test_large_alphabets(symbols):
    assert unions.exact(symbols + 1) == (symbols <= 128)
    strings = [*_strings(symbols, 700, 12, MANY[:symbols]), MANY[:60]]
    tree = _same(strings, [*_edited(4, strings[:8], 1), MANY[symbols - 9 : symbols]])
    assert tree.range(strings[:9], 1).cost.mean() < 60


def test_bytes_and_tokens():
    text = [one.encode() for one in _strings(5, 300, 20)]
    _same(text, [*text[:5], b"", b"\xff\x00"])
    random = np.random.default_rng(6)
    tokens = [tuple(random.integers(0, 400, random.integers(0, 30)).tolist()) for _ in range(300)]
    _same(tokens, [*tokens[:5], (), (1, -1, "unseen")])


@pytest.mark.parametrize(
    "costs",
    [
        {"replace": 2.0, "insert": 1.0},
        {"replace": 0.1, "insert": 0.07},
        {"costs": {("a", "b"): 0.25, ("c", None): 0.5, ("a", "?"): 0.5, ("b", "?"): 0.75}, "insert": 0.75},
    ],
)
def test_costs_of_their_own(costs):
    strings = _strings(7, 400, 14)
    tree = _same(strings, _edited(8, strings[:8], 2), ms.metric("levenshtein", **costs), (0, 0.3, 1.4, 40))
    assert tree.range(strings[:8], 0.3).cost.mean() < 200


def test_joins_reverse_neighbours_and_predicates():
    strings = [*_strings(9, 600, 10, "ab"), *HOSTILE, "a" * 530]
    tree, scan = (
        structure("levenshtein").fit(strings, reverse=3) for structure in (ms.PatternTree, ms.LinearScan)
    )
    for radius in (0, 1, 3):
        ours, theirs = tree.self_join(radius), scan.self_join(radius)
        assert (ours.left == theirs.left).all()
        assert (ours.right == theirs.right).all()
        assert (ours.distances == theirs.distances).all()
    assert tree.closest_pairs(9).left.tolist() == scan.closest_pairs(9).left.tolist()
    ours, theirs = tree.reverse_knn(strings[:9], 3), scan.reverse_knn(strings[:9], 3)
    assert ours.positions.tolist() == theirs.positions.tolist()
    near = ms.All(ms.Within("abab", 3), ms.Not(ms.Within("aaaa", 2)))
    assert tree.where(near).positions.tolist() == scan.where(near).positions.tolist()


def test_browsing_eps_and_budgets():
    strings = _strings(10, 2000, 12, "abcd")
    tree, scan = (structure("levenshtein").fit(strings) for structure in (ms.PatternTree, ms.LinearScan))
    query = _edited(11, strings[:1], 2)[0]
    browser = tree.browse(query)
    assert list(itertools.islice(browser, 40)) == list(itertools.islice(scan.browse(query), 40))
    assert browser.cost < len(strings)
    assert list(tree.browse(query)) == list(scan.browse(query))
    asked = _edited(12, strings[:20], 2)
    true = scan.knn(asked, 10)
    for budget in (1, 7, 100, 5000):
        hits = tree.knn(asked, 10, budget=budget)
        assert (hits.cost <= budget).all()
        assert (hits.distances[hits.exact] == true.distances[hits.exact]).all()
        assert (hits.distances >= true.distances).all()
    loose = tree.knn(asked, 10, eps=0.5)
    assert (loose.distances <= 1.5 * true.distances).all()
    assert (loose.distances[loose.exact] == true.distances[loose.exact]).all()
    balls, whole = tree.range(asked, 4, eps=1.0), scan.range(asked, 2)
    assert (np.diff(balls.indptr) >= np.diff(whole.indptr)).all()
    assert (balls.distances <= 4).all()


def test_bounds_hold_on_every_level():
    strings = sorted(_strings(13, 700, 150, "abcdef"), key=lambda one: (len(one), one[::-1]))
    query = "abcdefabc" * 6
    tree = ms.PatternTree("levenshtein").fit(strings)
    distances = naive.matrix(naive.levenshtein, [query], tree.objects(tree._order))[0]
    anatomy = tree._anatomy()
    assert (anatomy.homes >= 0).all()
    assert np.bincount(anatomy.homes).max() == 8
    for radius in (10, 40, 60):
        ball = tree.range([query], radius)
        assert len(ball.positions) == np.count_nonzero(distances <= radius)
    assert tree.statistics().depth == 2
    assert "nodes visited" in str(tree.explain(query, 3))


def test_few_words_are_measured(data):
    words = (data / "wamerican.txt").read_text(encoding="utf8").split()
    tree = ms.PatternTree("levenshtein").fit(words)
    queries = _edited(14, words[::500], 2)
    costs = [tree.range(queries, radius).cost.mean() for radius in (1, 2, 3)]
    assert costs == sorted(costs)
    assert costs[0] < 60
    assert costs[1] < 600
    assert tree.build_cost == 0
    assert (tree.range(queries, 1).bounds < len(words) / 50).all()


def test_files_and_pickles(tmp_path):
    strings = [*_strings(15, 300, 80), "z" * 600]
    tree = ms.PatternTree("levenshtein").fit(strings, ids=[f"s{i}" for i in range(301)])
    tree.save(tmp_path / "tree")
    for again in (ms.load(tmp_path / "tree"), pickle.loads(pickle.dumps(tree))):
        assert (again.knn(strings[:9], 5).ids == tree.knn(strings[:9], 5).ids).all()
    assert (tmp_path / "tree").stat().st_size < tree.nbytes  # lanes are made again
    with pytest.raises(errors.TooLarge):
        ms.PatternTree("levenshtein", max_bytes=1000).fit(strings)


def test_other_metrics_are_refused():
    for metric, objects in (("euclidean", np.eye(3)), ("jaccard", [{1}]), (lambda a, b: 0.0, [1, 2])):
        with pytest.raises(errors.NotAMetric, match="takes edit distances"):
            ms.PatternTree(metric).fit(objects)


def test_another_metric_of_the_query():
    strings = _strings(16, 300, 9)
    tree, scan = (structure("levenshtein").fit(strings) for structure in (ms.PatternTree, ms.LinearScan))
    dearer = ms.metric("levenshtein", replace=2.0, insert=1.5)
    ours, theirs = (index.knn(strings[:9], 5, metric=dearer, scale=1.0) for index in (tree, scan))
    assert (ours.positions == theirs.positions).all()
    assert (ours.distances == theirs.distances).all()


@pytest.mark.parametrize("setting", [{"METRICSPACE_SIMD": "0"}, {"NUMBA_CPU_NAME": "haswell"}], ids=str)
def test_without_wide_registers(setting):
    code = """
import metricspace as ms, numpy as np
random = np.random.default_rng(0)
words = ["".join(random.choice(list("abc"), random.integers(0, 150))) for _ in range(300)]
tree, scan = ms.PatternTree("levenshtein").fit(words), ms.LinearScan("levenshtein").fit(words)
assert (tree.knn(words[:20], 5).positions == scan.knn(words[:20], 5).positions).all()
assert (tree.range(words[:20], 9).positions == scan.range(words[:20], 9).positions).all()
"""
    given = {**os.environ, **setting}
    subprocess.run([sys.executable, "-c", code], env=given, check=True)


@pytest.mark.skipif(not VECTORS, reason="the plain twins stand in for the primitives")
@pytest.mark.parametrize("name", ["capped_8", "capped_16", "capped_32", "few_8", "few_16", "few_32"])
def test_capped_lanes_equal_their_twins(name):
    import numba

    primitive, twin = getattr(patterns, name), getattr(patterns, f"plain_{name}")

    @numba.njit
    def both(masks, offsets, length, least, most, fast, plain):
        primitive(masks, offsets, length, least, most, fast)
        twin(masks, offsets, length, least, most, plain)

    random = np.random.default_rng(0)
    masks = random.integers(0, 256, 20 * patterns.TILE, np.uint8)
    for length in (0, 1, 5, 40, 120, 200, 300):
        offsets = random.integers(0, 19, length) * patterns.TILE
        fast, plain = np.zeros((2, patterns.TILE), np.uint8)
        both(masks, offsets, length, 18 * patterns.TILE, 19 * patterns.TILE, fast, plain)
        assert fast.tolist() == plain.tolist()
        assert fast.max() <= patterns.FAR


@pytest.mark.skipif(not VECTORS, reason="the plain twins stand in for the primitives")
@pytest.mark.parametrize(("name", "words"), [("one", 1), ("two", 2), ("long", 1), ("long", 3), ("long", 8)])
def test_lanes_of_several_words_equal_their_twins(name, words):
    import numba

    primitive = getattr(patterns, f"advance_{name}")

    @numba.njit
    def both(masks, bases, rows, length, words, limit, state, fast, plain):
        apart = 64
        least, most = 20 * apart * words, 21 * apart * words
        primitive(masks, bases, rows, length, words, apart, least, most, limit, state, fast)
        patterns.plain_advance_long(
            masks, bases, rows, length, words, apart, least, most, limit, state, plain
        )

    random = np.random.default_rng(words)
    masks = random.integers(0, 256, (patterns.ABREAST, 22, words, 64), np.uint8)
    masks &= random.integers(0, 256, masks.shape, np.uint8)  # matches are few
    bases = np.arange(2 * patterns.ABREAST) % patterns.ABREAST * masks[0].size
    state = np.zeros(2 * 8 * patterns.ABREAST * words, np.uint64)

    def same(length, limit):
        rows = random.integers(0, 20, length) * 64 * words
        fast, plain = np.zeros((2, 8 * patterns.ABREAST), np.uint8)
        both(masks.reshape(-1), bases, rows, length, words, limit, state, fast, plain)
        assert fast.tolist() == plain.tolist()
        return fast

    for length in (0, 1, 63, 64, 65, 200):
        same(length, 10**6)
    # Within a limit they are distances, so own places are the first of a pattern.
    own = np.arange(64 * words) < random.integers(1, 64 * words + 1, (patterns.ABREAST, 8, 1))
    own = np.packbits(own, axis=-1, bitorder="little").reshape(patterns.ABREAST, 8, words, 8)
    masks[:, 20] = masks[:, 21] = own.transpose(0, 2, 1, 3).reshape(patterns.ABREAST, words, 64)
    for length in (0, 1, 63, 64, 65, 100, 200, 400, 512):
        for limit in (0, 1, 8, 62, 63, 64, 65, 100, patterns.FAR, 10**6):
            assert same(length, limit).max() <= limit + 1


def test_radii_between_whole_numbers():
    strings = _strings(18, 300, 8)
    tree, scan = (structure("levenshtein").fit(strings) for structure in (ms.PatternTree, ms.LinearScan))
    for radius in (1, 2, 3, 5):
        for near in (np.nextafter(radius, 0), np.nextafter(radius, 9)):
            assert (tree.count(strings[:20], near).counts == scan.count(strings[:20], near).counts).all()
