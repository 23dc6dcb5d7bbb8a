"""``metricspace demo``: learn a metric, index what it makes, and ask."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import InvalidArgument, TooLarge
from ..index import BaseIndex
from ..indexes import AESA, LAESA, GHTree, LinearScan, MTree, VPTree
from ..laws import metric
from .measuring import LARGEST_TABLE, Comparison, Question, Row, hold_out, intrinsic_dimension, table_of
from .reporting import JsonOption, console, require, shows_progress, write_json
from .train import DimOption, SeedOption, make_trainer

STRUCTURES: tuple[type[BaseIndex], ...] = (LinearScan, VPTree, GHTree, LAESA, AESA, MTree)
METRIC = "euclidean"
STEPS, DIGIT_STEPS = 600, 200
KS = (1, 2, 4, 8)
K = 10
EPS = 0.5
BUDGET = 0.1  # of the scan's distances
QUERIES = 200
SWEPT_BUDGETS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 0.75)
SWEPT_EPS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)


@dataclasses.dataclass
class Learned:
    """What the demo indexes: vectors, and where they come from.

    Attributes
    ----------
    vectors : array, shape (n, dim)
        Embeddings of classes that were not trained on, or the vectors of the file.
    labels : array, shape (n,), or None
        Their classes.
    quality : dict
        How well the embedding separates classes, beside what was embedded.
    panels : dict of str to array
        What to draw: by its title, the vectors, and before them what was embedded.
    """

    vectors: npt.NDArray[Any]
    labels: npt.NDArray[np.int64] | None
    quality: dict[str, Any]
    panels: dict[str, npt.NDArray[Any]]


def demo(
    data: Annotated[
        str, typer.Option(help="'digits', or an .npz with 'images' and 'labels', or with 'vectors'.")
    ] = "digits",
    dim: DimOption = 64,
    seed: SeedOption = 0,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Batches to learn from; by default 600, for digits 200.", show_default=False, min=1
        ),
    ] = None,
    out: Annotated[
        pathlib.Path, typer.Option(help="Directory for demo.json and two pictures.")
    ] = pathlib.Path("out"),
    json: JsonOption = None,
) -> None:
    """Learn a metric, index the embedding of classes never seen, and ask: distances, recall and speed.

    Example:

    $ metricspace demo

    $ metricspace demo --data images.npz --dim 32 --out result
    """
    say = console(json)
    learned = _learn(data, dim, seed, steps, say, shows_progress(json))
    out.mkdir(parents=True, exist_ok=True)

    objects, queries = hold_out(learned.vectors, QUERIES, seed)
    say.rule("[bold]Indexes")
    say.print(
        f"{len(queries):,} of these {len(learned.vectors):,} vectors are set aside as queries; "
        f"the other {len(objects):,} are indexed under the {METRIC} distance."
    )
    compared = Comparison(metric(METRIC), objects, queries)
    built = _build(objects, seed, say)

    say.rule("[bold]Queries")
    rows, faults = _ask(compared, built, say)

    from . import pictures

    with say.status("drawing"):
        files = [
            pictures.draw_embedding(out / "embedding.png", learned.panels, learned.labels, seed),
            pictures.draw_recall(out / "recall.png", _sweep(compared, built[1:]), len(objects)),
        ]
    result = {
        "rows": [dataclasses.asdict(row) for row in rows],
        "quality": learned.quality,
        "data": {"name": pathlib.Path(data).stem, "objects": len(objects), "queries": len(queries)},
    }
    write_json(result, out / "demo.json")
    write_json(result, json)
    say.print(table_of(rows, "What each query cost, and what it found"))
    say.print(
        "distances: computed for a query, the pivots included · × scan: speed beside the linear scan, "
        "all cores\n" + "Written: " + ", ".join(escape(str(file)) for file in [*files, out / "demo.json"])
    )
    if faults:
        say.print(f"[bold red]Not what the scan returns: {'; '.join(faults)}: a defect, please report it.")
        raise typer.Exit(1)
    say.print("[bold green]Every exact structure returned exactly what the linear scan returns.")


def _learn(data: str, dim: int, seed: int, steps: int | None, say: Console, progress: bool) -> Learned:
    """Learn an embedding and say how good it is; or take the vectors of a file as they are."""
    require("bench")
    vectors = None if data == "digits" else _unlabelled_vectors(pathlib.Path(data))
    if vectors is not None:
        say.rule("[bold]Vectors")
        rho = intrinsic_dimension(metric(METRIC), vectors, seed)
        say.print(f"{len(vectors):,} vectors without labels, so there is nothing to learn from.")
        say.print(f"Intrinsic dimension ρ = {_shown(rho)}: the lower, the more an index can exclude.")
        return Learned(vectors, None, {"rho_before": rho, "rho_after": rho}, {f"ρ {_shown(rho)}": vectors})
    require("train")
    from embeddings import evaluate, load_digits, read_npz, with_symmetries, zero_shot

    say.rule("[bold]Learning a metric")
    given = load_digits() if data == "digits" else read_npz(data)
    split = zero_shot(given)
    items, labels = split.train_images, split.train_labels
    settings: dict[str, Any] = {}
    unseen, classes = split.test_images, split.test_labels
    say.print(
        f"{len(items):,} items of {len(np.unique(labels))} classes to learn from; "
        f"{len(unseen):,} of {len(np.unique(classes))} other classes, never seen in training, to search."
    )
    if data == "digits":
        # Five classes teach little about others: turned and mirrored digits are classes of their own.
        items, labels = with_symmetries(items, labels)
        settings = {"lr": 3e-3}
        say.print("Few classes: each digit turned or mirrored, in eight ways, counts as another class.")
    trainer = make_trainer(
        items, dim, steps or (DIGIT_STEPS if data == "digits" else STEPS), seed, **settings
    )
    say.print(f"In {dim} dimensions the lifted structured loss draws each class together and others away.")
    trainer.fit(items, labels, progress=progress)
    say.print("loss by epoch: " + " ".join(f"{epoch['loss']:.2f}" for epoch in trainer.history))

    vectors = trainer.embed(unseen)
    raw = np.asarray(unseen, np.float32).reshape(len(unseen), -1)
    with say.status("measuring the embedding"):
        before, after = evaluate(raw, classes, ks=KS, seed=seed), evaluate(vectors, classes, ks=KS, seed=seed)
    measures = [*(f"recall@{k}" for k in KS), "nmi", "f1"]
    quality: dict[str, Any] = {name: after[name] for name in measures}
    quality["before"] = {name: before[name] for name in measures}
    quality["rho_before"] = intrinsic_dimension(metric(METRIC), raw, seed)
    quality["rho_after"] = intrinsic_dimension(metric(METRIC), vectors, seed)
    say.print(quality_table(quality))
    before_title = f"as they are: recall@1 {before['recall@1']:.3f}, ρ {_shown(quality['rho_before'])}"
    after_title = f"embedded: recall@1 {after['recall@1']:.3f}, ρ {_shown(quality['rho_after'])}"
    return Learned(vectors, classes, quality, {before_title: unseen, after_title: vectors})


def _unlabelled_vectors(path: pathlib.Path) -> npt.NDArray[Any] | None:
    """Return the vectors of a file that has nothing to learn from."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["vectors"] if "vectors" in file and "labels" not in file else None
    except (ValueError, EOFError, AttributeError) as error:
        raise InvalidArgument(f"expected 'digits' or an .npz file, and {path} is neither") from error


