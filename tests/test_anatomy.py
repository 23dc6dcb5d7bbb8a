"""What an index says of its structure and of a query."""

import numpy as np
import pytest

import metricspace as ms
from metricspace.anatomy import Anatomy

X = (np.random.default_rng(0).integers(0, 40, (600, 3)) / 4).astype(np.float32)


@pytest.fixture(scope="module")
def index(structure):
    return structure(seed=1).fit(X)


def test_every_object_lives_somewhere_or_there_are_no_nodes(index):
    anatomy = index._anatomy()
    assert len(anatomy.homes) == 600
    if len(anatomy.parents) == 0:
        assert (anatomy.homes == -1).all()
        return
    assert (anatomy.homes >= 0).all()
    values = np.random.default_rng(1).random(600)
    expected = np.full(len(anatomy.parents), -np.inf)
    for slot, node in enumerate(anatomy.homes):
        while node >= 0:
            expected[node] = max(expected[node], values[slot])
            node = anatomy.parents[node]
    assert (anatomy.greatest_below(values) == expected).all()


def test_what_lies_below_a_node_is_a_span(index):
    anatomy = index._anatomy()
    spans, random = anatomy.spans, np.random.default_rng(2)
    assert sorted(spans.order) == list(range(600))
    below = np.zeros((len(anatomy.parents), 600), bool)
    for slot, node in enumerate(anatomy.homes):
        while node >= 0:
            below[node, slot] = True
            node = anatomy.parents[node]
    chosen = random.random(600) < 0.3
    for _ in range(5 if len(below) else 0):
        nodes = random.choice(len(below), min(4, len(below)), replace=False)
        nodes = nodes[below[nodes].any(axis=1)]
        sizes, counts = spans.tally(nodes, chosen)
        assert sizes.tolist() == below[nodes].sum(axis=1).tolist()
        assert counts.tolist() == below[nodes][:, chosen].sum(axis=1).tolist()
        assert (spans.below(nodes) == below[nodes].any(axis=0)).all()


def test_spans_without_what_was_removed():
    anatomy = Anatomy(np.array([1, -1, 3, 1, 0]), np.array([-1, 0, 0, 2]))
    spans = anatomy.spans
    assert spans.order.tolist() == [4, 0, 3, 2, 1]
    assert spans.start.tolist() == [0, 1, 3, 3]
    assert spans.stop.tolist() == [4, 3, 4, 4]


def test_levels():
    anatomy = Anatomy(np.array([3, 3, 2]), np.array([-1, 0, 0, 1]))
    assert anatomy.levels.tolist() == [0, 1, 1, 2]


def test_statistics(index):
    statistics = index.statistics()
    assert statistics.objects == 600
    assert statistics.build_cost == index.build_cost
    assert statistics.nbytes == index.nbytes
    anatomy = index._anatomy()
    parents = set(anatomy.parents.tolist()) - {-1}
    nodes = parents | set(anatomy.homes.tolist()) - {-1}
    assert statistics.nodes == len(nodes)
    assert statistics.leaves == len(nodes - parents)
    assert (statistics.depth > 0) == (len(parents) > 0)
    if statistics.covering_radii:
        least, mean, greatest = statistics.covering_radii
        assert 0 <= least <= mean <= greatest <= 20


def test_explain_accounts_for_a_range(index):
    told = index.explain(X[3], radius=0.5)
    assert told.cost == index.range(X[3:4], 0.5, filter=np.ones(600, bool)).cost[0]
    assert told.objects == 600
    excluded = sum(told.excluded_nodes.values()) + sum(told.excluded_objects.values())
    if told.cost < 600:
        assert excluded > 0
    else:
        assert not told.excluded_objects
    assert f"{told.cost:,} distances" in str(told)


def test_explain_the_nearest(index):
    told = index.explain(X[3], 5)
    alone = index.knn(X[3:4], 5, filter=np.ones(600, bool))  # with a filter each query goes by itself
    assert told.cost == alone.cost[0]
    assert told.visited > 0
    if len(index._anatomy().parents) == 0 and index.key != "linear":  # a table excludes object by object
        assert told.cost + sum(told.excluded_objects.values()) == 600


def test_explain_is_refused_before_fit(structure):
    with pytest.raises(ms.MetricSpaceError, match="fit"):
        structure().explain(X[0])
