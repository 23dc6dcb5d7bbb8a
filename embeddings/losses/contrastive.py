"""The contrastive loss: positive pairs attract, negative ones repel within a margin.

    loss = 1 / |P| · ( Σ_{(i,j)∈P} ½ D_ij² + Σ_{(i,k)∈N} ½ max(0, α − D_ik)² )

Hadsell, Chopra, LeCun: *Dimensionality Reduction by Learning an Invariant Mapping*, CVPR 2006, over all pairs
of the batch. As in the paper every pair weighs alike; the sum is divided by the number of positive pairs, so
that the loss does not grow with the batch by itself.
"""

from torch import Tensor

from embeddings.losses.base import PairLoss, Pairs


class ContrastiveLoss(PairLoss):
    """The contrastive loss over all pairs of the batch.

    Parameters
    ----------
    margin : float, default 1.0
        α, the distance beyond which negative pairs no longer repel; positive.

    References
    ----------
    Hadsell, Chopra, LeCun: Dimensionality Reduction by Learning an Invariant Mapping, CVPR 2006.
    """

    name = "contrastive"

    def value(self, pairs: Pairs) -> Tensor:
        attraction = pairs.distances.where(pairs.positive, 0.0)
        repulsion = (self.margin - pairs.distances).clamp(min=0).where(pairs.negative, 0.0)
        return (attraction.square().sum() + repulsion.square().sum()) / (2 * pairs.positive.sum())
