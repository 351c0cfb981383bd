"""Every field of every experiment's configuration, given what no experiment can use."""

import dataclasses
import math
import typing

import jax
import pytest

from experiments import demo
from experiments.lab.config import LEAST, MAY_BE_EMPTY, MAY_BE_ZERO, configure, require_valid
from experiments.lab.registry import EXPERIMENTS
from experiments.lab.run import load, perform

INF, NAN = math.inf, math.nan
BAD = {
    int: [-1, -(2**63), 2**63, 10**400, 1.5, NAN, True, None, "3", (), [3]],
    float: [-1.0, -1e-9, INF, -INF, NAN, True, None, "0.1", (), [0.1], 1j],
    str: [None, 3, ("a",), b"a", "a\x00b", "a\nb", "\u202e"],
}
FIELDS = [
    (name, field.name, typing.get_type_hints(load(name).Config)[field.name])
    for name in EXPERIMENTS
    for field in dataclasses.fields(load(name).Config)
]


def bad_values(field, kind):
    """What a field of that kind must refuse; entries of a tuple one at a time."""
    if typing.get_origin(kind) is tuple:
        of = typing.get_args(kind)[0]
        good = ("relu",) if of is str else (of(3),)
        entries = [*bad_values(field, of), *(["no such name"] if of is str else [])]
        empty = [] if field in MAY_BE_EMPTY else [()]
        return [*empty, [3], None, 3, "3", *((*good, bad) for bad in entries)]
    more = {int: [LEAST.get(field, 1) - 1], float: [] if field in MAY_BE_ZERO else [0.0], str: []}
    return BAD[kind] + more[kind]


@pytest.mark.parametrize(("name", "field", "kind"), FIELDS, ids=lambda value: str(value))
def test_what_no_experiment_can_use_is_refused_by_name(name, field, kind, compilations):
    config = load(name).SMOKE
    for bad in bad_values(field, kind):
        with pytest.raises((TypeError, ValueError), match=field):
            require_valid(dataclasses.replace(config, **{field: bad}))
    assert compilations() == 0


@pytest.mark.parametrize("name", demo.RUNS)
def test_the_configurations_of_the_demo_are_valid(name):
    require_valid(demo.RUNS[name])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_experiments_own_configurations_are_valid(name):
    require_valid(load(name).Config())
    require_valid(load(name).SMOKE)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["seeds"], "takes field=value"),
        (["seed=1", "seed=2"], "given twice"),
        (["sede=1"], "did you mean 'seed'|unknown config field 'sede'"),
        (["seeds=nan"], "expected <class 'int'>"),
        (["seeds=" + "9" * 5000], "expected <class 'int'>"),
        (["seeds=1"], "seeds is 1; it must be in 2 to"),
        (["seed=99999999999999999999"], "seed is 99999999999999999999"),
        (["learning_rate=inf"], "learning_rate is inf"),
        (["widths="], "expected tuple"),
        (["widths=2,0"], "widths is 0"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_settings_are_refused_in_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        configure(load("xor").Config(), settings)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("seed", [2**32, 2**32 + 5, 2**63 - 1])
def test_a_seed_that_would_repeat_another_is_refused(seed):
    same = jax.random.key(seed), jax.random.key(seed % 2**32)
    assert (jax.random.key_data(same[0]) == jax.random.key_data(same[1])).all()
    with pytest.raises(ValueError, match=f"seed is {seed}; it must be in 0 to 4294967295"):
        configure(load("xor").SMOKE, [f"seed={seed}"])
    assert configure(load("xor").SMOKE, ["seed=4294967295"]).seed == 2**32 - 1


def test_an_experiment_is_checked_before_it_runs(tmp_path):
    config = dataclasses.replace(load("xor").SMOKE, seeds=1)
    with pytest.raises(ValueError, match="seeds is 1; it must be in 2 to 2147483647"):
        perform("xor", config, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["activations", "xor"])
def test_the_least_seeds_and_points_that_are_accepted_work(tmp_path, name):
    module = load(name)
    least = {
        field: LEAST.get(field, 1)
        for field, kind in typing.get_type_hints(module.Config).items()
        if kind is int and field in ("seed", "seeds", "points")
    }
    perform(name, dataclasses.replace(module.SMOKE, **least), tmp_path)
    assert (tmp_path / f"{name}.png").stat().st_size > 1000
