"""Results in order, whatever their distances are."""

import numpy as np
import pytest

from metricspace.sorting import Order, Results, distribute, in_order

SPREADS = {
    "even": lambda random, n: random.random(n),
    "ties": lambda random, n: random.integers(0, 3, n).astype(float),
    "equal": lambda random, n: np.zeros(n),
    "crowded": lambda random, n: np.exp(100 * random.normal(size=n)),
    "minute": lambda random, n: 5e-324 * random.integers(0, 100, n),
    "one far": lambda random, n: np.where(np.arange(n) == 7, 1e150, random.random(n)),
}


class Answers:
    """Results of queries that are answered in an order of their own, in two parts."""

    def __init__(self, random, found, positions, distances):
        self.found, self.starts = found, np.cumsum(found) - found
        self.places = random.permutation(len(found))
        queries = np.repeat(np.arange(len(found)), found)
        self.right = Results(positions, distances), np.lexsort((positions, distances, queries))
        self.given = []
        for places in np.array_split(self.places, 2):
            taken = np.concatenate([np.flatnonzero(queries == query) for query in places] or [[]]).astype(int)
            self.given.append((places, Results(positions[taken], distances[taken])))

    def collected(self, collect):
        to = Results(*(np.empty_like(each) for each in self.right[0]))
        for places, given in self.given:
            collect(places, self.found, self.starts, given, to)
        return to

    def check_order(self, whole=None):
        ours = self.collected(lambda *parts: in_order(whole, *parts))
        for found, given in zip(ours, self.right[0]):
            assert (found == given[self.right[1]]).all()


@pytest.mark.parametrize("most", [2, 20, 3000])
@pytest.mark.parametrize("spread", SPREADS)
def test_distances_are_sorted(spread, most):
    random = np.random.default_rng(most)
    found = random.integers(0, most, 9)
    positions = random.permutation(2 * found.sum())[: found.sum()]
    Answers(random, found, positions, SPREADS[spread](random, found.sum())).check_order()


def test_nothing_is_sorted():
    nothing = np.zeros(0, np.int64)
    Answers(np.random.default_rng(0), nothing, nothing, np.zeros(0)).check_order()
    Answers(np.random.default_rng(0), np.zeros(3, np.int64), nothing, np.zeros(0)).check_order()


def test_whole_distances_are_sorted():
    random = np.random.default_rng(17)
    found = random.integers(0, 50, 256)
    positions = random.integers(0, 10**6, found.sum())
    distances = random.integers(0, 300, found.sum()).astype(float)
    Answers(random, found, positions, distances).check_order(Order.of(256, 300, 10**6))
    assert Order.of(256, None, 5) is None
    assert Order.of(256, 2**40, 2**30) is None


def test_unsorted_results_come_to_their_query():
    random = np.random.default_rng(3)
    found = random.integers(0, 9, 30)
    answers = Answers(random, found, random.integers(0, 99, found.sum()), random.random(found.sum()))
    for ours, given in zip(answers.collected(distribute), answers.right[0]):
        assert (ours == given).all()
