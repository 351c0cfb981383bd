"""Configurations whose values are valid alone, but that a figure or verdict could not use."""

import dataclasses
import sys

import jax
import numpy as np
import pytest

import jaxnets as jn
from experiments import __main__ as command
from experiments import demo
from experiments.lab import multiverse, run, run_all
from experiments.lab.registry import EXPERIMENTS
from experiments.lab.rules import RULES, require_usable
from jaxnets.data import Dataset

BROKEN = [
    ("activation_choice", "activations", ("relu", "tanh", "elu", "softplus")),
    ("activation_choice", "activations", ("relu", "tanh", "sigmoid")),
    ("activation_choice", "activations", ("relu", "tanh", "sigmoid", "elu", "elu")),
    ("activation_choice", "batch_size", 1080),
    ("adversarial", "epsilons", (0.1, 0.2)),
    ("adversarial", "epsilons", (0.0,)),
    ("approximation", "units", (4,)),
    ("approximation", "written", (4,)),
    ("approximation", "written", (4, 6)),
    ("approximation", "written", (12, 16)),
    ("backward_cost", "networks", ("784-100-10",)),
    ("backward_cost", "networks", ("LeNet-5", "LeNet-5")),
    ("backward_cost", "batches", (64, 1)),
    ("backward_cost", "rounds", 1),
    ("batch_size", "sizes", (50, 50)),
    ("batch_size", "rounds", 1),
    ("batch_size", "optimiser", "SGD"),
    ("checkerboard", "batch_size", 129),
    ("checkerboard", "widths", (10, 4)),
    ("checkerboard", "widths", (4, 20)),
    ("classical_learners", "margins", (0.1, 0.2)),
    ("classical_learners", "margins", (0.1, 0.2, 1.0)),
    ("classical_learners", "features", 1),
    ("classical_learners", "sizes", (64, 64)),
    ("classical_learners", "neighbours", 65),
    ("classical_learners", "known", 8),
    ("classical_learners", "learned", (40, 20)),
    ("critical_points", "batch_size", 257),
    ("critical_points", "widths", (4, 2)),
    ("critical_points", "steps", 9),
    ("critical_points", "points", 7),
    ("decision_regions", "samples", 16),
    ("decision_regions", "units", (3,)),
    ("digits_sweep", "batch_size", 5000),
    ("digits_sweep", "rates", (0.1, 0.1)),
    ("digits_sweep", "widths", (8, 4)),
    ("equivariance", "judged", 3),
    ("extrapolation", "samples", 1),
    ("feature_maps", "neighbours", 40),
    ("first_filters", "patches", 3),
    ("first_filters", "patches", 100),
    ("gradient_descent", "samples", 2000),
    ("gradient_descent", "sizes", (5, 1)),
    ("gradient_descent", "sizes", (1, 32)),
    ("gradient_descent", "rates", (0.1, 1.0)),
    ("gradient_descent", "steps", 200),
    ("gradient_descent", "highest", 9),
    ("gradient_descent", "data", "mnist"),
    ("gradient_descent", "batch", "pairs"),
    ("gradient_descent", "order", "sorted"),
    ("gradient_descent", "share", "1/1"),
    ("image_surface", "networks", ("1 x 50", "1 x 50")),
    ("likelihoods", "batch_size", 101),
    ("image_features", "classifier", "lasso"),
    ("image_features", "patch", 16),
    ("image_features", "changes", "blur"),
    ("linear_classifiers", "gap", 1000.0),
    ("linear_classifiers", "l2", 0.0),
    ("linear_classifiers", "outliers", 10**6),
    ("linear_regions", "widths", (1,)),
    ("linear_regions", "depth", 1),
    ("linear_regions", "samples", 31),
    ("looking_at_data", "samples", 1),
    ("looking_at_data", "seed", 2**32 - 1),
    ("loss_landscape", "hidden", (32, 32)),
    ("loss_landscape", "points", 2),
    ("loss_landscape", "segments", 3),
    ("loss_landscape", "scales", (2.0, 0.25)),
    ("loss_landscape", "scales", (0.25, 1.0, 2.0)),
    ("loss_landscape", "judged", ("trained", "trained")),
    ("many_networks", "batch_size", 1080),
    ("many_networks", "counts", (4, 1)),
    ("many_networks", "rounds", 1),
    ("mnist_width", "widths", (40, 20)),
    ("overfitting", "widths", (4, 2)),
    ("overfitting", "lambdas", (0.01, 0.1)),
    ("overfitting", "lambdas", (0.0,)),
    ("overfitting", "sizes", (16,)),
    ("overfitting", "sizes", (8, 32)),
    ("overfitting", "sizes", (16, 64)),
    ("overfitting", "updates", 1),
    ("overfitting", "units", 65),
    ("overfitting", "budget", "equal time"),
    ("overfitting", "optimiser", "SGD"),
    ("perceptron_mnist", "orders", 1),
    ("random_points", "searched", (30,)),
    ("random_points", "others", (30,)),
    ("random_points", "others", (20, 100)),
    ("random_points", "others", (60,)),
    ("random_points", "one_layer", (20, 100)),
    ("random_points", "one_layer", (20, 125)),
    ("activation_choice", "data", "cifar10"),
    ("checkerboard", "cells", 1),
    ("checkerboard", "optimiser", "SGD"),
    ("checkerboard", "weak", "some"),
    ("decision_regions", "cells", 1),
    ("decision_regions", "optimiser", "SGD"),
    ("feature_maps", "corners", 1),
    ("feature_maps", "wrong_labels", 0.5),
    ("random_points", "activation", "sigmoid"),
    ("rosenbrock_region", "optimiser", "SGD"),
    ("rosenbrock_region", "optimiser", "L-BFGS"),
    ("rosenbrock_region", "weak", "some"),
    ("linear_regions", "network", "constructed"),
    ("linear_regions", "problem", "two_moons"),
    ("looking_at_data", "kernel", "sigmoid"),
    ("looking_at_data", "neighbours", 60),
    ("sawtooth", "cells", 1),
    ("sawtooth", "optimiser", "SGD"),
    ("xor", "init", "some"),
    ("digits_sweep", "optimiser", "SGD"),
    ("published_networks", "network", "resnet34"),
    ("published_networks", "judged", 3.0),
    ("published_networks", "top", 1001),
    ("gated_units", "batch_size", 1025),
    ("looking_at_data", "kernel", "some"),
    ("vanishing_gradients", "optimiser", "SGD"),
    ("vanishing_gradients", "optimiser", "Adam"),
    ("vanishing_gradients", "data", "cifar10"),
    ("vanishing_gradients", "learnt", 1.0),
    ("perceptron_mnist", "pixels", "0 to 2"),
    ("perceptron_mnist", "bias", "some"),
    ("rosenbrock_regression", "z", "0 to 2"),
    ("random_points", "kernels", (200,)),
    ("random_points", "kernels", (400,)),
    ("random_points", "updates", 9),
    ("random_wiring", "data", "fashion_mnist"),
    ("random_wiring", "samples", 31),
    ("random_wiring", "levels", (8, 8)),
    ("random_wiring", "board_levels", (8, 8)),
    ("reading_digits", "sizes", (100,)),
    ("reading_digits", "depths", (2, 3)),
    ("reading_digits", "depths", (1,)),
    ("reading_digits", "budget", 63),
    ("reading_digits", "networks", 1),
    ("reading_digits", "images", 1),
    ("reading_digits", "pool", 1),
    ("reading_digits", "pool", 9),
    ("rosenbrock_region", "samples", 16),
    ("rosenbrock_region", "widths", (4, 4)),
    ("rosenbrock_regression", "grid", 2),
    ("rosenbrock_regression", "iterations", 15),
    ("rosenbrock_regression", "nodes", (2,)),
    ("rosenbrock_regression", "nodes", (2, 5)),
    ("rosenbrock_regression", "starts", 7),
    ("rosenbrock_regression", "domain", "[0, 1] x [0, 1]"),
    ("found_by_sgd", "units", (4, 2)),
    ("found_by_sgd", "optimiser", "Newton"),
    ("found_by_sgd", "batch_size", 48),
    ("gated_units", "depths", (16, 4)),
    ("gated_units", "activation", "identity"),
    ("sawtooth", "teeth", (2, 1)),
    ("sawtooth", "teeth", (1, 3)),
    ("hand_pose", "pictures", (200, 100)),
    ("hand_pose", "candidates", 8),
    ("hand_pose", "pictures", (8, 100)),
    ("hand_pose", "dropout", 0.0),
    ("implicit_shape", "points", 9),
    ("shape_codes", "points", 9),
    ("shape_codes", "cells", 7),
    ("shape_family", "points", 9),
    ("shape_family", "given", 9),
    ("shape_family", "cars", 8),
    ("shape_optimisation", "points", 9),
    ("shape_optimisation", "cells", 7),
    ("shape_optimisation", "counted", 7),
    ("threshold_units", "inputs", (2, 1)),
    ("threshold_units", "inputs", (4, 5)),
    ("vanishing_gradients", "depths", (4, 2)),
    ("vanishing_gradients", "batch_size", 100),
    ("written_numbers", "samples", 3),
    ("written_numbers", "points", 32),
    ("written_numbers", "sizes", (200,)),
    ("written_numbers", "sizes", (200, 250)),
    ("xor", "widths", (3, 4)),
    ("xor", "widths", (2,)),
    ("word2vec_lecture", "answer", "among the best ten"),
    ("xor", "steps", 5),
]


