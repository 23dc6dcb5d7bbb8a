"""The command: every subcommand on tiny data, its JSON, and its complaints."""

import importlib
import json
import pathlib

import numpy as np
import pytest
from typer.testing import CliRunner

import metricspace as ms
from metricspace.cli import app, reporting
from metricspace.cli.data import parse_metric, read_objects
from metricspace.cli.measuring import Comparison, Question, agreement, intrinsic_dimension

ROW = [
    "structure", "exact", "query", "build_distances", "distances", "share", "recall", "precision",
    "queries_per_second",
]  # fmt: skip
WORDS = ["hello", "help", "held", "yellow", "mellow", "world", "word", "sword", "cord", "card"]


def run(*arguments, code=0):
    """Run the command in this process and return what it printed to standard output."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code == 0 else result.stderr


def complaint(*arguments):
    """Run the command, expect a complaint of one line, and return it."""
    line = run(*arguments, code=2)
    assert line.startswith("metricspace: ")
    assert line.count("\n") == 1
    return line


@pytest.fixture
def words(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("\n".join(WORDS), encoding="utf-8")
    return file


@pytest.fixture
def vectors(tmp_path):
    file = tmp_path / "vectors.npz"
    np.savez(file, vectors=np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))
    return file


@pytest.fixture
def images(tmp_path):
    """Eight classes, each a square at a place of its own."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), 6)
    squares = rng.integers(0, 60, size=(48, 8, 8), dtype=np.uint8)
    for square, label in zip(squares, labels):
        square[label % 4 * 2 : label % 4 * 2 + 2, label // 4 * 4 : label // 4 * 4 + 4] += 150
    file = tmp_path / "images.npz"
    np.savez(file, images=squares, labels=labels)
    return file


@pytest.mark.parametrize("command", ["demo", "bench", "train", "build", "query", "info"])
def test_help_shows_an_example(command):
    assert f"$ metricspace {command}" in run(command, "--help")


def test_build_info_query(words, tmp_path):
    index = tmp_path / "words.index"
    built = json.loads(run("build", words, index, "--structure", "laesa", "--json", "-"))
    assert built == json.loads(run("info", index, "--json", "-"))
    assert (built["structure"], built["metric"], built["objects"]) == ("laesa", "levenshtein", len(WORDS))

    answers = json.loads(run("query", index, "--text", "helo", "--k", 3, "--json", "-"))["answers"]
    expected = ms.LinearScan("levenshtein").fit(WORDS).knn(["helo"], 3)
    assert answers[0]["ids"] == expected.ids[0].tolist()
    assert answers[0]["distances"] == expected.distances[0].tolist()
    assert answers[0]["exact"]
    assert "hello" in run("query", index, "--text", "helo", "--radius", 1)
    assert len(json.loads(run("query", index, words, "--k", 1, "--json", "-"))["answers"]) == len(WORDS)


def test_ids_of_the_user(words, tmp_path):
    ids, index = tmp_path / "ids.txt", tmp_path / "words.index"
    ids.write_text("\n".join(word.upper() for word in WORDS), encoding="utf-8")
    run("build", words, index, "--ids", ids)
    answers = json.loads(run("query", index, "--text", "card", "--k", 1, "--json", "-"))["answers"]
    assert answers[0]["ids"] == ["CARD"]


def test_brackets_are_no_markup(tmp_path):
    index = tmp_path / "index"
    run("build", _file(tmp_path, "marks.txt", "[red]\n[/red]\n[bold"), index)
    assert "[/red]" in run("query", index, "--text", "[/red]", "--k", 2)


def test_range_with_fewer_and_a_budget(vectors, tmp_path):
    index = tmp_path / "vectors.index"
    run("build", vectors, index, "--metric", "minkowski:p=3")
    answers = json.loads(run("query", index, vectors, "--radius", 100, "--k", 2, "--json", "-"))["answers"]
    assert all(len(answer["ids"]) == 2 for answer in answers)
    answers = json.loads(run("query", index, vectors, "--k", 2, "--budget", 5, "--json", "-"))["answers"]
    assert all(answer["cost"] <= 5 for answer in answers)
    assert "more queries" in run("query", index, vectors, "--k", 2)


TRAINED = ["--steps", 4, "--epochs", 2, "--dim", 8, "--classes", 4, "--items", 3]


def test_train_then_query_images(images, tmp_path):
    model = tmp_path / "model"
    trained = json.loads(run("train", "--data", images, "--out", model, *TRAINED, "--json", "-"))
    assert "recall@1" in trained["history"][-1]
    assert trained["evaluated_on"] == "classes held out"
    assert 0 <= trained["evaluation"]["recall@1"] <= 1
    names = {path.name for path in model.iterdir()}
    assert {"model.json", "log.csv", "log.jsonl", "result.json", "last.safetensors"} <= names
    assert {pathlib.Path(file).name for file in trained["pictures"]} == {"indexability.png", "embedding.png"}
    assert all(pathlib.Path(file).read_bytes().startswith(b"\x89PNG") for file in trained["pictures"])
    assert json.loads(run("info", model, "--json", "-"))["objects"] == 48
    answers = json.loads(run("query", model, images, "--k", 1, "--json", "-"))["answers"]
    assert [answer["ids"] for answer in answers] == [[i] for i in range(48)]


def test_build_with_a_trained_model(images, tmp_path):
    model, index = tmp_path / "model", tmp_path / "images.index"
    trained = json.loads(
        run(
            "train", "--data", images, "--out", model, *TRAINED, "--test", 0, "--validation", 0, "--json", "-"
        )
    )
    assert "evaluation" not in trained
    run("build", images, index, "--model", model, "--structure", "laesa")
    answers = json.loads(run("query", index, images, "--model", model, "--k", 1, "--json", "-"))["answers"]
    assert answers[0]["ids"] == [0]


def test_train_goes_on(images, tmp_path):
    asked = ["train", "--data", images, "--test", 0, *TRAINED]
    whole = json.loads(run(*asked, "--out", tmp_path / "whole", "--json", "-"))
    assert "holds a training" in complaint(*asked, "--out", tmp_path / "whole")
    again = json.loads(run(*asked, "--out", tmp_path / "whole", "--resume", "--json", "-"))
    assert again["history"] == whole["history"]
    assert again["evaluated_on"] == "the classes that chose the epoch"


def test_train_on_a_folder_of_images(tmp_path):
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for name in ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        colour = rng.integers(0, 200, size=3)
        for i in range(4):
            pixels = (colour + rng.integers(0, 56, size=(20, 24, 3))).astype(np.uint8)
            image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    out, photos = tmp_path / "model", tmp_path / "photos"
    run("train", "--data", photos, "--out", out, *TRAINED, "--size", 12, "--metric", "angular")
    answers = json.loads(run("query", out, photos / "cat", "--k", 1, "--json", "-"))["answers"]
    assert [answer["ids"][0] for answer in answers] == [str(photos / "cat" / f"{i}.png") for i in range(4)]
    assert json.loads(run("info", out, "--json", "-"))["metric"] == "angular"


def test_complaints_of_training(images, tmp_path):
    def refused(*given):
        return complaint("train", "--data", images, "--out", tmp_path / "out", *given)

    assert "no network 'deep'" in refused("--network", "deep")
    assert "l2" in refused("--loss", "l2")
    assert "schedule must be one of" in refused("--schedule", "never")
    assert "--validation 0 and --test 0" in refused("--test", 0.7)
    assert "no structure 'tree'" in refused("--structure", "tree")
    assert "neither" in complaint("query", tmp_path, images)


def test_bench(words, tmp_path):
    file = tmp_path / "bench.json"
    printed = run("bench", "--data", words, "--structure", "linear", "--structure", "vptree", "--queries", 3,
                  "--k", 2, "--eps", 0.5, "--budget", 4, "--json", file)  # fmt: skip
    assert "VPTree" in printed
    rows = json.loads(file.read_text())["rows"]
    assert list(rows[0]) == ["metric", *ROW]
    assert len(rows) == 2 * 4
    assert all(row["recall"] == row["precision"] == 1 for row in rows if row["exact"])


def test_bench_of_all_structures(words, tmp_path):
    file = tmp_path / "bench.json"
    run("bench", "--data", words, "--structures", "all", "--queries", 3, "--k", 2, "--json", file)
    rows = json.loads(file.read_text())["rows"]
    able = {cls.__name__ for cls in ms.indexes().values() if cls.suits(ms.metric("levenshtein"))}
    assert {row["structure"] for row in rows} == able
    assert all(row["recall"] == 1 for row in rows)


def test_bench_generates_vectors():
    result = json.loads(
        run(
            "bench",
            "--n",
            200,
            "--structure",
            "ghtree",
            "--metric",
            "euclidean",
            "--metric",
            "manhattan",
            "--json",
            "-",
        )
    )
    assert [row["metric"] for row in result["rows"]] == ["euclidean"] * 2 + ["manhattan"] * 2


def check_demo(folder):
    result = json.loads((folder / "demo.json").read_text())
    assert all(list(row) == ROW for row in result["rows"])
    assert {row["structure"] for row in result["rows"]} == {
        "LinearScan", "VPTree", "GHTree", "LAESA", "AESA", "MTree",
    }  # fmt: skip
    assert all(row["recall"] == row["precision"] == 1 for row in result["rows"] if row["exact"])
    for picture in ("embedding.png", "recall.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    return result


def test_demo_of_vectors_alone(vectors, tmp_path):
    copy = tmp_path / "copy.json"
    printed = run("demo", "--data", vectors, "--out", tmp_path / "out", "--json", copy)
    assert "Every exact structure returned" in printed
    result = check_demo(tmp_path / "out")
    assert result["quality"]["rho_before"] > 0
    assert json.loads(copy.read_text()) == result


def test_demo_of_images(images, tmp_path):
    printed = run(
        "demo", "--data", images, "--steps", 5, "--dim", 8, "--out", tmp_path / "out", "--json", "-"
    )
    assert json.loads(printed) == check_demo(tmp_path / "out")
    assert json.loads(printed)["quality"].keys() >= {"recall@1", "nmi", "f1", "rho_before", "rho_after"}


def test_demo_fails_when_a_structure_errs(vectors, tmp_path, monkeypatch):
    monkeypatch.setattr(Comparison, "agrees", lambda self, index, question: index.key != "laesa")
    result = CliRunner().invoke(app, ["demo", "--data", str(vectors), "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "LAESA at 10-NN" in result.stdout


def test_structures_too_large_are_left_out(vectors, tmp_path, monkeypatch):
    # The package's attribute of this name is the command, not its module.
    monkeypatch.setattr(importlib.import_module("metricspace.cli.demo"), "LARGEST_TABLE", 3000)
    printed = run("demo", "--data", vectors, "--out", tmp_path)
    assert "left out" in printed
    assert "AESA" not in {
        row["structure"] for row in json.loads((tmp_path / "demo.json").read_text())["rows"]
    }


def test_complaints(words, vectors, images, tmp_path):
    index = tmp_path / "index"
    assert "use 'angular'" in complaint("build", vectors, index, "--metric", "cosine")
    assert "minkowski:p=x" in complaint("build", vectors, index, "--metric", "minkowski:p=x")
    assert "minkowski does not take" in complaint("build", vectors, index, "--metric", "minkowski:q=1")
    assert "no structure 'tree'" in complaint("build", vectors, index, "--structure", "tree")
    assert "'vectors'" in complaint("build", images, index)
    assert not index.exists()
    run("build", words, index)
    assert "No such file" in complaint("info", tmp_path / "absent")
    assert "damaged" in complaint("info", words)
    assert "one of the two" in complaint("query", index)
    assert "k of at least 1" in complaint("query", index, "--text", "a", "--k", 0)
    assert "expected strings" in complaint("query", index, vectors)
    assert "No such file" in complaint("demo", "--data", tmp_path / "absent.npz")
    assert "neither" in complaint("demo", "--data", words)
    assert "labels" in complaint("train", "--data", vectors, "--out", tmp_path / "model")
    assert "at least two" in complaint("bench", "--data", _file(tmp_path, "one.txt", "word"))
    assert "at least one query" in complaint("query", index, _file(tmp_path, "none.txt", ""))
    assert "none of these" in complaint("build", _file(tmp_path, "broken.npz", "?"), index)


def _file(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_missing_extra_is_named(images, tmp_path, monkeypatch):
    monkeypatch.setitem(reporting._EXTRAS, "train", ("absent_package",))
    message = complaint("train", "--data", images, "--out", tmp_path / "model")
    assert 'absent_package: pip install "metricspace-search[train]"' in message


def test_sets_are_compressed_rows(tmp_path):
    file = tmp_path / "sets.npz"
    np.savez(file, indptr=[0, 2, 2, 3], indices=[5, 7, 5])
    assert read_objects(file) == ("sets", [{5, 7}, set(), {5}])
    np.savez(file, indptr=[0, 2, 1], indices=[5])
    assert "indptr" in complaint("bench", "--data", file)


def test_metric_with_parameters():
    assert parse_metric("minkowski:p=3").params == ms.metric("minkowski", p=3).params


def test_recall_and_precision():
    found = [np.array([1, 2, 3]), np.array([], int), np.array([4])]
    truth = [np.array([1, 2, 4, 5]), np.array([7]), np.array([], int)]
    recall, precision = agreement(found, truth)
    assert recall == pytest.approx((0.5 + 0 + 1) / 3)
    assert precision == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_questions():
    assert Question(5).exact
    assert not Question(5, eps=0.1).exact
    assert Question(5, budget=7).exactly() == Question(5)
    assert Question(radius=0.25).name == "range 0.25"


def test_intrinsic_dimension():
    metric = ms.metric("euclidean")
    assert intrinsic_dimension(metric, np.ones((10, 2))) is None
    assert intrinsic_dimension(metric, np.ones((1, 2))) is None
    low, high = (intrinsic_dimension(metric, np.random.default_rng(0).random((500, d))) for d in (1, 20))
    assert low == pytest.approx(1, rel=0.2)
    assert high > 10
