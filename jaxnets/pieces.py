"""A training in pieces of any number of steps, by one compiled program whatever their number.

Where `jaxnets.train.advance` takes whole records, a piece may end within an epoch: what the epoch
has gathered so far is carried along, so that a training that is cut anywhere is the same, bit for
bit.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxnets.losses import get_loss
from jaxnets.objective import Metrics, metrics_of, outputs_of
from jaxnets.shuffle import shuffled
from jaxnets.train import History, Hparams, Run, State, step_of

NEVER = 2**31 - 1


class Carry(NamedTuple):
    """A training at any step, with all that later steps need of the earlier ones."""

    state: State
    sums: Metrics
    """Of the samples of the epoch so far."""
    history: History
    """Each `[records]`; rows that are yet to come are 0."""
    bad_step: Array
    """The first step whose loss was not finite, or `NEVER`."""
    bad_loss: Array


def begin(run: Run, state: State, validated: bool) -> Carry:
    """The carry before the first step."""
    names = ["loss", *(["accuracy"] if get_loss(run.loss).classifies else [])]
    records = run.epochs // run.record_every
    parts = ("train", "valid") if validated else ("train",)
    history = {f"{part}_{name}": jnp.zeros(records) for part in parts for name in names}
    sums = {name: jnp.zeros(()) for name in names}
    return Carry(state, sums, history, jnp.asarray(NEVER, jnp.int32), jnp.zeros(()))


def steps_an_epoch(run: Run, samples: int) -> int:
    """How many updates a pass over the data takes, a last, partial batch included."""
    return -(-samples // (run.batch_size or samples))


def advance_steps(
    run: Run,
    carry: Carry,
    start: Array,
    count: Array,
    hparams: Hparams,
    data: Any,
    order_key: Array | None,
) -> Carry:
    """The training after `count` more steps, the first of which is step `start`.

    Both may be traced. The history's means are sums over the samples of the epoch, divided once.
    """
    step = step_of(run, carry.state.params, hparams)
    n = len(data.train["x"])
    size = run.batch_size or n
    an_epoch, rest = steps_an_epoch(run, n), n % size
    key = carry.state.key if order_key is None else order_key

    def update(order: Array | None, length: int, position: Array, carry: Carry) -> Carry:
        batch = data.train
        if order is not None:
            rows = lax.dynamic_slice_in_dim(order, position * size, length)
            batch = jax.tree.map(lambda a: a[rows], batch)
        state, metrics = step(carry.state, batch)
        return _counted(carry._replace(state=state), metrics, position == 0, length)

    def in_epoch(now: tuple[Carry, Array]) -> tuple[Carry, Array]:
        carry, done = now
        epoch, position = jnp.divmod(start + done, an_epoch)
        end = jnp.minimum(position + count - done, an_epoch)
        order = None if size == n else shuffled(jax.random.fold_in(key, epoch), n)
        whole, last = (partial(update, order, length) for length in (size, rest))
        carry = lax.fori_loop(position, jnp.minimum(end, n // size), whole, carry)

        def ended(carry: Carry) -> Carry:
            carry = last(end - 1, carry) if rest else carry
            return carry._replace(history=_recorded(run, data, carry, epoch))

        return lax.cond(end == an_epoch, ended, lambda c: c, carry), done + end - position

    return lax.while_loop(lambda now: now[1] < count, in_epoch, (carry, jnp.zeros_like(count)))[0]


def _counted(carry: Carry, metrics: Metrics, first: Array, samples: int) -> Carry:
    sums = {
        name: jnp.where(first, 0, carry.sums[name]) + samples * metrics[name] for name in metrics
    }
    bad = ~jnp.isfinite(metrics["loss"]) & (carry.bad_step == NEVER)
    return carry._replace(
        sums=sums,
        bad_step=jnp.where(bad, carry.state.step - 1, carry.bad_step),
        bad_loss=jnp.where(bad, metrics["loss"], carry.bad_loss),
    )


def _recorded(run: Run, data: Any, carry: Carry, epoch: Array) -> History:
    """The history after that epoch, with a new row if it is the last of a record."""

    def with_row(carry: Carry, record: Array) -> History:
        n = len(data.train["x"])
        row = {f"train_{name}": total / n for name, total in carry.sums.items()}
        if data.valid is not None:
            outputs = outputs_of(run.model, carry.state.params, data.valid["x"])
            valid = metrics_of(get_loss(run.loss), outputs, data.valid["y"])
            row |= {f"valid_{name}": value for name, value in valid.items()}
        return {name: rows.at[record].set(row[name]) for name, rows in carry.history.items()}

    ends = (epoch + 1) % run.record_every == 0
    return lax.cond(ends, with_row, lambda c, _: c.history, carry, epoch // run.record_every)
