"""Presets of the playground that show an experiment's picture while it trains."""

from collections.abc import Iterator

from jaxnets.playground.presets import presets

from .run import PROGRAM

PRESETS: dict[str, tuple[str, ...]] = {
    "rosenbrock_region": ("One layer of 100 (L0)", "Two layers of 10 (L0)"),
    "checkerboard": ("Checkerboard (L0)",),
    "random_points": ("Random labels (L0)",),
    "decision_regions": ("3 hidden units (L3)", "6 hidden units (L3)", "20 hidden units (L3)"),
    "rosenbrock_regression": ("The Rosenbrock surface (L0)",),
    "approximation": ("The sine by ReLU (L0, L2)",),
    "gradient_descent": ("64 learning rates (L0, L2)",),
    "vanishing_gradients": ("Vanishing gradients (L0)", "The same with bypasses (L0, L4)"),
    "overfitting": ("Too few points (L0, L3)",),
    "xor": ("Exclusive or, solved by hand (L1)", "Exclusive or, found by training (L1)"),
}
"""The name of an experiment to titles of presets."""


def commands(experiment: str) -> Iterator[tuple[str, str]]:
    """Yields the title of each preset of an experiment, and the command that opens it."""
    addresses = {preset["title"]: preset["address"] for preset in presets()}
    for title in PRESETS.get(experiment, ()):
        state = addresses[title]
        in_checkout = f"make playground STATE='{state}'"
        alone = f"python -m jaxnets.playground --open '{state}'"
        yield title, in_checkout if PROGRAM == "experiments" else alone
