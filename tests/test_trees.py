"""Tree edit distance on real trees, beside zss and apted; trees in every notation, kept and refused."""

import ast
import pickle

import numpy as np
import pytest

import metricspace as ms
from benchmarks.distances import trees as benchmark
from metricspace import errors
from metricspace.metrics import trees as family
from metricspace.objects import Trees
from tests import naive
from tests.workloads import LABEL_COSTS, weighted_tree_edit


@pytest.fixture(scope="module")
def syntax(data):
    """Syntax trees of Python functions."""
    lines = (data / "python_stdlib_ast.tsv").read_text(encoding="utf-8").splitlines()
    texts = [line.partition("\t")[2] for line in lines]
    return [texts[i] for i in np.random.default_rng(0).permutation(len(texts))]


def zss_tree(zss, text):
    label, *children = naive.tree(text)

    def node(label, *children):
        return zss.Node(label, [node(*child) for child in children])

    return node(label, *children)


def test_values_are_those_of_apted(syntax):
    apted, helpers = pytest.importorskip("apted"), pytest.importorskip("apted.helpers")
    few = syntax[:10]
    parsed = [helpers.Tree.from_text(text) for text in few]
    expected = [[apted.APTED(a, b).compute_edit_distance() for b in parsed] for a in parsed]
    assert ms.metric("tree_edit").pairwise(few).tolist() == expected


def test_values_are_those_of_zss_with_costs_of_their_own(syntax):
    zss = pytest.importorskip("zss")
    costs = {("Name", "Constant"): 0.5, ("Name", None): 0.75, ("Load", "Store"): 0.25, ("Call", None): 1.5}
    both = costs | {(b, a): cost for (a, b), cost in costs.items()}
    few = [text for text in syntax if text.count("{") < 40][:7]
    parsed = [zss_tree(zss, text) for text in few]

    def gap(node):
        return both.get((node.label, None), 1.0)

    def change(a, b):
        return 0.0 if a.label == b.label else both.get((a.label, b.label), 1.0)

    expected = [[zss.distance(a, b, lambda n: n.children, gap, gap, change) for b in parsed] for a in parsed]
    metric = ms.metric("tree_edit", costs=costs)
    assert metric.pairwise(few).tolist() == expected
    inexact = ms.metric("tree_edit", replace=0.7, insert=0.9)
    d = inexact.pairwise(few)
    assert (d == d.T).all()
    assert (np.diagonal(d) == 0).all()


def test_neighbours_are_those_of_the_scan(syntax):
    stored, asked = syntax[:150], syntax[150:156]
    scan = ms.LinearScan("tree_edit").fit(stored)
    d = scan.metric.pairwise(asked, stored)
    near, balls = scan.knn(asked, 8), scan.range(asked, 20)
    assert near.positions.tolist() == [naive.knn(row, 8)[0] for row in d]
    assert near.distances.tolist() == [naive.knn(row, 8)[1] for row in d]
    assert (near.cost < len(stored)).all()  # labels alone exclude some
    grown = ms.MTree("tree_edit").fit(stored[:100])
    grown.add(stored[100:])
    for index in (ms.VPTree("tree_edit").fit(stored), ms.LAESA("tree_edit", pivots=8).fit(stored), grown):
        hits, inside = index.knn(asked, 8), index.range(asked, 20)
        assert (hits.positions == near.positions).all()
        assert (hits.distances == near.distances).all()
        assert inside.positions.tolist() == balls.positions.tolist()
        assert inside.distances.tolist() == balls.distances.tolist()
        assert index.objects([0, 120]) == [stored[0], stored[120]]


@pytest.mark.parametrize("costs", [None, LABEL_COSTS, {("a", "b"): 0.3, ("b", None): 0.7}])
def test_bounds_and_limits_never_change_an_answer(costs):
    random = np.random.default_rng(1)
    few = [benchmark._random(random, int(size)) for size in random.integers(1, 16, 24)]
    metric = ms.metric("tree_edit", costs=costs)
    scan = ms.LinearScan(metric).fit(few)
    d = metric.pairwise(few)
    for radius in np.unique(d)[:16]:  # each is a distance, so that rounding up or down would show
        balls = scan.range(few, radius)
        assert [ids.tolist() for ids, _ in balls] == [naive.ranked(row, radius) for row in d]


