"""What the papers promise of the structures comes out: who measures less than whom."""

import numpy as np
import pytest

import metricspace as ms
from benchmarks import structures, workloads
from metricspace.traversal import BEST_FIRST, DEPTH_FIRST

OBJECTS, QUERIES = 2000, 100
REAL = ("cities on the globe", "Fashion-MNIST, pixels", "words")


def load_of(name):
    if name == "like learned":
        return workloads.divided(name, "euclidean", workloads.like_learned(2 * OBJECTS), OBJECTS, QUERIES)
    name, metric, objects = next(every for every in workloads.real(workloads.DATA) if every[0] == name)
    return workloads.divided(name, metric, objects, OBJECTS, QUERIES)


@pytest.mark.parametrize("name", ["like learned", *REAL])
def test_orderings(name, request):
    if name in REAL:
        request.getfixturevalue("data")
    load = load_of(name)
    rows, wrong = structures.measured(load)
    assert not wrong
    promised = list(structures.orderings(rows, ms.metric(load.metric)))
    assert promised
    assert not [(promise, shown) for promise, shown, holds in promised if not holds]


VECTORS = load_of("like learned")


def test_best_first_visits_nothing_in_vain(structure, monkeypatch):
    index = structure().fit(VECTORS.objects)
    for query in VECTORS.queries[:20]:
        told = {}
        for order in (BEST_FIRST, DEPTH_FIRST):
            monkeypatch.setattr(structure, "order", order)
            told[order] = index.explain(query, 10)
        ball = index.explain(query, radius=index.knn([query], 10).distances[0, -1])
        assert told[BEST_FIRST].visited <= min(told[DEPTH_FIRST].visited, ball.visited)


@pytest.mark.parametrize("key", [key for key, cls in ms.indexes().items() if structures.has_bounds(cls)])
def test_sharper_bounds_change_costs_alone(key):
    sharp, plain = (
        ms.indexes()[key](bounds=bounds).fit(VECTORS.objects) for bounds in ("four-point", "triangle")
    )
    nearest = [index.knn(VECTORS.queries, 10) for index in (sharp, plain)]
    assert (nearest[0].positions == nearest[1].positions).all()
    assert (nearest[0].distances == nearest[1].distances).all()
    radius = float(np.median(nearest[0].distances[:, -1]))
    balls = [index.range(VECTORS.queries, radius) for index in (sharp, plain)]
    assert (balls[0].positions == balls[1].positions).all()
    assert balls[0].cost.sum() < balls[1].cost.sum()
    with pytest.raises(ms.MetricSpaceError, match="four_point"):
        ms.indexes()[key]("manhattan", bounds="four-point").fit(VECTORS.objects[:10])
