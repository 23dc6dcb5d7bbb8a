"""What a user may put into the loop, or replace of it."""

import functools

import pytest
import torch
from torch import nn

import embeddings
from embeddings import ConvNet, Trainer, losses, samplers
from tests.embeddings.test_training import same_weights


class Told(samplers.ClassBatches):
    """Notes what it is told of the embeddings."""

    def __init__(self, labels, *, batches, seed, told):
        super().__init__(labels, classes=3, items=2, batches=batches, seed=seed)
        self.told = told

    def refresh(self, embeddings):
        self.told.append(embeddings)


@pytest.mark.parametrize(("every", "times"), [(1, 4), (2, 2), (3, 2)])
def test_a_sampler_sees_the_embeddings_anew(trainer, pictures, every, times):
    told = []
    model = trainer(sampler=functools.partial(Told, told=told), refresh_every=every, epochs=4)
    model.fit(*pictures, progress=False)
    assert len(told) == times
    assert all(vectors.shape == (72, 8) for vectors in told)
    assert not (told[0] == told[1]).all()


def test_hard_neighbours_are_resumed_to_the_bit(trainer, pictures, tmp_path):
    class Interrupted(Trainer):
        def step(self, group, run):
            if len(self.history) == 1 and len(run.losses) == 2:
                raise KeyboardInterrupt
            return super().step(group, run)

    settings = {"sampler": "HardNeighbourBatches", "refresh_every": 3, "epochs": 3, "batches_per_epoch": 4}
    whole = trainer(**settings).fit(*pictures, progress=False)
    cut = Interrupted(ConvNet((8, 8), 8, filters=(8,)), **settings, classes_per_batch=4, items_per_class=3)
    cut.checkpoint_every = 1
    with pytest.raises(KeyboardInterrupt):
        cut.fit(*pictures, out=tmp_path, progress=False)
    again = trainer(**settings).fit(*pictures, out=tmp_path, resume=True, progress=False)
    assert same_weights(again, whole)
    assert again.history == whole.history


def test_the_memory_of_a_loss_is_resumed_to_the_bit(trainer, pictures, tmp_path):
    def make(epochs):
        loss = losses.CrossBatchMemory(losses.ContrastiveLoss(), size=40)
        return trainer(loss=loss, epochs=epochs, schedule="constant")

    whole = make(3).fit(*pictures, progress=False)
    make(1).fit(*pictures, out=tmp_path, progress=False)
    again = make(3).fit(*pictures, out=tmp_path, resume=True, progress=False)
    assert same_weights(again, whole)
    again.save(tmp_path / "model")
    assert embeddings.load(tmp_path / "model").loss.config == again.loss.config


def test_the_optimiser_may_be_replaced(trainer, pictures, tmp_path):
    class Momentum(Trainer):
        def make_optimizer(self):
            return torch.optim.SGD(self.network.parameters(), lr=self.lr, momentum=0.9)

        def make_schedule(self, optimizer):
            return torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])

    def make(epochs):
        brief = {"classes_per_batch": 4, "items_per_class": 3, "batches_per_epoch": 3, "augment": None}
        return Momentum.for_images(pictures[0], dim=8, epochs=epochs, **brief)

    whole = make(2).fit(*pictures, progress=False)
    make(1).fit(*pictures, out=tmp_path, progress=False)
    again = make(2).fit(*pictures, out=tmp_path, resume=True, progress=False)
    assert same_weights(again, whole)
    assert [entry["lr"] for entry in whole.history] == pytest.approx([1e-4, 1e-5])


def test_distortions_may_be_ones_own(trainer, pictures):
    shapes = []

    def noise(batch, rng):
        shapes.append(tuple(batch.shape))
        return batch + torch.from_numpy(rng.normal(0, 0.1, batch.shape)).float()

    one, same = (trainer(augment=noise).fit(*pictures, progress=False) for _ in range(2))
    assert set(shapes) == {(12, 1, 8, 8)}
    assert same_weights(one, same)


def test_a_loss_may_learn_on_its_own(trainer, pictures):
    class Proxies(nn.Module):
        metric = "euclidean"

        def __init__(self):
            super().__init__()
            self.proxies = nn.Parameter(torch.randn(6, 8))

        def forward(self, vectors, labels):
            return nn.functional.cross_entropy(-torch.cdist(vectors, self.proxies), labels)

    torch.manual_seed(0)
    loss = Proxies()
    before = loss.proxies.detach().clone()
    trainer(loss=loss).fit(*pictures, progress=False)
    assert not torch.equal(loss.proxies.detach(), before)
