"""Data sets: what is published, what lies in folders and files, and their division by class."""

from embeddings.data.archives import verify
from embeddings.data.base import Dataset, Split, load_digits, read_npz, zero_shot
from embeddings.data.characters import omniglot
from embeddings.data.folders import ImageFiles, ImageFolder
from embeddings.data.idx import fashion_mnist
from embeddings.data.retrieval import cars196, cub200, online_products

__all__ = [
    "Dataset",
    "ImageFiles",
    "ImageFolder",
    "Split",
    "cars196",
    "cub200",
    "fashion_mnist",
    "load_digits",
    "omniglot",
    "online_products",
    "read_npz",
    "verify",
    "zero_shot",
]
