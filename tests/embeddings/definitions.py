"""The definitions, word by word, in plain Python."""

import math
from itertools import combinations, permutations


def lifted_loss(embeddings, labels, margin):
    n = range(len(labels))
    positive = [(i, j) for i, j in combinations(n, 2) if labels[i] == labels[j]]
    total = 0.0
    for i, j in positive:
        inner = sum(
            math.exp(margin - math.dist(embeddings[i], embeddings[k])) for k in n if labels[k] != labels[i]
        )
        inner += sum(
            math.exp(margin - math.dist(embeddings[j], embeddings[k])) for k in n if labels[k] != labels[j]
        )
        if inner > 0:
            total += max(0.0, math.log(inner) + math.dist(embeddings[i], embeddings[j])) ** 2
    return total / (2 * len(positive)) if positive else 0.0


def lifted_gradient(embeddings, labels, margin):
    """Sub-gradients of the loss with respect to the distances, by the formulas of the paper."""
    n = range(len(labels))
    distance = [[math.dist(a, b) for b in embeddings] for a in embeddings]
    positive = [(i, j) for i, j in combinations(n, 2) if labels[i] == labels[j]]
    slopes = [[0.0] * len(labels) for _ in n]
    for i, j in positive:
        inner = sum(math.exp(margin - distance[a][k]) for a in (i, j) for k in n if labels[k] != labels[a])
        bound = math.log(inner) + distance[i][j]
        if bound <= 0:
            continue
        slopes[i][j] += bound / len(positive)
        for a in (i, j):
            for k in n:
                if labels[k] != labels[a]:
                    slopes[a][k] -= bound / len(positive) * math.exp(margin - distance[a][k]) / inner
    gradient = [[0.0] * len(embeddings[0]) for _ in n]
    for i in n:
        for j in n:
            if distance[i][j] > 0:
                for axis, (a, b) in enumerate(zip(embeddings[i], embeddings[j])):
                    gradient[i][axis] += slopes[i][j] * (a - b) / distance[i][j]
                    gradient[j][axis] -= slopes[i][j] * (a - b) / distance[i][j]
    return gradient


class Compared:
    """Each item with each of others; if `own`, these begin with the items themselves."""

    def __init__(self, embeddings, labels, others, names, own):
        self.distance = [[math.dist(a, b) for b in others] for a in embeddings]
        self.items, self.others = range(len(labels)), range(len(names))
        alike = [(i, j) for i in self.items for j in self.others if labels[i] == names[j]]
        self.positive = [(i, j) for i, j in alike if not (own and i == j)]
        self.negative = [(i, j) for i in self.items for j in self.others if labels[i] != names[j]]

    def to_positives(self, i):
        return [self.distance[a][j] for a, j in self.positive if a == i]

    def to_negatives(self, i):
        return [self.distance[a][j] for a, j in self.negative if a == i]

    def from_negatives(self, j):
        return [self.distance[i][b] for i, b in self.negative if b == j]

    def anchors(self):
        return [i for i in self.items if self.to_positives(i)]


def mean(values):
    return sum(values) / len(values) if values else 0.0


def squared_bounds(compared, margin, join):
    values = []
    for i, j in compared.positive:
        terms = [margin - d for d in compared.to_negatives(i) + compared.from_negatives(j)]
        values.append(max(0.0, join(terms) + compared.distance[i][j]) ** 2 / 2 if terms else 0.0)
    return mean(values)


def log_sum_exp(terms):
    return math.log(sum(math.exp(term) for term in terms))


def lifted(compared, margin):
    return squared_bounds(compared, margin, log_sum_exp)


def exact_lifted(compared, margin):
    return squared_bounds(compared, margin, max)


def generalized_lifted(compared, margin):
    values = []
    for i in compared.anchors():
        closeness = [margin - d for d in compared.to_negatives(i)]
        far = log_sum_exp(compared.to_positives(i))
        values.append(max(0.0, far + log_sum_exp(closeness)) if closeness else 0.0)
    return mean(values)


