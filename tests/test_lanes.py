"""Strings side by side in lanes: the same distances as one by one."""

import copy
import itertools
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import metricspace as ms
from metricspace import interleaved, lanes
from metricspace.metrics import sequences
from metricspace.simd.weaving import WOVEN
from metricspace.space import BLOCK
from tests import naive

MANY = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))


def _strings(seed, count, longest, letters="abcdé日"):
    random = np.random.default_rng(seed)
    return ["".join(random.choice(list(letters), size=random.integers(0, longest + 1))) for _ in range(count)]


@pytest.mark.parametrize("longest", [0, 1, 8, 9, 16, 17, 32, 33, 64, 65, 130])
def test_distances_of_all_lengths(longest):
    strings, queries = _strings(longest, 60, longest), _strings(99, 6, 70, "abcdé日?")
    expected = naive.matrix(naive.levenshtein, queries, strings)
    assert (ms.metric("levenshtein").pairwise(queries, strings) == expected).all()
    assert (ms.LinearScan("levenshtein").fit(strings).distances(queries) == expected).all()


def test_many_blocks_agree_with_a_tree():
    strings = _strings(0, 5 * BLOCK + 77, 40)
    queries = _strings(1, 8, 30)
    scan, tree = (structure("levenshtein").fit(strings) for structure in (ms.LinearScan, ms.VPTree))
    for radius in (0, 1, 2.5, 7, np.inf):
        ours, theirs = scan.range(queries, radius), tree.range(queries, radius)
        assert ours.indptr.tolist() == theirs.indptr.tolist()
        assert (ours.positions == theirs.positions).all()
        assert (ours.distances == theirs.distances).all()
    assert (scan.knn(queries, 9).positions == tree.knn(queries, 9).positions).all()
    assert (scan.knn(queries, 9, n_jobs=1).cost <= len(strings)).all()


def test_lengths_alone_exclude_whole_blocks():
    strings = ["a" * (1 + i // BLOCK) for i in range(6 * BLOCK)]
    hits = ms.LinearScan("levenshtein").fit(strings[::-1]).count(["aaa"], 1)
    assert hits.counts[0] == 3 * BLOCK
    assert hits.cost[0] == 3 * BLOCK


def test_groups_exclude_blocks_before_they_are_measured():
    random = np.random.default_rng(3)
    strings = ["".join(random.choice(list("abcdefghij"), 7)) for _ in range(20 * BLOCK)]
    scan, tree = (structure("levenshtein").fit(strings) for structure in (ms.LinearScan, ms.VPTree))
    found, expected = scan.range(strings[:20], 1), tree.range(strings[:20], 1)
    assert (found.positions == expected.positions).all()
    assert found.cost.mean() < 0.5 * len(strings)
    assert (found.bounds > 0).all()


@pytest.mark.parametrize("count", range(1, 9))
def test_outward_visits_each_once(count):
    from metricspace.indexes.linear import outward

    for middle in range(count):
        places = [outward(step, middle, count) for step in range(count)]
        assert sorted(places) == list(range(count))
        assert places[0] == middle
        assert all(abs(a - middle) <= abs(b - middle) for a, b in itertools.pairwise(places))


def test_distances_come_in_the_order_of_insertion():
    words = ["abcdef", "a", "", "abc"]
    scan = ms.LinearScan("levenshtein").fit(words)
    assert scan.distances(["ab"]).tolist() == [[4, 1, 2, 1]]
    assert scan.distances([]).shape == (0, 4)
    many = _strings(2, 3000, 12)
    scan = ms.LinearScan("levenshtein").fit(many)
    assert (scan.distances(many[:40], n_jobs=2) == scan.distances(many[:40], n_jobs=1)).all()


def _by_tree(queries, strings):
    found = ms.VPTree("levenshtein").fit(strings).range(queries, np.inf)
    shape = len(queries), len(strings)
    matrix = np.empty(shape)
    np.put_along_axis(matrix, found.positions.reshape(shape), found.distances.reshape(shape), axis=1)
    return matrix


# Blocks of objects and rows on a loom, whole, nearly so and barely more; a few rows need no loom.
@pytest.mark.parametrize(
    ("objects", "queries"),
    [(1, 40), (2, 1), (BLOCK - 1, 7), (BLOCK, 32), (BLOCK + 1, 33), (3 * BLOCK + 77, 8), (700, 65)],
)
@pytest.mark.parametrize("symbols", ["abc", MANY[:300], MANY], ids=len)
def test_matrices_of_any_type_and_size(objects, queries, symbols):
    strings = [*_strings(objects, objects, 20, symbols), "", symbols[0] * 64, symbols[1] * 65]
    asked = [*_strings(queries, queries - 1, 20, symbols + "?"), symbols[0] * 70]
    expected, metric = _by_tree(asked, strings), ms.metric("levenshtein")
    scan = ms.LinearScan(metric).fit(strings)
    for dtype in (np.uint8, np.int16, np.uint64, np.float32, np.float64):
        for jobs in (1, 3):
            for found in (
                scan.distances(asked, dtype=dtype, n_jobs=jobs),
                metric.pairwise(asked, strings, dtype=dtype, n_jobs=jobs),
            ):
                assert found.dtype == dtype
                assert (found == expected).all()
    assert scan.distances(asked).dtype == metric.pairwise(asked, strings).dtype == np.float64
    assert scan.distances([], dtype=np.uint8).shape == (0, len(strings))


@pytest.mark.parametrize("longest", [255, 256, 300])
def test_distances_beyond_a_byte(longest):
    strings = [*_strings(7, 600, 12), "x" * longest]
    scan, queries = ms.LinearScan("levenshtein").fit(strings), _strings(8, 40, 12)
    expected = _by_tree(queries, strings)
    assert (scan.distances(queries, dtype=np.uint16) == expected).all()
    assert (scan.distances(queries) == expected).all()
    if longest > 255:
        with pytest.raises(ms.errors.InvalidArgument, match=f"up to {longest}, .* uint16 holds them"):
            scan.distances(queries, dtype=np.uint8)
    else:
        assert (scan.distances(queries, dtype="u1") == expected).all()
    with pytest.raises(ms.errors.InvalidArgument, match=f"up to {longest}, "):
        scan.distances(queries, dtype=np.int8)


@pytest.mark.parametrize("columns", [1, BLOCK, 2 * BLOCK + 13])
@pytest.mark.parametrize("rows", [1, WOVEN - 1, WOVEN])
def test_columns_are_put_in_order(columns, rows):
    random = np.random.default_rng(columns)
    given = random.integers(0, 256, (rows, columns))
    loom, places = interleaved.make_loom(columns, BLOCK), random.permutation(columns)
    for start in range(0, columns, BLOCK):
        stop = min(start + BLOCK, columns)
        loom.rows[:rows, : stop - start] = given[:, start:stop]
        interleaved.weave(loom, start, stop)
    for dtype in (np.uint8, np.int32, np.float64):
        out = np.zeros((rows, columns), dtype)
        interleaved.put_in_order(loom, places, out)
        assert (out == given[:, places]).all()


def test_what_is_derived_is_made_once_and_counted():
    held = ms.metric("levenshtein").objects(_strings(4, 3000, 30))
    before, made = held.nbytes, []

    def make(objects):
        made.append(objects)
        time.sleep(0.01)
        return lanes.in_lanes(objects.starts, objects.codes, objects.alphabet)

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda _: held.derived(make), range(64)))
    assert len(made) == 1
    assert all(result is results[0] for result in results)
    arrays = [array for part in results[0] for array in part]
    assert held.nbytes == before + sum(array.nbytes for array in arrays)
    for again in (copy.copy(held), pickle.loads(pickle.dumps(held))):
        assert again.nbytes == before
        assert again.derived(len) == 3000


