"""The lifted structured losses: every pair of the batch takes part.

With distances D (Euclidean, not squared), margin α, the positive pairs P and the items N(i) of other classes,

    J_ij = log( Σ_{k∈N(i)} e^(α − D_ik) + Σ_{l∈N(j)} e^(α − D_jl) ) + D_ij
    loss = 1 / (2|P|) · Σ_{(i,j)∈P} max(0, J_ij)²

is the smooth upper bound of Oh Song, Xiang, Jegelka, Savarese: *Deep Metric Learning via Lifted Structured
Feature Embedding*, CVPR 2016. The inner sums depend on one item each, so that a log-sum-exp per item and one
``logaddexp`` per pair give the whole loss in O(B²) time and memory for a batch of B. The form that it bounds
has the greatest term in place of each log-sum-exp. A pair without negatives has J = −∞ and contributes 0.

Among a reference set, i is of the batch and j of the reference, and the negatives of either are on the other
side. Within a batch each pair is met twice, which changes no mean.
"""

import math

import torch
from torch import Tensor

from embeddings.losses.base import PairLoss, Pairs


class LiftedStructureLoss(PairLoss):
    """The smooth lifted structured loss on Euclidean distances.

    Parameters
    ----------
    margin : float, default 1.0
        α, the distance beyond which an item of another class weighs little; positive.

    Attributes
    ----------
    metric, config, batches_without_pairs
        See :class:`embeddings.losses.Loss`.

    Raises
    ------
    InputError
        If the margin is not a positive finite number.

    References
    ----------
    Oh Song, Xiang, Jegelka, Savarese: Deep Metric Learning via Lifted Structured Feature Embedding, CVPR
    2016.
    """

    name = "lifted"

    def value(self, pairs: Pairs) -> Tensor:
        closeness = (self.margin - pairs.distances).where(pairs.negative, -math.inf)
        of_item, of_other = self.over(closeness, 1)[:, None], self.over(closeness, 0)[None, :]
        bound = self.either(of_item, of_other) + pairs.distances
        return pairs.mean(bound.clamp(min=0).square()) / 2

    def over(self, closeness: Tensor, dim: int) -> Tensor:
        """Sum up the closeness of negatives along one side."""
        return closeness.logsumexp(dim)

    def either(self, one: Tensor, other: Tensor) -> Tensor:
        """Sum up what the two items of a pair have as negatives."""
        return torch.logaddexp(one, other)


class ExactLiftedLoss(LiftedStructureLoss):
    """The lifted structured loss before it is smoothed: only the nearest negative of either item counts.

    Parameters
    ----------
    margin : float, default 1.0
        α; positive.

    References
    ----------
    Oh Song, Xiang, Jegelka, Savarese: Deep Metric Learning via Lifted Structured Feature Embedding, CVPR
    2016.
    """

    name = "exact-lifted"

    def over(self, closeness: Tensor, dim: int) -> Tensor:
        return closeness.amax(dim)

    def either(self, one: Tensor, other: Tensor) -> Tensor:
        return torch.maximum(one, other)


class GeneralizedLiftedLoss(PairLoss):
    """The generalised lifted loss: the positives of an item, too, are summed up smoothly.

        loss = mean over the items i that have positives of
               max(0, log Σ_{j∈P(i)} e^(D_ij) + log Σ_{k∈N(i)} e^(α − D_ik))

    An item without negatives contributes 0.

    Parameters
    ----------
    margin : float, default 1.0
        α; positive.

    References
    ----------
    Hermans, Beyer, Leibe: In Defense of the Triplet Loss for Person Re-Identification, 2017
    (arXiv:1703.07737).
    """

    name = "generalized-lifted"

    def value(self, pairs: Pairs) -> Tensor:
        farness = pairs.distances.where(pairs.positive, -math.inf).logsumexp(1)
        closeness = (self.margin - pairs.distances).where(pairs.negative, -math.inf).logsumexp(1)
        return pairs.mean_over_anchors((farness + closeness).clamp(min=0))
