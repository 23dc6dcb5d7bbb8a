"""What every loss must do, with and without a memory."""

import math

import pytest
import torch

from embeddings import CollapseWarning, DivergenceError, InputError
from embeddings.losses import (
    LOSSES,
    ContrastiveLoss,
    CrossBatchMemory,
    ExactLiftedLoss,
    GeneralizedLiftedLoss,
    LiftedStructureLoss,
    TripletLoss,
    build,
)
from embeddings.losses.base import Distances, distances_between

from . import definitions

ORACLES = {
    "lifted": (LiftedStructureLoss, definitions.lifted),
    "exact-lifted": (ExactLiftedLoss, definitions.exact_lifted),
    "generalized-lifted": (GeneralizedLiftedLoss, definitions.generalized_lifted),
    "contrastive": (ContrastiveLoss, definitions.contrastive),
    "batch-hard": (TripletLoss, definitions.batch_hard),
    "semi-hard": (lambda margin=0.2: TripletLoss(margin, "semi-hard"), definitions.semi_hard),
}
FAMILIES = {name: make for name, (make, _) in ORACLES.items()} | {
    f"{name} with memory": lambda *margin, make=make: CrossBatchMemory(make(*margin), size=16)
    for name, (make, _) in ORACLES.items()
}


@pytest.fixture(params=ORACLES)
def family(request):
    """Make a loss of pairs, and the plain loops that define it."""
    return ORACLES[request.param]


@pytest.fixture(params=FAMILIES)
def make(request):
    """Make any loss, with a memory or without."""
    return FAMILIES[request.param]


def value_and_gradient(loss, embeddings, labels, *reference):
    embeddings = embeddings.detach().clone().requires_grad_()
    value = loss(embeddings, labels, *reference)
    value.backward()
    return value.item(), embeddings.grad


def expected(oracle, margin, embeddings, labels, others, names, own):
    compared = definitions.Compared(
        embeddings.tolist(), labels.tolist(), others.tolist(), names.tolist(), own
    )
    return pytest.approx(oracle(compared, margin), rel=1e-11)


SHAPES = [(1, 1, 1.0), (2, 1, 1.0), (2, 2, 1.0), (9, 3, 1.0), (16, 8, 0.2), (20, 2, 3.0), (12, 40, 0.5)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("size", "classes", "margin"), SHAPES)
def test_agrees_with_plain_loops(family, batch, size, classes, margin, seed):
    make, oracle = family
    x, labels = batch(size, classes, seed=seed)
    value, _ = value_and_gradient(make(margin), x, labels)
    assert value == expected(oracle, margin, x, labels, x, labels, True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("size", "classes", "margin"), SHAPES)
def test_agrees_with_plain_loops_on_a_reference_set(family, batch, size, classes, margin, seed):
    make, oracle = family
    x, labels = batch(size, classes, seed=seed)
    others, names = batch(11, classes, seed=seed + 50)
    others[0], names[0] = x[0], labels[0]  # a copy is a positive like any other
    value, gradient = value_and_gradient(make(margin), x, labels, others, names)
    assert value == expected(oracle, margin, x, labels, others, names, False)
    assert torch.isfinite(gradient).all()
    assert not others.requires_grad


@pytest.mark.parametrize("seed", range(3))
def test_memory_agrees_with_plain_loops(family, batch, seed):
    make, oracle = family
    memory = CrossBatchMemory(make(0.7), size=13)
    before = []
    for step in range(5):
        x, labels = batch(6, 4, seed=10 * seed + step)
        others = torch.cat([x, *(old for old, _ in before)])
        names = torch.cat([labels, *(old for _, old in before)])
        kept = torch.arange(len(names)) < 6  # the batch itself, and the last 13 before it
        kept[max(6, len(names) - 13) :] = True
        value, _ = value_and_gradient(memory, x, labels)
        assert value == expected(oracle, 0.7, x, labels, others[kept], names[kept], True)
        before.append((x, labels))


def test_gradient_is_numerical_gradient(make, batch):
    loss = make()
    loss(*batch(7, 3, seed=2))
    loss.eval()
    x, labels = batch(9, 3, seed=3)
    assert torch.autograd.gradcheck(lambda e: loss(e, labels), x.requires_grad_())


def test_gradient_reaches_a_reference_that_wants_it(family, batch):
    (x, labels), (others, names) = batch(6, 3), batch(8, 3, seed=1)
    loss = family[0]()
    inputs = (x.requires_grad_(), others.requires_grad_())
    assert torch.autograd.gradcheck(lambda e, r: loss(e, labels, r, names), inputs)


def test_gradient_of_distances_in_several_blocks(monkeypatch, batch):
    monkeypatch.setattr("embeddings.losses.base.ROWS_AT_ONCE", 4)
    (x, _), (y, _) = batch(10, 2), batch(7, 2, seed=1)
    assert torch.autograd.gradcheck(Distances.apply, (x.requires_grad_(), y.requires_grad_()))


