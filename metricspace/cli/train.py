"""``metricspace train``: learn a metric from labelled images or vectors."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InvalidArgument
from .reporting import JsonOption, console, require, shows_progress, write_json

if TYPE_CHECKING:
    from embeddings import Trainer

EPOCHS = 10  # at most; steps are shared out among them

DimOption = Annotated[int, typer.Option(help="Dimensions of the embedding.")]
SeedOption = Annotated[int, typer.Option(help="The same seed gives the same result.")]


def train(
    data: Annotated[
        pathlib.Path,
        typer.Argument(help="An .npz with 'images' or 'vectors', and 'labels'.", show_default=False),
    ],
    model: Annotated[pathlib.Path, typer.Argument(help="The directory to save in.", show_default=False)],
    dim: DimOption = 64,
    steps: Annotated[int, typer.Option(help="Batches to learn from.", min=1)] = 1000,
    hold_out: Annotated[
        bool, typer.Option("--hold-out", help="Keep some classes for a test of what was learned.")
    ] = False,
    seed: SeedOption = 0,
    json: JsonOption = None,
) -> None:
    """Learn an embedding with the lifted structured loss, and save the model.

    Example:

    $ metricspace train images.npz model --dim 64

    $ metricspace build images.npz images.index --model model
    """
    require("train")
    from embeddings import read_npz, zero_shot

    out = console(json)
    given = read_npz(data)
    if given.labels is None:
        raise InvalidArgument(f"training needs labels, and {data} has none")
    items, labels = given.items, given.labels
    validation: tuple[Any, Any] | None = None
    if hold_out:
        split = zero_shot(given)
        items, labels = split.train_images, split.train_labels
        validation = split.test_images, split.test_labels
    trainer = make_trainer(items, dim, steps, seed)
    trainer.fit(items, labels, validation=validation, progress=shows_progress(json))
    trainer.save(model)
    last = trainer.history[-1]
    tested = f", recall@1 {last['recall@1']:.3f} on classes held out" if hold_out else ""
    out.print(
        f"loss {last['loss']:.3f} after {trainer.epochs} epochs{tested}; saved in {model}", markup=False
    )
    write_json({"model": str(model), "items": len(items), "dim": dim, "history": trainer.history}, json)


def make_trainer(items: Any, dim: int, steps: int, seed: int, **settings: Any) -> Trainer:
    """Return a trainer for items of this shape, which takes about so many steps.

    Parameters
    ----------
    items : array, shape (n, h, w), (n, h, w, c) or (n, d)
        Images or vectors.
    dim, steps, seed : int
        Dimensions of the embedding, batches to learn from, and where random choices come from.
    **settings
        Of the trainer.
    """
    from embeddings import MLP, Trainer

    epochs = max(1, min(EPOCHS, steps))
    settings |= {"epochs": epochs, "batches_per_epoch": steps // epochs, "seed": seed}
    if items.ndim == 2:
        return Trainer(MLP(items.shape[1:], dim, seed=seed), **settings)
    return Trainer.for_images(items, dim=dim, **settings)
