"""One question asked of everything that can answer it, in turns."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.runner import alternate, once
from metricspace.hits import Balls, Hits

K, JOBS = 10, 2
ROUNDS = 5
PILOT, SLOW = 20, 30  # queries asked of everyone; times slower than the best peer
ENOUGH = 1.0  # seconds of a round
WITHIN = 1.25  # of the fastest structure's time

Ask = Callable[[Any], Any]  # a batch of queries


@dataclasses.dataclass
class Race:
    """A question, with those who answer it.

    Attributes
    ----------
    data, question : str
        What is searched, and for what.
    target : float or None
        How many times the best peer's speed is wanted.
    queries : batch of objects
        A batch of all of them is asked, or one after the other if `singly`.
    index : callable
        Asks the index of our choice.
    ours, peers : dict of str to callable
        Our other structures, and other libraries.
    truth : callable
        Asks the linear scan.
    chosen : str
        The structure that the index has chosen.
    notes : dict
        More columns for the row of the index.
    """

    data: str
    question: str
    target: float | None
    queries: Any
    index: Ask
    ours: Mapping[str, Ask]
    peers: Mapping[str, Ask]
    truth: Ask
    chosen: str = ""
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)
    singly: bool = False

    def run(self) -> tuple[list[dict[str, Any]], dict[str, bool]]:
        """Return a row for each contender, and what is to be held."""
        own = f"Index ({self.chosen})"
        everyone = {own: self.index, **self.ours, **self.peers}
        asks = {name: self._singly(ask) if self.singly else ask for name, ask in everyone.items()}
        few = self.queries[:PILOT]
        pilot = {}
        for name, ask in asks.items():
            ask(few)  # compiles; two or three would be answered otherwise
            # The least of three: a thread that starts late must not make a fast peer look slow.
            pilot[name] = min(once(lambda ask=ask: ask(few)) for _ in range(3)) / len(few)
        best = min(pilot[name] for name in self.peers)
        slow = {name for name, seconds in pilot.items() if seconds > SLOW * best}
        # What is fast is asked everything, what is slower as much as fits into the time.
        count = {
            name: min(len(self.queries), max(PILOT, int(ENOUGH / seconds))) for name, seconds in pilot.items()
        }
        taken = alternate(
            {
                name: lambda ask=ask, part=self.queries[: count[name]]: ask(part)
                for name, ask in asks.items()
                if name not in slow
            },
            ROUNDS,
        )
        seconds = {name: pilot[name] if name in slow else taken[name] / count[name] for name in asks}
        return self._told(own, seconds, slow)

    def _singly(self, ask: Ask) -> Ask:
        def one_after_the_other(queries: Any) -> None:
            for i in range(len(queries)):
                ask(queries[i : i + 1])

        return one_after_the_other

    def _told(
        self, own: str, seconds: dict[str, float], slow: set[str]
    ) -> tuple[list[dict[str, Any]], dict[str, bool]]:
        best = min(self.peers, key=seconds.__getitem__)
        right = self.truth(self.queries)
        answers = {name: ask(self.queries) for name, ask in {own: self.index, **self.ours}.items()}
        rows = []
        for name in sorted(seconds, key=seconds.__getitem__):
            answer = answers.get(name)
            rows.append(
                {
                    "data": self.data,
                    "query": self.question,
                    "contender": name + (" †" if name in slow else ""),
                    "queries a second": 1 / seconds[name],
                    "times the best peer": seconds[best] / seconds[name],
                    "distances a query": None if answer is None else float(answer.cost.mean()),
                    "surrogates a query": None if answer is None else float(answer.bounds.mean()),
                    "growth": self.notes.get("growth") if name == own else None,
                    "built in s": self.notes.get("built") if name == own else None,
                }
            )
        where = f"{self.data}, {self.question}"
        verdicts = {
            f"{where}: the scan's ids and distances": all(_same(each, right) for each in answers.values())
        }
        ratio = seconds[best] / seconds[own]
        if self.target is not None:
            verdicts[f"{where}: at least {self.target:.3g} times {best}; reached {ratio:.3g}"] = (
                ratio >= self.target
            )
        fastest = min((own, *self.ours), key=seconds.__getitem__)
        times = seconds[own] / seconds[fastest]
        verdicts[f"{where}: within {WITHIN} times {fastest}, the fastest structure; {times:.2f}"] = (
            times <= WITHIN
        )
        return rows, verdicts


def _same(answer: Hits | Balls, right: Hits | Balls) -> bool:
    shape = "indptr" if isinstance(right, Balls) else "cost"
    return (
        np.array_equal(answer.ids, right.ids)
        and np.array_equal(answer.distances, right.distances)
        and (shape == "cost" or np.array_equal(answer.indptr, right.indptr))  # type: ignore[union-attr]
    )


def growth(smaller: Ask, larger: Ask, queries: Any, times: int = 4) -> float:
    """Return by which power of the number of objects a query takes longer, `times` as many being searched."""
    taken = alternate({"smaller": lambda: smaller(queries), "larger": lambda: larger(queries)}, 3)
    return math.log(taken["larger"] / taken["smaller"]) / math.log(times)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what some work returns, and the seconds that it takes."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started
