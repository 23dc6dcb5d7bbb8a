"""The published archives: where to get them, and how to tell that they arrived whole."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from embeddings.errors import InputError


class Archive(NamedTuple):
    """A file as its authors published it."""

    md5: str
    source: str  # a page where it is offered, or was when this was written


CUB = "https://www.vision.caltech.edu/datasets/cub_200_2011/"
CARS = "https://ai.stanford.edu/~jkrause/cars/car_dataset.html (its files have moved to mirrors)"
PRODUCTS = "https://cvgl.stanford.edu/projects/lifted_struct/"
OMNIGLOT = "https://github.com/brendenlake/omniglot/tree/master/python"
FASHION = "https://github.com/zalandoresearch/fashion-mnist"

ARCHIVES = {
    "CUB_200_2011.tgz": Archive("97eceeb196236b17998738112f37df78", CUB),
    "car_ims.tgz": Archive("d5c8f0aa497503f355e17dc7886c3f14", CARS),
    "cars_annos.mat": Archive("b407c6086d669747186bd1d764ff9dbc", CARS),
    "Stanford_Online_Products.zip": Archive("7f73d41a2f44250d4779881525aea32e", PRODUCTS),
    "images_background.zip": Archive("68d2efa1b9178cc56df9314c21c6e718", OMNIGLOT),
    "images_evaluation.zip": Archive("6b91aef0f799c5bb55b94e3f2daec811", OMNIGLOT),
    "train-images-idx3-ubyte.gz": Archive("8d4fb7e6c68d591d4c3dfef9ec88bf0d", FASHION),
    "train-labels-idx1-ubyte.gz": Archive("25c81989df183df01b3e8a0aad5dffbe", FASHION),
    "t10k-images-idx3-ubyte.gz": Archive("bef4ecab320f06d8554ea6380940ec79", FASHION),
    "t10k-labels-idx1-ubyte.gz": Archive("bb300cfdad3c16e7a12a480ee83cd310", FASHION),
}


def verify(path: str | os.PathLike[str]) -> None:
    """Check that a downloaded archive is the one that was published, by its MD5.

    That tells a broken download. It is no defence against one that is forged.

    Parameters
    ----------
    path : path
        An archive under its published name; see ``embeddings.data.archives.ARCHIVES``.

    Raises
    ------
    InputError
        If no archive of that name is known, or its content differs.
    """
    path = Path(path)
    if path.name not in ARCHIVES:
        raise InputError(f"no checksum is known of {path.name}; known are {', '.join(ARCHIVES)}")
    expected, source = ARCHIVES[path.name]
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error}); it is offered at {source}") from error
    if found != expected:
        raise InputError(f"the MD5 of {path} is {found}, not {expected}: download it again, from {source}")
