"""Benchmarks: speed beside peers, size, start-up, and distances computed.

``python -m benchmarks [name ...]`` runs them and writes ``benchmarks/results/<name>.json``;
``python -m docs.tables`` puts the results into the documentation.
"""
