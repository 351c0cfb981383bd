# %% [markdown]
# # Coming from PyTorch
#
# In PyTorch you write the loop; here it is written, compiled as one program, and you write
# functions.
#
# | in PyTorch | here |
# | --- | --- |
# | `nn.Sequential(nn.Linear(64, 32), nn.ReLU(), ...)` | `MLP((32,), 10)`, or any Flax module |
# | `model.parameters()` | `params`, a tree of arrays; `model` itself holds none |
# | `model(x)` | `model.apply(params, x)` |
# | `loss.backward()`, `p.grad` | `grads, metrics = jax.grad(objective, has_aux=True)(params, batch)` |
# | `optimizer.step()` | `step(state, batch) -> (state, metrics)` |
# | `for epoch ...: for batch ...:` | `fit(spec, key, data, hparams)` |
# | `DataLoader` | arrays, or `fit_stream` with the loader itself |
# | `model.train()`, `model.eval()` | known from where it is called |
# | `torch.manual_seed(0)` | `jax.random.key(0)`, passed on |
# | `CrossEntropyLoss()`, `BCEWithLogitsLoss()` | `"softmax_cross_entropy"`, `"binary_cross_entropy"` |
# | `DistributedDataParallel` | `mesh=parallel.all_devices()` |
# | `torch.load("weights.pth")` | `jaxnets.weights.read("weights.pth")`, which executes nothing |
#
# **PyTorch is the better choice** for large models, for nearly every published checkpoint, for
# control flow that depends on values and changes as you debug, and for work with others who use
# it. For many small networks this package is much faster, since nothing returns to Python between
# steps: see the [benchmarks](../../benchmarks/RESULTS.md).

# %%
import jax
import jax.numpy as jnp
import numpy as np

import jaxnets as jn
from jaxnets.data import load

data = load("digits")
model = jn.MLP((32,), outputs=10, activation="relu")
params = model.init(jax.random.key(0), data.train["x"][:1])
print(jax.tree.map(jnp.shape, params))

# %% [markdown]
# ## The loop that you know
#
# `fit` runs the loop. Its body, which `jn.make_step` builds, takes one batch forward, backward, and
# an update: the state goes in and a new state comes out; nothing changes in place.

# %%
spec = jn.TrainSpec(model, "softmax_cross_entropy", epochs=10, batch_size=32)
state, history = jn.fit(spec, jax.random.key(0), data, {"learning_rate": 3e-3})
print("validation accuracy:", history["valid_accuracy"][-1])

# %% [markdown]
# ## A loss and a gradient of your own
#
# Any function of params can be differentiated, and compiled by `jax.jit`. A loss is a function of
# outputs and targets that gives one number for each sample.


# %%
def smooth(outputs, labels):
    """Cross-entropy with a tenth of the probability spread over all classes."""
    log_probabilities = jax.nn.log_softmax(outputs)
    right = jnp.take_along_axis(log_probabilities, labels[:, None], axis=1)[:, 0]
    return -(0.9 * right + 0.1 * log_probabilities.mean(axis=1))


@jax.jit
def mean_loss(some_params):
    return smooth(model.apply(some_params, data.valid["x"]), data.valid["y"]).mean()


value, gradient = jax.value_and_grad(mean_loss)(state.params)
print("loss", value, "arrays of the gradient:", len(jax.tree.leaves(gradient)))

# %%
smoothed = jn.TrainSpec(model, smooth, epochs=10, batch_size=32)
trained, _ = jn.fit(smoothed, jax.random.key(0), data, {"learning_rate": 3e-3})
answers = np.asarray(model.apply(trained.params, data.valid["x"])).argmax(axis=1)
print("validation accuracy:", (answers == data.valid["y"]).mean())

# %% [markdown]
# ## What may surprise you
#
# * Arrays do not change: `x.at[0].set(1)` returns a new one.
# * Inside compiled functions an `if` cannot ask for an array's value: use `jnp.where`.
# * The first call compiles, which takes a second or so; the next ones do not.
# * Labels are integers for `softmax_cross_entropy`, floats `[samples, k]` for `squared_error`.
#
# Go on with [a sweep](sweep.py), for which a loop over seeds is not needed.
