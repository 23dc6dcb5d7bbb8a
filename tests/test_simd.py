"""The vector primitives equal their plain twins to the bit."""

import numpy as np
import pytest

from metricspace.kernels import kernel
from metricspace.simd import counts, patterns, sums, weaving
from metricspace.simd.vectors import VECTORS, WIDTH

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
