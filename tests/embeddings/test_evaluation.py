import numpy as np
import pytest

from embeddings import InputError, evaluate, evaluation
from embeddings.evaluation import ami, cluster, contingency, map_at_r, recall

from . import definitions


@pytest.fixture
def ties():
    """Make embeddings and labels with many ties and duplicates, and with items alone in their class."""

    def make(seed):
        rng = np.random.default_rng(seed)
        return rng.integers(0, 4, size=(40, 3)).astype(np.float32), rng.integers(0, 12, size=40) ** 2

    return make


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_definitions(ties, seed):
    embeddings, labels = ties(seed)
    scores = evaluate(embeddings, labels, ks=(2, 5, 60), seed=seed)
    points, names = embeddings.tolist(), labels.tolist()
    for k in (2, 5, 60):
        assert scores[f"recall@{k}"] == pytest.approx(definitions.recall(points, names, k))
        other = definitions.recall_of_accompanied(points, names, k)
        assert scores[f"recall@{k} of accompanied"] == pytest.approx(other)
    assert scores["alone"] == pytest.approx(1 - len(definitions.accompanied(names)) / 40)
    precision, average = definitions.r_precision_and_map(points, names)
    assert scores["precision@1"] == pytest.approx(definitions.precision_at_1(points, names))
    assert scores["r_precision"] == pytest.approx(precision)
    assert scores["map@r"] == pytest.approx(average)
    clusters, how = cluster(embeddings, len(set(names)), seed)
    assert scores["nmi"] == pytest.approx(definitions.nmi(clusters.tolist(), names))
    assert scores["f1"] == pytest.approx(definitions.pair_f1(clusters.tolist(), names))
    assert scores["ami"] == pytest.approx(ami(contingency(clusters, labels)))
    assert {name: scores[name] for name in how} == how
    assert (how["kmeans_seed"], how["kmeans_starts"], how["kmeans_minibatch"]) == (seed, 10, 0)


@pytest.mark.parametrize("room", [1, 7, 100])
def test_the_size_of_batches_changes_nothing(ties, room, monkeypatch):
    embeddings, labels = ties(5)
    before = evaluate(embeddings, labels)
    assert recall(embeddings, labels, 2) == before["recall@2"]
    assert map_at_r(embeddings, labels) == before["map@r"]
    monkeypatch.setattr(evaluation, "NEIGHBOURS_AT_ONCE", room)
    assert evaluate(embeddings, labels, n_jobs=1) == before


def test_clustering_can_be_left_out(ties):
    scores = evaluate(*ties(0), clustering=False)
    assert "map@r" in scores
    assert not {name for name in scores if name.startswith("kmeans") or name in ("nmi", "ami", "f1")}


def test_many_clusters_are_found_from_batches(monkeypatch):
    embeddings = np.repeat(np.eye(6, dtype=np.float32) * 50, 30, axis=0)
    embeddings += np.random.default_rng(0).random(embeddings.shape, dtype=np.float32)
    monkeypatch.setattr(evaluation, "MOST_FOR_LLOYD", 100)
    scores = evaluate(embeddings, np.repeat(np.arange(6), 30))
    assert (scores["kmeans_minibatch"], scores["kmeans_starts"]) == (1, 1)
    assert scores["nmi"] > 0.85


@pytest.mark.parametrize(
    ("clusters", "classes"),
    [
        ([0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1]),
        ([0, 0, 0, 0, 0, 1], [0, 1, 0, 1, 2, 2]),
        ([5, 5, 9, 9, 9, 9, 9], [1, 1, 1, 2, 2, 3, 3]),
    ],
)
def test_ami_is_less_what_chance_gives(clusters, classes):
    score = ami(contingency(np.array(clusters), np.array(classes)))
    assert score == pytest.approx(definitions.ami(clusters, classes))


def test_ami_is_that_of_sklearn():
    from sklearn.metrics import adjusted_mutual_info_score

    rng = np.random.default_rng(0)
    clusters, classes = rng.integers(0, 30, 500) ** 2, rng.zipf(1.5, 500) % 20
    expected = adjusted_mutual_info_score(classes, clusters)
    assert ami(contingency(clusters, classes)) == pytest.approx(expected)
    assert ami(contingency(classes, classes)) == pytest.approx(1.0)


def test_a_query_is_left_out_by_position_among_many_duplicates():
    embeddings = np.zeros((6, 2))
    labels = [0, 1, 2, 3, 4, 0]
    # All distances are equal, so position alone decides who comes first: item 0 for all but itself.
    assert recall(embeddings, labels, k=1) == pytest.approx(1 / 6)
    assert evaluate(embeddings, labels, ks=(1, 5))["recall@5"] == pytest.approx(2 / 6)


def test_perfect_clusters_score_one():
    embeddings = np.repeat(np.eye(5) * 100, 4, axis=0)
    scores = evaluate(embeddings, np.repeat(np.arange(5), 4))
    for name in ("recall@1", "precision@1", "nmi", "ami", "f1", "r_precision", "map@r"):
        assert scores[name] == pytest.approx(1.0)


def test_items_alone_in_their_class_count_as_misses():
    scores = evaluate([[0.0], [1.0], [50.0]], [0, 0, 1])
    assert scores["recall@1"] == pytest.approx(2 / 3)
    assert scores["alone"] == pytest.approx(1 / 3)
    for name in ("recall@1 of accompanied", "precision@1", "r_precision"):
        assert scores[name] == 1.0


def test_degenerate_partitions_score_zero():
    one_class = evaluate(np.arange(4.0)[:, None], [7, 7, 7, 7])
    assert (one_class["nmi"], one_class["ami"], one_class["f1"], one_class["recall@1"]) == (
        0.0,
        0.0,
        1.0,
        1.0,
    )
    all_alone = evaluate(np.arange(4.0)[:, None], [1, 2, 3, 4])
    assert (all_alone["f1"], all_alone["ami"], all_alone["map@r"], all_alone["alone"]) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("embeddings", "labels", "ks", "message"),
    [
        (np.zeros((3, 2)), [0, 1], (1,), "3 items need labels"),
        (np.zeros(3), [0, 1, 1], (1,), r"\(n, dim\)"),
        (np.full((2, 2), np.inf), [0, 1], (1,), "finite"),
        (np.zeros((1, 2)), [0], (1,), "compared with others"),
        (np.zeros((2, 2)), [0, 1], (0,), "positive"),
        (np.zeros((2, 2)), [0, 1], (), "positive"),
    ],
)
def test_unusable_input_is_refused(embeddings, labels, ks, message):
    with pytest.raises(InputError, match=message):
        evaluate(embeddings, labels, ks)
