"""Configurations that are the lectures' pictures, each an address, some with printed weights."""

from typing import Any

from jaxnets.playground.config import from_address

LECTURE_XOR = {
    "hidden_0": {"weight": [[0.53, 0.53], [0.53, 0.53]], "bias": [1.0, 0.0]},
    "output": {"weight": [[8.0, -16.0]], "bias": [-4.0]},
}
"""L1's W = [[1, 1], [1, 1]], c = [0, -1], w = [1, -2], b = 0, on the square from -1 to 1; its
output, 0 or 1, times 8 minus 4, so that 1/2 is the boundary."""
RELU = "activation=relu"
SMOOTH = "noise=0.02&learning_rate=0.02"
# Title, what there is to see, address.
ROWS: tuple[tuple[str, str, str], ...] = (
    ("Two spirals", "64 networks of 2 x 8 units: where do they agree?", ""),
    (
        "Exclusive or, solved by hand (L1)",
        "The printed solution: two ReLU units fold the plane.",
        f"problem=xor&noise=0.03&n=80&widths=2&{RELU}&networks=1",
    ),
    (
        "Exclusive or, found by training (L1)",
        "How many of 64 networks of two units find a solution?",
        f"problem=xor&noise=0.08&n=80&widths=2&{RELU}&learning_rate=0.03",
    ),
    ("3 hidden units (L3)", "Too few for two spirals.", "noise=0.08&widths=3&learning_rate=0.03"),
    ("6 hidden units (L3)", "More units, more capacity.", "noise=0.08&widths=6&learning_rate=0.03"),
    (
        "20 hidden units (L3)",
        "Enough, with noise to fit as well.",
        "noise=0.08&widths=20&networks=16&learning_rate=0.03",
    ),
    (
        "One layer of 100 (L0)",
        "401 weights on the Rosenbrock region ...",
        "problem=rosenbrock_region&noise=0&n=512&widths=100&networks=16&batch=64",
    ),
    (
        "Two layers of 10 (L0)",
        "... and 151 weights, whose boundary is better defined.",
        "problem=rosenbrock_region&noise=0&n=512&widths=10-10&networks=16&batch=64",
    ),
    (
        "Checkerboard (L0)",
        "One layer of 10 units, where AdaBoost fails.",
        "problem=checkerboard&noise=0&n=512&widths=10&networks=16&learning_rate=0.03",
    ),
    (
        "Random labels (L0)",
        "Two layers of 20 memorise what cannot be learned.",
        "problem=random_points&classes=2&n=100&widths=20-20&networks=16",
    ),
    (
        "The sine by ReLU (L0, L2)",
        "A curve of straight pieces; where there are no points, networks disagree.",
        f"problem=sine&features=x1&loss=squared_error&widths=8&{RELU}&{SMOOTH}&n=60",
    ),
    (
        "The Rosenbrock surface (L0)",
        "Four tanh units regress a valley.",
        f"problem=rosenbrock&loss=squared_error&widths=4&{SMOOTH}&n=512",
    ),
    (
        "Vanishing gradients (L0)",
        "Eight sigmoid layers: see Gradient norms.",
        "activation=sigmoid&widths=8-8-8-8-8-8-8-8&networks=16",
    ),
    (
        "The same with bypasses (L0, L4)",
        "Residual layers hand the gradient on.",
        "activation=sigmoid&residual=true&widths=8-8-8-8-8-8-8-8&networks=16",
    ),
    (
        "Too few points (L0, L3)",
        "Validation loss rises while training loss falls; try a penalty.",
        "problem=two_moons&n=60&noise=0.25&widths=20&networks=16&learning_rate=0.03",
    ),
    (
        "64 learning rates (L0, L2)",
        "From a tenth to ten times the chosen one, by plain descent.",
        "problem=circles&noise=0.08&optimizer=sgd&learning_rate=0.3&vary=learning_rate",
    ),
    ("Six arms", "Six classes, told apart by softmax.", "problem=arms&classes=6&widths=8-8"),
)
WEIGHTS = {"Exclusive or, solved by hand (L1)": LECTURE_XOR}


def presets() -> list[dict[str, Any]]:
    """Returns title, text, address and, where a lecture prints them, weights of each preset."""
    return [
        {
            "title": title,
            "text": text,
            "address": from_address(address).address(),
            "weights": WEIGHTS.get(title),
        }
        for title, text, address in ROWS
    ]
