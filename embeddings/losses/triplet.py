"""The triplet loss: a positive shall be nearer than a negative by a margin.

    loss = mean of max(0, α + D_ap − D_an) over the triplets (anchor, positive, negative) that mining chooses

batch-hard
    One triplet an anchor: its farthest positive and its nearest negative. Hermans, Beyer, Leibe: *In Defense
    of the Triplet Loss for Person Re-Identification*, 2017 (arXiv:1703.07737).
semi-hard
    One triplet a positive pair: the nearest of the negatives that are farther than the positive; where none
    is, the farthest negative. Schroff, Kalenichenko, Philbin: *FaceNet: A Unified Embedding for Face
    Recognition and Clustering*, CVPR 2015, with distances in place of their squares. A sort of each row and a
    binary search in it for each pair find them in O(B²) memory, where B³ triplets would be compared.

Triplets that lack a negative contribute 0.
"""

import math
from typing import Any

import torch
from torch import Tensor

from embeddings.errors import InputError
from embeddings.losses.base import PairLoss, Pairs

MINING = ("batch-hard", "semi-hard")


class TripletLoss(PairLoss):
    """The triplet loss on mined triplets.

    Parameters
    ----------
    margin : float, default 0.2
        α; positive.
    mining : {"batch-hard", "semi-hard"}, default "batch-hard"
        How triplets are chosen; see the head of this file.

    Raises
    ------
    InputError
        If a parameter is out of range.

    References
    ----------
    Schroff, Kalenichenko, Philbin: FaceNet: A Unified Embedding for Face Recognition and Clustering, CVPR
    2015.
    Hermans, Beyer, Leibe: In Defense of the Triplet Loss for Person Re-Identification, 2017
    (arXiv:1703.07737).
    """

    name = "triplet"

    def __init__(self, margin: float = 0.2, mining: str = "batch-hard") -> None:
        super().__init__(margin)
        if mining not in MINING:
            raise InputError(f"mining must be one of {', '.join(MINING)}, not {mining!r}")
        self.mining = mining

    @property
    def config(self) -> dict[str, Any]:
        """The name and the parameters that rebuild this loss."""
        return super().config | {"mining": self.mining}

    def value(self, pairs: Pairs) -> Tensor:
        negatives = pairs.distances.where(pairs.negative, math.inf)
        if self.mining == "batch-hard":
            farthest = pairs.distances.where(pairs.positive, -math.inf).amax(1)
            return pairs.mean_over_anchors((self.margin + farthest - negatives.amin(1)).clamp(min=0))
        ascending = negatives.sort(dim=1).values
        rank = torch.searchsorted(ascending.detach(), pairs.distances.detach(), right=True)
        # Beyond the last negative there is only infinity, at the positions that are none.
        last = pairs.negative.sum(dim=1, keepdim=True) - 1
        chosen = ascending.gather(1, rank.minimum(last.clamp(min=0)))
        return pairs.mean((self.margin + pairs.distances - chosen).clamp(min=0))
