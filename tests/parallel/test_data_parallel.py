"""One run on many devices and in many processes: the same losses and params, divided work."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType

from jaxnets import MLP, Objective, TrainSpec, backprop, fit, parallel
from jaxnets.data import Dataset
from jaxnets.parallel.data_parallel import data_parallel
from jaxnets.parallel.mesh import shard_dataset
from jaxnets.training.loop import advance, begin
from tests.support.many_devices import FLAT, HPARAMS, LOSS, N

PROGRAM = Path(__file__).parents[1] / "support" / "many_devices.py"
QUICK = ("own_rows", "resumed", "cnn", "sweep", "map")
PLAIN = ("mlp", *QUICK)
FIXED_ORDER = ("fixed_mlp", "fixed_mlp_by_hand", "fixed_dropout", "fixed_cnn_by_hand")
QUICK_FIXED_ORDER = ("fixed_dropout",)
SLOW = pytest.mark.slow_faults
SPEC = TrainSpec(MLP((16,), 3), LOSS, epochs=2, batch_size=32)
TESTED = "JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS"


def mesh_of(devices, axis="data", kind=AxisType.Auto):
    return jax.make_mesh((devices,), (axis,), (kind,), devices=jax.devices()[:devices])


def compute(folder, devices, processes, names):
    """What each process found, in a list; fixed orders run with the options that users have."""
    folder.mkdir()
    command = [sys.executable, str(PROGRAM), str(devices), str(folder), *names]
    if processes > 1:
        command = [sys.executable, "-m", "jaxnets.launch", "-n", str(processes), "--", *command]
    fixed = names[0].startswith("fixed")
    environment = {k: v for k, v in os.environ.items() if not (fixed and k in TESTED)}
    paths = {"PYTHONPATH": str(PROGRAM.parents[2])}
    done = subprocess.run(
        command, env=environment | paths, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return [
        dict(np.load(folder / f"{process}.npz", allow_pickle=False)) for process in range(processes)
    ]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The arrays of a configuration, computed once."""
    known = {}

    def of(devices, processes, names):
        chosen = (devices, processes, names)
        if chosen not in known:
            known[chosen] = compute(tmp_path_factory.mktemp("found") / "a", *chosen)
        return known[chosen]

    return of


@pytest.mark.parametrize(
    ("devices", "processes", "names"),
    [
        (4, 1, QUICK),
        (2, 2, ("own_rows", "resumed", "sweep")),
        pytest.param(2, 1, PLAIN, marks=SLOW),
        pytest.param(8, 1, PLAIN, marks=SLOW),
        pytest.param(2, 2, PLAIN, marks=SLOW),
    ],
)
def test_losses_and_params_are_those_of_one_device(found, devices, processes, names):
    """Of an MLP, a CNN with dropout and shifted images, and a sweep; in every process."""
    (truth,) = found(1, 1, PLAIN if names == PLAIN else QUICK)
    for ours in found(devices, processes, names):
        assert ours.pop("devices") == devices * processes
        assert ours.keys() == {name for name in truth if name.startswith(names)}
        for name, value in ours.items():
            largest = np.abs(truth[name]).max()
            np.testing.assert_allclose(value / largest, truth[name] / largest, atol=1e-6)


@pytest.mark.parametrize(
    ("devices", "processes", "names"),
    [
        (4, 1, QUICK_FIXED_ORDER),
        pytest.param(2, 1, FIXED_ORDER, marks=SLOW),
        pytest.param(4, 1, FIXED_ORDER, marks=SLOW),
        pytest.param(2, 2, FIXED_ORDER, marks=SLOW),
    ],
)
def test_fixed_order_gradients_have_the_bits_of_one_device(found, devices, processes, names):
    (truth,) = found(1, 1, names)
    for ours in found(devices, processes, names):
        assert ours.keys() == truth.keys()
        different = [name for name in ours if ours[name].tobytes() != truth[name].tobytes()]
        assert different == ["devices"]


def compiled_of(spec, data, key):
    hparams = {"learning_rate": jnp.array(0.01)}
    carry, order_key = begin(spec, key, jnp.ones((1, 64)), hparams, validated=False)
    program = jax.jit(advance, static_argnums=0)
    return program.lower(spec, carry, 0, 2, data, hparams, order_key).compile()


