"""The trainer: a plain loop in small methods, each of which a subclass may replace."""

import inspect
import math
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from numbers import Real
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from embeddings import evaluation, indexability, networks, schedules, sources
from embeddings.arrays import Labels, as_tensor
from embeddings.augmentation import RandomAffine
from embeddings.checkpoints import Checkpoints
from embeddings.distributed import World, joined
from embeddings.embedder import limited_threads
from embeddings.errors import DivergenceError, InputError
from embeddings.interruption import Interruption
from embeddings.logs import Journal
from embeddings.networks import Network
from embeddings.runs import Run
from embeddings.settings import SAMPLERS, Settings
from embeddings.sources import Labelled

Batch = tuple[Tensor, Tensor]  # the items that this process embeds, and the labels of all

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
NEAR_BEST = 0.005  # of the best score: among the epochs that come so near, "cheapest" chooses
NO_MORE_NEGATIVES = (
    "accumulate adds up the gradients of batches, each of which compares its own items only: it does not "
    "bring more negatives, as a larger batch does, or losses.CrossBatchMemory"
)


@dataclass(eq=False)
class Trainer(Settings):
    """Learns embeddings in which items of one class are near under the metric of the later search.

    Parameters
    ----------
    network, loss, **settings
        As for :class:`embeddings.settings.Settings`.

    Attributes
    ----------
    history : list of dict
        For each epoch: ``epoch``, ``batches``, ``loss`` (mean), ``lr``; for a normalised network the
        ``floor`` below which the loss cannot fall; with held-out classes what ``monitor`` says, ``recall@1``,
        and how well the embeddings can be searched (:func:`embeddings.indexability.report`).
    chosen : int or None
        The epoch whose weights the network has, where one was chosen.

    Raises
    ------
    InputError
        If a setting is out of range, or the loss is for another metric.

    Examples
    --------
    >>> model = Trainer.for_images(images).fit(images, labels, validation=0.2)  # doctest: +SKIP
    >>> index = model.index(model.embed(gallery))  # doctest: +SKIP
    """

    chosen: int | None = field(init=False, repr=False, default=None)

    @classmethod
    def for_images(
        cls,
        images: Any,
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
        shape = getattr(images, "shape", None) or np.shape(images)
        network = networks.ConvNet(tuple(shape)[1:], dim, normalize=normalize, seed=seed)
        return cls(network, seed=seed, augment=augment, **settings)

    @classmethod
    def as_published(cls, network: Network, **settings: Any) -> Self:
        """Train as Oh Song et al. (CVPR 2016) do: their loss and batches, and ten times the rate in the head.

        That is 20,000 batches of 128 under the lifted structured loss with margin 1, not normalised, with a
        rate 10 times as high in the embedding layer, which begins at random. Their network is
        ``Backbone((227, 227, 3), 64, model="torchvision:googlenet", pretrained=True)``. What the paper leaves
        open is AdamW at 1e-5 here.

        Parameters
        ----------
        network : Network
            Pretrained but for its embedding layer.
        **settings
            Of :class:`Trainer`, in place of the paper's.
        """
        paper: dict[str, Any] = {
            "classes_per_batch": 32,
            "items_per_class": 4,
            "epochs": 40,
            "batches_per_epoch": 500,
            "lr": 1e-5,
            "embedding_lr": 10.0,
            "schedule": "constant",
        }
        return cls(network, **paper | settings)

    def fit(
        self,
        images: Any,
        labels: Any = None,
        validation: Any = None,
        *,
        out: str | os.PathLike[str] | None = None,
        resume: bool = False,
        progress: bool = True,
    ) -> Self:
        """Train for ``epochs`` more epochs, on from the weights that the network has.

        Ctrl-C ends the training after the running step, with a warning: the model stays whole, and its
        history says how far it came. Under torchrun all processes train together
        (:mod:`embeddings.distributed`).

        Parameters
        ----------
        images : array of shape (n, *network.input_shape), torch Dataset, or path
            uint8 is scaled to [0, 1]; other numbers are taken as they are. A path is a folder with one folder
            of images for each class. All else that :mod:`embeddings.sources` describes will do as well.
        labels : array of n integers, optional
            Where the images do not come with their own.
        validation : float, (images, labels), or what ``images`` may be; optional
            Classes held out from training, measured after each epoch. A number is the share of the classes to
            hold out, which ``seed`` draws.
        out : path, optional
            A folder for the log, for checkpoints, and for the weights of the epochs that may be chosen.
        resume : bool, default False
            Go on from the last checkpoint in ``out``, if there is one. On one CPU the result is that of a
            training that was never interrupted, to the bit.
        progress : bool, default True
            Show a progress bar.

        Raises
        ------
        InputError
            If the data are not usable, or ``out`` holds a training that is another, or is not to be resumed;
            nothing has been trained then.
        DivergenceError
            If the embeddings or the loss cease to be finite.
        OSError
            If a checkpoint or the log cannot be written; what was written before is whole.
        """
        data, held_out = self.divide(images, labels, validation)
        self.gallery = self.chosen = None
        if self.accumulate > 1:
            warnings.warn(NO_MORE_NEGATIVES, stacklevel=2)
        with (
            limited_threads(self.threads),
            torch.random.fork_rng([self.device] if self.device.startswith("cuda") else []),
            joined(self.device) as world,
            Checkpoints(out if world.main else None) as kept,
            Interruption() as interruption,
        ):
            run = self.begin(data, world)
            run.resume(self, kept, resume)
            batches = (run.first + self.epochs - len(self.history)) * self.batches_per_epoch - len(run.losses)
            with Journal(kept.shown, self.history, batches, progress and world.main) as journal:
                while not self.done(run):
                    self.refresh(run, data)
                    stop = False
                    with in_training(self.network):
                        for group in grouped(self.deal(data, run), self.accumulate):
                            run.losses += self.step(group, run)
                            journal.advance(len(group))
                            stop = world.any(interruption.requested, self.device)
                            if stop or self.is_due(run):
                                kept.write(run.state(self))
                            if stop:
                                break
                    self.record(run, None if stop else held_out)
                    if stop:
                        warnings.warn(f"training was stopped in epoch {len(self.history) - 1}", stacklevel=2)
                        return self
                    journal.add(self.history[-1])
                    if len(self.history) - 1 in self.candidates(run):
                        kept.keep(len(self.history) - 1, self.network.state_dict())
                    run.losses = []
                    kept.write(run.state(self))
                    kept.drop_all_but(self.candidates(run))
            self.choose(run, kept)
        return self

    def divide(self, images: Any, labels: Any, validation: Any) -> tuple[Labelled, Labelled | None]:
        """Check what ``fit`` is given, and return what to learn from and what is held out."""
        shape = self.network.input_shape
        data = sources.labelled(images, labels, shape)
        if validation is None:
            return data, None
        if isinstance(validation, Real):
            learn, rest = sources.hold_out(data.labels, float(validation), self.seed)
            data, held_out = data.take(learn), data.take(rest)
        else:
            apart, classes = validation if isinstance(validation, tuple) else (validation, None)
            held_out = sources.labelled(apart, classes, shape)
        if len(held_out.items) < 3:
            raise InputError(f"at least three items must be held out, not {len(held_out.items)}")
        return data, held_out

    def begin(self, data: Labelled, world: World) -> Run:
        """Make all that one call of ``fit`` works with."""
        batches = self.make_batches(data.labels)
        optimizer = self.make_optimizer()
        return Run(
            world=world,
            replica=world.replicate(self.network),
            batches=batches,
            optimizer=optimizer,
            schedule=self.make_schedule(optimizer),
            scaler=torch.amp.GradScaler(self.device_type, enabled=self.precision == "float16"),
            first=len(self.history),
            data={"items": len(data.labels), "labels": zlib.crc32(data.labels.tobytes())},
        )

    def make_batches(self, labels: Labels) -> Any:
        """Make what deals the batches; see ``sampler``."""
        make = SAMPLERS[self.sampler] if isinstance(self.sampler, str) else self.sampler
        offered = {
            "classes": self.classes_per_batch,
            "items": self.items_per_class,
            "batches": self.batches_per_epoch,
            "seed": self.seed,
        }
        taken = inspect.signature(make).parameters
        return make(labels, **{name: value for name, value in offered.items() if name in taken})

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Make the optimiser for one call of ``fit``: the embedding layer may have a rate of its own."""
        network = dict(self.network.named_parameters())
        groups: list[dict[str, Any]] = [{"params": [*network.values(), *self.loss.parameters()]}]
        if self.embedding_lr != 1.0:
            head = list(self.network.head.parameters())
            ours = {id(parameter) for parameter in head}
            groups[0]["params"] = [one for one in groups[0]["params"] if id(one) not in ours]
            groups.append({"params": head, "lr": self.lr * self.embedding_lr})
        return torch.optim.AdamW(groups, lr=self.lr, weight_decay=self.weight_decay)

    def make_schedule(self, optimizer: torch.optim.Optimizer) -> LRScheduler:
        """Make the schedule of the learning rate for one call of ``fit``; it advances with every step."""
        factor = schedules.named(self.schedule)
        steps = self.epochs * math.ceil(self.batches_per_epoch / self.accumulate)
        return LambdaLR(optimizer, lambda done: factor(done / steps))

    def refresh(self, run: Run, data: Labelled) -> None:
        """Show a sampler of hard batches the embeddings as they are, every ``refresh_every`` epochs."""
        due = (len(self.history) - run.first) % self.refresh_every == 0
        if hasattr(run.batches, "refresh") and due and not run.losses:
            run.reference = run.world.once(lambda: self.embed(data.items))
            run.batches.refresh(run.reference)

    def deal(self, data: Labelled, run: Run) -> Iterator[Batch]:
        """Yield what is left of the epoch's batches, distorted where ``augment`` says so."""
        epoch = len(self.history)
        for number, positions in islice(enumerate(run.batches.epoch(epoch)), len(run.losses), None):
            # All that is random in a batch follows from its number: a training may go on from any.
            rng = np.random.default_rng((self.seed, epoch, number, run.world.rank))
            torch.manual_seed(int(rng.integers(2**63)))  # for networks with dropout
            items = sources.read(data.items, run.world.share(positions), self.network.input_shape)
            batch = as_tensor(items, self.device)
            if self.augment is not None:
                batch = self.augment(batch, rng)
            yield batch, torch.from_numpy(data.labels[positions]).to(self.device)

    def step(self, group: list[Batch], run: Run) -> list[float]:
        """Take one step of the optimiser along the mean gradient of some batches, and return their losses."""
        values: list[float] = []
        run.optimizer.zero_grad()
        for batch, labels in group:
            with run.world.waiting(run.replica, last=len(values) + 1 == len(group)):
                with self.autocast():
                    embeddings = run.replica(batch)
                loss = self.loss(run.world.gather(embeddings.float(), len(labels)), labels)
                values.append(float(loss.detach()))
                if not math.isfinite(values[-1]):
                    raise DivergenceError(f"the loss is {values[-1]}: lower the learning rate")
                run.scaler.scale(loss / len(group)).backward()
        if self.clip is not None:
            run.scaler.unscale_(run.optimizer)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        scale = run.scaler.get_scale()
        run.scaler.step(run.optimizer)
        run.scaler.update()
        if run.scaler.get_scale() >= scale:  # else a gradient was infinite in float16, and the step left out
            run.schedule.step()
        return values

    def record(self, run: Run, held_out: Labelled | None) -> None:
        """Append an epoch to ``history``, after measuring the held-out classes if there are any."""
        entry: dict[str, float] = {
            "epoch": len(self.history),
            "batches": len(run.losses),
            "loss": float(np.mean(run.losses)),
            "lr": run.optimizer.param_groups[0]["lr"],
        }
        floor: Any = getattr(self.loss, "sphere_floor", None)
        if self.network.normalize and floor is not None:
            entry["floor"] = floor(run.batches.classes, run.batches.items)
        if held_out is not None:
            entry |= run.world.once(lambda: self.measure(held_out))
        self.history.append(entry)

    def measure(self, held_out: Labelled) -> dict[str, float]:
        """Measure how well held-out classes are told apart, and how well their embeddings can be searched."""
        embeddings = self.embed(held_out.items)
        measured = {"recall@1": evaluation.recall(embeddings, held_out.labels)}
        if self.monitor == "map@r":
            measured["map@r"] = evaluation.map_at_r(embeddings, held_out.labels)
        measured |= indexability.report(embeddings, held_out.labels, seed=self.seed)
        return {name: value for name, value in measured.items() if math.isfinite(value)}

    def scores(self, run: Run) -> dict[int, float]:
        """Return what ``monitor`` says of the epochs of this call of ``fit``."""
        epochs = self.history[run.first :]
        return {int(entry["epoch"]): entry[self.monitor] for entry in epochs if self.monitor in entry}

    def done(self, run: Run) -> bool:
        """Whether all epochs are done, or too many in a row brought no new best."""
        scores = self.scores(run)
        if self.patience is not None and scores:
            best = max(scores, key=lambda epoch: (scores[epoch], -epoch))
            if len(self.history) - 1 - best >= self.patience:
                return True
        return len(self.history) >= run.first + self.epochs

    def candidates(self, run: Run) -> list[int]:
        """Epochs whose weights the model may have in the end."""
        scores = self.scores(run)
        if self.keep == "last" or not scores:
            return []
        best = max(scores.values())
        if self.keep == "cheapest":
            return [epoch for epoch, score in scores.items() if score >= best - NEAR_BEST]
        return [min(epoch for epoch, score in scores.items() if score == best)]

    def choose(self, run: Run, kept: Checkpoints) -> None:
        """Give the network the weights of the epoch that is chosen."""
        candidates = self.candidates(run)
        if not candidates:
            return
        chosen = candidates[0]
        if self.keep == "cheapest":
            near = [self.history[epoch] for epoch in candidates]
            chosen = int(indexability.cheapest(near, within=NEAR_BEST))
        self.network.load_state_dict(run.world.once(lambda: kept.weights(chosen)))
        self.chosen = chosen

    def is_due(self, run: Run) -> bool:
        """Whether the step has completed another ``checkpoint_every`` batches."""
        every = self.checkpoint_every
        return every is not None and len(run.losses) % every < min(self.accumulate, every)

    def autocast(self) -> torch.autocast:
        """Return the context in which the network computes in ``precision``."""
        return torch.autocast(self.device_type, PRECISIONS[self.precision], self.precision != "float32")

    @property
    def device_type(self) -> str:
        """The kind of device, such as "cuda" for "cuda:1"."""
        return torch.device(self.device).type


@contextmanager
def in_training(network: nn.Module) -> Iterator[None]:
    """Let batch normalisation and dropout know that the network is trained within."""
    network.train()
    try:
        yield
    finally:
        network.eval()


def grouped(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """Yield so many batches at a time, and what is left at the end."""
    while group := list(islice(batches, size)):
        yield group
