"""Results in order, whatever their distances are."""

import numpy as np
import pytest

from metricspace.sorting import Order, in_order

SPREADS = {
    "even": lambda random, n: random.random(n),
    "ties": lambda random, n: random.integers(0, 3, n).astype(float),
    "equal": lambda random, n: np.zeros(n),
    "crowded": lambda random, n: np.exp(100 * random.normal(size=n)),
    "minute": lambda random, n: 5e-324 * random.integers(0, 100, n),
    "one far": lambda random, n: np.where(np.arange(n) == 7, 1e150, random.random(n)),
}


def expected(found, positions, distances):
    order = np.lexsort((positions, distances, np.repeat(np.arange(len(found)), found)))
    return positions[order], distances[order]


@pytest.mark.parametrize("most", [2, 20, 3000])
@pytest.mark.parametrize("spread", SPREADS)
def test_distances_are_sorted(spread, most):
    random = np.random.default_rng(most)
    found = random.integers(0, most, 9)
    positions = random.permutation(2 * found.sum())[: found.sum()]
    distances = SPREADS[spread](random, found.sum())
    right = expected(found, positions, distances)
    for ours, theirs in zip(in_order(None, found, positions, distances), right):
        assert (ours == theirs).all()


def test_nothing_is_sorted():
    nothing = np.zeros(0, np.int64)
    assert [len(part) for part in in_order(None, nothing, nothing, np.zeros(0))] == [0, 0]


def test_whole_distances_are_sorted():
    random = np.random.default_rng(17)
    found = random.integers(0, 50, 256)
    positions = random.integers(0, 10**6, found.sum())
    distances = random.integers(0, 300, found.sum()).astype(float)
    right = expected(found, positions, distances)
    ours = in_order(Order.of(256, 300, 10**6), found, positions, distances)
    assert (ours[0] == right[0]).all()
    assert (ours[1] == right[1]).all()
    assert Order.of(256, None, 5) is None
    assert Order.of(256, 2**40, 2**30) is None
