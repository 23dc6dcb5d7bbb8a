"""Indexes in files: safetensors for the arrays, JSON for the rest, never a pickle.

A file holds the objects, the structure and the ids. It is written aside and renamed, so that what was there
before is replaced only by something whole. Arrays carry checksums; the header carries a few distances, so
that a file is not read with another metric than it was built with.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import pathlib
import tempfile
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from .errors import MetricSpaceError, StorageError
from .ids import Ids
from .index import BaseIndex, indexes
from .laws import Metric, metric
from .objects import KINDS, Objects
from .queries.reverse import Reaches
from .simd.vectors import aligned

VERSION = 1
_KEY = "metricspace"
_TYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1", "U64": "<u8",
          "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "?"}  # fmt: skip

Arrays = dict[str, npt.NDArray[Any]]


def write(index: BaseIndex, path: pathlib.Path) -> None:
    """Write an index to a file; see `BaseIndex.save`."""
    header, arrays = _taken_apart(index)
    header["checksums"] = {name: _checksum(array) for name, array in arrays.items()}
    aside = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        aside = pathlib.Path(name)
        save_file(arrays, aside, metadata={_KEY: json.dumps(header)})
        with aside.open("rb+") as written:
            os.fsync(written.fileno())
        aside.chmod(0o666 & ~_umask())
        aside.replace(path)
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(f"could not write {path}: {error}") from error
    finally:
        if aside is not None:
            with contextlib.suppress(OSError):
                aside.unlink()  # gone already, if it was renamed


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _taken_apart(index: BaseIndex) -> tuple[dict[str, Any], Arrays]:
    container, ids, tree = index._objects, index._ids, index._tree
    arrays: Arrays = {"order": index._order}
    arrays |= {f"objects.{name}": array for name, array in container.arrays().items()}
    scalars = {}
    for name, value in tree._asdict().items():
        if isinstance(value, np.ndarray):
            arrays[f"tree.{name}"] = value
        else:
            scalars[name] = value
    if index._reaches is not None:
        arrays["reaches"] = index._reaches.objects
    named = ids.names
    if named is not None and named.dtype != object:
        arrays["ids"] = named
    params = {name: value for name, value in index.params().items() if name not in ("metric", "max_bytes")}
    return {
        "version": VERSION,
        "structure": index.key,
        "params": params,
        "metric": {
            "name": index.metric.name,
            "params": index.metric.params,
            "own": index.metric.function is not None,
        },
        "objects": {"kind": container.kind, **container.header()},
        "tree": scalars,
        "ids": {
            "count": ids.count,
            "strings": named.tolist() if named is not None and named.dtype == object else None,
            "removed": sorted(ids.removed),
        },
        "build_cost": index.build_cost,
        "sample": _sample(index.metric, container),
    }, {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _sample(used: Metric, container: Objects) -> list[list[float]]:
    """Return the distances between a few objects, by which the metric can be recognised."""
    few = container.take(np.unique(np.linspace(0, len(container) - 1, 4).astype(np.int64)))
    return used.between(few, few).tolist()


def _checksum(array: npt.NDArray[Any]) -> int:
    return zlib.crc32(array.reshape(-1).view(np.uint8).data) if array.size else 0


def load(
    path: str | os.PathLike[str],
    metric: str | Metric | Any = None,
    *,
    objects: Any = None,
    mmap: bool = False,
) -> BaseIndex:
    """Read an index that was saved.

    Parameters
    ----------
    path : path
        What ``save`` wrote.
    metric : Metric or callable, optional
        Needed if the index was built with a function of your own: that function.
    objects : batch of objects, optional
        Needed if the objects were Python objects of your own kind: the same, in the order of insertion.
    mmap : bool
        Map the file into memory instead of reading it: large indexes open at once, and are read as they
        are used. Checksums are not verified then.

    Returns
    -------
    BaseIndex
        An index of the class that was saved.

    Raises
    ------
    StorageError
        If the file is damaged, newer than this library, or of another metric.
    """
    path = pathlib.Path(path)
    try:
        header, arrays = _read(path, mmap)
    except OSError as error:
        raise StorageError(f"could not read {path}: {error}") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise StorageError(f"{path} is damaged or no file of this library: {error}") from error
    if header["version"] > VERSION:
        raise StorageError(
            f"{path} has format {header['version']}, newer than {VERSION}: update metricspace-search"
        )
    for name, checksum in header["checksums"].items():
        if name not in arrays or (not mmap and _checksum(arrays[name]) != checksum):
            raise StorageError(f"{path} is damaged: the array {name!r} does not match its checksum")
    used = _metric_of(header["metric"], metric, path)
    try:
        return _put_together(header, arrays, used, objects)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        if isinstance(error, MetricSpaceError):
            raise
        raise StorageError(f"{path} is damaged: {error}") from error


def _read(path: pathlib.Path, mmap: bool) -> tuple[dict[str, Any], Arrays]:
    """Return the header and the arrays of a safetensors file: views of it, or copies at cache lines."""
    arrays = {}
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if length > size - 8:
            raise ValueError("it ends within its header")
        layout = json.loads(file.read(length))
        mapped = np.asarray(np.memmap(path, np.uint8, mode="c")) if mmap else None
        for name, entry in layout.items():
            if name == "__metadata__":
                continue
            first, last = (8 + length + place for place in entry["data_offsets"])
            kind, shape = np.dtype(_TYPES[entry["dtype"]]), tuple(entry["shape"])
            if last > size:
                raise ValueError("it ends too early")
            if last - first != math.prod(shape) * kind.itemsize:
                raise ValueError(f"the array {name!r} is not as long as its shape says")
            if mapped is not None:
                arrays[name] = mapped[first:last].view(kind).reshape(shape)
                continue
            arrays[name] = aligned(shape, kind)
            file.seek(first)
            if file.readinto(arrays[name].reshape(-1).view(np.uint8).data) != last - first:
                raise ValueError("it ends too early")
    return json.loads(layout["__metadata__"][_KEY]), arrays


def _metric_of(stored: dict[str, Any], given: Any, path: pathlib.Path) -> Metric:
    name = stored["name"]
    if given is None:
        if stored["own"]:
            raise StorageError(
                f"{path} was built with your own metric {name!r}: pass it, load(path, metric={name})"
            )
        return metric(name, **stored["params"])
    used = metric(given)
    if (used.name, used.params) != (name, stored["params"]):
        raise StorageError(f"{path} was built with the metric {name!r}, not with {used.name!r}")
    return used


def _put_together(header: dict[str, Any], arrays: Arrays, used: Metric, objects: Any) -> BaseIndex:
    cls = indexes()[header["structure"]]
    index = cls(metric=used, **header["params"])
    index._order = arrays["order"]
    kind = KINDS[header["objects"]["kind"]]
    held = {name.partition(".")[2]: array for name, array in arrays.items() if name.startswith("objects.")}
    if objects is None:
        index._objects = kind.restore(held, header["objects"])
    else:
        given = used.objects(objects)
        if given.kind != kind.kind or len(given) != len(index._order):
            raise StorageError(
                f"expected the {len(index._order)} {kind.kind} that were indexed, "
                f"given {len(given)} {given.kind}"
            )
        index._objects = given.take(index._order)
    if not np.allclose(_sample(used, index._objects), header["sample"], rtol=1e-6, atol=1e-12):
        raise StorageError(f"{used.name} gives other distances than those the index was built with")
    fields = {name: arrays.get(f"tree.{name}", header["tree"].get(name)) for name in cls.arrays._fields}
    if any(value is None for value in fields.values()):
        raise KeyError("a part of the structure is missing")
    index._tree = cls.arrays(**fields)
    ids, strings = header["ids"], header["ids"]["strings"]
    names = arrays.get("ids") if strings is None else np.array(strings, object)
    index._ids = Ids(ids["count"], names, frozenset(ids["removed"]))
    if "reaches" in arrays:
        index._reaches = Reaches.of(index, arrays["reaches"])
    index.build_cost = header["build_cost"]
    return index