def test_real_words_take_little_more_than_their_codes(data):
    words = (data / "wamerican.txt").read_text(encoding="utf-8").splitlines()[:20_000]
    held = ms.LinearScan("levenshtein").fit(words)._objects
    made = lanes.in_lanes(held.starts, held.codes, held.alphabet)
    assert len(made) == 2
    assert sum(array.nbytes for part in made for array in part) < 4 * held.codes.nbytes


@pytest.mark.parametrize("symbols", ["ab", "abcdefghijklmnop", MANY], ids=len)
@pytest.mark.parametrize("longest", [1, 10, 40, 100])
def test_lanes_count_before_they_are_made(symbols, longest):
    metric = ms.metric("levenshtein")
    scan = ms.LinearScan(metric).fit(_strings(6, 5000, longest, symbols))
    held = scan._objects
    made = sum(array.nbytes for part in sequences._lanes(held) for array in part[4:])
    needed = metric.bytes_derived(held, scan=True) - metric.bytes_derived(held)
    assert made <= needed
    if longest > 1 and len(symbols) < 3000:  # of thousands none are made, and of single letters few
        assert needed <= 2 * made
    with pytest.raises(ms.errors.TooLarge, match="max_bytes"):
        ms.LinearScan(metric, max_bytes=held.nbytes + made).fit(held.give(np.arange(5000)))
    ms.VPTree(metric, max_bytes=held.nbytes + 64 * 5000).fit(held.give(np.arange(5000)))


def test_a_scan_derives_once_and_only_when_it_is_asked(monkeypatch):
    made = {"_lanes": [], "_signatures": []}
    for name in made:
        make = getattr(sequences, name)
        counted = lambda objects, make=make, name=name: made[name].append(objects) or make(objects)  # noqa: E731
        monkeypatch.setattr(sequences, name, counted)
    strings = _strings(5, 3000, 20)
    scan = ms.LinearScan("levenshtein").fit(strings)
    assert (made["_lanes"], made["_signatures"]) == ([], [scan._objects])
    for _ in range(2):
        assert scan.knn(strings[:1], 1, n_jobs=1).distances[0, 0] == 0
    assert made["_lanes"] == [scan._objects]
    assert sum(objects is scan._objects for objects in made["_signatures"]) == 1


def test_an_alphabet_too_large_for_lanes_is_searched_all_the_same():
    random = np.random.default_rng(0)
    strings = ["".join(map(chr, random.integers(0x4E00, 0x9FFF, 3))) for _ in range(3 * BLOCK)]
    starts = np.arange(0, 3 * len(strings) + 1, 3)
    assert lanes.laid_out(starts, np.arange(1, 3 * len(strings) + 1), 3 * len(strings) + 1, 10_000) is None
    found = ms.LinearScan("levenshtein").fit(strings).knn(strings[:5], 1)
    assert found.distances.tolist() == [[0.0]] * 5
