"""Queries that are more than one traversal, one file each."""
