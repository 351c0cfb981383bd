"""Training as one compiled program: a step is a scan body, an epoch a loop, a run a scan of both.

`train(spec, key, data, hparams)` is the pure function to compile, `vmap` or differentiate through;
`advance` takes the same epochs any number of steps at a time, for `fit` and `sweep`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from jaxnets.host import checks
from jaxnets.host.augmenting import augmented
from jaxnets.losses import get_loss
from jaxnets.objective import (
    PENALTIES,
    RECORDED,
    Batch,
    Hparams,
    Metrics,
    Objective,
    Params,
    calls_of,
    empty_history,
    history_row,
    own_hparams,
    penalised_objective,
)
from jaxnets.training.finite import stays_finite
from jaxnets.training.optimizers import masked
from jaxnets.training.permutation import permutation
from jaxnets.training.spec import TrainSpec
from jaxnets.training.stopping import best_state, stoppable, watch, watch_record

History = dict[str, Any]
Step = Callable[["State", Batch], tuple["State", Metrics]]


class State(NamedTuple):
    """Everything that a run carries from one step to the next.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets.data import load
        >>> spec = jn.TrainSpec(jn.MLP((4,), 10), "softmax_cross_entropy", 1, 256)
        >>> state, _ = jn.fit(spec, jax.random.key(0), load("digits"), {"learning_rate": 1e-2})
        >>> int(state.step)
        5
    """

    params: Params
    opt_state: optax.OptState
    step: Array
    key: Array
    """The key of the steps: step `i` draws from `fold_in(key, i)`."""


class RunKeys(NamedTuple):
    """The three keys of a run, none of which is used for anything else."""

    init: Array
    order: Array
    step: Array


def split_key(key: Array) -> RunKeys:
    """Splits the key of a run by name: first params, order of the samples, draws of the steps."""
    init_key, order_key, step_key = jax.random.split(key, 3)
    return RunKeys(init_key, order_key, step_key)


def make_step(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    value_and_grad: Callable[..., Callable] = jax.value_and_grad,
    augment: Callable[..., Any] | None = None,
) -> Step:
    """Builds one update as a scan body: `step(state, batch) -> (state, metrics)`.

    Line searches such as `optax.lbfgs` get the value, the gradient and the objective they ask for.

    Example:
        >>> import jax, jax.numpy as jnp, optax, jaxnets as jn
        >>> objective, optimizer = jn.Objective(jn.MLP((4,), 1), "squared_error"), optax.sgd(0.1)
        >>> batch = {"x": jnp.ones((5, 2)), "y": jnp.ones((5, 1))}
        >>> params = objective.model.init(jax.random.key(0), batch["x"])
        >>> state = jn.State(params, optimizer.init(params), jnp.zeros((), int), jax.random.key(1))
        >>> state, metrics = jax.jit(make_step(objective, optimizer))(state, batch)
        >>> int(state.step)
        1
    """
    tx = optax.with_extra_args_support(optimizer)
    differentiate = value_and_grad(objective, has_aux=True)

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        augment_key, model_key = jax.random.split(jax.random.fold_in(state.key, state.step))
        if augment is not None:
            batch = augmented(augment, augment_key, batch)
        (value, metrics), grads = differentiate(state.params, batch, model_key)
        updates, opt_state = tx.update(
            grads,
            state.opt_state,
            state.params,
            value=value,
            grad=grads,
            value_fn=lambda params: objective(params, batch, model_key)[0],
        )
        params = optax.apply_updates(state.params, updates)
        if "collections" in metrics:
            params = {**params, **metrics.pop("collections")}
        return State(params, opt_state, state.step + 1, state.key), metrics

    return step


def init_state(spec: TrainSpec, key: Array, x: Array, hparams: Hparams) -> State:
    """Draws the state before the first step, for samples like `x`."""
    keys = split_key(key)
    params = calls_of(spec.model).init(keys.init, x[:1])
    own = own_hparams(spec.model, hparams)
    if own:
        params = spec.model.narrow(params, **own)
    tx, _ = optimizer_and_step(spec, params, hparams)
    return State(params, tx.init(params), jnp.zeros((), jnp.int32), keys.step)


def train(
    spec: TrainSpec,
    key: Array,
    data: Any,
    hparams: Hparams,
    order_key: Array | None = None,
    pass_over: Callable[..., tuple[State, Metrics]] | None = None,
) -> tuple[State, History]:
    """Trains one network as a pure function, which JAX can compile, map and differentiate.

    Args:
        spec: the static choices.
        key: decides the first params, the order of the samples, and what the steps draw.
        data: parts `train` and `valid`, each `{"x": [samples, ...], "y": targets}`, or None for
            `valid`.
        hparams: arguments of `spec.optimizer`, the penalties `l1` and `l2`, and what the model
            offers, such as `width` or `dropout`; all may be traced.
        order_key: decides the order of the samples instead of `key`.
        pass_over: takes the steps of an epoch in another way, see `jaxnets.training.padded`.

    Returns:
        The last state, and the history with one row a record, `[records]`: train metrics are means
        over the samples of its last epoch, as they were before each update; validation metrics
        come from the params after it. A run that stopped early has the best params, then NaN.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets.data import load
        >>> spec = jn.TrainSpec(jn.MLP((4,), 10), "softmax_cross_entropy", 1, 256)
        >>> data = jax.tree.map(jax.numpy.asarray, load("digits"))
        >>> run = jax.jit(lambda key, rate: jn.train(spec, key, data, {"learning_rate": rate}))
        >>> state, history = run(jax.random.key(0), 1e-2)
        >>> history["train_loss"].shape
        (1,)
    """
    carry, own_order_key = begin(spec, key, data.train["x"], hparams, data.valid is not None)
    order_key = own_order_key if order_key is None else order_key
    _, step = optimizer_and_step(spec, carry.state.params, hparams)
    note = partial(watch_record, spec.stopping) if spec.stopping else None

    def record(now: tuple[State, Any], index: Array) -> tuple[tuple[State, Any], Metrics]:
        def epoch(i: Array, now: tuple[State, Metrics]) -> tuple[State, Metrics]:
            number = index * spec.record_every + i
            now = now[0], carry.sums
            return (pass_over or _epoch)(spec, step, data.train, order_key, number, now)

        state, sums = lax.fori_loop(0, spec.record_every, epoch, (now[0], carry.sums))
        row = _branch(state, partial(history_row, spec, state.params, data), sums)
        return (state, note(now[1], row, state.params) if note else ()), row

    first, records = (carry.state, carry.watched), jnp.arange(spec.epochs // spec.record_every)
    body = stoppable(record) if spec.stopping else record
    (state, watched), history = lax.scan(body, first, records)
    return best_state(state, watched) if spec.stopping else state, history


class Carry(NamedTuple):
    """A run at any step, with all that later steps need of the earlier ones."""

    state: State
    sums: Metrics
    """Metrics summed over the samples of the epoch so far."""
    history: History
    """Each `[records]`; rows that are yet to come are 0."""
    finite: Array
    """Whether the metrics so far, the newest params and the optimizer's newest state are."""
    watched: Any = ()
    """For early stopping."""


