# %% [markdown]
# # A claim of your own, with a verdict
#
# "Wider is better", "dropout helps": papers and lectures say such things, and so do we. Here is
# how to find out, without fooling yourself. The trick is to say *before* the run what will count.

# %%
import tempfile
from pathlib import Path

import jax

import jaxnets as jn
from jaxnets import claims
from jaxnets.claims import forest
from jaxnets.claims.power import power
from jaxnets.data import load

# %% [markdown]
# ## Register it
#
# A claim is a small file. `margin` is the smallest difference that you would care about. `seeds`
# is how often the experiment is repeated with different chance, and `deviation` how much you
# expect the result to vary. `floor`: if a network is hardly better than guessing, it has failed
# to train, and says nothing about the claim.

# %%
folder = Path(tempfile.mkdtemp())
file = folder / "wider.toml"
file.write_text("""
statement = "32 hidden units read digits better than 4"
estimand = "validation accuracy of 32 units minus that of 4, paired by seed"

[[parts]]
name = "gain"
kind = "above"
margin = 5.0
unit = "points"
arms = ["32 units", "4 units"]
floor = 15.0
seeds = 12
deviation = 5.0
""")
claim = claims.load(file)

# %% [markdown]
# ## Would we notice?
#
# The *power* of a study is the chance that it finds the effect if there is one of a size that
# matters. Below 0.8 you had better take more seeds.

# %%
print("power:", round(power(claim.parts[0]), 2))

# %% [markdown]
# ## Measure
#
# `measure` gets a key for each seed and returns the numbers of both arms. Both arms share the
# keys, so that what differs is the width and not the luck.

# %%
data = load("digits")
spec = jn.TrainSpec(jn.MLP((32,), 10), "softmax_cross_entropy", epochs=10, batch_size=64)


def measure(keys):
    arms = []
    for width in (32, 4):
        _, history = jn.sweep(spec, keys, data, {"learning_rate": 3e-3, "width": width})
        arms.append(100 * history["valid_accuracy"][:, -1])
    return claims.Sample(*arms)


record = claims.study(claim, measure, jax.random.key(0), folder)
(found,) = record.findings
print(record.verdict)
print(f"gain {found.estimate:.1f} points, 95 % interval {found.low:.1f} to {found.high:.1f}")

# %% The interval of the gain as a bar, beyond the dotted margin of five points
canvas = forest.draw([record])
canvas

# %% [markdown]
# ## Read it
#
# *Reproduced*: all of the interval lies beyond the margin. *Refuted*: all of it on the other
# side. *Inconclusive*: it crosses the margin, and the record says how many seeds would decide.
# *Not judged*: something failed before.
#
# The folder now has `wider.json`, with the digest of your file. If you change the file after you
# have seen the result, `study` refuses, unless you write into `exploratory` what you changed and
# why. All [verdicts on the lectures](../scorecard.md) were made in this way.
