"""A fresh process that trains a tiny perceptron: scikit-learn's against ours.

The network is 2-10-1, tanh, and takes 200 full-batch steps on 1,000 points; our compilation cache
is warm.
"""

import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.harness import Contender, Goal, Race

SKLEARN = """
import warnings
import numpy as np
from sklearn.neural_network import MLPClassifier
warnings.filterwarnings("ignore")
x = np.random.default_rng(0).uniform(-1, 1, (1000, 2))
y = (np.sum(x**2, axis=1) < 0.5).astype(int)
net = MLPClassifier((10,), activation="tanh", batch_size=1000, max_iter=200,
                    learning_rate_init=0.01, tol=0, n_iter_no_change=10**6,
                    random_state=0).fit(x, y)
assert net.loss_ < 0.4
"""
JAXNETS = """
import jaxnets as jn
import jax
import numpy as np
from jaxnets.data import Dataset
jn.cache_compilations()
x = np.random.default_rng(0).uniform(-1, 1, (1000, 2))
y = (np.sum(x**2, axis=1) < 0.5).astype(int)
spec = jn.TrainSpec(jn.MLP((10,)), "binary_cross_entropy", epochs=200)
data = Dataset({"x": x, "y": y}, None, None)
state, history = jn.fit(spec, jax.random.key(0), data, {"learning_rate": 0.01})
assert history["train_loss"][-1] < 0.4
"""


def process(program: str) -> Callable[[], float]:
    def run() -> float:
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", {"sklearn": SKLEARN, "jaxnets": JAXNETS}[program]], check=True
        )
        return time.perf_counter() - start

    return run


def _race() -> Race:
    contenders = [
        Contender(label, f"{__name__}:process", {"program": program})
        for label, program in (
            ("scikit-learn", "sklearn"),
            ("jaxnets, warm compilation cache", "jaxnets"),
        )
    ]
    goals = [Goal("jaxnets, warm compilation cache", "scikit-learn", at_most=0.80)]
    return Race("a whole process that trains a tiny perceptron", contenders, goals, 9, "startup")


RACES = [_race]
