"""Sequences of symbols, as ragged codes: strings, bytes, and sequences of any hashable tokens."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgument, NotSupported, WrongType
from .base import Objects, Positions, appended, as_list, refuse_single
from .ragged import starts_of, take_ragged

_ANY = "strings or other sequences"
_TABLE = 2**16  # numbers up to this are looked up in a table however few there are


class Sequences(Objects):
    """Sequences of hashable tokens, as ragged codes.

    A code is the rank at which a symbol was first seen, from 1; 0 stands for every symbol that the vocabulary
    lacks, which no indexed sequence has and which so matches none.

    Parameters
    ----------
    starts : int64, shape (n + 1,)
        Sequence i is ``codes[starts[i]:starts[i + 1]]``.
    codes : uint32
        The symbols of all sequences.
    vocabulary : dict
        The code of each symbol, ascending.
    form : type
        What sequences are given back as: the type of the first, whatever the others were.
    """

    kind = "sequences"
    accepted: ClassVar[tuple[type, ...]] = (list, tuple, np.ndarray)
    described: ClassVar[str] = "lists, tuples or integer arrays of tokens"
    unknown: ClassVar[Any] = None  # what code 0 is shown as

    def __init__(
        self,
        starts: npt.NDArray[np.int64],
        codes: npt.NDArray[np.uint32],
        vocabulary: dict[Any, int],
        form: type,
    ) -> None:
        self.starts, self.codes, self.vocabulary, self.form = starts, codes, vocabulary, form

    @classmethod
    def of(cls, data: Iterable[Any], listed: Iterable[Hashable] = ()) -> Self:
        """Validate a batch of sequences.

        Parameters
        ----------
        data : batch of sequences
            All of one kind.
        listed : iterable of symbols
            What gets a code whether or not it occurs: the symbols that queries may hold and that a metric
            tells from others.
        """
        batch = as_list(data, cls.described)
        if not batch:
            raise InvalidArgument("expected at least one string or other sequence, given none")
        vocabulary = {cls.symbol(one): code for code, one in enumerate(listed, 1)}
        form = next(kind for kind in cls.accepted if isinstance(batch[0], kind))
        return cls(np.zeros(1, np.int64), np.zeros(0, np.uint32), vocabulary, form).extended(batch)

    # In what the kinds differ.

    @classmethod
    def symbol(cls, given: Any) -> Any:
        """Return a symbol that a metric tells from others, as iterating over a sequence would give it."""
        return given

    def _split(self, batch: list[Any]) -> tuple[list[Any], npt.NDArray[np.int64]]:
        """Return the different symbols of some sequences, and which each place of them all holds."""
        numbers: dict[Hashable, int] = {}
        places: list[int] = []
        for i, one in enumerate(batch):
            if isinstance(one, np.ndarray):
                if one.ndim != 1 or one.dtype.kind not in "iu":
                    raise WrongType(
                        f"expected arrays of integers in one dimension, given {one.dtype} of shape "
                        f"{one.shape} at position {i}: convert it, or use a list of tokens"
                    )
                one = one.tolist()
            try:
                places += [numbers.setdefault(token, len(numbers)) for token in one]
            except TypeError as error:
                raise WrongType(f"expected hashable tokens: {error}, at position {i}") from error
        return list(numbers), np.array(places, np.int64)

    def _joined(self, symbols: list[Any], codes: npt.NDArray[np.uint32]) -> Any:
        """Return all places of some sequences one after the other, such that slices are sequences."""
        places = [symbols[code] for code in codes]
        return _array(places) if self.form is np.ndarray else self.form(places)

    # What they have in common.

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def alphabet(self) -> int:
        """How many codes there are, 0 included."""
        return len(self.vocabulary) + 1

    @property
    def longest(self) -> int:
        """Length of the longest sequence."""
        return int(np.diff(self.starts).max(initial=0))

    def take(self, positions: Positions) -> Self:
        return type(self)(*take_ragged(self.starts, self.codes, positions), self.vocabulary, self.form)

    def encode(self, data: Iterable[Any]) -> Self:
        return self._encoded(*self._parts(data), self.vocabulary)

    def extended(self, data: Iterable[Any]) -> Self:
        lengths, symbols, places = self._parts(data)
        vocabulary = dict(self.vocabulary)
        for symbol in symbols:
            vocabulary.setdefault(symbol, len(vocabulary) + 1)
        more = self._encoded(lengths, symbols, places, vocabulary)
        starts = appended(self.starts, self.starts[-1] + more.starts[1:])
        return type(self)(starts, appended(self.codes, more.codes), vocabulary, self.form)

    def _parts(self, data: Iterable[Any]) -> tuple[list[int], list[Any], npt.NDArray[np.int64]]:
        """Return the lengths of some sequences, their different symbols, and which each place holds."""
        refuse_single(data, self.described)
        batch = as_list(data, self.described)
        if not all(issubclass(kind, self.accepted) for kind in set(map(type, batch))):
            i, one = next((i, one) for i, one in enumerate(batch) if not isinstance(one, self.accepted))
            raise WrongType(
                f"expected {self.described} like the first, given a {type(one).__name__} at position "
                f"{i}: an index holds sequences of one kind; pass [x] for one sequence"
            )
        symbols, places = self._split(batch)
        return list(map(len, batch)), symbols, places

    def _encoded(
        self,
        lengths: list[int],
        symbols: list[Any],
        places: npt.NDArray[np.int64],
        vocabulary: dict[Any, int],
    ) -> Self:
        codes = np.array([vocabulary.get(symbol, 0) for symbol in symbols], np.uint32)
        return type(self)(starts_of(lengths, len(lengths)), codes[places], vocabulary, self.form)

    def give(self, positions: Positions) -> list[Any]:
        starts, codes = take_ragged(self.starts, self.codes, positions)
        places = self._joined([self.unknown, *self.vocabulary], codes)
        return [places[a:b] for a, b in itertools.pairwise(starts.tolist())]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"starts": self.starts, "codes": self.codes}

    def header(self) -> dict[str, Any]:
        if not all(type(symbol) in (int, str) for symbol in self.vocabulary):
            raise NotSupported(
                "only sequences of integers or strings can be stored in a file: "
                "number the tokens, or pickle the index"
            )
        return {"vocabulary": list(self.vocabulary), "form": self.form.__name__}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        vocabulary = {symbol: code for code, symbol in enumerate(header["vocabulary"], 1)}
        form = {kind.__name__: kind for kind in cls.accepted}[header["form"]]
        return cls(arrays["starts"], arrays["codes"], vocabulary, form)


def _array(tokens: list[Any]) -> npt.NDArray[Any]:
    """Return tokens in the first of int64, uint64 and object that holds them all exactly."""
    for whole in (np.int64, np.uint64):
        held = np.iinfo(whole)
        if all(isinstance(one, (int, np.integer)) and held.min <= one <= held.max for one in tokens):
            return np.array(tokens, whole)
    return np.fromiter(tokens, object, len(tokens))


def _different(numbers: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return the different ones of some whole numbers, ascending, and which each place holds."""
    limit = int(numbers.max(initial=0)) + 1
    if limit > max(_TABLE, len(numbers)):
        return np.unique(numbers, return_inverse=True)
    there = np.zeros(limit, bool)
    there[numbers] = True
    symbols, rank = np.flatnonzero(there), np.empty(limit, np.int64)
    rank[symbols] = np.arange(len(symbols))
    return symbols, rank[numbers]


