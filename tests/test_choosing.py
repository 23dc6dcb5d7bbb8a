"""The index that chooses a structure by trying some on samples."""

import numpy as np
import pytest

import metricspace as ms
from metricspace import choosing
from tests import workloads

DEAR = {"objective": "distances"}  # by no clock, so that the choice is the same each time


def plane(count=1500, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)


def line(a, b):
    return abs(a[0] - b[0])


LOADS = [load for load in workloads.workloads() if load.name in workloads.EVERY_STRUCTURE]


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_it_answers_as_the_scan_whatever_it_chooses(load):
    metric = ms.metric(load.metric, **load.params)
    index = ms.Index(metric, structures=["linear", "vptree"], **DEAR).fit(load.objects)
    scan = ms.LinearScan(metric).fit(load.objects)
    hits, right = (each.knn(load.queries, 5) for each in (index, scan))
    assert hits.ids.tolist() == right.ids.tolist()
    assert hits.distances.tolist() == right.distances.tolist()
    assert len(index) == scan.n_objects


def test_the_choice_holds_what_was_measured_and_the_best_comes_first():
    X = plane()
    choice = ms.Index("manhattan", structures=["linear", "vptree", "laesa"], **DEAR).fit(X).explain_choice()
    assert choice.structure == choice.predictions[0].structure != "linear"
    assert choice.samples == (256, 1024)
    assert [each.structure for each in choice.predictions][-1] == "linear"
    scan = choice.predictions[-1]
    assert (scan.distances, scan.growth, scan.build_distances) == (len(X), 1.0, 0)
    counts = [each.distances + each.build_distances / choice.queries for each in choice.predictions]
    assert counts == sorted(counts)
    text = str(choice)
    assert all(each.structure in text for each in choice.predictions)
    assert "1,500 objects" in text


@pytest.mark.parametrize("key", ["vptree", "laesa", "mtree"])
def test_what_it_predicts_is_what_comes_out(key):
    X = plane(6000)
    stored, asked = X[:5500], X[5500:]
    (prediction,) = (
        each
        for each in ms.Index("manhattan", structures=["linear", key], **DEAR).fit(stored)._choice.predictions
        if each.structure == key
    )
    index = ms.indexes()[key]("manhattan").fit(stored)
    assert prediction.distances == pytest.approx(index.knn(asked, 10).cost.mean(), rel=0.35)
    assert prediction.build_distances == pytest.approx(index.build_cost, rel=0.35)


def test_the_same_seed_chooses_alike_by_distances():
    first, second = (ms.Index("manhattan", seed=3, **DEAR).fit(plane()).explain_choice() for _ in range(2))
    assert [(p.structure, p.distances) for p in first.predictions] == [
        (p.structure, p.distances) for p in second.predictions
    ]


def test_building_counts_if_there_are_few_queries():
    X = plane(600)
    few, many = (
        ms.Index("manhattan", structures=["linear", "aesa"], queries=queries, **DEAR).fit(X)
        for queries in (1, 10**6)
    )
    assert (few.explain_choice().structure, many.explain_choice().structure) == ("linear", "aesa")


def test_with_few_objects_nothing_is_tried():
    for count in (1, 3, 80):
        index = ms.Index("manhattan").fit(plane(count))
        assert index.explain_choice().structure == "linear"
        assert not index.explain_choice().predictions
        assert "nothing to gain" in str(index.explain_choice())
        assert index.knn(plane(2), 3).ids.shape == (2, 3)


def test_a_dynamic_index_grows_and_shrinks():
    X = plane(400)
    index = ms.Index("manhattan", dynamic=True, **DEAR).fit(X[:300])
    index.knn(X[:3], 2, metric="euclidean")
    assert index.add(X[300:]).tolist() == list(range(300, 400))
    assert index.knn(X[399:], 1).ids.tolist() == [[399]]
    index.remove([399])
    assert index.knn(X[399:], 1).ids.tolist() != [[399]]
    assert index.n_objects == 399


def test_a_static_choice_says_that_it_cannot_grow():
    index = ms.Index("manhattan", structures=["ghtree"]).fit(plane(50))
    with pytest.raises(ms.MetricSpaceError, match="static"):
        index.add(plane(2))


