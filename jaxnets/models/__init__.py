"""Models as Flax modules, used through `init(key, x) -> params` and `apply(params, x) -> y`."""

from jaxnets.models.mlp import MLP, ResidualMLP, compact, count_parameters

__all__ = ["MLP", "ResidualMLP", "compact", "count_parameters"]
