"""What an experiment asks of its configuration beyond the types and ranges of single values.

A verdict or figure that looks for a certain value, the lowest of several or a share of the data
has a rule here, so that a configuration without it is refused before anything runs.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

from .config import LARGEST_SEED, require_valid


class Rule(NamedTuple):
    """What holds for a field of a configuration."""

    field: str
    holds: Callable[[Any], bool]
    """Whether a configuration is as it must be."""
    must: str
    """The words after "must", such as "begin with 0"."""


def require_usable(name: str, config: Any) -> None:
    """Raises unless an experiment can use its configuration, by its values and by its rules.

    Raises:
        TypeError: a value of another type than its field.
        ValueError: a value out of range, or one that a figure or verdict cannot use.
    """
    require_valid(config)
    for rule in RULES.get(name, ()):
        if not rule.holds(config):
            value = getattr(config, rule.field)
            raise ValueError(f"{rule.field} is {value!r}; for {name} it must {rule.must}")


def _entries(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _at_least(field: str, least: int) -> Rule:
    return Rule(field, lambda c: min(_entries(getattr(c, field))) >= least, f"be {least} or more")


def _at_most(field: str, most: float) -> Rule:
    return Rule(field, lambda c: max(_entries(getattr(c, field))) <= most, f"be {most} or less")


def _rise(field: str, count: int = 1) -> Rule:
    def holds(config: Any) -> bool:
        values = getattr(config, field)
        return len(values) >= count and all(low < high for low, high in pairwise(values))

    return Rule(field, holds, f"have {count} or more values, each above the one before")


def _has(field: str, *values: Any) -> Rule:
    words = " and ".join(map(str, values))
    return Rule(field, lambda c: set(values) <= set(getattr(c, field)), f"have {words} among them")


def _is_of(field: str, *values: Any) -> Rule:
    words = ", ".join(map(str, values))
    return Rule(field, lambda c: set(_entries(getattr(c, field))) <= set(values), f"be of {words}")


def _begins(field: str, value: float) -> Rule:
    return Rule(field, lambda c: getattr(c, field)[0] == value, f"begin with {value}")


def _once(field: str) -> Rule:
    def holds(config: Any) -> bool:
        return len(set(getattr(config, field))) == len(getattr(config, field))

    return Rule(field, holds, "have every value once")


IN_BATCHES = Rule("batch_size", lambda c: c.batch_size <= c.samples, "be at most `samples`")
DIGITS = 1079
"""Of scikit-learn's digits, those to train on."""
XOR_RECORDS = 10
OF_DIGITS = _at_most("batch_size", DIGITS)
LECTURE_TWO, LECTURE_RBF = (10, 20, 40, 60, 80, 100), (100, 400, 1600)
"""Sizes of the networks and kernels of which the lecture gives the accuracy on random points."""
DOMAINS = ("[-1, 1] x [-1, 1]", "[0, 2] x [0, 3]", "[-2, 2] x [-1, 3]")
"""Of the Rosenbrock function."""
OF_CELLS = _at_least("cells", 2)
OPTIMISERS = _is_of("optimiser", "Adam", "L-BFGS")
WEAK = _is_of("weak", "any direction", "axis-aligned", "least squares")
NO_RATE = Rule(
    "rates",
    lambda c: c.optimiser == "Adam" or c.rates[0] == 0.01,
    "begin with 0.01, as L-BFGS takes no rate",
)
"""So that L-BFGS is not tried once for each rate."""

