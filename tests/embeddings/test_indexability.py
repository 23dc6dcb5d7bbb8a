import math

import numpy as np
import pytest

from embeddings import InputError, indexability, intrinsic_dimension
from embeddings.indexability import cheapest, pairs_within, picture, report


@pytest.fixture
def blobs():
    """Ten clusters of thirty points in eight dimensions, two of which coincide."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 30)
    vectors = (4 * rng.normal(size=(10, 8))[labels] + rng.normal(size=(300, 8))).astype(np.float32)
    vectors[7] = vectors[3]
    return vectors, labels


def test_the_report_is_what_its_words_say(blobs, monkeypatch):
    monkeypatch.setattr(indexability, "QUERIES", 1000)
    vectors, labels = blobs
    found = report(vectors, labels, structures=("vptree", "linear", "aesa"), k=5, seed=3)
    far = np.linalg.norm(vectors[:, None].astype(np.float64) - vectors, axis=2)
    every = far[~np.eye(300, dtype=bool)]
    alike = far[(labels[:, None] == labels) & ~np.eye(300, dtype=bool)]
    assert found["rho"] == pytest.approx(every.mean() ** 2 / 2 / every.var(), rel=0.05)
    assert found["rho_within"] == pytest.approx(alike.mean() ** 2 / 2 / alike.var(), rel=0.05)
    near = np.sort(far + np.diag(np.full(300, np.inf)), axis=1)
    assert found["contrast"] == pytest.approx(every.mean() / near[:, 0].mean(), rel=0.05)
    assert found["searched"] == 299
    assert found["distances_linear"] == 300  # with itself, too: its neighbours in the tile are all measured
    assert found["distances_aesa"] < found["distances_vptree"] < 299
    listed = np.argsort(far + np.diag(np.full(300, np.inf)), axis=1, kind="stable")[:, :5]
    occurrences = [int((listed == i).sum()) for i in range(300)]
    mean = sum(occurrences) / 300
    second, third = (sum((times - mean) ** power for times in occurrences) / 300 for power in (2, 3))
    assert found["hubness"] == pytest.approx(third / second**1.5)
    assert found["norm_mean"] == pytest.approx(np.linalg.norm(vectors, axis=1).mean())
    assert found["norm_std"] == pytest.approx(np.linalg.norm(vectors, axis=1).std(), rel=1e-4)
    assert found["duplicates"] == pytest.approx(1 / 300)
    assert found["collapsed"] == 0


def test_excluded_pairs_are_those_of_the_triangle_inequality(blobs):
    vectors = blobs[0][:60]
    radii = np.random.default_rng(1).random(60) * 5
    share = indexability.excluded(vectors, radii, np.random.default_rng(2))
    order = np.random.default_rng(2).permutation(60)
    pivots, queries = order[:16].tolist(), order[16:].tolist()
    far = np.linalg.norm(vectors[:, None].astype(np.float64) - vectors, axis=2)
    pairs = [(q, o) for q in queries for o in range(60) if o != q]
    out = [any(abs(far[q, p] - far[p, o]) > radii[q] for p in pivots) for q, o in pairs]
    assert 0.1 < share == pytest.approx(sum(out) / len(pairs))


def test_the_seed_determines_the_report(blobs):
    one, same, other = (
        report(*blobs, sample=100, seed=seed, n_jobs=jobs) for seed, jobs in ((0, 1), (0, 2), (1, 1))
    )
    assert one == same != other
    assert one["searched"] == 99


def test_tight_clusters_are_cheap_to_search():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(20), 20)
    noise = rng.normal(size=(400, 16))
    tight, none = (report(width * rng.normal(size=(20, 16))[labels] + noise, labels) for width in (30, 0))
    assert tight["excluded"] > 0.9 > 0.1 > none["excluded"]
    assert tight["distances_vptree"] < none["distances_vptree"] / 4
    assert tight["contrast"] > none["contrast"]


def test_degenerate_embeddings():
    labels = [0, 0, 1, 1]
    same = report(np.ones((4, 3)), labels)
    assert (same["collapsed"], same["duplicates"], same["rho"], same["contrast"]) == (1, 0.75, 0, 0)
    assert report(np.zeros((4, 3)), labels)["collapsed"] == 1
    nearly = np.ones((4, 3)) + 1e-5 * np.random.default_rng(0).random((4, 3))
    assert report(nearly, labels)["collapsed"] == 1
    assert report(np.eye(4), labels)["rho"] == math.inf
    alone = report(np.eye(4), [0, 1, 2, 3])
    assert alone["rho_within"] == 0
    assert report([[0.0], [-0.0], [1.0]], [0, 0, 1])["duplicates"] == pytest.approx(1 / 3)


def test_pairs_within_classes():
    labels = np.array([5, 2, 5, 9, 2, 5])
    left, right = pairs_within(labels, 2000, np.random.default_rng(0))
    assert (left != right).all()
    assert (labels[left] == labels[right]).all()
    assert set(zip(left.tolist(), right.tolist())) == {
        (i, j) for i in range(6) for j in range(6) if i != j and labels[i] == labels[j]
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"structures": ("octree",)}, "structures are some of"),
        ({"structures": ()}, "structures are some of"),
        ({"sample": 2}, "sample of 3"),
        ({"k": 0}, "k of 1"),
    ],
)
def test_unusable_settings_are_refused(blobs, settings, message):
    with pytest.raises(InputError, match=message):
        report(*blobs, **settings)


def test_unusable_data_are_refused():
    with pytest.raises(InputError, match="3 items"):
        report(np.zeros((2, 2)), [0, 1])
    with pytest.raises(InputError, match="need labels"):
        report(np.zeros((3, 2)), [0, 1])


def epoch(number, recall, **costs):
    return {
        "epoch": number,
        "recall@1": recall,
        **{f"distances_{name}": cost for name, cost in costs.items()},
    }


def test_the_cheapest_of_the_best_epochs_is_chosen():
    history = [
        epoch(0, 0.80, vptree=10, laesa=5),
        epoch(1, 0.897, vptree=100, laesa=60),
        epoch(2, 0.900, vptree=120, laesa=50),
        epoch(3, 0.894, vptree=20, laesa=20),
        {"epoch": 4, "loss": 0.1},
    ]
    assert cheapest(history) == 2
    assert cheapest(history, structure="vptree") == 1
    assert cheapest(history, within=0.01) == 3
    assert cheapest(history, within=0) == 2
    assert cheapest([epoch(0, 0.899, vptree=9), epoch(1, 0.9, vptree=9), epoch(2, 0.9, vptree=9)]) == 1
    with pytest.raises(InputError, match="no epoch"):
        cheapest([{"epoch": 0, "recall@1": 0.5}])
    with pytest.raises(InputError, match="distances_aesa"):
        cheapest(history, structure="aesa")


@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_pictures(blobs, epochs, tmp_path):
    measured = report(*blobs)
    history = [{"epoch": number, "recall@1": 0.5 + number / 10, **measured} for number in range(epochs)]
    history.append({"epoch": epochs, "loss": 1.0})
    path = picture(history, *blobs, tmp_path / "some.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    picture(history, np.eye(3), [0, 1, 2], tmp_path / "alone.svg")
    assert b"<svg" in (tmp_path / "alone.svg").read_bytes()


def test_intrinsic_dimension_grows_with_the_dimension():
    rng = np.random.default_rng(0)
    low, high = (intrinsic_dimension(rng.standard_normal((2000, dim))) for dim in (2, 32))
    # For a Gaussian in d dimensions μ²/2σ² of the distances tends to d.
    assert high == pytest.approx(32, rel=0.05)
    assert low < 4


def test_intrinsic_dimension_of_few_points():
    assert intrinsic_dimension(np.zeros((3, 2))) == 0.0
    assert intrinsic_dimension([[0.0], [1.0]]) == math.inf
    assert intrinsic_dimension([[0.0], [1.0], [3.0]], seed=1) == intrinsic_dimension(
        [[0.0], [1.0], [3.0]], seed=1
    )
    with pytest.raises(InputError, match="two vectors"):
        intrinsic_dimension([[0.0]])
