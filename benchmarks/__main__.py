"""Run benchmarks by name, or all of them."""

from __future__ import annotations

import argparse
import importlib

from benchmarks import report

NAMES = (
    "startup",
    "memory",
    "usermetric",
    "vptree",
    "structures",
    "distances",
    "joins",
    "complex",
    "exact",
    "roofline",
    "scale",
    "trainer",
)


def main() -> None:
    """Run the benchmarks that are named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(NAMES)}; by default all")
    names = parser.parse_args().names or NAMES
    if unknown := set(names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in names:
        print(f"## {name}", flush=True)
        result = importlib.import_module(f"benchmarks.{name}").run()
        print(report.markdown(result), flush=True)
        print(f"written to {report.write(name, result)}\n", flush=True)


if __name__ == "__main__":
    main()
