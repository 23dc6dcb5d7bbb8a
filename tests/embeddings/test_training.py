import json
import os
import signal
import threading

import numpy as np
import pytest
import torch

import embeddings
from embeddings import (
    MLP,
    ConvNet,
    DivergenceError,
    InputError,
    LiftedStructureLoss,
    ModelFileError,
    RandomAffine,
    Trainer,
)


def same_weights(one, other):
    weights, others = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(weights[name], others[name]) for name in weights)


def test_learns_to_tell_classes_apart(trainer, pictures):
    images, labels = pictures
    model = trainer(epochs=4, batches_per_epoch=20)
    assert model.fit(images, labels, validation=(images, labels), progress=False) is model
    losses = [entry["loss"] for entry in model.history]
    assert losses[-1] < losses[0] / 2
    assert model.history[-1]["recall@1"] == 1.0
    assert [entry["epoch"] for entry in model.history] == [0, 1, 2, 3]
    assert "floor" not in model.history[0]


@pytest.mark.parametrize("augment", [None, RandomAffine()])
def test_the_seed_determines_the_weights(trainer, pictures, augment):
    one, same = (trainer(augment=augment, seed=1).fit(*pictures, progress=False) for _ in range(2))
    other = trainer(augment=augment, seed=2).fit(*pictures, progress=False)
    assert same_weights(one, same)
    assert one.history == same.history
    assert not same_weights(one, other)


def test_training_leaves_the_global_state_alone(trainer, pictures):
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model = trainer(threads=1).fit(*pictures, progress=False)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert not model.network.training
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_fit_goes_on_from_where_it_was(trainer, pictures):
    model = trainer().fit(*pictures, progress=False)
    before = model.embed(pictures[0])
    model.fit(*pictures, progress=False)
    assert [entry["epoch"] for entry in model.history] == [0, 1, 2, 3]
    assert not np.array_equal(model.embed(pictures[0]), before)


def test_trains_on_vectors(trainer, pictures):
    images, labels = pictures
    vectors = images.reshape(len(images), -1) / 255
    model = trainer(MLP((64,), 8)).fit(vectors, labels, progress=False)
    assert model.embed(vectors).shape == (72, 8)


def test_a_normalised_network_reports_the_floor(trainer, pictures):
    model = trainer(ConvNet((8, 8), 8, normalize=True)).fit(*pictures, progress=False)
    assert model.history[0]["floor"] == LiftedStructureLoss().sphere_floor(4, 3)
    assert model.history[0]["loss"] > model.history[0]["floor"]


def test_the_preset_fits_colour_images():
    images = np.random.default_rng(0).random((6, 12, 10, 3))
    model = Trainer.for_images(images, dim=5, seed=3, epochs=1, batches_per_epoch=1)
    model.fit(images, [0, 0, 0, 1, 1, 1], progress=False)
    assert model.embed(images).shape == (6, 5)


def test_embeddings_are_float32_and_scale_uint8(trainer, pictures):
    images, _ = pictures
    model = trainer()
    embeddings = model.embed(images)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(model.embed(images / 255), embeddings, atol=1e-6)
    images.flags.writeable = False
    np.testing.assert_allclose(model.embed(images[::-1])[::-1], embeddings, atol=1e-6)
    assert model.embed(images[:0]).shape == (0, 8)


def test_shows_progress(trainer, pictures, capsys):
    trainer().fit(*pictures)
    assert "loss" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((4, 8, 7)), [0, 0, 1, 1], r"\(n, 8, 8\) are expected"),
        (np.zeros((8, 8)), [0, 0, 1, 1], "batch of one"),
        (np.full((4, 8, 8), np.nan), [0, 0, 1, 1], "finite"),
        (np.full((4, 8, 8), 1e300), [0, 0, 1, 1], "finite"),
        (np.zeros((4, 8, 8), dtype=complex), [0, 0, 1, 1], "real numbers"),
        (np.zeros((4, 8, 8)), [0, 0, 1], "4 items need labels"),
        (np.zeros((4, 8, 8)), ["a", "a", "b", "b"], "labels must be integers"),
        (np.zeros((4, 8, 8)), [1, 1, 1, 1], "two classes"),
        (np.zeros((4, 8, 8)), [1, 2, 3, 4], "all labels differ"),
        (np.zeros((0, 8, 8)), [], "two items"),
    ],
)
def test_unusable_data_are_refused_before_training(trainer, images, labels, message):
    model = trainer()
    with pytest.raises(InputError, match=message):
        model.fit(images, labels, progress=False)
    assert model.history == []


def test_unusable_validation_data_are_refused_before_training(trainer, pictures):
    model = trainer()
    with pytest.raises(InputError, match="two items"):
        model.fit(*pictures, validation=(pictures[0][:1], [0]), progress=False)
    assert model.history == []


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"items_per_class": 2.5},
        {"lr": 0.0},
        {"lr": float("nan")},
        {"weight_decay": -1},
        {"seed": -1},
        {"threads": 0},
        {"loss": torch.nn.CrossEntropyLoss()},
    ],
)
def test_settings_out_of_range_are_refused(trainer, settings):
    with pytest.raises(InputError):
        trainer(**settings)


def test_vectors_are_not_turned(trainer):
    with pytest.raises(InputError, match="augment"):
        trainer(MLP((4,)), augment=RandomAffine())


def test_divergence_is_said_clearly(trainer, pictures):
    with pytest.raises(DivergenceError, match="learning rate"):
        trainer(lr=1e30, epochs=10).fit(*pictures, progress=False)


