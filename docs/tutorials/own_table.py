# %% [markdown]
# # Your own table
#
# You have a CSV file: a row for each sample, a column for each thing you know about it, and one
# column that you want to predict. Columns may be numbers or words.
#
# So that this page runs anywhere, we write such a file first: customers with an age and a town,
# and whether they bought. Age counts one way in Rome and the other way in Oslo.

# %%
import tempfile
from pathlib import Path

import jax
import numpy as np
from sklearn.linear_model import LogisticRegression

import jaxnets as jn
from jaxnets.data import from_arrays, from_csv, standardise

rng = np.random.default_rng(0)
age = rng.uniform(18, 80, 2000).round()
town = rng.choice(["Oslo", "Rome"], 2000)
chance = 1 / (1 + np.exp(-(age - 45) / 8 * np.where(town == "Oslo", -1, 1)))
bought = np.where(rng.uniform(size=2000) < chance, "yes", "no")

path = Path(tempfile.mkdtemp()) / "customers.csv"
lines = [f"{a},{t},{b}" for a, t, b in zip(age, town, bought, strict=True)]
path.write_text("\n".join(["age,town,bought", *lines]))
print("\n".join(path.read_text().splitlines()[:4]))

# %% [markdown]
# ## Reading it
#
# `from_csv` makes numbers of it. A column of words becomes one feature for each different word, 1
# or 0; the words of the target become the classes.

# %%
table = from_csv(path, target="bought")
print("features:", table.features)
print("classes:", table.classes)

# %% [markdown]
# ## Parts and scales
#
# `from_arrays` deals the rows into three parts; `stratify` gives each the same share of both
# classes. `standardise` shifts and scales every feature to mean 0 and standard deviation 1, by
# what it sees in the training part only: the other two must not leak into what is learned.

# %%
data = standardise(from_arrays(table.x, table.y, stratify=True))
print({part: len(getattr(data, part)["y"]) for part in ("train", "valid", "test")})

# %% [markdown]
# ## Training until it stops getting better
#
# `EarlyStopping` ends the run when the validation loss has not improved for ten epochs, and
# returns the params of the best epoch.

# %%
stopping = jn.EarlyStopping("valid_loss", patience=10)
model = jn.MLP((16,), outputs=len(table.classes))
spec = jn.TrainSpec(model, "softmax_cross_entropy", epochs=200, batch_size=64, stopping=stopping)
state, history = jn.fit(spec, jax.random.key(0), data, {"learning_rate": 0.01})
print("epochs:", len(history["valid_loss"]))

# %% [markdown]
# ## Is a network worth it?
#
# Ask the simplest thing that could work as well. A linear model cannot say "the other way in
# Oslo". On many tables it is as good, or gradient-boosted trees are better: then use those.

# %%
answers = np.asarray(model.apply(state.params, data.test["x"])).argmax(axis=1)
linear = LogisticRegression().fit(data.train["x"], data.train["y"])
print("network:", (answers == data.test["y"]).mean())
print("linear: ", linear.score(data.test["x"], data.test["y"]))

# %% [markdown]
# ## What next
#
# A data frame of pandas goes into `from_columns(frame, target="bought")`. Rare classes, weights
# and cross-validation are in the [how-to](../your_problem.md).
