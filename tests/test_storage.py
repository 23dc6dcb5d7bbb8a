"""Saved, loaded, mapped and pickled indexes answer alike; bad files are refused."""

import json
import pickle
import struct

import numpy as np
import pytest

import metricspace as ms
from metricspace.errors import NotSupported, StorageError


def difference(a, b):
    return abs(a - b)


def same(index, other, queries):
    before, after = index.knn(queries, 5), other.knn(queries, 5)
    assert (before.ids == after.ids).all()
    assert (before.distances == after.distances).all()
    assert (before.cost == after.cost).all()
    assert other.build_cost == index.build_cost
    assert repr(other) == repr(index)


def test_round_trips(structure, workload, tmp_path):
    index = structure(ms.metric(workload.metric, **workload.params)).fit(workload.objects)
    own = index.metric.function is not None
    given = {"metric": index.metric, "objects": workload.objects} if own else {}
    index.save(tmp_path / "index")
    same(index, ms.load(tmp_path / "index", **given), workload.queries)
    same(index, ms.load(tmp_path / "index", mmap=True, **given), workload.queries)
    if not own:  # a lambda cannot be pickled
        same(index, pickle.loads(pickle.dumps(index)), workload.queries)


def test_pickle_of_a_users_metric():
    index = ms.VPTree(difference).fit([3, 1, 2])
    same(index, pickle.loads(pickle.dumps(index)), [2.4])


@pytest.mark.parametrize("ids", [[5, 6, 7], ["x", "y", "z"]])
def test_ids_are_kept(tmp_path, ids):
    index = ms.MTree().fit(np.eye(3), ids=ids)
    index.remove(ids[:1])
    index.save(tmp_path / "index")
    loaded = ms.load(tmp_path / "index")
    assert loaded.knn([[0, 0, 1]], 3).ids.tolist() == index.knn([[0, 0, 1]], 3).ids.tolist()
    loaded.add([[1, 1, 1]], ids=[9] if ids[0] == 5 else ["w"])
    assert len(loaded) == 3


def test_an_index_replaces_a_file_only_when_it_is_whole(tmp_path):
    path = tmp_path / "index"
    ms.LinearScan().fit(np.eye(3)).save(path)
    before = path.read_bytes()
    with pytest.raises(NotSupported, match="pickle"):
        ms.LinearScan("jaccard").fit([{(1, 2)}, {(3,)}]).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["index"]


def _saved(tmp_path):
    path = tmp_path / "index"
    ms.VPTree().fit(np.random.default_rng(0).random((200, 4))).save(path)
    return path, bytearray(path.read_bytes())


def test_arrays_that_are_read_begin_where_cache_lines_do(tmp_path):
    rows = np.random.default_rng(0).normal(size=(300, 30)).astype(np.float32)
    ms.BoxTree().fit(rows).save(tmp_path / "boxes")
    tree = ms.load(tmp_path / "boxes")._tree
    assert all(value.ctypes.data % 64 == 0 for value in tree if isinstance(value, np.ndarray) and value.size)


def test_damage_is_seen(tmp_path):
    path, whole = _saved(tmp_path)
    for damaged in (whole[: len(whole) // 2], whole[:5], b"", b"\xff" * 100, whole[:-3] + b"\x00\x01\x02"):
        path.write_bytes(damaged)
        with pytest.raises(StorageError, match="damaged"):
            ms.load(path)
    with pytest.raises(StorageError, match="could not read"):
        ms.load(tmp_path / "absent")


def _with_header(whole, change):
    """Return the file with its own header changed."""
    length = struct.unpack("<Q", whole[:8])[0]
    layout = json.loads(whole[8 : 8 + length])
    header = json.loads(layout["__metadata__"]["metricspace"])
    change(header)
    layout["__metadata__"]["metricspace"] = json.dumps(header)
    text = json.dumps(layout).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + whole[8 + length :]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda header: header.update(version=99), "newer"),
        (lambda header: header.update(structure="no such"), "damaged"),
        (lambda header: header.pop("ids"), "damaged"),
        (lambda header: header["checksums"].update(extra=1), "checksum"),
        (lambda header: header["metric"].update(name="manhattan"), "other distances"),
    ],
)
def test_headers_that_cannot_be_used(tmp_path, change, says):
    path, whole = _saved(tmp_path)
    path.write_bytes(_with_header(bytes(whole), change))
    with pytest.raises(StorageError, match=says):
        ms.load(path)


def test_the_metric_must_be_the_same(tmp_path):
    path = tmp_path / "index"
    ms.VPTree(difference).fit([3, 1, 2]).save(path)
    with pytest.raises(StorageError, match="your own metric 'difference'"):
        ms.load(path)
    with pytest.raises(StorageError, match="own kind"):
        ms.load(path, metric=difference)
    with pytest.raises(StorageError, match="not with 'euclidean'"):
        ms.load(path, metric="euclidean")
    with pytest.raises(StorageError, match="given 2"):
        ms.load(path, metric=difference, objects=[1, 2])
    with pytest.raises(StorageError, match="other distances"):
        ms.load(path, metric=ms.Metric(lambda a, b: 2 * abs(a - b), name="difference"), objects=[3, 1, 2])
    assert ms.load(path, metric=difference, objects=[3, 1, 2]).knn([0.9], 1).ids[0, 0] == 1
