"""The vector primitives equal their plain twins to the bit."""

import numpy as np
import pytest

from metricspace.kernels import kernel
from metricspace.simd import counts, differences, matrices, patterns, registers, sums, tiles, weaving
from metricspace.simd.vectors import FOURS, MATRIX, VECTORS, WIDTH

TWINS = [
    (sums.sum_of_squares, sums.plain_sum_of_squares),
    (sums.sum_of_magnitudes, sums.plain_sum_of_magnitudes),
    (sums.greatest_magnitude, sums.plain_greatest_magnitude),
    (sums.sum_of_shares, sums.plain_sum_of_shares),
]


@pytest.mark.skipif(not VECTORS, reason="the plain twins stand in for the primitives")
@pytest.mark.parametrize(("primitive", "twin"), TWINS, ids=["squares", "magnitudes", "greatest", "shares"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_to_the_bit(primitive, twin, dtype):
    import numba

    both = numba.njit(lambda x, y: (primitive(x, y), twin(x, y)))
    random = np.random.default_rng(0)
    for width in (0, 1, 7, 8, 9, 16, 31, 64, 100):
        for scale in (1e-30, 1.0, 1e15):
            x, y = (random.normal(size=(2, width)) * scale).astype(dtype)
            if primitive is sums.sum_of_shares:
                x, y = abs(x), abs(y)
                x[::3] = y[::4] = 0
            fast, plain = both(x, y)
            assert fast == plain
            assert both(y, x) == (fast, fast)
            assert both(x, x) == (0.0, 0.0)


@pytest.mark.parametrize("word", [0, 1, 2**63, 2**64 - 1, 0x123456789ABCDEF0])
def test_bits_are_counted(word):
    for count in (counts.popcount, counts.plain_popcount):
        assert kernel(lambda x, count=count: count(x))(np.uint64(word)) == word.bit_count()


def test_what_they_compute():
    x, y = np.array([[1.0, -2.0, 4.0], [3.0, 0.5, 4.0]])
    assert sums.plain_sum_of_squares(x, y) == 4 + 6.25
    assert sums.plain_sum_of_magnitudes(x, y) == 2 + 2.5
    assert sums.plain_greatest_magnitude(x, y) == 2.5


@pytest.mark.skipif(not VECTORS, reason="the plain twins stand in for the primitives")
@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_lanes_equal_their_twins(bits):
    import numba

    primitive, twin = (getattr(patterns, f"{name}advance_{bits}") for name in ("", "plain_"))

    @numba.njit
    def both(masks, offsets, length, least, most, fast, plain):
        primitive(masks, offsets, length, least, most, fast)
        twin(masks, offsets, length, least, most, plain)

    random = np.random.default_rng(bits)
    masks = random.integers(0, 256, 20 * patterns.TILE, np.uint8)
    for length in (0, 1, 5, 40):
        offsets = random.integers(0, 19, length) * patterns.TILE
        fast, plain = np.zeros((2, 8 * patterns.TILE // bits), np.int8)
        both(masks, offsets, length, 18 * patterns.TILE, 19 * patterns.TILE, fast, plain)
        assert fast.tolist() == plain.tolist()


@pytest.mark.parametrize(
    ("interleave", "take_apart"),
    [(weaving.interleave, weaving.take_apart), (weaving.plain_interleave, weaving.plain_take_apart)],
    ids=["primitive", "twin"],
)
def test_rows_are_interleaved_and_taken_apart(interleave, take_apart):
    rows = np.random.default_rng(0).integers(0, 256, (weaving.WOVEN, 3 * WIDTH + 5), np.uint8)
    for first in (0, 7, 2 * WIDTH + 5):
        woven, again = np.zeros(rows.size, np.uint8), np.zeros_like(rows)
        kernel(lambda *given: interleave(*given))(rows, first, woven)
        part = rows[:, first : first + WIDTH]
        assert (woven[: part.size] == part.T.ravel()).all()
        assert not woven[part.size :].any()
        kernel(lambda *given: take_apart(*given))(again, first, woven)
        assert (again[:, first : first + WIDTH] == part).all()
        assert again.sum(dtype=int) == part.sum(dtype=int)


@pytest.mark.skipif(not VECTORS, reason="the plain twins stand in for the primitives")
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_counts_are_the_same(dtype):
    import numba

    both = numba.njit(lambda x, y: (counts.count_unequal(x, y), counts.plain_count_unequal(x, y)))
    random = np.random.default_rng(0)
    for width in (0, 1, 7, 8, 15, 16, 63, 64, 65, 200):
        x, y = random.integers(0, 3, (2, width)).astype(dtype)
        assert both(x, y) == ((x != y).sum(),) * 2
        assert both(x, x) == (0, 0)


@pytest.mark.skipif(not VECTORS, reason="the plain twins stand in for the primitives")
def test_counts_of_bits_are_the_same():
    import numba

    bits = numba.njit(lambda x, y: (counts.count_unequal_bits(x, y), counts.plain_count_unequal_bits(x, y)))
    eight = numba.njit(
        lambda rows, i, y, most: (
            counts.eight_beyond(rows, i, y, most),
            counts.plain_eight_beyond(rows, i, y, most),
        )
    )
    random = np.random.default_rng(0)
    for width in (0, 1, 3, 4, 5, 8, 12):
        rows = random.integers(0, 2**64, (11, width), dtype=np.uint64)
        for row in rows:
            expected = [sum((int(a) ^ int(b)).bit_count() for a, b in zip(rows[0], row))] * 2
            assert list(bits(rows[0], row)) == expected
        if width % 4 == 0:
            differing = [bits(rows[0], row)[0] for row in rows[2:10]]
            for most in {0, *differing, min(differing) - 1, 2**62}:
                assert eight(rows, 2, rows[0], most) == (min(differing) > most,) * 2


@pytest.mark.skipif(not VECTORS, reason="the plain twins take any row")
def test_rows_that_are_not_contiguous_are_refused():
    import numba
    from numba.core.errors import TypingError

    first = numba.njit(lambda rows: sums.sum_of_squares(rows[0], rows[1]))
    with pytest.raises(TypingError, match="follow one another"):
        first(np.asfortranarray(np.eye(3)))


def _calling(primitive, arguments):
    """Return a kernel that does nothing but call a primitive."""
    if arguments == 1:
        return kernel(lambda a: primitive(a))
    if arguments == 2:
        return kernel(lambda a, b: primitive(a, b))
    return kernel(lambda a, b, c, d: primitive(a, b, c, d))


def _tile_case(kind, steps, random, queries=8):
    """Return codes of a block, of some queries, and what goes with them: whole numbers, exactly added."""
    each = 4 // np.dtype(kind).itemsize
    own = {np.uint8: np.int8, np.int16: np.int16, np.float32: np.float32}[kind]
    low, high = (0, 256) if kind is np.uint8 else (-40, 41)
    codes = random.integers(low, high, (steps, registers.ROWS, each)).astype(kind)
    asked = random.integers(-32, 33, (queries, steps * each)).astype(own)
    if kind is np.uint8:  # sums that are as large as they can be, once codes are rounded
        asked[3], asked[5], codes[:, 7] = 127, -127, 255
        if tiles.BY_PAIRS:  # four that meet, all alike or two of them
            asked[3], asked[5] = 32, np.resize([-64, -64, 0, 0, 0, 0, -64, -64], steps * each)
    sums = np.float32 if kind is np.float32 else np.int32
    bias = random.integers(-50, 50, queries).astype(sums)
    norms = random.integers(0, 5000, registers.ROWS).astype(np.float32)
    factors = (random.integers(-8, 8, queries) / 4).astype(np.float32)
    limits = random.integers(-3000, 6000, queries - 2).astype(np.float32)
    return codes, asked, bias, norms, factors, limits


@pytest.mark.skipif(not VECTORS, reason="the plain twins stand in for the primitives")
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_tiles_equal_their_twins(kind, count):
    names = {1: "tile_of_one", 2: "tile_of_two", 3: "tile_of_three"}
    primitive, twin = (getattr(tiles, f"{plain}{names[count]}") for plain in ("", "plain_"))
    one = kernel(lambda *given: primitive(*given))
    other = kernel(lambda *given: twin(*given))
    random, near = np.random.default_rng(0), 0
    members = np.array([9, 9, 9, 4, 0, 2, 5, 1, 3])
    for steps in (1, 5, 16):
        codes, asked, bias, norms, factors, limits = _tile_case(kind, steps, random)
        fast, plain = np.zeros((2, tiles.TOGETHER), np.uint64)
        for masks, call in ((fast, one), (plain, other)):
            call(codes, asked, bias, norms, factors, 2, members, 3, limits, masks)
        assert fast.tolist() == plain.tolist()
        assert not fast[count:].any()
        near += sum(int(mask).bit_count() for mask in fast)
    assert 0 < near < 3 * 64 * count


@pytest.mark.skipif(not VECTORS, reason="the plain twins stand in for the primitives")
@pytest.mark.parametrize(
    "members", [[1], [0, 2, 3, 7], range(16), range(3, 39), [*range(17), 20, 39]], ids=len
)
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_tiles_of_most_equal_their_twin(kind, members):
    listed = np.array([*members, *[members[0]] * tiles.MOST])  # a tile may be larger than what is left
    random = np.random.default_rng(1)

    def all_masks(call, *given):
        found, masks = [], np.zeros(tiles.MOST, np.uint64)
        while len(found) < len(members):
            left = len(members) - len(found)
            done = call(*given[:-1], 2, listed, len(found), given[-1], masks, left)
            assert 0 < done <= min(left, tiles.MOST)
            found += masks[:done].tolist()
        return found

    @kernel
    def one(codes, *given):
        matrices.begin_products(codes)
        done = tiles.tile_of_most(codes, *given)
        matrices.end_products(codes)
        return done

    other = kernel(lambda *given: tiles.plain_tile_of_most(*given))
    near = 0
    for steps in (1, 5, 16, 17, 31, 64):  # up to a line of a matrix, and what is left of one
        case = _tile_case(kind, steps, random, 44)
        fast, plain = all_masks(one, *case), all_masks(other, *case)
        assert fast == plain
        near += sum(mask.bit_count() for mask in fast)
    assert 0 < near < 6 * 64 * len(members)


def test_matrices_are_multiplied_where_the_system_gives_their_registers(monkeypatch):
    assert (MATRIX and FOURS and matrices._permitted()) == matrices.MATRICES  # may be asked for again
    assert (16 if matrices.MATRICES else tiles.TOGETHER) == tiles.MOST
    monkeypatch.setattr("sys.platform", "win32")
    assert not matrices._permitted()


@pytest.mark.skipif(not VECTORS, reason="the plain twins stand in for the primitives")
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_values_of_tiles_equal_their_twins(kind):
    one = kernel(lambda *given: tiles.tile_values(*given))
    other = kernel(lambda *given: tiles.plain_tile_values(*given))
    random = np.random.default_rng(5)
    for steps in (1, 5, 16):
        *given, _ = _tile_case(kind, steps, random)
        codes, asked, bias, norms, factors = given
        fast, plain = np.zeros((2, registers.ROWS), np.float32)
        one(codes, asked, bias, norms, factors, 3, fast)
        other(codes, asked, bias, norms, factors, 3, plain)
        assert fast.tolist() == plain.tolist()
        assert len(set(fast)) > 1


@pytest.mark.skipif(not VECTORS, reason="the plain twins stand in for the primitives")
@pytest.mark.parametrize("name", ["turn_one", "turn_six"])
def test_turning_equals_its_twin(name):
    primitive, twin = getattr(tiles, name), getattr(tiles, f"plain_{name}")
    one = kernel(lambda *given: primitive(*given))
    other = kernel(lambda *given: twin(*given))
    random = np.random.default_rng(6)
    for dimensions in (1, 7, 70):
        columns = random.integers(-9, 9, (dimensions, registers.ROWS, 1)).astype(np.float32)
        rows = random.integers(-9, 9, (8, dimensions)).astype(np.float32)
        fast, plain = np.zeros((2, 8, 2 * registers.ROWS), np.float32)
        for out, call in ((fast, one), (plain, other)):
            call(columns, rows, 2, out, 2 * out.shape[1] + registers.ROWS, out.shape[1])
        assert fast.tolist() == plain.tolist()
        assert (fast[2, registers.ROWS :] == rows[2] @ columns[:, :, 0]).all()


@pytest.mark.skipif(not VECTORS, reason="the plain twins stand in for the primitives")
@pytest.mark.parametrize("how", ["squares", "magnitudes", "greatest"])
def test_boxes_and_rows_equal_their_twins(how):
    place = ["squares", "magnitudes", "greatest"].index(how)
    random = np.random.default_rng(1)
    for dimensions in (1, 3, 8, 20):
        at = random.integers(-9, 9, dimensions).astype(np.float32)
        corners = np.sort(random.integers(-9, 9, (dimensions, 2, registers.ROWS)), axis=1).astype(np.float32)
        rows = random.integers(-9, 9, (dimensions, registers.ROWS, 1)).astype(np.float32)
        for given, name in ((corners, "boxes"), (rows, "rows")):
            primitive, twin = (
                getattr(differences, f"{name}_by_{how}"),
                getattr(differences, f"plain_{name}_within")[place],
            )
            found = []
            for each in (primitive, twin):
                out = np.zeros(registers.ROWS, np.float32)
                mask = _calling(each, 4)(given, at, np.float32(12), out)
                found.append((int(mask), out.tolist()))
            assert found[0][0] == found[1][0]
            if found[0][0] or name == "boxes":  # rows stop early when none is left
                assert found[0] == found[1]


@pytest.mark.skipif(not VECTORS, reason="the plain twins stand in for the primitives")
@pytest.mark.parametrize("how", ["magnitudes", "greatest"])
def test_differences_of_codes_equal_their_twins(how):
    primitive = getattr(differences, f"codes_by_{how}")
    twin = differences.plain_codes_within[["magnitudes", "greatest"].index(how)]
    one, other = kernel(lambda *given: primitive(*given)), kernel(lambda *given: twin(*given))
    random, step = np.random.default_rng(8), np.float32(0.25)
    for dimensions in (1, 7, 8, 20):
        rows = random.integers(-90, 90, (dimensions, registers.ROWS, 1)).astype(np.int16)
        at = random.integers(-90, 90, dimensions).astype(np.int16)
        right = np.abs(rows[:, :, 0].astype(int) - at[:, None])
        right = step * (right.sum(axis=0) if how == "magnitudes" else right.max(axis=0))
        for limit in (-1.0, float(np.median(right)), 1e9, np.inf):
            found = []
            for call in (one, other):
                out = np.zeros(registers.ROWS, np.float32)
                found.append((int(call(rows, at, step, np.float32(limit), out)), out.tolist()))
            assert (
                found[0][0] == found[1][0] == sum(1 << j for j in range(registers.ROWS) if right[j] <= limit)
            )
            if found[0][0]:  # it stops early when none is left
                assert found[0][1] == found[1][1] == right.tolist()


def test_places_in_registers():
    values = np.random.default_rng(2).permutation(registers.ROWS).astype(np.float32)
    for lowest, least, within in (
        (registers.lowest, registers.place_of_least, registers.values_within),
        (registers.plain_lowest, registers.plain_place_of_least, registers.plain_values_within),
    ):
        mask = _calling(within, 2)(values, np.float32(9))
        assert int(mask) == sum(1 << j for j in np.flatnonzero(values <= 9).tolist())
        assert _calling(least, 1)(values) == values.argmin()
        assert _calling(lowest, 1)(np.uint64(mask)) == np.flatnonzero(values <= 9)[0]


def test_extremes_pass_over_what_is_no_number():
    values = np.random.default_rng(3).normal(size=registers.ROWS).astype(np.float32)
    values[[0, 20, 63]] = np.nan
    low, high, none = float(np.nanmin(values)), float(np.nanmax(values)), np.full_like(values, np.nan)
    for least, greatest in (
        (registers.least_of, registers.greatest_of),
        (registers.plain_least_of, registers.plain_greatest_of),
    ):
        least, greatest = _calling(least, 2), _calling(greatest, 2)
        assert (least(values, np.float32(np.inf)), least(values, np.float32(-9))) == (low, -9)
        assert (greatest(values, np.float32(-np.inf)), greatest(values, np.float32(9))) == (high, 9)
        assert (least(none, np.float32(1)), greatest(none, np.float32(1))) == (1, 1)
