"""A two-minute tour on built-in data: a sweep, two experiments, the gradient check."""

import time

from .gradients import gradient_check
from .images import mnist_cnn
from .lab import gallery, scorecard
from .lab.run import perform
from .optimisation import digits_sweep
from .plane import rosenbrock_region
from .units import activations

RUNS = {
    "activations": activations.Config(),
    "digits_sweep": digits_sweep.Config(seeds=8),
    "rosenbrock_region": rosenbrock_region.Config(
        widths=(4, 10, 40), rates=(0.1,), seeds=8, epochs=300
    ),
    "mnist_cnn": mnist_cnn.Config(seeds=3, data="digits", batch_size=32, pixels=1),
    "gradient_check": gradient_check.Config(
        depths=(1, 4), losses=("softmax_cross_entropy", "gaussian"), activations=1, images=()
    ),
}


def main() -> None:
    """Runs small variants of five experiments, then writes the scorecard and the gallery."""
    start = time.perf_counter()
    for name, config in RUNS.items():
        perform(name, config)
    scorecard.scorecard()
    print(f"\nDone in {time.perf_counter() - start:.0f} s. Open {gallery.write()}.")
