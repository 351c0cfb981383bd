"""A search over 24 candidates and 5 folds: `SweepSearchCV` against `GridSearchCV` of scikit-learn.

Six learning rates and four penalties, 64 hidden units, Adam, 100 epochs without early stopping, as
many for both; scikit-learn's `alpha / (2 batch)` is our `l2`. Each run is a new process, so that
compiling counts; importing and reading the data do not. scikit-learn runs one job, or one a core.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from benchmarks.harness import FOLDER, Contender, Goal, Race

RATES = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
PENALTIES = [0.0, 1e-5, 1e-4, 1e-3]
EPOCHS = 100
SIZES = (64,)
FOLDS = 5
RESULT = "result "


def scikit_learn(data: str, batch: int, jobs: int) -> Callable[[], dict]:
    return _in_new_processes("scikit_learn", data, batch, jobs)


def jaxnets(data: str, batch: int) -> Callable[[], dict]:
    return _in_new_processes("jaxnets", data, batch, 0)


def _in_new_processes(*choice: Any) -> Callable[[], dict]:
    seeds = count()

    def run() -> dict:
        command = [sys.executable, "-m", "benchmarks.search", *map(str, choice), str(next(seeds))]
        environment = os.environ | {"PYTHONWARNINGS": "ignore"}
        done = subprocess.run(
            command, cwd=FOLDER, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        line = next(line for line in done.stdout.splitlines() if line.startswith(RESULT))
        seconds, accuracy = map(float, line.removeprefix(RESULT).split())
        return {"seconds": seconds, "accuracy": accuracy}

    return run


def _search(who: str, data: str, batch: int, jobs: int, seed: int) -> tuple[float, float]:
    from sklearn.datasets import load_digits, load_iris
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    load = {"digits": load_digits, "iris": load_iris}[data]
    x, y = load(return_X_y=True)
    x = x / 16 if data == "digits" else StandardScaler().fit_transform(x)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    if who == "jaxnets":
        import jaxnets as jn
        from jaxnets.estimator import MLPClassifier as Ours
        from jaxnets.search import SweepSearchCV

        jn.use_all_cores()
        net = Ours(SIZES, epochs=EPOCHS, batch_size=batch, random_state=seed)
        grid = {"learning_rate": RATES, "l2": PENALTIES}
        search = SweepSearchCV(net, grid, cv=folds)
    else:
        net = MLPClassifier(
            SIZES,
            max_iter=EPOCHS,
            batch_size=batch,
            random_state=seed,
            n_iter_no_change=EPOCHS,
            tol=0.0,
        )
        grid = {"learning_rate_init": RATES, "alpha": [2 * batch * l2 for l2 in PENALTIES]}
        search = GridSearchCV(net, grid, cv=folds, n_jobs=jobs)
    start = time.perf_counter()
    search.fit(x, y)
    return time.perf_counter() - start, search.best_score_


def _race(data: str, batch: int, at_most: float | None) -> Race:
    of = {"data": data, "batch": batch}
    ours = Contender("jaxnets", f"{__name__}:jaxnets", of)
    peers = [
        Contender(f"scikit-learn, n_jobs={jobs}", f"{__name__}:scikit_learn", of | {"jobs": jobs})
        for jobs in (1, -1)
    ]
    goal = Goal("jaxnets", "scikit-learn", at_most=at_most, quality=("accuracy",))
    title = f"search, {data}, {FOLDS} folds x 24 candidates, {EPOCHS} epochs, batches of {batch}"
    return Race(title, [ours, *peers], [goal], 3, f"search-{data}-{batch}")


RACES = [
    partial(_race, "digits", 64, 0.2),
    partial(_race, "digits", 200, 0.2),
    partial(_race, "iris", 64, None),
]

if __name__ == "__main__":
    who, data, *numbers = sys.argv[1:]
    print(RESULT, *_search(who, data, *map(int, numbers)))
