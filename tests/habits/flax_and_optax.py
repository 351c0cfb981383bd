"""Someone from Flax: a module with statistics, and the loop that Flax's guide writes by hand."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

import jaxnets as jn
from jaxnets.data import Dataset, load


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.BatchNorm(not train)(nn.Dense(16, use_bias=False)(x))
        return nn.Dense(10)(nn.relu(x))


x, y = (jnp.asarray(load("digits").train[name][:200]) for name in "xy")
spec = jn.TrainSpec(Net(), "softmax_cross_entropy", epochs=30, optimizer=optax.adam)
state, _ = jn.fit(spec, jax.random.key(0), Dataset({"x": x, "y": y}), {"learning_rate": 0.01})

tx, key = optax.adam(0.01), jax.random.split(jax.random.key(0), 3)[0]
statistics = Net().init(key, x[:1], train=False)
params = statistics.pop("params")


def loss(params, statistics):
    outputs, changed = Net().apply({"params": params, **statistics}, x, True, mutable="batch_stats")
    return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean(), changed


opt_state = tx.init(params)
for _ in range(30):
    grads, statistics = jax.grad(loss, has_aux=True)(params, statistics)
    updates, opt_state = tx.update(grads, opt_state)
    params = optax.apply_updates(params, updates)
expected = Net().apply({"params": params, **statistics}, x, train=False)
assert jnp.allclose(Net().apply(state.params, x, train=False), expected, atol=1e-4)