def test_divergence_of_a_loss_keeps_the_weights_finite(trainer, pictures):
    class Infinite(LiftedStructureLoss):
        def forward(self, embeddings, labels):
            return super().forward(embeddings, labels) * float("inf")

    model = trainer(loss=Infinite())
    with pytest.raises(DivergenceError, match="loss is inf"):
        model.fit(*pictures, progress=False)
    assert np.isfinite(model.embed(pictures[0])).all()


class Interrupted(Trainer):
    """Presses Ctrl-C in the third step."""

    def step(self, *args):
        self.taken = getattr(self, "taken", 0) + 1
        if self.taken == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return super().step(*args)


def test_ctrl_c_leaves_a_whole_model(pictures, tmp_path):
    model = Interrupted(ConvNet((8, 8), 8), epochs=3, batches_per_epoch=10)
    with pytest.warns(UserWarning, match="stopped in epoch 0"):
        model.fit(*pictures, progress=False)
    assert [entry["batches"] for entry in model.history] == [3]
    model.save(tmp_path)
    assert same_weights(embeddings.load(tmp_path), model)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_trains_outside_the_main_thread(trainer, pictures):
    model = trainer()
    thread = threading.Thread(target=model.fit, args=pictures, kwargs={"progress": False})
    thread.start()
    thread.join()
    assert len(model.history) == 2


def test_the_index_carries_the_metric(trainer, pictures):
    images, labels = pictures
    model = trainer().fit(images, labels, progress=False)
    vectors = model.embed(images)
    for structure in ("vptree", "linear"):
        hits = model.index(vectors, structure=structure, metric="euclidean").knn(vectors[:5], k=1)
        assert hits.positions[:, 0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("vectors", "params", "message"),
    [
        (np.ones((4, 8)), {"metric": "cosine"}, "normalize=True"),
        (np.ones((4, 8)), {"metric": "sqeuclidean"}, "no metrics"),
        (np.ones((4, 8)), {"structure": "octree"}, "no structure is named 'octree'"),
        (np.ones((4, 7)), {}, "8 dimensions"),
        (np.ones(8), {}, r"\(n, dim\)"),
        (np.full((4, 8), np.nan), {}, "finite"),
    ],
)
def test_the_index_refuses_what_was_not_trained(trainer, vectors, params, message):
    with pytest.raises(InputError, match=message):
        trainer().index(vectors, **params)


def test_the_index_refuses_vectors_off_the_sphere(trainer):
    with pytest.raises(InputError, match="unit vectors"):
        trainer(ConvNet((8, 8), 8, normalize=True)).index(np.ones((4, 8)))


@pytest.fixture
def saved(trainer, pictures, tmp_path):
    model = trainer(loss=LiftedStructureLoss(0.5), augment=RandomAffine(shift=0.02), seed=3)
    model.fit(*pictures, progress=False)
    model.save(tmp_path)
    return model, tmp_path


def test_saving_and_loading_keep_everything(saved, pictures):
    model, folder = saved
    again = embeddings.load(folder)
    assert np.array_equal(again.embed(pictures[0]), model.embed(pictures[0]))
    assert again.history == model.history
    assert again.loss.margin == 0.5
    assert (again.augment, again.seed, again.batches_per_epoch) == (model.augment, 3, 5)
    for one in (model, again):
        one.fit(*pictures, progress=False)
    assert same_weights(again, model)


def test_saving_again_replaces_the_model_and_nothing_else(saved, pictures):
    model, folder = saved
    (folder / "notes.txt").write_text("mine")
    model.fit(*pictures, progress=False).save(folder)
    assert len(list(folder.iterdir())) == 3
    assert same_weights(embeddings.load(folder), model)


def test_a_save_that_fails_keeps_the_old_model(saved, monkeypatch):
    model, folder = saved
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    model.embed(np.zeros((1, 8, 8)))
    with pytest.raises(OSError, match="disk full"):
        model.save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def edit(folder, **changes):
    path = folder / "model.json"
    config = json.loads(path.read_text())
    config.update(changes)
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "update the program"),
        ({"format": "other"}, "does not describe"),
        ({"sha256": "../../etc/passwd"}, "names no weights"),
        ({"sha256": "0" * 64}, "cannot be read"),
        ({"metric": "sqeuclidean"}, "sqeuclidean"),
        ({"dtype": "float16"}, "float16"),
        ({"network": {"name": "mlp", "input_shape": [64]}}, "weights"),
        ({"network": {"name": "conv", "input_shape": [8, 8], "dim": 10**9}}, "weights"),
        ({"network": {"name": "unheard of"}}, "import the module"),
        ({"network": 3}, "cannot be loaded"),
        ({"settings": {"augment": None, "colour": 3}}, "colour"),
        ({"settings": {"augment": None, "lr": "fast"}}, "cannot be loaded"),
        ({"loss": {"name": "lifted", "margin": -1}}, "margin"),
        ({"loss": None}, "pass your own"),
    ],
)
def test_damaged_or_newer_models_are_refused(saved, changes, message):
    _, folder = saved
    edit(folder, **changes)
    with pytest.raises(ModelFileError, match=message):
        embeddings.load(folder)


def test_damaged_weights_are_refused(saved):
    _, folder = saved
    (weights,) = folder.glob("*.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelFileError, match="damaged"):
        embeddings.load(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_damaged_configurations_are_refused(saved, content):
    _, folder = saved
    (folder / "model.json").write_bytes(content)
    with pytest.raises(ModelFileError):
        embeddings.load(folder)


def test_a_missing_model_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="no readable"):
        embeddings.load(tmp_path / "nowhere")


def test_a_loss_of_ones_own_is_passed_again(trainer, tmp_path):
    class Own(torch.nn.Module):
        metric = "euclidean"

    trainer(loss=Own()).save(tmp_path)
    own = Own()
    assert embeddings.load(tmp_path, loss=own).loss is own
