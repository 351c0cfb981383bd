"""The objective that training minimises: the mean loss on a batch, plus penalties."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.host import checks
from jaxnets.losses import AnyLoss, Loss, get_loss

Params = Any
Batch = dict[str, Array]
Metrics = dict[str, Array]
Hparams = Mapping[str, Any]
PENALTIES = ("l1", "l2")
Metric = Callable[..., Array]
"""`(outputs [samples, k], targets) -> number`, and `weight` if it has an argument of that name."""
MetricPairs = tuple[tuple[str, Metric], ...]
RECORDED = ("loss", "accuracy")
"""The metrics that every run of a classifier records; the first of them any other run, too."""
PARTS = {"x", "y", "weight"}
BLOCK, SMALLEST_BLOCK = 500, 16
"""Samples evaluated at a time, and the fewest of large images."""
BLOCK_ENTRIES = 250_000
"""How many pixels the images of a block may have, as 318 of MNIST's."""


class Narrowable(Protocol):
    """What a model may offer beyond `init` and `apply`: traced hyper-parameters of its own."""

    hparam_names: tuple[str, ...]
    """Their names, such as `("width",)`."""

    def check_hparams(self, **own: Any) -> None:
        """Raises a ValueError for values that one network cannot have."""

    def narrow(self, params: Params, **own: Array) -> Params:
        """Changes the first params to those of the network that the values describe."""

    def gradient_mask(self, params: Params, **own: Array) -> Params:
        """Returns ones and zeros, by which the gradients are multiplied."""


class Adjustable(Protocol):
    """What a model may offer beyond `init` and `apply`: fields that training may trace."""

    traced_fields: tuple[str, ...]
    """Their names, such as `("dropout",)`."""

    def check_hparams(self, **own: Any) -> None:
        """Raises a ValueError for values that one network cannot have."""

    def clone(self, **own: Array) -> Any:
        """Returns a model with other values; evaluation has those of the model itself."""


def own_hparams(model: Any, hparams: Hparams, kind: str = "hparam_names") -> dict[str, Any]:
    """Returns those hyper-parameters that the model itself takes.

    They are those of a `Narrowable` model, or of an `Adjustable` one if kind is "traced_fields".
    """
    return {name: hparams[name] for name in getattr(model, kind, ()) if name in hparams}


class Recording(Protocol):
    """What a history depends on; a `TrainSpec` has it."""

    @property
    def model(self) -> Any:
        """With `init` and `apply`."""

    @property
    def loss(self) -> AnyLoss:
        """The loss, or its name."""

    @property
    def metrics(self) -> Any:
        """Pairs of a name and a function."""


FLAGS = {"train": True, "training": True, "is_training": True, "deterministic": False}
"""Arguments that tell a model whether it is in training, with their values where it is."""


class Calls(NamedTuple):
    """How a model is called, by the arguments that it takes."""

    init: Callable[..., Params]
    """`(key, x)` to the first params for samples like x."""
    evaluate: Callable[..., Array]
    """`(params, x)` to the outputs, without dropout and by saved statistics."""
    training: dict[str, bool]
    """What tells the model that it is in training."""
    draws: str
    """The argument that gets random keys then: "rngs" (a dict, as in Flax), "key", or "" for none.
    """


def calls_of(model: Any) -> Calls:
    """Finds out how to call a model: a Flax module by its `__call__`, another by its `apply`."""
    of_flax = isinstance(model, nn.Module)
    taken = inspect.signature(type(model).__call__ if of_flax else model.apply).parameters
    init: Any = getattr(model, "init", None)
    evaluate, training = model.apply, {}
    also = taken if of_flax or init is None else inspect.signature(init).parameters
    for name, value in FLAGS.items():
        if name in taken:
            training[name], evaluate = value, partial(evaluate, **{name: not value})
            init = partial(init, **{name: not value}) if name in also else init
    draws = "rngs" if of_flax or "rngs" in taken else "key" if "key" in taken else ""
    return Calls(init, evaluate, training, draws)