def test_a_step_is_divided_among_the_devices(key):
    """By the compiled program: each of 4 devices multiplies matrices of a quarter of the batch."""
    mesh = parallel.all_devices()
    assert mesh.size == 4
    spec = TrainSpec(MLP((32,), 3), LOSS, 1, 96)
    data = FLAT._replace(train={k: v[:192] for k, v in FLAT.train.items()}, valid=None)
    alone = compiled_of(spec, data, key).cost_analysis()["flops"]
    hparams = {"learning_rate": jnp.array(0.01)}
    changed, key, sharded, _ = data_parallel(mesh, spec, key, data, hparams)
    compiled = compiled_of(changed, sharded, key)
    assert compiled.cost_analysis()["flops"] < alone / 3
    untouched = compiled_of(spec, sharded, key)
    assert untouched.cost_analysis()["flops"] > alone / 2, "or the constraint does nothing"
    assert "f32[24,64]" in compiled.as_text()
    assert "all-reduce" in compiled.as_text()


def test_no_device_holds_all_samples():
    mesh = parallel.all_devices()
    sharded = shard_dataset(FLAT, mesh, None)
    for shard in sharded.padded["x"].addressable_shards:
        assert shard.data.shape == (51, 64)  # 203 samples on 4 devices: 204 places
    np.testing.assert_array_equal(np.asarray(sharded.padded["x"])[:N], FLAT.train["x"])
    np.testing.assert_array_equal(parallel.own_rows(N, mesh), np.arange(N))


@pytest.mark.parametrize("samples", [1, 3, 5])
def test_fewer_samples_than_places(samples, key):
    """Some devices hold nothing but padding, and single samples are trained on by all."""
    few = FLAT._replace(train={k: v[:samples] for k, v in FLAT.train.items()})
    spec = TrainSpec(MLP((4,), 3), LOSS, epochs=2, batch_size=4 if samples == 5 else None)
    mesh = parallel.all_devices() if samples == 5 else mesh_of(1)
    _, history = fit(spec, key, few, HPARAMS, mesh=mesh)
    _, truth = fit(spec, key, few, HPARAMS)
    np.testing.assert_allclose(history["train_loss"], truth["train_loss"], rtol=1e-5)


def test_a_full_batch_and_a_line_search_are_divided_too(key):
    """`optax.lbfgs` asks for the objective itself."""
    full = FLAT._replace(train={k: v[:200] for k, v in FLAT.train.items()})
    spec = TrainSpec(MLP((8,), 3, "tanh"), LOSS, epochs=4, optimizer=optax.lbfgs)
    state, history = fit(spec, key, full, {}, mesh=parallel.all_devices())
    alone, truth = fit(spec, key, full, {})
    for name, values in truth.items():
        np.testing.assert_allclose(history[name], values, atol=1e-4)
    assert state.step == alone.step
    assert state.step.devices() == {jax.local_devices()[0]}


def test_equal_runs_share_a_program(key, compilations):
    """With new, equal meshes, gradients and specs."""

    def train():
        mesh = parallel.all_devices()
        gradients = parallel.fixed_order_gradients(backprop.value_and_grad, mesh, 8)
        fit(
            TrainSpec(MLP((4,), 3), LOSS, 1, 32, value_and_grad=gradients),
            key,
            FLAT,
            HPARAMS,
            mesh=mesh,
        )

    train()
    before = compilations()
    train()
    assert compilations() == before > 0


