"""The two calls before the first computation, each in its own process."""

import json
import os
import subprocess
import sys

import jax
import pytest

import jaxnets

USE_CORES = """
import jax, jaxnets, json
count = jaxnets.use_all_cores({cores})
print(json.dumps([count, len(jax.devices("cpu"))]))
"""

CACHE = """
import jax, json, sys
import jax.numpy as jnp
import numpy as np
import jaxnets
from jaxnets.data import Dataset
jaxnets.cache_compilations(sys.argv[1])
events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
spec = jaxnets.TrainSpec(jaxnets.MLP((2,)), "squared_error", epochs=2)
x = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
data = Dataset({"x": x, "y": x})
state, history = jaxnets.fit(spec, jax.random.key(0), data, {"learning_rate": 0.1})
loss = float(history["train_loss"][-1])
hits, misses = (events.count(f"/jax/compilation_cache/cache_{k}") for k in ("hits", "misses"))
print(json.dumps([hits, misses, loss]))
"""


def run_python(code, *arguments):
    """The JSON that a fresh process prints last."""
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("cores", [None, 3])
def test_every_core_becomes_a_device(cores):
    truth = cores or len(os.sched_getaffinity(0))
    assert run_python(USE_CORES.format(cores=cores or "")) == [truth, truth]


def test_asking_again_for_the_same_is_allowed():
    count = len(jax.devices("cpu"))
    assert jaxnets.use_all_cores(count) == count


def test_too_late_to_ask_for_another_number():
    count = len(jax.devices("cpu"))
    with pytest.raises(RuntimeError, match=f"already started with {count} CPU device.*before"):
        jaxnets.use_all_cores(count + 1)
    assert len(jax.devices("cpu")) == count


def test_a_second_process_compiles_nothing(tmp_path):
    hits, misses, loss = run_python(CACHE, tmp_path / "compiled")
    assert (hits, misses > 0) == (0, True)
    assert any((tmp_path / "compiled").iterdir())
    assert run_python(CACHE, tmp_path / "compiled") == [misses, 0, loss]
