"""What the processes of test_distributed run: a short training that notes its losses and gradients."""

import sys

import numpy as np
import torch
from torch import nn

from embeddings import Adapter, Trainer, distributed

ITEMS = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
LABELS = np.repeat(np.arange(6), 10)
SUMMED = {"accumulate": 3, "clip": 10.0}


class Noting(Trainer):
    """Notes the gradient of the first step."""

    gradients = None

    def step(self, group, run):
        losses = super().step(group, run)
        if self.gradients is None:
            self.gradients = [parameter.grad.clone() for parameter in self.network.parameters()]
        return losses


def train(folder=None, resume=False, **settings):
    """Train on batches of nine, which two processes cannot share evenly."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 16), nn.Tanh())
    network = Adapter((8,), 4, module=module)
    usual = {"classes_per_batch": 3, "items_per_class": 3, "epochs": 2, "batches_per_epoch": 4, "threads": 1}
    model = Noting(network, **usual | settings)
    return model.fit(ITEMS, LABELS, validation=0.4, out=folder, resume=resume, progress=False)


def noted(model):
    """What is compared: all but the last bias, whose gradient is nothing but rounding."""
    weights = list(model.network.state_dict().values())[:-1]
    return {
        "losses": [entry["loss"] for entry in model.history],
        "recall": [entry["recall@1"] for entry in model.history],
        **{f"weight{i}": weight.numpy() for i, weight in enumerate(weights)},
        **{f"gradient{i}": gradient.numpy() for i, gradient in enumerate(model.gradients)},
    }


if __name__ == "__main__":
    folder = sys.argv[1]
    with distributed.joined("cpu") as world:
        np.savez(f"{folder}/plain{world.rank}.npz", **noted(train()))
        np.savez(f"{folder}/summed{world.rank}.npz", **noted(train(f"{folder}/run", **SUMMED)))
        again = train(f"{folder}/run", resume=True, **SUMMED | {"epochs": 3})
        assert len(again.history) == 3
