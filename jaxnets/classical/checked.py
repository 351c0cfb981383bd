"""Checks the data of the classical functions on the host, before anything compiles."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from jaxnets.classical.scaling import exact_features
from jaxnets.host import checks


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function of samples `x` and labels `y` of two classes take what `fit` takes.

    Both are converted and checked, `x_test` and `y_test` too; double precision is preserved. Under
    `jit` or `vmap` shapes and types are.
    """
    signature = inspect.signature(function)
    optional = [name for name, p in signature.parameters.items() if p.default is None]

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        given = bound.arguments
        for x, y in (("x", "y"), ("x_test", "y_test")):
            if x in given and (given[x] is not None or x not in optional):
                given[x] = exact_features(given[x], x)
            if y in given and (given[y] is not None or y not in optional):
                given[y] = checks.as_labels(given[y], 2, y)
            if given.get(x) is not None and given.get(y) is not None:
                checks.require_same_length(given[x], given[y], (x, y))
        return function(*bound.args, **bound.kwargs)

    return call
