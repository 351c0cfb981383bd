"""The experiments in gallery order, by the lecture that has the picture or the claim."""

LECTURES: dict[str, tuple[str, ...]] = {
    "L0: Multi-Layer Perceptrons": (
        "activations",
        "rosenbrock_region",
        "checkerboard",
        "random_points",
        "decision_regions",
        "rosenbrock_regression",
        "image_surface",
        "extrapolation",
        "mnist_width",
        "reading_digits",
        "activation_choice",
        "approximation",
        "linear_regions",
        "sawtooth",
        "found_by_sgd",
        "written_numbers",
        "gradient_check",
        "gradient_descent",
        "vanishing_gradients",
        "gated_units",
        "overfitting",
        "word2vec_lecture",
        "word2vec",
        "word_map",
    ),
    "L1: From machine learning to deep learning": (
        "looking_at_data",
        "linear_classifiers",
        "likelihoods",
        "xor",
        "computational_graph",
        "loss_landscape",
        "critical_points",
    ),
    "L2: EE-613, The Multi-Layer Perceptron": (
        "threshold_units",
        "perceptron_mnist",
        "classical_learners",
        "feature_maps",
        "batch_size",
        "backward_cost",
        "equivariance",
        "mnist_cnn",
        "published_networks",
    ),
    "L3: CS163, lecture 5": ("image_features", "twenty_lines", "random_wiring"),
    "L4: Deep Learning Crash Course": ("lenet", "first_filters", "adversarial"),
    "Beyond the lectures": ("digits_sweep", "many_networks"),
}
EXPERIMENTS = tuple(name for names in LECTURES.values() for name in names)
LONGEST = (
    "mnist_cnn",
    "word2vec",
    "equivariance",
    "mnist_width",
    "first_filters",
    "adversarial",
    "lenet",
    "reading_digits",
)
"""`make experiments` starts with these, so that none of them runs alone at the end."""
TIMED = ("batch_size", "backward_cost", "many_networks")
"""These measure times, so nothing else may run at the same time."""
