"""Losses over the pairs of a batch: one file a family; what they share is in ``base``."""

from collections.abc import Mapping
from typing import Any

from embeddings.errors import InputError
from embeddings.losses.base import Loss, PairLoss, Pairs
from embeddings.losses.contrastive import ContrastiveLoss
from embeddings.losses.lifted import ExactLiftedLoss, GeneralizedLiftedLoss, LiftedStructureLoss
from embeddings.losses.memory import CrossBatchMemory
from embeddings.losses.triplet import TripletLoss

LOSSES: dict[str, type[Loss]] = {
    loss.name: loss
    for loss in (
        LiftedStructureLoss,
        ExactLiftedLoss,
        GeneralizedLiftedLoss,
        ContrastiveLoss,
        TripletLoss,
        CrossBatchMemory,
    )
}


def build(config: Mapping[str, Any] | None) -> Loss:
    """Build a loss from its configuration; None stands for a loss of the user's own.

    Raises
    ------
    InputError
        If it is not a loss of this package, or a parameter is out of range.
    """
    params = dict(config or {})
    loss = LOSSES.get(params.pop("name", ""))
    if loss is None:
        raise InputError(f"not a loss of this package: {config}; pass your own as loss=")
    if "loss" in params:
        params["loss"] = build(params["loss"])
    return loss(**params)


__all__ = [
    "LOSSES",
    "ContrastiveLoss",
    "CrossBatchMemory",
    "ExactLiftedLoss",
    "GeneralizedLiftedLoss",
    "LiftedStructureLoss",
    "Loss",
    "PairLoss",
    "Pairs",
    "TripletLoss",
    "build",
]
