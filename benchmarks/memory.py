"""What structures hold, and what building them takes."""

from __future__ import annotations

import tracemalloc

import numpy as np

import metricspace as ms
from benchmarks import workloads
from benchmarks.report import Result

OBJECTS, DIMENSIONS = 50_000, 64
MATRIX = "aesa"  # holds n² distances, so it gets fewer objects
FEWER = 4000
WORKING = 64  # bytes an object that building may take beside objects and structure


def run(objects: int = OBJECTS, fewer: int = FEWER) -> Result:
    """Build each structure over float32 vectors, and watch the memory."""
    rows, verdicts = [], {}
    suited = {key: cls for key, cls in ms.indexes().items() if cls.suits(ms.metric("euclidean"))}
    for key, structure in suited.items():
        count = fewer if key == MATRIX else objects
        vectors = workloads.clustered(count, DIMENSIONS)
        structure("euclidean").fit(vectors[:100])  # loads kernels
        tracemalloc.start()
        index = structure("euclidean").fit(vectors)
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        beyond = (peak - index.nbytes) / count
        rows.append(
            {
                "structure": structure.__name__,
                "objects": count,
                "bytes of an object": vectors.nbytes // count,
                "held for one": index.nbytes / count,
                "traced for one": held / count,
                "at the peak of fit": peak / count,
            }
        )
        kept = index.objects([0]).dtype == np.float32
        verdicts[f"{structure.__name__}: float32 stays float32"] = kept
        target = (
            f"{structure.__name__}: no second copy of the objects; fit takes {beyond:.0f} bytes more for each"
        )
        verdicts[target] = beyond < vectors.nbytes / count + WORKING
    return Result(
        f"Vectors of {DIMENSIONS} float32; the user's own array is not counted. Held: the one copy of the "
        "objects, and the structure.",
        rows,
        verdicts,
    )
