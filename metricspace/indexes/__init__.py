"""The structures, one file each; importing this package makes their keys known."""

from .aesa import AESA
from .bisector import BisectorTree
from .ghtree import GHTree
from .laesa import LAESA
from .linear import LinearScan
from .monotonous import MonotonousBisectorTree
from .mtree import MTree
from .roaesa import ROAESA
from .voronoi import VoronoiTree
from .vptree import VPTree

__all__ = [
    "AESA",
    "LAESA",
    "ROAESA",
    "BisectorTree",
    "GHTree",
    "LinearScan",
    "MTree",
    "MonotonousBisectorTree",
    "VPTree",
    "VoronoiTree",
]
