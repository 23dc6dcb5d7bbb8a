"""Networks made elsewhere: any module of torch, and those that torchvision and timm know by name."""

import importlib
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from embeddings.errors import InputError
from embeddings.networks import Network

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Adapter(Network, name="adapter"):
    """A module of the user's own, and an embedding layer on it.

    It is saved by its weights alone: to load the model, build the same adapter again and pass it as
    ``network``. A module that is to be built by name is a subclass of :class:`Network`.

    Parameters
    ----------
    input_shape : (h, w), (h, w, c) or (features,)
    dim : int or None, default 64
        Of the linear layer on what the module gives for an item, flattened. None: no such layer, what the
        module gives is the embedding.
    module : Module
        Takes (n, c, h, w) or (n, features) in float32.
    normalize : bool, default False
    seed : int, default 0
        Of the linear layer.

    Raises
    ------
    InputError
        If the module does not take such items.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        dim: int | None = 64,
        *,
        module: nn.Module | None = None,
        normalize: bool = False,
        seed: int = 0,
        **params: Any,
    ) -> None:
        if module is None:
            raise InputError("the module is your own: build the network again, and pass it as network=")
        features = features_of(module, tuple(input_shape))
        super().__init__(
            input_shape, features if dim is None else dim, normalize=normalize, seed=seed, **params
        )
        layers = [module, nn.Flatten()]
        if dim is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                layers.append(nn.Linear(features, dim))
        self.layers = nn.Sequential(*layers)


class Backbone(Adapter, name="backbone"):
    """A network of torchvision or timm without its classifier, and an embedding layer on it.

    Images are standardised by the mean and the deviation of ImageNet, or those that timm knows; grey ones get
    three equal channels.

    Parameters
    ----------
    input_shape : (h, w) or (h, w, 3)
    dim : int, default 64
    model : str, default "torchvision:resnet18"
        The package and the name of the model there: ``"torchvision:googlenet"``,
        ``"timm:vit_small_patch16_224"``.
    pretrained : bool, default False
        Begin with the weights that the package downloads. Not part of ``config``: a saved model has its own.
    normalize : bool, default False
    seed : int, default 0

    Raises
    ------
    InputError
        If the package is not installed or has no such model, or the model does not take such images.
    """

    built_on: ClassVar[str] = "cpu"  # some models cannot be built without storage

    def __init__(
        self,
        input_shape: tuple[int, ...],
        dim: int = 64,
        *,
        model: str = "torchvision:resnet18",
        pretrained: bool = False,
        normalize: bool = False,
        seed: int = 0,
    ) -> None:
        package, _, name = str(model).partition(":")
        if package not in MAKERS or not name:
            raise InputError(f"model is torchvision:NAME or timm:NAME, not {model!r}")
        if len(input_shape) not in (2, 3) or tuple(input_shape[2:]) not in ((), (1,), (3,)):
            raise InputError(f"a model of {package} embeds images (h, w) or (h, w, 3), not {input_shape}")
        try:
            importlib.import_module(package)
        except (ImportError, RuntimeError) as error:  # the latter where it was built for another torch
            raise InputError(f"{model!r} needs a package: pip install {package} ({error})") from error
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                made, mean, std = MAKERS[package](name, pretrained)
            except (ValueError, RuntimeError) as error:  # as they complain about names, and about downloads
                raise InputError(f"{package} does not give {name!r}: {error}") from error
        module = nn.Sequential(Standardize(mean, std), made)
        super().__init__(input_shape, dim, module=module, normalize=normalize, seed=seed, model=model)


class Standardize(nn.Module):
    """Colours less their mean, by their deviation; grey images as three equal channels."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Standardise (n, 1 or 3, h, w) to (n, 3, h, w)."""
        return (images - self.mean) / self.std


def features_of(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Count the numbers that a module gives for one item, by trying it."""
    height, width, channels = (*shape, 1)[:3] if len(shape) > 1 else (1, 1, 1)
    training = module.training
    tensor = next(module.parameters(), torch.empty(0))
    one = tensor.new_zeros(shape if len(shape) == 1 else (channels, height, width), dtype=torch.float32)
    try:
        with torch.inference_mode():
            given = module.eval()(one[None])
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise InputError(f"the module does not take items of shape {shape}: {error}") from error
    finally:
        module.train(training)
    if not isinstance(given, Tensor) or len(given) != 1:
        raise InputError(f"a module must give a tensor with one row an item, not {type(given).__name__}")
    return given.numel()


def from_torchvision(name: str, pretrained: bool) -> tuple[nn.Module, tuple[float, ...], tuple[float, ...]]:
    """Make a model of torchvision, whose last linear layer is its classifier."""
    from torchvision import models

    own: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        # Whether these transform their input must not depend on where the weights come from.
        own = {"transform_input": True} | ({} if pretrained else {"aux_logits": False, "init_weights": True})
    model = models.get_model(name, weights="DEFAULT" if pretrained else None, **own)
    linear = [path for path, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linear:
        raise InputError(f"{name} of torchvision ends in no linear layer that could be replaced")
    parent, _, last = linear[-1].rpartition(".")
    setattr(model.get_submodule(parent), last, nn.Identity())
    return model, IMAGENET_MEAN, IMAGENET_STD


def from_timm(name: str, pretrained: bool) -> tuple[nn.Module, tuple[float, ...], tuple[float, ...]]:
    """Make a model of timm without its classifier."""
    import timm

    model = timm.create_model(name, pretrained=pretrained, num_classes=0)
    known = getattr(model, "pretrained_cfg", {})
    return model, known.get("mean", IMAGENET_MEAN), known.get("std", IMAGENET_STD)


MAKERS = {"torchvision": from_torchvision, "timm": from_timm}
