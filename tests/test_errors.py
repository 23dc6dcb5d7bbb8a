"""Bad input gets one clear error, and nothing is lost."""

import numpy as np
import pytest

import metricspace as ms
from metricspace import errors

X = np.random.default_rng(0).random((50, 3))


@pytest.fixture(scope="module")
def index():
    return ms.VPTree().fit(X)


@pytest.mark.parametrize(
    ("metric", "objects", "error", "says"),
    [
        ("euclidean", [[1.0, np.nan]], errors.InvalidArgument, "NaN or infinity in row 0"),
        ("euclidean", [[1.0, 2.0], [np.inf, 0.0]], errors.InvalidArgument, "row 1"),
        ("euclidean", np.empty((0, 3)), errors.InvalidArgument, "at least one object"),
        ("euclidean", np.empty((3, 0)), errors.InvalidArgument, "at least one dimension"),
        ("euclidean", [1.0, 2.0], errors.WrongType, r"pass \[row\]"),
        ("euclidean", np.zeros((2, 2, 2)), errors.WrongType, "reshape"),
        ("euclidean", ["a", "b"], errors.WrongType, "real numbers"),
        ("euclidean", "word", errors.WrongType, "a single str"),
        ("euclidean", [[1, 2], [3]], errors.WrongType, "one row an object"),
        ("euclidean", [[1, "a"]], errors.WrongType, "real numbers"),
        ("euclidean", np.array([[1 + 2j]]), errors.WrongType, "real numbers"),
        ("euclidean", [[2**60, 1]], errors.InvalidArgument, r"2\*\*53"),
        ("euclidean", [[1e200, 1.0]], errors.InvalidArgument, "scale"),
        ("angular", [[0.0, 0.0], [1.0, 0.0]], errors.InvalidArgument, "length 0"),
        ("hamming", [[0.5, 1.0]], errors.WrongType, "whole numbers"),
        ("levenshtein", "word", errors.WrongType, r"pass \[x\]"),
        ("levenshtein", ["a", 3], errors.WrongType, "int at position 1"),
        ("levenshtein", [], errors.InvalidArgument, "at least one string"),
        ("levenshtein", 5, errors.WrongType, "batch of strings"),
        ("jaccard", [{1}, [2]], errors.WrongType, r"use set\(x\)"),
        ("jaccard", {1, 2}, errors.WrongType, "single set"),
        ("jaccard", [[2], [3]], errors.WrongType, r"booleans \(x != 0\)"),
        ("jaccard", np.eye(3), errors.WrongType, r"booleans \(x != 0\)"),
        ("jaccard", np.zeros((0, 3), bool), errors.InvalidArgument, "at least one object"),
        ("hausdorff", [], errors.InvalidArgument, "at least one set"),
        ("hausdorff", [[[1.0, 2.0]], []], errors.InvalidArgument, "position 1 is empty"),
        ("hausdorff", np.zeros((3, 2)), errors.WrongType, "each object is a set"),
        ("hausdorff", [np.zeros((2, 2)), np.zeros((2, 3))], errors.WrongType, r"\(3,\) at 1"),
        ("hausdorff", [1.0, 2.0], errors.WrongType, "float at position 0"),
        ("hausdorff", ["ab"], errors.WrongType, "str at position 0"),
        ("hausdorff", [[[np.nan, 1.0]]], errors.InvalidArgument, "points of all sets.*NaN"),
        ("precomputed", [[0, 1], [2, 0]], errors.InvalidArgument, "symmetric"),
        ("precomputed", [[0, 1, 2]], errors.InvalidArgument, "square"),
    ],
)
def test_objects_that_cannot_be_indexed(metric, objects, error, says):
    with pytest.raises(error, match=says):
        ms.LinearScan(metric).fit(objects)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda i: i.knn(X, 0), errors.InvalidArgument, "k of at least 1"),
        (lambda i: i.knn(X, -3), errors.InvalidArgument, "given -3"),
        (lambda i: i.knn(X, 2.5), errors.WrongType, "integer"),
        (lambda i: i.knn(X, True), errors.WrongType, "integer"),
        (lambda i: i.knn(X[0]), errors.WrongType, r"pass \[row\]"),
        (lambda i: i.knn(X[:, :2]), errors.InvalidArgument, "3 dimensions"),
        (lambda i: i.knn([[np.nan] * 3]), errors.InvalidArgument, "NaN"),
        (lambda i: i.knn("abc"), errors.WrongType, "single str"),
        (lambda i: i.knn(X, radius=-1), errors.InvalidArgument, "at least 0"),
        (lambda i: i.knn(X, radius=np.nan), errors.InvalidArgument, "at least 0"),
        (lambda i: i.range(X, [1.0, 2.0]), errors.InvalidArgument, "one for each of 50"),
        (lambda i: i.range(X, "far"), errors.WrongType, "radius"),
        (lambda i: i.knn(X, eps=-0.1), errors.InvalidArgument, "eps"),
        (lambda i: i.knn(X, eps=np.inf), errors.InvalidArgument, "eps"),
        (lambda i: i.knn(X, budget=0), errors.InvalidArgument, "budget"),
        (lambda i: i.knn(X, n_jobs=0), errors.InvalidArgument, "n_jobs"),
        (lambda i: i.knn(X, filter=[True, False]), errors.InvalidArgument, "50 booleans"),
        (lambda i: i.knn(X, filter=[99]), errors.UnknownName, "99"),
        (lambda i: i.knn(X, filter=[-1]), errors.UnknownName, "-1"),
        (lambda i: i.knn(X, filter="all"), errors.WrongType, "single string"),
        (lambda i: i.objects([77]), errors.UnknownName, "77"),
        (lambda i: i.objects(7), errors.WrongType, r"\[7\]"),
        (lambda i: i.add(X), errors.NotSupported, "MTree"),
        (lambda i: i.remove([1]), errors.NotSupported, "MTree"),
        (lambda i: i.save("/nowhere/at/all"), errors.StorageError, "could not write"),
    ],
)
def test_questions_that_cannot_be_answered(index, call, error, says):
    with pytest.raises(error, match=says):
        call(index)


