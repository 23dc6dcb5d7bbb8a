"""Containers: what the user has, validated once and laid out for kernels.

- `Rows`: vectors, or rows of integer codes, in one matrix;
- `Sequences`: sequences of hashable tokens, as ragged codes; `Strings` and `ByteStrings` are special cases;
- `Sets`: sets of hashable items, as ragged sorted codes;
- `Matrix`: numbered objects known only by a matrix of distances;
- `Handles`: any Python objects, for metrics written in Python.

A container can give the user's objects back, put them into another order, grow, and be stored. Queries are
a container of the same kind, encoded with the vocabulary of the objects that they are compared with.
"""

from .base import KINDS, Objects
from .handles import Handles
from .matrix import Matrix
from .rows import Rows
from .sequences import Sequences, sequences_of
from .sets import Sets

__all__ = ["KINDS", "Handles", "Matrix", "Objects", "Rows", "Sequences", "Sets", "sequences_of"]
