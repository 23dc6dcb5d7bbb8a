"""The lifted structured loss: every pair of the batch takes part.

With distances D (Euclidean, not squared), margin α, the positive pairs P and the items N(i) of other classes,

    J_ij = log( Σ_{k∈N(i)} e^(α − D_ik) + Σ_{l∈N(j)} e^(α − D_jl) ) + D_ij
    loss = 1 / (2|P|) · Σ_{(i,j)∈P} max(0, J_ij)²

which is the smooth upper bound of Oh Song, Xiang, Jegelka, Savarese: *Deep Metric Learning via Lifted
Structured Feature Embedding*, CVPR 2016. The inner sums depend on one item each, so that a log-sum-exp per
row and one ``logaddexp`` per pair give the whole loss in O(B²) time and memory for a batch of B.
"""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from embeddings.errors import CollapseWarning, DivergenceError, InputError


class LiftedStructureLoss(nn.Module):
    """The smooth lifted structured loss on Euclidean distances.

    Parameters
    ----------
    margin : float, default 1.0
        α, the distance beyond which an item of another class weighs little; positive.

    Attributes
    ----------
    metric : str
        The metric that the loss shapes, and that searches among the embeddings must therefore use.
    batches_without_pairs : int
        How many batches so far held no two items of one class, and so taught nothing.

    Raises
    ------
    InputError
        If the margin is not a positive finite number.

    References
    ----------
    Oh Song, Xiang, Jegelka, Savarese: Deep Metric Learning via Lifted Structured Feature Embedding, CVPR
    2016.
    """

    metric = "euclidean"

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        if not (math.isfinite(margin) and margin > 0):
            raise InputError(f"margin must be a positive finite number, not {margin}")
        self.margin = float(margin)
        self.batches_without_pairs = 0

    @property
    def config(self) -> dict[str, object]:
        """The name and the parameters that rebuild this loss."""
        return {"name": "lifted", "margin": self.margin}

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of one batch.

        Parameters
        ----------
        embeddings : Tensor of shape (B, dim)
            Real floating point; half precision is raised to float32 first, within autocast too.
        labels : Tensor of shape (B,)
            Integers; items with equal labels belong together.

        Returns
        -------
        Tensor of shape ()
            The loss; a zero that is connected to the graph if the batch has no positive pair or only one
            class.

        Raises
        ------
        InputError
            If the shapes or types do not fit each other.
        DivergenceError
            If an embedding, or a distance between two, is not finite.

        Warns
        -----
        CollapseWarning
            If all embeddings coincide.
        """
        check_batch(embeddings, labels)
        with torch.autocast(embeddings.device.type, enabled=False):
            # e^12 is already infinite in half precision.
            wide = embeddings if embeddings.dtype == torch.float64 else embeddings.float()
            return self._loss(wide, labels, torch.finfo(embeddings.dtype).eps)

    def _loss(self, embeddings: Tensor, labels: Tensor, eps: float) -> Tensor:
        distances = pairwise_distances(embeddings)
        same = labels[:, None] == labels[None, :]
        positive = same.triu(diagonal=1)
        pairs = int(positive.sum())
        if pairs == 0:
            self.batches_without_pairs += 1
        check_spread(embeddings.detach(), distances.detach(), eps)
        # Two items of one class have the same negatives, so either every row has some or none has.
        if pairs == 0 or bool(same.all()):
            return embeddings.sum() * 0.0
        negatives = (self.margin - distances).masked_fill(same, -math.inf).logsumexp(dim=1)
        bound = torch.logaddexp(negatives[:, None], negatives[None, :]) + distances
        # Dense masks, not gathered pairs: scattering gradients back by index would add in a varying order.
        return bound.clamp(min=0).square().where(positive, 0.0).sum() / (2 * pairs)

    def collapsed(self, classes: int, items: int) -> float:
        """Loss of a batch of ``classes`` × ``items`` whose embeddings all coincide: ½(α + log 2(B − m))²."""
        return 0.5 * (self.margin + math.log(2 * (classes - 1) * items)) ** 2

    def sphere_floor(self, classes: int, items: int) -> float:
        """Least loss that unit vectors can reach, with the classes at the corners of a regular simplex.

        On the unit sphere distances end at 2, so the loss cannot fall to zero, and where it stops depends
        on the batch: compare losses of normalised networks with this floor, not with zero.

        Parameters
        ----------
        classes, items : int
            The batch holds ``items`` of each of ``classes`` classes; at least two each.

        Returns
        -------
        float
            About 12.9 for 32 classes of 4 at margin 1. Reached only in ``classes - 1`` dimensions or more.
        """
        apart = math.sqrt(2 * classes / (classes - 1))
        bound = self.margin - apart + math.log(2 * (classes - 1) * items)
        return 0.5 * max(0.0, bound) ** 2

    def extra_repr(self) -> str:
        """Show the margin in ``repr``."""
        return f"margin={self.margin}"


def build(config: Mapping[str, Any] | None) -> nn.Module:
    """Build a loss from its configuration; None stands for a loss of the user's own.

    Raises
    ------
    InputError
        If it is not a loss of this package.
    """
    params = dict(config or {})
    if params.pop("name", None) != "lifted":
        raise InputError(f"not a loss of this package: {config}; pass your own as loss=")
    return LiftedStructureLoss(**params)


def pairwise_distances(embeddings: Tensor) -> Tensor:
    """Euclidean distances between all rows, by direct differences.

    Expanding ‖a − b‖² into inner products would lose the distances of near duplicates to cancellation.
    Where two rows coincide the gradient is zero: a valid sub-gradient, where a plain square root would give
    NaN.

    Parameters
    ----------
    embeddings : Tensor of shape (n, dim)

    Returns
    -------
    Tensor of shape (n, n)
    """
    return torch.cdist(embeddings, embeddings, compute_mode="donot_use_mm_for_euclid_dist")


def check_batch(embeddings: Tensor, labels: Tensor) -> None:
    """Raise :class:`InputError` unless (B, dim) real embeddings come with (B,) integer labels."""
    if embeddings.ndim != 2 or not embeddings.is_floating_point():
        raise InputError(
            f"embeddings must be a (batch, dim) tensor of real numbers, not {describe(embeddings)}"
        )
    integral = not (labels.is_floating_point() or labels.is_complex())
    if labels.shape != embeddings.shape[:1] or not integral:
        raise InputError(
            f"labels must be {len(embeddings)} integers, one for each embedding, not {describe(labels)}"
        )


def check_spread(embeddings: Tensor, distances: Tensor, eps: float) -> None:
    """Raise if a distance is not finite; warn if all of several embeddings agree to within rounding."""
    if len(embeddings) == 0:
        return
    widest = float(distances.max())
    if not math.isfinite(widest):
        raise DivergenceError(
            "the embeddings, or distances between them, are not finite: lower the learning rate, "
            "and look for extreme values in the data"
        )
    if len(embeddings) > 1 and widest <= eps * float(embeddings.abs().max()):
        warnings.warn(
            "all embeddings of the batch coincide, and here the loss has no gradient: "
            "lower the learning rate, or start from other weights",
            CollapseWarning,
            stacklevel=2,
        )


def describe(tensor: Tensor) -> str:
    """Shape and type of a tensor, for messages."""
    return f"shape {tuple(tensor.shape)} of {str(tensor.dtype).removeprefix('torch.')}"
