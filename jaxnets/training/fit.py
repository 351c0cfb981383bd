"""Trains one network: checks, the compiled program, and what goes on around it."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
from jax import Array
from jax.sharding import Mesh

from jaxnets import parallel
from jaxnets.host import checks
from jaxnets.host.checks import require_not_forked
from jaxnets.host.memory import out_of_memory_hint
from jaxnets.objective import Hparams, penalised_objective
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.training.continuing import going_on, require_state
from jaxnets.training.driver import Hook, Job, drive
from jaxnets.training.fingerprint import describe, fingerprint
from jaxnets.training.finite import gradient_overflows
from jaxnets.training.loop import Carry, History, State, advance, begin
from jaxnets.training.spec import TrainSpec
from jaxnets.training.stopping import best_state, cut_off
from jaxnets.training.validate import batch_hint, bind_schedules, prepare, program_state


def fit(
    spec: TrainSpec,
    key: Array,
    data: Any,
    hparams: Hparams | None = None,
    *,
    progress: bool = False,
    mesh: Mesh | None = None,
    samples: int | None = None,
    checkpoints: CheckpointConfig | None = None,
    state: State | None = None,
    on_record: Hook | None = None,
) -> tuple[State, History]:
    """Trains one network.

    Args:
        spec: the static choices.
        key: decides the first params, the order of the batches, and what the steps draw.
        data: a `Dataset`, or another NamedTuple with the parts `train` and `valid`.
        hparams: arguments of `spec.optimizer`, and optionally `l1`, `l2`, `width` and `dropout`;
            the learning rate may be a schedule of optax, a function of the step.
        progress: whether to show a live bar with the newest metrics.
        mesh: the devices among which every batch is divided, `parallel.all_devices()`; by
            default one device or, where several processes run, all devices of all of them.
        samples: how many training samples all processes have together, if each reads only its own,
            `parallel.own_rows(samples, mesh)`; without it every process has all of `data`.
        checkpoints: where to save checkpoints; the run resumes from the latest one, bit for bit.
        state: the last state of a run with fewer epochs, which goes on up to `spec.epochs`; with
            the same key, data and hyper-parameters it is the uninterrupted run, bit for bit. The
            history has the new records only. After early stopping a state has the best params
            and the optimizer's last state: to go on from there exactly, use checkpoints.
        on_record: called with each new record, `on_record(epoch, metrics)`, see `jaxnets.hooks`;
            what it raises ends the run.

    Returns:
        The last state, and the history on the host: `train_loss`, `valid_loss` and, for a
        classifier, `train_accuracy`, `valid_accuracy`, each `[records]`. A run that stopped early
        has the best params, and fewer records.

    Raises:
        ValueError, TypeError: data, hyper-parameters or a state that do not fit, before training.
        RuntimeError: in a process that was forked after JAX was used.
        DivergedError: a metric, the params or the optimizer's state are not finite; it carries
            the last finite state.
        OutOfMemoryError: the batch and the bytes asked for are named.
        Interrupted, CorruptCheckpoint, CheckpointMismatch, FolderInUseError, DiskFullError: of a
            run with checkpoints, see `jaxnets.training.driver.drive`.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets.data import load
        >>> spec = jn.TrainSpec(jn.MLP((16,), 10), "softmax_cross_entropy", epochs=3, batch_size=64)
        >>> key, hparams = jax.random.key(0), {"learning_rate": 1e-2}
        >>> state, history = jn.fit(spec, key, load("digits"), hparams)
        >>> history["valid_accuracy"].shape, bool(history["valid_accuracy"][-1] > 0.7)
        ((3,), True)
    """
    require_not_forked()
    checks.require_keys(key, 0, "key")
    if mesh is None and jax.process_count() > 1:
        mesh = parallel.all_devices()
    if state is not None and checkpoints is not None:
        raise ValueError("a run with checkpoints goes on from them: leave out the state")
    if on_record is not None:
        checks.require_callable(on_record, "on_record", "jaxnets.hooks.to_csv('metrics.csv')")
    spec, hparams = bind_schedules(spec, hparams)
    if checkpoints is not None:
        describe(spec, "spec")  # refuses what has no fingerprint before it is called
    state_id = program_state(spec)
    data, hparams = prepare(spec, data, hparams, samples=samples, on_host=mesh is not None)
    found = _fingerprint(spec, key, data, hparams, mesh) if checkpoints else None
    if found and samples is not None:
        found["data"] = parallel.digest_of_all(found["data"])  # each process has some of the rows
    n, first, validated = samples or len(data.train["x"]), data.train["x"][:1], bool(data.valid)
    try:
        if mesh is not None:
            placed = parallel.data_parallel(mesh, spec, key, data, hparams, samples)
            spec, key, data, hparams = placed
        # XLA's CPU client never ends a program whose inputs could not be allocated: wait for them.
        begun = _begin(spec, state_id, key, first, hparams, validated)
        carry, order_key = jax.block_until_ready(begun)
        taken = 0
        if state is not None:
            taken = require_state(spec, state, carry.state, n)
            carry = going_on(carry, state if mesh is None else parallel.replicate(state, mesh))
        rest = {"data": data, "hparams": hparams, "order_key": order_key}
        program = partial(_advance, spec, state_id, **rest)
        overflows = partial(_overflows, spec, state_id, data=data, hparams=hparams)
        job = Job(spec, program, n, stops_if_diverged=True, overflows=overflows, begun=taken)
        carry = drive(job, carry, progress, checkpoints, found, on_record)
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        raise out_of_memory_hint(error, *batch_hint(spec, n)) from error
    if mesh is not None:
        carry = parallel.on_first_device(carry)
    state, history = carry.state, jax.device_get(carry.history)
    if taken:
        history = {name: rows[job.records(taken) :] for name, rows in history.items()}
    if spec.stopping:
        return best_state(state, carry.watched), cut_off(history, carry.watched.records)
    return state, history


def _fingerprint(
    spec: TrainSpec, key: Array, data: Any, hparams: Hparams, mesh: Mesh | None
) -> dict[str, str]:
    """Digests a run; devices count by number and kind, since the sums of a batch depend on them."""
    exact, devices = spec.value_and_grad, "1" if mesh is None else str(mesh.size)
    if isinstance(exact, parallel.FixedOrderGradients):
        devices = f"any, {exact.shards} micro-shards"
        spec = replace(spec, value_and_grad=exact.value_and_grad)
    if jax.default_backend() != "cpu":
        devices += f", {jax.default_backend()}"
    return fingerprint(spec, key, data, hparams) | {"devices": devices}


@partial(jax.jit, static_argnums=(0, 1, 5))
def _begin(
    spec: TrainSpec, state_id: str, key: Array, x: Array, hparams: Hparams, validated: bool
) -> tuple[Carry, Array]:
    return begin(spec, key, x, hparams, validated)


@partial(jax.jit, static_argnums=(0, 1))
def _advance(
    spec: TrainSpec, state_id: str, carry: Carry, start: Array, count: Array, **rest: Any
) -> Carry:
    return advance(spec, carry, start, count, **rest)


@partial(jax.jit, static_argnums=(0, 1))
def _overflows(spec: TrainSpec, state_id: str, state: State, data: Any, hparams: Hparams) -> Array:
    """Whether the gradient of the first batch overflows."""
    batch = jax.tree.map(lambda a: a[: spec.batch_size], data.train)
    objective = penalised_objective(spec.model, spec.loss, hparams)
    _, grads = spec.value_and_grad(objective, has_aux=True)(state.params, batch, state.key)
    return gradient_overflows(grads)
