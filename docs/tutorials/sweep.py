# %% [markdown]
# # A sweep and its table
#
# Which learning rate? How many hidden units? Was it luck? One run answers none of these. A
# *sweep* trains many networks side by side in one compiled program, which costs far less than as
# many runs.

# %%
import jax
import numpy as np

import jaxnets as jn
from jaxnets import plots
from jaxnets.data import load

data = load("digits")
model = jn.MLP((32,), outputs=10, activation="relu")
spec = jn.TrainSpec(model, "softmax_cross_entropy", epochs=10, batch_size=32)

# %% [markdown]
# ## A grid
#
# `grid` makes every combination. `width` is the number of hidden units that are used, at most the
# 32 of the model. `seed` stands for four runs of each that differ only by chance: `hparams` must
# not contain it, so we take it out again and make a key of each seed.

# %%
combinations = jn.grid(learning_rate=[3e-4, 3e-3, 3e-2], width=[4, 32], seed=range(4))
seeds = combinations.pop("seed")
keys = jax.vmap(jax.random.key)(np.asarray(seeds, dtype=np.uint32))
print(len(keys), "networks")

# %%
states, history = jn.sweep(spec, keys, data, combinations)
print("a history for each network:", history["valid_accuracy"].shape)

# %% [markdown]
# ## The table
#
# `table` lists a dict for each network. `pandas.DataFrame(rows)` makes a data frame of it.

# %%
rows = jn.table(combinations, history)
for row in rows[::4]:
    print({name: round(float(value), 4) for name, value in row.items() if "train" not in name})

# %% Heat map of the mean validation accuracy by learning rate and width, best in the middle
canvas, axes = plots.figure()
plots.heat_map(axes[0, 0], rows, "learning_rate", "width", "valid_accuracy")
canvas

# %% [markdown]
# ## Is the difference real?
#
# The four seeds tell how much is chance. Give the mean with its standard deviation, never the
# best of several seeds.

# %%
accuracy = np.asarray(history["valid_accuracy"])[:, -1].reshape(3, 2, 4)
for rate, by_width in zip([3e-4, 3e-3, 3e-2], accuracy, strict=True):
    for width, runs in zip([4, 32], by_width, strict=True):
        print(f"rate {rate:<6} width {width:>2}: {runs.mean():.3f} +- {runs.std(ddof=1):.3f}")

# %% [markdown]
# ## What next
#
# `jn.grid_search` also varies what needs another program, such as activations and depths, and
# `jn.halving_search` spends its time on the most promising ones: see the
# [how-to](../your_problem.md). Whether a difference supports a claim is [a claim of your
# own](own_claim.py).
