import math
import warnings

import pytest
import torch

from embeddings import CollapseWarning, DivergenceError, InputError, LiftedStructureLoss
from embeddings.losses import build
from embeddings.losses.base import distances_between

from . import definitions


def loss_and_gradient(embeddings, labels, margin=1.0):
    embeddings = embeddings.clone().requires_grad_()
    loss = LiftedStructureLoss(margin)(embeddings, labels)
    loss.backward()
    return loss.item(), embeddings.grad


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("size", "classes", "margin"), [(2, 2, 1.0), (9, 3, 1.0), (16, 8, 0.2), (24, 2, 3.0)]
)
def test_agrees_with_plain_loops(batch, seed, size, classes, margin):
    embeddings, labels = batch(size, classes, seed=seed)
    loss, gradient = loss_and_gradient(embeddings, labels, margin)
    assert loss == pytest.approx(
        definitions.lifted_loss(embeddings.tolist(), labels.tolist(), margin), rel=1e-12
    )
    if loss > 0:
        expected = torch.tensor(
            definitions.lifted_gradient(embeddings.tolist(), labels.tolist(), margin), dtype=torch.float64
        )
        torch.testing.assert_close(gradient, expected)


def test_float32_agrees_with_float64(batch):
    embeddings, labels = batch(64, 8)
    wide, _ = loss_and_gradient(embeddings, labels)
    narrow, _ = loss_and_gradient(embeddings.float(), labels)
    assert narrow == pytest.approx(wide, rel=1e-5)


def test_gradient_is_numerical_gradient(batch):
    embeddings, labels = batch(10, 3)
    assert torch.autograd.gradcheck(lambda e: LiftedStructureLoss()(e, labels), embeddings.requires_grad_())


def test_duplicates_stay_in_the_loss_with_finite_gradient(batch):
    embeddings, labels = batch(12, 3)
    embeddings[5] = embeddings[0]
    labels[5] = labels[0]
    embeddings[7] = embeddings[1]
    labels[7], labels[1] = 0, 1
    loss, gradient = loss_and_gradient(embeddings, labels)
    assert loss == pytest.approx(definitions.lifted_loss(embeddings.tolist(), labels.tolist(), 1.0))
    expected = definitions.lifted_gradient(embeddings.tolist(), labels.tolist(), 1.0)
    torch.testing.assert_close(gradient, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("labels", [[3], [0, 1, 2, 3], [], [5, 5, 5]])
def test_batches_that_teach_nothing_give_a_connected_zero(labels):
    loss = LiftedStructureLoss()
    embeddings = torch.randn(len(labels), 4, requires_grad=True)
    value = loss(embeddings, torch.tensor(labels, dtype=torch.int64))
    value.backward()
    assert value.item() == 0
    assert torch.equal(embeddings.grad, torch.zeros_like(embeddings))
    assert loss.batches_without_pairs == (0 if labels == [5, 5, 5] else 1)


def test_far_clusters_give_zero():
    embeddings = torch.zeros(8, 2)
    embeddings[4:] = 100.0
    loss, gradient = loss_and_gradient(embeddings, torch.tensor([0] * 4 + [1] * 4))
    assert loss == 0
    assert torch.equal(gradient, torch.zeros_like(embeddings))


def test_distances_keep_near_duplicates_far_from_the_origin():
    embeddings = torch.full((2, 64), 10.0)
    embeddings[1, 0] += 2**-10
    distances = distances_between(embeddings, embeddings)
    assert distances.tolist() == [[0.0, 2**-10], [2**-10, 0.0]]


def test_invariant_under_permutation(batch):
    embeddings, labels = batch(20, 4)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    loss, gradient = loss_and_gradient(embeddings, labels)
    shuffled, shuffled_gradient = loss_and_gradient(embeddings[order], labels[order])
    assert shuffled == pytest.approx(loss)
    torch.testing.assert_close(shuffled_gradient, gradient[order])


def test_invariant_under_rigid_motion(batch):
    embeddings, labels = batch(20, 4)
    rotation, _ = torch.linalg.qr(batch(5, 2, seed=1)[0])
    loss, gradient = loss_and_gradient(embeddings, labels)
    moved, moved_gradient = loss_and_gradient(embeddings @ rotation + 7.0, labels)
    assert moved == pytest.approx(loss)
    torch.testing.assert_close(moved_gradient, gradient @ rotation)


def test_gradient_moves_no_centre_of_mass(batch):
    _, gradient = loss_and_gradient(*batch(20, 4))
    assert gradient.abs().max() > 0.01
    torch.testing.assert_close(gradient.sum(dim=0), torch.zeros(5, dtype=torch.float64))


def test_collapse_is_warned_of_and_has_the_known_loss():
    loss = LiftedStructureLoss(margin=0.5)
    labels = torch.arange(8).repeat_interleave(4)
    with pytest.warns(CollapseWarning, match="coincide"):
        value = loss(torch.ones(32, 3), labels)
    assert value.item() == pytest.approx(0.5 * (0.5 + math.log(2 * 28)) ** 2)
    assert loss.collapsed(classes=8, items=4) == pytest.approx(value.item())


def test_no_false_alarm_of_collapse():
    embeddings = torch.zeros(4, 2)
    embeddings[3, 0] = 1e-3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LiftedStructureLoss()(embeddings, torch.tensor([0, 0, 1, 1]))


def test_floor_on_the_unit_sphere_is_reached_at_the_corners_of_a_simplex():
    loss = LiftedStructureLoss()
    corners = torch.eye(32, dtype=torch.float64) - 1 / 32
    embeddings = torch.nn.functional.normalize(corners, dim=1).repeat_interleave(4, dim=0)
    value = loss(embeddings, torch.arange(32).repeat_interleave(4)).item()
    assert value == pytest.approx(loss.sphere_floor(classes=32, items=4))
    assert value == pytest.approx(12.9, abs=0.05)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_computes_in_float32_within_autocast(batch, dtype):
    embeddings, labels = batch(16, 4)
    embeddings = (20 * embeddings).to(dtype)
    expected, _ = loss_and_gradient(embeddings.double(), labels, margin=20.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = LiftedStructureLoss(20.0)(embeddings, labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_embeddings_that_are_not_finite_are_refused(value):
    embeddings = torch.zeros(4, 3)
    embeddings[2, 1] = value
    with pytest.raises(DivergenceError, match="not finite"):
        LiftedStructureLoss()(embeddings, torch.tensor([0, 0, 1, 1]))


@pytest.mark.parametrize(
    ("embeddings", "labels", "message"),
    [
        (torch.zeros(4), torch.zeros(4, dtype=torch.int64), "embeddings must be"),
        (torch.zeros(4, 2, dtype=torch.int64), torch.zeros(4, dtype=torch.int64), "embeddings must be"),
        (torch.zeros(4, 2), torch.zeros(3, dtype=torch.int64), "labels must be 4 integers"),
        (torch.zeros(4, 2), torch.zeros(4, 1, dtype=torch.int64), "labels must be 4 integers"),
        (torch.zeros(4, 2), torch.zeros(4), "labels must be 4 integers"),
    ],
)
def test_batches_of_wrong_shape_or_type_are_refused(embeddings, labels, message):
    with pytest.raises(InputError, match=message):
        LiftedStructureLoss()(embeddings, labels)


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf])
def test_margins_out_of_range_are_refused(margin):
    with pytest.raises(InputError, match="margin"):
        LiftedStructureLoss(margin)


def test_is_rebuilt_from_its_configuration():
    assert build(LiftedStructureLoss(0.3).config).margin == 0.3
    with pytest.raises(InputError, match="pass your own"):
        build(None)
