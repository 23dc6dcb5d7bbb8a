"""The structures, one file each; importing this package makes their keys known."""

from .aesa import AESA
from .covertree import CoverTree
from .ghtree import GHTree
from .laesa import LAESA
from .linear import LinearScan
from .mtree import MTree
from .sat import SAT, DistalSAT
from .vptree import VPTree

__all__ = ["AESA", "LAESA", "SAT", "CoverTree", "DistalSAT", "GHTree", "LinearScan", "MTree", "VPTree"]