def test_limits_on_trees_of_more_nodes_than_a_word_has_bits(syntax):
    large = [text for text in syntax if 60 < text.count("{") < 80][:12]
    scan = ms.LinearScan("tree_edit").fit(large)
    d = scan.metric.pairwise(large)
    for radius in (np.sort(d, axis=1)[:, 1], np.sort(d, axis=1)[:, 4]):
        balls = scan.range(large, radius)
        assert [ids.tolist() for ids, _ in balls] == [naive.ranked(row, r) for row, r in zip(d, radius)]


def deep(n, label="a"):
    return "{" + label + ("{" + label) * (n - 1) + "}" * n


def wide(n):
    return "{a" + "{a}" * (n - 1) + "}"


def test_extreme_shapes():
    metric = ms.metric("tree_edit")
    assert metric.distance("{a}", "{a}") == 0
    assert metric.distance("{a}", "{b}") == 1
    assert metric.distance(deep(5000), "{a{b}{c}}") == 5000  # b and c are not both on one path
    assert metric.distance(deep(5000), deep(5000)) == 0
    assert metric.distance(wide(3000), wide(2990)) == 10
    assert metric.distance(deep(300), wide(300)) == 2 * 298
    combs = [
        "{a" * 60 + "{b}}" * 60,
        "{a{b}" * 60 + "}" * 60,
    ]  # one is cheap from the left, one from the right
    assert metric.pairwise(combs)[0, 1] == metric.pairwise(combs[::-1])[0, 1] > 0
    nested = ("a",)
    for _ in range(5000):
        nested = ("a", nested)
    assert metric.distance(nested, ("a",)) == 5000
    container = metric.objects([nested])
    given = container.give([0])[0]
    for _ in range(5000):
        assert len(given) == 2
        given = given[1]
    assert given == ("a",)
    one, other = "{a{b{c}}{d}}", "{a{d{b}{c}}}"
    assert metric.distance(one, other) == naive.tree_edit()(one, other)
    assert weighted_tree_edit(one, other) == ms.metric("tree_edit", costs=LABEL_COSTS).distance(one, other)


def test_what_would_not_fit_in_memory_is_refused(monkeypatch):
    monkeypatch.setattr(family, "_MOST_WORDS", 10_000)
    with pytest.raises(errors.TooLarge, match="100 and 100 nodes"):
        ms.LinearScan("tree_edit").fit([deep(100)]).knn([deep(100)])
    endless = ["a"]
    endless.append(endless)
    monkeypatch.setattr("metricspace.objects.trees.MOST", 1000)
    for tree in (endless, deep(1001)):
        with pytest.raises(errors.TooLarge, match="1000 nodes"):
            Trees.of([tree])


TUPLES = [
    ("a", "b", ("c", ("d",), ["e"]), 7),
    ["a", ("b", (1, 2))],
    ((1, "x"), ((1, "x"),)),
    ("",),
    ("a", None),
]


def test_tuples_are_given_back():
    container = Trees.of(TUPLES)
    assert container.give([4, 3, 2, 1, 0]) == TUPLES[::-1]
    assert container.take(np.array([2, 0])).give([0, 1]) == [TUPLES[2], TUPLES[0]]
    grown = container.extended([("z", "z")])
    assert grown.give(range(6)) == [*TUPLES, ("z", "z")]
    assert container.nbytes == sum(array.nbytes for array in container.arrays().values())
    assert ms.metric("tree_edit").distance(("a", "b"), ["a", ("b",)]) == 0  # a leaf, however it is written


