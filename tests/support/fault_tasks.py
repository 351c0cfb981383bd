"""What processes do until a fault ends them; each tells what it has begun and finished.

A task is a function of a folder and of `tell(event, ...)`.
"""

import hashlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxnets as jn
from jaxnets.augment import shift
from jaxnets.data import Dataset
from jaxnets.models import CNN, Activate, Conv, Dense, Dropout, Flatten
from jaxnets.storage import arrays, checkpoints, run_folder

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(53, 6, 6, 1)).astype(np.float32)
CLASSES = np.arange(53) % 3
LAYERS = (Conv(2, 3), Activate("relu"), Flatten(), Dropout(0.3), Dense(3))
LOSS = "softmax_cross_entropy"


def digest(tree):
    """Returns a digest of the bits of all leaves."""
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        plain = jax.random.key_data(leaf) if arrays.is_key(leaf) else leaf
        found.update(np.asarray(plain).tobytes())
    return found.hexdigest()[:16]


def split(x, y):
    return Dataset({"x": x[:43], "y": y[:43]}, {"x": x[43:], "y": y[43:]})


FLAT, SQUARE = split(IMAGES.reshape(53, -1), CLASSES), split(IMAGES, CLASSES)


def mlp(config, epochs=3):
    spec = jn.TrainSpec(jn.MLP((5,), 3), LOSS, epochs, batch_size=10)
    return jn.fit(spec, jax.random.key(0), FLAT, {"learning_rate": 0.01}, checkpoints=config)


def cnn(config):
    spec = jn.TrainSpec(CNN(LAYERS), LOSS, epochs=3, batch_size=10, augment=shift)
    return jn.fit(spec, jax.random.key(1), SQUARE, {"learning_rate": 0.01}, checkpoints=config)


def lbfgs(config):
    spec = jn.TrainSpec(jn.MLP((4,), 3, "tanh"), LOSS, epochs=12, optimizer=optax.lbfgs)
    return jn.fit(spec, jax.random.key(2), FLAT, {}, checkpoints=config)


def sweep(config):
    spec = jn.TrainSpec(jn.MLP((3,), 3), LOSS, epochs=3, batch_size=10)
    keys = jax.random.split(jax.random.key(3), 3)
    rates = {"learning_rate": np.geomspace(0.003, 0.1, 3)}
    return jn.sweep(spec, keys, FLAT, rates, checkpoints=config)


RUNS = {"MLP": mlp, "CNN": cnn, "L-BFGS": lbfgs, "sweep": sweep}


def watch(tell):
    """Makes storage tell every save and restoration, with the digest of what it saves."""
    save, restore = checkpoints.save, checkpoints.restore

    def told_save(folder, step, tree, *rest, **options):
        tell("save", step, digest(tree))
        path = save(folder, step, tree, *rest, **options)
        tell("saved", step)
        return path

    def told_restore(*arguments, **options):
        found = restore(*arguments, **options)
        tell("restored", *((found.step, digest(found.tree)) if found else (0, "-")))
        return found

    checkpoints.save, checkpoints.restore = told_save, told_restore


def run(folder, tell, name):
    """Trains to the end with a checkpoint after every step."""
    config = jn.CheckpointConfig(Path(folder), seconds=0, steps=1, last=2)
    state, history = RUNS[name](config)
    metrics = hashlib.sha256((Path(folder) / "metrics.csv").read_bytes()).hexdigest()
    tell("ended", digest((state.params, state.opt_state, history)) + metrics[:16])


def start_and_end(folder, tell):
    """Runs two epochs in a run folder, or resumes them with the configuration it has."""
    folder = Path(folder)
    with run_folder.open_run_folder(folder) as opened:
        if not (folder / "run.json").exists():
            run_folder.describe(folder, {"epochs": 2})
            tell("described")
        epochs = run_folder.config_of(folder)["epochs"]
        assert epochs == 2
        config = jn.CheckpointConfig(opened.checkpoints.folder, seconds=0, last=1, shared=True)
        spec = jn.TrainSpec(jn.MLP((3,), 3), LOSS, epochs)
        rate = {"learning_rate": 0.01}
        state, history = jn.fit(spec, jax.random.key(0), FLAT, rate, checkpoints=config)
    tell("ended", digest((state.params, state.opt_state, history)))


def tree(step, value=0):
    return {
        "weights": jnp.arange(6.0).reshape(2, 3) + value,
        "half": jnp.full(5, step, jnp.bfloat16),
        "counts": (jnp.int32(step), np.arange(3, dtype=np.int64)),
        "key": jax.random.key(step),
    }


def save(folder, tell, step, last, value=0):
    """Saves a small tree, which `value` changes."""
    checkpoints.save(folder, step, tree(step, value), last=last)


def saves(folder, tell):
    """Saves three steps, of which the last stays, and that one again."""
    for value, step in enumerate((1, 2, 3, 3)):
        save(folder, tell, step, 1, value)


def load(folder, tell):
    """Restores it."""
    checkpoints.restore(folder, tree(0))


TASKS = {task.__name__: task for task in (run, start_and_end, save, saves, load)}
