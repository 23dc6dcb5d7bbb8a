"""The metrics of the library, one file a family; importing this package makes their names known."""

from . import codes, directions, histograms, pointsets, sequences, sets, tables, trees, vectors

__all__ = [
    "codes",
    "directions",
    "histograms",
    "pointsets",
    "sequences",
    "sets",
    "tables",
    "trees",
    "vectors",
]
