"""Linear scan: every object is measured.

The reference to which all structures are held, the only one that needs no law, and the fastest where the
data are few or so spread that nothing can be excluded. Objects are scanned in blocks, so that a
search can be stopped and a browser need not wait with room for all.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..answer import Answer
from ..construction import Construction
from ..index import BaseIndex
from ..traversal import Desk, consider_span, expand, make_desk, offer_child

BLOCK = 256


class Scan(NamedTuple):
    """Nothing but the number of objects."""

    objects: int


@expand.of(Scan)
def _(tree: Scan, node: int, space: Any, query: Any, answer: Answer, desk: Desk) -> None:
    start = node * BLOCK
    stop = min(start + BLOCK, tree.objects)
    consider_span(space, start, stop, query, answer, desk)
    if stop < tree.objects:
        offer_child(desk, answer, node + 1, 0.0)


class LinearScan(BaseIndex):
    """Measure every object; takes any dissimilarity, whatever laws it breaks.

    Parameters
    ----------
    metric : str, Metric or callable
        The distance.
    seed : int
        Unused: a scan makes no choices.
    max_bytes : int, optional
        Refuse objects that take more memory.
    """

    key = "linear"
    arrays = Scan
    needs = None
    specialised = True
    smaller = "linear"

    def _build(self, construction: Construction) -> tuple[Any, None]:
        return Scan(construction.count), None

    def _bytes(self, count: int) -> int:
        return 8 * count

    def _desk(self) -> Desk:
        return make_desk(BLOCK + 1, 0, 0)
