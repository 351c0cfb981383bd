"""Networks of Flax's nnx and of Equinox, as models with `init` and `apply`.

    model = NNX(lambda rngs: Net(rngs=rngs))
    model = Equinox(lambda key: eqx.nn.MLP(2, 3, 32, 2, key=key))

Both packages hold the params inside of the network; an adapter builds it, and takes them out.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from jax import Array

from jaxnets.host import checks


@dataclass(frozen=True)
class NNX:
    """Adapts networks of `flax.nnx`; equal functions share compiled programs.

    The variables are `{"params": ..., "batch_stats": ...}`, those of the types `nnx.Param` and
    `nnx.BatchStat`; others, such as the state of random generators, are drawn from the key of
    each step. `module.train()` and `module.eval()` tell layers whether they are in training.

    Args:
        build: `rngs -> nnx.Module`, from `nnx.Rngs`.

    Raises:
        TypeError: a `build` that is not a function, such as a network that was built.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from flax import nnx
        >>> model = NNX(lambda rngs: nnx.Linear(3, 2, rngs=rngs))
        >>> variables = model.init(jax.random.key(0), jnp.ones((4, 3)))
        >>> model.apply(variables, jnp.ones((4, 3))).shape
        (4, 2)
    """

    build: Callable[[Any], Any]

    def __post_init__(self) -> None:
        checks.require_callable(self.build, "build", "lambda rngs: Net(rngs=rngs)")
        if isinstance(self.build, _nnx().Module):
            raise TypeError("build is a network; give a function: NNX(lambda rngs: Net(rngs=rngs))")

    def init(self, key: Array, x: Array) -> dict[str, Any]:
        """Draws the variables; x is not needed, since the network knows its inputs."""
        _, params, statistics, _ = self._split(key)
        return _pure(params, statistics)

    def apply(self, variables: dict[str, Any], x: Array) -> Array:
        """Computes the outputs `[batch, ...]` for samples x, in evaluation."""
        module = self._with(variables, jax.random.key(0))
        module.eval()
        return module(x)

    def apply_in_training(
        self, variables: dict[str, Any], x: Array, key: Array
    ) -> tuple[Array, dict[str, Any]]:
        """Computes the outputs in training, and the statistics after it."""
        nnx = _nnx()
        module = self._with(variables, key)
        module.train()
        outputs = module(x)
        changed = _pure(nnx.state(module, nnx.Param), nnx.state(module, nnx.BatchStat))
        return outputs, {name: part for name, part in changed.items() if name != "params"}

    def _split(self, key: Array) -> Any:
        nnx = _nnx()
        return nnx.split(self.build(nnx.Rngs(key)), nnx.Param, nnx.BatchStat, ...)

    def _with(self, variables: dict[str, Any], key: Array) -> Any:
        nnx = _nnx()
        graph, params, statistics, rest = self._split(key)
        nnx.replace_by_pure_dict(params, variables["params"])
        nnx.replace_by_pure_dict(statistics, variables.get("batch_stats", {}))
        return nnx.merge(graph, params, statistics, rest)


def _nnx() -> Any:
    from flax import nnx

    return nnx


def _pure(params: Any, statistics: Any) -> dict[str, Any]:
    nnx = _nnx()
    found = {"params": nnx.to_pure_dict(params), "batch_stats": nnx.to_pure_dict(statistics)}
    return {name: part for name, part in found.items() if part or name == "params"}


@dataclass(frozen=True)
class Equinox:
    """Adapts networks of Equinox, which take one sample; equal functions share compiled programs.

    The params are the network's floating-point arrays, with None in place of all else. Samples are
    mapped by `jax.vmap`; a network whose `__call__` takes a `key` gets one a sample in training,
    and `equinox.nn.inference_mode` holds in evaluation. Layers with an `equinox.nn.State`, such as
    its `BatchNorm`, are not supported.

    Args:
        build: `key -> equinox.Module`.

    Raises:
        TypeError: a `build` that is not a function, such as a network that was built.

    Example:
        >>> import equinox, jax, jax.numpy as jnp
        >>> model = Equinox(lambda key: equinox.nn.Linear(3, 2, key=key))
        >>> params = model.init(jax.random.key(0), jnp.ones((4, 3)))
        >>> model.apply(params, jnp.ones((4, 3))).shape
        (4, 2)
    """

    build: Callable[[Array], Any]

    def __post_init__(self) -> None:
        import equinox

        checks.require_callable(self.build, "build", "lambda key: eqx.nn.MLP(2, 3, 32, 2, key=key)")
        if isinstance(self.build, equinox.Module):
            raise TypeError(
                "build is a network; give a function of a key: Equinox(lambda key: ...)"
            )

    def init(self, key: Array, x: Array) -> Any:
        """Draws the params; x is not needed, since the network knows its inputs."""
        import equinox

        return equinox.filter(self.build(key), equinox.is_inexact_array)

    def apply(self, params: Any, x: Array) -> Array:
        """Computes the outputs `[batch, ...]` for samples x, in evaluation."""
        import equinox

        return jax.vmap(equinox.nn.inference_mode(self._with(params)))(x)

    def apply_in_training(self, params: Any, x: Array, key: Array) -> tuple[Array, dict[str, Any]]:
        """Computes the outputs in training; nothing else changes."""
        module = self._with(params)
        if "key" not in inspect.signature(module).parameters:
            return jax.vmap(module)(x), {}
        return jax.vmap(lambda x, key: module(x, key=key))(x, jax.random.split(key, len(x))), {}

    def _with(self, params: Any) -> Any:
        import equinox

        _, rest = equinox.partition(self.build(jax.random.key(0)), equinox.is_inexact_array)
        return equinox.combine(params, rest)