def contrastive(compared, margin):
    total = sum(compared.distance[i][j] ** 2 / 2 for i, j in compared.positive)
    total += sum(max(0.0, margin - compared.distance[i][k]) ** 2 / 2 for i, k in compared.negative)
    return total / len(compared.positive) if compared.positive else 0.0


def batch_hard(compared, margin):
    values = []
    for i in compared.anchors():
        negatives = compared.to_negatives(i)
        hinge = margin + max(compared.to_positives(i)) - min(negatives, default=math.inf)
        values.append(max(0.0, hinge))
    return mean(values)


def semi_hard(compared, margin):
    values = []
    for i, j in compared.positive:
        negatives, near = compared.to_negatives(i), compared.distance[i][j]
        farther = [d for d in negatives if d > near]
        chosen = min(farther) if farther else max(negatives, default=math.inf)
        values.append(max(0.0, margin + near - chosen))
    return mean(values)


def nearest_others(embeddings, i):
    others = [j for j in range(len(embeddings)) if j != i]
    return sorted(others, key=lambda j: (math.dist(embeddings[i], embeddings[j]), j))


def recall(embeddings, labels, k):
    n = range(len(labels))
    return sum(any(labels[j] == labels[i] for j in nearest_others(embeddings, i)[:k]) for i in n) / len(
        labels
    )


def accompanied(labels):
    return [i for i, label in enumerate(labels) if labels.count(label) > 1]


def recall_of_accompanied(embeddings, labels, k):
    found = [
        any(labels[j] == labels[i] for j in nearest_others(embeddings, i)[:k]) for i in accompanied(labels)
    ]
    return sum(found) / len(found)


def precision_at_1(embeddings, labels):
    found = [labels[nearest_others(embeddings, i)[0]] == labels[i] for i in accompanied(labels)]
    return sum(found) / len(found)


def r_precision_and_map(embeddings, labels):
    precisions, averages = [], []
    for i in range(len(labels)):
        r = sum(label == labels[i] for label in labels) - 1
        if r == 0:
            continue
        hits = [labels[j] == labels[i] for j in nearest_others(embeddings, i)[:r]]
        precisions.append(sum(hits) / r)
        averages.append(sum(sum(hits[: rank + 1]) / (rank + 1) for rank in range(r) if hits[rank]) / r)
    return sum(precisions) / len(precisions), sum(averages) / len(averages)


def nmi(clusters, classes):
    n = len(classes)

    def entropy(names):
        return -sum(names.count(name) / n * math.log(names.count(name) / n) for name in set(names))

    both = list(zip(clusters, classes))
    information = entropy(clusters) + entropy(classes) - entropy(both)
    return 2 * information / (entropy(clusters) + entropy(classes))


def ami(clusters, classes):
    """By the definition of the expectation: the mean over all orders of the class labels."""
    n = len(classes)

    def information(one, other):
        total = 0.0
        for a in set(one):
            for b in set(other):
                both = sum(x == a and y == b for x, y in zip(one, other))
                if both:
                    total += both / n * math.log(n * both / (one.count(a) * other.count(b)))
        return total

    def entropy(names):
        return -sum(names.count(name) / n * math.log(names.count(name) / n) for name in set(names))

    orders = list(permutations(classes))
    expected = sum(information(clusters, order) for order in orders) / len(orders)
    most = (entropy(clusters) + entropy(classes)) / 2
    return (information(clusters, classes) - expected) / (most - expected)


def pair_f1(clusters, classes):
    pairs = list(combinations(range(len(classes)), 2))
    together = [clusters[i] == clusters[j] for i, j in pairs]
    alike = [classes[i] == classes[j] for i, j in pairs]
    true = sum(a and b for a, b in zip(together, alike))
    if true == 0:
        return 0.0
    precision, recalled = true / sum(together), true / sum(alike)
    return 2 * precision * recalled / (precision + recalled)
