"""Published data sets in their layouts, a few images of each."""

import gzip
import hashlib
import re

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from embeddings import (
    ImageFiles,
    ImageFolder,
    InputError,
    cars196,
    cub200,
    fashion_mnist,
    omniglot,
    online_products,
    verify,
    zero_shot,
)
from embeddings.data import archives, idx, retrieval


def draw(path, colour, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def birds(tmp_path):
    """CUB-200-2011 with five images of the classes 1, 100, 101 and 200."""
    names = [
        "001.Albatross/a_1.jpg",
        "001.Albatross/a_2.jpg",
        "100.Pelican/p.jpg",
        "101.Pelican/p.jpg",
        "200.W/w.jpg",
    ]
    for place, name in enumerate(names):
        draw(tmp_path / "images" / name, (50 * place, 0, 0))
    (tmp_path / "images.txt").write_text("".join(f"{7 + i} {name}\n" for i, name in enumerate(names)))
    # In another order than the images: the number of the image joins them.
    (tmp_path / "image_class_labels.txt").write_text("11 200\n7 1\n8 1\n9 100\n10 101\n")
    return tmp_path


def test_birds_are_divided_after_class_100(birds):
    split = cub200(birds, (8, 8, 3), complete=False)
    assert split.train_labels.tolist() == [1, 1, 100]
    assert split.test_labels.tolist() == [101, 200]
    assert split.train_images.shape == (3, 8, 8, 3)
    assert split.test_images[:].mean(axis=(1, 2, 3)) == pytest.approx(
        [50, 200 / 3], abs=2
    )  # red alone, of 150 and 200


def test_published_numbers_are_asked_for(birds, monkeypatch):
    with pytest.raises(InputError, match=r"5864.*vision.caltech.edu"):
        cub200(birds)
    monkeypatch.setattr(retrieval, "CUB", retrieval.Counts(3, 2, 2, 2))
    assert len(cub200(birds).train_images) == 3


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("images.txt", None, "there is no .*images.txt.*offered at"),
        ("images/100.Pelican/p.jpg", None, "1 of 5 images are missing, such as .*p.jpg"),
        ("images.txt", "7 a.jpg\n", "different images"),
        ("images.txt", "7\n", "lines of 2 words"),
        ("images.txt", "", "lines of 2 words"),
        ("image_class_labels.txt", "7 1\n8 1\n9 a\n10 101\n11 200\n", "whole numbers"),
    ],
)
def test_damaged_birds_are_refused(birds, file, content, message):
    if content is None:
        (birds / file).unlink()
    else:
        (birds / file).write_text(content)
    with pytest.raises(InputError, match=message):
        cub200(birds, complete=False)


def write_cars(folder, classes):
    fields = [(f"bbox_{corner}", object) for corner in ("x1", "y1", "x2", "y2")]
    fields = [("relative_im_path", object), *fields, ("class", object), ("test", object)]
    rows = [(f"car_ims/{i + 1:06}.jpg", 1, 2, 3, 4, kind, 0) for i, kind in enumerate(classes)]
    annotations = np.array([rows], dtype=fields)
    savemat(
        folder / "cars_annos.mat",
        {"annotations": annotations, "class_names": np.array([["AM", "Acura"]], object)},
    )


@pytest.mark.parametrize("classes", [[1, 98, 99, 196, 98], [99, 1]])
def test_cars_are_divided_after_class_98(tmp_path, classes):
    for i in range(len(classes)):
        draw(tmp_path / f"car_ims/{i + 1:06}.jpg", (0, 0, 0))
    write_cars(tmp_path, classes)
    split = cars196(tmp_path, (4, 4), complete=False)
    assert split.train_labels.tolist() == [kind for kind in classes if kind <= 98]
    assert split.test_labels.tolist() == [kind for kind in classes if kind > 98]
    assert split.train_images.paths[0].endswith(f"car_ims/{classes.index(split.train_labels[0]) + 1:06}.jpg")


