"""``metricspace train``: learn an embedding of labelled images or vectors, and index it."""

from __future__ import annotations

import importlib.util
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from ..errors import InvalidArgument
from .build import structure_named
from .reporting import JsonOption, console, require, shows_progress, write_json

if TYPE_CHECKING:
    from embeddings import Trainer
    from embeddings.sources import Labelled

EPOCHS = 10  # at most; steps are shared out among them

DimOption = Annotated[int, typer.Option(help="Dimensions of the embedding.")]
SeedOption = Annotated[int, typer.Option(help="The same seed gives the same result.")]


def train(
    data: Annotated[
        pathlib.Path,
        typer.Option(
            help="A folder with one folder of images for each class; or an .npz with 'images' or 'vectors', "
            "and 'labels'.",
            show_default=False,
        ),
    ],
    out: Annotated[
        pathlib.Path,
        typer.Option(
            help="The directory for the model, its index, the log and pictures.", show_default=False
        ),
    ],
    dim: DimOption = 64,
    network: Annotated[
        str | None,
        typer.Option(
            help="conv, mlp, torchvision:NAME or timm:NAME; by default conv for images.", show_default=False
        ),
    ] = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Begin with weights that torchvision or timm downloads.")
    ] = False,
    size: Annotated[int, typer.Option(help="What images of a folder are scaled and cut to.", min=1)] = 64,
    grey: Annotated[bool, typer.Option("--grey", help="Read images of a folder without colours.")] = False,
    loss: Annotated[str, typer.Option(help="lifted, or another of embeddings.losses.")] = "lifted",
    memory: Annotated[
        int, typer.Option(help="So many items of earlier batches are compared with, too.", min=0)
    ] = 0,
    metric: Annotated[
        str, typer.Option(help="euclidean; or chord or angular, which give unit vectors.")
    ] = "euclidean",
    steps: Annotated[int, typer.Option(help="Batches to learn from.", min=1)] = 1000,
    epochs: Annotated[int, typer.Option(help="How often to measure on the way.", min=1)] = EPOCHS,
    classes: Annotated[int, typer.Option(help="Classes of a batch.", min=2)] = 30,
    items: Annotated[int, typer.Option(help="Items of each of them.", min=2)] = 4,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 1e-3,
    schedule: Annotated[str, typer.Option(help="constant, cosine, warmup-cosine or step.")] = "cosine",
    precision: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu, or cuda.")] = "cpu",
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a new best.", show_default=False)
    ] = None,
    keep: Annotated[
        str, typer.Option(help="The best epoch; the cheapest to search of the best; or the last.")
    ] = "best",
    validation: Annotated[
        float, typer.Option(help="Share of the classes held out to choose the epoch by.", min=0, max=0.9)
    ] = 0.2,
    test: Annotated[
        float, typer.Option(help="Share of the classes held out to test what was learned.", min=0, max=0.9)
    ] = 0.2,
    structure: Annotated[str, typer.Option(help="Which index of all items to save.")] = "vptree",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")
    ] = False,
    seed: SeedOption = 0,
    json: JsonOption = None,
) -> None:
    """Learn an embedding, test it on classes never seen, and save the model with an index of all items.

    Example:

    $ metricspace train --data photos --out birds

    $ metricspace query birds more-photos --k 5
    """
    require("train")
    from embeddings import evaluate, losses
    from embeddings.distributed import joined

    structure_named(structure)  # a complaint now, not after hours
    say = console(json)
    given = read_labelled(data, size, grey)
    config: dict[str, Any] = {"name": loss}
    if memory:
        config = {"name": "memory", "loss": config, "size": memory}
    try:
        built = losses.build(config)
    except TypeError as error:
        raise InvalidArgument(f"the loss {loss!r} cannot be made by its name alone: {error}") from error
    learn, chosen_by, tested_on = divided(given, validation, test, seed)
    trainer = make_trainer(
        given.items, dim, steps, seed, epochs=epochs, network=network, pretrained=pretrained,
        loss=built, metric=metric, classes_per_batch=classes, items_per_class=items,
        lr=lr, schedule=schedule, precision=precision, device=device, patience=patience, keep=keep,
    )  # fmt: skip
    with joined(trainer.device) as world:
        trainer.fit(learn, validation=chosen_by, out=out, resume=resume, progress=shows_progress(json))
    if not world.main:
        return
    vectors = trainer.embed(given.items)
    index = trainer.index(vectors, structure=structure, ids=getattr(given.items, "paths", None))
    trainer.save(out, index=index)
    result: dict[str, Any] = {
        "model": str(out),
        "items": len(given.items),
        "dim": dim,
        "chosen": trainer.chosen,
        "history": trainer.history,
    }
    say.print(f"loss {trainer.history[-1]['loss']:.3f} after {len(trainer.history)} epochs", markup=False)
    seen = tested_on or chosen_by
    if seen is not None:
        embedded = trainer.embed(seen.items)
        result["evaluation"] = evaluate(embedded, seen.labels, seed=seed)
        result["evaluated_on"] = "classes held out" if tested_on else "the classes that chose the epoch"
        scores = " ".join(f"{name} {result['evaluation'][name]:.3f}" for name in ("recall@1", "map@r", "nmi"))
        say.print(
            f"{scores} on {result['evaluated_on']}, {len(np.unique(seen.labels))} of them", markup=False
        )
        result["pictures"] = draw(trainer, embedded, seen.labels, out, seed)
    write_json(result, out / "result.json")
    write_json(result, json)
    say.print(f"the model, its index of {len(vectors):,} items and the log are in {out}", markup=False)