def test_distances_keep_near_duplicates_far_from_the_origin():
    x = torch.full((2, 64), 10.0)
    x[1, 0] += 2**-10
    assert distances_between(x, x).tolist() == [[0.0, 2**-10], [2**-10, 0.0]]


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize("spread", [1e-6, 1e-3, 1.0])
def test_distances_have_the_precision_of_float32(monkeypatch, batch, offset, spread):
    monkeypatch.setattr("embeddings.losses.base.ROWS_AT_ONCE", 16)
    monkeypatch.setattr("embeddings.losses.base.PAIRS_AT_ONCE", 7)
    centres, labels = batch(50, 5, dim=24)
    x = (offset + centres[labels] + spread * centres).float()
    x[::7] = x[1]  # duplicates
    y = x[5:30]
    exact = (x.double()[:, None] - y.double()).norm(dim=2)
    torch.testing.assert_close(distances_between(x, y).double(), exact, rtol=3e-7, atol=0)


def test_gradient_of_near_duplicates_far_from_the_origin():
    x = torch.full((2, 64), 10.0, requires_grad=True)
    y = x.detach().clone()
    y[:, 0] += 2**-10
    Distances.apply(x, y).diagonal().sum().backward()
    exact = torch.zeros(2, 64)
    exact[:, 0] = -1
    torch.testing.assert_close(x.grad, exact)


def test_float32_agrees_with_float64(make, batch):
    x, labels = batch(64, 8)
    wide, gradient = value_and_gradient(make(), x, labels)
    narrow, narrow_gradient = value_and_gradient(make(), x.float(), labels)
    assert narrow == pytest.approx(wide, rel=1e-5)
    torch.testing.assert_close(narrow_gradient.double(), gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_computes_in_float32_within_autocast(make, batch, dtype):
    x, labels = batch(16, 4)
    x = (20 * x).to(dtype)
    wide, _ = value_and_gradient(make(20.0), x.double(), labels)
    loss = make(20.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = [loss(x, labels) for _ in range(2)]
    assert values[0].dtype == values[1].dtype == torch.float32
    assert values[0].item() == pytest.approx(wide, rel=1e-5)


@pytest.mark.parametrize("labels", [[3], [0, 1, 2, 3], []])
def test_batches_without_pairs_give_a_connected_zero_and_are_counted(make, labels):
    loss = make()
    value, gradient = value_and_gradient(loss, torch.randn(len(labels), 4), torch.tensor(labels).long())
    assert value == 0
    assert not gradient.any()
    assert loss.batches_without_pairs == 1


def test_a_batch_without_pairs_may_be_large(make):
    value, gradient = value_and_gradient(make(), torch.eye(4) * 1e18, torch.arange(4))
    assert value == 0
    assert not gradient.any()


def test_a_batch_of_one_class_is_taught_by_contrast_alone(make, batch):
    x, _ = batch(6, 1)
    loss = make()
    value, gradient = value_and_gradient(loss, x, torch.full((6,), 5))
    assert loss.batches_without_pairs == 0
    inner = getattr(loss, "loss", loss)
    assert (value > 0) == gradient.any() == isinstance(inner, ContrastiveLoss)
    assert torch.isfinite(gradient).all()


def test_duplicates_have_a_finite_gradient(make, batch):
    x, labels = batch(12, 3)
    for copy, original, label in ((5, 0, labels[0]), (7, 1, labels[1]), (8, 2, labels[2] + 1)):
        x[copy], labels[copy] = x[original], label
    loss = make()
    for _ in range(2):  # with a memory the second batch meets copies of all its items
        value, gradient = value_and_gradient(loss, x, labels)
        assert math.isfinite(value)
        assert torch.isfinite(gradient).all()
    value, _ = value_and_gradient(make(), x, labels)
    assert value == pytest.approx(value_and_gradient(make(), x.float(), labels)[0], rel=1e-5)


def test_far_clusters_give_zero(make):
    x = torch.zeros(8, 2)
    x[4:] = 100.0
    loss = make()
    for _ in range(2):
        value, gradient = value_and_gradient(loss, x, torch.tensor([0] * 4 + [1] * 4))
        assert value == 0
        assert not gradient.any()


def test_mixed_clusters_far_apart_are_finite(make):
    x = torch.zeros(8, 2)
    x[4:] = 100.0
    value, gradient = value_and_gradient(make(), x, torch.tensor([0, 1] * 4))
    assert 0 < value < math.inf
    assert torch.isfinite(gradient).all()


def test_invariant_under_permutation(make, batch):
    x, labels = batch(20, 4)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    value, gradient = value_and_gradient(make(), x, labels)
    shuffled, shuffled_gradient = value_and_gradient(make(), x[order], labels[order])
    assert shuffled == pytest.approx(value)
    torch.testing.assert_close(shuffled_gradient, gradient[order])


def test_invariant_under_rigid_motion(make, batch):
    (x, labels), (before, names) = batch(20, 4), batch(9, 4, seed=2)
    rotation, _ = torch.linalg.qr(batch(5, 2, seed=1)[0])
    still, moving = make(), make()
    still(before, names)
    moving(before @ rotation + 7.0, names)
    value, gradient = value_and_gradient(still, x, labels)
    moved, moved_gradient = value_and_gradient(moving, x @ rotation + 7.0, labels)
    assert moved == pytest.approx(value)
    torch.testing.assert_close(moved_gradient, gradient @ rotation)


def test_gradient_moves_no_centre_of_mass(make, batch):
    _, gradient = value_and_gradient(make(), *batch(20, 4))
    assert gradient.abs().max() > 0.01
    torch.testing.assert_close(gradient.sum(dim=0), torch.zeros(5, dtype=torch.float64))


def test_gradient_of_batch_and_reference_moves_no_centre_of_mass(family, batch):
    (x, labels), (others, names) = batch(20, 4), batch(15, 4, seed=1)
    others.requires_grad_()
    _, gradient = value_and_gradient(family[0](), x, labels, others, names)
    total = gradient.sum(dim=0) + others.grad.sum(dim=0)
    torch.testing.assert_close(total, torch.zeros(5, dtype=torch.float64))


def test_collapse_is_warned_of_and_has_the_known_loss(family):
    loss = family[0]()
    labels = torch.arange(8).repeat_interleave(4)
    with pytest.warns(CollapseWarning, match="coincide"):
        value = loss(torch.ones(32, 3), labels)
    assert loss.collapsed(classes=8, items=4) == pytest.approx(value.item())


def test_floor_is_the_loss_at_the_corners_of_a_simplex(family):
    loss = family[0](1.5)
    corners = torch.eye(8, dtype=torch.float64) - 1 / 8
    x = torch.nn.functional.normalize(corners, dim=1).repeat_interleave(4, dim=0)
    value = loss(x, torch.arange(8).repeat_interleave(4)).item()
    assert value == pytest.approx(loss.sphere_floor(classes=8, items=4), abs=1e-9)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e30])
