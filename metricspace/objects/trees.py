"""Ordered labelled trees, flat and in postorder."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgument, NotSupported, TooLarge, WrongType
from .base import Objects, Positions, appended, as_list, refuse_single
from .ragged import starts_of, take_ragged

MOST = 1 << 22
"""Nodes of one tree. A list that holds itself would have no end."""

# How a node was written.
_TUPLE, _LIST, _BARE, _OTHER = range(4)

# A node with its label begins, or a node ends.
_TOKEN = re.compile(r"\{((?:[^{}\\]|\\[{}\\])*)|\}")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = re.compile(r"([{}\\])")


class _Read(NamedTuple):
    """One tree in postorder."""

    labels: list[Hashable]
    sizes: list[int]
    forms: list[int]


class Nodes(NamedTuple):
    """The nodes of all trees in postorder: children before their parent."""

    starts: npt.NDArray[np.int64]
    """Tree i has the nodes ``starts[i]`` to ``starts[i + 1]``."""
    labels: npt.NDArray[np.uint32]
    """The code of each node's label, from 1; 0 for a label that no indexed tree has."""
    sizes: npt.NDArray[np.int64]
    """How many nodes the subtree of each node has, itself included."""
    forms: npt.NDArray[np.uint8]
    """How each node was written: as a tuple, as a list, as a bare label, or otherwise."""


