"""The structures, one file each; importing this package makes their keys known."""

from .aesa import AESA
from .ghtree import GHTree
from .laesa import LAESA
from .linear import LinearScan
from .mtree import MTree
from .mvptree import MVPTree
from .mwvptree import MultiwayVPTree
from .vpforest import VPForest
from .vptree import VPTree

__all__ = [
    "AESA",
    "LAESA",
    "GHTree",
    "LinearScan",
    "MTree",
    "MVPTree",
    "MultiwayVPTree",
    "VPForest",
    "VPTree",
]
