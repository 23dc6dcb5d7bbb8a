"""The index: what users build, query, change and save.

`BaseIndex` holds everything that does not depend on the structure: validation at the edge, ids, queries
shared out among threads, results. A structure brings its arrays, ``_build``, and the bodies of ``expand``
(and ``begin``) for the traversal.
"""

from __future__ import annotations

import copy
import inspect
import os
import pathlib
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from .anatomy import Anatomy, Statistics
from .arguments import whole_number
from .construction import Construction
from .errors import NotAMetric, NotFitted, NotSupported, TooLarge
from .growing import inhabit
from .ids import Ids, Positions
from .laws import Bound, Metric
from .laws import metric as _metric
from .objects import Objects
from .progress import shown
from .queries import reverse as reverse_neighbours
from .searchable import Searchable
from .traversal import DEPTH_FIRST, Desk

_UNLIMITED = np.iinfo(np.int64).max
_INDEXES: dict[str, type[BaseIndex]] = {}
_LEFT_BY_QUERIES = "_machine_code", "_standing"  # which the next are faster for


def indexes() -> dict[str, type[BaseIndex]]:
    """Return every structure by its key."""
    return dict(sorted(_INDEXES.items()))


class BaseIndex(Searchable):
    """What all structures have in common.

    Parameters
    ----------
    metric : str, Metric or callable
        The name of a metric (see ``metricspace.metrics()``), a metric, or your own function of two objects.
    seed : int
        Where all random choices come from: the same seed gives the same structure.
    max_bytes : int, optional
        ``fit`` refuses to build what would take more memory; by default three quarters of the machine's.

    Attributes
    ----------
    metric : Metric
        The metric.
    build_cost : int
        Distances computed to build and to change the structure.
    """

    key: ClassVar[str]
    arrays: ClassVar[Any]  # the class of the structure's named arrays
    exact: ClassVar[bool] = True
    needs: ClassVar[str | None] = "triangle"  # the law without which pruning would lose objects
    order: ClassVar[int] = DEPTH_FIRST  # of k-NN: best first saves distances and costs time
    specialised: ClassVar[bool] = False  # whether to compile the search for the hot metrics' own arrays
    scans: ClassVar[bool] = False  # whether all objects are measured, in blocks
    drops: ClassVar[bool] = False  # whether what is removed is no longer in the structure
    smaller: ClassVar[str] = "vptree"  # what to use when this structure does not fit in memory

    def __init_subclass__(cls) -> None:
        if "key" in vars(cls):  # else it is what several structures have in common
            _INDEXES[cls.key] = cls

    def __init__(
        self,
        metric: str | Metric | Callable[[Any, Any], float] = "euclidean",
        *,
        seed: int = 0,
        max_bytes: int | None = None,
    ) -> None:
        self.metric = _metric(metric)
        self.seed = whole_number("seed", seed, 0)
        self.max_bytes = None if max_bytes is None else whole_number("max_bytes", max_bytes, 1)
        self.build_cost = 0
        self._tree: Any = None
        self._reaches: reverse_neighbours.Reaches | None = None
        self._recast: tuple[Metric, Objects] | None = None

    @classmethod
    def suits(cls, metric: Metric) -> bool:
        """Return whether a metric declares the law by which the structure prunes."""
        return cls.needs is None or cls.needs in metric.laws

    def _unsuited(self) -> str:
        """Return why the metric does not suit, and what to do."""
        other = "LAESA" if "triangle" in self.metric.laws else "LinearScan"
        return (
            f"{type(self).__name__} prunes by the law {self.needs!r}, which {self.metric.name} does not "
            f"declare: use {other}, or declare it if it holds, Metric(function, {self.needs}=True)"
        )

    # What a structure brings.

    def _build(self, construction: Construction) -> tuple[Any, Positions | None]:
        """Return the structure's arrays, and the order in which it wants the objects, if any."""
        raise NotImplementedError

    def _arranged(self, objects: Objects) -> Positions | None:
        """Return the order in which the structure wants the objects, if it can tell before it is built."""
        return None

    def _bytes(self, count: int) -> int:
        """Return about how much memory the structure takes for so many objects."""
        return 64 * count

    def _bytes_derived(self, objects: Objects) -> int:
        """Return about how much memory takes what is derived from the objects."""
        return self.metric.bytes_derived(objects, self.scans)

    def _desk(self) -> Desk:
        """Return the working memory that a search of this structure needs."""
        raise NotImplementedError

    def _anatomy(self) -> Anatomy:
        """Return where the objects live: in nodes that are spans of slots, or else, as in tables, in none."""
        homes = np.full(len(self._order), -1)
        if not {"start", "stop", "parent"} <= set(self.arrays._fields):
            return Anatomy(homes, np.zeros(0, np.int64))
        inhabit(self._tree.start, self._tree.stop, homes)
        return Anatomy(homes, self._tree.parent)

    def _covering_radii(self) -> npt.NDArray[np.float64]:
        """Return the radii of the balls that cover regions, if the structure keeps them."""
        return np.zeros(0)

    # Building.

    def fit(
        self, objects: Any, ids: Any = None, *, reverse: int | None = None, progress: bool = False
    ) -> Self:
        """Build the structure over a batch of objects.

        Parameters
        ----------
        objects : batch of objects
            For metrics on vectors anything that numpy can view as a matrix with one row an object; strings,
            sets or other objects in a sequence, as the metric has it.
        ids : sequence of int or of str, optional
            A name for each object, returned by queries; by default its position.
        reverse : int, optional
            Prepare for `reverse_knn` with up to so many neighbours: as many distances are kept for each
            object, and finding them counts as building.
        progress : bool
            Show a progress bar.

        Returns
        -------
        self

        Raises
        ------
        MetricSpaceError
            If the objects do not suit the metric, the metric not the structure, or memory does not suffice;
            an index that was built before is left as it was.
        """
        if not self.suits(self.metric):
            raise NotAMetric(self._unsuited())
        if reverse is not None:
            reverse = whole_number("reverse", reverse, 1)
        container = self.metric.objects(objects)
        names = Ids.of(ids, len(container))
        held = container.nbytes + self._bytes_derived(container)
        self._refuse_too_large(len(container), held + 8 * (reverse or 0) * len(container))
        with shown(f"building {self.key}", len(container), progress) as show:
            # The one copy: later changes to the user's array must not reach the index. Where its order is
            # known it is made first, so that nothing is derived from the objects in another.
            order = self._arranged(container)
            if order is not None:
                container = container.take(order)
            # Building is no scan, and what only scans need is left to the first query.
            bound = self.metric.bind(container, container, own_kernels=self.specialised and self.metric.hot)
            construction = Construction(bound, self.seed, show)
            tree, wanted = self._build(construction)
        if order is None:
            order = np.arange(len(container)) if wanted is None else wanted
            container = container.take(order)
        built = copy.copy(self)
        built._objects = container
        built._tree, built._order, built._ids, built._reaches = tree, order, names, None
        built.build_cost = construction.cost
        built._forget()
        if reverse is not None:
            nothing = np.full((reverse, len(order)), -np.inf)
            built._reach_anew(nothing, np.arange(len(order)), progress)
        self._become(built)
        return self

    def _reach_anew(self, kept: npt.NDArray[np.float64], slots: Positions, progress: bool = False) -> None:
        """Keep how far the neighbours of each object lie, those of some slots being found anew."""
        self._reaches, cost = reverse_neighbours.renewed(self, kept, slots, progress)
        self.build_cost += cost

    def _become(self, changed: Self) -> None:
        """Adopt a changed copy, now that it is whole."""
        self.__dict__.update(vars(changed))
        self._forget()

    def _refuse_too_large(self, count: int, held: int) -> None:
        needed = held + self._bytes(count)
        allowed = self.max_bytes or _three_quarters_of_memory()
        if needed > allowed:
            raise TooLarge(
                f"{type(self).__name__} over {count} objects needs about {needed / 1e9:.3g} GB, "
                f"more than max_bytes ({allowed / 1e9:.3g} GB): use {_INDEXES[self.smaller].__name__}, "
                "or raise max_bytes"
            )

    def _bind(self, objects: Objects, queries: Objects) -> Bound:
        return self._around(self._bind_swept(objects, queries), objects, queries)

    def _bind_swept(self, objects: Objects, queries: Objects) -> Bound:
        return self.metric.bind(
            objects, queries, own_kernels=self.specialised and self.metric.hot, scan=self.scans
        )

    def _fitted(self) -> None:
        if self._tree is None:
            raise NotFitted(f"this {type(self).__name__} is empty: call fit(objects) first")

    def _forget(self) -> None:
        """Drop what was derived from the objects."""
        for derived in ("_slots", "_present", "_slack", *_LEFT_BY_QUERIES):
            self.__dict__.pop(derived, None)
        self._recast = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: not what queries have left."""
        kept = {name: value for name, value in self.__dict__.items() if name not in _LEFT_BY_QUERIES}
        return {**kept, "_recast": None}

    # What is there.

    @property
    def n_objects(self) -> int:
        """How many objects are indexed."""
        self._fitted()
        return self._ids.count - len(self._ids.removed)

    def __len__(self) -> int:
        return self.n_objects

    @property
    def nbytes(self) -> int:
        """Bytes held by the objects and the structure."""
        self._fitted()
        arrays = [value for value in self._tree if isinstance(value, np.ndarray)]
        arrays += [self._order, *(self._reaches or ())]
        held = [self._objects, *(self._recast[1:] if self._recast else ())]
        return sum(part.nbytes for part in (*held, *arrays))

    def statistics(self) -> Statistics:
        """Return what the structure is made of: nodes, depth, bytes, covering radii."""
        self._fitted()
        return Statistics.of(
            self.n_objects, self.build_cost, self.nbytes, self._anatomy(), self._covering_radii()
        )

    def params(self) -> dict[str, Any]:
        """Return the parameters that the index was made with."""
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.params().items() if value is not None)
        return f"{type(self).__name__}({given})"

    def objects(self, ids: Any) -> Any:
        """Return the objects of these ids, as they were given."""
        self._fitted()
        return self._objects.give(self._slots[self._ids.find(ids)])

    # Changing.

    def add(self, objects: Any, ids: Any = None, *, progress: bool = False) -> Positions:
        """Insert objects; only dynamic structures can."""
        raise NotSupported(_static(self, "add"))

    def remove(self, ids: Any) -> None:
        """Remove objects by their ids; only dynamic structures can."""
        raise NotSupported(_static(self, "remove"))

    # Keeping.

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to a file, replacing what was there only when all is written.

        Raises
        ------
        StorageError
            If the index cannot be written.
        """
        from .storage import write  # storage knows the structures; see `metricspace.load`

        self._fitted()
        write(self, pathlib.Path(path))


def _static(index: BaseIndex, operation: str) -> str:
    able = [
        cls.__name__
        for cls in _INDEXES.values()
        if getattr(cls, operation) is not getattr(BaseIndex, operation)
    ]
    return f"{type(index).__name__} is static and cannot {operation}: use {' or '.join(able)}, or fit again"


def _three_quarters_of_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 * 3
    except (AttributeError, ValueError, OSError):  # not every system tells
        return _UNLIMITED