def read_labelled(path: pathlib.Path, size: int, grey: bool) -> Any:
    """Read a folder of images on demand, or an .npz file.

    Raises
    ------
    InvalidArgument
        If there are no labels.
    """
    from embeddings import data

    if path.is_dir():
        return data.ImageFolder(path, shape=(size, size) if grey else (size, size, 3))
    given = data.read_npz(path)
    if given.labels is None:
        raise InvalidArgument(f"training needs labels, and {path} has none")
    return given


def divided(
    given: Any, validation: float, test: float, seed: int
) -> tuple[Labelled, Labelled | None, Labelled | None]:
    """Divide by class, or by alphabet where there are such: to learn from, to choose by, and to test on."""
    from embeddings import InputError, hold_out
    from embeddings.sources import Labelled

    groups = given.labels if given.alphabet is None else given.alphabet
    learn = np.arange(len(groups))
    apart: list[Labelled | None] = []
    for share in (test, validation):
        if share == 0:
            apart.append(None)
            continue
        try:
            stay, leave = hold_out(groups[learn], share, seed)
        except InputError as error:
            raise InvalidArgument(f"{error}; --validation 0 and --test 0 hold none out") from error
        apart.append(Labelled(given.items, given.labels).take(learn[leave]))
        learn = learn[stay]
    return Labelled(given.items, given.labels).take(learn), apart[1], apart[0]


def make_trainer(
    items: Any,
    dim: int,
    steps: int,
    seed: int,
    *,
    epochs: int = EPOCHS,
    network: str | None = None,
    pretrained: bool = False,
    **settings: Any,
) -> Trainer:
    """Return a trainer for items of this shape, which takes about so many steps.

    Parameters
    ----------
    items : array, shape (n, h, w), (n, h, w, c) or (n, d)
        Images or vectors.
    dim, steps, seed : int
        Dimensions of the embedding, batches to learn from, and where random choices come from.
    epochs : int
        How many epochs share the steps, at most.
    network : {"conv", "mlp"} or str, optional
        Or a model of torchvision or timm.
    pretrained : bool
        Begin with the weights that these have.
    **settings
        Of the trainer.
    """
    from embeddings import MLP, Backbone, ConvNet, RandomAffine, Trainer

    shape = tuple(items.shape[1:])
    normalize = settings.get("metric", "euclidean") != "euclidean"
    epochs = max(1, min(epochs, steps))
    settings |= {"epochs": epochs, "batches_per_epoch": steps // epochs, "seed": seed}
    kind = network or ("mlp" if len(shape) == 1 else "conv")
    if pretrained or ":" in kind:
        made: Any = Backbone(shape, dim, model=kind, pretrained=pretrained, normalize=normalize, seed=seed)
    elif kind in ("conv", "mlp"):
        made = (ConvNet if kind == "conv" else MLP)(shape, dim, normalize=normalize, seed=seed)
    else:
        raise InvalidArgument(f"no network {kind!r}; there are conv, mlp, torchvision:NAME and timm:NAME")
    return Trainer(made, augment=RandomAffine() if len(shape) > 1 else None, **settings)


def draw(trainer: Trainer, vectors: Any, labels: Any, out: pathlib.Path, seed: int) -> list[str]:
    """Draw the embedding and how well it can be searched, where Matplotlib is installed; return the files."""
    if importlib.util.find_spec("matplotlib") is None:
        return []
    from embeddings import indexability

    from . import pictures

    searched, embedded = out / "indexability.png", out / "embedding.png"
    indexability.picture(trainer.history, vectors, labels, searched)
    pictures.draw_embedding(embedded, {"embedded": vectors}, labels, seed)
    return [str(searched), str(embedded)]
