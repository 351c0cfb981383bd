"""Which specs can be compiled once and for all, and which have to be looked at again."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets import backprop
from jaxnets.activations import Activation
from jaxnets.losses import LOSSES
from jaxnets.models import CNN, Conv, Dense, Flatten
from jaxnets.training.optimizers import adam_cosine
from jaxnets.training.validate import is_fixed, program_state

FIXED = [
    *LOSSES.values(),
    jn.MLP((4,), 2),
    CNN((Conv(4, 3), Flatten(), Dense(3))),
    optax.adam,
    partial(optax.sgd, momentum=0.9),
    adam_cosine(10),
    jax.value_and_grad,
    backprop.value_and_grad,
]


class Pair(NamedTuple):
    first: int

    def __call__(self, key, x):
        return x


class Own:
    def __call__(self, key, x):
        return x


NOT_FIXED = [
    Own(),
    Pair(1),
    [1],
    Own().__call__,
    lambda learning_rate: optax.sgd(learning_rate),
    partial(optax.adam, b1=np.float32(0.9)),
    jax.jit(lambda x: x),
    optax.stateless(lambda updates, _: updates),
    jn.MLP((4,), 2, Activation(jnp.sin, lambda s, x: jnp.cos(s), (-1, 1), None, "glorot")),
]


@pytest.mark.parametrize("value", FIXED, ids=range(len(FIXED)))
def test_what_packages_have_is_fixed(value):
    assert is_fixed(value)


@pytest.mark.parametrize("value", NOT_FIXED, ids=range(len(NOT_FIXED)))
def test_what_a_program_may_change_is_not(value):
    assert not is_fixed(value)


def test_a_loss_by_a_name_that_was_given_to_another_one_is_not(monkeypatch):
    spec = jn.TrainSpec(jn.MLP((4,), 2), "hinge", 1)
    assert program_state(spec) == ""
    own = LOSSES["hinge"]._replace(value=lambda outputs, y: outputs.sum(-1))
    monkeypatch.setitem(LOSSES, "hinge", own)
    assert program_state(spec) != ""