def test_unknown_arguments_are_refused(index):
    for call in (
        lambda: index.knn(X, knn=3),
        lambda: ms.VPTree(leafsize=3),
        lambda: ms.metric("euclidean", p=3),
    ):
        with pytest.raises(TypeError):
            call()


@pytest.mark.parametrize(
    ("metric", "says"),
    [("cosine", "angular"), ("sqeuclidean", "euclidean"), ("dtw", "linear scan"), ("braycurtis", "jaccard")],
)
def test_what_is_no_metric_is_refused_with_the_remedy(metric, says):
    with pytest.raises(errors.NotAMetric, match=says):
        ms.VPTree(metric)


def test_unknown_names():
    with pytest.raises(errors.UnknownName, match="levenshtein"):
        ms.VPTree("levenstein")
    with pytest.raises(errors.NotAMetric, match=r"p = 0\.5"):
        ms.metric("minkowski", p=0.5)
    with pytest.raises(errors.InvalidArgument, match="p ≥ 1"):
        ms.metric("minkowski", p=float("nan"))
    with pytest.raises(errors.WrongType, match="function of two objects"):
        ms.VPTree(5)


@pytest.mark.parametrize("form", [list, lambda rows: [[row] for row in rows]], ids=["rows", "sets of points"])
def test_images_count_as_memory(form):
    rows = np.full((1000, 100), 0.01, np.float32)
    metric = "hellinger" if form is list else ms.metric("hausdorff", ground="hellinger")
    with pytest.raises(errors.TooLarge, match="max_bytes"):
        ms.LinearScan(metric, max_bytes=1_000_000).fit(form(rows))  # of which the rows take 400,000
    ms.VPTree(metric, max_bytes=1_300_000).fit(form(rows))
    copied = 400_000 if form is list else 0  # queries of a batch are compared with a copy of rows
    ms.LinearScan(metric, max_bytes=1_300_000 + copied).fit(form(rows))


def test_switches_are_true_or_false():
    with pytest.raises(errors.InvalidArgument, match="packed to be True or False, given 'no'"):
        ms.metric("jaccard", packed="no")


@pytest.mark.filterwarnings("error")
def test_codes_in_half_precision():
    rows = np.array([[1, 2, 65504], [1, 3, 0]], np.float16)
    assert ms.metric("hamming").pairwise(rows).tolist() == [[0, 2], [2, 0]]
    with pytest.raises(errors.WrongType, match="whole numbers"):
        ms.metric("hamming").pairwise(np.array([[np.inf]], np.float16))


def test_a_law_that_is_missing(structure):
    squared = ms.Metric(lambda a, b: float((a - b) ** 2), triangle=False)
    if structure is ms.LinearScan:
        assert structure(squared).fit([1, 2, 5]).knn([4], 1).distances[0, 0] == 1
    else:
        with pytest.raises(errors.NotAMetric, match="LinearScan"):
            structure(squared).fit([1, 2, 5])


