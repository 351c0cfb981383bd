"""The cipher is a permutation for every size, and its statistics are those of a uniform one."""

import chex
import hypothesis
import jax
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import stats

from jaxnets.training.permutation import SORTED_BELOW, permutation


def orders(n, keys, seed=0):
    """One order a key, `[keys, n]`."""
    program = jax.jit(jax.vmap(lambda key: permutation(key, n)))
    return np.asarray(program(jax.random.split(jax.random.key(seed), keys)))


def assert_permutations(rows, n):
    chex.assert_type(rows, np.int32)
    np.testing.assert_array_equal(np.sort(rows, axis=1), np.tile(np.arange(n), (len(rows), 1)))


@hypothesis.settings(max_examples=8)
@hypothesis.given(n=st.integers(1, 3000))
@hypothesis.example(n=SORTED_BELOW)
@hypothesis.example(n=SORTED_BELOW - 1)
@hypothesis.example(n=1024)
@hypothesis.example(n=1025)
@hypothesis.example(n=2)
def test_every_number_once(n):
    assert_permutations(orders(n, keys=3), n)


def test_every_number_once_in_a_large_set():
    rows = orders(60_000, keys=2)
    assert_permutations(rows, 60_000)
    assert (rows[0] == rows[1]).mean() < 1e-3


SIZES = pytest.mark.parametrize("n", [20, 256, 400])


@SIZES
def test_different_keys_give_different_orders(n):
    rows = orders(n, keys=50)
    assert len(np.unique(rows, axis=0)) == 50
    np.testing.assert_array_equal(rows, orders(n, keys=50))


@SIZES
def test_every_place_is_equally_likely(n):
    """Chi-square of where two samples go and of who comes first and last, over 4,000 keys."""
    rows = orders(n, keys=4000, seed=1)
    places = np.argsort(rows, axis=1)
    for draws in (rows[:, 0], rows[:, -1], places[:, 0], places[:, n // 2]):
        assert stats.chisquare(np.bincount(draws, minlength=n)).pvalue > 1e-4


@SIZES
def test_neighbours_are_independent(n):
    """Chi-square of the joint place of two samples, and of two consecutive ones, in quarters."""
    rows = orders(n, keys=4000, seed=2)
    places = np.argsort(rows, axis=1)
    for a, b in ((rows[:, 0], rows[:, 1]), (places[:, 0], places[:, 1])):
        table = np.histogram2d(a * 4 // n, b * 4 // n, bins=4)[0]
        diagonal = np.eye(4) * (n / 4 - 1) + (1 - np.eye(4)) * n / 4
        expected = len(rows) * diagonal / diagonal.sum()
        assert stats.chisquare(table, expected, axis=None).pvalue > 1e-4


@SIZES
def test_rises_and_falls_are_even(n):
    """Half of all neighbours rise, with the variance (n + 1) / 12 of a uniform permutation."""
    rises = (np.diff(orders(n, keys=2000, seed=3), axis=1) > 0).sum(axis=1)
    z = (rises.mean() - (n - 1) / 2) / np.sqrt((n + 1) / 12 / len(rises))
    assert abs(z) < 4
    assert abs(rises.var() / ((n + 1) / 12) - 1) < 0.15


@pytest.mark.parametrize("n", [20, 400])
def test_compiled_and_mapped_equal_plain(key, n):
    keys = jax.random.split(key, 3)
    plain = np.stack([permutation(k, n) for k in keys])
    np.testing.assert_array_equal(
        np.stack([jax.jit(permutation, static_argnums=1)(k, n) for k in keys]), plain
    )
    np.testing.assert_array_equal(jax.vmap(lambda k: permutation(k, n))(keys), plain)
