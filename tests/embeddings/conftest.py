import numpy as np
import pytest
import torch

from embeddings import ConvNet, Trainer


@pytest.fixture
def pictures():
    """Twelve noisy pictures of each of six patterns, as uint8."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 200, size=(6, 8, 8))
    labels = np.repeat(np.arange(6), 12)
    noise = rng.integers(0, 56, size=(len(labels), 8, 8))
    return (patterns[labels] + noise).astype(np.uint8), labels


@pytest.fixture
def trainer():
    """Make a small trainer; the settings given replace its own."""

    def make(network=None, loss=None, **settings):
        network = network or ConvNet((8, 8), 8, filters=(8,))
        brief = {"classes_per_batch": 4, "items_per_class": 3, "epochs": 2, "batches_per_epoch": 5}
        losses = {} if loss is None else {"loss": loss}
        return Trainer(network, **losses, **brief | settings)

    return make


@pytest.fixture
def batch():
    """Make a batch of random embeddings in double precision, and labels."""

    def make(size, classes, dim=5, seed=0):
        generator = torch.Generator().manual_seed(seed)
        embeddings = torch.randn(size, dim, generator=generator, dtype=torch.float64)
        return embeddings, torch.randint(classes, (size,), generator=generator)

    return make
