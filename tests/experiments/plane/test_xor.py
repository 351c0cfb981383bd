"""The solutions of exclusive or, their hidden codes and the folding, and the judge of `xor`."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy.optimize import linprog, lsq_linear

import jaxnets as jn
from experiments.lab import run
from experiments.plane import xor as experiment
from experiments.plane import xor_nets as nets
from jaxnets.data.toy import xor_table


def as_params(net):
    """One network as the parameters of a library MLP."""
    output = {"weight": net["w"][None], "bias": net["b"].reshape(1)}
    return {"params": {"hidden_0": {"weight": net["W"], "bias": net["c"]}, "output": output}}


def random_net(rng, shape, units):
    sizes = {"W": (units, 2), "c": (units,), "w": (units,), "b": ()}
    return {name: np.asarray(rng.normal(size=(*shape, *size))) for name, size in sizes.items()}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("units", [2, 5])
def test_outputs_are_those_of_the_library(units):
    net = random_net(np.random.default_rng(units), (), units)
    x = np.random.default_rng(9).normal(size=(7, 2))
    expected = jn.MLP((units,), 1, "relu").apply(as_params(net), x)[:, 0]
    np.testing.assert_allclose(nets.outputs(net, x), expected, rtol=1e-12)


def test_the_lectures_weights_give_its_exclusive_or():
    table = xor_table()
    np.testing.assert_array_equal(table["x"], nets.X)
    np.testing.assert_array_equal(table["y"], nets.Y)
    by_library = jn.MLP((2,), 1, "relu").apply(as_params(nets.LECTURE), table["x"])
    np.testing.assert_array_equal(by_library[:, 0], table["y"])
    np.testing.assert_array_equal(nets.outputs(nets.LECTURE, nets.X), nets.Y)


def test_the_family_starts_at_the_lectures_solution_and_stays_exact():
    members = nets.family(np.asarray([0.0, 0.25, 0.8]))
    for name, value in nets.LECTURE.items():
        np.testing.assert_array_equal(members[name][0], value)
    np.testing.assert_allclose(nets.outputs(members, nets.X), np.tile(nets.Y, (3, 1)), atol=1e-14)
    between = np.asarray([[0.5, 0.0]])
    assert len(np.unique(nets.outputs(members, between).round(6))) == 3


def test_codes_by_hand():
    assert (
        nets.code_name(nets.hidden_codes(nets.pre_activations(nets.LECTURE, nets.X)))
        == "01 10 11 | 11"
    )
    both = {"W": np.asarray([[1.0, -1], [-1, 1], [-1, -1]]), "c": np.asarray([0, 0, -1.0])}
    assert (
        nets.code_name(nets.hidden_codes(nets.pre_activations(both, nets.X))) == "10 | 01 | never"
    )
    nearly = np.asarray([[1.0, 1.0], [0.009, 0.011], [-1, -1], [0, 0]])
    assert nets.code_name(nets.hidden_codes(nearly)) == "00 01 | 00"


@pytest.mark.parametrize("units", [2, 4])
def test_codes_ignore_order_and_scale_of_the_units(units):
    rng = np.random.default_rng(units)
    s = nets.pre_activations(random_net(rng, (50,), units), nets.X)
    codes = nets.hidden_codes(s)
    changed = nets.hidden_codes(s[..., rng.permutation(units)] * rng.uniform(0.1, 10, units))
    np.testing.assert_array_equal(changed, codes)
    assert len(np.unique(codes, axis=0)) > 5


def nearest(h):
    """The distance of the segments by constrained least squares."""
    axes = np.stack([h[3] - h[0], h[1] - h[2]], axis=1)
    return np.sqrt(2 * lsq_linear(axes, h[1] - h[0], bounds=(0, 1), method="bvls").cost)


@pytest.mark.parametrize("units", [1, 2, 3, 6])
def test_gap_is_the_distance_of_two_segments(units):
    h = np.random.default_rng(units).normal(size=(40, 4, units))
    h[:20] = np.maximum(h[:20], 0)
    np.testing.assert_allclose(nets.gap(h), [nearest(one) for one in h], atol=1e-6)


def test_gap_by_hand():
    folded = nets.gaps(nets.LECTURE)
    assert folded[0] == pytest.approx(0, abs=1e-12)
    assert folded[1] == pytest.approx(1 / np.sqrt(5))  # (1, 0) from the line h_1 = 2 h_2
    same = np.ones((4, 2))
    assert nets.gap(same) == 0
    same[[1, 2]] = [[4.0, 5.0]]
    assert nets.gap(same) == pytest.approx(5)  # two points
    parallel = np.asarray([[0, 0], [0, 1], [3, 1], [3, 0]], float)
    assert nets.gap(parallel) == pytest.approx(1)


@pytest.mark.parametrize("relu", [False, True])
def test_a_gap_is_what_linear_programming_separates(relu):
    s = nets.pre_activations(random_net(np.random.default_rng(3), (60,), 2), nets.X)
    h = np.maximum(s, 0) if relu else s
    signs = 2 * nets.Y - 1
    separable = []
    for one in h:
        rows = -signs[:, None] * np.column_stack([one, np.ones(4)])
        bounds = [(None, None)] * 3
        separable.append(linprog(np.zeros(3), rows, -np.ones(4), bounds=bounds).success)
    np.testing.assert_array_equal(nets.gap(h) > experiment.APART, separable)
    assert any(separable) == relu


def test_training_ends_where_its_losses_say(key):
    """Networks before and after the sweep, the narrow ones padded with idle units."""
    config = dataclasses.replace(experiment.SMOKE, steps=20, seeds=4)
    start, end, losses = nets.train(config, key)
    assert losses.shape == (4, 2, nets.RECORDS)
    assert (start["c"] == 0).all()
    for net in (start, end):
        assert (net["W"][:, 0, 2:] == 0).all()
        assert (net["w"][:, 0, 2:] == 0).all()
    assert len(np.unique(start["W"][:, 0])) > 8
    squares = ((nets.outputs(end, nets.X) - nets.Y) ** 2).mean(axis=-1)
    np.testing.assert_allclose(squares, losses[..., -1], rtol=0.05, atol=0.01)


def test_widths_begin_with_the_lectures():
    with pytest.raises(ValueError, match="lecture's, 2"):
        experiment.run(experiment.Config(widths=(3, 4)), jax.random.key(0))


def test_no_step_from_a_minimum_lowers_the_loss_and_some_from_a_saddle_does():
    """The best constant with three units off for good, or at the kink, where they can be turned on.

    Width 2 is padded with an idle unit that no step may use.
    """
    shape = (1, 2)
    off = {"W": np.zeros((*shape, 3, 2)), "c": np.full((*shape, 3), -1.0)}
    off |= {"w": np.ones((*shape, 3)), "b": np.full(shape, 0.5)}
    off["c"][0, 0, 2] = off["w"][0, 0, 2] = 0
    random = np.random.default_rng(0)
    falls = nets.largest_falls(off, (2, 3), random)
    assert (falls < 0).all()
    assert (falls > -(nets.LENGTH**2)).all()
    kink = off | {"c": np.zeros((*shape, 3))}
    assert (nets.largest_falls(kink, (2, 3), random) > 1e-4).all()
    solved = {k: np.broadcast_to(v, (1, 1, *v.shape)) for k, v in nets.LECTURE.items()}
    assert nets.largest_falls(solved, (2,), random) < 0


# The judge.


def made_up(losses=(0.0, 0.125, 0.25), codes=((14, 8), (4, 2), (4, 2)), **changes):
    """90 networks of width 2: 30 at each of the losses, those at 0 with the codes in turn."""
    final = np.repeat(losses, 30)
    curves = np.tile(final[:, None, None], (1, 1, nets.RECORDS))
    curves[:, :, : nets.RECORDS // 2] += 0.001
    solved = final[:, None] < 0.01
    gaps = np.stack([np.zeros((90, 1)), np.where(solved, 0.5, 0.0)], axis=-1)
    return {
        "widths": np.asarray([2]),
        "losses": curves,
        "solved": solved,
        "codes": np.tile(np.asarray(codes), (30, 1))[:, None],
        "lecture": nets.Y,
        "family": np.zeros((1000, 4)),
        "falls": np.full((90, 1), -1e-6),
        "gaps_lecture": np.asarray([0.0, 0.4]),
        "gaps_start": gaps,
        "gaps_without_c": gaps,
        "gaps_end": gaps,
    } | changes


OPEN = {"training_finds_others", "many_local_optima", "relu_folds"}
"""Claims of which the lectures leave settings open, so that they are not refuted at once."""


def statuses(result):
    return {row["claim"]: row["status"] for row in run.claims_of("xor", result)}


def test_every_claim_holds_for_results_as_the_lectures_say():
    assert set(statuses(made_up()).values()) == {"reproduced"}


def gaps_with(row, column, value):
    gaps = made_up()["gaps_end"].copy()
    gaps[row, 0, column] = value
    return {"gaps_end": gaps}


CONTRARY = {
    "its table": ({"lecture": np.asarray([0, 0, 0, 1.0])}, "lecture_solves"),
    "not exact": ({"lecture": nets.Y + 1e-9}, "lecture_solves"),
    "near solutions": ({"family": np.full((1000, 4), 1e-6)}, "one_of_an_infinity"),
    "only the lecture's code": ({"codes": [(14, 8)] * 3}, "training_finds_others"),
    "none solved": ({"solved": np.zeros((90, 1), bool)}, "training_finds_others"),
    "all at 0": ({"losses": (0.0, 0.0, 0.0)}, "many_local_optima"),
    "one level": ({"losses": (0.0, 0.25, 0.25)}, "many_local_optima"),
    "steps lower the loss": ({"falls": np.full((90, 1), 1e-3)}, "many_local_optima"),
    "a linear layer separates": (gaps_with(40, 0, 0.1), "relu_folds"),
    "the lecture's does not": ({"gaps_lecture": np.zeros(2)}, "relu_folds"),
    "no random layer does": ({"gaps_without_c": np.zeros((90, 1, 2))}, "relu_folds"),
}


@pytest.mark.parametrize(("changes", "failing"), CONTRARY.values(), ids=CONTRARY)
def test_one_contrary_number_fails_its_own_claim_only(changes, failing):
    judged = statuses(made_up(**changes))
    assert judged.pop(failing) == ("inconclusive" if failing in OPEN else "refuted")
    assert set(judged.values()) == {"reproduced"}


def test_a_loss_that_still_falls_is_not_a_local_optimum():
    result = made_up()
    result["losses"][:, :, : nets.RECORDS // 2] *= 1.5
    assert statuses(result)["many_local_optima"] == "inconclusive"


def test_a_network_that_diverged_is_no_failure_to_solve():
    result = made_up()
    result["losses"][3] = np.nan
    judged = statuses(result)
    assert {judged[name] for name in OPEN} == {"not judged"}


@pytest.mark.parametrize("width", [2, 16])
def test_uniform_weights_and_biases_fill_the_range_of_their_width(width):
    """That of a network of so many units, whatever the size it is padded to."""
    model = nets.Uniform((16,), 1, "relu")

    def draw(key):
        return model.narrow(model.init(key, nets.X), width)["params"]

    drawn = jax.vmap(draw)(jax.random.split(jax.random.key(0), 2000))
    for layer, fan in (("hidden_0", 2), ("output", width)):
        for values in drawn[layer].values():
            used = values[..., :width] if layer == "output" else values[:, :width]
            assert np.abs(used).max() == pytest.approx(fan**-0.5, rel=0.01)
            assert used.std() == pytest.approx((3 * fan) ** -0.5, rel=0.05)
            assert np.abs(used.mean()) < 0.03


def test_folding_is_judged_without_c_however_the_biases_start(key):
    config = dataclasses.replace(experiment.SMOKE, init="uniform")
    result = experiment.run(config, key)
    start, _, _ = nets.train(config, key)
    assert np.abs(start["c"]).max() > 0.1
    bare = nets.gaps({"W": start["W"], "c": 0 * start["c"]})
    np.testing.assert_array_equal(result["gaps_without_c"], bare)
    assert not np.array_equal(result["gaps_start"], bare)