def test_every_kind_of_query_is_answered():
    X = plane(300)
    index = ms.Index("manhattan", structures=["vptree"]).fit(X, ids=[f"x{i}" for i in range(300)])
    scan = ms.LinearScan("manhattan").fit(X, ids=[f"x{i}" for i in range(300)])
    asked = plane(3, seed=1)
    assert index.range(asked, 0.5).ids.tolist() == scan.range(asked, 0.5).ids.tolist()
    assert index.count(asked, 0.5).counts.tolist() == scan.count(asked, 0.5).counts.tolist()
    assert index.reverse_knn(asked, 3).ids.tolist() == scan.reverse_knn(asked, 3).ids.tolist()
    assert [i for i, _ in zip(index.browse(asked[0]), range(5))] == [
        i for i, _ in zip(scan.browse(asked[0]), range(5))
    ]
    for pairs in (index.self_join(0.1), index.join(scan, 0.1), scan.join(index, 0.1)):
        assert len(pairs.left)
    assert index.objects(["x7"]).tolist() == X[7:8].tolist()
    assert index.statistics().objects == 300


def test_a_file_holds_the_structure_that_was_chosen(tmp_path):
    X = plane(300)
    index = ms.Index("manhattan", structures=["vptree"]).fit(X)
    index.save(tmp_path / "chosen")
    read = ms.load(tmp_path / "chosen")
    assert isinstance(read, ms.VPTree)
    assert read.knn(X[:3], 2).ids.tolist() == index.knn(X[:3], 2).ids.tolist()


def test_a_failing_fit_leaves_the_index_as_it_was():
    index = ms.Index("manhattan", structures=["vptree"]).fit(plane(50))
    with pytest.raises(ms.MetricSpaceError, match="finite"):
        index.fit(np.full((3, 2), np.nan))
    assert len(index) == 50


def test_what_does_not_fit_is_no_candidate():
    X = plane(2000)
    index = ms.Index("manhattan", structures=["aesa", "vptree"], max_bytes=10**6, **DEAR).fit(X)
    choice = index.explain_choice()
    assert choice.structure == "vptree"
    assert "max_bytes" in choice.predictions[-1].refused
    assert choice.predictions[-1].refused in str(choice)
    with pytest.raises(ms.MetricSpaceError, match="max_bytes"):
        ms.Index("manhattan", structures=["aesa", "laesa"], max_bytes=1000).fit(X)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"objective": "speed"}, "time, distances"),
        ({"k": 0}, "k of at least 1"),
        ({"queries": 0}, "queries of at least 1"),
        ({"structures": ["trie"]}, "no structure 'trie'"),
        ({"structures": []}, "at least one structure"),
        ({"dynamic": "yes"}, "True or False"),
    ],
)
def test_wrong_arguments(wrong, message):
    with pytest.raises(ms.MetricSpaceError, match=message):
        ms.Index(**wrong)


def test_no_candidate_is_an_error_that_names_them():
    with pytest.raises(ms.MetricSpaceError, match="none of linear serves manhattan and can add"):
        ms.Index("manhattan", structures=["linear"], dynamic=True).fit(plane(100))


def test_before_fit_there_is_nothing():
    index = ms.Index("manhattan")
    for ask in (
        index.explain_choice,
        lambda: index.knn(plane(1), 1),
        lambda: len(index),
        lambda: index.nbytes,
    ):
        with pytest.raises((ms.MetricSpaceError, AttributeError), match="fit"):
            ask()
    assert index.params()["objective"] == "time"
    assert "manhattan" in repr(index)


def test_users_functions_are_tried_as_they_are():
    index = ms.Index(ms.Metric(line, name="line"), **DEAR).fit([(float(i % 97),) for i in range(600)])
    assert index.explain_choice().structure != "linear"
    assert index.knn([(5.2,)], 1).distances[0, 0] == pytest.approx(0.2)
    assert index.explain_choice().rho > 0


def test_by_time_it_measures_time():
    choice = ms.Index("manhattan", structures=["linear", "vptree"]).fit(plane()).explain_choice()
    assert all(0 < each.seconds < 1 for each in choice.predictions)
    assert choice.seconds_a_distance > 0
    prices = [each.seconds + each.build_seconds / choice.queries for each in choice.predictions]
    assert prices == sorted(prices)
    assert choosing.OBJECTIVES == ("time", "distances")
