import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import gradient_check, lab, report
from experiments import gradient_check_images as images
from experiments.lab import EXPERIMENTS, Verdict
from jaxnets.backprop import cnn
from jaxnets.models import CNN, layers

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The smoke variant of every experiment, run once."""
    folder = tmp_path_factory.mktemp("results")
    for name in EXPERIMENTS:
        lab.perform(name, lab.load(name).SMOKE, folder)
    return folder


def test_every_experiment_leaves_arrays_a_figure_and_verdicts(results):
    names = {path.name for path in results.iterdir()}
    assert names == {f"{name}.{end}" for name in EXPERIMENTS for end in ("npz", "json", "png")}
    for note in report.notes(results):
        assert {"config", "seconds", "date", "machine", "versions"} <= set(note)
        for claim in note["claims"]:
            assert claim["status"] in ("reproduced", "not reproduced", "not tested")
            assert claim["ours"]
            assert claim["samples"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_lab_note_names_row_command_and_expectation(name):
    note = lab.load(name).__doc__
    assert f"make {name}" in note or (name == "gradient_check" and "make gradcheck" in note)
    for word in ("row", "Command:", "Expect"):
        assert word in note, word


def test_scorecard_lists_every_claim(results):
    table = report.scorecard(results)
    claims = [claim for name in EXPERIMENTS for claim in lab.load(name).CLAIMS]
    assert len(table.splitlines()) == len(claims) + 2
    saved = json.loads((results / "scorecard.json").read_text())
    assert sorted(c["row"] for c in saved) == sorted(c.row for c in claims)


def test_gallery_shows_every_figure(results):
    page = report.gallery(results).read_text()
    for name in EXPERIMENTS:
        assert f'src="{name}.png"' in page


def test_redrawing_uses_the_saved_arrays(results, monkeypatch):
    module = lab.load("activations")
    monkeypatch.setattr(module, "run", lambda *_: pytest.fail("redrawing ran the experiment"))
    png = results / "activations.png"
    png.unlink()
    lab.redraw("activations", results)
    assert png.stat().st_size > 0


def test_an_experiment_is_reproducible_from_its_seed(results, tmp_path):
    module = lab.load("digits_sweep")
    again = lab.perform("digits_sweep", module.SMOKE, tmp_path)
    np.testing.assert_array_equal(again["test"], lab.saved("digits_sweep", results)["test"])
    other = lab.perform("digits_sweep", dataclasses.replace(module.SMOKE, seed=1), tmp_path)
    assert (other["test"] != again["test"]).any()


def test_missing_result_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="make checkerboard"):
        lab.saved("checkerboard", tmp_path)


def test_a_failed_save_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.txt").write_text("before")

    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        lab.write(tmp_path / "a.txt", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"


SETTINGS = {
    "int": (["seeds=5"], {"seeds": 5}),
    "float tuple": (["rates=0.1,1"], {"rates": (0.1, 1.0)}),
    "int tuple": (["widths=3"], {"widths": (3,)}),
    "two": (["seeds=5", "seed=2"], {"seeds": 5, "seed": 2}),
}


@pytest.mark.parametrize(("settings", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_settings_replace_fields(settings, expected):
    config = lab.load("checkerboard").Config()
    assert lab.configure(config, settings) == dataclasses.replace(config, **expected)


WRONG_SETTINGS = {
    "unknown": ("sed=1", "did you mean 'seed'"),
    "no value": ("seed", "field=value"),
    "not a number": ("seeds=many", "seeds"),
    "not a list": ("widths=3,x", "widths"),
}


@pytest.mark.parametrize(("setting", "message"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_wrong_settings_are_named(setting, message):
    with pytest.raises(ValueError, match=message):
        lab.configure(lab.load("checkerboard").Config(), [setting])


def test_unknown_experiment_suggests_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'checkerboard'"):
        lab.load("checkerbord")


def test_interval_is_students(key):
    from scipy import stats

    values = np.random.default_rng(0).normal(size=12)
    ours = lab.interval(values)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose([ours.low, ours.high], [low, high])
    assert ours.std == pytest.approx(np.std(values, ddof=1))


def test_claims_are_not_reproduced_by_contrary_numbers():
    """Every judge of the plane can say both: numbers for and against the lecture."""
    board, region = lab.load("checkerboard"), lab.load("rosenbrock_region")
    jitter = np.linspace(-0.01, 0.01, 8)
    widths = np.asarray([4, 10])

    def result(mlp, adaboost, weak):
        return {
            "widths": widths,
            "mlp": jitter[:, None] + np.asarray(mlp),
            "adaboost": jitter[::-1] + adaboost,
            "adaboost_stumps": jitter + 0.5,
            "logistic": jitter + 0.6,
            "first_weak": jitter + weak,
            "first_stump": jitter + 0.5,
        }

    agreeing = result([0.8, 0.95], 0.56, 0.5)
    contrary = result([0.55, 0.5], 0.95, 0.7)
    for claim in board.CLAIMS:
        assert claim.judge(agreeing).status == "reproduced", claim.statement
        assert claim.judge(contrary).status == "not reproduced", claim.statement
    assert [c.judge(result([0.8, 0.95], 0.7, 0.5)).status for c in region.CLAIMS] == [
        "reproduced"
    ] * 3
    assert [c.judge(result([0.8, 0.7], 0.55, 0.5)).status for c in region.CLAIMS] == [
        "not reproduced",
        "reproduced",
        "not reproduced",
    ]


def test_mnist_claims_stay_untested_on_digits(results):
    for name in ("mnist_width", "perceptron_mnist"):
        verdicts = [c.judge(lab.saved(name, results)) for c in lab.load(name).CLAIMS]
        assert any(v.status == "not tested" for v in verdicts)
        assert all(isinstance(v, Verdict) for v in verdicts)


STRIDED = CNN(
    (
        *(layers.Conv(8, (3, 2), (2, 1), "SAME"), layers.MaxPool(3, 2), layers.Activate()),
        layers.Residual((layers.Conv(8, 3, padding="SAME"), layers.GroupNorm(2))),
        layers.AveragePool((2, 3), 2, ((1, 0), (0, 1))),
        layers.Residual((layers.Conv(4, 3, 2, "SAME"),), (layers.Conv(4, 1, 2),)),
        *(layers.Activate("tanh"), layers.Flatten(), layers.Dense(images.CLASSES)),
    )
)
IMAGE_NETWORKS = {name: make() for name, make in images.NETWORKS.items()} | {"strided": STRIDED}


@pytest.mark.parametrize("model", IMAGE_NETWORKS.values(), ids=IMAGE_NETWORKS)
def test_the_gradient_checks_reference_is_the_same_network(x64, model):
    params, batch = images.draw(model, np.random.default_rng(0))
    ours = jax.jit(model.apply)(params, batch["x"])
    flax = jax.jit(images.reference, static_argnums=0)(model, params, batch["x"])
    np.testing.assert_allclose(ours, flax, rtol=1e-12, atol=1e-12)
    assert np.std(flax) > 0.1


@pytest.mark.parametrize("model", IMAGE_NETWORKS.values(), ids=IMAGE_NETWORKS)
def test_the_gradient_checks_reference_has_no_rule_of_ours(model):
    """`custom_vjp` is where JAX takes a derivative from us instead of its own."""
    params, batch = images.draw(model, np.random.default_rng(0))
    ours = jax.make_jaxpr(model.apply)(params, batch["x"])
    flax = jax.make_jaxpr(lambda *of: images.reference(model, *of))(params, batch["x"])
    assert "custom_vjp" in str(ours)
    assert "custom_vjp" not in str(flax)


def test_the_gradient_checks_reference_knows_every_layer_with_a_rule():
    assert set(images.FLAX) == set(cnn.RULES)


CONV, RELU = layers.Conv(1, 1), layers.Activate("relu")
KINKS = {
    "relu": (True, (CONV, RELU)),
    "relu in a residual block": (True, (layers.Residual((CONV, RELU)),)),
    "relu in a shortcut": (True, (layers.Residual((), (CONV, RELU)),)),
    "relu two blocks deep": (True, (layers.Residual((layers.Residual((CONV, RELU)),)),)),
    "max pooling": (True, (CONV, layers.MaxPool((1, 2)))),
    "tanh and average pooling": (
        False,
        (CONV, layers.Activate("tanh"), layers.AveragePool((1, 2))),
    ),
}


@pytest.mark.parametrize(("has_kink", "head"), KINKS.values(), ids=KINKS)
def test_a_difference_across_a_kink_is_noticed(x64, has_kink, head):
    """Pixels 1 and -1 times a kernel w: ReLU and max pooling have their kink at w = 0."""
    model = CNN((*head, layers.Flatten(), layers.Dense(images.CLASSES)))
    batch = {"x": jnp.asarray([1.0, -1.0]).reshape(1, 1, 2, 1), "y": jnp.asarray([3])}
    start = model.init(jax.random.key(0), batch["x"])

    def at(w):
        def leaf(path, value):
            return jnp.full_like(value, w) if "kernel" in str(path) else value

        return jax.tree_util.tree_map_with_path(leaf, start)

    direction = (
        jax.flatten_util.ravel_pytree(at(1.0))[0] - jax.flatten_util.ravel_pytree(at(0.0))[0]
    )
    for w, across in ((0.5e-6, True), (2e-6, False), (-2e-6, False), (0.7, False)):
        slope, kink = images.difference(model, at(w), batch, direction, 1e-6)
        assert kink == (across and has_kink), w
        _, by_jax, _ = images.gradients(model, at(w), batch)
        agrees = abs(slope - by_jax @ direction) < 1e-7
        assert agrees or kink, w


def test_directions_across_kinks_are_drawn_again(x64):
    """Steps of 0.003 meet a kink now and then, steps of 100 always."""
    model = CNN((layers.Conv(16, 5, 4), RELU, layers.Flatten(), layers.Dense(10)))
    choice = np.random.default_rng(0)
    params, batch = images.draw(model, choice)
    *grads, _ = images.gradients(model, params, batch)
    slopes, crossed = images.directional(model, params, batch, grads, 3e-3, choice)
    assert crossed > 0
    assert slopes.shape == (images.DIRECTIONS + 4 * images.SINGLES, 3)
    assert np.linalg.norm(slopes[:, 0] - slopes[:, 2]) < 1e-4 * np.linalg.norm(slopes[:, 2])
    with pytest.raises(RuntimeError, match="smaller step"):
        images.directional(model, params, batch, grads, 100.0, choice)


@pytest.mark.parametrize(("factor", "status"), [(1, "reproduced"), (1.00001, "not reproduced")])
def test_a_wrong_rule_fails_the_gradient_check(monkeypatch, factor, status):
    class Smooth(layers.AveragePool):
        """A kind of its own, so that no compiled program of another test is used."""

    def backward(layer, params, kept, g):
        dx, grads = pool.backward(layer, params, kept, g)
        return factor * dx, grads

    pool = cnn.RULES[layers.AveragePool]
    monkeypatch.setitem(cnn.RULES, Smooth, pool._replace(backward=backward))
    monkeypatch.setitem(images.FLAX, Smooth, images.FLAX[layers.AveragePool])
    chain = (layers.Conv(2, 3), Smooth(13), layers.Activate("tanh"), layers.Flatten())
    monkeypatch.setitem(images.NETWORKS, "own", lambda: CNN((*chain, layers.Dense(10))))
    config = gradient_check.Config(depths=(), images=("own",), image_networks=2)
    result = gradient_check.run(config, jax.random.key(0))
    assert gradient_check.CLAIMS[0].judge(result).status == status
    for kind in ("float64", "central"):
        assert ((result[kind] > gradient_check.LIMITS[kind]) == (factor != 1)).all()


def test_gradient_check_judges_and_draws_with_and_without_images():
    def result(models, central):
        n = len(models)
        errors = {"float64": np.full(n, 1e-16), "float32": np.full(n, 1e-7)}
        family = {"depth": np.full(n, 2), "loss": np.full(n, "hinge"), "activation": ["elu"] * n}
        counts = {"redrawn": np.asarray(3), "redrawn_differences": np.asarray(5)}
        arrays = {"central": np.asarray(central), "model": np.asarray(models)}
        return {k: np.asarray(v) for k, v in (errors | family | counts | arrays).items()}

    mlp = result(["MLP", "MLP"], [1e-9, 1e-9])
    both = result(["MLP", "lenet5"], [1e-9, 1e-9])
    wrong = result(["MLP", "lenet5"], [1e-9, 1e-6])
    judge = gradient_check.CLAIMS[0].judge
    assert [judge(r).status == "reproduced" for r in (mlp, both, wrong)] == [True, True, False]
    assert [len(gradient_check.plot(r).axes) for r in (mlp, both)] == [1, 2]
    assert "| model lenet5 | 1 | 1.0e-16 | 1.0e-07 | 1.0e-06 |" in gradient_check.table(wrong)


def test_command_line(tmp_path):
    command = [sys.executable, "-m", "experiments"]
    options = {"capture_output": True, "text": True, "cwd": tmp_path}
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)}
    listed = subprocess.run([*command, "--list"], check=True, env=environment, **options)
    assert all(name in listed.stdout for name in EXPERIMENTS)
    wrong = subprocess.run([*command, "activatons"], env=environment, **options)
    assert wrong.returncode == 2
    assert "did you mean 'activations'" in wrong.stderr
    run = subprocess.run(
        [*command, "activations", "--smoke", "--set", "span=5"], env=environment, **options
    )
    assert run.returncode == 0, run.stderr
    assert json.loads((tmp_path / "results/activations.json").read_text())["config"]["span"] == 5
