"""Exact under rounding, duplicates and extremes: every structure returns what the linear scan returns."""

import numpy as np
import pytest

import metricspace as ms


def _unit(random, shape):
    return random.normal(size=shape)


def duplicates(random):
    few = _unit(random, (20, 6)).astype(np.float32)
    return few[random.integers(0, 20, 600)], few[:10]


def all_equal(random):
    return np.ones((300, 3), np.float32), np.ones((2, 3), np.float32)


def collinear(random):
    return (np.arange(600)[:, None] * np.array([[1, 2, 3]])).astype(np.float32), np.array(
        [[0, 0, 0], [299.5, 599, 898.5], [50, 100, 151]], np.float32
    )


def subnormal(random):
    return (_unit(random, (500, 8)) * 1e-41).astype(np.float32), (_unit(random, (8, 8)) * 1e-41).astype(
        np.float32
    )


def tiny(random):
    return (_unit(random, (500, 8)) * 1e-22).astype(np.float32), (_unit(random, (8, 8)) * 1e-22).astype(
        np.float32
    )


def offset_float32(random):
    return (_unit(random, (600, 5)) + 1e6).astype(np.float32), (_unit(random, (8, 5)) + 1e6).astype(
        np.float32
    )


def offset_float64(random):
    return _unit(random, (600, 5)) * 1e-3 + 1e6, _unit(random, (8, 5)) * 1e-3 + 1e6


def one_far_away(random):
    near = _unit(random, (600, 4)) * 1e-3
    near[::50] += 1e6
    return near.astype(np.float32), (_unit(random, (8, 4)) * 1e-3).astype(np.float32)


def large_numbers(random):
    return (_unit(random, (400, 4)) * 1e14).astype(np.float32), (_unit(random, (6, 4)) * 1e14).astype(
        np.float32
    )


def beyond_float32_squares(random):
    return (_unit(random, (300, 4)) * 1e25).astype(np.float32), (_unit(random, (6, 4)) * 1e25).astype(
        np.float32
    )


def beyond_float32(random):
    return _unit(random, (300, 4)) * 1e60, _unit(random, (6, 4)) * 1e60


def growing(random):
    return (2.0 ** np.arange(-40, 60)[:, None] * np.ones((1, 2))).astype(np.float32), np.ones(
        (1, 2), np.float32
    )


def near_ties(random):
    direction = _unit(random, (500, 3))
    sphere = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return sphere.astype(np.float32), np.zeros((1, 3), np.float32)


def below_float32(random):
    return _unit(random, (500, 3)) * 1e-60, _unit(random, (8, 3)) * 1e-60


HOSTILE = [duplicates, all_equal, collinear, below_float32, subnormal, tiny, offset_float32, offset_float64,
           one_far_away, large_numbers, beyond_float32_squares, beyond_float32, growing,
           near_ties]  # fmt: skip


CASES = [(make, metric) for make in HOSTILE for metric in ("euclidean", "manhattan", "chebyshev")]
CASES += [
    (make, "angular") for make in HOSTILE if make not in (collinear, near_ties)
]  # these hold the origin


@pytest.mark.parametrize(("make", "metric"), CASES)
def test_equals_the_scan(structure, make, metric):
    objects, queries = make(np.random.default_rng(0))
    scan = ms.LinearScan(metric).fit(objects)
    index = structure(metric).fit(objects)
    expected, found = scan.knn(queries, 10), index.knn(queries, 10)
    assert (found.positions == expected.positions).all()
    assert (found.distances == expected.distances).all()
    radii = expected.distances[:, min(9, len(objects) - 1)]
    expected, found = scan.range(queries, radii), index.range(queries, radii)
    assert found.indptr.tolist() == expected.indptr.tolist()
    assert (found.positions == expected.positions).all()
    in_float64 = np.asarray(objects, float), np.asarray(queries, float)
    if metric == "euclidean":
        for row, query in enumerate(in_float64[1]):
            true = np.sqrt(((in_float64[0] - query) ** 2).sum(axis=1))
            mine = scan.range([queries[row]], np.inf)
            np.testing.assert_allclose(mine.distances, true[mine.positions], rtol=1e-12, atol=1e-150)


def test_many_equal_objects(structure):
    count = 20_000 if structure is not ms.AESA else 3_000  # whose matrix would be 1.6 GB
    objects = np.ones((count, 4), np.float32)
    hits = structure().fit(objects).knn([[1, 1, 1, 1], [0, 1, 1, 1]], 5)
    assert hits.positions.tolist() == [[0, 1, 2, 3, 4]] * 2
    assert hits.distances.tolist() == [[0.0] * 5, [1.0] * 5]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_handful_of_objects(structure, count):
    objects = np.arange(count, dtype=float)[:, None]
    index = structure().fit(objects)
    assert index.knn([[0.2]], 3).ids[0].tolist() == list(range(count))[:3] + [-1] * (3 - min(count, 3))
    assert index.count([[0.0]], 1.0).counts[0] == min(count, 2)
    assert [i for i, _ in index.browse([0.0])] == list(range(count))


def test_no_queries(structure):
    index = structure().fit(np.eye(4))
    assert index.knn(np.empty((0, 4)), 3).ids.shape == (0, 3)
    assert len(index.range(np.empty((0, 4)), 1.0)) == 0


def test_memory_layouts(structure):
    objects = np.random.default_rng(0).integers(0, 9, (200, 6))
    expected = structure().fit(objects.astype(np.float32)).knn(objects[:5].astype(np.float32), 4).positions
    fortran = np.asfortranarray(objects.astype(np.float64))
    striped = np.repeat(objects, 2, axis=0)[::2]
    swapped = objects.astype(">f8")
    readonly = objects.astype(np.float32)
    readonly.flags.writeable = False
    for given in (
        fortran,
        striped,
        swapped,
        readonly,
        objects.astype(np.int16),
        objects.tolist(),
        objects.astype(np.float16),
    ):
        assert (structure().fit(given).knn(given[:5], 4).positions == expected).all()


def test_the_users_array_may_change(structure):
    objects = np.random.default_rng(0).random((100, 3))
    index = structure().fit(objects)
    before = index.knn(objects[:5].copy(), 3)
    queries = objects[:5].copy()
    objects[:] = 0
    assert (index.knn(queries, 3).positions == before.positions).all()
