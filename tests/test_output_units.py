"""Output units: minus their log-likelihood is their loss, and every distribution sums to one."""

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.losses import LOSSES
from jaxnets.output_units import OUTPUT_UNITS

N = 9
LINE = np.linspace(-12, 12, 4001)


def total_over_the_line(density, _):
    """The integral over one real target."""
    return np.trapezoid(density(LINE[:, None]), LINE)


def total_over_labels(density, outputs):
    return np.sum(density(np.arange(outputs)))


def total_over_bits(density, outputs):
    return np.sum(density(np.array(list(product([0.0, 1.0], repeat=outputs)))))


class Case(NamedTuple):
    outputs: int
    targets: Any
    total: Callable
    """Of the distribution of one target, given `targets -> density` and the number of outputs."""
    total_outputs: int
    constant: float = 0.0
    """By which the loss differs from minus the log-likelihood, for each target."""


RNG = np.random.default_rng(5)
CASES = {
    "linear": Case(2, RNG.normal(size=(N, 2)), total_over_the_line, 1, constant=-np.log(np.pi) / 2),
    "gaussian": Case(4, RNG.normal(size=(N, 2)), total_over_the_line, 2),
    "sigmoid": Case(1, RNG.integers(0, 2, N), lambda density, _: np.sum(density([0, 1])), 1),
    "softmax": Case(5, RNG.integers(0, 5, N), total_over_labels, 5),
    "multilabel": Case(3, RNG.integers(0, 2, (N, 3)), total_over_bits, 3),
}
EACH = pytest.mark.parametrize("name", OUTPUT_UNITS)


def outputs_for(columns, rows=N):
    return jnp.array(np.random.default_rng(6).normal(size=(rows, columns)))


@EACH
def test_loss_is_minus_the_log_likelihood(x64, name):
    unit, case = OUTPUT_UNITS[name], CASES[name]
    outputs, targets = outputs_for(case.outputs), jnp.array(case.targets)
    likelihood = unit.log_likelihood(unit.link(outputs), targets)
    loss = LOSSES[unit.loss].value(outputs, targets)
    chex.assert_shape([likelihood, loss], (N,))
    columns = 1 if targets.ndim == 1 else targets.shape[1]
    np.testing.assert_allclose(loss, -likelihood + columns * case.constant, rtol=1e-12)


@EACH
def test_distribution_sums_to_one(x64, name):
    unit, case = OUTPUT_UNITS[name], CASES[name]
    row = outputs_for(case.total_outputs, rows=1)

    def density(targets):
        rows = jnp.repeat(row, len(targets), axis=0)
        return np.exp(unit.log_likelihood(unit.link(rows), jnp.array(targets)))

    np.testing.assert_allclose(case.total(density, case.total_outputs), 1, rtol=1e-9)


@pytest.mark.parametrize("name", ["sigmoid", "softmax", "multilabel"])
def test_probabilities_lie_between_zero_and_one(name):
    p = OUTPUT_UNITS[name].link(jnp.array([[-1e4, 0.0, 1e4]]))
    assert jnp.all((p >= 0) & (p <= 1))


def test_variances_are_positive_for_any_output():
    _, variance = OUTPUT_UNITS["gaussian"].link(jnp.array([[0.0, -1e4], [0.0, 0.0], [0.0, 1e4]]))
    assert jnp.all(variance > 0)
    chex.assert_tree_all_finite(variance)


@pytest.mark.parametrize("s", [-3.0, -0.5, 1.5, 4.0])
@pytest.mark.parametrize("label", [0, 1])
def test_clipping_a_linear_unit_kills_the_gradient_and_the_sigmoid_does_not(s, label):
    """Row B2: outside [0, 1] a clipped linear unit learns nothing, even where it is wrong."""

    def clipped(s):
        return (jnp.clip(s, 0, 1) - label) ** 2

    def likelihood(s):
        unit = OUTPUT_UNITS["sigmoid"]
        return unit.log_likelihood(unit.link(s[None, None]), jnp.array([label]))[0]

    assert jax.grad(clipped)(s) == 0
    assert abs(jax.grad(likelihood)(jnp.array(s))) > 0.01
    wrong = (s > 0.5) != bool(label)
    assert abs(jax.grad(likelihood)(jnp.array(s))) > 0.5 * wrong