def begin(
    spec: TrainSpec, key: Array, x: Array, hparams: Hparams, validated: bool
) -> tuple[Carry, Array]:
    """Draws the carry before the first step for samples like `x`, and the key of their order."""
    state, n = init_state(spec, key, x, hparams), spec.epochs // spec.record_every
    sums = {name: jnp.zeros(()) for name in RECORDED[: 1 + get_loss(spec.loss).classifies]}
    history = empty_history(spec, validated, n)
    watched = watch(state.params) if spec.stopping else ()
    return Carry(state, sums, history, jnp.array(True), watched), split_key(key).order


def advance(
    spec: TrainSpec,
    carry: Carry,
    start: Array | int,
    count: Array | int,
    data: Any,
    hparams: Hparams,
    order_key: Array,
) -> Carry:
    """Takes `count` more steps, the first of which is step `start`; both may be traced.

    However a run is cut into calls, the result is the same bit for bit, and that of `train`.
    """
    tx, step = optimizer_and_step(spec, carry.state.params, hparams)
    per_epoch = spec.steps_per_epoch(len(data.train["x"]))
    note = partial(watch_record, spec.stopping) if spec.stopping else None

    def in_epoch(now: tuple[Carry, Array]) -> tuple[Carry, Array]:
        (state, sums, history, finite, watched), at = now
        number, position = jnp.divmod(at, per_epoch)
        end = jnp.minimum(position + start + count - at, per_epoch)
        sums = jax.tree.map(lambda total: jnp.where(position == 0, 0, total), sums)
        bounds = None if per_epoch == 1 else (position, end)
        state, sums = _epoch(spec, step, data.train, order_key, number, (state, sums), bounds)
        record, is_last = jnp.divmod(number + 1, spec.record_every)
        history, watched = lax.cond(
            (end == per_epoch) & (is_last == 0),
            lambda before: (
                jax.tree.map(
                    lambda rows, new: rows.at[record - 1].set(new),
                    before[0],
                    (row := history_row(spec, state.params, data, sums)),
                ),
                note(before[1], row, state.params) if note else (),
            ),
            lambda before: before,
            (history, watched),
        )
        finite = finite & jnp.isfinite(sums["loss"])
        return Carry(state, sums, history, finite, watched), at + end - position

    carry, _ = lax.while_loop(
        lambda now: (now[1] < start + count) & (~now[0].watched.stopped if note else True),
        in_epoch,
        (carry, jnp.asarray(start, jnp.int32)),
    )
    params = carry.state.params
    own = {n: rows for n, rows in carry.history.items() if n.partition("_")[2] in RECORDED}
    finite = carry.finite & stays_finite((params, own))
    finite = finite & stays_finite(carry.state.opt_state, tx.init(params))
    return carry._replace(finite=finite)


