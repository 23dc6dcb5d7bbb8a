"""Batches: of P classes × K items, or of positive pairs with their hardest negatives.

Both deal classes like a shuffled deck, a hand for each batch, and are determined by seed and number of the
epoch, so that training which is resumed can skip the batches that it has seen.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

import metricspace
from embeddings.arrays import as_vectors
from embeddings.errors import InputError

Positions = npt.NDArray[np.int64]


class Sampler(ABC):
    """Endless supply of batches; what the trainer asks of it.

    A sampler that also has a method ``refresh(embeddings)`` is given the embeddings of all items now and
    then.

    Attributes
    ----------
    classes, items : int
        A batch holds up to ``items`` items of each of ``classes`` classes.
    batches : int
        Number of batches in an epoch.
    """

    def __init__(self, labels: npt.ArrayLike, classes: int, items: int, batches: int, seed: int) -> None:
        if batches < 1 or seed < 0:
            raise InputError(
                "an epoch needs at least 1 batch, and a seed is not negative; "
                f"given: batches={batches}, seed={seed}"
            )
        self.labels = np.asarray(labels)
        self.members = members_of_classes(self.labels)
        self.paired = np.flatnonzero([len(members) > 1 for members in self.members])
        if len(self.members) < 2:
            raise InputError(f"training needs at least two classes, and the labels name {len(self.members)}")
        if len(self.paired) == 0:
            raise InputError("training needs a class of at least two items, and all labels differ")
        self.deck = self._deck()
        self.classes = min(classes, len(self.deck))
        self.items = items
        self.batches = batches
        self.seed = seed

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self.batches

    def epoch(self, number: int) -> Iterator[Positions]:
        """Yield the batches of one epoch.

        Parameters
        ----------
        number : int
            The same number gives the same batches.

        Yields
        ------
        array of positions of items, none twice
        """
        rng = np.random.default_rng((self.seed, number))
        rest = np.empty(0, dtype=np.int64)
        for _ in range(self.batches):
            if len(rest) < self.classes:
                rest = rng.permutation(self.deck)
            hand, rest = rest[: self.classes], rest[self.classes :]
            yield self._batch(hand, rng)

    @abstractmethod
    def _deck(self) -> Positions:
        """Return the classes to deal."""

    @abstractmethod
    def _batch(self, hand: Positions, rng: np.random.Generator) -> Positions:
        """Draw a batch from the classes that were dealt."""

    def _draw(self, number: int, rng: np.random.Generator) -> Positions:
        members = self.members[number]
        return rng.choice(members, min(self.items, len(members)), replace=False)


class ClassBatches(Sampler):
    """Endless supply of batches in which every class is met several times.

    An epoch is a fixed number of batches. It deals the classes like a shuffled deck, P at a time, and
    shuffles anew when fewer than P are left; of each class it then draws K different items.

    * A class of fewer than K items gives all that it has, none twice: the batch is then smaller than P × K.
    * Where there are fewer than P classes, every batch holds all of them.
    * A batch without a positive pair (its classes have one item each) has its last class exchanged for a
      random class of at least two items.

    Parameters
    ----------
    labels : array of shape (n,)
        One integer label for each item; at least two classes, one of them of at least two items.
    classes : int, default 30
        P; at least 2.
    items : int, default 4
        K; at least 2.
    batches : int, default 100
        Number of batches in an epoch.
    seed : int, default 0
        Together with the number of the epoch it determines the batches.

    Raises
    ------
    InputError
        If the labels allow no batch with a positive and a negative pair, or a number is too small.
    """

    def __init__(
        self, labels: npt.ArrayLike, *, classes: int = 30, items: int = 4, batches: int = 100, seed: int = 0
    ) -> None:
        if classes < 2 or items < 2:
            raise InputError(
                f"a batch needs at least 2 classes of 2 items; given: classes={classes}, items={items}"
            )
        super().__init__(labels, classes, items, batches, seed)

    def _deck(self) -> Positions:
        return np.arange(len(self.members))

    def _batch(self, hand: Positions, rng: np.random.Generator) -> Positions:
        if not np.isin(hand, self.paired).any():
            hand[-1] = rng.choice(self.paired)
        return np.concatenate([self._draw(int(c), rng) for c in hand])


class HardNeighbourBatches(Sampler):
    """Endless supply of batches of random positive pairs and their hardest negatives.

    As in the paper of the lifted loss, a batch begins with positive pairs, and goes on with those items of
    other classes that are nearest to either item of a pair, under the embeddings that `refresh` was given
    last. An exact index finds them (a VP-tree, filtered by class), with ties in order of position. Until the
    first refresh the negatives are random.

    * The pairs of a batch are of different classes, dealt like a shuffled deck of all classes of at least two
      items. Where these are fewer than `pairs`, every batch holds a pair of each.
    * Classes of one item are met as negatives only.
    * No item is twice in a batch: neighbours that pairs share, and pairs that are neighbours, make it smaller
      than ``pairs * (2 + 2 * neighbours)``.

    Parameters
    ----------
    labels : array of shape (n,)
        One integer label for each item; at least two classes, one of them of at least two items.
    pairs : int, default 12
        Positive pairs in a batch; at least 1.
    neighbours : int, default 4
        Negatives for each item of a pair; at least 1.
    batches : int, default 100
        Number of batches in an epoch.
    seed : int, default 0
        Together with the number of the epoch and the embeddings last given it determines the batches.

    Attributes
    ----------
    classes, items : int
        The number of pairs, and 2: the negatives come on top.

    Raises
    ------
    InputError
        If the labels allow no batch with a positive and a negative pair, or a number is too small.

    References
    ----------
    Oh Song, Xiang, Jegelka, Savarese: Deep Metric Learning via Lifted Structured Feature Embedding, CVPR
    2016.
    """

    def __init__(
        self,
        labels: npt.ArrayLike,
        *,
        pairs: int = 12,
        neighbours: int = 4,
        batches: int = 100,
        seed: int = 0,
    ) -> None:
        if pairs < 1 or neighbours < 1:
            raise InputError(
                "a batch needs at least 1 pair and 1 neighbour; "
                f"given: pairs={pairs}, neighbours={neighbours}"
            )
        super().__init__(labels, pairs, 2, batches, seed)
        self.neighbours = neighbours
        self.index: metricspace.VPTree | None = None

    def refresh(self, embeddings: npt.ArrayLike) -> None:
        """Look for neighbours among these embeddings from now on.

        Parameters
        ----------
        embeddings : array of shape (n, dim)
            Of all items, in the order of the labels.

        Raises
        ------
        InputError
            If they are not finite numbers of that shape.
        """
        vectors = as_vectors(embeddings)
        if len(vectors) != len(self.labels):
            raise InputError(f"{len(self.labels)} embeddings are expected, not {len(vectors)}")
        self.index = metricspace.VPTree("euclidean").fit(vectors)

    def _deck(self) -> Positions:
        return self.paired

    def _batch(self, hand: Positions, rng: np.random.Generator) -> Positions:
        seeds = np.concatenate([self._draw(int(c), rng) for c in hand])
        chosen = np.concatenate([seeds, self._negatives(seeds, rng)])
        _, first = np.unique(chosen, return_index=True)
        return chosen[np.sort(first)]

    def _negatives(self, seeds: Positions, rng: np.random.Generator) -> Positions:
        others = self.labels != self.labels[seeds, None]
        if self.index is None:
            some = [np.flatnonzero(mask) for mask in others]
            return np.concatenate([rng.choice(s, min(self.neighbours, len(s)), replace=False) for s in some])
        nearest = self.index.knn(ids=seeds, k=self.neighbours, filter=others).positions
        return nearest[nearest >= 0]


def members_of_classes(labels: npt.NDArray[np.integer]) -> list[Positions]:
    """Positions of the items of each class, classes in ascending order of label.

    Parameters
    ----------
    labels : array of shape (n,)

    Returns
    -------
    list of arrays of positions, each ascending
    """
    if labels.ndim != 1 or labels.dtype.kind not in "iub":
        raise InputError(
            f"labels must be one integer for each item, not shape {labels.shape} of {labels.dtype}"
        )
    _, starts = np.unique(np.sort(labels), return_index=True)
    return np.split(np.argsort(labels, kind="stable"), starts[1:])
