# %% [markdown]
# # A gradient by hand
#
# Training goes downhill, and the gradient says where that is. `jax.grad` finds it for any
# function. Here we write it ourselves, once, for the smallest network there is, and check it
# three ways.

# %%
import jax
import jax.numpy as jnp
import numpy as np

import jaxnets as jn
from jaxnets import backprop
from jaxnets.data import TOY

# %% [markdown]
# ## Forward
#
# One hidden layer of tanh units: `s = W x + b`, `h = tanh(s)`, `y = V h + c`. The error is half
# the squared difference from the target `t`.

# %%
x, t = jnp.array([0.5, -1.0]), jnp.array([0.3])
W, b = jnp.array([[0.2, -0.4], [0.7, 0.1], [-0.5, 0.6]]), jnp.zeros(3)
V, c = jnp.array([[0.3, -0.8, 0.5]]), jnp.zeros(1)


def error(W, b, V, c):
    return jnp.sum((V @ jnp.tanh(W @ x + b) + c - t) ** 2) / 2


h = jnp.tanh(W @ x + b)
y = V @ h + c
print("output", y, "error", error(W, b, V, c))

# %% [markdown]
# ## Backward
#
# The chain rule, from the error back to the weights. Each line is the derivative of the error
# with respect to one thing, `d` for short:
#
# * the output: `dy = y - t`
# * the output's weights: `dV = dy h^T`, `dc = dy`
# * the hidden values: `dh = V^T dy`
# * through tanh, whose derivative is `1 - tanh^2`: `ds = dh (1 - h^2)`
# * the first weights: `dW = ds x^T`, `db = ds`

# %%
dy = y - t
dV, dc = jnp.outer(dy, h), dy
dh = V.T @ dy
ds = dh * (1 - h * h)
dW, db = jnp.outer(ds, x), ds
print(dW)

# %% [markdown]
# ## Is it right?
#
# First check: JAX differentiates the same function. Second check: central differences. Move one
# weight a little up and a little down, and see how the error changes.

# %%
by_jax = jax.grad(error, argnums=(0, 1, 2, 3))(W, b, V, c)
for _ours, _theirs in zip((dW, db, dV, dc), by_jax, strict=True):
    np.testing.assert_allclose(_ours, _theirs, atol=1e-6)

step = 1e-2
up, down = W.at[0, 1].add(step), W.at[0, 1].add(-step)
slope = (error(up, b, V, c) - error(down, b, V, c)) / (2 * step)
print("by hand", dW[0, 1], "by differences", slope)

# %% [markdown]
# ## Whole networks
#
# `jaxnets.backprop` does this for every network of the lectures. Its `value_and_grad` is called
# as JAX's own, so that a run can use it: third check.

# %%
data = TOY["spirals"](jax.random.key(0), 200)
objective = jn.Objective(jn.MLP((16,), 1, "tanh"), "binary_cross_entropy")
params = objective.model.init(jax.random.key(1), data["x"])
(loss, metrics), by_hand = backprop.value_and_grad(objective, has_aux=True)(params, data)
automatic = jax.grad(lambda p: objective(p, data)[0])(params)
gaps = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), by_hand, automatic)
print("largest difference in each array:", gaps)

# %% [markdown]
# ## What next
#
# `TrainSpec(..., value_and_grad=backprop.value_and_grad)` trains by hand. How to add a layer with
# a backward pass of yours is in [extending](../extending.md).
