"""Forward and backward of the losses beside pytorch-metric-learning, each in a process of its own."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.runner import in_new_process

SIZES, DIM, ITEMS = (128, 512, 4096), 128, 4
LOSSES = ("lifted", "exact-lifted", "generalized-lifted", "contrastive", "batch-hard", "semi-hard")
SHARED = ("lifted", "generalized-lifted", "batch-hard")  # the peer has them with the same value
ROUNDS, SECONDS = 25, 5.0
MEMORY = 14 << 30  # a contender that wants more has none
FASTER, PEAK = 50, 2000  # times, at 128 and 512; megabytes, at 4,096
ABOUT = (
    f"Forward and backward of one batch of B × {DIM} float32, {ITEMS} items a class: CPU time of one thread, "
    f"median of up to {ROUNDS} rounds; peaks are those of the whole process, with torch and all. "
    "Beside each loss that of pytorch-metric-learning, where it has one of the same value."
)


def rows() -> list[dict[str, Any]]:
    """Measure every loss at every size."""
    found = []
    for size in SIZES:
        for name in LOSSES:
            own = measured("own", name, size)
            peer = measured("peer", name, size) if name in SHARED else {}
            ratio = peer["seconds"] / own["seconds"] if peer else None
            same = abs(own["value"] - peer["value"]) <= 1e-5 * abs(own["value"]) if peer else None
            found.append(
                {
                    "loss": name,
                    "B": size,
                    "ms": 1000 * own["seconds"],
                    "peer's ms": 1000 * peer["seconds"] if peer else None,
                    "times as fast": ratio,
                    "peak MB": own["peak"],
                    "peer's peak MB": peer.get("peak"),
                    "same value": {None: None, True: "yes", False: "no"}[same],
                }
            )
            print(found[-1], file=sys.stderr, flush=True)
    return found


def verdicts(found: list[dict[str, Any]]) -> dict[str, bool]:
    """Compare what was measured with the targets."""
    met = {}
    for row in found:
        if row["loss"] == "lifted" and row["B"] < max(SIZES):
            ratio = row["times as fast"]
            shown = "the peer ran out of memory" if ratio is None else f"reached {ratio:,.0f}"
            met[f"lifted, B = {row['B']}: at least {FASTER} times as fast; {shown}"] = (
                not ratio or ratio >= FASTER
            )
    peak = max(row["peak MB"] for row in found if row["B"] == max(SIZES))
    met[f"B = {max(SIZES):,}: every loss in less than {PEAK:,} MB; the greatest peak is {peak:,.0f}"] = (
        peak < PEAK
    )
    met["the same values as the peer"] = all(row["same value"] != "no" for row in found)
    return met


def measured(whose: str, name: str, size: int) -> dict[str, float]:
    """Measure one loss in a new process; nothing if it needs more memory than there is."""
    code = "import sys; from benchmarks.trainer import losses; losses.measure(*sys.argv[1:])"
    return json.loads(in_new_process(code, whose, name, str(size))[0])


def measure(whose: str, name: str, size: str) -> None:
    """Print seconds, peak memory and value of one loss as JSON."""
    import torch

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    loss = {"own": own_loss, "peer": peer_loss}[whose](name)
    labels = torch.arange(int(size)) // ITEMS
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(int(size), DIM, generator=generator) / DIM**0.5
    embeddings.requires_grad_()
    taken: list[float] = []
    try:
        while len(taken) <= ROUNDS and sum(taken) < SECONDS:
            started = time.process_time()
            value = loss(embeddings, labels)
            value.backward()
            taken.append(time.process_time() - started)
    except (MemoryError, RuntimeError) as error:
        if "memory" not in str(error):
            raise
        print(json.dumps({}))
        return
    seconds = statistics.median(taken[1:] or taken)  # the first round does not count if there are more
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps({"seconds": seconds, "peak": peak, "value": float(value.detach())}))


def own_loss(name: str) -> Callable[..., Any]:
    """Make a loss of this project."""
    from embeddings import losses

    if name in losses.LOSSES:
        return losses.build({"name": name})
    return losses.TripletLoss(mining=name)


def peer_loss(name: str) -> Callable[..., Any]:
    """Make the same loss of pytorch-metric-learning."""
    from pytorch_metric_learning import distances, losses, miners, reducers

    euclidean = distances.LpDistance(normalize_embeddings=False)
    if name == "lifted":
        return losses.LiftedStructureLoss(distance=euclidean)
    if name == "generalized-lifted":
        return losses.GeneralizedLiftedStructureLoss(distance=euclidean)
    mine = miners.BatchHardMiner(distance=euclidean)
    loss = losses.TripletMarginLoss(margin=0.2, distance=euclidean, reducer=reducers.MeanReducer())
    return lambda embeddings, labels: loss(embeddings, labels, mine(embeddings, labels))
