"""Networks made elsewhere; what torchvision and timm give is stood in for where they are not installed."""

import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

import embeddings
from embeddings import Adapter, Backbone, InputError, Trainer
from embeddings.networks import build


def small(name):
    """A network as torchvision's are: a body, and a classifier whose last layer is linear."""
    if name == "squeeze":
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1000))
    return nn.Sequential(body, classifier)


@pytest.fixture
def packages(monkeypatch):
    """Put small packages in the places of torchvision and timm; return how they were called."""
    calls = []

    def get_model(name, weights, **own):
        if name == "unheard_of":
            raise ValueError("Unknown model unheard_of")
        calls.append((name, weights, own))
        return small(name)

    def create_model(name, pretrained, num_classes):
        calls.append((name, pretrained, num_classes))
        made = small(name)
        made[1][2] = nn.Identity()
        made.pretrained_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
        return made

    torchvision, timm = types.ModuleType("torchvision"), types.ModuleType("timm")
    torchvision.models = types.SimpleNamespace(get_model=get_model)
    timm.create_model = create_model
    monkeypatch.setitem(sys.modules, "torchvision", torchvision)
    monkeypatch.setitem(sys.modules, "timm", timm)
    return calls


@pytest.mark.parametrize("model", ["torchvision:small", "timm:small"])
@pytest.mark.parametrize("shape", [(12, 12), (12, 12, 3)])
def test_a_backbone_is_trained_saved_and_loaded(packages, model, shape, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, size=(12, *shape), dtype=np.uint8)
    network = Backbone(shape, 5, model=model, pretrained=True)
    assert network.head.in_features == 6
    trainer = Trainer.as_published(network, epochs=1, batches_per_epoch=2)
    trainer.fit(images, np.repeat(np.arange(4), 3), progress=False)
    trainer.save(tmp_path)
    again = embeddings.load(tmp_path)
    assert np.array_equal(again.embed(images), trainer.embed(images))
    wanted = ("DEFAULT", None) if model.startswith("torchvision") else (True, False)
    assert (packages[0][1], packages[-1][1]) == wanted


def test_images_are_standardised_as_the_backbone_wants(packages):
    network = Backbone((12, 12, 3), 5, model="timm:small")
    standardize = network.layers[0][0]
    torch.testing.assert_close(standardize(torch.ones(1, 3, 12, 12)), torch.ones(1, 3, 12, 12))
    assert standardize(torch.ones(2, 1, 12, 12)).shape == (2, 3, 12, 12)


def test_googlenet_has_no_auxiliary_outputs(packages):
    Backbone((12, 12, 3), model="torchvision:googlenet")
    assert packages == [
        ("googlenet", None, {"transform_input": True, "aux_logits": False, "init_weights": True})
    ]


def test_the_seed_determines_what_is_not_pretrained(packages):
    one, same, other = (Backbone((12, 12), model="torchvision:small", seed=seed) for seed in (1, 1, 2))
    weights, others = one.state_dict(), same.state_dict()
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert not torch.equal(one.head.weight, other.head.weight)
    assert build(one.config).config == one.config


@pytest.mark.parametrize(
    ("shape", "model", "message"),
    [
        ((12, 12, 3), "resnet18", "torchvision:NAME"),
        ((12, 12, 3), "keras:resnet18", "torchvision:NAME"),
        ((12, 12, 2), "torchvision:small", "embeds images"),
        ((12,), "torchvision:small", "embeds images"),
        ((12, 12, 3), "torchvision:unheard_of", "Unknown model"),
        ((12, 12, 3), "torchvision:squeeze", "no linear layer"),
        ((2, 2, 3), "torchvision:small", "does not take items of shape"),
    ],
)
def test_what_is_no_backbone_is_refused(packages, shape, model, message):
    with pytest.raises(InputError, match=message):
        Backbone(shape, model=model)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match="pip install timm"):
        Backbone((12, 12, 3), model="timm:small")


def test_any_module_becomes_a_network():
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)).train()
    network = Adapter((8, 8), 5, module=module, normalize=True)
    assert module.training
    assert torch.equal(module[1].running_mean, torch.zeros(4))
    assert network.head.in_features == 4 * 6 * 6
    embedded = network(torch.rand(3, 1, 8, 8))
    torch.testing.assert_close(embedded.norm(dim=1), torch.ones(3))


def test_what_a_module_gives_may_be_the_embedding():
    network = Adapter((6,), None, module=nn.Linear(6, 3))
    assert (network.dim, network.head.out_features) == (3, 3)
    assert network(torch.rand(2, 6)).shape == (2, 3)


@pytest.mark.parametrize("module", [nn.Linear(7, 3), nn.LSTM(6, 3), nn.Flatten(0)])
def test_a_module_for_other_items_is_refused(module):
    with pytest.raises(InputError, match="module"):
        Adapter((6,), 3, module=module)


def test_a_rate_for_the_head_needs_a_head():
    network = Adapter((8, 8), None, module=nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()))
    with pytest.raises(InputError, match="no linear layer"):
        Trainer(network, embedding_lr=10.0).make_optimizer()
