"""The least of what is offered equals the beginning of everything sorted."""

import numpy as np
import pytest

from metricspace import least
from metricspace.kernels import kernel


@kernel
def kept(keys, items, room, out_keys, out_items):
    count = 0
    for key, item in zip(keys, items):
        top = least.greatest(room)
        if count < room:
            least.add(out_keys, out_items, count, key, item)
            count += 1
        elif least.before(key, item, out_keys[top], out_items[top]):
            least.replace(out_keys, out_items, key, item)
    least.arrange(out_keys, out_items, count)
    return count


@pytest.mark.parametrize("room", [1, 2, least.IN_ORDER, least.IN_ORDER + 1, 300])
@pytest.mark.parametrize("different", [1, 5, 10_000])  # keys: with few, items decide
@pytest.mark.parametrize("offered", [0, 1, 20, 1000])
def test_the_least_pairs_are_kept_in_order(room, different, offered):
    random = np.random.default_rng(room + different + offered)
    keys = random.integers(0, different, offered).astype(float)
    items = random.permutation(offered)
    out_keys, out_items = np.full(room, np.nan), np.full(room, -1)
    count = kept(keys, items, room, out_keys, out_items)
    expected = sorted(zip(keys.tolist(), items.tolist()))[:room]
    assert count == len(expected)
    assert list(zip(out_keys[:count].tolist(), out_items[:count].tolist())) == expected
