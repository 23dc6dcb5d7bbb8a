"""What all losses share: the pairs of a batch, their distances, and the checks.

A loss is a function of the distances between the items of a batch and the items that these are compared with:
the batch itself, a reference set, or both. :class:`PairLoss` measures them, tells positive from negative
pairs, and leaves to its subclasses the one method in which they differ, ``value``.

Distances are as exact as direct differences make them, at the speed of matrix products. ‖a‖² + ‖b‖² − 2ab
loses the distances of near duplicates to cancellation; so float32 is expanded in float64, about the common
mean, and the few pairs that are nearer than the expansion can tell are measured by direct differences. With
slopes G = ∂loss/∂D the gradient is a product, too:

    ∂loss/∂x_i = Σ_j W_ij (x_i − y_j) = x_i Σ_j W_ij − (W y)_i,    W = G / D, and 0 where D = 0.

Both go over blocks of rows, so that nothing of B × R is held but the distances themselves.
"""

import math
import warnings
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from embeddings.errors import CollapseWarning, DivergenceError, InputError

ROWS_AT_ONCE = 512
PAIRS_AT_ONCE = 1 << 16
# Share of ‖a‖² + ‖b‖² below which a squared distance is measured directly: the rounding of the expansion,
# some 2⁻⁵² of that sum, stays below 2⁻²⁸ of the squared distance, and float32 keeps 24 bits.
NEAR = 2.0**-24


class Pairs(NamedTuple):
    """Each of B items with each of the R that they are compared with."""

    distances: Tensor  # (B, R) real
    positive: Tensor  # (B, R) bool: of one class, and not an item with itself
    negative: Tensor  # (B, R) bool: of two classes

    def mean(self, values: Tensor) -> Tensor:
        """Mean of (B, R) values over the positive pairs."""
        # Dense masks, not gathered pairs: scattering gradients back by index would add in a varying order.
        return values.where(self.positive, 0.0).sum() / self.positive.sum()

    def mean_over_anchors(self, values: Tensor) -> Tensor:
        """Mean of (B,) values over the items that have a positive pair."""
        anchors = self.positive.any(dim=1)
        return values.where(anchors, 0.0).sum() / anchors.sum()


class Loss(nn.Module):
    """What the trainer asks of a loss.

    Attributes
    ----------
    metric : str
        The metric that the loss shapes, and that searches among the embeddings must therefore use.
    config : dict
        The name and the parameters that rebuild this loss (:func:`embeddings.losses.build`).
    batches_without_pairs : int
        How many batches so far held no positive pair, and so taught nothing.
    """

    metric = "euclidean"
    name: ClassVar[str]
    batches_without_pairs: int

    @property
    def config(self) -> dict[str, Any]:
        """The name and the parameters that rebuild this loss."""
        raise NotImplementedError

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        reference: Tensor | None = None,
        reference_labels: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss of one batch.

        Parameters
        ----------
        embeddings : Tensor of shape (B, dim)
            Real floating point; half precision is raised to float32 first, within autocast too.
        labels : Tensor of shape (B,)
            Integers; items with equal labels belong together.
        reference : Tensor of shape (R, dim), optional
            What the items are compared with, each with each. By default the batch itself, where no item is
            compared with itself; a reference set holds other items.
        reference_labels : Tensor of shape (R,)
            With a reference.

        Returns
        -------
        Tensor of shape ()
            The loss; a zero that is connected to the graph if there is no positive pair.

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
        if (reference is None) != (reference_labels is None):
            raise InputError("reference and reference_labels come together")
        check_batch(embeddings, labels)
        if reference is None or reference_labels is None:
            return self.compare(embeddings, labels, embeddings, labels, own=True)
        check_batch(reference, reference_labels)
        check_dimensions(embeddings, reference)
        return self.compare(embeddings, labels, reference, reference_labels, own=False)

    def compare(
        self, embeddings: Tensor, labels: Tensor, reference: Tensor, reference_labels: Tensor, own: bool
    ) -> Tensor:
        """Compute the loss of what ``forward`` has checked; if `own`, the reference begins with the batch."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Show the numbers among the parameters in ``repr``."""
        shown = {name: value for name, value in self.config.items() if not isinstance(value, dict)}
        return ", ".join(f"{name}={value!r}" for name, value in shown.items() if name != "name")


