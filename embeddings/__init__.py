"""Learn a metric: embeddings in which items of one class are near, and that an exact index can search."""

from embeddings.augmentation import RandomAffine, with_symmetries
from embeddings.backbones import Adapter, Backbone
from embeddings.data import Dataset, Split, load_digits, read_npz, zero_shot
from embeddings.embedder import Embedder
from embeddings.errors import CollapseWarning, DivergenceError, EmbeddingError, InputError, ModelFileError
from embeddings.evaluation import evaluate, intrinsic_dimension
from embeddings.losses import LiftedStructureLoss
from embeddings.networks import MLP, ConvNet, Network
from embeddings.samplers import ClassBatches
from embeddings.sources import hold_out
from embeddings.training import Trainer

load = Trainer.load

__all__ = [
    "MLP",
    "Adapter",
    "Backbone",
    "ClassBatches",
    "CollapseWarning",
    "ConvNet",
    "Dataset",
    "DivergenceError",
    "Embedder",
    "EmbeddingError",
    "InputError",
    "LiftedStructureLoss",
    "ModelFileError",
    "Network",
    "RandomAffine",
    "Split",
    "Trainer",
    "evaluate",
    "hold_out",
    "intrinsic_dimension",
    "load",
    "load_digits",
    "read_npz",
    "with_symmetries",
    "zero_shot",
]
