"""The structures, one file each; importing this package makes their keys known."""

from .aesa import AESA
from .bktree import BKTree
from .fhqtree import FHQTree
from .fqarray import FQArray
from .fqtree import FQTree
from .ghtree import GHTree
from .laesa import LAESA
from .linear import LinearScan
from .mtree import MTree
from .roaesa import ROAESA
from .vptree import VPTree

__all__ = [
    "AESA",
    "LAESA",
    "ROAESA",
    "BKTree",
    "FHQTree",
    "FQArray",
    "FQTree",
    "GHTree",
    "LinearScan",
    "MTree",
    "VPTree",
]
