"""Declaration of random parameters, of which networks that are there take no time to trace."""

from collections.abc import Callable

import flax.linen as nn
from jax import Array

ZEROS = nn.initializers.zeros_init()


def parameter(module: nn.Module, name: str, initialiser: Callable, shape: tuple[int, ...]) -> Array:
    """Declares a parameter as `module.param(name, initialiser, shape)` does.

    To check the shape of a parameter that is there, Flax traces its initialiser at every
    application. Random numbers were half of what GoogLeNet took to trace; zeros are traced in no
    time.

    Raises:
        flax.errors.ScopeParamShapeError: a parameter of another shape.

    Example:
        >>> import jax
        >>> class Scaled(nn.Module):
        ...     @nn.compact
        ...     def __call__(self, x):
        ...         return x * parameter(self, "scale", nn.initializers.normal(), (x.shape[-1],))
        >>> Scaled().apply({"params": {"scale": jax.numpy.ones(2)}}, jax.numpy.ones(2)).tolist()
        [1.0, 1.0]
    """
    known = module.has_variable("params", name)
    return module.param(name, ZEROS if known else initialiser, shape)
