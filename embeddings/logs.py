"""What a training writes while it runs: a progress bar, a log for people and programs, and TensorBoard's."""

import csv
import importlib.util
import io
import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from embeddings import storage

JSONL, CSV = "log.jsonl", "log.csv"
SHOWN = ("loss", "floor", "recall@1", "map@r", "rho")


class Journal:
    """One line for each epoch: in ``log.jsonl`` and ``log.csv``, on screen, and in TensorBoard if installed.

    Parameters
    ----------
    folder : path or None
        Where to write; None shows progress only.
    history : list of dict
        The epochs that are done; later lines of an earlier run in the folder are dropped.
    batches : int
        How many batches there are to do.
    progress : bool
        Whether to show a bar.
    """

    def __init__(
        self, folder: Path | None, history: list[dict[str, float]], batches: int, progress: bool
    ) -> None:
        self.folder = folder
        self.lines = [dict(entry) for entry in history]
        if folder is not None and history and (folder / JSONL).exists():
            logged = [json.loads(line) for line in (folder / JSONL).read_text(encoding="utf-8").splitlines()]
            known = {line.get("epoch"): line for line in logged}
            self.lines = [known.get(entry["epoch"], entry) for entry in self.lines]
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            disable=not progress,
        )
        self.task = self.bar.add_task("training", total=batches)
        self.started = time.monotonic()
        self.board: Any = None
        if folder is not None and importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(folder / "tensorboard", purge_step=len(history))

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()
        if self.board is not None:
            self.board.close()

    def advance(self, batches: int) -> None:
        """Move the bar on."""
        self.bar.advance(self.task, batches)

    def add(self, entry: dict[str, float]) -> None:
        """Write an epoch, with the seconds that it took."""
        now = time.monotonic()
        self.lines.append({**entry, "seconds": round(now - self.started, 3)})
        self.started = now
        shown = " ".join(f"{name} {entry[name]:.3f}" for name in SHOWN if name in entry)
        self.bar.update(self.task, description=f"epoch {entry['epoch']} {shown}")
        if self.folder is None:
            return
        text = "".join(json.dumps(line) + "\n" for line in self.lines)
        storage.replace(self.folder / JSONL, text.encode())
        storage.replace(self.folder / CSV, table(self.lines).encode())
        if self.board is not None:
            for name, value in entry.items():
                self.board.add_scalar(name, value, int(entry["epoch"]))


def table(lines: list[dict[str, float]]) -> str:
    """Return the lines as CSV, with a column for every name that occurs."""
    columns = list(dict.fromkeys(name for line in lines for name in line))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()
