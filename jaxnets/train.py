"""Training as one compiled program: `step` is a scan body, an epoch a scan, a run a scan of scans.

A `Run` holds the static choices; `train(run, key, hparams, data)` is the pure function to compile,
`vmap` or shard; `fit` does so for one network and `jaxnets.sweep` for many.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from jaxnets import checks
from jaxnets.losses import Loss, get_loss
from jaxnets.objective import Batch, Metrics, Objective, Params, metrics_of, outputs_of
from jaxnets.shuffle import shuffled

Hparams = Mapping[str, Any]
History = dict[str, Any]
PENALTIES = ("l1", "l2")


class State(NamedTuple):
    """Everything a training carries from one step to the next."""

    params: Params
    opt_state: optax.OptState
    step: Array
    key: Array
    """The root key of the loop: step `i` uses `fold_in(key, i)`."""


@dataclass(frozen=True)
class Run:
    """The static choices of one training; equal runs share one compiled program.

    Raises:
        ValueError: a size below 1, epochs that are no multiple of `record_every`, or an unknown
            loss.
        TypeError: a size that is no whole number, or a model without `init` and `apply`.
    """

    model: Any
    """A Flax module: `init(key, x) -> params`, `apply(params, x) -> outputs [batch, k]`."""
    loss: str | Loss
    epochs: int
    batch_size: int | None = None
    """Samples a step; None for the full set, 1 for single-sample descent. The last, partial batch
    of an epoch is used as it is."""
    optimizer: Callable[..., optax.GradientTransformation] = optax.adam
    """Builds any optax optimizer from hyper-parameters: `optimizer(learning_rate=...)`."""
    record_every: int = 1
    """Epochs between two rows of the history."""
    value_and_grad: Callable[..., Callable] = jax.value_and_grad
    """`jax.value_and_grad` or `jaxnets.backprop.value_and_grad`."""
    augment: Callable[[Array, Array], Array] | None = None
    """Changes the samples of every batch before it is used, `augment(key, x) -> x`."""

    def __post_init__(self) -> None:
        if not (hasattr(self.model, "init") and hasattr(self.model, "apply")):
            raise TypeError(f"model is {self.model!r}; it must be a Flax module: init and apply")
        get_loss(self.loss)
        for name in ("epochs", "batch_size", "record_every"):
            size = getattr(self, name)
            if name != "batch_size" or size is not None:
                checks.count(size, name)
        if self.epochs % self.record_every:
            raise ValueError(
                f"{self.epochs} epochs are no multiple of record_every={self.record_every}"
            )


def make_step(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    value_and_grad: Callable[..., Callable] = jax.value_and_grad,
    augment: Callable[[Array, Array], Array] | None = None,
) -> Callable[[State, Batch], tuple[State, Metrics]]:
    """One update as a scan body: `step(state, batch) -> (state, metrics)`.

    Line searches such as `optax.lbfgs` get the value, the gradient and the objective they ask for.
    """
    tx = optax.with_extra_args_support(optimizer)
    differentiate = value_and_grad(objective, has_aux=True)

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        key = jax.random.fold_in(state.key, state.step)
        if augment is not None:
            augment_key, key = jax.random.split(key)
            batch = batch | {"x": augment(augment_key, batch["x"])}
        (value, metrics), grads = differentiate(state.params, batch, key)
        updates, opt_state = tx.update(
            grads,
            state.opt_state,
            state.params,
            value=value,
            grad=grads,
            value_fn=lambda params: objective(params, batch, key)[0],
        )
        params = optax.apply_updates(state.params, updates)
        return State(params, opt_state, state.step + 1, state.key), metrics

    return step


def step_of(run: Run, params: Params, hparams: Hparams) -> Callable:
    """The step of a run; of the params only their shapes matter."""
    objective, tx = _objective_and_optimizer(run, params, hparams)
    return make_step(objective, tx, run.value_and_grad, run.augment)


def init_state(run: Run, key: Array, hparams: Hparams, x: Array) -> State:
    """The state before the first step; a hyper-parameter `width` narrows the model's layers."""
    init_key, loop_key = jax.random.split(key)
    params = run.model.init(init_key, x[:1])
    if "width" in hparams:
        params = run.model.narrow(params, hparams["width"])
    _, tx = _objective_and_optimizer(run, params, hparams)
    return State(params, tx.init(params), jnp.zeros((), jnp.int32), loop_key)


