"""What a training is set to does what it says."""

import math

import numpy as np
import pytest
import torch

from embeddings import MLP, ConvNet, InputError, Trainer, schedules
from tests.embeddings.test_training import same_weights


class Noting(Trainer):
    """Notes the gradients and the rates of all steps."""

    def step(self, group, run):
        values = super().step(group, run)
        noted = self.__dict__.setdefault("noted", [])
        gradients = torch.cat([parameter.grad.flatten() for parameter in self.network.parameters()])
        noted.append((gradients, [one["lr"] for one in run.optimizer.param_groups]))
        return values


def noting(**settings):
    brief = {"classes_per_batch": 4, "items_per_class": 3, "epochs": 2, "batches_per_epoch": 5}
    return Noting(MLP((64,), 8, hidden=()), **brief | settings)


@pytest.fixture
def vectors(pictures):
    images, labels = pictures
    return images.reshape(len(images), -1) / np.float32(255), labels


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_learns_and_embeds_in_float32(trainer, pictures, precision):
    images, labels = pictures
    seen = []
    model = trainer(epochs=4, batches_per_epoch=10, precision=precision, keep="last")
    hook = model.network.layers[0].register_forward_hook(lambda *given: seen.append(given[2].dtype))
    model.fit(images, labels, progress=False)
    assert set(seen) == {getattr(torch, precision)}
    hook.remove()
    losses = [entry["loss"] for entry in model.history]
    assert losses[-1] < losses[0]
    assert model.embed(images).dtype == np.float32
    assert all(weight.dtype != getattr(torch, precision) for weight in model.network.parameters())


def test_a_step_that_overflows_is_left_out(trainer, pictures):
    class Overflowing(Trainer):
        def begin(self, data, world):
            run = super().begin(data, world)
            run.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
            return run

    model = Overflowing(ConvNet((8, 8), 8), epochs=1, batches_per_epoch=1, precision="float16")
    before = {name: weight.clone() for name, weight in model.network.named_parameters()}
    model.fit(*pictures, progress=False)
    assert all(torch.equal(weight, before[name]) for name, weight in model.network.named_parameters())
    assert model.history[0]["lr"] == model.lr


def test_gradients_are_clipped(vectors):
    free, clipped = noting(), noting(clip=0.5)
    for model in (free, clipped):
        model.fit(*vectors, progress=False)
    assert float(free.noted[0][0].norm()) > 0.6
    assert max(float(gradients.norm()) for gradients, _ in clipped.noted) < 0.5 + 1e-4


def test_accumulated_gradients_are_the_mean(vectors):
    apart, together = noting(lr=1e-12), noting(lr=1e-12, accumulate=2, epochs=1)
    apart.fit(*vectors, progress=False)
    with pytest.warns(UserWarning, match="does not bring more negatives"):
        together.fit(*vectors, progress=False)
    singles = [gradients for gradients, _ in apart.noted[:5]]
    means = [gradients for gradients, _ in together.noted]
    expected = [(singles[0] + singles[1]) / 2, (singles[2] + singles[3]) / 2, singles[4]]
    assert len(means) == 3  # the last of an epoch's batches make a step of their own
    for mean, one in zip(means, expected):
        torch.testing.assert_close(mean, one)
    assert together.history[0]["batches"] == 5


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1, 1, 1, 1]),
        ("cosine", [1, 0.5 + math.sqrt(0.125), 0.5, 0.5 - math.sqrt(0.125)]),
        ("step", [1, 1, 0.1, 0.01]),
        (lambda done: 1 - done, [1, 0.75, 0.5, 0.25]),
    ],
)
def test_the_rate_follows_its_schedule(schedule, factors):
    given = schedules.named(schedule)
    np.testing.assert_allclose([given(done) for done in (0, 0.25, 0.5, 0.75)], factors)


def test_warming_up_rises_and_then_falls():
    rates = [schedules.warmup_cosine(done / 1000) for done in range(1000)]
    assert 0 < rates[0] < 0.05
    assert rates[:51] == sorted(rates[:51])
    assert max(rates) == 1
    assert rates[51:] == sorted(rates[51:], reverse=True)


def test_the_embedding_layer_has_a_rate_of_its_own(vectors):
    model = noting(embedding_lr=10.0, schedule="constant")
    model.network = MLP((64,), 8)
    model.fit(*vectors, progress=False)
    assert model.noted[-1][1] == [model.lr, 10 * model.lr]
    optimizer = model.make_optimizer()
    head = {id(parameter) for parameter in optimizer.param_groups[1]["params"]}
    assert head == {id(parameter) for parameter in model.network.layers[-1].parameters()}
    everything = [one for group in optimizer.param_groups for one in group["params"]]
    assert len(everything) == len(list(model.network.parameters()))


