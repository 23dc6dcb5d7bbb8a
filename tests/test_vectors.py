"""Metrics on rows of numbers: against other libraries on real data, at extremes, under structures."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance
from sklearn.metrics.pairwise import haversine_distances

import metricspace as ms
from metricspace import errors
from tests import naive

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(40, 6))


@pytest.fixture(scope="module")
def pixels(data):
    """Fashion-MNIST images, as rows of amounts."""
    return np.load(data / "fashion_mnist_25k.npz")["base"].reshape(-1, 784)[:60].astype(np.float32)


@pytest.fixture(scope="module")
def degrees(data):
    """Latitudes and longitudes of cities."""
    return np.load(data / "rg_cities1000_latlon.npy").astype(np.float64)


# --- oracles on real data ----------------------------------------------------------------------------


@pytest.mark.parametrize("p", [1, 1.5, 2, 4])
def test_weighted_minkowski_is_scipys(pixels, p):
    w = np.random.default_rng(1).random(784)
    w[::5] = 0
    mine = ms.metric("minkowski", p=p, w=w).pairwise(pixels[:20], pixels)
    theirs = cdist(pixels[:20].astype(float), pixels.astype(float), "minkowski", p=p, w=w)
    np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-9)


def test_mahalanobis_is_scipys(pixels):
    means = pixels.reshape(60, 28, 28)[:, 4:24].reshape(60, 10, 2, 14, 2).mean(axis=(2, 4)).reshape(60, 140)
    inverse = np.linalg.inv(np.cov(means.T.astype(float)) + np.eye(140))
    mine = ms.metric("mahalanobis", VI=inverse).pairwise(means)
    np.testing.assert_allclose(mine, cdist(means, means, "mahalanobis", VI=inverse), rtol=1e-9, atol=1e-9)


def test_histograms_are_scipys(pixels):
    wide = pixels.astype(float)
    mine = ms.metric("jensenshannon", normalize=True).pairwise(pixels)
    np.testing.assert_allclose(mine, cdist(wide, wide, "jensenshannon"), rtol=1e-9, atol=1e-7)
    shares = wide / wide.sum(axis=1, keepdims=True)
    mine = ms.metric("hellinger").pairwise(shares)
    np.testing.assert_allclose(mine, cdist(np.sqrt(shares), np.sqrt(shares)) / math.sqrt(2), atol=1e-12)
    positions = np.cumsum(np.random.default_rng(2).random(784) + 0.1)
    mine = ms.metric("wasserstein1d", positions=positions, normalize=True).pairwise(pixels[:5], pixels)
    theirs = [[wasserstein_distance(positions, positions, a, b) for b in wide] for a in wide[:5]]
    np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)
    both = wide[:, None], wide[None]
    jaccard = 1 - np.minimum(*both).sum(axis=2) / np.maximum(*both).sum(axis=2)
    np.testing.assert_allclose(ms.metric("weighted_jaccard").pairwise(pixels), jaccard, atol=1e-12)


def test_topsoes_inequalities(pixels):
    # Topsøe 2000: half the triangular discrimination ≤ twice the divergence ≤ ln 2 times the former.
    triangular = ms.metric("sqrt_triangular", normalize=True).pairwise(pixels) ** 2
    divergence = ms.metric("jensenshannon", normalize=True).pairwise(pixels) ** 2
    assert (triangular / 2 <= 2 * divergence * (1 + 1e-12)).all()
    assert (2 * divergence <= math.log(2) * triangular * (1 + 1e-12)).all()


def test_haversine_is_scikit_learns(degrees):
    some = degrees[:: len(degrees) // 300]
    theirs = haversine_distances(np.radians(some))
    np.testing.assert_allclose(ms.metric("haversine").pairwise(np.radians(some)), theirs, atol=1e-12)
    kilometres = ms.metric("haversine", unit="degrees", radius=6371.0)
    np.testing.assert_allclose(kilometres.pairwise(some), 6371 * theirs, atol=1e-8)
    assert kilometres.distance([48.8566, 2.3522], [52.52, 13.405]) == pytest.approx(877.5, abs=1)


def test_cities_nearest_on_the_globe(degrees):
    queries = degrees[::2000] + 0.01
    expected = ms.LinearScan(ms.metric("haversine", unit="degrees")).fit(degrees).knn(queries, 5)
    found = ms.VPTree(ms.metric("haversine", unit="degrees")).fit(degrees).knn(queries, 5)
    assert (found.positions == expected.positions).all()
    assert (found.distances == expected.distances).all()
    assert found.cost.mean() < 0.02 * len(degrees)


# --- every one under structures ----------------------------------------------------------------------

AMOUNTS = np.random.default_rng(3).gamma(0.5, size=(400, 9))
AMOUNTS[AMOUNTS < 0.05] = 0
AMOUNTS[:, 4] += 0.5
FORM = np.cov(RANDOM.normal(size=(9, 4)))  # of rank 3, for 9 dimensions

UNDER_STRUCTURES = {
    "minkowski": {"p": 3, "w": [1, 2, 0, 4, 1, 1, 1, 0.5, 3]},
    "manhattan-weighted": {"p": 1, "w": [1, 2, 0, 4, 1, 1, 1, 0.5, 3]},
    "chebyshev-weighted": {"p": math.inf, "w": [1, 2, 0, 4, 1, 1, 1, 0.5, 3]},
    "mahalanobis": {"VI": FORM.tolist()},
    "chord": {},
    "angular": {},
    "hellinger": {"normalize": True},
    "sqrt_triangular": {"normalize": True},
    "wasserstein1d": {"normalize": True},
    "jensenshannon": {"normalize": True},
    "weighted_jaccard": {},
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", UNDER_STRUCTURES)
def test_structures_equal_the_scan(name, dtype, tmp_path):
    metric = ms.metric(name if name in ms.metrics() else "minkowski", **UNDER_STRUCTURES[name])
    objects = AMOUNTS.astype(dtype)
    objects[300:] = objects[100:200] * 2  # equal directions and shares
    queries = np.concatenate([objects[:4], AMOUNTS[5:9] * 1.5])
    scan = ms.LinearScan(metric).fit(objects)
    expected = scan.knn(queries, 8)
    assert (expected.distances[:4, 0] == 0).all()
    for structure in (ms.VPTree, ms.LAESA, ms.MTree):
        index = structure(metric).fit(objects)
        found = index.knn(queries, 8)
        assert (found.positions == expected.positions).all()
        assert (found.distances == expected.distances).all()
    grown = ms.MTree(metric).fit(objects[:350])
    grown.add(objects[350:])
    assert (grown.knn(queries, 8).positions == expected.positions).all()
    scan.save(tmp_path / "index")
    assert (ms.load(tmp_path / "index").knn(queries, 8).distances == expected.distances).all()


def test_large_matrices_are_stored(tmp_path):
    spread = np.random.default_rng(4).normal(size=(100, 100))
    rows = np.random.default_rng(5).normal(size=(50, 100))
    index = ms.VPTree(ms.metric("quadratic_form", matrix=spread.T @ spread)).fit(rows)
    index.save(tmp_path / "index")
    loaded = ms.load(tmp_path / "index")
    assert (loaded.knn(rows, 3).distances == index.knn(rows, 3).distances).all()
    assert len(repr(index)) < 200


# --- laws --------------------------------------------------------------------------------------------

# Objects on which the laws beyond the triangle inequality fail.
COUNTEREXAMPLES = {
    "manhattan": [[0, 0], [1, 0], [0, 1], [1, 1]],
    "chebyshev": [[0, 1], [1, 0], [0, -1], [-1, 0]],
    "minkowski": [[0, 1], [1, 0], [0, -1], [-1, 0]],
    "angular": [[1, 0], [0, 1], [-1, 0], [0, -1]],
    "haversine": [[0, 0], [0, math.pi / 2], [0, math.pi], [0, -math.pi / 2]],
    "hamming": [[0, 0], [1, 0], [0, 1], [1, 1]],
    "hamming_bits": np.array([[0], [1], [2], [3]], np.uint8),
    "wasserstein1d": [[4, 0, 4], [3, 2, 3], [3, 1, 4], [4, 1, 3]],
    "weighted_jaccard": [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]],
}


@pytest.mark.parametrize("name", COUNTEREXAMPLES)
def test_laws_that_fail(name):
    params = {"minkowski": {"p": 7}, "wasserstein1d": {"normalize": True}}.get(name, {})
    metric = ms.metric(name, **params)
    report = ms.check_metric(metric, COUNTEREXAMPLES[name])
    assert report  # what is declared holds
    assert not report.holds["four_point"]
    assert not metric.laws.four_point


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("euclidean", {}),
        ("minkowski", {"p": 2, "w": [1, 2, 0.5, 1, 1, 3]}),
        ("quadratic_form", {"matrix": np.diag([1.0, 2, 3, 4, 5, 6]) + 0.5}),
        ("chord", {}),
        ("hellinger", {"normalize": True}),
        ("jensenshannon", {"normalize": True}),
        ("sqrt_triangular", {"normalize": True}),
    ],
)
def test_laws_that_hold(name, params):
    metric = ms.metric(name, **params)
    assert metric.laws.hilbert
    assert ms.check_metric(metric, np.abs(ROWS))


def test_where_different_objects_are_at_distance_0():
    assert ms.metric("minkowski", w=[1, 2]).laws.identity
    assert not ms.metric("minkowski", w=[1, 0]).laws.identity
    assert ms.metric("quadratic_form", matrix=[[2, 1], [1, 2]]).laws.identity
    singular = ms.metric("quadratic_form", matrix=[[1, 1], [1, 1]])
    assert not singular.laws.identity
    assert singular.distance([1, 2], [2, 1]) == 0
    assert not ms.metric("hellinger", normalize=True).laws.identity
    assert ms.metric("hellinger").laws.identity


# --- values at the extremes --------------------------------------------------------------------------


def test_near_histograms_lose_no_digits():
    p = np.array([0.25, 0.25, 0.5])
    for step in (1e-3, 1e-6, 1e-9, 1e-12):
        q = p + np.array([step, -step, 0.0])
        step = q[0] - p[0]
        # To the second order the divergence is Σ(p − q)² / (8 p).
        near = math.sqrt(2 * step**2 / (8 * 0.25))
        assert ms.metric("jensenshannon").distance(p, q) == pytest.approx(
            near, rel=3 * step**2 + 1e-15 / step
        )
    assert ms.metric("jensenshannon").distance([1, 0], [0, 1]) == pytest.approx(
        math.sqrt(math.log(2)), rel=1e-15
    )
    assert ms.metric("hellinger").distance([1, 0], [0, 1]) == pytest.approx(1, rel=1e-15)
    assert ms.metric("sqrt_triangular").distance([1, 0], [0, 1]) == pytest.approx(math.sqrt(2), rel=1e-15)
    assert ms.metric("jensenshannon").distance([1e-300, 1.0], [0.0, 1.0]) > 0


def test_divergence_is_continuous_where_the_formula_changes():
    from fractions import Fraction

    def exactly(p, q):
        m = (Fraction(p) + Fraction(q)) / 2
        t = (Fraction(p) - Fraction(q)) / (2 * m)
        return float(m / 2 * sum(t ** (2 * n) / (n * (2 * n - 1)) for n in range(1, 40)))

    for t in (0.01, 0.1, 0.2499, 0.25, 0.2501, 0.3):
        p, q = 0.5 * (1 + t), 0.5 * (1 - t)
        d = ms.metric("jensenshannon").distance([p, q], [q, p])
        assert d**2 == pytest.approx(2 * exactly(p, q), rel=4e-15)


def test_haversine_is_accurate_at_both_ends():
    globe = ms.metric("haversine", unit="degrees")
    tiny = math.radians(1e-7)
    assert globe.distance([0, 10], [0, 10 + 1e-7]) == pytest.approx(tiny, rel=1e-6)
    assert globe.distance([0, 0], [0, 180 - 1e-7]) == pytest.approx(math.pi - tiny, rel=1e-14)
    assert globe.distance([0, 180], [0, -180]) == 0
    assert globe.distance([90, 12], [90, -70]) == 0
    assert globe.distance([51.5, 10], [51.5, 370]) == 0
    assert globe.distance([90, 0], [-90, 77]) == math.pi
    right_angle = np.float32(np.pi / 2)  # beyond that of float64
    assert (
        ms.metric("haversine").pairwise(np.array([[right_angle, 0], [right_angle, 3]], np.float32)).max() == 0
    )


def test_equal_rows_have_equal_images_in_any_batch():
    rows = (np.random.default_rng(6).random((300, 37)) * 1e6).astype(np.float32)
    form = np.random.default_rng(7).normal(size=(37, 37))
    for name, params in (
        ("quadratic_form", {"matrix": form @ form.T}),
        ("chord", {}),
        ("angular", {}),
        ("hellinger", {"normalize": True}),
        ("wasserstein1d", {"normalize": True}),
        ("weighted_jaccard", {}),
    ):
        metric = ms.metric(name, **params)
        whole = metric.pairwise(rows)
        assert (np.diagonal(whole) == 0).all()
        assert (metric.pairwise(rows[17:18], rows)[0] == whole[17]).all()
        assert metric.distance(rows[3], rows[200]) == whole[200, 3]


def test_forms_far_from_the_origin():
    form = np.array([[2.0, 1.0], [1.0, 2.0]])
    rows = RANDOM.normal(size=(30, 2)) + 1e6
    apart = rows[:, None] - rows
    expected = np.sqrt(np.einsum("ijk,kl,ijl->ij", apart, form, apart))
    metric = ms.metric("quadratic_form", matrix=form)
    np.testing.assert_allclose(metric.pairwise(rows), expected, atol=1e-8)
    rows[15:] = rows[:15] + 1e-7
    scan, tree = ms.LinearScan(metric).fit(rows), ms.VPTree(metric, leaf_size=2).fit(rows)
    assert (scan.knn(rows, 5).positions == tree.knn(rows, 5).positions).all()


def test_factors_of_forms():
    from metricspace.metrics.vectors import factor

    for rank in (1, 3, 6):
        spread = RANDOM.normal(size=(6, rank)) * np.array([[1e-8], [1], [1e5], [1], [3], [1e-3]])
        form = spread @ spread.T
        lower = factor(form)
        assert lower.shape == (6, rank)
        scale = np.sqrt(np.outer(np.diag(form), np.diag(form)))
        assert (np.abs(lower @ lower.T - form) < 1e-14 * scale).all()


def test_cheap_bounds_of_weighted_jaccard_are_below(data):
    from metricspace.metrics.histograms import WeightedJaccard
    from metricspace.space import at_least, make_room, prepare

    pixels = np.load(data / "fashion_mnist_25k.npz")["base"].reshape(-1, 784)[:30].astype(np.float32)
    pixels[10:20] = pixels[:10] * np.float32(1.1)
    metric = WeightedJaccard()
    space = metric.space(metric.objects(pixels))
    import numba

    from metricspace.kernels import COMPILED

    bound = lambda space, i, j, room: at_least(space, i, prepare(space, space, j, room))  # noqa: E731
    bound = numba.njit(bound) if COMPILED else bound
    d = metric.pairwise(pixels)
    room = make_room(1)
    for i in range(30):
        for j in range(30):
            assert 0 <= bound(space, i, j, room) <= d[i, j]
    assert bound(space, 0, 10, room) == pytest.approx(d[0, 10], rel=1e-5)


@pytest.mark.parametrize("width", [1, 8, 31, 32, 64])
def test_bits_in_every_form(width):
    rows = np.random.default_rng(8).integers(0, 256, (700, width), dtype=np.uint8)
    unpacked = np.unpackbits(rows, axis=1).astype(bool)
    expected = cdist(unpacked[:5], unpacked, "hamming") * 8 * width
    by_bytes, by_booleans = (
        ms.LinearScan("hamming_bits").fit(rows),
        ms.LinearScan("hamming_bits").fit(unpacked),
    )
    hits = by_bytes.knn(rows[:5], 20)
    assert hits.cost.tolist() == [700] * 5
    assert (by_booleans.knn(unpacked[:5], 20).positions == hits.positions).all()
    for row, positions, distances in zip(expected, hits.positions, hits.distances, strict=True):
        assert [positions.tolist(), distances.tolist()] == list(naive.knn(np.rint(row).tolist(), 20))
    radius = float(np.median(np.rint(expected)))
    assert (
        by_bytes.count(rows[:5], radius).counts.tolist() == (np.rint(expected) <= radius).sum(axis=1).tolist()
    )
    assert by_bytes.objects([3]).dtype == np.uint8
    assert (by_booleans.objects([3]) == unpacked[3]).all()
    assert by_booleans.objects([3]).dtype == bool


def test_codes_keep_their_type():
    rows = np.random.default_rng(9).integers(-3, 3, (50, 70))
    for dtype, kept in (
        (np.int8, np.int32),
        (np.int16, np.int32),
        (np.int32, np.int32),
        (np.int64, np.int64),
    ):
        index = ms.LinearScan("hamming").fit(rows.astype(dtype))
        assert index.objects([0]).dtype == kept
        assert (index.objects([0]) == rows[0]).all()
        assert (index.knn(rows[:5], 1).distances == 0).all()
    small = ms.LinearScan("hamming").fit(rows.astype(np.uint8))
    assert small.knn([[1] * 70], 1).ids.shape == (1, 1)  # codes that fit into a byte, in wider integers
    with pytest.raises(errors.InvalidArgument, match="wider integer type"):
        small.knn([[300] * 70])


# --- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: ms.metric("minkowski", w=[1, -1]), errors.NotAMetric, "negative weight"),
        (lambda: ms.metric("minkowski", w=[0, 0]), errors.InvalidArgument, "only zeros"),
        (lambda: ms.metric("minkowski", w=[1, np.nan]), errors.InvalidArgument, "finite"),
        (lambda: ms.metric("minkowski", w=["a"]), errors.WrongType, "weights"),
        (lambda: ms.metric("minkowski", w=[[1]]), errors.InvalidArgument, "shape"),
        (lambda: ms.metric("minkowski", p=0.5, w=[1]), errors.NotAMetric, "p ≥ 1"),
        (lambda: ms.metric("quadratic_form", matrix=[[1, 0], [1, 1]]), errors.NotAMetric, r"M \+ M.T"),
        (lambda: ms.metric("quadratic_form", matrix=[[0, 1], [1, 0]]), errors.NotAMetric, "eigenvalue is -1"),
        (lambda: ms.metric("quadratic_form", matrix=[[1, 0], [0, -1]]), errors.NotAMetric, "semi-definite"),
        (lambda: ms.metric("quadratic_form", matrix=[[0, 0], [0, 0]]), errors.InvalidArgument, "not 0"),
        (lambda: ms.metric("quadratic_form", matrix=[[1, 2]]), errors.InvalidArgument, "square"),
        (lambda: ms.metric("quadratic_form", matrix=[[np.inf]]), errors.InvalidArgument, "finite"),
        (lambda: ms.metric("mahalanobis", VI=[[1, 2], [3]]), errors.WrongType, "VI"),
        (lambda: ms.metric("haversine", unit="miles"), errors.InvalidArgument, "'degrees'"),
        (lambda: ms.metric("haversine", radius=0), errors.InvalidArgument, "radius"),
        (lambda: ms.metric("hellinger", normalize="yes"), errors.InvalidArgument, "True or False"),
        (lambda: ms.metric("wasserstein1d", positions=[0, 0]), errors.InvalidArgument, "ascending"),
        (lambda: ms.metric("wasserstein1d", positions=[0, np.nan]), errors.InvalidArgument, "ascending"),
        (lambda: ms.metric("wasserstein1d", positions="ab"), errors.InvalidArgument, "one number a bin"),
        (lambda: ms.metric("wasserstein1d", positions=[]), errors.InvalidArgument, "shape"),
    ],
)
def test_parameters_that_make_no_metric(make, error, says):
    with pytest.raises(error, match=says):
        make()


@pytest.mark.parametrize(
    ("name", "params", "objects", "error", "says"),
    [
        ("minkowski", {"w": [1, 2]}, [[1, 2, 3]], errors.InvalidArgument, "2 dimensions, as many as"),
        ("minkowski", {"w": [1e300, 1]}, [[1e10, 0]], errors.InvalidArgument, "scale the data or the"),
        ("mahalanobis", {"VI": [[1]]}, [[1, 2]], errors.InvalidArgument, "1 dimensions"),
        ("chord", {}, [[0, 0]], errors.InvalidArgument, "length 0"),
        ("haversine", {}, [[48.8, 2.3]], errors.InvalidArgument, "unit='degrees'"),
        ("haversine", {"unit": "degrees"}, [[150, 2.3]], errors.InvalidArgument, "in this order"),
        ("haversine", {}, [[1, 2, 3]], errors.InvalidArgument, "latitude, longitude"),
        ("hamming_bits", {}, [[1, 0]], errors.WrongType, "packbits"),
        ("hamming_bits", {}, np.zeros((0, 2), bool), errors.InvalidArgument, "at least one object"),
        ("hamming", {}, np.zeros((0, 2), int), errors.InvalidArgument, "at least one object"),
        ("hamming", {}, [[2**63]], errors.WrongType, r"2\*\*63"),
        ("hamming", {}, [[np.inf]], errors.WrongType, "whole numbers"),
        ("hellinger", {}, [[0.5, 0.6]], errors.InvalidArgument, "normalize=True"),
        ("jensenshannon", {}, [[1.5, -0.5]], errors.InvalidArgument, "at least 0"),
        ("jensenshannon", {"normalize": True}, [[1, 2], [0, 0]], errors.InvalidArgument, "row 1 is empty"),
        ("wasserstein1d", {"positions": [1, 2]}, [[1, 0, 0]], errors.InvalidArgument, "2 bins"),
        ("weighted_jaccard", {}, [[1, 2], [3, -4]], errors.InvalidArgument, "-4 in row 1"),
    ],
)
def test_rows_that_do_not_suit_the_metric(name, params, objects, error, says):
    with pytest.raises(error, match=says):
        ms.LinearScan(ms.metric(name, **params)).fit(objects)


def test_queries_are_checked_like_objects():
    globe = ms.LinearScan(ms.metric("haversine", unit="degrees")).fit([[90, 0]])
    with pytest.raises(errors.InvalidArgument, match="latitudes"):
        globe.knn([[91, 0]])
    histograms = ms.VPTree("hellinger").fit([[0.5, 0.5]])
    with pytest.raises(errors.InvalidArgument, match="sum to 1"):
        histograms.knn([[0.5, 0.4]])
    bits = ms.LinearScan("hamming_bits").fit(np.zeros((2, 4), bool))
    with pytest.raises(errors.WrongType, match="x != 0"):
        bits.knn(np.zeros((1, 4), np.uint8))
    assert bits.knn(np.zeros((0, 4)), 1).ids.shape == (0, 1)
    assert histograms.knn([], 1).ids.shape == (0, 1)
