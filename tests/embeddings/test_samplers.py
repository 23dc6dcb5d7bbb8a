import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings import ClassBatches, InputError

SIZES = st.lists(st.integers(1, 9), min_size=2, max_size=12).filter(lambda sizes: max(sizes) > 1)


@given(sizes=SIZES, classes=st.integers(2, 6), items=st.integers(2, 5), seed=st.integers(0, 99))
def test_every_batch_has_both_kinds_of_pairs_and_no_item_twice(sizes, classes, items, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)) * 7 - 3, sizes))
    for positions in ClassBatches(labels, classes=classes, items=items, batches=5, seed=seed).epoch(0):
        assert len(np.unique(positions)) == len(positions)
        names, counts = np.unique(labels[positions], return_counts=True)
        assert len(names) == min(classes, len(sizes))
        assert counts.max() >= 2
        assert all(count == min(items, (labels == name).sum()) for name, count in zip(names, counts))


def test_deals_every_class_before_any_twice():
    labels = np.repeat(np.arange(12), 5)
    batches = ClassBatches(labels, classes=4, items=2, batches=3)
    dealt = np.concatenate([np.unique(labels[positions]) for positions in batches.epoch(0)])
    assert sorted(dealt) == list(range(12))


def test_is_determined_by_seed_and_epoch():
    labels = np.repeat(np.arange(10), 6)

    def drawn(seed, epoch):
        return np.concatenate(
            list(ClassBatches(labels, classes=3, batches=4, seed=seed).epoch(epoch))
        ).tolist()

    assert drawn(1, 2) == drawn(1, 2)
    assert drawn(1, 2) != drawn(1, 3)
    assert drawn(1, 2) != drawn(2, 2)
    assert len(ClassBatches(labels, batches=4)) == 4


@pytest.mark.parametrize(
    ("labels", "settings", "message"),
    [
        ([1, 1, 1], {}, "two classes"),
        ([], {}, "integer"),
        ([1, 2, 3], {}, "all labels differ"),
        ([0.5, 1.5], {}, "integer"),
        ([[1, 2], [1, 2]], {}, "integer"),
        ([1, 1, 2, 2], {"classes": 1}, "classes=1"),
        ([1, 1, 2, 2], {"items": 1}, "items=1"),
        ([1, 1, 2, 2], {"batches": 0}, "batches=0"),
        ([1, 1, 2, 2], {"seed": -1}, "seed=-1"),
    ],
)
def test_refuses_what_allows_no_batch(labels, settings, message):
    with pytest.raises(InputError, match=message):
        ClassBatches(labels, **settings)