class Strings(Sequences):
    """Unicode strings, whose symbols are code points."""

    kind = "strings"
    accepted = (str,)
    described = "strings"
    unknown = "\ufffd"

    @classmethod
    def symbol(cls, given: Any) -> str:
        if not isinstance(given, str) or len(given) != 1:
            raise InvalidArgument(f"expected costs of single characters for strings, given {given!r}")
        return given

    def _split(self, batch: list[Any]) -> tuple[list[Any], npt.NDArray[np.int64]]:
        points = np.frombuffer("".join(batch).encode("utf-32-le", "surrogatepass"), "<u4")
        symbols, places = _different(points)
        return list(map(chr, symbols.tolist())), places

    def _joined(self, symbols: list[Any], codes: npt.NDArray[np.uint32]) -> str:
        return "".join([symbols[code] for code in codes])


class ByteStrings(Sequences):
    """Strings of bytes."""

    kind = "bytestrings"
    accepted = (bytes,)
    described = "bytes"
    unknown = 0

    @classmethod
    def symbol(cls, given: Any) -> int:
        if not isinstance(given, int) or not 0 <= given < 256:
            raise InvalidArgument(
                f"expected costs of numbers below 256 for bytes, given {given!r}: write b'a'[0]"
            )
        return int(given)

    def _split(self, batch: list[Any]) -> tuple[list[Any], npt.NDArray[np.int64]]:
        symbols, places = _different(np.frombuffer(b"".join(batch), np.uint8))
        return symbols.tolist(), places

    def _joined(self, symbols: list[Any], codes: npt.NDArray[np.uint32]) -> bytes:
        return bytes([symbols[code] for code in codes])


def sequences_of(data: Iterable[Any], listed: Iterable[Hashable] = ()) -> Sequences:
    """Validate a batch of sequences of whatever kind the first is of; see `Sequences.of`."""
    refuse_single(data, _ANY)
    batch = as_list(data, _ANY)
    kinds = (Strings, ByteStrings, Sequences)
    for kind in kinds:
        if not batch or isinstance(batch[0], kind.accepted):
            return kind.of(batch, listed)
    raise WrongType(
        f"expected {', or '.join(kind.described for kind in kinds)}, given {type(batch[0]).__name__} "
        "at position 0: pass [x] for one sequence"
    )