class Trees(Objects):
    """Ordered labelled trees in postorder.

    Parameters
    ----------
    nodes : Nodes
        The nodes of all trees.
    vocabulary : dict
        The code of each label.
    notation : str
        What the user gave: "tuples", "brackets" or "ast".
    given : list, optional
        The user's own nodes, if `notation` is "ast".
    widest : int, optional
        Nodes of the largest tree that these are compared with; by default of these.
    """

    kind = "trees"

    def __init__(
        self,
        nodes: Nodes,
        vocabulary: dict[Hashable, int],
        notation: str,
        given: list[ast.AST] | None = None,
        widest: int | None = None,
    ) -> None:
        self.nodes, self.vocabulary, self.notation, self.given = nodes, vocabulary, notation, given
        self.widest = self.largest if widest is None else widest

    @classmethod
    def of(cls, data: Iterable[Any], known: Iterable[Hashable] = ()) -> Self:
        """Validate a batch of trees.

        Parameters
        ----------
        data : sequence of trees
            Nested tuples or lists ``(label, child, ...)``, whose children may be bare labels for leaves;
            strings ``"{label{child}...}"`` with a backslash before braces and backslashes in a label; or
            nodes of the module ``ast``. One of these throughout.
        known : labels, optional
            Labels to be numbered whether they occur or not.

        Raises
        ------
        WrongType, InvalidArgument
            If something is no tree; the message says which and where.
        """
        vocabulary = {label: code for code, label in enumerate(dict.fromkeys(known), 1)}
        container = cls(_joined([], []), vocabulary, "").extended(data)
        if len(container) == 0:
            raise InvalidArgument("expected at least one tree, given none")
        return container

    def __len__(self) -> int:
        return len(self.nodes.starts) - 1

    @property
    def largest(self) -> int:
        """Nodes of the largest tree."""
        return int(np.diff(self.nodes.starts).max(initial=0))

    @property
    def nbytes(self) -> int:
        return super().nbytes + 8 * len(self.given or ())  # references; the nodes are the user's

    def take(self, positions: Positions) -> Self:
        columns: tuple[npt.NDArray[Any], ...] = self.nodes[1:]
        taken = [take_ragged(self.nodes.starts, column, positions) for column in columns]
        given = None if self.given is None else [self.given[i] for i in positions]
        nodes = Nodes(taken[0][0], *(column for _, column in taken))
        return type(self)(nodes, self.vocabulary, self.notation, given, self.widest)

    def encode(self, data: Iterable[Any]) -> Self:
        notation, trees, given = _read(data)
        codes = [self.vocabulary.get(label, 0) for tree in trees for label in tree.labels]
        return type(self)(_joined(trees, codes), self.vocabulary, notation, given, self.widest)

    def extended(self, data: Iterable[Any]) -> Self:
        notation, trees, given = _read(data)
        if self.notation and trees and notation != self.notation:
            raise WrongType(
                f"expected trees as {self.notation} like those before, given {notation}: "
                "write them in one notation, so that they can be given back"
            )
        vocabulary = dict(self.vocabulary)
        codes = [vocabulary.setdefault(label, len(vocabulary) + 1) for tree in trees for label in tree.labels]
        more = _joined(trees, codes)
        starts = self.nodes.starts
        both: Iterable[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = zip(self.nodes[1:], more[1:])
        return type(self)(
            Nodes(appended(starts, starts[-1] + more.starts[1:]), *(appended(*columns) for columns in both)),
            vocabulary,
            notation or self.notation,
            None if given is None else [*(self.given or ()), *given],
        )

    def give(self, positions: Positions) -> list[Any]:
        if self.given is not None:
            return [self.given[i] for i in positions]
        named = ["", *self.vocabulary]
        write = _as_brackets if self.notation == "brackets" else _as_tuples
        starts, labels, sizes, forms = self.nodes
        spans = [slice(starts[i], starts[i + 1]) for i in positions]
        return [
            write([named[code] for code in labels[span]], sizes[span].tolist(), forms[span].tolist())
            for span in spans
        ]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return self.nodes._asdict()

    def header(self) -> dict[str, Any]:
        named = list(self.vocabulary)
        if self.given is not None:
            raise NotSupported(
                "nodes of the module ast cannot be stored in a file: pickle the index, "
                "or index them as tuples (label, child, ...)"
            )
        if not all(type(label) in (int, str) for label in named):
            raise NotSupported(
                "only trees whose labels are integers or strings can be stored in a file: "
                "number the labels, or pickle the index"
            )
        return {"vocabulary": named, "notation": self.notation}

    @classmethod
    def restore(cls, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> Self:
        vocabulary = {label: code for code, label in enumerate(header["vocabulary"], 1)}
        return cls(Nodes(**arrays), vocabulary, header["notation"])


# --- reading -----------------------------------------------------------------------------------------


def _read(data: Iterable[Any]) -> tuple[str, list[_Read], list[ast.AST] | None]:
    """Return the notation of a batch, its trees, and, if they are nodes of the module ast, those."""
    refuse_single(data, "trees")
    batch = as_list(data, "trees")
    notations = [_notation(one, i) for i, one in enumerate(batch)]
    for i, notation in enumerate(notations):
        if notation != notations[0]:
            raise WrongType(
                f"expected one notation in a batch, given {notations[0]} and, at position {i}, {notation}: "
                "write all trees in one"
            )
    if not batch:
        return "", [], None
    readers: dict[str, Callable[[Any, int], _Read]] = {
        "brackets": _from_brackets,
        "tuples": _from_tuples,
        "ast": _from_ast,
    }
    trees = [readers[notations[0]](one, i) for i, one in enumerate(batch)]
    return notations[0], trees, batch if notations[0] == "ast" else None


def _notation(one: Any, i: int) -> str:
    if isinstance(one, str):
        return "brackets"
    if isinstance(one, (tuple, list)):
        return "tuples"
    if isinstance(one, ast.AST):
        return "ast"
    raise WrongType(
        f"expected trees, given a {type(one).__name__} at position {i}: write (label, child, ...), "
        "'{label{child}...}', or pass a node of the module ast; (label,) is a tree of one node"
    )


def _from_brackets(text: str, i: int) -> _Read:
    tree = _Read([], [], [])
    opened: list[tuple[str, int]] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None or (not opened and (at > 0 or token[1] is None)):
            break
        at = token.end()
        if token[1] is not None:
            opened.append((_ESCAPED.sub(r"\1", token[1]), len(tree.sizes)))
            continue
        label, before = opened.pop()
        tree.labels.append(label)
        tree.sizes.append(len(tree.sizes) - before + 1)
    if at < len(text) or opened or not text:
        what = repr(text[at : at + 10]) if at < len(text) else "the end"
        wanted = "a brace" if opened else "'{'" if at == 0 else "nothing more"
        raise InvalidArgument(
            f"the tree at position {i} is malformed at character {at}: expected {wanted}, found {what}; "
            "write '{label{child}...}', with a backslash before braces and backslashes in a label"
        )
    _refuse_too_large(len(tree.sizes), i)
    tree.forms.extend([_OTHER] * len(tree.sizes))
    return tree


def _from_tuples(root: Any, i: int) -> _Read:
    def visit(node: Any) -> tuple[Hashable, Any, int]:
        if not isinstance(node, (tuple, list)):
            label, children, form = node, [], _BARE
        elif node:
            label, *children = node
            form = _LIST if isinstance(node, list) else _TUPLE
        else:
            raise InvalidArgument(f"a node of the tree at position {i} is empty: write (label, child, ...)")
        try:
            hash(label)
        except TypeError:
            raise WrongType(
                f"expected hashable labels, given a {type(label).__name__} in the tree at position {i}: "
                "a node is (label, child, ...), and the label comes first"
            ) from None
        return label, children, form

    return _walked(root, visit, i)


def _from_ast(root: ast.AST, i: int) -> _Read:
    def visit(node: ast.AST) -> tuple[Hashable, Any, int]:
        return type(node).__name__, list(ast.iter_child_nodes(node)), _OTHER

    return _walked(root, visit, i)


def _walked(root: Any, visit: Callable[[Any], tuple[Hashable, Any, int]], i: int) -> _Read:
    """Return a tree whose nodes give their label, children and form; without recursion, however deep."""
    tree, arities, waiting = _Read([], [], []), [], [root]
    while waiting:  # parents first, children from the right: postorder backwards
        label, children, form = visit(waiting.pop())
        tree.labels.append(label)
        tree.forms.append(form)
        arities.append(len(children))
        waiting.extend(children)
        _refuse_too_large(len(arities), i)
    for part in (tree.labels, tree.forms, arities):
        part.reverse()
    for arity in arities:
        size = 1
        for _ in range(arity):
            size += tree.sizes[-size]
        tree.sizes.append(size)
    return tree


def _refuse_too_large(size: int, i: int) -> None:
    if size > MOST:
        raise TooLarge(
            f"the tree at position {i} has more than {MOST} nodes, or holds itself: use smaller trees"
        )


def _joined(trees: list[_Read], codes: list[int]) -> Nodes:
    """Return the nodes of trees that follow one another; the codes are those of their labels."""
    starts = starts_of((len(tree.sizes) for tree in trees), len(trees))
    sizes = itertools.chain.from_iterable(tree.sizes for tree in trees)
    forms = itertools.chain.from_iterable(tree.forms for tree in trees)
    return Nodes(
        starts,
        np.array(codes, np.uint32),
        np.fromiter(sizes, np.int64, len(codes)),
        np.fromiter(forms, np.uint8, len(codes)),
    )


# --- giving back -------------------------------------------------------------------------------------


def _as_tuples(labels: list[Any], sizes: list[int], forms: list[int]) -> Any:
    built: list[tuple[Any, int]] = []
    for label, size, form in zip(labels, sizes, forms):
        children, left = [], size - 1
        while left:
            child, nodes = built.pop()
            children.append(child)
            left -= nodes
        children.append(label)
        children.reverse()
        built.append((label if form == _BARE else children if form == _LIST else tuple(children), size))
    return built[0][0]


def _as_brackets(labels: list[Any], sizes: list[int], forms: list[int]) -> str:
    begins: list[list[str]] = [[] for _ in labels]  # by leaf: the nodes whose first leaf it is, from below
    for k, (label, size) in enumerate(zip(labels, sizes)):
        begins[k - size + 1].append("{" + _SPECIAL.sub(r"\\\1", label))
    return "".join("".join(reversed(several)) + "}" for several in begins)