RULES: dict[str, tuple[Rule, ...]] = {
    "activation_choice": (
        OF_DIGITS,
        _once("activations"),
        _has("activations", "relu", "tanh", "sigmoid"),
        Rule("activations", lambda c: len(c.activations) > 3, "have an alternative to ReLU"),
        _is_of("data", "digits", "mnist"),
    ),
    "adversarial": (_begins("epsilons", 0), _rise("epsilons", 2)),
    "approximation": (
        _rise("units", 2),
        _rise("written", 2),
        Rule("written", lambda c: all(n % 4 == 0 for n in c.written), "be multiples of 4"),
        Rule("written", lambda c: bool({*c.written} & {*c.units}), "have one of `units`"),
    ),
    "backward_cost": (
        _once("networks"),
        Rule("networks", lambda c: c.networks != ("784-100-10",), "have one of 3 or more layers"),
        _rise("batches"),
        _at_least("rounds", 2),
    ),
    "batch_size": (
        _once("sizes"),
        _at_least("rounds", 2),
        _is_of("optimiser", "gradient descent", "Adam"),
    ),
    "checkerboard": (IN_BATCHES, _rise("widths"), _has("widths", 10), OF_CELLS, OPTIMISERS, WEAK),
    "classical_learners": (
        _rise("margins", 3),
        _at_most("margins", 0.9),
        _at_least("features", 2),
        _rise("sizes", 2),
        Rule(
            "neighbours", lambda c: c.neighbours <= min(c.sizes), "be at most the least of `sizes`"
        ),
        _at_most("known", 7),
        _rise("learned", 2),
    ),
    "critical_points": (
        IN_BATCHES,
        _rise("widths"),
        _at_least("steps", 10),
        _at_least("points", 8),
    ),
    "decision_regions": (IN_BATCHES, _rise("units", 2), OF_CELLS, OPTIMISERS),
    "digits_sweep": (
        OF_DIGITS,
        _once("rates"),
        _rise("widths"),
        _is_of("optimiser", "Adam", "gradient descent"),
    ),
    "equivariance": (Rule("judged", lambda c: c.judged <= c.farthest, "be at most `farthest`"),),
    "extrapolation": (_at_least("samples", 2),),
    "feature_maps": (
        _at_least("neighbours", 41),
        _at_least("corners", 2),
        _is_of("wrong_labels", 0.1, 0.2, 0.3, 0.4),
    ),
    "first_filters": (
        Rule(
            "patches", lambda c: c.patches >= max(4, c.batch_size), "fill a batch, and be 4 or more"
        ),
    ),
    "found_by_sgd": (
        _rise("units"),
        _is_of("optimiser", "SGD", "Adam"),
        Rule("batch_size", lambda c: c.samples % c.batch_size == 0, "divide `samples`"),
    ),
    "gated_units": (
        _rise("depths"),
        _is_of("activation", "sigmoid", "tanh", "relu"),
        _at_most("batch_size", 1024),
    ),
    "gradient_descent": (
        _at_most("samples", DIGITS),
        _rise("sizes"),
        Rule("sizes", lambda c: max(c.sizes) < c.samples, "be below `samples`"),
        _has("rates", 0.001, 0.1),
        Rule("steps", lambda c: c.steps > 200, "be more than the 200 that take all terms"),
        _at_most("highest", 8),
        _is_of("data", "digits", "MNIST"),
        _is_of("batch", "full set", "mini-batches"),
        _is_of("order", "shuffled copies", "one copy after the other"),
        _is_of("share", "1/2", "1/4", "1/8", "1/16", "1/32", "1/64"),
    ),
    "hand_pose": (
        _rise("pictures"),
        Rule("candidates", lambda c: c.candidates > c.batch_size, "be above `batch_size`"),
        Rule("pictures", lambda c: min(c.pictures) >= c.candidates, "fill a batch of candidates"),
        Rule("dropout", lambda c: c.dropout > 0, "be above 0"),
    ),
    "image_features": (
        _is_of("classifier", "ridge", "logistic regression", "linear SVM"),
        _is_of("patch", 32, 64),
        _is_of("changes", "shift", "rotation", "noise"),
    ),
    "image_surface": (_once("networks"),),
    "implicit_shape": (_at_least("points", 10),),
    "likelihoods": (IN_BATCHES,),
    "linear_classifiers": (
        _at_most("gap", 1),
        Rule("l2", lambda c: c.l2 > 0, "be above 0"),
        Rule("outliers", lambda c: c.outliers <= c.samples, "be at most `samples`"),
    ),
    "linear_regions": (
        _at_least("widths", 2),
        _at_least("depth", 2),
        _at_least("samples", 32),
        _is_of("network", "random", "trained"),
        _is_of("problem", "spirals", "checkerboard", "circles"),
    ),
    "looking_at_data": (
        _at_least("samples", 2),
        _is_of("kernel", "Gaussian", "polynomial", "cosine"),
        Rule("neighbours", lambda c: c.neighbours < c.samples, "be less than `samples`"),
        Rule("seed", lambda c: c.seed + c.subsamples <= LARGEST_SEED + 1, "leave some for t-SNE"),
    ),
    "loss_landscape": (
        _at_most("hidden", 16),
        _at_least("points", 3),
        _at_least("segments", 4),
        _rise("scales"),
        Rule("scales", lambda c: len(c.scales) == 2, "be a lower and an upper limit"),
        _once("judged"),
    ),
    "many_networks": (
        OF_DIGITS,
        _rise("counts"),
        Rule("counts", lambda c: max(*c.counts, c.loop) > 1, "have 2 networks, or `loop`"),
        _at_least("rounds", 2),
    ),
    "mnist_width": (_rise("widths", 2),),
    "overfitting": (
        _rise("widths", 2),
        _begins("lambdas", 0),
        _rise("lambdas", 2),
        _rise("sizes", 2),
        _has("sizes", 16),
        Rule("sizes", lambda c: c.sizes[-1] == c.samples, "end with `samples`"),
        Rule("units", lambda c: c.units <= max(c.widths), "be at most the largest of `widths`"),
        _is_of("budget", "equal steps", "equal epochs"),
        _is_of("optimiser", "Adam", "gradient descent"),
        Rule("updates", lambda c: c.updates * c.sizes[0] >= c.samples, "make an epoch of batches"),
    ),
    "perceptron_mnist": (
        _at_least("orders", 2),
        _is_of("pixels", "0 to 255", "0 to 1", "-1 to 1", "standardised"),
        _is_of("bias", "a constant of 1", "none"),
    ),
    "published_networks": (
        _is_of("network", "alexnet", "vgg19", "googlenet", "resnet18", "resnet50", "squeezenet"),
        _is_of("judged", 0.5, 1.0, 2.0, 4.0),
        _at_most("top", 1000),
    ),
    "random_points": (
        _is_of("searched", *LECTURE_TWO),
        _is_of("others", *LECTURE_TWO),
        Rule("others", lambda c: not {*c.others} & {*c.searched}, "have none of `searched`"),
        Rule(
            "others",
            lambda c: {20, 100} <= {*c.searched, *c.others},
            "have 20 and 100",
        ),
        _has("one_layer", 125),
        Rule(
            "one_layer",
            lambda c: {*c.searched, *c.others} <= {*c.one_layer},
            "have all of `searched` and `others`",
        ),
        _is_of("kernels", *LECTURE_RBF),
        _is_of("activation", "tanh", "relu"),
        _has("kernels", 100),
        Rule("updates", lambda c: c.updates % c.records == 0, "be a multiple of `records`"),
    ),
    "random_wiring": (
        _is_of("data", "digits", "mnist"),
        IN_BATCHES,
        Rule("levels", lambda c: sum(c.levels) == sum(c.layers), "have as many units as `layers`"),
        Rule(
            "board_levels",
            lambda c: sum(c.board_levels) == sum(c.board_layers),
            "have as many units as `board_layers`",
        ),
    ),
    "reading_digits": (
        _rise("sizes", 2),
        _begins("depths", 1),
        _rise("depths", 2),
        _at_least("budget", 64),
        _at_least("networks", 2),
        _at_least("images", 2),
        _at_least("pool", 2),
        _at_most("pool", 8),
    ),
    "rosenbrock_region": (IN_BATCHES, _rise("widths"), OPTIMISERS, WEAK, NO_RATE),
    "rosenbrock_regression": (
        _at_least("grid", 3),
        Rule("iterations", lambda c: c.iterations % 10 == 0, "be a multiple of 10"),
        _rise("nodes", 2),
        _is_of("nodes", 2, 3, 4),
        _at_least("starts", 8),
        Rule("domain", lambda c: c.domain in DOMAINS, f"be one of {'; '.join(DOMAINS)}"),
        _is_of("z", "mean 0 and variance 1", "0 to 1", "-1 to 1"),
    ),
    "sawtooth": (_rise("teeth"), _is_of("teeth", 1, 2, 4, 8, 16), OF_CELLS, OPTIMISERS),
    "shape_codes": (_at_least("points", 10), _at_least("cells", 8)),
    "shape_family": (
        _at_least("points", 10),
        _at_least("given", 10),
        Rule(
            "cars",
            lambda c: c.cars > c.dimensions + 2,
            "be above `dimensions` + 2, to predict each from the others",
        ),
    ),
    "shape_optimisation": (
        _at_least("points", 10),
        _at_least("cells", 8),
        _at_least("counted", 8),
    ),
    "threshold_units": (_rise("inputs"), _at_most("inputs", 4)),
    "vanishing_gradients": (
        _rise("depths"),
        Rule("batch_size", lambda c: 1024 % c.batch_size == 0, "divide the 1024 samples"),
        _is_of("optimiser", "gradient descent", "Adam"),
        Rule(
            "learning_rate",
            lambda c: c.optimiser != "Adam" or c.learning_rate <= 0.02,
            "be 0.02 or less for Adam, which else trains nothing",
        ),
        _is_of("data", "digits", "mnist"),
        _at_most("learnt", 0.95),
    ),
    "written_numbers": (
        _at_least("samples", 4),
        _at_least("points", 33),
        _rise("sizes", 2),
        Rule(
            "sizes",
            lambda c: all(n % c.batch_size == 0 for n in c.sizes),
            "be multiples of `batch_size`",
        ),
    ),
    "word2vec_lecture": (_is_of("answer", "the best", "among the best four"),),
    "xor": (
        _begins("widths", 2),
        _rise("widths", 2),
        _is_of("init", "He, zero biases", "uniform"),
        Rule("steps", lambda c: c.steps % XOR_RECORDS == 0, f"be a multiple of {XOR_RECORDS}"),
    ),
}
"""Of each experiment; one without a row can use all values that are valid alone."""