@pytest.mark.parametrize(("name", "field", "value"), BROKEN, ids=str)
def test_what_a_verdict_cannot_use_is_refused_by_name(name, field, value, tmp_path, compilations):
    config = dataclasses.replace(run.load(name).SMOKE, **{field: value})
    with pytest.raises(ValueError, match=rf"; for {name} it must "):
        run.perform(name, config, tmp_path / "results")
    assert compilations() == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_experiments_own_configurations_are_usable(name):
    require_usable(name, run.load(name).Config())
    require_usable(name, run.load(name).SMOKE)
    require_usable(name, multiverse.base(name))


@pytest.mark.parametrize("name", demo.RUNS)
def test_the_configurations_of_the_demo_are_usable(name):
    require_usable(name, demo.RUNS[name])


def test_every_rule_is_of_an_experiment_and_refuses_something():
    assert set(RULES) <= set(EXPERIMENTS)
    for name, rules in RULES.items():
        smoke = run.load(name).SMOKE
        others = [dataclasses.replace(smoke, **{f: v}) for n, f, v in BROKEN if n == name]
        if name == "many_networks":
            others.append(dataclasses.replace(smoke, counts=(1,), loop=1))
        for rule in rules:
            assert any(not rule.holds(config) for config in others), (name, rule)