@pytest.mark.parametrize("gradient", [jax.value_and_grad, backprop.value_and_grad])
def test_a_fixed_order_gradient_is_the_mean_of_its_micro_shards(gradient, key):
    """Against a Python loop, penalty included; a batch that does not divide is not cut."""
    objective = Objective(MLP((8,), 3), LOSS, l2=0.1)
    params = MLP((8,), 3).init(key, FLAT.train["x"][:1])
    gradients = parallel.fixed_order_gradients(gradient, parallel.all_devices(), 8)
    batch = jax.tree.map(lambda a: jnp.asarray(a[:48]), FLAT.train)
    (value, metrics), grads = jax.jit(gradients(objective))(params, batch, key)
    pieces = [jax.tree.map(lambda a, i=i: a[6 * i : 6 * i + 6], batch) for i in range(8)]
    each = [jax.value_and_grad(objective, has_aux=True)(params, piece, key) for piece in pieces]
    mean = jax.tree.map(lambda *leaves: jnp.mean(jnp.stack(leaves), axis=0), *each)
    for ours, truth in zip(
        jax.tree.leaves(((value, metrics), grads)), jax.tree.leaves(mean), strict=True
    ):
        np.testing.assert_allclose(ours, truth, atol=1e-5)
    odd = jax.tree.map(lambda a: a[:5], batch)
    (value, _), _ = jax.jit(gradients(objective))(params, odd, key)
    np.testing.assert_allclose(value, objective(params, odd, key)[0], rtol=1e-5)


KEY = jax.random.key(0)


def with_batch(size, samples=N):
    data = FLAT._replace(train={k: v[:samples] for k, v in FLAT.train.items()})
    return lambda mesh: fit(TrainSpec(MLP((4,), 3), LOSS, 1, size), KEY, data, HPARAMS, mesh=mesh)


def fixed_of(shards, size):
    def train(mesh):
        gradients = parallel.fixed_order_gradients(jax.value_and_grad, mesh, shards)
        spec = TrainSpec(MLP((4,), 3), LOSS, 1, size, value_and_grad=gradients)
        fit(spec, KEY, FLAT, HPARAMS, mesh=mesh)

    return train


def other_rows(mesh):
    fit(SPEC, KEY, FLAT, HPARAMS, mesh=mesh, samples=2 * N)


def other_mesh(_):
    fit(SPEC, KEY, FLAT, HPARAMS, mesh=mesh_of(4, "row"))


def explicit_mesh(_):
    fit(SPEC, KEY, FLAT, HPARAMS, mesh=mesh_of(4, kind=AxisType.Explicit))


WRONG = {
    "batch": (with_batch(30), "batch_size 30 cannot .* 4 devices: use batch_size 28 or 32$"),
    "small batch": (with_batch(3), "batch_size 3 cannot .* 4 devices: use batch_size 4"),
    "large batch": (with_batch(202), "batch_size 202 .*: use batch_size 200$"),
    "full batch": (with_batch(None), "all 203 training samples cannot .*: use batch_size 200"),
    "few samples": (with_batch(None, 3), "all 3 training samples .*: use fewer devices"),
    "micro-shards": (fixed_of(6, 32), "6 micro-shards for 4 devices: .* multiple of 4, 8 or more"),
    "one each": (fixed_of(4, 32), "4 micro-shards for 4 devices"),
    "micro-shards batch": (
        fixed_of(8, 28),
        "batch_size 28 .* 8 micro-shards: use batch_size 24 or 32",
    ),
    "own rows": (other_rows, "data.train has 203 samples in process 0, .* 406 of the 406"),
    "axis": (other_mesh, r"axes \('row',\)"),
    "explicit": (explicit_mesh, "Explicit"),
}


@pytest.mark.parametrize(("train", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_divided_is_named_before_anything_compiles(train, message, compilations):
    mesh = parallel.all_devices()
    before = compilations()
    with pytest.raises(ValueError, match=message):
        train(mesh)
    assert compilations() == before


def test_processes_with_other_data_are_named(monkeypatch):
    """Two processes, the other of which has found the checksum 0."""
    from jax.experimental import multihost_utils

    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(
        multihost_utils, "process_allgather", lambda own: np.array([own, 0], np.uint32)
    )
    with pytest.raises(ValueError, match="process 1 has a different data set than process 0"):
        parallel.require_same_everywhere({"x": np.ones(3)}, "data set")


def test_a_data_set_without_validation_is_sharded_too(key):
    data = Dataset(FLAT.train, None)
    _, history = fit(SPEC, key, data, HPARAMS, mesh=parallel.all_devices())
    assert set(history) == {"train_loss", "train_accuracy"}
