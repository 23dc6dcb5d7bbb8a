"""The structures, one file each; importing this package makes their keys known."""

from .aesa import AESA
from .ept import ExtremePivots
from .ghtree import GHTree
from .laesa import LAESA
from .linear import LinearScan
from .mtree import MTree
from .ptolemaic import PtolemaicTable
from .simplex import NSimplex
from .vptree import VPTree

__all__ = [
    "AESA",
    "LAESA",
    "ExtremePivots",
    "GHTree",
    "LinearScan",
    "MTree",
    "NSimplex",
    "PtolemaicTable",
    "VPTree",
]
