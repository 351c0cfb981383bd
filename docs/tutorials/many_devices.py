# %% [markdown]
# # Many devices
#
# A processor has several cores, and a machine may have several GPUs. To JAX each GPU is a
# *device*, and all cores together are one, unless you say otherwise before the first computation.

# %%
import jax
import numpy as np

import jaxnets as jn

jn.use_all_cores(4)  # four devices, however many cores there are; without the 4, one for each core
print(jax.devices())

# %% [markdown]
# ## Many networks: nothing to do
#
# `sweep` spreads its networks over all devices by itself. They do not talk to each other, so this
# is where more devices help most.

# %%
from jaxnets.data import load

data = load("digits")
spec = jn.TrainSpec(jn.MLP((32,), 10), "softmax_cross_entropy", epochs=5, batch_size=64)
keys = jax.random.split(jax.random.key(0), 8)
states, histories = jn.sweep(spec, keys, data, {"learning_rate": 3e-3})
print("eight networks:", histories["valid_accuracy"][:, -1].round(3))

# %% [markdown]
# ## One network: a mesh
#
# `mesh=parallel.all_devices()` divides every batch: each device computes the gradient of its
# share, and the shares are added. The number of devices must divide the batch size.

# %%
from jaxnets import parallel

key, hparams = jax.random.key(1), {"learning_rate": 3e-3}
alone, _ = jn.fit(spec, key, data, hparams)
divided, _ = jn.fit(spec, key, data, hparams, mesh=parallel.all_devices())

# %% [markdown]
# It is the same network, up to rounding: numbers are added in another order.

# %%
gaps = jax.tree.map(lambda a, b: np.abs(a - b).max(), alone.params, divided.params)
print("largest difference of a weight:", max(jax.tree.leaves(gaps)))

# %% [markdown]
# ## When is it worth it?
#
# A small network is rarely faster on several cores: they wait for each other after every step.
# Even one whose step took 100 ms became slower on two cores, and a convolutional one gained a
# fifth: see [what it gains](../scaling.md). Several GPUs were not tried. Train several networks at
# once where you can.
#
# ## Several processes, several machines
#
# The same program runs unchanged under `python -m jaxnets.launch -n 2 -- python my_program.py`,
# if it calls `jaxnets.parallel.start()` first. [Machines](../machines.md) says what was tried and
# what was not.