def advance(
    run: Run, records: int, state: State, hparams: Hparams, data: Any, order_key: Array
) -> tuple[State, History]:
    """`records` times `run.record_every` epochs, with a row of the history after each record."""
    step = step_of(run, state.params, hparams)

    def record(state: State, _: None) -> tuple[State, Metrics]:
        epoch = partial(train_epoch, step, data=data.train, key=order_key, size=run.batch_size)
        state, metrics = lax.scan(lambda s, _: epoch(s), state, None, length=run.record_every)
        row = {f"train_{name}": values[-1] for name, values in metrics.items()}
        if data.valid is not None:
            outputs = outputs_of(run.model, state.params, data.valid["x"])
            valid = metrics_of(get_loss(run.loss), outputs, data.valid["y"])
            row |= {f"valid_{name}": value for name, value in valid.items()}
        return state, row

    return lax.scan(record, state, None, length=records)


def train_epoch(
    step: Callable, state: State, data: Batch, key: Array, size: int | None
) -> tuple[State, Metrics]:
    """One pass over the data in a random order given by `(key, epoch)`, and its mean metrics."""
    n = len(data["x"])
    if size is None or size == n:
        return step(state, data)
    epoch = state.step // -(-n // size)
    order = shuffled(jax.random.fold_in(key, epoch), n)
    full = n - n % size

    def step_on(state: State, rows: Array) -> tuple[State, Metrics]:
        return step(state, jax.tree.map(lambda a: a[rows], data))

    state, metrics = lax.scan(step_on, state, order[:full].reshape(-1, size))
    means = jax.tree.map(jnp.mean, metrics)
    if full < n:
        state, last = step_on(state, order[full:])
        means = jax.tree.map(lambda a, b: (full * a + (n - full) * b) / n, means, last)
    return state, means


def train(
    run: Run, key: Array, hparams: Hparams, data: Any, order_key: Array | None = None
) -> tuple[State, History]:
    """One whole training, pure: `(run, key, hparams, data) -> (state, history)`.

    `data` has the parts `train` and `valid`, each `{"x": [samples, ...], "y": targets}` or None.
    `hparams` holds the arguments of `run.optimizer`, the penalties `l1` and `l2`, and `width`; all
    may be traced. The order of the batches follows `order_key`, by default drawn from `key`.
    The history has one row a record: train metrics are means over the batches of its last epoch,
    as they were before each update; validation metrics come from the params after it.
    """
    state = init_state(run, key, hparams, data.train["x"])
    order_key = state.key if order_key is None else order_key
    return advance(run, run.epochs // run.record_every, state, hparams, data, order_key)


def _objective_and_optimizer(
    run: Run, params: Params, hparams: Hparams
) -> tuple[Objective, optax.GradientTransformation]:
    penalties = {name: hparams[name] for name in PENALTIES if name in hparams}
    rest = {k: v for k, v in hparams.items() if k not in (*PENALTIES, "width")}
    tx = run.optimizer(**rest)
    if "width" in hparams:
        mask = run.model.width_mask(params, hparams["width"])
        tx = optax.chain(_masked_gradients(mask), tx)
    return Objective(run.model, run.loss, **penalties), tx


def _masked_gradients(mask: Params) -> optax.GradientTransformation:
    """Before anything else sees them: masking the updates instead is wrong under clipping."""
    return optax.stateless(lambda grads, _: jax.tree.map(jnp.multiply, grads, mask))
