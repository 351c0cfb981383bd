"""What a network consists of: its layers with shapes, numbers of params, and operations."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.linen.dtypes import promote_dtype
from jax import lax
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun

from jaxnets.models import Conv
from jaxnets.objective import as_samples, calls_of
from jaxnets.ops.windows import pad, windows


class Layer(NamedTuple):
    """One layer of a network.

    Example:
        >>> Layer("output", "Dense", (1, 10), 330).parameters
        330
    """

    name: str
    """Its place, such as `layers_0`; "" for the whole network."""
    kind: str
    outputs: tuple[int, ...]
    """The shape of what it computes."""
    parameters: int
    """Trainable numbers, its own and those of the layers within."""


class Summary(NamedTuple):
    """A network's layers, in the order in which they compute; text is a table of them.

    Example:
        >>> import jax.numpy as jnp, jaxnets as jn
        >>> jn.summary(jn.MLP((32,), 10), jnp.ones((1, 64))).parameters
        2410
    """

    layers: list[Layer]
    parameters: int
    """Trainable numbers."""
    statistics: int
    """Numbers of other collections, such as running means."""
    operations: float
    """Floating-point operations of a forward pass, as XLA counts them; NaN if it does not."""

    def __str__(self) -> str:
        """Formats a table for a terminal."""
        head = ("layer", "kind", "outputs", "parameters")
        rows = [
            (layer.name or "(all)", layer.kind, str(layer.outputs), f"{layer.parameters:,}")
            for layer in self.layers
        ]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = [
            f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {outputs:<{widths[2]}}  {n:>{widths[3]}}"
            for name, kind, outputs, n in (head, *rows)
        ]
        more = f", {self.statistics:,} statistics" if self.statistics else ""
        total = f"{self.parameters:,} parameters{more}"
        if not np.isnan(self.operations):
            total += f", {self.operations:.3g} operations a forward pass"
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], total])


def summary(model: Any, x: Any) -> Summary:
    """Summarises a network for samples like `x`, without computing anything.

    Args:
        model: a Flax module, of which all layers are told apart, or another model.
        x: samples `[batch, ...]`; the shapes are of that batch, one sample will do.

    Returns:
        The layers, and sums over the network.

    Raises:
        ValueError, TypeError: samples that the model does not take.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxnets import CNN, models
        >>> from jaxnets.analysis import summary
        >>> net = CNN((models.Conv(4, 3), models.Flatten(), models.Dense(2)))
        >>> found = summary.summary(net, jnp.ones((1, 8, 8, 1)))
        >>> found.parameters, [layer.outputs for layer in found.layers[1:]]
        (330, [(1, 6, 6, 4), (1, 144), (1, 2)])
    """
    x = jnp.asarray(as_samples(model, x, "x"))
    calls = calls_of(model)
    variables = jax.eval_shape(calls.init, jax.random.key(0), x)
    named = isinstance(variables, dict) and "params" in variables
    params = variables["params"] if named else variables
    total, everything = _count(params), _count(variables)
    layers = _layers(model, calls, variables, x) if isinstance(model, nn.Module) else []
    if not layers:
        shape = jax.eval_shape(calls.evaluate, variables, x).shape
        layers = [Layer("", type(model).__name__, tuple(shape), total)]
    with nn.intercept_methods(_convolve_in_full):
        operations = _operations(jax.make_jaxpr(calls.evaluate)(variables, x))
    return Summary(layers, total, everything - total, operations)


def _count(tree: Any) -> int:
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def _layers(model: nn.Module, calls: Any, variables: Any, x: jax.Array) -> list[Layer]:
    found: dict[str, Layer] = {}

    def note(call: Any, args: Any, options: Any, context: nn.module.InterceptorContext) -> Any:
        outputs = call(*args, **options)
        if context.method_name == "__call__" and hasattr(outputs, "shape"):
            path = context.module.path
            own = context.module.variables.get("params", {})
            kind = type(context.module).__name__
            found["/".join(path)] = Layer("/".join(path), kind, tuple(outputs.shape), _count(own))
        return outputs

    def run(variables: Any, x: jax.Array) -> Any:
        with nn.intercept_methods(note):
            return calls.evaluate(variables, x)

    jax.eval_shape(run, variables, x)
    names = sorted(found, key=lambda name: bool(name))
    return [found[name] for name in names]


def _convolve_in_full(
    call: Any, args: Any, options: Any, context: nn.module.InterceptorContext
) -> Any:
    """Convolves by XLA, which has each product of the formula; forms for a CPU may have fewer."""
    layer = context.module
    if type(layer) is not Conv or context.method_name != "__call__":
        return call(*args, **options)
    params = layer.variables["params"]
    x, kernel = promote_dtype(next(iter([*args, *options.values()])), params["kernel"])
    at = windows(x.shape, layer.size, layer.strides, layer.padding)
    layout = ("NHWC", "HWIO", "NHWC")
    y = lax.conv_general_dilated(pad(x, at), kernel, at.strides, "VALID", dimension_numbers=layout)
    return y + params["bias"][None, None, None] if layer.bias else y


def _operations(program: ClosedJaxpr) -> float:
    """The operations of a program; XLA counts those of a loop for one of its steps."""
    shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in program.in_avals]
    costs = jax.jit(jaxpr_as_fun(program)).lower(*shapes).cost_analysis()
    once = float((costs or {}).get("flops", np.nan))
    return once + sum((steps - 1) * _operations(body) for steps, body in _loops(program.jaxpr))


def _loops(program: Jaxpr) -> Iterator[tuple[int, ClosedJaxpr]]:
    """The steps and the body of every scan, also of those within others."""
    for equation in program.eqns:
        if equation.primitive.name == "scan":
            yield equation.params["length"], equation.params["jaxpr"]
        for inner in jax.tree.leaves(equation.params):
            if isinstance(inner, Jaxpr | ClosedJaxpr):
                yield from _loops(inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner)
