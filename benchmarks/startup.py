"""How long a user waits: for the import, and for the first answer of a second process."""

from __future__ import annotations

import pathlib
import statistics
import tempfile

from benchmarks.report import Result
from benchmarks.runner import in_new_process

ROUNDS = 5
IMPORT, FIRST_ANSWER = 0.6, 1.0  # seconds

IMPORTING = """
import time
started = time.perf_counter()
import metricspace
print(time.perf_counter() - started)
"""

COUNTING = """
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    import metricspace
print(len(recorder.buffer))
"""

BUILDING = """
import sys, numpy as np, metricspace as ms
vectors = np.random.default_rng(0).normal(size=(10_000, 32)).astype(np.float32)
index = ms.indexes()[sys.argv[1]]("euclidean", seed=0).fit(vectors)
index.knn(vectors[:1], 10)
index.save(sys.argv[2])
"""

ASKING = """
import sys, time
import metricspace as ms
started = time.perf_counter()
index = ms.load(sys.argv[1])
loaded = time.perf_counter()
index.knn(index.objects([0]), 10)
print(loaded - started, time.perf_counter() - loaded)
"""


def run(structures: tuple[str, ...] = ("vptree", "laesa", "mtree")) -> Result:
    """Start Python anew for each measurement."""
    importing = statistics.median(float(in_new_process(IMPORTING)[0]) for _ in range(ROUNDS))
    compiled = int(in_new_process(COUNTING)[0])
    rows = [{"what": "import metricspace", "seconds": importing}]
    verdicts = {
        f"import within {IMPORT} s: {importing:.2f}": importing < IMPORT,
        f"import compiles nothing: {compiled} compilations": compiled == 0,
    }
    with tempfile.TemporaryDirectory() as folder:
        for structure in structures:
            file = str(pathlib.Path(folder, structure))
            in_new_process(BUILDING, structure, file)
            asked = [in_new_process(ASKING, file) for _ in range(ROUNDS)]
            loading, query = (
                statistics.median(float(printed.split()[part]) for printed, _ in asked) for part in (0, 1)
            )
            whole = statistics.median(seconds for _, seconds in asked)
            rows += [
                {"what": f"{structure}: load", "seconds": loading},
                {"what": f"{structure}: first query", "seconds": query},
                {"what": f"{structure}: whole process", "seconds": whole},
            ]
            verdicts[f"{structure}: first query within {FIRST_ANSWER:g} s: {query:.2f}"] = (
                query < FIRST_ANSWER
            )
    return Result(
        f"Each in a new process, median of {ROUNDS}; kernels compiled by an earlier process.", rows, verdicts
    )
