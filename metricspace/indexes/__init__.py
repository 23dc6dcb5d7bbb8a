"""The structures, one file each; importing this package makes their keys known."""

from .aesa import AESA
from .clusters import ListOfClusters
from .dindex import DIndex
from .ghtree import GHTree
from .laesa import LAESA
from .linear import LinearScan
from .mtree import MTree
from .roaesa import ROAESA
from .shapiro import ShapiroList
from .vptree import VPTree

__all__ = [
    "AESA",
    "LAESA",
    "ROAESA",
    "DIndex",
    "GHTree",
    "LinearScan",
    "ListOfClusters",
    "MTree",
    "ShapiroList",
    "VPTree",
]
