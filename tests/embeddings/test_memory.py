import pytest
import torch

from embeddings import InputError
from embeddings.losses import ContrastiveLoss, CrossBatchMemory, LiftedStructureLoss


def test_remembers_the_last_items_in_order(batch):
    memory = CrossBatchMemory(LiftedStructureLoss(), size=10)
    batches = [batch(4, 3, seed=seed) for seed in range(4)]
    for x, labels in batches:
        memory(x.requires_grad_(), labels)
    assert torch.equal(memory.embeddings, torch.cat([x for x, _ in batches])[-10:])
    assert torch.equal(memory.labels, torch.cat([labels for _, labels in batches])[-10:])
    assert not memory.embeddings.requires_grad


def test_a_batch_larger_than_the_memory_leaves_its_end(batch):
    memory = CrossBatchMemory(LiftedStructureLoss(), size=3)
    x, labels = batch(7, 3)
    memory(x, labels)
    assert torch.equal(memory.embeddings, x[-3:])
    assert torch.equal(memory.labels, labels[-3:])


def test_no_item_is_its_own_positive(batch):
    # Enqueued before it is compared, each item would find itself and have a positive pair.
    x, _ = batch(5, 2)
    memory = CrossBatchMemory(ContrastiveLoss(), size=100)
    assert memory(x, torch.arange(5)) == 0
    assert memory.batches_without_pairs == 1
    memory(x, torch.arange(5))  # now it is in the memory, as it was
    assert memory.batches_without_pairs == 1


def test_embeddings_of_other_dimensions_than_the_memory_are_refused(batch):
    memory = CrossBatchMemory(LiftedStructureLoss())
    memory(*batch(5, 2, dim=4))
    with pytest.raises(InputError, match="5 dimensions"):
        memory(*batch(5, 2, dim=5))


def test_the_first_batches_are_not_remembered(batch):
    memory = CrossBatchMemory(LiftedStructureLoss(), size=10, warmup=2)
    plain = LiftedStructureLoss()
    for step in range(3):
        x, labels = batch(4, 2, seed=step)
        assert memory(x, labels) == plain(x, labels)
        assert len(memory.labels) == (4 if step == 2 else 0)
    assert memory(x + 1, labels) != plain(x + 1, labels)


def test_nothing_is_remembered_in_evaluation(batch):
    memory = CrossBatchMemory(LiftedStructureLoss()).eval()
    memory(*batch(4, 2))
    assert len(memory.labels) == memory.seen == 0


def test_the_memory_is_part_of_the_state(batch):
    one, other = (CrossBatchMemory(LiftedStructureLoss(), size=10, warmup=1) for _ in range(2))
    for step in range(4):
        one(*batch(4, 2, seed=step))
    other(*batch(6, 2, seed=9))
    other.load_state_dict(one.state_dict())
    x, labels = batch(4, 2, seed=5)
    for _ in range(3):
        assert one(x, labels) == other(x, labels)
    assert torch.equal(one.embeddings, other.embeddings)
    fresh = CrossBatchMemory(LiftedStructureLoss())
    other.load_state_dict(fresh.state_dict())
    assert len(other.labels) == other.seen == 0


def test_a_reference_takes_the_place_of_the_batch(batch):
    memory, plain = CrossBatchMemory(LiftedStructureLoss()), LiftedStructureLoss()
    (before, old), (x, labels), (others, names) = (batch(6, 3, seed=seed) for seed in range(3))
    memory(before, old)
    value = memory(x, labels, others, names)
    assert value == plain(x, labels, torch.cat([others, before]), torch.cat([names, old]))


@pytest.mark.parametrize("params", [{"size": 0}, {"warmup": -1}])
def test_settings_out_of_range_are_refused(params):
    with pytest.raises(InputError, match="size"):
        CrossBatchMemory(LiftedStructureLoss(), **params)


def test_only_losses_of_pairs_are_wrapped():
    for loss in (CrossBatchMemory(LiftedStructureLoss()), torch.nn.CrossEntropyLoss()):
        with pytest.raises(InputError, match="loss of pairs"):
            CrossBatchMemory(loss)
