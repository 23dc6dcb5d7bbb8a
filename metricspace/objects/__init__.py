"""Containers: what the user has, validated once and laid out for kernels.

- `Rows`: vectors, or rows of integer codes, in one matrix; `NumericRows`: rows of any numbers, unchecked;
- `Sequences`: sequences of hashable tokens, as ragged codes; `Strings` and `ByteStrings` are special cases;
- `Sets`: sets of hashable items, as ragged codes;
- `SparseRows`: rows of a sparse matrix, as the sets of their columns that are not zero;
- `Bits`: rows of booleans or of packed bits, as the sets of their places that are set;
- `PointSets`: sets of points of any kind, as a container of all points;
- `Trees`: ordered labelled trees, flat and in postorder;
- `Matrix`: numbered objects known only by a matrix of distances;
- `Handles`: any Python objects, for metrics written in Python.

A container can give the user's objects back, put them into another order, grow, and be stored. Queries are
a container of the same kind, encoded with the vocabulary of the objects that they are compared with.
"""

from .base import KINDS, Objects
from .bits import Bits
from .handles import Handles
from .matrix import Matrix
from .pointsets import PointSets
from .rows import NumericRows, Rows
from .sequences import Sequences, sequences_of
from .sets import Sets
from .sparse import SparseRows
from .trees import Trees

__all__ = [
    "KINDS",
    "Bits",
    "Handles",
    "Matrix",
    "NumericRows",
    "Objects",
    "PointSets",
    "Rows",
    "Sequences",
    "Sets",
    "SparseRows",
    "Trees",
    "sequences_of",
]
