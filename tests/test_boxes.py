"""The box tree: what it keeps, and that nothing which rounds, ties or overflows makes it miss an object."""

import os
import subprocess
import sys

import numpy as np
import pytest

import metricspace as ms
from metricspace.coding import Layout, blank_asked, coordinates, encode_query, find_homes, turn
from metricspace.fitting import divide_into_blocks
from metricspace.simd.registers import ROWS
from metricspace.simd.tiles import BY_PAIRS, BYTES

RANDOM = np.random.default_rng(0)


def clustered(n, d, spread=0.1, seed=0, dtype=np.float32):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(20, d))
    return (centres[random.integers(0, 20, n)] + random.normal(size=(n, d)) * spread).astype(dtype)


def near_duplicates(n, d):
    """Rows that differ in the last bits of float32."""
    base = clustered(n // 8 + 1, d)
    rows = np.repeat(base, 8, axis=0)[:n]
    return np.nextafter(rows, np.where(RANDOM.random(rows.shape) < 0.5, -9, 9).astype(np.float32))


def with_outliers(n, d):
    rows = clustered(n, d)
    rows[::97] *= 1e4
    return rows


MAKES = {
    "clusters": clustered,
    "near duplicates": near_duplicates,
    "an offset": lambda n, d: clustered(n, d) + np.float32(1e6),
    "an offset in float64": lambda n, d: clustered(n, d, 1e-3, dtype=np.float64) * 1e-3 + 1e6,
    "outliers": with_outliers,
    "a grid": lambda n, d: RANDOM.integers(0, 3, (n, d)).astype(np.float32),
    "few that differ": lambda n, d: np.eye(d, dtype=np.float32)[RANDOM.integers(0, min(d, 3), n)],
    "subnormal": lambda n, d: (clustered(n, d) * 1e-40).astype(np.float32),
    "tiny in float64": lambda n, d: clustered(n, d, dtype=np.float64) * 1e-200,
    "huge in float64": lambda n, d: clustered(n, d, dtype=np.float64) * 1e140,
    "one direction": lambda n, d: (RANDOM.random((n, 1)) @ np.ones((1, d))).astype(np.float32),
}


def agree(index, scan, queries, k=10):
    expected, found = scan.knn(queries, k), index.knn(queries, k)
    assert (found.positions == expected.positions).all()
    assert (found.distances == expected.distances).all()
    radii = expected.distances[:, min(k, len(index)) - 1]
    expected, found = scan.range(queries, radii), index.range(queries, radii)
    assert found.indptr.tolist() == expected.indptr.tolist()
    assert (found.positions == expected.positions).all()
    assert (found.distances == expected.distances).all()
    assert (index.count(queries, radii).counts == np.diff(expected.indptr)).all()
    within = index.knn(queries, k, radius=radii / 2)
    assert (within.positions == scan.knn(queries, k, radius=radii / 2).positions).all()


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev"])
@pytest.mark.parametrize("d", [1, 3, 6, 20, 100])
@pytest.mark.parametrize("make", MAKES)
def test_equals_the_scan(make, d, metric):
    rows = MAKES[make](1100, d)
    objects, queries = rows[:1000], np.concatenate([rows[1000:], rows[:20]])
    agree(ms.BoxTree(metric).fit(objects), ms.LinearScan(metric).fit(objects), queries)


@pytest.mark.parametrize(
    ("metric", "params"),
    [
        ("angular", {}),
        ("chord", {}),
        ("minkowski", {"p": 1.5}),
        ("minkowski", {"p": 4}),
        ("minkowski", {"p": 2, "w": np.linspace(0, 3, 12).tolist()}),
        ("mahalanobis", {"VI": np.diag(np.linspace(0.1, 4, 12)).tolist()}),
    ],
)
def test_other_norms_equal_the_scan(metric, params):
    rows = clustered(3100, 12)
    given = ms.metric(metric, **params)
    agree(ms.BoxTree(given).fit(rows[:3000]), ms.LinearScan(given).fit(rows[:3000]), rows[3000:])


def test_haversine():
    random = np.random.default_rng(5)
    places = np.stack([random.uniform(-90, 90, 2000), random.uniform(-180, 180, 2000)], axis=1)
    given = ms.metric("haversine", unit="degrees", radius=6371)
    agree(ms.BoxTree(given).fit(places[:1900]), ms.LinearScan(given).fit(places[:1900]), places[1900:])


@pytest.mark.parametrize("k", [1, 63, 64, 65, 500, 5000])
def test_any_number_of_neighbours(k):
    rows = clustered(3000, 10)
    index, scan = ms.BoxTree().fit(rows), ms.LinearScan().fit(rows)
    assert (index.knn(rows[:15], k).positions == scan.knn(rows[:15], k).positions).all()


def test_ties_in_any_number():
    rows = np.concatenate([np.zeros((3000, 9)), np.eye(9)[RANDOM.integers(0, 9, 3000)]]).astype(np.float32)
    rows = rows[RANDOM.permutation(6000)]
    index, scan = ms.BoxTree().fit(rows), ms.LinearScan().fit(rows)
    queries = np.concatenate([rows[:8], np.full((2, 9), 0.5, np.float32)])
    agree(index, scan, queries, 2000)


def test_queries_from_far_away():
    rows = clustered(2000, 24)
    queries = np.concatenate([rows[:4] + 10.0 ** np.arange(1, 15)[:, None, None] for _ in range(1)]).reshape(
        -1, 24
    )
    queries = queries.astype(np.float32)
    index, scan = ms.BoxTree().fit(rows), ms.LinearScan().fit(rows)
    expected, found = scan.knn(queries, 5), index.knn(queries, 5)
    assert (found.positions == expected.positions).all()


def test_own_objects_and_joins():
    rows = clustered(1500, 16)
    index, scan = ms.BoxTree().fit(rows), ms.LinearScan().fit(rows)
    for ask in (
        lambda one: one.knn(ids=range(40), k=6).positions,
        lambda one: one.knn_graph(5).positions,
        lambda one: one.range(ids=range(40), radius=0.4).positions,
        lambda one: np.stack([one.self_join(0.3).left_positions, one.self_join(0.3).right_positions]),
        lambda one: one.closest_pairs(50).left_positions,
        lambda one: one.join(rows[:300] + np.float32(0.01), 0.3).right_positions,
    ):
        assert (ask(index) == ask(scan)).all()


def test_a_range_that_holds_everything():
    rows = clustered(5000, 16)
    index = ms.BoxTree().fit(rows)
    assert np.diff(index.range(rows[:20], np.inf).indptr).tolist() == [5000] * 20
    assert (index.range(rows[:20], 0.0).positions == np.arange(20)).all()


def test_a_deep_tree():
    """Three levels above the blocks, of which most nodes are full."""
    rows = np.random.default_rng(1).random((64 * 64 * 64 * 2 + 5, 3)).astype(np.float32)
    index, scan = ms.BoxTree().fit(rows), ms.LinearScan().fit(rows)
    tree = index._tree
    assert index.statistics().depth == 3
    assert (np.diff(tree.first) <= ROWS).all()
    queries = np.random.default_rng(2).random((12, 3)).astype(np.float32)
    agree(index, scan, queries)
    assert [i for i, _ in zip(index.browse(queries[0]), range(5))] == [
        (p, d) for p, d in zip(scan.knn(queries[:1], 5).ids[0], scan.knn(queries[:1], 5).distances[0])
    ]


@pytest.mark.parametrize("metric", ["manhattan", "chebyshev"])
def test_one_row_far_away_does_not_make_codes_of_the_others_useless(metric):
    rows = clustered(3000, 20)
    usual = ms.BoxTree(metric).fit(rows)
    assert usual._tree.codes.dtype == np.int16
    rows[0] += 1e6
    index, scan = ms.BoxTree(metric).fit(rows), ms.LinearScan(metric).fit(rows)
    hits, right = index.knn(rows[1:101], 5), scan.knn(rows[1:101], 5)
    assert (hits.ids == right.ids).all()
    assert (hits.distances == right.distances).all()
    assert usual.knn(rows[1:101], 5).cost.mean() < 8
    # The far row is rounded by a fifth of what others are apart, for which every bound gives way.
    assert hits.cost.mean() < 80


@pytest.mark.parametrize(
    ("metric", "d"), [("euclidean", 3), ("euclidean", 300), ("manhattan", 30), ("angular", 20)]
)
def test_memory_is_foreseen(metric, d):
    rows = clustered(4000, d)
    index = ms.BoxTree(metric).fit(rows)
    with pytest.raises(ms.errors.TooLarge, match="max_bytes"):
        ms.BoxTree(metric, max_bytes=index.nbytes - 1).fit(rows)
    ms.BoxTree(metric, max_bytes=2 * index.nbytes + 10**6).fit(rows)
    scan = ms.LinearScan(metric).fit(rows)
    scan.knn(rows[:20], 3)
    with pytest.raises(ms.errors.TooLarge, match="max_bytes"):
        ms.LinearScan(metric, max_bytes=int(0.95 * scan.nbytes)).fit(rows)


def axes_of(tree):
    return np.hstack([np.zeros((len(tree.mean), 0)), *(block[:, :, 0] for block in tree.axes)])


@pytest.mark.parametrize("d", [3, 20])
def test_boxes_hold_their_rows_and_codes_err_as_they_say(d):
    rows = clustered(2000, d)
    index = ms.BoxTree().fit(rows)
    tree, own = index._tree, index._objects.rows
    layout = Layout(tree.how, tree.gram, d > 8, tree.mean, axes_of(tree), tree.boxes.shape[1],
                    tree.coded, tree.rest, 0, tree.scale, 1.0)  # fmt: skip
    placed, rest, _ = coordinates(layout, own)
    inner = len(tree.first) - 1
    for node in range(inner):
        for child in range(tree.first[node + 1] - tree.first[node]):
            first = tree.first[node] + child
            last = first
            while first < inner:
                first, last = tree.first[first], tree.first[last + 1] - 1
            below = placed[(first - inner) * ROWS : (last - inner + 1) * ROWS, : tree.boxes.shape[1]]
            box = tree.boxes[node, :, :, child].astype(float)
            assert (below >= box[:, 0] - 1e-6).all()
            assert (below <= box[:, 1] + 1e-6).all()
    coded = placed[:, tree.boxes.shape[1] : tree.boxes.shape[1] + tree.coded]
    if tree.rest:
        coded = np.hstack([coded, (rest - tree.middle)[:, None]])
    codes = tree.codes.astype(float) - (128 if tree.codes.dtype == np.uint8 else 0)
    codes = codes.transpose(0, 2, 1, 3).reshape(-1, codes.shape[1] * codes.shape[3])[:2000, : coded.shape[1]]
    wrong = np.linalg.norm(codes * (tree.step or 1.0) - coded, axis=1)
    assert (wrong <= tree.error + 1e-5).all()


@pytest.mark.parametrize("d", [9, 30, 67])
@pytest.mark.parametrize("n", [1, 8, 21])
def test_queries_are_turned_no_more_wrongly_than_is_said(n, d):
    tree = ms.BoxTree().fit(clustered(500, d))._tree
    asked = blank_asked(tree, clustered(n, d, seed=3))
    turn(tree, asked, 0, n)
    right = asked.rows.astype(np.float64) @ axes_of(tree)
    wrong = np.linalg.norm(asked.turned - right, axis=1)
    assert len(tree.axes) > 0
    assert (wrong <= tree.rounding * np.linalg.norm(asked.rows.astype(np.float64), axis=1)).all()


@pytest.mark.skipif(not BYTES, reason="codes of bytes do not pay here")
@pytest.mark.parametrize("d", [9, 12, 20, 33, 66])
def test_sums_of_a_querys_codes_fit_where_they_are_added(d):
    tree = ms.BoxTree().fit(clustered(500, d))._tree
    random = np.random.default_rng(d)
    asked = blank_asked(tree, clustered(40, d, seed=3))
    turn(tree, asked, 0, 40)
    begin, count = tree.boxes.shape[1], tree.coded
    own = asked.turned[:, begin : begin + count]
    own[:20, 1:] *= random.random((20, count - 1)) < 0.3  # a few large ones
    for i in range(20, 36):  # that meet
        own[i] = 1e-3 * random.normal(size=count)
        own[i, [k for k in (8 * (i % 3) + np.array([0, 1, 4, 5]) + i // 2 % 2 * 2) if k < count][: i % 5]] = 1
    own[36:] = [[1.0], [0.5], [-1.0], [0.0]]  # half codes are rounded up, or all are
    for j in range(40):
        encode_query(tree, asked.rows[j], asked.turned[j], j, asked)
    codes = asked.codes[:40].astype(int)
    if BY_PAIRS:
        eights = np.zeros((40, -(-codes.shape[1] // 8) * 8), int)
        eights[:, : codes.shape[1]] = abs(codes)
        eights = eights.reshape(40, -1, 2, 2, 2)  # [eight][four][two of it][one]
        sums = eights.sum(axis=(2, 4))
    else:
        sums = abs(codes)
    greatest = sums.reshape(40, -1).max(axis=1)
    assert greatest.max() <= (128 if BY_PAIRS else 127)
    assert greatest[:39].min() >= 120  # and no code is smaller than it need be
    step = asked.factor[:40] / (-2 * tree.step)
    assert (abs(codes[:, :count] * step[:, None] - own) <= 0.501 * step[:, None] + 1e-12).all()


@pytest.mark.parametrize("n", [1, 64, 200, 5000])
@pytest.mark.parametrize("k", [0, 1, 10, 700, 6000])
def test_homes_are_the_blocks_whose_means_are_nearest(n, k):
    rows, queries = (clustered(count, 9, seed) for count, seed in ((n, 1), (40, 2)))
    index = ms.BoxTree().fit(rows)
    tree, blocks = index._tree, -(-n // 64)
    asked = blank_asked(tree, queries, k=k)
    wanted = asked.homes.shape[1]
    assert wanted == min(max(1 if k == 0 else 4, -(-(k + 64) // 64)), blocks)
    find_homes(tree, asked, 0, 40, np.zeros(wanted, np.float32), np.zeros(64, np.float32))
    boxed = tree.boxes.shape[1]
    axes = np.concatenate(list(tree.axes[..., 0]), axis=1)[:, :boxed]
    at, placed = ((each - tree.mean) @ axes for each in (queries, rows[index._order]))
    means = np.stack([placed[first : first + 64].mean(axis=0) for first in range(0, n, 64)])
    apart = ((at[:, None] - means) ** 2).sum(axis=2)
    nearest = np.sort(apart, axis=1)[:, :wanted]
    assert np.allclose(np.take_along_axis(apart, asked.homes, axis=1), nearest, rtol=1e-4)
    assert all(len(set(homes)) == wanted for homes in asked.homes.tolist())


@pytest.mark.parametrize("n", [1, 65, 200, 5000])
@pytest.mark.parametrize("d", [1, 2, 3, 7, 9])
def test_queries_from_anywhere_have_homes_that_exist(n, d):
    random = np.random.default_rng(n + d)
    rows = random.random((n, d)).astype(np.float32)
    near = random.normal(size=(40, d))
    queries = np.concatenate([near * far for far in (1, 1e3, 1e12, 1e15, 1e17, -1e19, 1e25)])
    queries = queries.astype(np.float32)
    index, scan = ms.BoxTree().fit(rows), ms.LinearScan().fit(rows)
    tree, bounds = index._tree, np.zeros(64, np.float32)
    asked = blank_asked(tree, index._objects.encode(queries).rows)
    find_homes(tree, asked, 0, len(queries), np.zeros(1, np.float32), bounds)
    assert ((asked.homes >= -1) & (asked.homes < len(tree.norms))).all()
    assert (asked.homes[:80] >= 0).all()
    hits, right = index.knn(queries, 3), scan.knn(queries, 3)
    assert (hits.ids == right.ids).all()
    assert (hits.distances == right.distances).all()


def test_blocks_are_divided_whatever_the_keys():
    for keys in (
        np.zeros((1000, 2)),
        RANDOM.integers(0, 2, (1000, 2)),
        np.sort(RANDOM.random((1000, 2)), axis=0),
    ):
        keys = keys.astype(np.float32)
        before, order = keys.copy(), np.arange(1000)
        todo, state = np.zeros((64, 2), np.int64), np.array([1, 0])
        todo[0] = 0, 1000
        while not divide_into_blocks(keys, order, todo, state, 5000):
            pass
        assert sorted(order) == list(range(1000))
        assert (keys == before[order]).all()


def test_the_seed_decides():
    rows = clustered(2000, 30)
    one, again = (ms.BoxTree(seed=4).fit(rows) for _ in range(2))
    assert (one._order == again._order).all()
    assert (one.knn(rows[:50], 5).cost == again.knn(rows[:50], 5).cost).all()
    alone, together = (one.knn(rows[:500], 5, n_jobs=jobs) for jobs in (1, 3))
    assert (alone.cost == together.cost).all()
    assert (alone.bounds == together.bounds).all()


def test_other_metrics_are_refused():
    with pytest.raises(ms.MetricSpaceError, match="norms of the difference"):
        ms.BoxTree("levenshtein").fit(["a"])
    with pytest.raises(ms.MetricSpaceError, match="VPTree"):
        ms.BoxTree("jaccard").fit([{1}])


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev", "angular"])
@pytest.mark.parametrize("d", [2, 20])
@pytest.mark.parametrize("make", [make for make in MAKES if make != "one direction"])
def test_a_scan_of_many_equals_those_of_each(make, d, metric):
    rows = MAKES[make](1100, d)
    if metric == "angular":
        rows = rows.astype(float) * (1e150 if make == "tiny in float64" else 1) + 1e-9
    scan = ms.LinearScan(metric).fit(rows[:1000])
    together = scan.knn(rows[1000:], 7)
    alone = [scan.knn(rows[i : i + 1], 7) for i in range(1000, 1100)]
    assert (together.positions == np.concatenate([one.positions for one in alone])).all()
    assert (together.distances == np.concatenate([one.distances for one in alone])).all()
    assert (together.cost == 1000).all()


def test_it_says_what_was_chosen():
    few, many = (ms.BoxTree().fit(clustered(2000, d)) for d in (3, 40))
    assert few.chosen() == "boxes in 3 coordinates; codes of 32 bits of 3 coordinates"
    assert many.chosen().startswith("boxes in 8 coordinates; codes of ")


@pytest.mark.parametrize("processor", ["x86-64", "haswell"])
def test_files_are_read_where_other_instructions_are_known(tmp_path, processor):
    rows, queries = clustered(2000, 200), clustered(40, 200, seed=1)
    index = ms.BoxTree().fit(rows)
    right = index.knn(queries, 5)
    index.save(tmp_path / "boxes")
    np.savez(tmp_path / "right", queries=queries, ids=right.ids, distances=right.distances)
    code = """
import sys
import numpy as np, metricspace as ms
given = np.load(sys.argv[1] + "/right.npz")
hits = ms.load(sys.argv[1] + "/boxes").knn(given["queries"], 5)
assert (hits.ids == given["ids"]).all()
assert (hits.distances == given["distances"]).all()
"""
    given = {**os.environ, "NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=given, check=True)
