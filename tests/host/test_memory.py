"""Out-of-memory errors: a batch that no machine can hold, and XLA's and NumPy's messages."""

import re
import resource

import jax
import numpy as np
import optax
import pytest

from jaxnets import MLP, TrainSpec, fit, sweep
from jaxnets.data import Dataset
from jaxnets.host.memory import OutOfMemoryError, out_of_memory_hint

SAMPLES, WIDTH = 1_000_003, 1_000_003
"""Activations of 4 * 10^12 bytes. Given powers of two, jaxlib 0.12's compiler divides by zero."""
ONE = {"learning_rate": 0.1}


@pytest.fixture
def address_space():
    """2^41 bytes of addresses, for systems that promise more memory than they have."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**41, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("batch", [None, 500_003])
def test_a_batch_that_does_not_fit_is_named_with_the_bytes(address_space, batch):
    """The second leaves a partial batch at the end."""
    x = np.zeros((SAMPLES, 1), np.float32)
    model = MLP((WIDTH if batch is None else 2 * WIDTH,), 1)
    spec = TrainSpec(model, "squared_error", 1, batch, optimizer=optax.sgd)
    what = "batch_size=None, all 1000003" if batch is None else f"batches of {batch} of 1000003"
    match = rf"the network and {what} .*\d+ bytes requested.* GiB\): .*batch_size"
    with pytest.raises(OutOfMemoryError, match=match) as caught:
        fit(spec, jax.random.key(0), Dataset({"x": x, "y": x}), ONE)
    assert isinstance(caught.value, MemoryError)
    assert caught.value.__cause__ is not None


def test_the_next_run_is_unaffected():
    x = np.ones((8, 2), np.float32)
    spec = TrainSpec(MLP((4,), 1), "squared_error", 2)
    _, history = sweep(
        spec, jax.random.split(jax.random.key(0), 2), Dataset({"x": x, "y": x[:, :1]}), ONE
    )
    assert np.isfinite(history["train_loss"]).all()


@pytest.mark.parametrize(
    ("error", "size"),
    [
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: allocating 2048 bytes."), "2048 bytes"),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: 3.5GiB of memory"), "3.5GiB"),
        (MemoryError("Unable to allocate 8.00 TiB for an array"), "8.00 TiB"),
        (MemoryError(), "requested bytes unknown"),
    ],
)
def test_the_requested_size_is_named(error, size):
    hint = out_of_memory_hint(error, "samples", "fewer")
    assert isinstance(hint, OutOfMemoryError)
    assert re.fullmatch(f"samples do not fit in memory.*{size}.*: fewer", str(hint))


@pytest.mark.parametrize("error", [jax.errors.JaxRuntimeError("INTERNAL: other"), ValueError("n")])
def test_other_errors_pass(error):
    with pytest.raises(type(error), match=str(error)):
        out_of_memory_hint(error, "samples", "fewer")
