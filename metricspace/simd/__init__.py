"""Vector primitives, each with a plain twin that says what it does.

A primitive is LLVM's vectors, which the compiler lowers to what the machine has. Its twin, in plain Numba,
gives the same to the bit, and stands in for it under ``METRICSPACE_SIMD=0`` and where nothing is compiled.
"""
