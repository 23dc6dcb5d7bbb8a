import numpy as np
import pytest

from embeddings import Dataset, InputError, load_digits, read_npz, zero_shot


def test_reads_images_with_labels(tmp_path):
    path = tmp_path / "some.npz"
    np.savez_compressed(path, images=np.zeros((4, 2, 3), np.uint8), labels=np.array([1, 1, 2, 2], np.int16))
    data = read_npz(path)
    assert data.items.shape == (4, 2, 3)
    assert data.labels.dtype == np.int64
    assert data.alphabet is None


def test_reads_vectors_alone(tmp_path):
    np.savez(tmp_path / "some.npz", vectors=np.ones((4, 3)))
    data = read_npz(tmp_path / "some.npz")
    assert data.items.shape == (4, 3)
    assert data.labels is None
    with pytest.raises(InputError, match="needs labels"):
        zero_shot(data)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pixels": np.zeros((2, 2, 2))}, "needs images"),
        ({"images": np.zeros((2, 2, 2))}, "needs images"),
        ({"images": np.zeros((2, 2)), "labels": np.zeros(2, int)}, "shape"),
        ({"vectors": np.zeros((2, 2)), "labels": np.zeros(3, int)}, "2 integers"),
        ({"vectors": np.zeros((2, 2)), "labels": np.zeros(2)}, "2 integers"),
        ({"vectors": np.array([[object()]])}, "not a readable"),
    ],
)
def test_refuses_files_without_a_data_set(tmp_path, arrays, message):
    np.savez(tmp_path / "some.npz", **arrays)
    with pytest.raises(InputError, match=message):
        read_npz(tmp_path / "some.npz")


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped", "npy"])
def test_refuses_damaged_files(tmp_path, damage):
    path = tmp_path / "some.npz"
    if damage != "missing":
        np.savez_compressed(path, vectors=np.random.default_rng(0).random((50, 5)))
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:300])
    elif damage == "flipped":
        content = bytearray(path.read_bytes())
        content[500] ^= 255
        path.write_bytes(content)
    elif damage == "npy":
        with path.open("wb") as file:
            np.save(file, np.zeros((2, 2)))
    with pytest.raises(InputError, match="not a readable"):
        read_npz(path)


def test_digits_are_split_in_halves():
    split = zero_shot(load_digits())
    assert split.train_images.shape[1:] == (8, 8)
    assert (split.train_images.min(), split.train_images.max()) == (0.0, 1.0)
    assert np.unique(split.train_labels).tolist() == [0, 1, 2, 3, 4]
    assert np.unique(split.test_labels).tolist() == [5, 6, 7, 8, 9]
    assert len(split.train_images) + len(split.test_images) == 1797


def test_alphabets_are_kept_whole():
    alphabet = np.repeat(np.arange(10), 4)
    split = zero_shot(Dataset(np.zeros((40, 2)), np.arange(40) // 2, alphabet))
    assert np.unique(split.test_labels).tolist() == [16, 17, 18, 19]


def test_refuses_splits_that_are_none():
    with pytest.raises(InputError, match="too few"):
        zero_shot(Dataset(np.zeros((3, 2)), np.zeros(3, np.int64)))
    with pytest.raises(InputError, match="too few"):
        zero_shot(Dataset(np.zeros((4, 2)), np.arange(4), np.arange(4)))
    with pytest.raises(InputError, match="both sides"):
        zero_shot(Dataset(np.zeros((5, 2)), np.zeros(5, np.int64), np.arange(5)))


def test_omniglot(data):
    omniglot = read_npz(data / "omniglot_background_28.npz")
    assert omniglot.items.shape == (19280, 28, 28)
    assert np.bincount(omniglot.labels).tolist() == [20] * 964
    split = zero_shot(omniglot)
    assert len(split.train_images) == 15600
    assert np.unique(split.test_labels).tolist() == list(range(780, 964))
    assert set(omniglot.alphabet[np.isin(omniglot.labels, split.test_labels)]) == set(range(24, 30))
