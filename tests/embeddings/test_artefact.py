"""One folder holds the model and its index, and what is loaded is checked."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import embeddings
import metricspace
from embeddings import Adapter, ConvNet, Embedder, InputError, ModelFileError, Trainer


@pytest.fixture
def model(trainer, pictures):
    return trainer().fit(*pictures, progress=False)


def test_the_index_comes_back_with_the_model(model, pictures, tmp_path):
    images, labels = pictures
    names = [f"{label}/{i}" for i, label in enumerate(labels)]
    index = model.index(model.embed(images), ids=names)
    model.save(tmp_path, index=index)
    for kind in (Trainer, Embedder):
        again = kind.load(tmp_path)
        hits = again.gallery.knn(again.embed(images[:5]), k=3)
        expected = index.knn(model.embed(images[:5]), k=3)
        assert hits.ids.tolist() == expected.ids.tolist()
        assert hits.ids[:, 0].tolist() == names[:5]
        assert np.array_equal(hits.distances, expected.distances)
    assert embeddings.load(tmp_path).history == model.history


def test_an_index_may_grow(model, pictures, tmp_path):
    images, _ = pictures
    model.save(tmp_path, index=model.index(model.embed(images[:50]), structure="mtree"))
    again = embeddings.load(tmp_path)
    again.gallery.add(again.embed(images[50:]))
    again.save(tmp_path, index=again.gallery)
    assert embeddings.load(tmp_path).gallery.n_objects == len(images)
    assert len(list(tmp_path.iterdir())) == 3


def test_without_an_index_none_is_left(model, pictures, tmp_path):
    model.save(tmp_path, index=model.index(model.embed(pictures[0])))
    model.save(tmp_path)
    assert embeddings.load(tmp_path).gallery is None
    assert len(list(tmp_path.iterdir())) == 2


def test_training_drops_the_index_of_the_embeddings_before(model, pictures, tmp_path):
    model.save(tmp_path, index=model.index(model.embed(pictures[0])))
    again = embeddings.load(tmp_path).fit(*pictures, progress=False)
    assert again.gallery is None


@pytest.mark.parametrize("metric", ["manhattan", "chord"])
def test_an_index_of_another_metric_is_refused(model, pictures, metric, tmp_path):
    index = metricspace.LinearScan(metric).fit(model.embed(pictures[0]))
    with pytest.raises(InputError, match="the model of 'euclidean'"):
        model.save(tmp_path, index=index)
    assert not list(tmp_path.iterdir())


def test_an_index_of_other_dimensions_is_refused(model, tmp_path):
    with pytest.raises(InputError, match="8"):
        model.save(tmp_path, index=metricspace.LinearScan().fit(np.ones((3, 9))))


def edit(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    "damage", ["changed", "missing", "of another metric", "named badly", "normalisation"]
)
def test_damage_is_noticed(model, pictures, damage, tmp_path):
    model.save(tmp_path, index=model.index(model.embed(pictures[0]), structure="linear"))
    (file,) = tmp_path.glob("*.metricspace")
    if damage == "changed":
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    elif damage == "missing":
        file.unlink()
    elif damage == "of another metric":
        model.check_index = lambda index: None
        model.save(tmp_path, index=metricspace.LinearScan("manhattan").fit(model.embed(pictures[0])))
    elif damage == "named badly":
        edit(tmp_path, index_sha256="../../etc/passwd")
    else:
        edit(tmp_path, normalize=True)
    with pytest.raises(ModelFileError):
        embeddings.load(tmp_path)


def test_a_module_of_ones_own_is_passed_again(trainer, pictures, tmp_path):
    def network(seed):
        torch.manual_seed(seed)
        return Adapter((8, 8), 5, module=nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()))

    model = trainer(network(0)).fit(*pictures, progress=False)
    model.save(tmp_path)
    with pytest.raises(ModelFileError, match="pass it as network="):
        embeddings.load(tmp_path)
    again = embeddings.load(tmp_path, network=network(1))
    assert np.array_equal(again.embed(pictures[0]), model.embed(pictures[0]))
    with pytest.raises(ModelFileError, match="was saved with the network"):
        embeddings.load(tmp_path, network=ConvNet((8, 8), 5))


def test_settings_may_be_replaced_when_loading(trainer, pictures, tmp_path):
    model = trainer(schedule=lambda done: 1 - done, augment=lambda batch, rng: batch, lr=0.5)
    model.save(tmp_path)
    again = embeddings.load(tmp_path, lr=0.25, epochs=7)
    assert (again.lr, again.epochs, again.schedule, again.augment) == (0.25, 7, "cosine", None)
