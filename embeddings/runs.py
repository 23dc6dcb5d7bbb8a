"""One call of ``fit``: what it works with, and how a checkpoint holds it."""

import json
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from embeddings import checkpoints
from embeddings.arrays import Vectors
from embeddings.checkpoints import Checkpoints
from embeddings.distributed import World
from embeddings.errors import InputError
from embeddings.settings import Settings

FREE = ("epochs", "patience", "checkpoint_every")  # may be changed when a training is resumed


@dataclass(eq=False)
class Run:
    """What one call of ``fit`` works with, and what of it changes.

    Attributes
    ----------
    world : World
        The processes that train together.
    replica : Module
        The network, or what averages its gradients over the processes.
    batches : sampler
    optimizer, schedule, scaler
        The scaler works for float16 alone.
    first : int
        The number of the first epoch; ``fit`` goes on after those in ``history``.
    data : dict of int
        What tells the training items from others: their number, and a checksum of the labels.
    losses : list of float
        Of the batches of the running epoch that are done.
    reference : array of shape (n, dim) or None
        The embeddings in which a sampler of hard batches last looked for neighbours.
    """

    world: World
    replica: nn.Module
    batches: Any
    optimizer: torch.optim.Optimizer
    schedule: LRScheduler
    scaler: torch.amp.GradScaler
    first: int
    data: dict[str, int]
    losses: list[float] = field(default_factory=list)
    reference: Vectors | None = None

    def state(self, trainer: Settings) -> dict[str, Any]:
        """Return all that changes while ``fit`` runs."""
        return {
            "of": self.identity(trainer),
            "network": trainer.network.state_dict(),
            "loss": trainer.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": checkpoints.random_state(),
            "history": trainer.history,
            "first": self.first,
            "losses": self.losses,  # as many as the sampler has dealt batches of this epoch
            "reference": self.reference,
        }

    def resume(self, trainer: Settings, kept: Checkpoints, wanted: bool) -> None:
        """Go on from the last checkpoint, if there is one.

        Raises
        ------
        InputError
            If that is not wanted, or the checkpoint is of another training.
        """
        state = self.world.once(lambda: kept.read() if kept.started else None)
        if state is None:
            return
        if not wanted:
            raise InputError(f"{kept.folder} holds a training: resume it, or choose another folder")
        before, now = state["of"], self.identity(trainer)
        unlike = [name for name in now if before.get(name) != now[name]]
        if unlike:
            told = "; ".join(f"{name} was {before.get(name)!r}, is {now[name]!r}" for name in unlike)
            raise InputError(f"{kept.folder} holds another training: {told}")
        trainer.network.load_state_dict(state["network"])
        trainer.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        checkpoints.set_random_state(state["random"])
        trainer.history[:] = state["history"]
        self.first, self.losses, self.reference = state["first"], state["losses"], state["reference"]
        if self.reference is not None:
            self.batches.refresh(self.reference)

    def identity(self, trainer: Settings) -> dict[str, Any]:
        """Return what tells this training from others, as JSON gives it back."""
        described = trainer.described()
        of = {**described, **described["settings"], **self.data}
        told: dict[str, Any] = json.loads(json.dumps(of))
        return {name: value for name, value in told.items() if name not in (*FREE, "settings", "history")}
