"""The project's one way to compile.

``kernel``
    compiles a function without reference counting and without the GIL. A kernel allocates nothing
    and returns scalars; Python owns all memory. (Reference counts cost two to three times the speed
    of a search: four calls into the runtime for each distance.) Every compiler option is set here,
    because Numba lets a nested function inherit what it leaves unset from whichever caller compiles
    it first.

``called_kernel``
    a kernel that stays a function of its own, so that it is compiled once however many call it.

``generic``
    a function whose body is chosen by the class of its first argument, compiled or interpreted.
    Dispatch by type reaches the disk cache; functions passed as arguments never would.

The cache
    A compiled function is stored under a digest of everything that it was made from: the bytecode
    and constants of each function within its reach, the bodies chosen by the classes in its
    signature, the types, the compiler. Stale code therefore cannot be served: an edit gives another
    name. One file per entry, written aside and renamed, so processes cannot disturb each other.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import os
import pathlib
import pickle
import types as python_types
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import llvmlite
import numba
import numpy as np
from numba import config
from numba.core import types
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps
from numba.extending import overload

F = TypeVar("F", bound=Callable[..., Any])

Array = Any
"""An array inside a kernel, where Numba knows the type of its elements."""

COMPILED = not config.DISABLE_JIT
"""False under ``NUMBA_DISABLE_JIT=1``, when the same source runs interpreted."""

OPTIONS = {"_nrt": False, "nogil": True, "error_model": "numpy", "forceinline": True}

# Not ``fastmath=True``, which would also remove checks for NaN and infinity.
REORDER = {"reassoc", "contract", "nsz", "arcp"}

# Compiled code depends on these by their versions, so their functions need not be read.
_FOREIGN = ("numpy", "numba", "llvmlite", "math", "builtins", "operator", "ctypes")


def kernel(function: F) -> F:
    """Compile without reference counts; arithmetic in the order written, so results are reproducible."""
    return _compile(function, fastmath=False)


def called_kernel(function: F) -> F:
    """Compile a kernel that is called and not copied into its callers: a long one, or one of many callers."""
    return _compile(function, fastmath=False, forceinline=False)


def fast_kernel(function: F) -> F:
    """Compile a kernel whose sums may be reordered: for estimates, never for a reported distance."""
    return _compile(function, fastmath=REORDER)


def machine_code(kernel: Any, arguments: tuple[Any, ...]) -> Callable[..., Any]:
    """Return a kernel as compiled for arguments of these types, which takes no others and does not ask.

    A kernel finds out the types of its arguments at each call. Of a hundred arrays that takes ten
    microseconds, longer than many a search. Who calls the code must know that the types are still the same:
    see `kinds`.
    """
    if not COMPILED:
        return kernel
    return kernel.compile(tuple(map(numba.typeof, arguments)))


def kinds(value: Any) -> Any:
    """Return what tells apart the types that Numba gives to arrays, numbers, and tuples of them."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.ndim, value.flags.num
    return (type(value), *map(kinds, value)) if isinstance(value, tuple) else type(value)


def _compile(function: Any, **options: Any) -> Any:
    if not COMPILED:  # numbers wrap round, and become infinite or none, as silently as in compiled code
        return np.errstate(all="ignore")(function)
    compiled = numba.njit(function, **{**OPTIONS, **options})
    # Without a writable place (RuntimeError) each process compiles anew.
    with contextlib.suppress(RuntimeError):
        compiled._cache = Cache(function)
    return compiled


def generic(stub: F) -> Any:
    """Make `stub` a function whose body depends on the class of its first argument.

    Bodies are registered with ``@stub.of(cls, ...)``; one registered for `object` is the default.
    """
    bodies: dict[type, Callable[..., Any]] = {}

    def of(*classes: type) -> Callable[[F], F]:
        def register(body: F) -> F:
            bodies.update(dict.fromkeys(classes, body))
            return body

        return register

    if COMPILED:
        call: Any = stub
        pick: Any = lambda *arguments: _body(call, getattr(arguments[0], "instance_class", None))  # noqa: E731
        pick.__signature__ = inspect.signature(stub)
        # `_nrt` stays unset so that a body follows the kernel that calls it.
        overload(
            stub, jit_options={"nogil": True, "error_model": "numpy", "forceinline": True}, strict=False
        )(pick)
    else:

        @functools.wraps(stub)
        def call(first: Any, *rest: Any) -> Any:
            return _body(call, type(first))(first, *rest)

    call.of = of
    call.bodies = bodies
    return call


def _body(function: Any, cls: type | None) -> Any:
    return function.bodies.get(cls, function.bodies.get(object))


# --- the cache -------------------------------------------------------------------------------------


