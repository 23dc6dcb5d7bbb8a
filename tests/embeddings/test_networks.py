import json

import numpy as np
import pytest
import torch

from embeddings import MLP, ConvNet, InputError, RandomAffine, with_symmetries
from embeddings.networks import build, restore


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (28, 28, 3), (1, 1), (5, 13)])
@pytest.mark.parametrize("normalize", [False, True])
def test_convolutions_embed_images_of_any_size(shape, normalize):
    network = ConvNet(shape, 16, normalize=normalize)
    images = torch.rand(4, shape[2] if len(shape) == 3 else 1, *shape[:2])
    embeddings = network(images)
    assert embeddings.shape == (4, 16)
    if normalize:
        torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(4))


@pytest.mark.parametrize("hidden", [(), (7,), (7, 5)])
def test_mlp_embeds_vectors(hidden):
    assert MLP((6,), 3, hidden=hidden)(torch.rand(4, 6)).shape == (4, 3)


@pytest.mark.parametrize(
    "network", [ConvNet((9, 8, 3), 5, filters=(4, 6), normalize=True), MLP((6,), 3, seed=4)]
)
def test_is_rebuilt_from_json(network):
    again = build(json.loads(json.dumps(network.config)))
    assert again.config == network.config
    for name, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)


def test_seed_determines_the_weights_and_leaves_the_global_state_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = MLP((3,), 2), MLP((3,), 2), MLP((3,), 2, seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one.layers[1].weight, same.layers[1].weight)
    assert not torch.equal(one.layers[1].weight, other.layers[1].weight)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "resnet"}, "import the module"),
        ({"name": "conv", "input_shape": [8, 8], "depth": 3}, "cannot be built"),
        ({"name": "conv", "input_shape": [8]}, "embeds images"),
        ({"name": "conv", "input_shape": [8, 0]}, "positive whole numbers"),
        ({"name": "mlp", "input_shape": [8], "dim": 2.5}, "positive whole numbers"),
        ({"name": "mlp", "input_shape": [8], "seed": -1}, "seed"),
    ],
)
def test_refuses_configurations_of_no_network(config, message):
    with pytest.raises(InputError, match=message):
        build(config)


@pytest.mark.parametrize("damage", ["missing", "surplus", "shape", "nan"])
def test_refuses_weights_of_another_network(damage):
    network = MLP((3,), 2)
    weights = network.state_dict()
    if damage == "missing":
        del weights["layers.1.weight"]
    elif damage == "surplus":
        weights["layers.9.weight"] = torch.zeros(1)
    elif damage == "shape":
        weights["layers.1.weight"] = torch.zeros(1, 1)
    else:
        weights["layers.1.weight"] = torch.full_like(weights["layers.1.weight"], torch.nan)
    with pytest.raises(InputError, match="layers"):
        restore(network.config, weights)


def test_no_distortion_is_the_identity():
    images = torch.rand(3, 2, 7, 11)
    still = RandomAffine(shift=0, degrees=0, scale=0)(images, np.random.default_rng(0))
    torch.testing.assert_close(still, images)


def test_distortion_follows_the_generator_and_differs_between_images():
    images = torch.rand(1, 1, 9, 9).expand(4, 1, 9, 9)
    one, same = (RandomAffine()(images, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(one, same)
    assert not torch.allclose(one[0], one[1])
    with pytest.raises(InputError, match="degrees"):
        RandomAffine(degrees=-1)


def test_symmetries_are_the_eight_of_the_square():
    image = np.arange(9).reshape(1, 3, 3)
    images, labels = with_symmetries(image, [2])
    assert labels.tolist() == list(range(16, 24))
    assert len({picture.tobytes() for picture in images}) == 8
    assert np.array_equal(images[0], image[0])
    assert {picture[1, 1] for picture in images} == {4}
    with pytest.raises(InputError, match="square"):
        with_symmetries(np.zeros((2, 3, 4)), [0, 1])
