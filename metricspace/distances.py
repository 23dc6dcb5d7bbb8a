"""The matrix of all distances between objects, by which AESA and its kin exclude."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .construction import COST, DONE, Construction
from .kernels import Array, kernel
from .space import Room, estimate, prepare


@kernel
def fill(matrix: Array, space: Any, room: Room, state: Array, patience: int) -> bool:
    """Fill rows of the matrix until `patience` distances are computed."""
    enough = state[COST] + patience
    n = matrix.shape[0]
    while state[DONE] < n and state[COST] < enough:
        row = state[DONE]
        query = prepare(space, space, row, room)
        for slot in range(row):
            d = estimate(space, slot, query)
            if room.fault[0] != 0:
                return False
            matrix[row, slot] = d
            matrix[slot, row] = d
        state[COST] += row
        state[DONE] = row + 1
    return state[DONE] == n


def all_distances(construction: Construction) -> npt.NDArray[np.float32]:
    """Return the distances between all objects; quadratic in memory and in time."""
    matrix = np.zeros((construction.count, construction.count), np.float32)
    construction.run(
        lambda: fill(matrix, construction.space, construction.room, construction.state, construction.patience)
    )
    return matrix
