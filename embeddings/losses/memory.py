"""Cross-batch memory: the items of earlier batches are compared with, too.

Embeddings drift slowly once training has settled, so that those of the last batches still serve as negatives
and positives of the present one: Wang, Zhang, Huang, Scott: *Cross-Batch Memory for Embedding Learning*, CVPR
2020.

The batch is compared with itself and the memory together, as one reference set in which no item meets itself,
and is enqueued only afterwards: enqueued before, each item would be a positive of its own copy. An item that
an earlier batch held is in the memory as it was embedded then, and counts as a positive like any other of its
class. The memory carries no gradient.

Arrays (buffers, so that they are part of ``state_dict``): ``embeddings`` (n, dim) and ``labels`` (n,) with n
at most ``size``, oldest first; ``seen`` (), the batches so far.
"""

from typing import Any

import torch
from torch import Tensor

from embeddings.errors import InputError
from embeddings.losses.base import Loss, PairLoss, check_dimensions

BUFFERS = ("embeddings", "labels", "seen")


class CrossBatchMemory(Loss):
    """A loss over the batch and the items of batches before it.

    Parameters
    ----------
    loss : PairLoss
        Any other loss of this package.
    size : int, default 1024
        How many items are remembered; at least 1.
    warmup : int, default 0
        So many batches pass before the first is remembered, while embeddings still change fast.

    Attributes
    ----------
    metric, config, batches_without_pairs
        See :class:`embeddings.losses.Loss`.

    Raises
    ------
    InputError
        If a parameter is out of range.

    Notes
    -----
    In evaluation mode (``eval()``) nothing is remembered. A reference set takes the place of the batch itself
    beside the memory.

    References
    ----------
    Wang, Zhang, Huang, Scott: Cross-Batch Memory for Embedding Learning, CVPR 2020.
    """

    name = "memory"
    embeddings: Tensor
    labels: Tensor
    seen: Tensor

    def __init__(self, loss: PairLoss, size: int = 1024, warmup: int = 0) -> None:
        super().__init__()
        if not isinstance(loss, PairLoss):
            raise InputError(f"a loss of pairs is expected, not {loss!r}")
        if size < 1 or warmup < 0:
            raise InputError(f"size must be at least 1 and warmup not negative, not {size} and {warmup}")
        self.loss, self.size, self.warmup = loss, size, warmup
        self.register_buffer("embeddings", torch.empty(0, 0))
        self.register_buffer("labels", torch.empty(0, dtype=torch.int64))
        self.register_buffer("seen", torch.tensor(0))

    @property
    def config(self) -> dict[str, Any]:
        """The name and the parameters that rebuild this loss."""
        return {"name": self.name, "loss": self.loss.config, "size": self.size, "warmup": self.warmup}

    @property
    def batches_without_pairs(self) -> int:  # type: ignore[override]
        """How many batches so far had no positive pair, neither within nor with the memory."""
        return self.loss.batches_without_pairs

    def compare(
        self, embeddings: Tensor, labels: Tensor, reference: Tensor, reference_labels: Tensor, own: bool
    ) -> Tensor:
        if len(self.labels):
            check_dimensions(embeddings, self.embeddings)
            wide = torch.promote_types(reference.dtype, self.embeddings.dtype)
            reference = torch.cat([reference.to(wide), self.embeddings.to(reference.device)])
            reference_labels = torch.cat([reference_labels, self.labels.to(labels.device)])
        value = self.loss.compare(embeddings, labels, reference, reference_labels, own)
        if self.training:
            self.remember(embeddings.detach(), labels)
        return value

    def remember(self, embeddings: Tensor, labels: Tensor) -> None:
        """Enqueue a batch, and drop the oldest items beyond ``size``."""
        self.seen += 1
        if self.seen <= self.warmup:
            return
        wide = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
        before = self.embeddings.to(wide) if len(self.labels) else wide[:0]
        self.embeddings = torch.cat([before, wide])[-self.size :].clone()
        self.labels = torch.cat([self.labels.to(labels), labels])[-self.size :].clone()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # How much is remembered is part of the state, so the buffers take the shapes that were saved.
        for name in BUFFERS:
            if (saved := state_dict.get(prefix + name)) is not None:
                setattr(self, name, torch.empty_like(saved, device=getattr(self, name).device))
        super()._load_from_state_dict(state_dict, prefix, *rest)