def test_before_fit(structure):
    index = structure()
    for call in (
        lambda: index.knn(X),
        lambda: index.range(X, 1),
        lambda: index.count(X, 1),
        lambda: index.browse(X[0]),
        lambda: index.n_objects,
        lambda: index.save("x"),
        lambda: index.objects([0]),
    ):
        with pytest.raises(errors.NotFitted, match="fit"):
            call()


def test_a_failed_fit_leaves_the_index_as_it_was(structure):
    index = structure().fit(X)
    before = index.knn(X[:3], 2)
    with pytest.raises(errors.InvalidArgument):
        index.fit([[np.nan, 0, 0]])
    with pytest.raises(errors.InvalidArgument):
        index.fit(X, ids=[1, 1, *range(2, 50)])
    after = index.knn(X[:3], 2)
    assert (before.positions == after.positions).all()


def test_memory_is_estimated_before_it_is_taken(structure):
    with pytest.raises(errors.TooLarge, match="max_bytes"):
        structure(max_bytes=100).fit(X)
    with pytest.raises(errors.TooLarge, match="LAESA"):
        ms.AESA(max_bytes=10**6).fit(np.zeros((1000, 2)))


@pytest.mark.parametrize(
    ("ids", "error", "says"),
    [
        ([0] * 50, errors.InvalidArgument, "0 more than once"),
        (["a"] * 50, errors.InvalidArgument, "'a' more than once"),
        ([-1, *range(49)], errors.InvalidArgument, "negative"),
        (range(3), errors.InvalidArgument, "given 3"),
        ([0.5] * 50, errors.WrongType, "integers or all strings"),
        (
            [1, *"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvw"],
            errors.WrongType,
            "integers or all strings",
        ),
        ("ab" * 25, errors.WrongType, "single string"),
        ([2**70, *range(49)], errors.InvalidArgument, "64 bits"),
    ],
)
def test_ids_that_cannot_be_used(ids, error, says):
    with pytest.raises(error, match=says):
        ms.LinearScan().fit(X, ids=ids)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: ms.metric("euclidean", p=3), errors.WrongType, "takes no parameters"),
        (lambda: ms.metric("minkowski", P=3), errors.WrongType, "takes p, w"),
        (lambda: ms.VPTree("mahalanobis"), errors.WrongType, "missing a required argument: 'VI'"),
        (lambda: ms.metric(ms.metric("minkowski", p=3), p=1), errors.WrongType, "already"),
        (
            lambda: ms.metric("hausdorff", ground=ms.metric("minkowski", p=2), p=1),
            errors.WrongType,
            "already",
        ),
        (lambda: ms.Metric(abs, fourpoint=True), errors.WrongType, "four_point"),
        (lambda: ms.Metric(abs, rounding=np.nan), errors.InvalidArgument, "relative error"),
        (lambda: ms.metric("precomputed", rounding=-0.3), errors.InvalidArgument, "relative error"),
        (lambda: ms.metric("precomputed", rounding="x"), errors.InvalidArgument, "relative error"),
        (lambda: ms.metric("haversine", unit=["degrees"]), errors.InvalidArgument, "unit"),
        (lambda: ms.metric("haversine", radius=True), errors.InvalidArgument, "radius"),
        (lambda: ms.metric("minkowski", p=True), errors.InvalidArgument, "p ≥ 1"),
        (lambda: ms.metric("mahalanobis", VI=[[1.7e308]]), errors.InvalidArgument, "1e150"),
        (lambda: ms.metric("levenshtein", costs=[([1], "b", 1)]), errors.WrongType, "hashable"),
        (lambda: ms.metric("levenshtein", replace=1e200, insert=1e200), errors.InvalidArgument, "1e150"),
        (
            lambda: ms.metric("levenshtein", costs={("a", "b"): 1e-14, ("b", "c"): 1e-14, ("a", "c"): 9e-13}),
            errors.NotAMetric,
            "triangle",
        ),
        (
            lambda: ms.LinearScan().fit(X.astype(np.float32)).knn([[1e39, 0, 0]]),
            errors.InvalidArgument,
            "large",
        ),
        (
            lambda: ms.LinearScan("chord").fit(X.astype(np.float32)).knn([[1e-50, 0, 0]]),
            errors.InvalidArgument,
            "length 0",
        ),
        (lambda: ms.VPTree().fit(X).range(X), errors.InvalidArgument, "given none"),
    ],
)
def test_parameters_that_cannot_be_used(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_every_complaint_is_of_the_library_and_of_its_kind():
    for cls in vars(errors).values():
        if isinstance(cls, type):
            assert issubclass(cls, ms.MetricSpaceError)
    assert issubclass(errors.InvalidArgument, ValueError)
    assert issubclass(errors.WrongType, TypeError)
