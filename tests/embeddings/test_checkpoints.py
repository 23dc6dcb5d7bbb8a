"""A training goes on exactly where it was, whatever ended it."""

import errno
import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from embeddings import (
    InputError,
    LiftedStructureLoss,
    ModelFileError,
    Network,
    RandomAffine,
    Trainer,
    checkpoints,
)
from embeddings.samplers import ClassBatches
from tests.embeddings.test_training import same_weights

CHILD = "from tests.embeddings.test_checkpoints import killed; import sys; killed(sys.argv[1])"


class Forgetful(Network, name="forgetful"):
    """Draws random numbers and has statistics of its own."""

    def __init__(self, input_shape, dim, *, normalize=False, seed=0):
        super().__init__(input_shape, dim, normalize=normalize, seed=seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Flatten(),
                nn.Linear(64, 16),
                nn.BatchNorm1d(16),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(16, dim),
            )


class Remembering(LiftedStructureLoss):
    """Depends on the batches before: on how many there were, and on their mean."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(6))
        self.register_buffer("seen", torch.tensor(0))

    def forward(self, embeddings, labels):
        self.mean = 0.9 * self.mean + 0.1 * embeddings.detach().mean(dim=0)
        self.seen += 1
        pull = (embeddings.mean(dim=0) - self.mean).square().sum()
        return super().forward(embeddings, labels) + self.seen * pull


class Refreshed(ClassBatches):
    """Deals by the embeddings that it was shown last."""

    def refresh(self, embeddings):
        self.shift = int(np.abs(embeddings).sum() * 1000) % 1000

    def epoch(self, number):
        return super().epoch(number + self.shift)


class Killed(Trainer):
    """Ends without a word in the second epoch, between two checkpoints."""

    def step(self, group, run):
        if len(self.history) == 1 and len(run.losses) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(group, run)


def data():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), 8)
    images = rng.integers(0, 200, size=(8, 8, 8))[labels] + rng.integers(0, 56, size=(64, 8, 8))
    return images.astype(np.uint8), labels


def make(kind=Trainer, **settings):
    usual = {
        "classes_per_batch": 4,
        "items_per_class": 3,
        "epochs": 3,
        "batches_per_epoch": 5,
        "checkpoint_every": 2,
        "augment": RandomAffine(),
        "sampler": Refreshed,
        "refresh_every": 2,
        "threads": 1,
    }
    return kind(Forgetful((8, 8), 6), Remembering(), **usual | settings)


def killed(folder):
    make(Killed).fit(*data(), validation=0.25, out=folder, progress=False)


def test_a_training_that_is_killed_goes_on_to_the_bit(tmp_path):
    whole = make().fit(*data(), validation=0.25, out=tmp_path / "whole", progress=False)
    ended = subprocess.run([sys.executable, "-c", CHILD, tmp_path / "killed"], check=False)
    assert ended.returncode == -signal.SIGKILL
    state = checkpoints.read(tmp_path / "killed" / "last.safetensors")
    assert (len(state["history"]), len(state["losses"])) == (1, 2)
    again = make().fit(*data(), validation=0.25, out=tmp_path / "killed", resume=True, progress=False)
    assert same_weights(again, whole)
    assert again.history == whole.history
    assert again.chosen == whole.chosen
    last, expected = (checkpoints.read(tmp_path / name / "last.safetensors") for name in ("killed", "whole"))
    del last["random"], expected["random"]  # numpy's and Python's began anywhere in the other process
    assert equal(last, expected)


def equal(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    return np.array_equal(one, other)


def test_a_training_that_is_over_stays_as_it_is(tmp_path):
    model = make().fit(*data(), out=tmp_path, progress=False)
    again = make().fit(*data(), out=tmp_path, resume=True, progress=False)
    assert same_weights(again, model)
    assert again.history == model.history
    longer = make(epochs=4).fit(*data(), out=tmp_path, resume=True, progress=False)
    assert [entry["epoch"] for entry in longer.history] == [0, 1, 2, 3]


def test_ctrl_c_leaves_a_checkpoint(tmp_path):
    class Interrupted(Trainer):
        def step(self, group, run):
            if len(run.losses) == 3:
                os.kill(os.getpid(), signal.SIGINT)
            return super().step(group, run)

    whole = make().fit(*data(), progress=False)
    with pytest.warns(UserWarning, match="stopped"):
        make(Interrupted, checkpoint_every=None).fit(*data(), out=tmp_path, progress=False)
    again = make(checkpoint_every=None).fit(*data(), out=tmp_path, resume=True, progress=False)
    assert same_weights(again, whole)
    assert again.history == whole.history


@pytest.mark.parametrize("change", [{"lr": 1e-2}, {"items_per_class": 2}, {"seed": 1}])
def test_another_training_is_not_gone_on_with(tmp_path, change):
    make(epochs=1).fit(*data(), out=tmp_path, progress=False)
    with pytest.raises(InputError, match=f"another training: {next(iter(change))} was"):
        make(**change).fit(*data(), out=tmp_path, resume=True, progress=False)


def test_other_data_are_not_gone_on_with(tmp_path):
    images, labels = data()
    make(epochs=1).fit(images, labels, out=tmp_path, progress=False)
    with pytest.raises(InputError, match="labels was"):
        make().fit(images, labels[::-1].copy(), out=tmp_path, resume=True, progress=False)


def test_a_training_is_not_overwritten(tmp_path):
    make(epochs=1).fit(*data(), out=tmp_path, progress=False)
    before = (tmp_path / "last.safetensors").read_bytes()
    with pytest.raises(InputError, match="holds a training"):
        make().fit(*data(), out=tmp_path, progress=False)
    assert (tmp_path / "last.safetensors").read_bytes() == before


def test_without_a_checkpoint_resuming_begins(tmp_path):
    model = make(epochs=1).fit(*data(), out=tmp_path / "new", resume=True, progress=False)
    assert len(model.history) == 1


def full_disk(monkeypatch, after):
    """Let a file system run out of space when so many bytes of a file have been written."""
    real = os.fsync

    def fsync(number):
        if os.fstat(number).st_size > after:
            os.ftruncate(number, after)
            raise OSError(errno.ENOSPC, "No space left on device")
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    make(epochs=1, schedule="constant").fit(*data(), out=tmp_path, progress=False)
    before = (tmp_path / "last.safetensors").read_bytes()
    with monkeypatch.context() as patched:
        full_disk(patched, after=1000)
        model = make(schedule="constant")
        with pytest.raises(OSError, match="No space left"):
            model.fit(*data(), out=tmp_path, resume=True, progress=False)
    assert not model.network.training
    assert (tmp_path / "last.safetensors").read_bytes() == before
    assert not list(tmp_path.glob(".*"))
    whole = make(schedule="constant").fit(*data(), progress=False)
    again = make(schedule="constant").fit(*data(), out=tmp_path, resume=True, progress=False)
    assert same_weights(again, whole)


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    (tmp_path / ".last.safetensors.123").write_bytes(b"half")
    make(epochs=1).fit(*data(), out=tmp_path, progress=False)
    assert not list(tmp_path.glob(".*"))


def test_a_state_comes_back_as_it_was(tmp_path):
    shared = torch.arange(6.0).reshape(2, 3).T
    state = {
        "weights": {"a": shared, "b": shared, "half": torch.ones(2, dtype=torch.bfloat16)},
        "state": {0: {"step": torch.tensor(3.0)}, 1: {}},
        "groups": [{"betas": (0.9, 0.999), "foreach": None, "lr": 0.1 + 0.2}],
        "large": 2**100,
        "random": checkpoints.random_state(),
        "vectors": np.ones((2, 3), dtype=np.float32),
        "number": np.float64(0.5),
    }
    checkpoints.write(tmp_path / "state", state)
    assert equal(checkpoints.read(tmp_path / "state"), state)


def test_what_cannot_be_held_is_named(tmp_path):
    with pytest.raises(TypeError, match="function, at /optimizer/0"):
        checkpoints.write(tmp_path / "state", {"optimizer": [test_what_cannot_be_held_is_named]})


@pytest.mark.parametrize("content", [b"", b"junk", b"\x08\0\0\0\0\0\0\0{}      "])
def test_damaged_checkpoints_are_refused(tmp_path, content):
    (tmp_path / "last.safetensors").write_bytes(content)
    with pytest.raises(ModelFileError, match="readable checkpoint"):
        make().fit(*data(), out=tmp_path, resume=True, progress=False)


def test_random_numbers_go_on():
    state = checkpoints.random_state()
    drawn = torch.rand(2), np.random.rand(2), random.random()  # noqa: NPY002
    checkpoints.set_random_state(state)
    assert equal(drawn, (torch.rand(2), np.random.rand(2), random.random()))  # noqa: NPY002
