"""Learn a metric: embeddings in which items of one class are near, and that an exact index can search."""

from embeddings import indexability, presets
from embeddings.augmentation import RandomAffine, with_symmetries
from embeddings.backbones import Adapter, Backbone
from embeddings.data import (
    Dataset,
    ImageFiles,
    ImageFolder,
    Split,
    cars196,
    cub200,
    fashion_mnist,
    load_digits,
    omniglot,
    online_products,
    read_npz,
    verify,
    zero_shot,
)
from embeddings.embedder import Embedder
from embeddings.errors import CollapseWarning, DivergenceError, EmbeddingError, InputError, ModelFileError
from embeddings.evaluation import evaluate
from embeddings.indexability import intrinsic_dimension
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
from embeddings.sources import hold_out
from embeddings.training import Trainer

load = Trainer.load

__all__ = [
    "MLP",
    "Adapter",
    "Backbone",
    "ClassBatches",
    "CollapseWarning",
    "ContrastiveLoss",
    "ConvNet",
    "CrossBatchMemory",
    "Dataset",
    "DivergenceError",
    "Embedder",
    "EmbeddingError",
    "ExactLiftedLoss",
    "GeneralizedLiftedLoss",
    "HardNeighbourBatches",
    "ImageFiles",
    "ImageFolder",
    "InputError",
    "LiftedStructureLoss",
    "ModelFileError",
    "Network",
    "RandomAffine",
    "Split",
    "Trainer",
    "TripletLoss",
    "cars196",
    "cub200",
    "evaluate",
    "fashion_mnist",
    "hold_out",
    "indexability",
    "intrinsic_dimension",
    "load",
    "load_digits",
    "omniglot",
    "online_products",
    "presets",
    "read_npz",
    "verify",
    "with_symmetries",
    "zero_shot",
]