def test_no_folder_of_a_run_begins_with_an_unusable_configuration(tmp_path):
    config = dataclasses.replace(run.load("xor").SMOKE, widths=(3, 4))
    with pytest.raises(ValueError, match="for xor it must begin with 2"):
        run.perform_in(tmp_path / "run", "xor", config)
    assert not (tmp_path / "run").exists()


def losses_of(nodes):
    return {
        "nodes": np.asarray(nodes),
        "losses": np.exp(-np.arange(len(nodes)))[:, None, None] * np.full((8, 2), 0.1),
        "iterations": np.asarray([1, 20]),
    }


def test_a_claim_on_three_sizes_is_not_tested_by_two():
    """Two of the lecture's three losses were enough to reproduce all three."""
    for row in run.claims_of("rosenbrock_regression", losses_of((2, 3))):
        assert row["status"] == "not judged"
        assert "4 nodes" in row["ours"]
    rows = run.claims_of("rosenbrock_regression", losses_of((2, 3, 4)))
    assert "not judged" not in {row["status"] for row in rows}


def test_training_refuses_batches_beyond_the_data_when_it_is_traced(key):
    spec = jn.TrainSpec(jn.MLP((3,)), "binary_cross_entropy", 1, batch_size=32)
    data = Dataset({"x": np.zeros((4, 2), np.float32), "y": np.zeros(4, np.int32)})
    for train in (jn.train, jax.jit(jn.train, static_argnums=0)):
        with pytest.raises(ValueError, match="batch_size 32 is larger than the 4 training samples"):
            train(spec, key, data, {"learning_rate": 0.1})


