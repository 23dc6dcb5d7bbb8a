"""Networks from images or vectors to embeddings, rebuilt by name from a configuration that JSON can hold."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from embeddings.errors import InputError


class Network(nn.Module):
    """A network that knows its input, its output and how to be built again.

    A subclass names itself, ``class Mine(Network, name="mine")``, hands its parameters to this constructor,
    and makes ``self.layers``. It can then be trained, saved, and loaded wherever it has been imported.

    Parameters
    ----------
    input_shape : sequence of int
        Shape of one item as the user has it: ``(h, w)``, ``(h, w, c)`` or ``(features,)``. The layers meet
        images as (n, c, h, w).
    dim : int
        Dimension of the embeddings.
    normalize : bool
        Whether embeddings are scaled to unit length.
    seed : int
        Determines the first weights.
    **params
        Whatever else the subclass's constructor takes.

    Attributes
    ----------
    config : dict
        ``name`` and parameters; ``build(network.config)`` gives the same network, untrained.

    Raises
    ------
    InputError
        If a parameter is out of range.
    """

    names: ClassVar[dict[str, type["Network"]]] = {}
    name: ClassVar[str]
    built_on: ClassVar[str] = "meta"  # where `restore` builds it: on meta it has no storage
    layers: nn.Module

    def __init_subclass__(cls, *, name: str) -> None:
        super().__init_subclass__()
        cls.name = name
        Network.names[name] = cls

    def __init__(
        self, input_shape: tuple[int, ...], dim: int, *, normalize: bool, seed: int, **params: Any
    ) -> None:
        super().__init__()
        self.input_shape = tuple(input_shape)
        self.dim = dim
        self.normalize = normalize
        check_sizes("input_shape and dim", *self.input_shape, dim)
        if not (isinstance(normalize, bool) and isinstance(seed, int) and 0 <= seed < 2**63):
            raise InputError(f"normalize is a bool and seed a whole number, not {normalize!r} and {seed!r}")
        self.config: dict[str, Any] = {
            "name": self.name,
            "input_shape": list(self.input_shape),
            "dim": dim,
            "normalize": normalize,
            "seed": seed,
            **params,
        }

    def arrange(self) -> None:
        """Put weights in the order in memory in which they serve fastest; here they stay as they are."""

    @property
    def head(self) -> nn.Module:
        """The embedding layer, which may learn at another rate: the last linear one."""
        linear = [layer for layer in self.layers.modules() if isinstance(layer, nn.Linear)]
        if not linear:
            raise InputError(f"{type(self).__name__} has no linear layer to be its embedding layer")
        return linear[-1]

    def forward(self, items: Tensor) -> Tensor:
        """Embed a batch: (n, c, h, w) or (n, features) to (n, dim)."""
        embeddings: Tensor = self.layers(items)
        return functional.normalize(embeddings, dim=1) if self.normalize else embeddings


class ConvNet(Network, name="conv"):
    """3 × 3 convolutions, each with pooling by two, batch normalisation and ReLU; then one linear layer.

    Pooling comes first, so that normalisation and ReLU touch a quarter of the values, which saves a fifth
    of the time of a step. Pooling ends before a side falls below
    three, where an image keeps too little of its layout: 28 × 28 becomes 3 × 3, and 8 × 8 becomes 4 × 4.

    Parameters
    ----------
    input_shape : (h, w) or (h, w, c)
        Any size.
    dim : int, default 64
    filters : sequence of int, default (32, 64, 64)
        Number of filters of each convolution.
    normalize : bool, default False
        The paper does not normalise.
    seed : int, default 0
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        dim: int = 64,
        *,
        filters: tuple[int, ...] = (32, 64, 64),
        normalize: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(input_shape, dim, normalize=normalize, seed=seed, filters=list(filters))
        if len(self.input_shape) not in (2, 3):
            raise InputError(f"a convolutional network embeds images (h, w) or (h, w, c), not {input_shape}")
        check_sizes("filters", *filters)
        height, width, channels = (*self.input_shape, 1)[:3]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers: list[nn.Module] = []
            for before, after in zip((channels, *filters), filters):
                layers.append(nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False))
                if min(height, width) // 2 >= 3:
                    layers.append(nn.MaxPool2d(2))
                    height, width = height // 2, width // 2
                layers += [nn.BatchNorm2d(after), nn.ReLU()]
            flat = height * width * (channels, *filters)[-1]
            self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, dim))
        self.arrange()

    def arrange(self) -> None:
        """Put weights in the order of channels last: two fifths of the time of a step on a CPU are saved."""
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class MLP(Network, name="mlp"):
    """Linear layers with batch normalisation and ReLU between them.

    Parameters
    ----------
    input_shape : (features,)
    dim : int, default 64
    hidden : sequence of int, default (256,)
        Widths of the layers between; none makes the network a linear map, that is, learns a Mahalanobis
        distance.
    normalize : bool, default False
    seed : int, default 0
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        dim: int = 64,
        *,
        hidden: tuple[int, ...] = (256,),
        normalize: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(input_shape, dim, normalize=normalize, seed=seed, hidden=list(hidden))
        check_sizes("hidden", *hidden)
        features = math.prod(self.input_shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers: list[nn.Module] = [nn.Flatten()]
            for before, after in zip((features, *hidden), hidden):
                layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
            self.layers = nn.Sequential(*layers, nn.Linear((features, *hidden)[-1], dim))


def build(config: Mapping[str, Any]) -> Network:
    """Build an untrained network from its configuration.

    Parameters
    ----------
    config : mapping
        ``name`` and the parameters of that class.

    Raises
    ------
    InputError
        If no such network has been imported, or it refuses the parameters.
    """
    params = dict(config)
    name = params.pop("name", None)
    if name not in Network.names:
        known = ", ".join(sorted(Network.names))
        raise InputError(f"no network is named {name!r} (known: {known}): import the module that defines it")
    try:
        return Network.names[name](**params)
    except TypeError as error:
        raise InputError(f"network {name!r} cannot be built from {params}: {error}") from error


def restore(
    config: Mapping[str, Any], weights: Mapping[str, Tensor], network: Network | None = None
) -> Network:
    """Build a network with given weights.

    Parameters
    ----------
    config : mapping
        As for :func:`build`.
    weights : mapping of Tensor
        The network's ``state_dict``.
    network : Network, optional
        What to fill with the weights, where it cannot be built from its name.

    Raises
    ------
    InputError
        If the weights are not those of such a network, or not finite.
    """
    if network is None:
        # Without storage until the weights come: a damaged configuration cannot ask for much memory.
        with torch.device(getattr(Network.names.get(config["name"]), "built_on", "meta")):
            network = build(config)
    elif network.config != config:
        raise InputError(f"the model was saved with the network {config}, and given is {network.config}")
    for name, tensor in network.state_dict().items():
        given = weights.get(name)
        if given is None or (given.shape, given.dtype) != (tensor.shape, tensor.dtype):
            raise InputError(f"weights {name!r} are missing or of another shape or type")
        if not given.isfinite().all():
            raise InputError(f"weights {name!r} are not finite")
    try:
        network.load_state_dict(weights, assign=True)
        network.arrange()
    except RuntimeError as error:
        raise InputError(str(error)) from error
    return network


def check_sizes(what: str, *sizes: object) -> None:
    """Raise :class:`InputError` unless all sizes are positive whole numbers."""
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise InputError(f"{what} must be positive whole numbers, not {sizes}")
