"""What `test_data_parallel` runs on 1, 2, 4 and 8 devices and in 2 processes of 2.

`python tests/support/many_devices.py DEVICES FOLDER [NAME ...]`: every process runs the programs
with these names, by default all, and writes losses and params to its own file in the folder.
"""

import sys
from pathlib import Path

import jax
import numpy as np

import jaxnets
from jaxnets import CNN, MLP, CheckpointConfig, TrainSpec, augment, backprop, fit, parallel, sweep
from jaxnets.data import Dataset
from jaxnets.models import Activate, BatchNorm, Conv, Dense, Dropout, Flatten, MaxPool
from jaxnets.parallel.rows import parallel_map

RNG = np.random.default_rng(0)
N, VALID = 203, 16  # 203 samples divide among no devices, and end in a partial batch
IMAGES = RNG.normal(size=(N + VALID, 8, 8, 1)).astype(np.float32)
LABELS = RNG.integers(0, 3, N + VALID).astype(np.int32)
HPARAMS = {"learning_rate": 0.01}
LOSS = "softmax_cross_entropy"
LAYERS = (Conv(4, 3), Activate("tanh"), MaxPool(2), Flatten(), Dropout(0.3), Dense(3))


def data(x):
    return Dataset(
        {"x": x[:N], "y": LABELS[:N]},
        {"x": x[N:], "y": LABELS[N:]},
    )


FLAT, SQUARE = data(IMAGES.reshape(len(IMAGES), -1)), data(IMAGES)


def shift(key, x):
    return augment.shift(key, x, pixels=1)


def mlp(mesh):
    return fit(TrainSpec(MLP((16,), 3), LOSS, 3, 32), jax.random.key(1), FLAT, HPARAMS, mesh=mesh)


def own_rows(mesh):
    """The MLP, each process with only its own samples."""
    rows = parallel.own_rows(N, mesh)
    own = FLAT._replace(train={name: values[rows] for name, values in FLAT.train.items()})
    spec = TrainSpec(MLP((16,), 3), LOSS, 3, 32)
    return fit(spec, jax.random.key(1), own, HPARAMS, mesh=mesh, samples=N)


def resumed(mesh):
    """The run of `own_rows` in two parts: a shorter run whose checkpoint the longer one finds."""
    rows = parallel.own_rows(N, mesh)
    own = FLAT._replace(train={name: values[rows] for name, values in FLAT.train.items()})
    options = {
        "mesh": mesh,
        "samples": N,
        "checkpoints": CheckpointConfig(Path(sys.argv[2]) / "run"),
    }
    for epochs in (1, 3):
        spec = TrainSpec(MLP((16,), 3), LOSS, epochs, 32)
        found = fit(spec, jax.random.key(1), own, HPARAMS, **options)
    return found


def cnn(mesh):
    layers = (Conv(4, 3, bias=False), BatchNorm(), *LAYERS[1:])
    spec = TrainSpec(CNN(layers), LOSS, 2, 32, augment=shift)
    return fit(spec, jax.random.key(2), SQUARE, HPARAMS, mesh=mesh)


def many(_):
    keys = jax.random.split(jax.random.key(3), 5)
    rates = np.geomspace(0.003, 0.1, 5)
    return sweep(TrainSpec(MLP((4,), 3), LOSS, 2, 32), keys, FLAT, {"learning_rate": rates})


def mapped(_):
    keys = jax.random.split(jax.random.key(4), 5)
    return parallel_map(jax.random.uniform, keys), {}


def fixed_order(network, gradient):
    def run(mesh):
        gradients = parallel.fixed_order_gradients(gradient, mesh, 8)
        spec = TrainSpec(network, LOSS, 2, 32, value_and_grad=gradients)
        seen = FLAT if isinstance(network, MLP) else SQUARE
        return fit(spec, jax.random.key(5), seen, HPARAMS, mesh=mesh)

    return run


WITHOUT_DROPOUT = CNN(tuple(layer for layer in LAYERS if not isinstance(layer, Dropout)))
PROGRAMS = {
    "mlp": mlp,
    "own_rows": own_rows,
    "resumed": resumed,
    "cnn": cnn,
    "sweep": many,
    "map": mapped,
    "fixed_mlp": fixed_order(MLP((16,), 3), jax.value_and_grad),
    "fixed_mlp_by_hand": fixed_order(MLP((16,), 3), backprop.value_and_grad),
    "fixed_dropout": fixed_order(CNN(LAYERS), jax.value_and_grad),
    "fixed_cnn_by_hand": fixed_order(WITHOUT_DROPOUT, backprop.value_and_grad),
}


def arrays(found):
    """Params and losses by name, on the host."""
    state, history = found
    leaves = jax.tree.leaves_with_path(getattr(state, "params", state))
    params = {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}
    return params | history


def main(devices, folder, *names):
    jaxnets.use_all_cores(int(devices))
    process = parallel.start()
    mesh = parallel.all_devices()
    found = {
        f"{program} {name}": value
        for program in names or PROGRAMS
        for name, value in arrays(PROGRAMS[program](mesh)).items()
    }
    np.savez(Path(folder) / f"{process}.npz", devices=mesh.size, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
