import math
import warnings

import pytest
import torch

from embeddings.losses import LOSSES, LiftedStructureLoss

from . import definitions


def gradient(embeddings, labels, margin=1.0):
    embeddings = embeddings.clone().requires_grad_()
    LiftedStructureLoss(margin)(embeddings, labels).backward()
    return embeddings.grad


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("size", "classes", "margin"), [(9, 3, 1.0), (16, 8, 0.2), (24, 2, 3.0)])
def test_gradient_is_that_of_the_paper(batch, seed, size, classes, margin):
    embeddings, labels = batch(size, classes, seed=seed)
    expected = definitions.lifted_gradient(embeddings.tolist(), labels.tolist(), margin)
    torch.testing.assert_close(
        gradient(embeddings, labels, margin), torch.tensor(expected, dtype=torch.float64)
    )


def test_duplicates_stay_in_the_loss_with_zero_sub_gradient(batch):
    embeddings, labels = batch(12, 3)
    embeddings[5] = embeddings[0]
    labels[5] = labels[0]
    embeddings[7] = embeddings[1]
    labels[7], labels[1] = 0, 1
    compared = definitions.Compared(
        embeddings.tolist(), labels.tolist(), embeddings.tolist(), labels.tolist(), own=True
    )
    loss = LiftedStructureLoss()(embeddings, labels).item()
    assert loss == pytest.approx(definitions.lifted(compared, 1.0))
    expected = definitions.lifted_gradient(embeddings.tolist(), labels.tolist(), 1.0)
    torch.testing.assert_close(gradient(embeddings, labels), torch.tensor(expected, dtype=torch.float64))


def test_the_smooth_form_bounds_the_exact_one(batch):
    for seed in range(5):
        embeddings, labels = batch(20, 5, seed=seed)
        assert LOSSES["exact-lifted"]()(embeddings, labels) <= LiftedStructureLoss()(embeddings, labels)


def test_collapse_has_the_known_loss():
    value = LiftedStructureLoss(margin=0.5).collapsed(classes=8, items=4)
    assert value == pytest.approx(0.5 * (0.5 + math.log(2 * 28)) ** 2)


def test_no_false_alarm_of_collapse():
    embeddings = torch.zeros(4, 2)
    embeddings[3, 0] = 1e-3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LiftedStructureLoss()(embeddings, torch.tensor([0, 0, 1, 1]))


def test_floor_on_the_unit_sphere_depends_on_the_batch():
    loss = LiftedStructureLoss()
    assert loss.sphere_floor(classes=32, items=4) == pytest.approx(12.9, abs=0.05)
    assert loss.sphere_floor(classes=8, items=4) < 12