def test_brackets_are_given_back_and_escapes_kept():
    texts = ["{}", r"{\{x\}{\\}{ a b }}", "{日本{é}}", "{a{\n}}"]
    container = Trees.of(texts)
    assert container.give(range(4)) == texts
    assert list(container.vocabulary)[:4] == ["", "\\", " a b ", "{x}"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "character 0: expected '{', found the end"),
        ("a", "character 0: expected '{', found 'a'"),
        ("}", "character 0"),
        ("{a", "character 2: expected a brace, found the end"),
        ("{a}}", "character 3: expected nothing more, found '}'"),
        ("{a}{b}", r"character 3: expected nothing more, found '{b}'"),
        ("{a{b} {c}}", "character 5: expected a brace, found ' {c}}'"),
        (r"{a\b}", "character 2"),
        ("{a\\", "character 2"),
    ],
)
def test_malformed_brackets(text, says):
    with pytest.raises(errors.InvalidArgument, match="position 1 is malformed") as raised:
        Trees.of(["{a}", text])
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        ("{a}", errors.WrongType, r"pass \[x\]"),
        ([], errors.InvalidArgument, "at least one tree"),
        (5, errors.WrongType, "batch of trees"),
        ([("a",), 5], errors.WrongType, "int at position 1"),
        ([("a",), "{a}"], errors.WrongType, "given tuples and, at position 1, brackets"),
        ([("a",), ()], errors.InvalidArgument, "position 1 is empty"),
        ([("a", ())], errors.InvalidArgument, "position 0 is empty"),
        ([(["a"], "b")], errors.WrongType, "hashable labels, given a list"),
        ([("a", {1})], errors.WrongType, "hashable labels, given a set"),
        ([ast.parse("x"), ("a",)], errors.WrongType, "given ast"),
    ],
)
def test_what_is_no_tree_is_refused(data, error, says):
    with pytest.raises(error, match=says):
        ms.LinearScan("tree_edit").fit(data)


def test_costs_must_be_a_metric():
    with pytest.raises(errors.NotAMetric, match="triangle"):
        ms.metric("tree_edit", replace=3.0)
    with pytest.raises(errors.NotAMetric, match="positive"):
        ms.metric("tree_edit", insert=0)
    listed = ms.metric("tree_edit", costs={("x", "y"): 0.5})
    assert listed.distance(("x",), ("y",)) == 0.5  # though no indexed tree has x
    assert ms.LinearScan(listed).fit([("a", "y")]).knn([("a", "x")], 1).distances[0, 0] == 0.5


def test_syntax_trees():
    sources = ["x = 1", "y = 2", "x = f(1)", "for i in x:\n    print(i)"]
    nodes = [ast.parse(source) for source in sources]
    index = ms.VPTree("tree_edit").fit(nodes)
    hits = index.knn(nodes[:1], 4)
    assert hits.ids[0].tolist() == [0, 1, 2, 3]
    assert hits.distances[0, :3].tolist() == [0, 0, 3]  # Call and Name with Load come in
    assert index.objects([3, 1]) == [nodes[3], nodes[1]]
    assert index.knn([("Module", ("Assign", ("Name", "Store"), "Constant"))], 1).distances[0, 0] == 0
    with pytest.raises(errors.WrongType, match="like those before, given tuples"):
        ms.MTree("tree_edit").fit(nodes).add([("Module",)])
    grown = ms.MTree("tree_edit").fit(nodes[:2])
    grown.add(nodes[2:])
    assert grown.objects([0, 3]) == [nodes[0], nodes[3]]
    assert pickle.loads(pickle.dumps(index)).knn(nodes, 2).ids.tolist() == index.knn(nodes, 2).ids.tolist()


def test_storage(tmp_path):
    path = tmp_path / "index"
    given = [("a", "b", ["c"]), ("a", 3), ("b",)]
    index = ms.VPTree(ms.metric("tree_edit", costs={("a", "b"): 0.5})).fit(given)
    index.save(path)
    for loaded in (ms.load(path), ms.load(path, mmap=True), pickle.loads(pickle.dumps(index))):
        assert loaded.objects([0, 1, 2]) == given
        assert loaded.knn(given, 3).distances.tolist() == index.knn(given, 3).distances.tolist()
    with pytest.raises(errors.NotSupported, match="number the labels"):
        ms.VPTree("tree_edit").fit([(1.5,), (2.5,)]).save(path)
    with pytest.raises(errors.NotSupported, match="pickle"):
        ms.VPTree("tree_edit").fit([ast.parse("x")]).save(path)
    assert ms.load(path).n_objects == 3


def test_benchmark_runs(monkeypatch, tmp_path):
    pytest.importorskip("apted")
    pytest.importorskip("zss")
    assert [row["peer"] for row in benchmark.rows(small=True)] == ["apted", "zss"]
    monkeypatch.setattr(benchmark, "DATA", tmp_path)
    assert benchmark._trees()[0] == "random trees"
    assert all(naive.tree(text) for text in benchmark._trees()[1])
