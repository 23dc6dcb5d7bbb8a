"""The structures, one file each; importing this package makes their keys known."""

from .aesa import AESA
from .bisector import BisectorTree
from .bktree import BKTree
from .clusters import ListOfClusters
from .dindex import DIndex
from .fhqtree import FHQTree
from .fqarray import FQArray
from .fqtree import FQTree
from .ghtree import GHTree
from .gnat import GNAT
from .laesa import LAESA
from .linear import LinearScan
from .monotonous import MonotonousBisectorTree
from .mtree import MTree
from .mvptree import MVPTree
from .mwvptree import MultiwayVPTree
from .roaesa import ROAESA
from .shapiro import ShapiroList
from .tlaesa import TLAESA
from .voronoi import VoronoiTree
from .vpforest import VPForest
from .vptree import VPTree

__all__ = [
    "AESA",
    "GNAT",
    "LAESA",
    "ROAESA",
    "TLAESA",
    "BKTree",
    "BisectorTree",
    "DIndex",
    "FHQTree",
    "FQArray",
    "FQTree",
    "GHTree",
    "LinearScan",
    "ListOfClusters",
    "MTree",
    "MVPTree",
    "MonotonousBisectorTree",
    "MultiwayVPTree",
    "ShapiroList",
    "VPForest",
    "VPTree",
    "VoronoiTree",
]
