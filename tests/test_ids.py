"""The user's ids, and their order among ties."""

import numpy as np
import pytest

X = np.array([[0.0], [1.0], [1.0], [3.0]])


@pytest.mark.parametrize(
    ("ids", "missing"), [([40, 30, 20, 10], -1), (["d", "c", "b", "a"], None), (np.array([7, 8, 9, 5]), -1)]
)
def test_ids_of_the_users_own(structure, ids, missing):
    index = structure().fit(X, ids=ids)
    hits = index.knn([[1.0]], 6)
    names = list(ids)
    assert hits.ids[0].tolist() == [names[1], names[2], names[0], names[3], missing, missing]
    assert hits.positions[0].tolist() == [1, 2, 0, 3, -1, -1]
    assert index.range([[1.0]], 0.0).ids.tolist() == names[1:3]
    assert [name for name, _ in index.browse([1.0])] == hits.ids[0].tolist()[:4]
    assert index.objects([names[3], names[0]]).tolist() == [[3.0], [0.0]]
    assert index.knn([[1.0]], 1, filter=[names[3]]).ids[0, 0] == names[3]
    assert [
        name for name, _ in zip(*next(iter(index.range([[1.0]], 1.0, filter=[[names[0]]]))), strict=True)
    ] == names[:1]
