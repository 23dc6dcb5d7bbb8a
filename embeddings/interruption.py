"""Ctrl-C between two steps, never within one."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class Interruption:
    """Within this context the first Ctrl-C is noted and the second raises ``KeyboardInterrupt``.

    A step of the optimiser that is cut in the middle leaves some weights old and some new. Signals reach
    the main thread only, so in other threads this does nothing.

    Attributes
    ----------
    requested : bool
        Whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.requested = False
        self.installed = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGINT, self._note)
            self.installed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.installed:
            signal.signal(signal.SIGINT, self.before)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
