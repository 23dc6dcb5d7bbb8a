"""Several processes that train one network, started by torchrun.

Each batch is dealt alike in every process. Each embeds a share of it; the embeddings are gathered, and every
process computes the same loss of the whole batch. So pairs across processes take part, and more processes
mean larger batches for the same memory, not smaller ones. The gradients are those of one process with the
whole batch.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from embeddings.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """The processes that train together; by default this one alone.

    Attributes
    ----------
    rank, size : int
        The number of this process, and how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def main(self) -> bool:
        """Whether this is the process that measures, writes and shows."""
        return self.rank == 0

    def shares(self, batch: int) -> list[int]:
        """How many items of a batch each process embeds: as many as the others, or one more."""
        return [len(part) for part in np.array_split(np.arange(batch), self.size)]

    def share(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the part of a batch that this process embeds.

        Raises
        ------
        InputError
            If there are more processes than items.
        """
        if len(positions) < self.size:
            raise InputError(f"{self.size} processes cannot share a batch of {len(positions)} items")
        return np.array_split(positions, self.size)[self.rank]

    def replicate(self, network: nn.Module) -> nn.Module:
        """Return a network whose gradients are averaged over the processes; on GPUs batch statistics, too."""
        if self.size == 1:
            return network
        if next(network.parameters()).is_cuda:
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return DistributedDataParallel(network)

    def waiting(self, replica: nn.Module, last: bool) -> AbstractContextManager[Any]:
        """Within this, gradients add up here; with the last batch they are averaged over the processes."""
        if isinstance(replica, DistributedDataParallel) and not last:
            return replica.no_sync()
        return nullcontext()

    def gather(self, share: Tensor, batch: int) -> Tensor:
        """Return the embeddings of the whole batch, of all processes, with their gradient."""
        if self.size == 1:
            return share
        gathered: Tensor = Gathered.apply(share, self, batch)  # type: ignore[no-untyped-call]
        return gathered

    def once(self, function: Callable[[], T]) -> T:
        """Call a function in the main process alone, and return its value in all."""
        if self.size == 1:
            return function()
        value = [function() if self.main else None]
        dist.broadcast_object_list(value)
        return value[0]  # type: ignore[return-value]

    def any(self, happened: bool, device: str) -> bool:
        """Whether something happened in any process."""
        if self.size == 1:
            return happened
        flag = torch.tensor(int(happened), device=device)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag)


class Gathered(torch.autograd.Function):
    """The embeddings of all processes, in the order of the batch."""

    @staticmethod
    def forward(ctx: Any, share: Tensor, world: World, batch: int) -> Tensor:
        """Gather shares of unlike sizes."""
        sizes = world.shares(batch)
        padded = share.new_zeros(max(sizes), *share.shape[1:])
        padded[: len(share)] = share
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        ctx.start, ctx.stop = sum(sizes[: world.rank]), sum(sizes[: world.rank + 1])
        ctx.size = world.size
        return torch.cat([part[:size] for part, size in zip(parts, sizes)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of this share, times what the mean over the processes will divide it by.

        Every process has the gradient of the same loss of the whole batch, so nothing needs to be sent.
        """
        return gradients[0][ctx.start : ctx.stop] * ctx.size, None, None


def own(device: str) -> str:
    """Return the device of this process: each that torchrun started has a GPU of its own."""
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


@contextmanager
def joined(device: str) -> Iterator[World]:
    """Join the processes that torchrun started, or those of a group that exists; else be alone."""
    started = int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ
    ours = started and not dist.is_initialized()
    if ours:
        cuda = torch.device(device).type == "cuda"
        if cuda:
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield World(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else World()
    finally:
        if ours:
            dist.destroy_process_group()
