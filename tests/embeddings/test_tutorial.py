"""The tutorial runs as it stands, on a small folder of images."""

import numpy as np
import pytest

from tests.test_readme import ROOT, run

CLASSES = ("dunnock", "heron", "jay", "kite", "linnet", "robin", "swift", "teal", "thrush", "wren")


def test_from_a_folder_of_images_to_an_index(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (tmp_path / "photos" / name).mkdir(parents=True)
        colour = rng.integers(0, 200, size=3)
        for number in range(6):
            pixels = (colour + rng.integers(0, 56, size=(40, 36, 3))).astype(np.uint8)
            image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number:04}.jpg")
    monkeypatch.chdir(tmp_path)
    names = run(ROOT / "docs" / "training.md")
    assert names["scores"]["recall@1"] > 0.5
    assert names["hits"].ids[:, 0].tolist() == [str(names["photos"].items.paths[i]) for i in range(2)]
    assert names["birds"].history == names["model"].history
    assert len(names["sgd"].history) == 1
    assert (tmp_path / "run" / "log.csv").exists()