def test_damaged_cars_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"cars_annos.mat: unpack"):
        cars196(tmp_path)
    (tmp_path / "cars_annos.mat").write_bytes(b"no")
    with pytest.raises(InputError, match="does not hold annotations"):
        cars196(tmp_path)
    savemat(tmp_path / "cars_annos.mat", {"other": 1})
    with pytest.raises(InputError, match="does not hold annotations"):
        cars196(tmp_path)
    write_cars(tmp_path, [1, 99])
    with pytest.raises(InputError, match="8054"):
        cars196(tmp_path)


def write_products(folder, part, rows):
    lines = ["image_id class_id super_class_id path"]
    lines += [f"{i + 1} {kind} 1 {path}" for i, (kind, path) in enumerate(rows)]
    (folder / f"Ebay_{part}.txt").write_text("\n".join(lines) + "\n")
    for _, path in rows:
        draw(folder / path, (9, 9, 9))


def test_products_are_divided_as_published(tmp_path):
    write_products(
        tmp_path,
        "train",
        [(1, "bicycle_final/1_0.JPG"), (1, "bicycle_final/1_1.JPG"), (2, "cabinet_final/2.JPG")],
    )
    write_products(tmp_path, "test", [(11319, "chair_final/3_0.JPG")])
    split = online_products(tmp_path, (4, 6), complete=False)
    assert split.train_labels.tolist() == [1, 1, 2]
    assert split.test_labels.tolist() == [11319]
    assert split.train_images[1:].shape == (2, 4, 6)
    with pytest.raises(InputError, match="59551"):
        online_products(tmp_path)
    write_products(tmp_path, "test", [(2, "chair_final/3_0.JPG")])
    with pytest.raises(InputError, match="both sides"):
        online_products(tmp_path, complete=False)


@pytest.mark.parametrize("name", archives.ARCHIVES)
def test_checksums_are_md5(name):
    assert re.fullmatch("[0-9a-f]{32}", archives.ARCHIVES[name].md5)


def test_archives_are_verified(tmp_path, monkeypatch):
    path = tmp_path / "car_ims.tgz"
    with pytest.raises(InputError, match=r"cannot be read.*offered at"):
        verify(path)
    path.write_bytes(b"cars")
    with pytest.raises(InputError, match="not d5c8f0aa"):
        verify(path)
    right = archives.Archive(hashlib.md5(b"cars").hexdigest(), "there")
    monkeypatch.setitem(archives.ARCHIVES, "car_ims.tgz", right)
    verify(path)
    with pytest.raises(InputError, match=r"no checksum is known of other.zip"):
        verify(tmp_path / "other.zip")


@pytest.fixture
def characters(tmp_path):
    """Two alphabets, of two characters and of one, twice each; ink is black on white."""
    for alphabet, character, ink in [
        ("Greek", "character01", 0),
        ("Greek", "character02", 60),
        ("Anglo", "character01", 255),
    ]:
        for drawer in ("01", "02"):
            draw(tmp_path / alphabet / character / f"0001_{drawer}.png", (ink, ink, ink), (105, 105))
    (tmp_path / ".DS_Store").write_text("")
    return tmp_path


def test_omniglot_folders(characters):
    data = omniglot(characters)
    assert data.items.shape == (6, 28, 28)
    assert data.items[:, 14, 14].tolist() == [0, 0, 255, 255, 195, 195]
    assert data.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.alphabet.tolist() == [0, 0, 1, 1, 1, 1]
    assert data.names == ("Anglo/character01", "Greek/character01", "Greek/character02")
    assert zero_shot(data, 0.5).test_labels.tolist() == [1, 1, 2, 2]
    with pytest.raises(InputError, match=r"images_background.zip"):
        omniglot(characters / "Greek" / "character01")
    with pytest.raises(InputError, match=r"images_background.zip"):
        omniglot(characters / "nowhere")


def test_omniglot_npz(data):
    file = omniglot(data / "omniglot_background_28.npz")
    assert len(file.names) == len(np.unique(file.labels)) == 964
    assert file.items[0].max() > 128 > np.median(file.items[0])  # ink is bright, as from the folders


