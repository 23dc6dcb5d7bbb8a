"""Exact and approximate similarity search in any metric space.

Build an index over objects with a metric, and ask it for the nearest objects or those within a radius::

    import metricspace as ms

    index = ms.VPTree(metric="euclidean").fit(X)
    hits = index.knn(Q, k=10)
    hits.ids, hits.distances, hits.cost
"""

# The packages first: the functions `indexes` and `metrics` then stand under the names of the packages.
from . import indexes as _structures
from . import metrics as _families
from .anatomy import Explanation, Statistics
from .browsing import Browser, Merged, merge
from .checking import LawReport, check_metric, check_scale
from .choosing import Choice, Index
from .errors import MetricSpaceError
from .hits import Balls, Counts, Hits, Matches, TopK
from .index import indexes
from .indexes import *
from .laws import Laws, Metric, metric, metrics
from .queries.complex import All, Any, Not, Within
from .queries.topk import top_k
from .storage import load

__version__ = "0.1.0"

__all__ = [
    "All",
    "Any",
    "Balls",
    "Browser",
    "Choice",
    "Counts",
    "Explanation",
    "Hits",
    "Index",
    "LawReport",
    "Laws",
    "Matches",
    "Merged",
    "Metric",
    "MetricSpaceError",
    "Not",
    "Statistics",
    "TopK",
    "Within",
    "check_metric",
    "check_scale",
    "indexes",
    "load",
    "merge",
    "metric",
    "metrics",
    "top_k",
]
__all__ += _structures.__all__
