"""The metrics of the library, one file a family; importing this package makes their names known."""

from . import codes, directions, histograms, sets, strings, tables, vectors

__all__ = ["codes", "directions", "histograms", "sets", "strings", "tables", "vectors"]
