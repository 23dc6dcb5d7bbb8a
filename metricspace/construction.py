"""A structure being built: its space, its random numbers, its cost, and the way out.

A building kernel works off a list of what is still to be done, and returns to Python every so many
distances. There progress is shown, an interrupt is noticed, and a user's failing function is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from . import threads
from .bounds import Slack
from .laws import Bound
from .space import Room, make_room

# Construction.state, which kernels read and write
COST = 0  # distances computed
DONE = 1  # objects settled, for the progress bar
PENDING = 2  # entries in a kernel's list of what is to be done
NODES = 3  # nodes made so far
SEED = 4  # state of the generator in `pivots`
STATES = 5


class Construction:
    """What a structure needs to be built.

    Parameters
    ----------
    bound : Bound
        The metric bound to the objects, on both sides.
    seed : int
        Where all random choices come from.
    show : callable
        Takes the number of objects settled so far.
    """

    def __init__(self, bound: Bound, seed: int, show: Callable[[int], None]) -> None:
        self.bound = bound
        self.space: Any = bound.space
        self.count = len(bound.objects)
        self.room: Room = make_room(bound.metric.words(bound.objects))
        self.state: npt.NDArray[np.int64] = np.zeros(STATES, np.int64)
        self.state[SEED] = np.random.SeedSequence(seed).generate_state(1, np.uint64).view(np.int64)[0]
        self.slack: Slack = bound.metric.slack(bound.objects)
        self._show = show

    @property
    def cost(self) -> int:
        """Distances computed so far."""
        return int(self.state[COST])

    @property
    def patience(self) -> int:
        """Distances that a kernel may compute before it returns to Python."""
        return 1_000_000 if self.bound.metric.native else 2_000

    def run(self, step: Callable[[], bool]) -> None:
        """Call a step, a kernel with its arguments, until it says that all is done."""
        finished = False
        while not finished:
            if self.bound.metric.native:
                finished = bool(step())
            else:  # an interrupt must reach the main thread, and not a callback
                finished = bool(threads.run([step], self._cancel)[0])
            self.check()
            self._show(int(self.state[DONE]))

    def check(self) -> None:
        """Raise what went wrong in the user's metric, if anything did."""
        if self.room.fault[0]:
            raise self.bound.complaint(self.room.fault)

    def _cancel(self) -> None:
        self.room.fault[0] = 1
