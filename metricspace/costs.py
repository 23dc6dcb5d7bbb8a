"""What an edit costs: replacing a symbol by another, or by the blank, which is to delete or to insert it.

An edit distance is a metric when these costs are one, the blank being a point like any symbol (Sellers
1974); other costs are refused.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InvalidArgument, NotAMetric, WrongType

BLANK, OTHER = 0, 1  # the rows of the table for the blank, and for every symbol that is not listed

Given = Mapping[tuple[Hashable, Hashable], float] | Iterable[tuple[Hashable, Hashable, float]]


class EditCosts:
    """The costs of edits, checked to be a metric.

    Parameters
    ----------
    given : mapping of (symbol, symbol) to float, or triples (symbol, symbol, cost), optional
        What replacing one by the other costs, either way; None stands for the blank, so that (symbol, None)
        is what inserting or deleting the symbol costs.
    replace, insert : float
        The costs of the pairs that are not listed, without and with the blank.

    Attributes
    ----------
    symbols : list
        Those that are listed; symbol i has row i + 2 of the table.
    table : float64, shape (symbols + 2, symbols + 2)
        ``table[a, b]`` is the cost of replacing different symbols of these rows.

    Raises
    ------
    NotAMetric
        If the costs are not positive, not symmetric, or break the triangle inequality.
    """

    def __init__(self, given: Given | None = None, replace: float = 1.0, insert: float = 1.0) -> None:
        self.replace, self.insert = _cost("replace", replace), _cost("insert", insert)
        triples = _triples(given or {})
        try:
            listed = {s for a, b, _ in triples for s in (a, b) if s is not None}
        except TypeError as error:
            raise WrongType(f"expected hashable symbols in costs: {error}") from error
        # In an order that does not depend on that of the pairs, so that `params` is the same when read back.
        self.symbols = sorted(listed, key=lambda s: (type(s).__name__, repr(s)))
        row = {symbol: i + 2 for i, symbol in enumerate(self.symbols)} | {None: BLANK}
        size = len(self.symbols) + 2
        self.table = np.full((size, size), self.replace)
        self.table[BLANK] = self.table[:, BLANK] = self.insert
        self.table[BLANK, BLANK] = 0.0
        seen: dict[frozenset[int], float] = {}
        for a, b, cost in triples:
            pair = frozenset((row[a], row[b]))
            if len(pair) < 2:
                raise InvalidArgument(f"replacing {a!r} by itself costs nothing: leave the pair out")
            if seen.setdefault(pair, cost) != cost:
                raise NotAMetric(f"replacing {a!r} by {b!r} must cost the same either way, given two costs")
            self.table[row[a], row[b]] = self.table[row[b], row[a]] = _cost(f"the pair {a!r}, {b!r}", cost)
        self._refuse_detours()

    def _refuse_detours(self) -> None:
        """Raise if some replacement costs more than a detour by a third symbol."""
        # Twice, because two different symbols may both be unlisted; the blank and a listed one are alone.
        rows = np.array([*range(len(self.table)), OTHER])
        d = self.table[np.ix_(rows, rows)].copy()
        np.fill_diagonal(d, 0.0)
        for middle in range(len(d)):
            excess = d - (d[:, middle : middle + 1] + d[middle : middle + 1])
            excess = np.where(excess > 1e-12 * d, excess, 0.0)  # less is the rounding of a sum
            if excess.any():
                a, b = (int(place) for place in np.unravel_index(int(excess.argmax()), d.shape))
                name = [self._name(int(rows[place])) for place in (a, middle, b)]
                raise NotAMetric(
                    f"these costs break the triangle inequality: {name[0]} to {name[2]} costs {d[a, b]:g}, "
                    f"by way of {name[1]} only {d[a, middle] + d[middle, b]:g}: lower the former to that"
                )

    def _name(self, row: int) -> str:
        return {BLANK: "the blank", OTHER: "any other symbol"}.get(row) or repr(self.symbols[row - 2])

    @property
    def unit(self) -> bool:
        """Whether every edit costs 1."""
        return not self.symbols and self.replace == self.insert == 1.0

    @property
    def extent(self) -> tuple[float, float]:
        """The least and the greatest cost of an edit."""
        kinds = self.table[np.triu_indices(len(self.table), 1)]
        # Two different symbols may both be unlisted.
        return min(float(kinds.min()), self.replace), max(float(kinds.max()), self.replace)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters, fit for JSON if the symbols are."""
        listed = [
            [a, b, float(self.table[i + 2, j + 2])]
            for i, a in enumerate(self.symbols)
            for j, b in enumerate(self.symbols[:i])
            if self.table[i + 2, j + 2] != self.replace
        ]
        listed += [
            [a, None, float(self.table[i + 2, BLANK])]
            for i, a in enumerate(self.symbols)
            if self.table[i + 2, BLANK] != self.insert
        ]
        return {"costs": listed, "replace": self.replace, "insert": self.insert}

    def rows_of(self, symbols: Iterable[Hashable]) -> npt.NDArray[np.int64]:
        """Return the row of the table for each of these symbols."""
        row = {symbol: i + 2 for i, symbol in enumerate(self.symbols)}
        return np.array([row.get(symbol, OTHER) for symbol in symbols], np.int64)


def _triples(given: Given) -> list[tuple[Any, Any, float]]:
    try:
        if isinstance(given, Mapping):
            return [(a, b, cost) for (a, b), cost in given.items()]
        return [(a, b, cost) for a, b, cost in given]
    except (TypeError, ValueError) as error:
        raise WrongType(
            f"expected costs as {{(symbol, symbol): cost}}, with None for the blank, given {given!r}"
        ) from error


def _cost(what: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float, np.number)):
        raise WrongType(f"expected a number as the cost of {what}, given {given!r}")
    if not 0 < given < np.inf:
        raise NotAMetric(f"expected a positive cost of {what}, given {given!r}: different symbols differ")
    if given > 1e150:
        raise InvalidArgument(f"expected a cost of {what} of at most 1e150, given {given!r}: scale the costs")
    return float(given)
