"""The metrics of the library, one file a family; importing this package makes their names known."""

from . import sets, strings, tables, vectors

__all__ = ["sets", "strings", "tables", "vectors"]