class PairLoss(Loss):
    """A loss that depends on the distances of pairs alone; subclasses define ``value``.

    Parameters
    ----------
    margin : float, default 1.0
        A distance; positive.

    Raises
    ------
    InputError
        If the margin is not a positive finite number.
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        if not (math.isfinite(margin) and margin > 0):
            raise InputError(f"margin must be a positive finite number, not {margin}")
        self.margin = float(margin)
        self.batches_without_pairs = 0

    @property
    def config(self) -> dict[str, Any]:
        """The name and the parameters that rebuild this loss."""
        return {"name": self.name, "margin": self.margin}

    def value(self, pairs: Pairs) -> Tensor:
        """Compute the loss of pairs, at least one of which is positive."""
        raise NotImplementedError

    def compare(
        self, embeddings: Tensor, labels: Tensor, reference: Tensor, reference_labels: Tensor, own: bool
    ) -> Tensor:
        # e^12 is already infinite in half precision.
        with torch.autocast(embeddings.device.type, enabled=False):
            wide = torch.promote_types(embeddings.dtype, torch.float32)
            distances = distances_between(embeddings.to(wide), reference.to(wide))
            check_spread(embeddings.detach(), distances.detach())
            pairs = told_apart(distances, labels, reference_labels, own)
            if not bool(pairs.positive.any()):
                self.batches_without_pairs += 1
                return (embeddings.to(wide) * 0.0).sum()
            return self.value(pairs)

    def collapsed(self, classes: int, items: int) -> float:
        """Loss of a batch of ``classes`` × ``items`` whose embeddings all coincide."""
        return self._with_classes_apart(0.0, classes, items)

    def sphere_floor(self, classes: int, items: int) -> float:
        """Loss of unit vectors with the classes at the corners of a regular simplex.

        On the unit sphere distances end at 2, so the loss may not be able to fall to zero, and where it stops
        depends on the batch: compare losses of normalised networks with this floor, not with zero.

        Parameters
        ----------
        classes, items : int
            The batch holds ``items`` of each of ``classes`` classes; at least two each.

        Returns
        -------
        float
            For the lifted loss about 12.9 with 32 classes of 4 at margin 1. Reached only in ``classes - 1``
            dimensions or more.
        """
        return self._with_classes_apart(math.sqrt(2 * classes / (classes - 1)), classes, items)

    def _with_classes_apart(self, apart: float, classes: int, items: int) -> float:
        labels = torch.arange(classes).repeat_interleave(items)
        distances = apart * (labels[:, None] != labels).double()
        return float(self.value(told_apart(distances, labels, labels, own=True)))


def told_apart(distances: Tensor, labels: Tensor, reference_labels: Tensor, own: bool) -> Pairs:
    """Tell positive from negative pairs; if `own`, the reference begins with the batch itself."""
    same = labels[:, None] == reference_labels
    positive = same.clone().fill_diagonal_(False) if own else same
    return Pairs(distances, positive, ~same)


class Distances(torch.autograd.Function):
    """Euclidean distances between the rows of two matrices; see the head of this file for the gradient."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor) -> Tensor:
        if left.dtype == torch.float64:  # there is no wider type to expand in
            distances = torch.cdist(left, right, compute_mode="donot_use_mm_for_euclid_dist")
        else:
            distances = expanded(left, right)
        ctx.save_for_backward(left, right, distances)
        return distances

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, Tensor | None]:
        left, right, distances = ctx.saved_tensors
        lefts, rights = left.double(), right.double()
        for_left, for_right = torch.zeros_like(lefts), torch.zeros_like(rights)
        wanted, wanted_right = ctx.needs_input_grad
        for start in range(0, len(left), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            apart = distances[rows].double()
            weights = (slopes[rows].double() / apart).masked_fill_(apart == 0, 0.0)
            if wanted:
                for_left[rows] = weights.sum(dim=1, keepdim=True) * lefts[rows] - weights @ rights
            if wanted_right:
                for_right += weights.sum(dim=0)[:, None] * rights - weights.T @ lefts[rows]
        return (for_left.to(left) if wanted else None, for_right.to(right) if wanted_right else None)


def expanded(left: Tensor, right: Tensor) -> Tensor:
    """Distances between rows by expansion in float64, and by direct differences where that is too coarse."""
    rights = right.double()
    centre = rights.mean(dim=0)
    rights -= centre
    norms = rights.square().sum(dim=1)
    distances = left.new_empty(len(left), len(right))
    for start in range(0, len(left), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        lefts = left[rows].double() - centre
        scale = lefts.square().sum(dim=1, keepdim=True) + norms
        squares = torch.addmm(scale, lefts, rights.T, alpha=-2)
        distances[rows] = squares.to(left.dtype).sqrt()
        for pairs in torch.split((squares < NEAR * scale).nonzero(), PAIRS_AT_ONCE):
            i, j = pairs.unbind(dim=1)
            distances[start + i, j] = (left[start + i] - right[j]).square().sum(dim=1).sqrt()
    return distances


def distances_between(left: Tensor, right: Tensor) -> Tensor:
    """Euclidean distances between the rows of two matrices.

    Where two rows coincide the gradient is zero: a valid sub-gradient, where a plain square root would give
    NaN.

    Parameters
    ----------
    left : Tensor of shape (n, dim)
    right : Tensor of shape (m, dim)

    Returns
    -------
    Tensor of shape (n, m)
    """
    distances: Tensor = Distances.apply(left, right)  # type: ignore[no-untyped-call]
    return distances


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


def check_dimensions(embeddings: Tensor, reference: Tensor) -> None:
    """Raise :class:`InputError` unless both have the same number of dimensions."""
    if embeddings.shape[1] != reference.shape[1]:
        raise InputError(
            f"embeddings of {embeddings.shape[1]} dimensions cannot be compared with a reference "
            f"of {reference.shape[1]}"
        )


def check_spread(embeddings: Tensor, distances: Tensor) -> None:
    """Raise if anything is not finite; warn if all of several embeddings agree to within rounding."""
    widest = float(distances.max()) if distances.numel() else 0.0
    scale = float(embeddings.abs().max()) if embeddings.numel() else 0.0
    if not (math.isfinite(widest) and math.isfinite(scale)):
        raise DivergenceError(
            "the embeddings, or distances between them, are not finite: lower the learning rate, "
            "and look for extreme values in the data"
        )
    if distances.numel() > 1 and widest <= torch.finfo(embeddings.dtype).eps * scale:
        warnings.warn(
            "all embeddings of the batch coincide, and here the loss has no gradient: "
            "lower the learning rate, or start from other weights",
            CollapseWarning,
            stacklevel=2,
        )


def describe(tensor: Tensor) -> str:
    """Shape and type of a tensor, for messages."""
    return f"shape {tuple(tensor.shape)} of {str(tensor.dtype).removeprefix('torch.')}"
