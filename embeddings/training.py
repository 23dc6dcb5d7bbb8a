"""The trainer: a plain loop in small methods, each of which a subclass may replace."""

import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import KW_ONLY, asdict, dataclass, field, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import Progress, TaskID
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from embeddings import evaluation, losses, networks, storage
from embeddings.arrays import Items, Labels, as_items, as_labels, as_tensor
from embeddings.augmentation import RandomAffine
from embeddings.embedder import METRIC, Embedder, limited_threads
from embeddings.errors import DivergenceError, InputError, ModelFileError
from embeddings.interruption import Interruption
from embeddings.samplers import ClassBatches


@dataclass(eq=False)
class Trainer(Embedder):
    """Learns embeddings in which items of one class are near under the Euclidean distance.

    Parameters
    ----------
    network : Network
        Maps items to embeddings; trained in place.
    loss : Module, default LiftedStructureLoss()
        Called with (embeddings, labels); its ``metric`` must be ``"euclidean"``.
    classes_per_batch, items_per_class : int, default 30 and 4
        A batch holds so many items of so many classes; see :class:`ClassBatches` for small classes.
    epochs : int, default 10
        Of each call of ``fit``.
    batches_per_epoch : int, default 100
        After so many batches the loss is recorded, and the validation set measured.
    lr : float, default 1e-3
        Adam's learning rate at the start; it falls to zero along half a cosine.
    weight_decay : float, default 0
    augment : RandomAffine or None
        Distorts the training images.
    seed : int, default 0
        Determines the batches and the distortions. Together with the network's own seed it determines the
        result on one CPU, to the bit, for one number of threads.
    device, threads
        As for :class:`Embedder`.

    Attributes
    ----------
    history : list of dict
        For each epoch: ``epoch``, ``batches``, ``loss`` (mean), with a validation set ``recall@1``, and for a
        normalised network the ``floor`` below which the loss cannot fall.

    Raises
    ------
    InputError
        If a setting is out of range, or the loss is for another metric.

    Examples
    --------
    >>> model = Trainer.for_images(images).fit(images, labels)  # doctest: +SKIP
    >>> index = model.index(model.embed(gallery))  # doctest: +SKIP
    """

    loss: nn.Module = field(default_factory=losses.LiftedStructureLoss)
    _: KW_ONLY
    classes_per_batch: int = 30
    items_per_class: int = 4
    epochs: int = 10
    batches_per_epoch: int = 100
    lr: float = 1e-3
    weight_decay: float = 0.0
    augment: RandomAffine | None = None
    seed: int = 0
    history: list[dict[str, float]] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        counts = (self.classes_per_batch, self.items_per_class, self.epochs, self.batches_per_epoch)
        networks.check_sizes("numbers of classes, items, epochs and batches", *counts)
        if not (0 < self.lr < math.inf and 0 <= self.weight_decay < math.inf):
            raise InputError(
                f"lr must be positive, weight_decay not negative: {self.lr}, {self.weight_decay}"
            )
        if self.augment is not None and len(self.network.input_shape) == 1:
            raise InputError("vectors cannot be shifted and turned like images: leave augment out")
        if not (isinstance(self.seed, int) and self.seed >= 0):
            raise InputError(f"seed must be a whole number, not negative: {self.seed}")
        metric = getattr(self.loss, "metric", None)
        if metric != METRIC:
            raise InputError(f"the loss must say that its metric is {METRIC!r}, not {metric!r}")

    @classmethod
    def for_images(
        cls,
        images: npt.ArrayLike,
        *,
        dim: int = 64,
        normalize: bool = False,
        seed: int = 0,
        augment: RandomAffine | None = RandomAffine(),  # noqa: B008 (frozen)
        **settings: Any,
    ) -> Self:
        """Choose a convolutional network for images of this shape, and distort them lightly in training.

        Parameters
        ----------
        images : array of shape (n, h, w) or (n, h, w, c)
            Only the shape matters.
        dim, normalize
            Of the embeddings.
        seed : int, default 0
            Of the network's first weights and of the training.
        augment, **settings
            As for :class:`Trainer`.
        """
        network = networks.ConvNet(np.shape(images)[1:], dim, normalize=normalize, seed=seed)
        return cls(network, seed=seed, augment=augment, **settings)

    def fit(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        progress: bool = True,
    ) -> Self:
        """Train for ``epochs`` more epochs, on from the weights that the network has.

        Ctrl-C ends the training after the running step, with a warning: the model stays whole, and its
        history says how far it came.

        Parameters
        ----------
        images : array of shape (n, *network.input_shape)
            uint8 is scaled to [0, 1]; other numbers are taken as they are.
        labels : array of n integers
        validation : (images, labels), optional
            Of classes held out from training; recall@1 is recorded after each epoch.
        progress : bool, default True
            Show a progress bar.

        Raises
        ------
        InputError
            If the data are not usable; nothing has been trained then.
        DivergenceError
            If the embeddings cease to be finite.
        """
        items, classes = self.check(images, labels)
        held_out = None if validation is None else self.check(*validation)
        batches = ClassBatches(
            classes,
            classes=self.classes_per_batch,
            items=self.items_per_class,
            batches=self.batches_per_epoch,
            seed=self.seed,
        )
        optimizer = self.make_optimizer()
        schedule = self.make_schedule(optimizer)
        with (
            limited_threads(self.threads),
            torch.random.fork_rng(devices=[]),
            Interruption() as interruption,
            Progress(disable=not progress) as bar,
        ):
            task = bar.add_task("training", total=self.epochs * self.batches_per_epoch)
            for _ in range(self.epochs):
                values = []
                self.network.train()
                try:
                    for batch, numbers in self.deal(items, classes, batches):
                        values.append(self.step(batch, numbers, optimizer))
                        schedule.step()
                        bar.advance(task)
                        if interruption.requested:
                            break
                finally:
                    self.network.eval()
                self.record(values, batches, None if interruption.requested else held_out)
                self.show(bar, task)
                if interruption.requested:
                    warnings.warn(f"training was stopped in epoch {len(self.history) - 1}", stacklevel=2)
                    break
        return self

    def check(self, images: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Items, Labels]:
        """Check images and labels against the network and each other; at least two."""
        items = as_items(images, self.network.input_shape)
        classes = as_labels(labels, len(items))
        if len(items) < 2:
            raise InputError(f"at least two items are needed, not {len(items)}")
        return items, classes

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Make the optimiser for one call of ``fit``."""
        return torch.optim.AdamW(self.network.parameters(), lr=self.lr, weight_decay=self.weight_decay)

    def make_schedule(self, optimizer: torch.optim.Optimizer) -> LRScheduler:
        """Make the schedule of the learning rate for one call of ``fit``; it advances with every batch."""
        total = self.epochs * self.batches_per_epoch
        return LambdaLR(optimizer, lambda done: 0.5 * (1 + math.cos(math.pi * done / total)))

    def deal(self, items: Items, classes: Labels, batches: ClassBatches) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of the next epoch as tensors, distorted where ``augment`` says so."""
        epoch = len(self.history)
        rng = np.random.default_rng((self.seed, epoch, 1))
        torch.manual_seed(int(rng.integers(2**31)))  # for networks with dropout
        for positions in batches.epoch(epoch):
            batch = as_tensor(items[positions], self.device)
            if self.augment is not None:
                batch = self.augment(batch, rng)
            yield batch, torch.from_numpy(classes[positions]).to(self.device)

    def step(self, batch: Tensor, labels: Tensor, optimizer: torch.optim.Optimizer) -> float:
        """Take one step of the optimiser, and return the loss before it."""
        loss = self.loss(self.network(batch), labels)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DivergenceError(f"the loss is {value}: lower the learning rate")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return value

    def record(
        self, values: list[float], batches: ClassBatches, held_out: tuple[Items, Labels] | None
    ) -> None:
        """Append an epoch to ``history``, after measuring the held-out classes if there are any."""
        entry = {"epoch": len(self.history), "batches": len(values), "loss": float(np.mean(values))}
        if self.network.normalize and isinstance(self.loss, losses.LiftedStructureLoss):
            entry["floor"] = self.loss.sphere_floor(batches.classes, batches.items)
        if held_out is not None:
            entry["recall@1"] = evaluation.recall(self.embed(held_out[0]), held_out[1])
        self.history.append(entry)

    def show(self, bar: Progress, task: TaskID) -> None:
        """Describe the last epoch beside the progress bar."""
        shown = {name: value for name, value in self.history[-1].items() if name not in ("epoch", "batches")}
        bar.update(task, description=" ".join(f"{name} {value:.3f}" for name, value in shown.items()))

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Save the model: weights, network, metric, loss, settings and history (:mod:`embeddings.storage`).

        Parameters
        ----------
        directory : path
            Made where missing. A model saved there before is replaced, as a whole or not at all.
        """
        settings = {f.name: getattr(self, f.name) for f in fields(self) if f.kw_only and f.init}
        del settings["device"], settings["threads"]  # of this machine, not of the model
        config = {
            "metric": METRIC,
            "dtype": "float32",
            "network": self.network.config,
            "loss": getattr(self.loss, "config", None),
            "settings": {**settings, "augment": self.augment and asdict(self.augment)},
            "history": self.history,
        }
        storage.write(directory, config, self.network.state_dict())

    @classmethod
    def load(
        cls, directory: str | os.PathLike[str], *, loss: nn.Module | None = None, device: str = "cpu"
    ) -> Self:
        """Load a saved model, ready to embed or to train further.

        Parameters
        ----------
        directory : path
        loss : Module, optional
            Needed where the model was trained with a loss of the user's own.
        device : str, default "cpu"

        Raises
        ------
        ModelFileError
            If the model is damaged, incomplete, of a later version, or of a network that has not been
            imported.
        """
        config, weights = storage.read(directory)
        try:
            check_contract(config["metric"], config["dtype"])
            settings = dict(config["settings"])
            settings["augment"] = settings["augment"] and RandomAffine(**settings["augment"])
            network = networks.restore(config["network"], weights)
            loss = losses.build(config["loss"]) if loss is None else loss
            model = cls(network, loss, **settings, device=device)
            model.history.extend(config["history"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"the model in {os.fspath(directory)} cannot be loaded: {error}") from error
        model.network.eval()
        return model


def check_contract(metric: object, dtype: object) -> None:
    """Raise :class:`InputError` if a model is for another metric or number type than this package's."""
    if (metric, dtype) != (METRIC, "float32"):
        raise InputError(f"it is for metric {metric!r} and type {dtype!r}, not {METRIC!r} and 'float32'")
