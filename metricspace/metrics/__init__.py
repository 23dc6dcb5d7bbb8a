"""The metrics of the library, one file a family; importing this package makes their names known."""

from . import pointsets, sets, strings, tables, trees, vectors

__all__ = ["pointsets", "sets", "strings", "tables", "trees", "vectors"]
