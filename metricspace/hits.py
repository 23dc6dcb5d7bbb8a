"""Finished results: ids, positions and distances, with what they cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Hits:
    """The nearest neighbours of m queries, each row by (distance, position).

    Attributes
    ----------
    ids : array, shape (m, k)
        The user's ids; −1 (or None, for ids that are strings) where fewer than k exist. Without ids of the
        user's, the array of positions itself.
    positions : int64, shape (m, k)
        Places in the order of insertion; −1 where fewer than k exist.
    distances : float64, shape (m, k)
        Infinity where fewer than k exist.
    cost : int64, shape (m,)
        Distances computed for each query.
    exact : bool, shape (m,)
        Whether the answer is proven exact.
    bounds : int64, shape (m,)
        Evaluations of cheaper surrogates for the distance.
    """

    ids: npt.NDArray[Any]
    positions: Ints
    distances: Reals
    cost: Ints
    exact: npt.NDArray[np.bool_]
    bounds: Ints

    def __len__(self) -> int:
        return len(self.cost)

    def reordered(self, rows: Ints) -> Hits:
        """Return these rows in this order."""
        return Hits(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True, eq=False)
class Balls:
    """The objects within a radius of m queries, as compressed rows, each by (distance, position).

    Attributes
    ----------
    indptr : int64, shape (m + 1,)
        Query i has the entries ``indptr[i]`` to ``indptr[i + 1]`` of the following three.
    ids, positions : arrays, shape (total,)
        The user's ids, and places in the order of insertion: one array where the user gave no ids.
    distances : float64, shape (total,), or None
        None if they were not asked for.
    cost, exact, bounds : arrays, shape (m,)
        As for `Hits`.
    """

    indptr: Ints
    ids: npt.NDArray[Any]
    positions: Ints
    distances: Reals | None
    cost: Ints
    exact: npt.NDArray[np.bool_]
    bounds: Ints

    def __len__(self) -> int:
        return len(self.cost)

    def __iter__(self) -> Iterator[tuple[npt.NDArray[Any], Reals | None]]:
        """Yield the ids and the distances of each query."""
        for i in range(len(self)):
            part = slice(self.indptr[i], self.indptr[i + 1])
            yield self.ids[part], None if self.distances is None else self.distances[part]


@dataclasses.dataclass(frozen=True, eq=False)
class Counts:
    """The number of objects within a radius of m queries.

    Attributes
    ----------
    counts : int64, shape (m,)
        How many.
    cost, exact, bounds : arrays, shape (m,)
        As for `Hits`.
    """

    counts: Ints
    cost: Ints
    exact: npt.NDArray[np.bool_]
    bounds: Ints

    def __len__(self) -> int:
        return len(self.cost)


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of near objects, by (left, right) position, or by distance where the closest were asked for.

    Attributes
    ----------
    left, right : arrays, shape (p,)
        The user's ids: left from the index that was asked, right from the other; in a self-join both are
        from the index, and left comes before right. Without ids of the user's, the arrays of positions.
    left_positions, right_positions : int64, shape (p,)
        Places in the order of insertion.
    distances : float64, shape (p,)
        Of each pair.
    cost : int
        Distances computed to find them.
    build_cost : int
        Distances computed before that, to build what was searched.
    """

    left: npt.NDArray[Any]
    right: npt.NDArray[Any]
    left_positions: Ints
    right_positions: Ints
    distances: Reals
    cost: int
    build_cost: int

    def __len__(self) -> int:
        return len(self.distances)

    def __iter__(self) -> Iterator[tuple[Any, Any, float]]:
        """Yield (left, right, distance)."""
        return zip(self.left.tolist(), self.right.tolist(), self.distances.tolist())


@dataclasses.dataclass(frozen=True, eq=False)
class Matches:
    """The objects of which a predicate holds, in the order of insertion.

    Attributes
    ----------
    ids, positions : arrays, shape (p,)
        The user's ids, and places in the order of insertion.
    cost : int
        Distances computed.
    exact : bool
        Whether the answer is proven exact.
    bounds : int
        Evaluations of cheaper surrogates for the distance.
    """

    ids: npt.NDArray[Any]
    positions: Ints
    cost: int
    exact: bool
    bounds: int

    def __len__(self) -> int:
        return len(self.positions)


@dataclasses.dataclass(frozen=True, eq=False)
class TopK:
    """The objects of least score over m indexes, by (score, position in the first index).

    Attributes
    ----------
    ids, positions : arrays, shape (k,)
        The user's ids, and places in the order of insertion into the first index; fewer where fewer exist.
    scores : float64, shape (k,)
        Of the distances.
    distances : float64, shape (k, m)
        To each query, in its index.
    sorted_accesses : int
        Objects taken from the indexes in the order of their distances.
    random_accesses : int
        Distances asked for by id.
    cost : int64, shape (m,)
        Distances computed in each index, for both kinds of access.
    """

    ids: npt.NDArray[Any]
    positions: Ints
    scores: Reals
    distances: Reals
    sorted_accesses: int
    random_accesses: int
    cost: Ints

    def __len__(self) -> int:
        return len(self.scores)