def apply_in_training(
    model: Any, params: Params, x: Array, key: Array
) -> tuple[Array, dict[str, Any]]:
    """Computes the outputs in training, and the collections that change with them.

    A Flax module may change all collections but `params`, such as `batch_stats`. Another model does
    if it has `apply_in_training(params, x, key) -> (outputs, changed)`.
    """
    if hasattr(model, "apply_in_training"):
        return model.apply_in_training(params, x, key)
    calls = calls_of(model)
    options: dict[str, Any] = dict(calls.training)
    if calls.draws:
        options[calls.draws] = {"dropout": key} if calls.draws == "rngs" else key
    if isinstance(model, nn.Module) and params.keys() - {"params"}:
        return model.apply(params, x, mutable=[*params.keys() - {"params"}], **options)
    return model.apply(params, x, **options), {}


def without_statistics(params: Params) -> Params:
    """Returns params that have no derivative by collections other than `params`."""
    if isinstance(params, dict) and "params" in params and len(params) > 1:
        return lax.stop_gradient(params) | {"params": params["params"]}
    return params


def as_part(model: Any, loss: AnyLoss, part: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Converts samples x, targets y and weights to what the model and the loss take, once checked.

    Training and evaluation both do, so the same data have the same meaning in both.

    Raises:
        ValueError, TypeError: what does not fit, where, and what to do.
    """
    checks.require_part(part, name)
    if part.keys() - PARTS:
        raise TypeError(
            f"{name} has {sorted(part.keys() - PARTS)}, which nothing would use: it may have x, y "
            "and weight, one number a sample"
        )
    x = as_samples(model, part["x"], f"{name} x")
    count = count_outputs if isinstance(model, nn.Module) else count_outputs.__wrapped__
    y = get_loss(loss).check(part["y"], count(model, x.shape[1:], x.dtype), f"{name} y")
    checks.require_same_length(x, y, (f"{name} x", f"{name} y"))
    if "weight" not in part:
        return {"x": x, "y": y}
    weight = checks.as_weights(part["weight"], f"{name} weight")
    checks.require_same_length(x, weight, (f"{name} x", f"{name} weight"))
    return {"x": x, "y": y, "weight": weight}


def as_samples(model: Any, x: Any, name: str) -> Any:
    """Converts samples as the model says, by default with `checks.as_features`."""
    return getattr(model, "check_samples", checks.as_features)(x, name)


@lru_cache(maxsize=256)
def count_outputs(model: Any, shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Counts the outputs of a model for samples `[shape]`, without computing any."""
    x = jax.ShapeDtypeStruct((1, *shape), dtype)
    calls = calls_of(model)
    params = jax.eval_shape(calls.init, jax.eval_shape(jax.random.key, 0), x)
    outputs = jax.eval_shape(calls.evaluate, params, x)
    return outputs.shape[-1]


def metrics_of(loss: Loss, outputs: Array, targets: Array, weight: Array | None = None) -> Metrics:
    """Computes the mean loss of a batch and, for a classifier, its accuracy.

    With weights `[batch]` both are weighted means, `sum_n w_n E_n / sum_n w_n`. Where a loss is not
    finite the accuracy is NaN: outputs of NaN are of some class too, and may be right by chance.
    """
    losses = loss.value(outputs, targets)
    metrics = {"loss": losses}
    if loss.classifies:
        right = loss.predict(outputs) == targets
        known = jnp.isfinite(losses).reshape(losses.shape + (1,) * (right.ndim - losses.ndim))
        metrics["accuracy"] = jnp.where(known, right, jnp.nan)
    if weight is None:
        return jax.tree.map(jnp.mean, metrics)
    return jax.tree.map(partial(_weighted_mean, shares(weight)), metrics)


def measure(metrics: MetricPairs, outputs: Array, targets: Array, weight: Any = None) -> Metrics:
    """Computes metrics by function of outputs `[samples, k]`, with weights `[samples]` or None."""
    return {
        name: jnp.asarray(
            function(outputs, targets, weight=weight)
            if "weight" in inspect.signature(function).parameters
            else function(outputs, targets),
            outputs.dtype,
        )
        for name, function in metrics
    }


def empty_history(spec: Recording, validated: bool, records: int) -> Metrics:
    """Returns zeros `[records]` for each metric of the training and of the validation samples."""
    names = RECORDED if get_loss(spec.loss).classifies else RECORDED[:1]
    parts = ("train", "valid") if validated else ("train",)
    return {
        f"{part}_{name}": jnp.zeros(records)
        for part in parts
        for name in (*names, *dict(spec.metrics))
    }


def history_row(spec: Recording, params: Params, data: Any, sums: Metrics) -> Metrics:
    """Computes one row of a history, from the sums over an epoch and the params after it."""
    train, valid = data.train, data.valid
    n = jnp.sum(train["weight"]) if "weight" in train else len(train["x"])
    row = {f"train_{name}": total / n for name, total in sums.items()}
    if spec.metrics:
        outputs = outputs_of(spec.model, params, train["x"])
        found = measure(spec.metrics, outputs, train["y"], train.get("weight"))
        row |= {f"train_{name}": value for name, value in found.items()}
    if valid is not None:
        outputs = outputs_of(spec.model, params, valid["x"])
        scored = outputs, valid["y"], valid.get("weight")
        found = metrics_of(get_loss(spec.loss), *scored)
        if spec.metrics:
            found |= measure(spec.metrics, *scored)
        row |= {f"valid_{name}": value for name, value in found.items()}
    return row


def shares(weight: Array) -> Array:
    """Divides the weights of a batch by their sum, unless all are 0."""
    total = jnp.sum(weight)
    return weight / jnp.where(total > 0, total, 1)


def _weighted_mean(share: Array, values: Array) -> Array:
    return jnp.sum(share * jnp.mean(values.reshape(len(values), -1), axis=1))


def outputs_of(model: Any, params: Params, x: Array) -> Array:
    """Computes the outputs of all samples `[samples, ...]`, in blocks that fit into a cache.

    Between two layers of a convolutional network there are 30 times the numbers of its input;
    10,000 images at once would exceed the cache, and the memory of small devices. So the larger
    the images, the fewer make a block.
    """
    evaluate, block = partial(calls_of(model).evaluate, params), BLOCK
    if x.ndim > 2:
        entries = max(1, math.prod(x.shape[1:]))
        block = min(BLOCK, max(SMALLEST_BLOCK, BLOCK_ENTRIES // entries))
    if len(x) < 2 * block:
        return evaluate(x)
    starts = jnp.arange(0, len(x) - block + 1, block)
    outputs = lax.map(lambda start: evaluate(lax.dynamic_slice_in_dim(x, start, block)), starts)
    outputs = outputs.reshape(-1, *outputs.shape[2:])
    if len(outputs) == len(x):
        return outputs
    return jnp.concatenate([outputs, evaluate(x[len(outputs) :])])


@dataclass(frozen=True)
class Objective:
    """Computes `E(w) = 1/N sum_n E_n(w) + l1 sum |w| + l2 ||w||^2`.

    Called as `(params, batch, key)`, it returns `(E, metrics)`, so that
    `jax.value_and_grad(objective, has_aux=True)` and
    `jaxnets.backprop.value_and_grad(objective, has_aux=True)` are interchangeable. `metrics` has
    the mean loss without penalties and, for a classifier, the accuracy.

    Args:
        model: a Flax module.
        loss: a name in `jaxnets.LOSSES`, or a `Loss`.
        l1: the coefficient of the l1 penalty; may be traced, and a Python 0 costs nothing.
        l2: the coefficient of the l2 penalty, likewise.

    Example:
        >>> import jaxnets as jn
        >>> params = {"params": {"output": {"weight": jnp.ones((1, 2)), "bias": jnp.zeros(1)}}}
        >>> batch = {"x": jnp.ones((1, 2)), "y": jnp.full((1, 1), 2.0)}  # w.x = 2: no loss
        >>> float(Objective(jn.MLP((), 1), "squared_error", l2=0.5)(params, batch)[0])
        1.0
    """

    model: Any
    loss: AnyLoss
    l1: Array | float = 0.0
    l2: Array | float = 0.0

    def __call__(self, params: Params, batch: Batch, key: Array | None = None) -> tuple:
        """Evaluates the objective on `batch = {"x": [batch, ...], "y": targets}`.

        With `"weight": [batch]`, the mean of the losses is a weighted one.
        With a key the model is in training: layers such as `jaxnets.models.Dropout` draw from it,
        and collections that change, such as `batch_stats`, are in the metrics as `collections`.
        """
        if key is None:
            outputs = calls_of(self.model).evaluate(without_statistics(params), batch["x"])
            changed: dict[str, Any] = {}
        else:
            outputs, changed = apply_in_training(self.model, params, batch["x"], key)
        metrics = metrics_of(get_loss(self.loss), outputs, batch["y"], batch.get("weight"))
        value = metrics["loss"] + self.penalty(params)
        return value, (metrics | {"collections": changed} if changed else metrics)

    @property
    def penalised(self) -> bool:
        """Whether there is a penalty: a coefficient that is traced or nonzero."""
        traced = isinstance(self.l1, Array) or isinstance(self.l2, Array)
        return traced or bool(self.l1) or bool(self.l2)

    def penalty(self, params: Params) -> Array | float:
        """`l1 sum |w| + l2 ||w||^2`."""
        if not self.penalised:
            return 0.0
        return self.l1 * l1_penalty(params) + self.l2 * l2_penalty(params)


def penalised_objective(model: Any, loss: AnyLoss, hparams: Hparams) -> Objective:
    """Builds the objective of a run, with the penalties that are among its hyper-parameters."""
    fields = own_hparams(model, hparams, "traced_fields")
    model = model.clone(**fields) if fields else model
    return Objective(model, loss, hparams.get("l1", 0.0), hparams.get("l2", 0.0))


def is_weight(path: Any, leaf: Array) -> bool:
    """Tells whether a leaf is a weight matrix or a kernel: two axes or more, and not named a bias.

    Biases may have more axes than one, such as those of all layers of `jaxnets.models.Highway`.
    """
    name = jax.tree_util.keystr(path[-1:], simple=True)
    return leaf.ndim >= 2 and not name.endswith("bias")


def weights(params: Any) -> list[Array]:
    """Returns the weight matrices and kernels of a network."""
    return [leaf for path, leaf in jax.tree.leaves_with_path(params) if is_weight(path, leaf)]


def l2_penalty(params: Any) -> Array:
    """Sums `w^2` over all weights, not biases (weight decay, L0: `E(w) + lambda ||w||^2`)."""
    return sum((jnp.sum(w * w) for w in weights(params)), jnp.zeros(()))


def l1_penalty(params: Any) -> Array:
    """Sums `|w|` over all weights, not biases (Tibshirani, 1996)."""
    return sum((jnp.sum(w * jnp.sign(w)) for w in weights(params)), jnp.zeros(()))


def penalty_grad(params: Any, l1: Array | float, l2: Array | float) -> Any:
    """Computes the penalties' gradient by hand: `l1 sign(w) + 2 l2 w`, 0 for biases."""

    def leaf(path: Any, w: Array) -> Array:
        return l1 * jnp.sign(w) + 2 * l2 * w if is_weight(path, w) else jnp.zeros_like(w)

    return jax.tree.map_with_path(leaf, params)
