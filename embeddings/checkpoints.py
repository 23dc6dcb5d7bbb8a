"""Checkpoints: all that a training needs to go on exactly where it was, in one file that is written whole.

A file is safetensors: tensors by their path in the state, and the rest of the state as JSON in the header; no
pickle. It is written aside, flushed to the disk and renamed, so that a process that is killed, or a disk that
is full, leaves the checkpoint before.
"""

import json
import os
import random
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from embeddings import storage
from embeddings.errors import ModelFileError

VERSION = 1
LAST = "last.safetensors"
EPOCH = "epoch-{:04d}.safetensors"
KEY = "checkpoint"


class Checkpoints:
    """The folder of a training: its last state, and the weights of the epochs that may yet be chosen.

    Parameters
    ----------
    folder : path or None
        Made where it is missing. None: nothing is kept but the weights, and these until the training ends.
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        self.temporary = folder is None
        self.folder = Path(tempfile.mkdtemp() if folder is None else folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        for torn in self.folder.glob(f".{LAST}.*"):  # of a process that was killed while it wrote
            torn.unlink()

    @property
    def shown(self) -> Path | None:
        """The folder, if the user asked for one."""
        return None if self.temporary else self.folder

    @property
    def started(self) -> bool:
        """Whether a training has left its state here."""
        return (self.folder / LAST).exists()

    def write(self, state: Mapping[str, Any]) -> None:
        """Write the state in place of the last, unless the folder is for this training alone."""
        if not self.temporary:
            write(self.folder / LAST, state)

    def read(self) -> dict[str, Any]:
        """Read the last state."""
        return read(self.folder / LAST)

    def keep(self, epoch: int, weights: Mapping[str, Tensor]) -> None:
        """Keep the weights of an epoch that may be chosen."""
        write(self.folder / EPOCH.format(epoch), weights)

    def drop_all_but(self, candidates: list[int]) -> None:
        """Drop the weights of epochs that will not be chosen any more."""
        names = {EPOCH.format(candidate) for candidate in candidates}
        for path in self.folder.glob("epoch-*.safetensors"):
            if path.name not in names:
                path.unlink()

    def weights(self, epoch: int) -> dict[str, Tensor]:
        """Return the weights of an epoch that was kept."""
        return read(self.folder / EPOCH.format(epoch))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state of mappings, lists, tensors and plain values; whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is left.
    TypeError
        If the state holds anything else.
    """
    tensors: dict[str, Tensor] = {}
    plain = json.dumps({"version": VERSION, "state": taken_apart(state, "", tensors)})
    storage.replace(path, safetensors.torch.save(tensors, metadata={KEY: plain}))


def read(path: Path) -> dict[str, Any]:
    """Read what :func:`write` wrote.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, or of a later version.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            plain = json.loads(file.metadata()[KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        version, state = plain["version"], plain["state"]
    except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path} is not a readable checkpoint: {error}") from error
    if version != VERSION:
        raise ModelFileError(f"{path} is of version {version!r}, and this program reads {VERSION}")
    whole: dict[str, Any] = put_together(state, tensors)
    return whole


def taken_apart(state: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Return a state as JSON can hold it, with its tensors moved to ``tensors`` by their paths."""
    if isinstance(state, Tensor):
        tensors[path] = (
            state.detach().cpu().clone().contiguous()
        )  # tensors may share memory, and files may not
        return {"tensor": path}
    if isinstance(state, Mapping):
        return {"map": [[key, taken_apart(value, f"{path}/{key}", tensors)] for key, value in state.items()]}
    if isinstance(state, list | tuple):
        kind = "list" if isinstance(state, list) else "tuple"
        return {kind: [taken_apart(value, f"{path}/{i}", tensors) for i, value in enumerate(state)]}
    if isinstance(state, np.ndarray):
        tensors[path] = torch.from_numpy(state.copy())
        return {"array": path}
    if isinstance(state, np.generic):
        return state.item()
    if state is None or isinstance(state, bool | int | float | str):
        return state
    raise TypeError(f"a checkpoint cannot hold {type(state).__name__}, at {path}")


def put_together(plain: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return the state that :func:`taken_apart` took apart."""
    if not isinstance(plain, dict):
        return plain
    if "tensor" in plain:
        return tensors[plain["tensor"]]
    if "map" in plain:
        return {key: put_together(value, tensors) for key, value in plain["map"]}
    if "array" in plain:
        return tensors[plain["array"]].numpy()
    (kind,) = plain
    return (tuple if kind == "tuple" else list)(put_together(value, tensors) for value in plain[kind])


def random_state() -> dict[str, Any]:
    """Return the state of the generators that a program may draw from."""
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": np.random.get_state(),  # noqa: NPY002 (what others draw from)
        "python": random.getstate(),
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Set the generators to a state that :func:`random_state` returned."""
    torch.set_rng_state(state["torch"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    random.setstate(state["python"])
