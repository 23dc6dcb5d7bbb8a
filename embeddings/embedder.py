"""A network at work: it embeds, and its embeddings are searched under the metric that it was trained for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Self

import numpy as np
import torch

import metricspace
from embeddings import distributed, networks, storage
from embeddings.arrays import Vectors, as_tensor, as_vectors
from embeddings.errors import DivergenceError, InputError, ModelFileError
from embeddings.networks import Network, check_sizes
from embeddings.sources import as_source, read

METRIC = "euclidean"
OF_DIRECTIONS = ("chord", "angular")  # on unit vectors the chord is METRIC, and the angle grows with it
EMBEDDED_AT_ONCE = 512


@dataclass(eq=False)
class Embedder:
    """Embeds items and indexes embeddings.

    Parameters
    ----------
    network : Network
        Maps items to embeddings.
    metric : {"euclidean", "chord", "angular"}, default "euclidean"
        The one metric of training, evaluation and search. Chord and angle are for networks with
        ``normalize=True``: on unit vectors the chord is the Euclidean distance, and the angle puts all
        neighbours in the same order.
    device : str, default "cpu"
        With ``"cuda"`` each process of torchrun takes a GPU of its own.
    threads : int or None
        Number of threads for torch while it works for this model; None leaves it as it is.

    Attributes
    ----------
    gallery : metricspace index or None
        The index that the model was loaded with. Training drops it: it is of the embeddings before.

    Raises
    ------
    InputError
        If ``threads`` is not positive, or the metric is not one of these or needs unit vectors.
    """

    network: Network
    _: KW_ONLY
    metric: str = METRIC
    device: str = "cpu"
    threads: int | None = None
    gallery: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        if self.threads is not None:
            check_sizes("threads", self.threads)
        if self.metric not in (METRIC, *OF_DIRECTIONS):
            raise InputError(
                f"metric must be {METRIC}, chord or angular, not {self.metric!r}: squared distances and "
                "cosine similarity are no metrics, and angular gives the order of cosine"
            )
        if self.metric != METRIC and not self.network.normalize:
            raise InputError(
                f"the metric {self.metric!r} is for unit vectors: build the network with normalize=True"
            )
        self.device = distributed.own(self.device)
        self.network.to(self.device)

    def embed(self, images: Any) -> Vectors:
        """Embed images.

        Parameters
        ----------
        images : array of shape (n, *network.input_shape), or source of such
            A source is read as it is embedded; see :mod:`embeddings.sources`.

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
        items = as_source(images, self.network.input_shape)
        embeddings = np.empty((len(items), self.network.dim), dtype=np.float32)
        self.network.eval()
        with limited_threads(self.threads), torch.inference_mode():
            for start in range(0, len(items), EMBEDDED_AT_ONCE):
                chunk = np.arange(start, min(start + EMBEDDED_AT_ONCE, len(items)))
                batch = as_tensor(read(items, chunk, self.network.input_shape), self.device)
                embeddings[chunk] = self.network(batch).float().cpu().numpy()
        if not np.isfinite(embeddings).all():
            raise DivergenceError("the network's embeddings are not finite: its training has diverged")
        return embeddings

    def index(self, embeddings: Any, structure: str = "vptree", ids: Any = None, **params: Any) -> Any:
        """Build an exact index of embeddings, under the metric that they were trained for.

        Parameters
        ----------
        embeddings : array of shape (n, dim)
            From :meth:`embed` of this model.
        structure : str, default "vptree"
            A key of ``metricspace.indexes()``.
        ids : sequence of int or str, optional
            A name for each, returned by queries; by default its position.
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
        metric = params.pop("metric", self.metric)
        if metric != self.metric:
            raise InputError(
                f"the model was trained for the {self.metric} metric and its index uses no other, not "
                f"{metric!r}. Squared distances and cosine similarity are no metrics; for the order of "
                "cosine, train a network with normalize=True"
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
        return structures[structure](metric=metric, **params).fit(vectors, ids=ids)

    def save(self, directory: str | os.PathLike[str], index: Any = None) -> None:
        """Save the model: weights, network, metric and, if given, its index (:mod:`embeddings.storage`).

        Parameters
        ----------
        directory : path
            Made where missing. A model saved there before is replaced, as a whole or not at all.
        index : metricspace index, optional
            Of embeddings of this model; ``load`` gives it back as ``gallery``.

        Raises
        ------
        InputError
            If the index is of another metric or dimension.
        """
        if index is not None:
            self.check_index(index)
        storage.write(directory, self.described(), self.network.state_dict(), index)

    def described(self) -> dict[str, Any]:
        """Return what a saved model says of itself, as JSON can hold it."""
        return {
            "metric": self.metric,
            "normalize": self.network.normalize,
            "dtype": "float32",
            "network": self.network.config,
        }

    @classmethod
    def load(
        cls,
        directory: str | os.PathLike[str],
        *,
        network: Network | None = None,
        device: str = "cpu",
        **own: Any,
    ) -> Self:
        """Load a saved model and its index, ready to embed and to search.

        Parameters
        ----------
        directory : path
        network : Network, optional
            Needed where the model has a network that cannot be built by its name: the same, with any weights.
        device : str, default "cpu"
        **own
            Other parameters of the class, in place of what was saved.

        Raises
        ------
        ModelFileError
            If the model is damaged, incomplete, of a later version, or of a network that has not been
            imported; or its index is not of its metric and dimension.
        """
        config, weights = storage.read(directory)
        try:
            if config["dtype"] != "float32":
                raise InputError(f"it is of type {config['dtype']!r}, not 'float32'")
            network = networks.restore(config["network"], weights, network)
            if config["normalize"] != network.normalize:
                raise InputError("the model and its network disagree on whether embeddings are normalised")
            model = cls.restored(network, config, metric=config["metric"], device=device, **own)
            model.gallery = storage.read_index(directory, config)
            if model.gallery is not None:
                model.check_index(model.gallery)
        except ModelFileError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"the model in {os.fspath(directory)} cannot be loaded: {error}") from error
        model.network.eval()
        return model

    @classmethod
    def restored(cls, network: Network, config: dict[str, Any], **own: Any) -> Self:
        """Make the model that a configuration describes."""
        return cls(network, **own)

    def check_index(self, index: Any) -> None:
        """Raise :class:`InputError` unless an index is of this model's metric and dimension."""
        if index.metric.name != self.metric:
            raise InputError(
                f"the index is of the metric {index.metric.name!r}, and the model of {self.metric!r}"
            )
        unit = np.zeros((1, self.network.dim), np.float32)
        unit[0, 0] = 1
        try:
            index.count(unit, 0.0)
        except metricspace.MetricSpaceError as error:
            raise InputError(f"the index does not hold embeddings of this model: {error}") from error


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Let torch use so many threads within, and as many as before afterwards; None changes nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
