"""The oracle: distances and queries written to be obvious, in plain Python and float64."""

import math

import numpy as np


def euclidean(a, b):
    return math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)))


def manhattan(a, b):
    return sum(abs(float(x) - float(y)) for x, y in zip(a, b, strict=True))


def chebyshev(a, b):
    return max(abs(float(x) - float(y)) for x, y in zip(a, b, strict=True))


def minkowski(p):
    def distance(a, b):
        return sum(abs(float(x) - float(y)) ** p for x, y in zip(a, b, strict=True)) ** (1 / p)

    return distance


def angular(a, b):
    u, v = np.asarray(a, float), np.asarray(b, float)
    u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
    return 2 * math.atan2(np.linalg.norm(u - v), np.linalg.norm(u + v))


def hamming(a, b):
    return float(sum(x != y for x, y in zip(a, b, strict=True)))


def levenshtein(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y)))
    return float(row[-1])


def edit(costs, replace, insert):
    """Edit distance with costs of their own; None is the blank."""

    def price(x, y):
        usual = insert if None in (x, y) else replace
        return 0.0 if x == y else costs.get((x, y), costs.get((y, x), usual))

    def distance(a, b):
        table = {(0, 0): 0.0}
        for i in range(len(a) + 1):
            for j in range(len(b) + 1):
                ways = []
                if i:
                    ways.append(table[i - 1, j] + price(a[i - 1], None))
                if j:
                    ways.append(table[i, j - 1] + price(None, b[j - 1]))
                if i and j:
                    ways.append(table[i - 1, j - 1] + price(a[i - 1], b[j - 1]))
                if ways:
                    table[i, j] = min(ways)
        return table[len(a), len(b)]

    return distance


def jaccard(a, b):
    return (len(a | b) - len(a & b)) / len(a | b) if a | b else 0.0


def matrix(distance, queries, objects):
    """All distances of queries to objects."""
    return np.array([[distance(q, o) for o in objects] for q in queries]).reshape(len(queries), len(objects))


def ranked(row, radius=math.inf, allowed=None):
    """Positions within a radius, by (distance, position)."""
    inside = [i for i, d in enumerate(row) if d <= radius and (allowed is None or i in allowed)]
    return sorted(inside, key=lambda i: (row[i], i))


def knn(row, k, radius=math.inf, allowed=None):
    """The positions and distances of the k nearest, padded."""
    best = ranked(row, radius, allowed)[:k]
    missing = k - len(best)
    return best + [-1] * missing, [row[i] for i in best] + [math.inf] * missing
