"""The log says what the history says, resumed or not."""

import csv
import json
import sys
import types

import torch.utils

from embeddings import Trainer
from embeddings.logs import table


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def without_seconds(entries):
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in entries]


def test_each_epoch_is_a_line(trainer, pictures, tmp_path):
    model = trainer().fit(*pictures, validation=0.4, out=tmp_path, progress=False)
    assert without_seconds(lines(tmp_path)) == model.history
    assert all(line["seconds"] > 0 for line in lines(tmp_path))
    with (tmp_path / "log.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == [entry["loss"] for entry in model.history]
    assert {"epoch", "batches", "lr", "recall@1", "seconds"} <= set(rows[0])


def test_a_resumed_log_is_whole(trainer, pictures, tmp_path):
    trainer(schedule="constant").fit(*pictures, out=tmp_path, progress=False)
    before = lines(tmp_path)
    with (tmp_path / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"epoch": 2, "loss": 0}\n')  # of an epoch that no checkpoint knows
    again = trainer(schedule="constant", epochs=3)
    again.fit(*pictures, out=tmp_path, resume=True, progress=False)
    assert lines(tmp_path)[:2] == before
    assert without_seconds(lines(tmp_path)) == again.history


def test_columns_are_those_of_all_lines():
    assert table([{"a": 1.5}, {"a": 2, "b": 3}]) == "a,b\n1.5,\n2,3\n"


def test_tensorboard_is_told_where_it_is_installed(trainer, pictures, tmp_path, monkeypatch):
    told = []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            told.append((folder, purge_step))

        def add_scalar(self, *scalar):
            told.append(scalar)

        def close(self):
            told.append("closed")

    board = types.ModuleType("torch.utils.tensorboard")
    board.SummaryWriter = SummaryWriter
    installed = types.ModuleType("tensorboard")
    installed.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "tensorboard", installed)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    monkeypatch.setattr(torch.utils, "tensorboard", board, raising=False)
    model = trainer().fit(*pictures, out=tmp_path, progress=False)
    assert told[0] == (tmp_path / "tensorboard", 0)
    assert ("loss", model.history[1]["loss"], 1) in told
    assert told[-1] == "closed"


def test_a_subclass_may_add_to_the_history(pictures, tmp_path):
    class Counting(Trainer):
        def record(self, run, held_out):
            super().record(run, held_out)
            self.history[-1]["pairs"] = 7.0

    model = Counting.for_images(pictures[0], epochs=1, batches_per_epoch=1, dim=4)
    model.fit(*pictures, out=tmp_path, progress=False)
    assert lines(tmp_path)[0]["pairs"] == 7.0
