"""Arguments of queries, validated once at the edge."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InvalidArgument, WrongType


def whole_number(name: str, given: Any, least: int) -> int:
    """Return an integer argument, or say what is wrong with it."""
    if isinstance(given, bool) or not isinstance(given, (int, np.integer)):
        raise WrongType(f"expected {name} to be an integer of at least {least}, given {given!r}")
    if given < least:
        raise InvalidArgument(f"expected {name} of at least {least}, given {given}")
    return int(given)


def positive_number(name: str, given: Any) -> float:
    """Return a finite number above 0, or say what is wrong with it."""
    if isinstance(given, bool) or not isinstance(given, (int, float, np.number)):
        raise WrongType(f"expected {name} to be a number above 0, given {given!r}")
    if not 0 < given < np.inf:
        raise InvalidArgument(f"expected {name} above 0, given {given}")
    return float(given)


def one_of(name: str, given: Any, known: tuple[str, ...]) -> str:
    """Return an argument that is one of some words, or say which there are."""
    if given not in known:
        raise InvalidArgument(f"expected {name} to be one of {', '.join(known)}, given {given!r}")
    return str(given)


def radii_of(radius: Any, count: int) -> npt.NDArray[np.float64]:
    """Return a radius for each query, or say what is wrong with what was given."""
    if radius is None:
        raise InvalidArgument("expected a radius, or one for each query, given none")
    try:
        given = np.asarray(radius, np.float64)
    except (TypeError, ValueError) as error:
        raise WrongType(f"expected a radius, or one for each query, given {radius!r}") from error
    if given.ndim > 1 or (given.ndim == 1 and len(given) != count):
        raise InvalidArgument(
            f"expected a radius, or one for each of {count} queries, given shape {given.shape}"
        )
    if not (given >= 0 if given.ndim == 0 else (given >= 0).all()):  # NaN is not, either
        raise InvalidArgument(f"expected a radius of at least 0, given {given.min()}")
    radii = np.empty(count)  # a copy: kernels take no read-only arrays
    radii[:] = given
    return radii


def is_flat(chosen: Any) -> bool:
    """Whether a filter is one for all queries."""
    if isinstance(chosen, np.ndarray):
        return chosen.ndim == 1 and chosen.dtype != object
    if isinstance(chosen, (str, bytes)):
        raise WrongType(f"expected a mask or ids as a filter, given the single string {chosen!r}")
    return all(isinstance(one, (str, int, np.integer, np.bool_)) for one in chosen)