def _epoch(
    spec: TrainSpec,
    step: Step,
    samples: Batch,
    order_key: Array,
    number: Array,
    now: tuple[State, Metrics],
    bounds: tuple[Array, Array] | None = None,
) -> tuple[State, Metrics]:
    """Takes the steps of an epoch, or those within bounds, and adds up their metrics.

    Without bounds the loop is a scan, which can be differentiated through.
    """
    n = len(samples["x"])
    size = checks.as_batch_size(spec.batch_size, n)
    full, left = divmod(n, size)

    update = partial(take_step, step, samples)
    if size == n:
        return update(now)
    order = permutation(jax.random.fold_in(order_key, number), n)

    def whole(i: Array, now: tuple[State, Metrics]) -> tuple[State, Metrics]:
        return update(now, lax.dynamic_slice_in_dim(order, i * size, size))

    last = partial(update, rows=order[full * size :])
    if bounds is None:
        now = lax.fori_loop(0, full, whole, now)
        return _branch(now[0], last, now) if left else now
    now = lax.fori_loop(bounds[0], jnp.minimum(bounds[1], full), whole, now)
    return lax.cond(bounds[1] > full, last, lambda now: now, now) if left else now


def take_step(
    step: Step, samples: Batch, now: tuple[State, Metrics], rows: Array | None = None
) -> tuple[State, Metrics]:
    """Takes a step on the samples, or on some rows of them, and adds up its metrics."""
    batch = samples if rows is None else jax.tree.map(lambda a: a[rows], samples)
    state, metrics = step(now[0], batch)
    m = jnp.sum(batch["weight"]) if "weight" in batch else len(batch["x"])
    return state, {name: total + m * metrics[name] for name, total in now[1].items()}


def _branch(state: State, compute: Callable[[Any], Any], operand: Any) -> Any:
    """Computes in a branch, as `advance` does: XLA may round inlined code otherwise."""
    shapes = jax.eval_shape(compute, operand)
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    return lax.cond(state.step >= 0, compute, lambda _: zeros, operand)


def optimizer_and_step(
    spec: TrainSpec, params: Params, hparams: Hparams
) -> tuple[optax.GradientTransformation, Step]:
    """The optimizer and the step of a run; of the params only their shapes matter."""
    own = own_hparams(spec.model, hparams)
    used = {*PENALTIES, *own, *own_hparams(spec.model, hparams, "traced_fields")}
    tx = spec.optimizer(**{k: v for k, v in hparams.items() if k not in used})
    if own:
        tx = optax.chain(masked(spec.model.gradient_mask(params, **own)), tx)
    objective = penalised_objective(spec.model, spec.loss, hparams)
    return tx, make_step(objective, tx, spec.value_and_grad, spec.augment)
