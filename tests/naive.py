"""The oracle: distances and queries written to be obvious, in plain Python and float64."""

import ast
import functools
import math
import re
import tracemalloc

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


def weighted_minkowski(p, w):
    def distance(a, b):
        terms = [abs(float(x) - float(y)) for x, y in zip(a, b, strict=True)]
        if p == math.inf:
            return max(weight * term for weight, term in zip(w, terms, strict=True))
        return sum(weight * term**p for weight, term in zip(w, terms, strict=True)) ** (1 / p)

    return distance


def quadratic_form(matrix):
    def distance(a, b):
        d = [float(x) - float(y) for x, y in zip(a, b, strict=True)]
        return math.sqrt(
            max(sum(d[i] * matrix[i][j] * d[j] for i in range(len(d)) for j in range(len(d))), 0)
        )

    return distance


def chord(a, b):
    u, v = np.asarray(a, float), np.asarray(b, float)
    return float(np.linalg.norm(u / np.linalg.norm(u) - v / np.linalg.norm(v)))


def haversine(a, b, unit="radians"):
    (lat, lon), (lat2, lon2) = ((math.radians(x) if unit == "degrees" else x for x in row) for row in (a, b))
    s = math.sin((lat - lat2) / 2) ** 2 + math.cos(lat) * math.cos(lat2) * math.sin((lon - lon2) / 2) ** 2
    return 2 * math.atan2(math.sqrt(s), math.sqrt(max(1 - s, 0.0)))


def hamming_bits(a, b):
    return float(sum((int(x) ^ int(y)).bit_count() for x, y in zip(a, b, strict=True)))


def shares(a):
    total = sum(float(x) for x in a)
    return [float(x) / total for x in a]


def jensenshannon(a, b):
    total = 0.0
    for p, q in zip(shares(a), shares(b), strict=True):
        m = (p + q) / 2
        total += (p * math.log(p / m) if p else 0.0) + (q * math.log(q / m) if q else 0.0)
    return math.sqrt(max(total / 2, 0.0))


def hellinger(a, b):
    return math.sqrt(
        sum((math.sqrt(p) - math.sqrt(q)) ** 2 for p, q in zip(shares(a), shares(b), strict=True)) / 2
    )


def sqrt_triangular(a, b):
    return math.sqrt(sum((p - q) ** 2 / (p + q) for p, q in zip(shares(a), shares(b), strict=True) if p + q))


def wasserstein1d(a, b, positions=None):
    moved, carried = 0.0, 0.0
    positions = range(len(a)) if positions is None else positions
    p, q = shares(a), shares(b)
    for k in range(len(p) - 1):
        carried += p[k] - q[k]
        moved += abs(carried) * (positions[k + 1] - positions[k])
    return moved


def weighted_jaccard(a, b):
    least = sum(min(float(x), float(y)) for x, y in zip(a, b, strict=True))
    most = sum(max(float(x), float(y)) for x, y in zip(a, b, strict=True))
    return (most - least) / most if most else 0.0


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


def hausdorff(ground):
    def distance(a, b):
        directed = [max(min(ground(x, y) for y in right) for x in left) for left, right in ((a, b), (b, a))]
        return max(directed)

    return distance


def jaccard_of_rows(a, b):
    """Of rows of booleans, as the sets of the places that are true."""
    return jaccard(set(np.flatnonzero(a).tolist()), set(np.flatnonzero(b).tolist()))


def tree_edit(change=lambda a, b: float(a != b), gap=lambda a: 1.0):
    """By the recursion on the rightmost roots of two forests of nested tuples."""

    @functools.cache
    def between(left, right):
        if not left and not right:
            return 0.0
        choices = []
        if left:
            label, *children = left[-1]
            choices.append(between((*left[:-1], *children), right) + gap(label))
        if right:
            other, *others = right[-1]
            choices.append(between(left, (*right[:-1], *others)) + gap(other))
        if left and right:
            hung = between(tuple(children), tuple(others)) + change(label, other)
            choices.append(between(left[:-1], right[:-1]) + hung)
        return min(choices)

    return lambda a, b: between((tree(a),), (tree(b),))


def tree(given):
    """Nested tuples for a tree given so, or in brackets with labels of letters."""
    if isinstance(given, str):
        return ast.literal_eval(re.sub(r"\{(\w*)", r"('\1',", given).replace("}", "),"))[0]
    return given if isinstance(given, tuple) else (given,)


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


def most_memory(task):
    """Return the most bytes that are taken at once while a task runs."""
    tracemalloc.start()
    try:
        task()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