def write_idx(path, array, pack):
    header = bytes([0, 0, idx.UNSIGNED_BYTES, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    content = header + array.astype(np.uint8).tobytes()
    if pack:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(content))
    else:
        path.write_bytes(content)


@pytest.mark.parametrize("pack", [True, False])
def test_fashion(tmp_path, pack):
    images = np.arange(2 * 28 * 28).reshape(2, 28, 28) % 251
    for side in ("train", "t10k"):
        write_idx(tmp_path / f"{side}-images-idx3-ubyte", images, pack)
        write_idx(tmp_path / f"{side}-labels-idx1-ubyte", np.array([3, 9]), pack)
    split = fashion_mnist(tmp_path)
    assert np.array_equal(split.train_images, images)
    assert split.test_labels.tolist() == [3, 9]
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.array([3]), pack=False)
    with pytest.raises(InputError, match="t10k"):
        fashion_mnist(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0", b"\0\0\x08\x01\0\0\0\x02a", b"\0\0\x0d\x01\0\0\0\x01a", b"\0\0\x08\0"]
)
def test_damaged_idx_files_are_refused(tmp_path, content):
    (tmp_path / "some").write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        idx.read_idx(tmp_path / "some")
    (tmp_path / "other.gz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match="dataset-fashion-mnist"):
        idx.read_idx(tmp_path / "other")


@pytest.mark.skipif(not idx.DEBIAN.is_dir(), reason="dataset-fashion-mnist is not installed")
def test_fashion_of_debian():
    split = fashion_mnist()
    assert split.train_images.shape == (60_000, 28, 28)
    assert np.bincount(split.test_labels).tolist() == [1000] * 10


@pytest.fixture
def folder(tmp_path):
    """Two classes, one of them with a folder inside."""
    draw(tmp_path / "cat" / "b.png", (10, 10, 10))
    draw(tmp_path / "cat" / "more" / "a.JPG", (20, 20, 20))
    draw(tmp_path / "ant" / "c.png", (30, 0, 0), (40, 10))
    (tmp_path / "cat" / "notes.txt").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    draw(tmp_path / "cat" / "._b.png", (0, 0, 0))
    return tmp_path


def test_a_folder_of_images(folder):
    data = ImageFolder(folder, (10, 10, 3))
    assert data.names == ("ant", "cat")
    assert data.labels.tolist() == [0, 1, 1]
    assert len(data) == 3
    assert data.items[0].shape == (10, 10, 3)
    assert data.items[[2, 0]].shape == (2, 10, 10, 3)
    assert data.items[np.array([False, True, False])][0, 0, 0].tolist() == [10, 10, 10]
    assert np.asarray(data.items, dtype=np.float32)[:, 0, 0, 0].tolist() == [30, 10, 20]
    assert data.items.take([2, 1])[0,][0, 0].tolist() == [20, 20, 20]
    split = zero_shot(data)
    assert isinstance(split.train_images, ImageFiles)
    assert split.train_labels.tolist() == [0]


def test_images_keep_their_proportions(tmp_path):
    picture = np.zeros((10, 30), np.uint8)
    picture[:, 10:20] = 200
    Image.fromarray(picture).save(tmp_path / "wide.png")
    assert (ImageFiles([tmp_path / "wide.png"], (10, 10))[0] == 200).all()


def test_images_are_upright(tmp_path):
    picture = Image.fromarray(np.repeat(np.array([[0], [250]], np.uint8), 8, axis=1).repeat(4, axis=0))
    exif = picture.getexif()
    exif[0x0112] = 3  # held upside down
    picture.save(tmp_path / "turned.png", exif=exif)
    upright = ImageFiles([tmp_path / "turned.png"], (8, 8))[0]
    assert upright[0, 0] == 250
    assert upright[7, 7] == 0


def test_what_is_no_folder_of_images_is_refused(folder):
    with pytest.raises(InputError, match="not a folder"):
        ImageFolder(folder / "nowhere")
    with pytest.raises(InputError, match="no images in subfolders"):
        ImageFolder(folder / "empty")
    with pytest.raises(InputError, match="shape of an image"):
        ImageFolder(folder, (10, 10, 4))
    (folder / "cat" / "z.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"z.png is not a readable image"):
        ImageFolder(folder, (10, 10)).items[:]
    with pytest.raises(ValueError, match="copying"):
        np.asarray(ImageFolder(folder).items, copy=False)
