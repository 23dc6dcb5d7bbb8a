"""Strings side by side in lanes: the same distances as one by one."""

import copy
import itertools
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import metricspace as ms
from metricspace import lanes
from metricspace.metrics import sequences
from metricspace.space import BLOCK
from tests import naive


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
