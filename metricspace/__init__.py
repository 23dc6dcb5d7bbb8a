"""Exact and approximate similarity search in any metric space."""

from . import metrics as _metrics
from .errors import MetricSpaceError
from .hits import Balls, Counts, Hits
from .index import Browser, indexes
from .indexes import AESA, LAESA, GHTree, LinearScan, MTree, VPTree
from .laws import LawReport, Laws, Metric, check_metric, metric, metrics

__all__ = [
    "AESA", "LAESA", "GHTree", "MTree",  "Balls", "Browser", "Counts", "Hits", "LawReport", "Laws", "LinearScan", "Metric", "MetricSpaceError",
    "VPTree", "check_metric", "indexes", "metric", "metrics",
]
