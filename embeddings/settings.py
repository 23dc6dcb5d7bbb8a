"""What a training is set to: checked when it is made, saved with the model."""

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, asdict, dataclass, field, fields
from typing import Any, Self

import numpy as np
from torch import Tensor, nn

from embeddings import losses, samplers, schedules
from embeddings.augmentation import RandomAffine
from embeddings.embedder import METRIC, Embedder
from embeddings.errors import InputError
from embeddings.networks import Network, check_sizes

SAMPLERS = {
    name: made for name, made in vars(samplers).items() if isinstance(made, type) and name.endswith("Batches")
}
PRECISIONS = ("float32", "bfloat16", "float16")
MONITORS = ("recall@1", "map@r")
KEPT = ("best", "cheapest", "last")
OF_EMBEDDER = ("metric", "device", "threads")


@dataclass(eq=False)
class Settings(Embedder):
    """An embedder with all that says how it is to be trained.

    Parameters
    ----------
    network : Network
        Maps items to embeddings; trained in place.
    loss : Module, default LiftedStructureLoss()
        Called with (embeddings, labels). Its ``metric`` must be ``"euclidean"`` or the model's.
    classes_per_batch, items_per_class : int, default 30 and 4
        A batch holds so many items of so many classes; see :class:`ClassBatches` for small classes.
    sampler : str or callable, default "ClassBatches"
        The name of a class of :mod:`embeddings.samplers`, or what is called as these are, with labels and
        those of classes=, items=, batches= and seed= that it takes, and deals the batches. What has a method
        ``refresh`` is given the embeddings of all training items every ``refresh_every`` epochs.
    refresh_every : int, default 1
    epochs : int, default 10
        Of each call of ``fit``.
    batches_per_epoch : int, default 100
        After so many batches the loss is recorded, and the validation set measured.
    lr : float, default 1e-3
        AdamW's learning rate at the start.
    embedding_lr : float, default 1
        What it is multiplied by in the embedding layer; the paper has 10 on a pretrained network.
    schedule : {"cosine", "constant", "warmup-cosine", "step"} or callable, default "cosine"
        How the learning rate changes; see :mod:`embeddings.schedules`.
    weight_decay : float, default 0
    clip : float, optional
        Greatest norm of the gradient of a step; longer ones are scaled down to it.
    accumulate : int, default 1
        Take a step after so many batches, along the mean of their gradients. Pairs are within one batch all
        the same: unlike a larger batch, this brings no more negatives.
    precision : {"float32", "bfloat16", "float16"}, default "float32"
        What the network computes in while it is trained. The loss, the weights and all that is embedded later
        stay in float32.
    augment : RandomAffine or callable, optional
        Distorts the training images: called with a batch (n, c, h, w) and a numpy generator.
    monitor : {"recall@1", "map@r"}, default "recall@1"
        What is measured on the held-out classes after each epoch, and chosen by.
    keep : {"best", "cheapest", "last"}, default "best"
        The epoch whose weights the model has after the training: the best on the held-out classes; of those
        within 0.005 of the best recall@1 the one that is cheapest to search; or the last, as without held-out
        classes.
    patience : int, optional
        Stop after so many epochs without a new best.
    checkpoint_every : int, optional
        Write a checkpoint after so many batches too, not only after each epoch.
    seed : int, default 0
        Determines the batches and the distortions. Together with the network's own seed it determines the
        result on one CPU, to the bit, for one number of threads.
    metric, device, threads
        As for :class:`Embedder`.

    Attributes
    ----------
    history : list of dict
        What was measured of each epoch.

    Raises
    ------
    InputError
        If a setting is out of range, or the loss is for another metric.
    """

    loss: nn.Module = field(default_factory=losses.LiftedStructureLoss)
    _: KW_ONLY
    classes_per_batch: int = 30
    items_per_class: int = 4
    sampler: str | Callable[..., Any] = "ClassBatches"
    refresh_every: int = 1
    epochs: int = 10
    batches_per_epoch: int = 100
    lr: float = 1e-3
    embedding_lr: float = 1.0
    schedule: str | schedules.Schedule = "cosine"
    weight_decay: float = 0.0
    clip: float | None = None
    accumulate: int = 1
    precision: str = "float32"
    augment: Callable[[Tensor, np.random.Generator], Tensor] | None = None
    monitor: str = "recall@1"
    keep: str = "best"
    patience: int | None = None
    checkpoint_every: int | None = None
    seed: int = 0
    history: list[dict[str, float]] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        counts = (self.classes_per_batch, self.items_per_class, self.epochs, self.batches_per_epoch)
        check_sizes("numbers of classes, items, epochs and batches", *counts)
        check_sizes("accumulate and refresh_every", self.accumulate, self.refresh_every)
        given = [one for one in (self.patience, self.checkpoint_every) if one is not None]
        check_sizes("patience and checkpoint_every", *given)
        for name in ("lr", "embedding_lr", "clip"):
            value = getattr(self, name)
            if not (value is None and name == "clip") and not 0 < value < math.inf:
                raise InputError(f"{name} must be a positive number, not {value}")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay must not be negative: {self.weight_decay}")
        if not (isinstance(self.seed, int) and self.seed >= 0):
            raise InputError(f"seed must be a whole number, not negative: {self.seed}")
        for name, known in (("precision", PRECISIONS), ("monitor", MONITORS), ("keep", KEPT)):
            if getattr(self, name) not in known:
                raise InputError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        if not callable(self.sampler) and self.sampler not in SAMPLERS:
            raise InputError(f"sampler must be one of {', '.join(SAMPLERS)}, or a function: {self.sampler!r}")
        schedules.named(self.schedule)
        if self.augment is not None and len(self.network.input_shape) == 1:
            raise InputError("vectors cannot be shifted and turned like images: leave augment out")
        metric = getattr(self.loss, "metric", None)
        if metric not in (METRIC, self.metric):
            raise InputError(f"the loss must say that its metric is {self.metric!r}, not {metric!r}")
        self.loss.to(self.device)

    def described(self) -> dict[str, Any]:
        """Return what a saved model says of itself; functions of the user's own are not saved."""
        settings = {
            f.name: getattr(self, f.name)
            for f in fields(type(self))
            if f.kw_only and f.init and f.name not in OF_EMBEDDER
        }
        if isinstance(self.augment, RandomAffine):
            settings["augment"] = asdict(self.augment)
        return {
            **super().described(),
            "loss": getattr(self.loss, "config", None),
            "settings": {name: value for name, value in settings.items() if not callable(value)},
            "history": self.history,
        }

    @classmethod
    def restored(cls, network: Network, config: dict[str, Any], **own: Any) -> Self:
        """Make the trainer that a configuration describes."""
        settings = dict(config["settings"])
        if settings.get("augment") is not None:
            settings["augment"] = RandomAffine(**settings["augment"])
        if own.get("loss") is None:
            own["loss"] = losses.build(config["loss"])
        model = cls(network, **settings | own)
        model.history.extend(config["history"])
        return model
