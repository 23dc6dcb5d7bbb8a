"""Queries with a metric of their own, in an index built for another (the book, section 1.8.2).

Where d(x, y) ≤ s · e(x, y) for the metric d of the index and the metric e of the query, nothing within r
under e lies beyond s · r under d. So the structure prunes by d with the radius scaled, and what it cannot
exclude is measured by e.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..batch import Scaled
from ..errors import InvalidArgument
from ..laws import BoundTwice, Metric, metric
from ..objects import Objects

if TYPE_CHECKING:
    from ..searchable import Searchable


def measure(index: Searchable, asked: Objects, given: Any, scale: Any) -> Scaled | None:
    """Return what to measure with if a metric is given, else None."""
    if isinstance(scale, bool) or not isinstance(scale, (int, float, np.number)) or not 0 < scale < np.inf:
        raise InvalidArgument(f"expected a scale above 0, given {scale!r}")
    if given is None:
        if scale != 1:
            raise InvalidArgument("expected a metric with the scale: the metric that the query measures with")
        return None
    wanted, own = metric(given), index.metric
    objects = recast(index, wanted)
    queries = objects.encode(asked.give(np.arange(len(asked))))
    twice = BoundTwice(own.bind(index._objects, asked), wanted.bind(objects, queries))
    bound = index._around(twice, index._objects, asked)
    built, other = own.slack(index._objects), wanted.slack(objects)
    # Both distances may be wrong, each a little.
    widened = float(scale) * (1 + 2 * (built.relative + other.relative))
    return Scaled(bound, widened, 2 * (built.absolute + float(scale) * other.absolute))


def recast(index: Searchable, wanted: Metric) -> Objects:
    """Return the indexed objects in a container for another metric; that of the last one is kept."""
    kept = index._recast
    if kept is None or any(
        getattr(kept[0], name) != getattr(wanted, name) for name in ("name", "params", "function")
    ):
        everything = index._objects.give(np.arange(len(index._objects)))
        kept = index._recast = wanted, wanted.objects(everything)
    return kept[1]
