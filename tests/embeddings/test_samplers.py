import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings import ClassBatches, InputError
from embeddings.samplers import HardNeighbourBatches

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
    ("labels", "params", "message"),
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
def test_refuses_what_allows_no_batch(labels, params, message):
    with pytest.raises(InputError, match=message):
        ClassBatches(labels, **params)


def clustered(sizes, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return labels, rng.normal(size=(len(labels), 4)).astype(np.float32)


@given(sizes=SIZES, pairs=st.integers(1, 6), neighbours=st.integers(1, 4), refreshed=st.booleans())
@settings(deadline=None, max_examples=40)
def test_hard_batches_have_both_kinds_of_pairs_and_no_item_twice(sizes, pairs, neighbours, refreshed):
    labels, vectors = clustered(sizes)
    batches = HardNeighbourBatches(labels, pairs=pairs, neighbours=neighbours, batches=4)
    if refreshed:
        batches.refresh(vectors)
    for positions in batches.epoch(0):
        assert len(np.unique(positions)) == len(positions)
        assert len(positions) <= 2 * batches.classes * (1 + neighbours)
        # Each has its negatives, be they added or members of other pairs.
        for label in labels[positions[: 2 * batches.classes]]:
            assert (labels[positions] != label).sum() >= min(neighbours, (labels != label).sum())
        seeds = labels[positions[: 2 * batches.classes]].reshape(-1, 2)
        assert (seeds[:, 0] == seeds[:, 1]).all()
        assert len(np.unique(seeds[:, 0])) == batches.classes == min(pairs, np.sum(np.array(sizes) > 1))
        assert len(np.unique(labels[positions])) > 1


@pytest.mark.parametrize("duplicates", [False, True])
def test_hard_negatives_are_the_nearest_of_other_classes(duplicates):
    labels, vectors = clustered([7, 1, 2, 30, 12, 1, 5])
    if duplicates:
        vectors = np.round(vectors)
    batches = HardNeighbourBatches(labels, pairs=3, neighbours=3, batches=6)
    batches.refresh(vectors)
    wide = vectors.astype(np.float64)
    for positions in batches.epoch(1):
        seeds, expected = positions[:6], []
        for i in seeds:
            others = np.flatnonzero(labels != labels[i])
            distances = np.sqrt(((wide[others] - wide[i]) ** 2).sum(axis=1))
            expected += others[np.argsort(distances, kind="stable")[:3]].tolist()
        assert positions.tolist() == list(dict.fromkeys([*seeds.tolist(), *expected]))


def test_hard_batches_are_determined_by_seed_epoch_and_embeddings():
    labels, vectors = clustered([6] * 8)

    def drawn(seed, epoch, embeddings):
        batches = HardNeighbourBatches(labels, pairs=3, batches=4, seed=seed)
        if embeddings is not None:
            batches.refresh(embeddings)
        return [positions.tolist() for positions in batches.epoch(epoch)]

    for embeddings in (None, vectors):
        assert drawn(1, 2, embeddings) == drawn(1, 2, embeddings)
        assert drawn(1, 2, embeddings) != drawn(1, 3, embeddings)
        assert drawn(1, 2, embeddings) != drawn(2, 2, embeddings)
    other = drawn(1, 2, vectors[::-1])
    assert other != drawn(1, 2, vectors)
    # What is drawn at random does not depend on what the index finds.
    assert [batch[:6] for batch in other] == [batch[:6] for batch in drawn(1, 2, vectors)]


def test_other_classes_may_be_smaller_than_what_is_asked_of_them():
    batches = HardNeighbourBatches([0, 0, 0, 1], pairs=5, neighbours=9, batches=3)
    assert (batches.classes, batches.items, len(batches)) == (1, 2, 3)
    for _ in range(2):
        assert all(positions[2:].tolist() == [3] for positions in batches.epoch(0))
        batches.refresh(np.zeros((4, 2)))


@pytest.mark.parametrize(
    ("labels", "params", "message"),
    [
        ([1, 1, 1], {}, "two classes"),
        ([1, 2, 3], {}, "all labels differ"),
        ([1, 1, 2], {"pairs": 0}, "pairs=0"),
        ([1, 1, 2], {"neighbours": 0}, "neighbours=0"),
        ([1, 1, 2], {"batches": 0}, "batches=0"),
    ],
)
def test_hard_batches_refuse_what_allows_no_batch(labels, params, message):
    with pytest.raises(InputError, match=message):
        HardNeighbourBatches(labels, **params)


@pytest.mark.parametrize("embeddings", [np.zeros((2, 4)), np.zeros(3), np.full((3, 4), np.nan)])
def test_hard_batches_refuse_embeddings_that_do_not_fit(embeddings):
    with pytest.raises(InputError):
        HardNeighbourBatches([1, 1, 2]).refresh(embeddings)
