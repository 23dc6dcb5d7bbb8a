"""The structures, one file each; importing this package makes their keys known."""

from .aesa import AESA
from .bisector import BisectorTree
from .clusters import ListOfClusters
from .dindex import DIndex
from .ghtree import GHTree
from .laesa import LAESA
from .linear import LinearScan
from .monotonous import MonotonousBisectorTree
from .mtree import MTree
from .roaesa import ROAESA
from .shapiro import ShapiroList
from .tlaesa import TLAESA
from .voronoi import VoronoiTree
from .vptree import VPTree

__all__ = [
    "AESA",
    "LAESA",
    "ROAESA",
    "TLAESA",
    "BisectorTree",
    "DIndex",
    "GHTree",
    "LinearScan",
    "ListOfClusters",
    "MTree",
    "MonotonousBisectorTree",
    "ShapiroList",
    "VPTree",
    "VoronoiTree",
]