def test_the_paper_trains_the_head_ten_times_as_fast():
    model = Trainer.as_published(ConvNet((8, 8), 8), epochs=1)
    assert [group["initial_lr"] for group in scheduled(model)] == [model.lr, 10 * model.lr]
    assert model.classes_per_batch * model.items_per_class == 128
    assert (model.loss.margin, model.network.normalize, model.epochs) == (1.0, False, 1)


def scheduled(model):
    optimizer = model.make_optimizer()
    model.make_schedule(optimizer)
    return optimizer.param_groups


class Scored(Trainer):
    """Has the scores that it is told, and notes its weights."""

    told = ()

    def measure(self, held_out):
        weights = {name: weight.clone() for name, weight in self.network.state_dict().items()}
        self.__dict__.setdefault("weights", []).append(weights)
        recall, distances = self.told[len(self.history)]
        return {
            "recall@1": recall,
            "map@r": -recall,
            "distances_vptree": distances,
            "distances_laesa": distances,
        }


def scored(told, **settings):
    brief = {"classes_per_batch": 3, "items_per_class": 3, "epochs": len(told), "batches_per_epoch": 2}
    model = Scored(ConvNet((8, 8), 8, filters=(4,)), **brief | settings)
    model.told = told
    return model


TOLD = [(0.5, 50.0), (0.9, 40.0), (0.898, 20.0), (0.9, 30.0), (0.6, 10.0)]


@pytest.mark.parametrize(
    ("settings", "chosen"),
    [
        ({}, 1),
        ({"monitor": "map@r"}, 0),
        ({"keep": "cheapest"}, 2),
        ({"keep": "last"}, None),
        ({"patience": 1}, 1),
    ],
)
def test_the_epoch_is_chosen(pictures, settings, chosen, tmp_path):
    model = scored(TOLD, **settings).fit(*pictures, validation=0.4, out=tmp_path, progress=False)
    assert model.chosen == chosen
    expected = model.weights[-1 if chosen is None else chosen]
    assert all(torch.equal(weight, expected[name]) for name, weight in model.network.state_dict().items())
    kept = sorted(path.name for path in tmp_path.glob("epoch-*"))
    near_best = ["epoch-0001.safetensors", "epoch-0002.safetensors", "epoch-0003.safetensors"]
    if settings.get("keep") == "cheapest":
        assert kept == near_best
    else:
        assert len(kept) == (chosen is not None)


def test_training_stops_where_nothing_gets_better(pictures):
    model = scored(TOLD, patience=2).fit(*pictures, validation=0.4, progress=False)
    assert len(model.history) == 4
    again = scored(TOLD, patience=2).fit(*pictures, progress=False)
    assert len(again.history) == 5


@pytest.mark.parametrize(
    "settings",
    [
        {"clip": 0},
        {"accumulate": 0},
        {"precision": "int8"},
        {"schedule": "linear"},
        {"monitor": "loss"},
        {"keep": "all"},
        {"patience": 0},
        {"checkpoint_every": -1},
        {"embedding_lr": 0.0},
        {"sampler": "random"},
        {"metric": "cosine"},
        {"metric": "angular"},
    ],
)
def test_settings_out_of_range_are_refused(trainer, settings):
    with pytest.raises(InputError, match=f"{next(iter(settings))}"):
        trainer(**settings)


@pytest.mark.parametrize("metric", ["euclidean", "chord", "angular"])
def test_one_metric_is_trained_measured_and_searched(trainer, pictures, metric, tmp_path):
    images, labels = pictures
    model = trainer(ConvNet((8, 8), 8, normalize=True), metric=metric).fit(images, labels, progress=False)
    vectors = model.embed(images)
    index = model.index(vectors)
    assert index.metric.name == metric
    model.save(tmp_path, index=index)
    assert Trainer.load(tmp_path).metric == metric
    with pytest.raises(InputError, match="no other"):
        model.index(vectors, metric="manhattan")


def test_the_same_seed_holds_the_same_classes_out(trainer, pictures):
    one, same = (trainer(seed=3).fit(*pictures, validation=0.4, progress=False) for _ in range(2))
    assert same_weights(one, same)
    assert one.history == same.history
