"""What `digits_sweep` measures of learning rates, on made-up results."""

import jax
import numpy as np
import pytest

from experiments.lab import run
from experiments.optimisation import digits_sweep

RATES = [1e-4, 1e-2, 1e-1]


def made_up(accuracy=(0.9, 0.99, 0.94), valid=(0.5, 0.1, 0.3), rates=RATES):
    """Four seeds and 400 test images, the same of which are wrong for every seed."""
    right = np.arange(400)[None] < 400 * np.asarray(accuracy)[:, None]
    return {
        "rates": np.asarray(rates),
        "right": np.tile(right, (4, 1, 1)),
        "valid_loss": np.tile(np.asarray(valid)[:, None, None], (4, 1, 2, 3)),
    }


YES, NO, OPEN = "reproduced", "refuted", "inconclusive"
CASES = {
    "as claimed": ({}, (YES, OPEN)),
    "far too large": ({"accuracy": (0.9, 0.99, 0.5)}, (YES, YES)),
    "rates in another order": (
        {"accuracy": (0.5, 0.9, 0.99), "valid": (0.5, 0.4, 0.1), "rates": [1e-1, 1e-4, 1e-2]},
        (YES, YES),
    ),
    "one that does as well": ({"accuracy": (0.985, 0.99, 0.5)}, (NO, YES)),
    "the smallest is chosen": ({"valid": (0.1, 0.2, 0.3)}, (NO, NO)),
    "one that validation data do not show": (
        {"accuracy": (0.99, 0.9, 0.5), "valid": (0.2, 0.1, np.nan)},
        (NO, YES),
    ),
}


@pytest.mark.parametrize(("changes", "expected"), CASES.values(), ids=CASES)
def test_the_chosen_rate_is_compared_with_both_ends(changes, expected):
    (row,) = run.claims_of("digits_sweep", made_up(**changes))
    assert [part["part"] for part in row["parts"]] == ["too small", "too large"]
    assert tuple(part["verdict"] for part in row["parts"]) == expected


def test_test_images_count_as_well_as_seeds():
    """Seeds that agree on every image leave the uncertainty of the images."""
    (row,) = run.claims_of("digits_sweep", made_up())
    part = row["parts"][0]
    assert part["estimate"] == pytest.approx(9.0)
    assert 2 < part["high"] - part["estimate"] < 4


def test_if_every_rate_diverged_nothing_is_judged():
    broken = made_up() | {"valid_loss": np.full_like(made_up()["valid_loss"], np.nan)}
    (row,) = run.claims_of("digits_sweep", broken)
    assert (row["status"], row["ours"]) == ("not judged", "every rate diverged")


def test_a_step_of_gradient_descent_is_proportional_to_its_rate():
    """Adam's steps are as long as the rate; those of gradient descent at 1e-9 change nothing."""
    falls = {}
    for optimiser in digits_sweep.OPTIMISERS:
        config = digits_sweep.Config((4,), (1e-9, 1e-2), 2, 2, optimiser=optimiser)
        losses = digits_sweep.run(config, jax.random.key(0))["train_loss"][:, :, 0]
        falls[optimiser] = losses[..., 0] - losses[..., 1]
    assert (np.abs(falls["gradient descent"][:, 0]) < 1e-5).all()
    assert (falls["Adam"][:, 1] > 2 * falls["gradient descent"][:, 1]).all()
