"""Checks the data of the classical functions on the host, before anything compiles."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from jaxnets.host import checks

F = TypeVar("F", bound=Callable[..., Any])


def checked(function: F) -> F:
    """Makes a function of samples `x` and labels `y` of two classes take what `fit` takes.

    Both are converted and checked, `x_test` and `y_test` too. Under `jit` or `vmap` shapes and
    types are.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        for x, y in (("x", "y"), ("x_test", "y_test")):
            _convert(bound.arguments, x, y)
        return function(*bound.args, **bound.kwargs)

    return cast(F, call)


def _convert(given: dict[str, Any], x: str, y: str) -> None:
    if given.get(x) is not None:
        given[x] = checks.as_features(given[x], x)
    if given.get(y) is not None:
        given[y] = checks.as_labels(given[y], 2, y)
    if given.get(x) is not None and given.get(y) is not None:
        checks.require_same_length(given[x], given[y], (x, y))
