"""A researcher: a loss of one's own, many seeds at once, runs that go on, a known answer."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.linear_model import QuantileRegressor

import jaxnets as jn
from jaxnets.data import Dataset

rng = np.random.default_rng(0)
x = rng.normal(size=(400, 3)).astype(np.float32)
y = (x @ [1.0, -2.0, 0.5] + rng.exponential(size=400)).astype(np.float32)[:, None]


def pinball(outputs, targets, level=0.8):
    """The loss whose minimum is a quantile (Koenker and Bassett, 1978)."""
    left = targets - outputs
    return jnp.mean(jnp.maximum(level * left, (level - 1) * left), axis=1)


model, data, keys = jn.MLP((), 1), Dataset({"x": x, "y": y}), jax.random.split(jax.random.key(0), 8)
short, long = (jn.TrainSpec(model, pinball, epochs, record_every=100) for epochs in (500, 3000))
hparams = {"learning_rate": np.geomspace(1e-3, 1e-1, 8)}
states, _ = jn.sweep(short, keys, data, hparams)
states, history = jn.sweep(long, keys, data, hparams, state=states)
for row in jn.table(hparams, history):
    print(row)

theirs = QuantileRegressor(quantile=0.8, alpha=0).fit(x, y[:, 0])
expected = pinball(theirs.predict(x)[:, None], y).mean()
best = np.nanmin(history["train_loss"][:, -1])
print(best, expected)
assert expected - 1e-6 <= best < 1.01 * expected
