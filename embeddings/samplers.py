"""Batches of P classes × K items, drawn without replacement."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from embeddings.errors import InputError

Positions = npt.NDArray[np.int64]


class ClassBatches:
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
        if classes < 2 or items < 2 or batches < 1 or seed < 0:
            raise InputError(
                "a batch needs at least 2 classes of 2 items, an epoch at least 1 batch, "
                "and a seed is not negative; "
                f"given: classes={classes}, items={items}, batches={batches}, seed={seed}"
            )
        self.members = members_of_classes(np.asarray(labels))
        self.paired = np.flatnonzero([len(members) > 1 for members in self.members])
        if len(self.members) < 2:
            raise InputError(f"training needs at least two classes, and the labels name {len(self.members)}")
        if len(self.paired) == 0:
            raise InputError("training needs a class of at least two items, and all labels differ")
        self.classes = min(classes, len(self.members))
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
        array of shape (at most P × K,)
            Positions of the items, class after class.
        """
        rng = np.random.default_rng((self.seed, number))
        deck = np.empty(0, dtype=np.int64)
        for _ in range(self.batches):
            if len(deck) < self.classes:
                deck = rng.permutation(len(self.members))
            hand, deck = deck[: self.classes], deck[self.classes :]
            if not np.isin(hand, self.paired).any():
                hand[-1] = rng.choice(self.paired)
            yield np.concatenate([self._draw(int(c), rng) for c in hand])

    def _draw(self, number: int, rng: np.random.Generator) -> Positions:
        members = self.members[number]
        return rng.choice(members, min(self.items, len(members)), replace=False)


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
