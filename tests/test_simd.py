"""The vector primitives equal their plain twins to the bit."""

import numpy as np
import pytest

from metricspace import simd
from metricspace.kernels import COMPILED

TWINS = [
    (simd.sum_of_squares, simd.plain_sum_of_squares),
    (simd.sum_of_magnitudes, simd.plain_sum_of_magnitudes),
    (simd.greatest_magnitude, simd.plain_greatest_magnitude),
]


@pytest.mark.skipif(not COMPILED, reason="the plain twins stand in for the primitives")
@pytest.mark.parametrize(("primitive", "twin"), TWINS, ids=["squares", "magnitudes", "greatest"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_to_the_bit(primitive, twin, dtype):
    import numba

    both = numba.njit(lambda x, y: (primitive(x, y), twin(x, y)))
    random = np.random.default_rng(0)
    for width in (0, 1, 7, 8, 9, 16, 31, 64, 100):
        for scale in (1e-30, 1.0, 1e15):
            x, y = (random.normal(size=(2, width)) * scale).astype(dtype)
            fast, plain = both(x, y)
            assert fast == plain
            assert both(y, x) == (fast, fast)
            assert both(x, x) == (0.0, 0.0)


def test_what_they_compute():
    x, y = np.array([[1.0, -2.0, 4.0], [3.0, 0.5, 4.0]])
    assert simd.plain_sum_of_squares(x, y) == 4 + 6.25
    assert simd.plain_sum_of_magnitudes(x, y) == 2 + 2.5
    assert simd.plain_greatest_magnitude(x, y) == 2.5


@pytest.mark.skipif(not COMPILED, reason="the plain twins stand in for the primitives")
@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_lanes_equal_their_twins(bits):
    import numba

    primitive, twin = (getattr(simd, f"{name}advance_{bits}") for name in ("", "plain_"))

    @numba.njit
    def both(masks, offsets, length, least, most, fast, plain):
        primitive(masks, offsets, length, least, most, fast)
        twin(masks, offsets, length, least, most, plain)

    random = np.random.default_rng(bits)
    masks = random.integers(0, 256, 20 * simd.TILE, np.uint8)
    for length in (0, 1, 5, 40):
        offsets = random.integers(0, 19, length) * simd.TILE
        fast, plain = np.zeros((2, 8 * simd.TILE // bits), np.int8)
        both(masks, offsets, length, 18 * simd.TILE, 19 * simd.TILE, fast, plain)
        assert fast.tolist() == plain.tolist()