@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [0, 1, 2, 3], [0, 0, 0, 0]])
def test_embeddings_that_are_not_finite_are_refused(make, bad, labels):
    x = torch.zeros(4, 3)
    x[2, 1] = bad
    loss = make()
    with pytest.raises(DivergenceError, match="not finite"):
        loss(x, torch.tensor(labels))
    if isinstance(loss, CrossBatchMemory):
        assert len(loss.labels) == 0


def test_a_reference_that_is_not_finite_is_refused(make, batch):
    x, labels = batch(6, 2)
    with pytest.raises(DivergenceError, match="not finite"):
        make()(x, labels, x * math.inf, labels)


@pytest.mark.parametrize(
    ("embeddings", "labels", "reference", "message"),
    [
        (torch.zeros(4), torch.zeros(4).long(), (), "embeddings must be"),
        (torch.zeros(4, 2).long(), torch.zeros(4).long(), (), "embeddings must be"),
        (torch.zeros(4, 2), torch.zeros(3).long(), (), "labels must be 4 integers"),
        (torch.zeros(4, 2), torch.zeros(4, 1).long(), (), "labels must be 4 integers"),
        (torch.zeros(4, 2), torch.zeros(4), (), "labels must be 4 integers"),
        (torch.eye(4), torch.arange(4), (torch.eye(3), torch.arange(3)), "4 dimensions"),
        (torch.eye(4), torch.arange(4), (torch.eye(4), torch.arange(3)), "labels must be 4"),
        (torch.eye(4), torch.arange(4), (torch.eye(4),), "come together"),
    ],
)
def test_batches_of_wrong_shape_or_type_are_refused(make, embeddings, labels, reference, message):
    with pytest.raises(InputError, match=message):
        make()(embeddings, labels, *reference)


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf])
def test_margins_out_of_range_are_refused(make, margin):
    with pytest.raises(InputError, match="margin"):
        make(margin)


def test_is_rebuilt_from_its_configuration(make, batch):
    loss = make(0.3)
    again = build(loss.config)
    assert type(again) is type(loss) is LOSSES[loss.config["name"]]
    assert again.config == loss.config
    assert again(*batch(8, 3)) == loss(*batch(8, 3))
    assert repr(again) == repr(loss)
    assert "margin=0.3" in repr(loss)
    assert loss.metric == "euclidean"


@pytest.mark.parametrize("config", [None, {}, {"name": "unheard of"}, {"name": "memory", "loss": {}}])
def test_a_loss_of_ones_own_is_not_built(config):
    with pytest.raises(InputError, match="pass your own"):
        build(config)


def test_an_unknown_mining_is_refused():
    with pytest.raises(InputError, match="mining"):
        TripletLoss(mining="easy")
