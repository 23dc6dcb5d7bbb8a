"""The structures, one file each; importing this package makes their keys known."""

from .aesa import AESA
from .bisector import BisectorTree
from .bktree import BKTree
from .boxes import BoxTree
from .clusters import ListOfClusters
from .covertree import CoverTree
from .dindex import DIndex
from .ept import ExtremePivots
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
from .patterns import PatternTree
from .ptolemaic import PtolemaicTable
from .roaesa import ROAESA
from .sat import SAT, DistalSAT
from .shapiro import ShapiroList
from .simplex import NSimplex
from .tlaesa import TLAESA
from .voronoi import VoronoiTree
from .vpforest import VPForest
from .vptree import VPTree

__all__ = [
    "AESA",
    "GNAT",
    "LAESA",
    "ROAESA",
    "SAT",
    "TLAESA",
    "BKTree",
    "BisectorTree",
    "BoxTree",
    "CoverTree",
    "DIndex",
    "DistalSAT",
    "ExtremePivots",
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
    "NSimplex",
    "PatternTree",
    "PtolemaicTable",
    "ShapiroList",
    "VPForest",
    "VPTree",
    "VoronoiTree",
]
