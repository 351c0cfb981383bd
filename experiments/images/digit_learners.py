"""Networks that read digits, each trained on samples of its own, in one program."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

import jaxnets as jn
from jaxnets import classical
from jaxnets.data import Dataset
from jaxnets.models import CNN
from jaxnets.models.cnn import lenet5
from jaxnets.training.optimizers import adam_cosine

from ..shared.image_networks import LOSS, cnn

NETWORKS = {"mlp": "MLP", "convolutions": "convolutional network"}


def learning_curves(
    model: Any,
    keys: Array,
    data: Dataset,
    rows: np.ndarray,
    counts: Sequence[int],
    records: Sequence[int],
    batch_size: int,
    rate: float,
) -> np.ndarray:
    """Trains a network for every key, on the first `counts` of its own rows of the training part.

    Adam sees mini-batches drawn with replacement; its rate falls to zero at the last record.

    Args:
        model: of all networks.
        keys: `[networks]`.
        data: with the parts `train` and `test`.
        rows: of the training part, `[networks, rows]`.
        counts: how many of them each network has, `[networks]`.
        records: the numbers of updates after which the test part is predicted, rising.
        batch_size: of an update.
        rate: the first learning rate.

    Returns:
        Which test images each reads, `[networks, records, images]`.
    """
    predicted = _train(
        model, tuple(records), batch_size, rate, data.train, data.test["x"],
        (keys, jnp.asarray(rows), jnp.asarray(counts)),
    )  # fmt: skip
    return np.asarray(predicted) == np.asarray(data.test["y"])


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _train(
    model: Any,
    records: tuple[int, ...],
    batch_size: int,
    rate: float,
    train: dict[str, Array],
    test: Array,
    networks: tuple[Array, Array, Array],
) -> Array:
    objective, tx = jn.Objective(model, LOSS), adam_cosine(records[-1])(rate)

    def one(network: tuple[Array, Array, Array]) -> Array:
        key, rows, count = network
        init_key, batch_key = jax.random.split(key)
        params = model.init(init_key, train["x"][:1])

        def update(state: tuple[Any, Any], step: Array) -> tuple[tuple[Any, Any], None]:
            params, moments = state
            draw = jax.random.randint(jax.random.fold_in(batch_key, step), (batch_size,), 0, count)
            batch = {name: values[rows[draw]] for name, values in train.items()}
            grads = jax.grad(lambda p: objective(p, batch)[0])(params)
            changes, moments = tx.update(grads, moments, params)
            return (optax.apply_updates(params, changes), moments), None

        state, predicted = (params, tx.init(params)), []
        for start, end in pairwise((0, *records)):
            state, _ = lax.scan(update, state, jnp.arange(start, end))
            predicted.append(jnp.argmax(model.apply(state[0], test), axis=-1).astype(jnp.int8))
        return jnp.stack(predicted)

    return lax.map(one, networks)


def by_samples_and_depth(
    key: Array,
    data: Dataset,
    rows: np.ndarray,
    sizes: Sequence[int],
    depths: Sequence[int],
    width: int,
    updates: int,
    batch_size: int,
    rate: float,
) -> np.ndarray:
    """Trains networks of every depth on every number of samples, `rows [seeds, samples]`.

    Returns:
        Which test images they read, `[seeds, sizes, depths, images]`.
    """
    seeds, found = len(rows), []
    counts = np.minimum(np.tile(sizes, seeds), rows.shape[1])
    own = np.repeat(rows, len(sizes), axis=0)
    for depth in depths:
        model = jn.MLP((width,) * depth, 10, "relu")
        keys = jax.random.split(jax.random.fold_in(key, depth), len(own))
        right = learning_curves(model, keys, data, own, counts, (updates,), batch_size, rate)
        found.append(right.reshape(seeds, len(sizes), -1))
    return np.stack(found, axis=2)


def against_svm(
    key: Array,
    data: Dataset,
    name: str,
    samples: int,
    seeds: int,
    width: int,
    penalty: float,
    records: Sequence[int],
    batch_size: int,
    rate: float,
) -> dict[str, np.ndarray]:
    """Trains networks and an SVM with RBF kernel on the same images.

    Args:
        key: decides everything.
        data: images, `x [images, rows, columns, 1]`.
        name: of the data set; MNIST's convolutional network is LeNet-5.
        samples: images that all of them learn from.
        seeds: networks of each kind.
        width: of the two layers of the MLP.
        penalty: the C of the SVM.
        records: numbers of updates after which networks are tested.
        batch_size: of an update.
        rate: the first learning rate.

    Returns:
        Which test images are read: `svm [images]`, and for each of `NETWORKS`
        `[seeds, records, images]`.
    """
    flat = Dataset(*(_flat(part) for part in data))
    row_key, *train_keys = jax.random.split(key, 1 + len(NETWORKS))
    rows = np.asarray(jax.random.permutation(row_key, len(data.train["y"]))[:samples])
    machine = classical.rbf_svm(flat.train["x"][rows], flat.train["y"][rows], C=penalty)
    found = {"svm": machine.predict(flat.test["x"]) == flat.test["y"]}
    models: dict[str, tuple[Any, Dataset]] = {
        "mlp": (jn.MLP((width, width), 10, "relu"), flat),
        "convolutions": (_convolutions(name), data),
    }
    for (network, (model, part)), own in zip(models.items(), train_keys, strict=True):
        keys, counts = jax.random.split(own, seeds), [len(rows)] * seeds
        found[network] = learning_curves(
            model, keys, part, np.tile(rows, (seeds, 1)), counts, records, batch_size, rate
        )
    return found


def _convolutions(name: str) -> CNN:
    return lenet5() if name == "mnist" else cnn(name)


def _flat(part: dict[str, Any] | None) -> dict[str, Any] | None:
    return part and {"x": part["x"].reshape(len(part["y"]), -1), "y": part["y"]}


def passing(records: np.ndarray, accuracies: np.ndarray, level: float) -> np.ndarray:
    """The first record from which on a network is above the level, NaN if never, `[seeds]`."""
    above = np.asarray(accuracies) > level
    stays = np.flip(np.logical_and.accumulate(np.flip(above, axis=1), axis=1), axis=1)
    return np.where(stays.any(axis=1), np.asarray(records, float)[stays.argmax(axis=1)], np.nan)