class Cache(FunctionCache):  # type: ignore[misc]  # Numba is untyped
    """Compiled code by the digest of all that it was made from."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._function = function
        self._directory = pathlib.Path(self._cache_path)

    def _path(self, signature: Any, codegen: Any) -> pathlib.Path:
        captured = _captured(self._function)
        typed = [
            *getattr(signature, "args", signature),
            *(value for value in captured if isinstance(value, types.Type)),
        ]
        classes = {cls for ty in typed for cls in _classes(ty)}
        purpose = [*map(str, typed), *map(_qualified, sorted(classes, key=_qualified))]
        purpose += [_qualified(value.py_func) for value in captured if isinstance(value, Dispatcher)]
        purpose += [numba.__version__, llvmlite.__version__, repr(codegen.magic_tuple())]
        text = "\n".join(_reach(self._function, classes, set()))
        name = _qualified(self._function).replace("<", "").replace(">", "")
        return self._directory / f"{name}.{_hash(repr(purpose))}.{_hash(text)}.nbc"

    def _load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            stored = self._path(sig, target_context.codegen()).read_bytes()
            if hashlib.sha256(stored[32:]).digest() != stored[:32]:
                return None
            return self._impl.rebuild(target_context, pickle.loads(stored[32:]))
        except (OSError, AttributeError, ImportError, pickle.PickleError):
            return None  # absent, unreadable, or of classes that are gone: compile

    def _save_overload(self, sig: Any, data: Any) -> None:
        if not self._impl.check_cachable(data):
            return
        path = self._path(sig, data.codegen)
        payload = dumps(self._impl.reduce(data))
        aside = path.with_name(f"{path.name}.{os.getpid()}.{id(data)}")
        with contextlib.suppress(OSError):
            self._impl.locator.ensure_cache_path()
            aside.write_bytes(hashlib.sha256(payload).digest() + payload)
            aside.replace(path)
            served_before = path.name.rsplit(".", 2)[0] + ".*.nbc"  # same purpose, older text
            for stale in set(self._directory.glob(served_before)) - {path}:
                stale.unlink(missing_ok=True)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _captured(function: Any) -> list[Any]:
    return [cell.cell_contents for cell in function.__closure__ or ()]


def _classes(ty: Any) -> Iterator[type]:
    """Yield the Python classes of the named tuples inside a Numba type."""
    if hasattr(ty, "instance_class"):
        yield ty.instance_class
    for part in getattr(ty, "types", ()):
        yield from _classes(part)


def _reach(value: Any, classes: set[type], seen: set[int]) -> Iterator[str]:
    """Yield a text for `value` and for everything that it refers to."""
    if id(value) in seen:
        return
    if isinstance(value, Dispatcher):
        yield _stable(sorted(value.targetoptions.items()))
        yield from _reach(value.py_func, classes, seen)
    elif isinstance(value, python_types.FunctionType):
        seen.add(id(value))
        if hasattr(value, "bodies"):  # a generic function
            for cls in sorted(value.bodies, key=_qualified):
                if cls in classes or cls is object:
                    yield _qualified(cls)
                    yield from _reach(value.bodies[cls], classes, seen)
        elif _is_foreign(value.__module__):
            yield _qualified(value)
        else:
            yield from _written(value.__code__)
            for referred in _referred(value):
                yield from _reach(referred, classes, seen)
    elif isinstance(value, python_types.CodeType):
        yield from _written(value)
    elif hasattr(value, "_defn"):  # an intrinsic
        yield from _reach(value._defn, classes, seen)
    elif isinstance(value, type):
        yield f"{_qualified(value)}{getattr(value, '_fields', '')}"
    elif isinstance(value, python_types.ModuleType):
        yield value.__name__
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}{hashlib.sha256(value.tobytes()).hexdigest()}"
    else:
        yield _stable(value)


def _written(code: python_types.CodeType) -> Iterator[str]:
    """Yield what the author wrote, line numbers and comments aside."""
    yield f"{code.co_name} {code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_freevars}"
    for constant in code.co_consts:
        if isinstance(constant, python_types.CodeType):
            yield from _written(constant)
        else:
            yield _stable(constant)


def _stable(value: Any) -> str:
    """Return a text of a constant that is the same in every process, which that of a set is not."""
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(_stable, value)))}}}"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_stable, value))})"
    return repr(value)


def _referred(function: python_types.FunctionType) -> Iterator[Any]:
    """Yield the globals, attributes of project modules, defaults and captured values of a function."""
    yield from _captured(function)
    yield from function.__defaults__ or ()
    names = sorted(_names(function.__code__))
    modules = []
    for name in names:
        if name in function.__globals__:
            value = function.__globals__[name]
            yield value
            if isinstance(value, python_types.ModuleType) and not _is_foreign(value.__name__):
                modules.append(value)
    for module in modules:
        for name in names:
            if hasattr(module, name):
                yield getattr(module, name)


def _names(code: python_types.CodeType) -> set[str]:
    nested = (constant for constant in code.co_consts if isinstance(constant, python_types.CodeType))
    return set(code.co_names).union(*map(_names, nested))


def _is_foreign(module: str | None) -> bool:
    return (module or "").partition(".")[0] in _FOREIGN


def _qualified(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"
