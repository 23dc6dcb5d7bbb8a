"""Whatever the items come from, the trainer learns the same."""

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

from embeddings import InputError, hold_out, sources
from tests.embeddings.test_training import same_weights


class Pairs(Dataset):
    """Images as Pillow and torchvision give them, with labels listed or not."""

    def __init__(self, images, labels, as_tensor, listed):
        self.images, self.numbers, self.as_tensor = images, labels, as_tensor
        if listed:
            self.targets = list(labels)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, position):
        image = self.images[position]
        return (torch.from_numpy(image)[None] if self.as_tensor else image), int(self.numbers[position])


class OnDemand:
    """Has items for those who ask, and notes how many were asked for."""

    def __init__(self, items, labels):
        self.items, self.labels, self.asked = self, labels, 0
        self.held = items

    def __len__(self):
        return len(self.held)

    def __getitem__(self, positions):
        self.asked = max(self.asked, len(positions))
        return self.held[positions]


@pytest.mark.parametrize("kind", ["tensors", "listed", "unlisted", "pillow", "on demand", "torch", "lists"])
def test_all_sources_train_alike(trainer, pictures, kind):
    images, labels = pictures
    given = {
        "tensors": lambda: (TensorDataset(torch.from_numpy(images)[:, None], torch.from_numpy(labels)), None),
        "listed": lambda: (Pairs(images, labels, True, True), None),
        "unlisted": lambda: (Pairs(images, labels, True, False), None),
        "pillow": lambda: (Pairs(images, labels, False, True), None),
        "on demand": lambda: (OnDemand(images, labels), None),
        "torch": lambda: (torch.from_numpy(images), torch.from_numpy(labels)),
        "lists": lambda: (images.astype(np.float32).tolist(), labels.tolist()),
    }[kind]()
    scale = 255 if kind == "lists" else 1
    if kind == "lists":
        given = ((np.array(given[0]) / scale).tolist(), given[1])
    model = trainer().fit(*given, validation=0.4, progress=False)
    expected = trainer().fit(images, labels, validation=0.4, progress=False)
    if kind == "lists":  # thirds of bytes differ in float32 and float64
        np.testing.assert_allclose(model.history[-1]["loss"], expected.history[-1]["loss"], rtol=1e-3)
    else:
        assert same_weights(model, expected)
        assert model.history == expected.history


def test_what_is_read_on_demand_is_never_read_whole(trainer, pictures):
    images, labels = (np.tile(array, (8, *[1] * (array.ndim - 1))) for array in (pictures[0], pictures[1]))
    lazy = OnDemand(images, labels.ravel())
    trainer().fit(lazy, validation=0.4, progress=False)
    assert lazy.asked <= 512


def test_what_cannot_be_read_is_named(trainer, pictures):
    wrong = OnDemand(np.zeros((72, 8, 9)), pictures[1])
    with pytest.raises(InputError, match=r"\(n, 8, 8\) are expected"):
        trainer().fit(wrong, progress=False)


def test_labels_must_come_from_somewhere(trainer, pictures):
    with pytest.raises(InputError, match="training needs labels"):
        trainer().fit(pictures[0], progress=False)


@pytest.mark.parametrize(("share", "count"), [(0.2, 2), (0.5, 5), (0.01, 2), (0.99, 8)])
def test_classes_are_held_out_whole(share, count):
    labels = np.random.default_rng(0).integers(10, size=200)
    learn, apart = hold_out(labels, share, seed=1)
    assert np.array_equal(np.sort(np.concatenate([learn, apart])), np.arange(200))
    assert not set(labels[learn]) & set(labels[apart])
    assert len(set(labels[apart])) == count
    assert np.array_equal(apart, hold_out(labels, share, seed=1)[1])
    assert not np.array_equal(apart, hold_out(labels, 0.5, seed=2)[1])


@pytest.mark.parametrize(("labels", "share"), [([1, 2, 3, 3], 0.2), ([1, 2, 3, 4], 1.5), ([1, 2, 3, 4], 0.0)])
def test_too_few_classes_are_not_held_out(labels, share):
    with pytest.raises(InputError, match=r"four|between 0 and 1"):
        hold_out(np.array(labels), share, seed=0)


def test_colours_come_last():
    image = torch.rand(3, 4, 5)
    read = sources.FromDataset([(image, 0)])[np.array([0])]
    assert read.shape == (1, 4, 5, 3)
    assert np.array_equal(read[0, ..., 1], image[1].numpy())