def quality_table(quality: dict[str, Any]) -> Table:
    """Return how well classes are separated, before and after learning."""
    table = Table(title="The classes never seen", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for name in (*quality["before"], "ρ"):
        table.add_column(name.upper() if name in ("nmi", "f1") else name, justify="right")
    before = [f"{value:.3f}" for value in quality["before"].values()]
    table.add_row("as they are", *before, _shown(quality["rho_before"]))
    after = [f"{quality[name]:.3f}" for name in quality["before"]]
    table.add_row("embedded", *after, _shown(quality["rho_after"]), style="bold")
    table.caption = "recall@k: one of the k nearest is of the same class · ρ: intrinsic dimension, best low"
    table.caption_justify = "left"
    return table


def _shown(rho: float | None) -> str:
    return "—" if rho is None else f"{rho:.1f}"


def _build(objects: npt.NDArray[Any], seed: int, say: Console) -> list[BaseIndex]:
    """Build every structure that fits."""
    built = []
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("distances", justify="right")
    table.add_column("bytes", justify="right")
    table.add_column("", style="dim")
    for structure in STRUCTURES:
        index = structure(METRIC, seed=seed, max_bytes=LARGEST_TABLE)
        try:
            with say.status(f"building {structure.__name__} (compiled on first use)"):
                index.fit(objects)
        except TooLarge as error:
            say.print(f"[yellow]left out:[/] {error}")
            continue
        idea = (structure.__doc__ or "").partition("\n")[0]
        built.append(index)
        table.add_row(f"[bold]{structure.__name__}", f"{index.build_cost:,}", f"{index.nbytes:,}", idea)
    say.print(table)
    return built


def _ask(compared: Comparison, built: list[BaseIndex], say: Console) -> tuple[list[Row], list[str]]:
    """Ask every index every question; also return which exact answers were wrong."""
    k = min(K, compared.scan.n_objects)
    budget = max(1, round(BUDGET * compared.scan.n_objects))
    exact = [Question(k), Question(radius=compared.typical_radius(k))]
    approximate = [Question(k, eps=EPS), Question(k, budget=budget)]
    say.print(
        f"{exact[0].name}: the {k} nearest. {exact[1].name}: all in that radius; half the queries have {k}. "
        f"eps {EPS}: distances up to {1 + EPS:g} times the true ones will do. "
        f"budget {budget:,}: computes no more distances than that."
    )
    rows, faults = [], []
    for index in built:
        name = type(index).__name__
        with say.status(f"asking {name} (compiled on first use)"):
            for question in exact + (approximate if index.key != "linear" else []):
                rows.append(compared.measure(index, question))
                if question.exact and not compared.agrees(index, question):
                    faults.append(f"{name} at {question.name}")
    return rows, faults


def _sweep(compared: Comparison, built: list[BaseIndex]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Return (share of the scan's distances, recall) for each structure under budgets and under eps."""
    n = compared.scan.n_objects
    k = min(K, n)
    kinds = {
        "budget": [Question(k, budget=max(1, round(share * n))) for share in SWEPT_BUDGETS],
        "eps": [Question(k), *(Question(k, eps=eps) for eps in SWEPT_EPS)],
    }
    return {
        kind: {
            type(index).__name__: [compared.share_and_recall(index, question) for question in questions]
            for index in built
        }
        for kind, questions in kinds.items()
    }