@pytest.mark.parametrize("blocked", ["file", "folder of a result", "read-only"])
def test_where_results_cannot_be_written_nothing_is_computed(tmp_path, monkeypatch, blocked):
    results = tmp_path / "results"
    if blocked == "file":
        results.touch()
    elif blocked == "folder of a result":
        (results / "activations.npz").mkdir(parents=True)
    else:
        monkeypatch.setattr(run.os, "access", lambda *args: False)
    module = run.load("activations")
    monkeypatch.setattr(module, "run", lambda config, key: pytest.fail("it was computed"))
    with pytest.raises(OSError, match="results"):
        run.perform("activations", module.SMOKE, results)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["sede=1"], "unknown field 'sede'; did you mean 'seeds?'"),
        (["foo=1"], "unknown field 'foo'"),
        (["seeds"], "takes field=value"),
        (["seeds=1"], "seeds is 1"),
        (["gap=5"], "for linear_classifiers it must be 1 or less"),
    ],
)
def test_settings_of_all_experiments_are_refused_before_one_starts(
    tmp_path, monkeypatch, settings, message
):
    """A misspelt field was ignored, and all experiments ran without it."""
    monkeypatch.setattr(run_all, "run_each", lambda *args: pytest.fail("one was started"))
    with pytest.raises(ValueError, match=message):
        run_all.main(settings, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("all --smoke", "all does not take --smoke"),
        ("all --run there", "all does not take --run"),
        ("gallery --set seed=1", "gallery does not take --set"),
        ("scorecard --smoke --redraw", "scorecard does not take --smoke, --redraw"),
        ("xor --redraw --set seeds=3", "--redraw does not take --set"),
    ],
)
def test_options_that_would_be_ignored_are_refused(monkeypatch, capsys, arguments, message):
    def started(*args):
        raise AssertionError("it started")

    monkeypatch.setattr(sys, "argv", ["experiments", *arguments.split()])
    monkeypatch.setattr(command.jaxnets, "use_all_cores", started)
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f"error: {message}\n")


LEAST = {
    "linear_classifiers": {"samples": 5, "steps": 1, "chords": 1, "tested": 1},
    "linear_regions": {"widths": (2,), "depth": 2, "samples": 32, "seeds": 2},
    "looking_at_data": {"samples": 2, "subsamples": 2},
    "loss_landscape": {"points": 3, "segments": 4, "slices": 1, "steps": 1, "grid": 2},
    "overfitting": {"updates": 2, "seeds": 2},
    "perceptron_mnist": {"orders": 2, "sets": 2, "max_epochs": 1},
    "threshold_units": {"inputs": (1,)},
    "written_numbers": {"samples": 4, "steps": 1},
    "xor": {"steps": 10, "seeds": 2},
}
"""The least that is accepted, of experiments that take seconds."""


@pytest.mark.parametrize("name", LEAST)
def test_the_least_that_is_accepted_gives_numbers_and_a_figure(tmp_path, name, capsys):
    config = dataclasses.replace(run.load(name).SMOKE, **LEAST[name])
    run.perform(name, config, tmp_path)
    assert (tmp_path / f"{name}.png").stat().st_size > 1000
    shown = capsys.readouterr().out.lower()
    assert "nan" not in shown.split("figure and numbers")[0].replace("covariance", "")
