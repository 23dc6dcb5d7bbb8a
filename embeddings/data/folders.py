"""Images in files, decoded when they are asked for: the set may be larger than memory."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embeddings.data.base import Dataset
from embeddings.errors import InputError

Pixels = npt.NDArray[np.uint8]

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


class ImageFiles:
    """Images of one shape, read from their files on demand: to the trainer they look like an array.

    An image is scaled until it covers the shape, and its middle is cut out, so that proportions are kept.
    Where a camera noted how it was held, the image is turned upright.

    Parameters
    ----------
    paths : sequence of path
        One file for each image.
    shape : (h, w) or (h, w, 3), default (224, 224, 3)
        What each becomes: grey values or colours.

    Attributes
    ----------
    paths : array of str
    shape : tuple of int
        ``(n, h, w)`` or ``(n, h, w, 3)``.
    dtype : uint8

    Raises
    ------
    InputError
        If that is no shape of an image.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self, paths: Sequence[str | os.PathLike[str]], shape: tuple[int, ...] = (224, 224, 3)
    ) -> None:
        if len(shape) not in (2, 3) or min(shape) < 1 or (len(shape) == 3 and shape[2] != 3):
            raise InputError(f"the shape of an image is (h, w), or (h, w, 3) in colours, not {shape}")
        self.paths = np.array([os.fspath(path) for path in paths], dtype=np.str_)
        self.shape = (len(self.paths), *shape)

    @property
    def ndim(self) -> int:
        """Number of axes, that of the items included."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, positions: Any) -> Pixels:
        """Decode one image, or those of a slice, of positions or of a mask."""
        chosen = self.paths[positions]
        if isinstance(chosen, str):
            return self._decode(chosen)
        images = np.empty((len(chosen), *self.shape[1:]), dtype=np.uint8)
        with ThreadPoolExecutor() as pool:  # Pillow decodes without the interpreter's lock
            for place, image in enumerate(pool.map(self._decode, chosen)):
                images[place] = image
        return images

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Decode all images into memory."""
        if copy is False:
            raise ValueError("images in files become an array only by copying")
        return self[:].astype(dtype or self.dtype, copy=False)

    def take(self, positions: Any, axis: int = 0) -> "ImageFiles":
        """Return some of the images, none of them read; as of an array, but along axis 0 alone."""
        if axis != 0:
            raise InputError(f"images are taken along axis 0, not {axis}")
        return ImageFiles(self.paths[positions].tolist(), self.shape[1:])

    def _decode(self, path: str) -> Pixels:
        from PIL import Image, ImageOps

        height, width = self.shape[1:3]
        mode = "RGB" if self.ndim == 4 else "L"
        try:
            with Image.open(path) as image:
                image.draft(
                    mode, (width, height)
                )  # JPEG: decode at a fraction of the size where that suffices
                upright = ImageOps.exif_transpose(image).convert(mode)
                return np.asarray(ImageOps.fit(upright, (width, height), Image.Resampling.BILINEAR))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise InputError(f"{path} is not a readable image: {error}") from error

    def __repr__(self) -> str:
        return f"ImageFiles({len(self)} files, shape={self.shape[1:]})"


class ImageFolder(Dataset):
    """A folder of images in which each subfolder is a class.

    Parameters
    ----------
    path : path
        Holds a folder for each class, and these the images, at any depth. Other files, and what begins with a
        dot, are left aside.
    shape : (h, w) or (h, w, 3), default (224, 224, 3)
        What each image is scaled and cut to; see :class:`ImageFiles`.

    Attributes
    ----------
    items : ImageFiles
        By class, then by path.
    labels : array of int64
        Number of the class, in the order of ``names``.
    names : tuple of str
        The subfolders with images, in alphabetical order.

    Raises
    ------
    InputError
        If there is no such folder, or no image in its subfolders.

    Examples
    --------
    >>> birds = ImageFolder("birds", shape=(64, 64, 3))  # doctest: +SKIP
    >>> Trainer.for_images(birds.items).fit(birds.items, birds.labels)  # doctest: +SKIP
    """

    def __init__(self, path: str | os.PathLike[str], shape: tuple[int, ...] = (224, 224, 3)) -> None:
        root = Path(path)
        if not root.is_dir():
            raise InputError(f"{root} is not a folder")
        classes = {folder.name: images_below(folder) for folder in visible(root) if folder.is_dir()}
        classes = {name: files for name, files in classes.items() if files}
        if not classes:
            raise InputError(
                f"{root} holds no images in subfolders: each class is a subfolder of its own, "
                f"and images end in {', '.join(sorted(SUFFIXES))}"
            )
        items = ImageFiles([file for files in classes.values() for file in files], shape)
        labels = np.repeat(np.arange(len(classes)), [len(files) for files in classes.values()])
        super().__init__(items, labels, names=tuple(classes))


def visible(folder: Path) -> list[Path]:
    """List the entries of a folder in alphabetical order, without the hidden ones."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def images_below(folder: Path) -> list[Path]:
    """List the images in a folder and in the folders below it, in alphabetical order."""
    found: list[Path] = []
    for entry in visible(folder):
        if entry.is_dir():
            found += images_below(entry)
        elif entry.suffix.lower() in SUFFIXES:
            found.append(entry)
    return found
