"""A network at work: it embeds, and its embeddings are searched under the metric that it was trained for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import metricspace
from embeddings.arrays import Vectors, as_items, as_tensor, as_vectors
from embeddings.errors import DivergenceError, InputError
from embeddings.networks import Network, check_sizes

METRIC = "euclidean"  # the one metric of training, evaluation and search
EMBEDDED_AT_ONCE = 512


@dataclass(eq=False)
class Embedder:
    """Embeds items and indexes embeddings.

    Parameters
    ----------
    network : Network
        Maps items to embeddings.
    device : str, default "cpu"
    threads : int or None
        Number of threads for torch while it works for this model; None leaves it as it is.

    Raises
    ------
    InputError
        If ``threads`` is not positive.
    """

    network: Network
    _: KW_ONLY
    device: str = "cpu"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None:
            check_sizes("threads", self.threads)
        self.network.to(self.device)

    def embed(self, images: npt.ArrayLike) -> Vectors:
        """Embed images.

        Parameters
        ----------
        images : array of shape (n, *network.input_shape)

        Returns
        -------
        array of shape (n, dim), float32

        Raises
        ------
        InputError
            If the images are not of that shape, or not finite.
        DivergenceError
            If the network's weights yield embeddings that are not finite.
        """
        items = as_items(images, self.network.input_shape)
        embeddings = np.empty((len(items), self.network.dim), dtype=np.float32)
        self.network.eval()
        with limited_threads(self.threads), torch.inference_mode():
            for start in range(0, len(items), EMBEDDED_AT_ONCE):
                chunk = slice(start, start + EMBEDDED_AT_ONCE)
                embeddings[chunk] = self.network(as_tensor(items[chunk], self.device)).float().cpu().numpy()
        if not np.isfinite(embeddings).all():
            raise DivergenceError("the network's embeddings are not finite: its training has diverged")
        return embeddings

    def index(self, embeddings: npt.ArrayLike, structure: str = "vptree", **params: Any) -> Any:
        """Build an exact index of embeddings, under the metric that they were trained for.

        Parameters
        ----------
        embeddings : array of shape (n, dim)
            From :meth:`embed` of this model.
        structure : str, default "vptree"
            A key of ``metricspace.indexes()``.
        **params
            Of that structure.

        Returns
        -------
        metricspace index

        Raises
        ------
        InputError
            If the structure is unknown, another metric is asked for, or the embeddings cannot be this
            model's.
        """
        metric = params.pop("metric", METRIC)
        if metric != METRIC:
            raise InputError(
                f"the model was trained for the {METRIC} metric and its index uses no other, not {metric!r}. "
                "Squared distances and cosine similarity are no metrics; for the order of cosine, "
                "train a network with normalize=True"
            )
        vectors = as_vectors(embeddings)
        if vectors.shape[1] != self.network.dim:
            raise InputError(
                f"the model's embeddings have {self.network.dim} dimensions, not {vectors.shape[1]}"
            )
        if self.network.normalize and not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
            raise InputError("the model's embeddings are unit vectors, and these are not")
        structures = metricspace.indexes()
        if structure not in structures:
            raise InputError(
                f"no structure is named {structure!r}; there are {', '.join(sorted(structures))}"
            )
        return structures[structure](metric=METRIC, **params).fit(vectors)


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Let torch use so many threads within, and as many as before afterwards; None changes nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
