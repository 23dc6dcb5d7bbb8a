"""Tree edit distance beside the Python packages apted and zss."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import metricspace as ms
from benchmarks.runner import alternate
from benchmarks.workloads import DATA, trees

LARGEST = 60  # nodes
TARGET = 50.0  # times as fast as either


def rows(small: bool = False) -> list[dict[str, Any]]:
    """Compare all pairs of a few trees; every contender has them in its own form beforehand."""
    name, found = _trees()
    few = [found[i] for i in np.random.default_rng(0).permutation(len(found))[: 8 if small else 24]]
    queries, objects = few[: len(few) // 3], few[len(few) // 3 :]
    pairs = len(queries) * len(objects)
    metric = ms.metric("tree_edit")
    stored = metric.objects(objects)
    asked = stored.encode(queries)
    ours = partial(metric.between, asked, stored)
    table = []
    for peer, theirs in (("apted", _apted(queries, objects)), ("zss", _zss(queries, objects))):
        if not np.array_equal(ours(), np.array(theirs()).reshape(len(queries), len(objects))):
            raise AssertionError(f"{peer} gives other distances")
        times = alternate({"ours": ours, "peer": theirs}, rounds=1 if small else 5)
        own, other = (times[who] / pairs * 1e9 for who in ("ours", "peer"))
        table.append(
            {
                "distance": "tree edit",
                "data": name,
                "peer": peer,
                "ours: ns a pair": own,
                "peer: ns a pair": other,
                "ratio": other / own,
                "target": TARGET,
            }
        )
    return table


def _trees() -> tuple[str, list[str]]:
    """Return trees of at most `LARGEST` nodes in bracket notation."""
    if (DATA / "python_stdlib_ast.tsv").is_file():
        return "syntax trees of Python functions", trees(DATA, LARGEST)
    random = np.random.default_rng(0)
    return "random trees", [_random(random, int(random.integers(10, LARGEST))) for _ in range(100)]


def _random(random: np.random.Generator, size: int) -> str:
    """Return a tree each of whose nodes is hung below one of the few before it."""
    texts = [""] * size
    for node in reversed(range(size)):
        texts[node] = "{" + "abcd"[random.integers(4)] + texts[node] + "}"
        if node:
            parent = random.integers(max(node - 5, 0), node)
            texts[parent] = texts[node] + texts[parent]
    return texts[0]


def _apted(queries: list[str], objects: list[str]) -> Callable[[], list[float]]:
    from apted import APTED  # type: ignore[import-untyped]
    from apted.helpers import Tree  # type: ignore[import-untyped]

    left, right = ([Tree.from_text(text) for text in several] for several in (queries, objects))
    return lambda: [APTED(a, b).compute_edit_distance() for a in left for b in right]


def _zss(queries: list[str], objects: list[str]) -> Callable[[], list[float]]:
    import zss  # type: ignore[import-untyped]

    def read(text: str) -> Any:
        above = [zss.Node("")]
        for label in re.findall(r"\{([^{}]*)|\}", text):
            if label:
                above.append(zss.Node(label))
                above[-2].addkid(above[-1])
            else:
                above.pop()
        return above[0].children[0]

    def changed(a: str, b: str) -> int:
        return int(a != b)

    left, right = ([read(text) for text in several] for several in (queries, objects))
    return lambda: [zss.simple_distance(a, b, label_dist=changed) for a in left for b in right]
