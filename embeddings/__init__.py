"""Learn a metric: embeddings in which items of one class are near, and that an exact index can search."""

from embeddings.augmentation import RandomAffine, with_symmetries
from embeddings.data import Dataset, Split, load_digits, read_npz, zero_shot
from embeddings.errors import CollapseWarning, DivergenceError, EmbeddingError, InputError, ModelFileError
from embeddings.evaluation import evaluate, intrinsic_dimension
from embeddings.losses import (
    ContrastiveLoss,
    CrossBatchMemory,
    ExactLiftedLoss,
    GeneralizedLiftedLoss,
    LiftedStructureLoss,
    TripletLoss,
)
from embeddings.networks import MLP, ConvNet, Network
from embeddings.samplers import ClassBatches, HardNeighbourBatches
from embeddings.training import Trainer

load = Trainer.load

__all__ = [
    "MLP",
    "ClassBatches",
    "CollapseWarning",
    "ContrastiveLoss",
    "ConvNet",
    "CrossBatchMemory",
    "Dataset",
    "DivergenceError",
    "EmbeddingError",
    "ExactLiftedLoss",
    "GeneralizedLiftedLoss",
    "HardNeighbourBatches",
    "InputError",
    "LiftedStructureLoss",
    "ModelFileError",
    "Network",
    "RandomAffine",
    "Split",
    "Trainer",
    "TripletLoss",
    "evaluate",
    "intrinsic_dimension",
    "load",
    "load_digits",
    "read_npz",
    "with_symmetries",
    "zero_shot",
]
