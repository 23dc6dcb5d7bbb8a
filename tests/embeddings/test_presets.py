import numpy as np
import pytest

import embeddings
from benchmarks.trainer import omniglot
from embeddings import presets


@pytest.fixture
def characters(tmp_path):
    """Ten alphabets of two random characters of 28 × 28, four of each."""
    labels = np.repeat(np.arange(20), 4)
    images = np.random.default_rng(0).integers(0, 255, (20, 28, 28), dtype=np.uint8)[labels]
    path = tmp_path / "characters.npz"
    np.savez(path, images=images, labels=labels, alphabet=labels // 2)
    return path


def test_omniglot(characters, tmp_path):
    model = presets.omniglot(seed=2, epochs=1, batches_per_epoch=2, classes_per_batch=5)
    assert (model.lr, model.seed, model.items_per_class) == (3e-3, 2, 4)
    split = embeddings.zero_shot(embeddings.omniglot(characters))
    model.fit(*embeddings.with_symmetries(split.train_images, split.train_labels), progress=False)
    model.save(tmp_path / "model")
    again = embeddings.load(tmp_path / "model").embed(split.test_images)
    np.testing.assert_allclose(again, model.embed(split.test_images), rtol=1e-4, atol=1e-5)


def test_the_benchmark_compares_losses_with_pixels(characters, tmp_path):
    assert omniglot.rows(path=tmp_path / "none.npz") == []
    assert omniglot.verdicts([]) == {}
    brief = {"epochs": 1, "batches_per_epoch": 1, "classes_per_batch": 5}
    rows = omniglot.rows(["lifted"], characters, ["vptree", "laesa"], **brief)
    assert [row["embedding"] for row in rows] == ["pixels", "lifted"]
    assert rows[0].keys() == rows[1].keys()
    assert rows[0]["recall@1"] == 1
    assert 0 < rows[1]["CPU minutes"] < 1
    verdicts = omniglot.verdicts(rows)
    assert len(verdicts) == 3
    assert [met for said, met in verdicts.items() if "recall@1" in said] == [rows[1]["recall@1"] >= 0.9]


def test_verdicts():
    pixels = {"embedding": "pixels", "recall@1": 0.3, "CPU minutes": None, "vptree, of a scan": 0.9}
    ours = {"embedding": "lifted", "recall@1": 0.95, "CPU minutes": 5.0, "vptree, of a scan": 0.4}
    assert list(omniglot.verdicts([pixels, ours]).values()) == [True, True]
    assert list(omniglot.verdicts([pixels, ours | {"CPU minutes": 11.0}]).values()) == [False, True]
    assert list(omniglot.verdicts([pixels, ours | {"vptree, of a scan": 0.5}]).values()) == [True, False]
