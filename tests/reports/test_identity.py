"""Runs that differ have different fingerprints, equal runs equal ones, and programs follow both."""

import collections
import dataclasses
import enum
import functools
import importlib.util
import sys
import types
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import MLP, CheckpointConfig, TrainSpec, fit, sweep
from jaxnets.data import Dataset
from jaxnets.storage.checkpoints import CheckpointMismatch
from jaxnets.training.fingerprint import describe, fingerprint
from tests.support.hash_seeds import outputs

X = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
DATA = Dataset({"x": X, "y": np.arange(8) % 2})
RATE = {"learning_rate": 0.1}
spec_with = partial(TrainSpec, MLP((4,), 2), "softmax_cross_entropy", epochs=2, batch_size=4)


class Noise:
    unit = 1.0

    def __init__(self, s):
        self.s = s

    def __call__(self, key, x):
        return x + self.unit * self.s * jax.random.normal(key, x.shape)

    def method(self, key, x):
        return self(key, x)


class Slotted:
    __slots__ = ("s",)

    def __init__(self, s):
        self.s = s

    def __call__(self, key, x):
        return x + self.s


@dataclasses.dataclass(frozen=True)
class Shift:
    by: float

    def __call__(self, key, x):
        return x + self.by


class Scaled(nn.Module):
    factor: float = 1.0

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x * self.factor)


class Sum(nn.Module):
    layer: nn.Module

    @nn.compact
    def __call__(self, x):
        return x + self.layer(x)


class Kind(enum.Enum):
    SMALL = 1
    LARGE = 2


class Meters(float):
    pass


def maker(s):
    def augment(key, x):
        return x + s

    return augment


def decorated(s):
    @functools.wraps(maker)
    def wrapper(key, x):
        return maker(s)(key, x)

    return wrapper


def with_attribute(s):
    def augment(key, x):
        return x + augment.s

    augment.s = s
    return augment


def with_keyword(s):
    def augment(key, x, *, by=s):
        return x + by

    return augment


def mesh(*shape):
    return jax.make_mesh(shape, ("a", "b")[: len(shape)])


def same_run(one, other):
    key = jax.random.key(0)
    first, second = (fingerprint(spec_with(**s), key, DATA, RATE) for s in (one, other))
    return first == second


DIFFERENT = {
    "callable object": (Noise(0.1), Noise(9.0)),
    "bound method": (Noise(0.1).method, Noise(9.0).method),
    "jitted closure": (jax.jit(maker(1.0)), jax.jit(maker(2.0))),
    "mapped closure": (jax.vmap(maker(1.0)), jax.vmap(maker(2.0))),
    "axes of a map": (jax.vmap(maker(1.0)), jax.vmap(maker(1.0), in_axes=1)),
    "rematerialised closure": (jax.checkpoint(maker(1.0)), jax.checkpoint(maker(2.0))),
    "custom derivative": (jax.custom_jvp(maker(1.0)), jax.custom_jvp(maker(2.0))),
    "lru_cache": (functools.lru_cache(maker(1.0)), functools.lru_cache(maker(2.0))),
    "wraps": (decorated(1.0), decorated(2.0)),
    "wraps another function": (decorated(1.0), maker),
    "wraps what a package has": (functools.wraps(jnp.sin)(maker(1.0)), jnp.sin),
    "attribute of a function": (with_attribute(1.0), with_attribute(2.0)),
    "default of a keyword": (with_keyword(1.0), with_keyword(2.0)),
    "partial object": (partial(Noise(0.1), None), partial(Noise(9.0), None)),
    "keywords of a partial": (partial(maker, s=1.0), partial(maker, s=2.0)),
    "slots": (Slotted(1.0), Slotted(2.0)),
    "dataclass": (Shift(1.0), Shift(2.0)),
    "sign of zero": (Shift(0.0), Shift(-0.0)),
    "types that are equal": (Shift(1), Shift(1.0)),
    "field of a module": (Scaled(1.0), Scaled(2.0)),
    "module within a module": (Sum(Scaled(1.0)), Sum(Scaled(2.0))),
    "member of an enum": (Shift(Kind.SMALL), Shift(Kind.LARGE)),
    "subclass of float": (Shift(Meters(1.0)), Shift(1.0)),
    "classes": (Noise, Shift),
    "transformation": (optax.adam(0.1), optax.adam(0.2)),
    "schedule": (optax.cosine_decay_schedule(0.1, 10), optax.cosine_decay_schedule(0.1, 20)),
    "functions of a package": (jnp.sort, jax.lax.sort),
    "shape of a mesh": (mesh(2, 2), mesh(4, 1)),
    "axes of a mesh": (mesh(4), jax.make_mesh((4,), ("b",))),
    "dtypes": (jnp.float32, jnp.bfloat16),
    "keys and values": ({"a:1,b": 2}, {"a": "1", "b": 2}),
    "commas": (["a,b"], ["a", "b"]),
    "nesting": ([[1], 2], [[1, 2]]),
    "list and tuple": ([1], (1,)),
    "bool and int": (True, 1),
    "float and int": (1.0, 1),
    "text and number": ("1", 1),
    "text and bytes": ("a", b"a"),
    "None and its text": (None, "None"),
    "keys of two types": ({1: 2}, {"1": 2}),
    "signs in an array": (np.array([0.0]), np.array([-0.0])),
    "array and list": (np.array([1]), [1]),
    "dtype of a scalar": (np.float32(1), np.float64(1)),
    "byte order": (np.array([1], ">i4"), np.array([1], "<i4")),
    "objects in an array": (np.array([1, "a"], object), np.array([2, "a"], object)),
    "masked array": (np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[1, 0])),
    "units of time": (np.array([1], "M8[s]"), np.array([1], "M8[ms]")),
    "deque": (collections.deque([1]), collections.deque([2])),
    "namespace": (types.SimpleNamespace(a=1), types.SimpleNamespace(a=2)),
}
EQUAL = {
    "callable object": (Noise(0.1), Noise(0.1)),
    "bound method": (Noise(0.1).method, Noise(0.1).method),
    "jitted closure": (jax.jit(maker(1.0)), jax.jit(maker(1.0))),
    "lru_cache": (functools.lru_cache(maker(1.0)), functools.lru_cache(maker(1.0))),
    "slots": (Slotted(1.0), Slotted(1.0)),
    "field of a module": (Scaled(1.0), Scaled(1.0)),
    "module within a module": (Sum(Scaled(1.0)), Sum(Scaled(1.0))),
    "transformation": (optax.adam(0.1), optax.adam(0.1)),
    "NaN": ({"a": float("nan")}, {"a": float("nan")}),
    "order of a dict": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "order of a set": ({"a", "b", "c"}, {"c", "b", "a"}),
    "array on a device": (np.arange(3, dtype=np.int32), jnp.arange(3)),
    "memory order": (np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3))),
    "view": (np.arange(10)[::2], np.array([0, 2, 4, 6, 8])),
    "mesh": (mesh(2, 2), mesh(2, 2)),
    "jitted transformation": (optax.adam(jnp.float32(0.1)), optax.adam(jnp.float32(0.1))),
    "shared value": ([X, X], [X, X.copy()]),
}


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_is_told_apart(one, other):
    assert describe(one) != describe(other)


@pytest.mark.parametrize(("one", "other"), EQUAL.values(), ids=EQUAL)
def test_what_is_equal_is_described_alike(one, other):
    assert describe(one) == describe(other)
    assert " at 0x" not in describe(one)


def test_attack_identity_gaps():
    """Case attack_identity_gaps: what was taken for the same run, or failed with a raw error."""
    names = ("callable object", "bound method", "jitted closure", "lru_cache")
    for name in names:
        one, other = DIFFERENT[name]
        assert not same_run({"augment": one}, {"augment": other})
        assert same_run({"augment": EQUAL[name][0]}, {"augment": EQUAL[name][1]})

    def injected(b1):
        return {"optimizer": optax.inject_hyperparams(partial(optax.adam, b1=b1))}

    assert not same_run(injected(0.1), injected(0.9))
    assert same_run(injected(0.1), injected(0.1))
    assert describe(recursive(1)) == describe(recursive(1)) != describe(recursive(2))
    assert describe({"a:1,b": 2}) != describe({"a": "1", "b": 2})
    assert describe(True) != describe(1) != describe(1.0)
    other = X.copy()
    other.view(np.uint32)[0, 0] ^= 1
    data = [Dataset({"x": x, "y": DATA.train["y"]}) for x in (X, X.copy(), other)]
    found = [fingerprint(spec_with(), jax.random.key(0), each, {})["data"] for each in data]
    assert found[0] == found[1] != found[2]


def recursive(step):
    def augment(key, x):
        return x if x.ndim > 9 else augment(key, x[None] + step)

    return augment


MODULE = """
import numpy as np
from os.path import join
SCALE = 1.0
TABLE = {"a": [1, 2]}
UNUSED = 1

def helper(x):
    return x + 1

class Tool:
    def use(self, x):
        return helper(x)

TOOL = Tool()

def augment(key, x):
    return np.sin(x) * SCALE + TABLE["a"][0] + TOOL.use(x)

def nested(key, x):
    return [helper(y) for y in (lambda: x)()]

def mutual(key, x):
    return x if SCALE > 2 else back(key, x)

def back(key, x):
    return mutual(key, helper(x))
"""
CHANGES = {
    "constant": ("SCALE = 1.0", "SCALE = 5.0", ("augment", "mutual", "back")),
    "table": ("[1, 2]", "[3, 2]", ("augment",)),
    "helper": ("x + 1", "x * 100", ("augment", "nested", "mutual", "back")),
    "method": ("helper(x)\n\nTOOL", "-helper(x)\n\nTOOL", ("augment",)),
    "what is not read": ("UNUSED = 1", "UNUSED = 2", ()),
    "comment": ("SCALE = 1.0", "# The scale.\nSCALE = 1.0", ()),
}


def load(path, text):
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["augment", "nested", "mutual", "back"])
@pytest.mark.parametrize(("old", "new", "changed"), CHANGES.values(), ids=CHANGES)
def test_the_globals_that_a_function_reads_count(tmp_path, name, old, new, changed):
    assert old in MODULE
    before = describe(getattr(load(tmp_path / "one.py", MODULE), name))
    after = describe(getattr(load(tmp_path / "other.py", MODULE.replace(old, new)), name))
    assert (before != after) == (name in changed)


@pytest.mark.parametrize("line", ["import helpers", "import helpers as h; helpers = h"])
@pytest.mark.parametrize("inside", [True, False])
def test_modules_of_the_user_count_by_what_is_read_of_them(tmp_path, monkeypatch, line, inside):
    monkeypatch.syspath_prepend(tmp_path)
    body = "    return x * helpers.SCALE\n"
    text = f"def f(x):\n    {line}\n{body}" if inside else f"{line}\ndef f(x):\n{body}"
    found = []
    for helpers in ("SCALE = 1", "# A comment.\nSCALE = 1\nOTHER = 3", "SCALE = 2"):
        (tmp_path / "helpers.py").write_text(helpers)
        monkeypatch.delitem(sys.modules, "helpers", raising=False)
        importlib.invalidate_caches()
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        found.append(describe(load(tmp_path / "using.py", text).f))
    assert found[0] == found[1] != found[2]


def test_two_functions_read_a_module_each_for_itself(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    text = (
        "import helpers_of_two as helpers\ndef f(x):\n    return x * helpers.SCALE\n"
        "def g(x):\n    return x + helpers.NOISE\n"
    )
    (tmp_path / "helpers_of_two.py").write_text("SCALE = 1\nNOISE = 2\n")
    using = load(tmp_path / "using.py", text)
    before = describe((using.f, using.g))
    using.helpers.NOISE = 3
    assert describe((using.f, using.g)) != before
    using.helpers.NOISE = 2
    assert describe((using.f, using.g)) == before


def test_a_module_that_was_edited_and_loaded_again_counts_as_it_is_now(tmp_path):
    path = tmp_path / "edited.py"
    first = load(path, "def f(x):\n    return x + 1\n").f
    before = describe(first)
    second = load(path, "def f(x):\n    return x * 9\n").f
    assert describe(second) != before == describe(first)


def test_a_fingerprint_is_the_same_in_every_process():
    """Sets have another order, objects another place in memory."""
    code = (
        "from tests.reports.test_identity import EQUAL, fingerprint, spec_with, Noise, DATA, RATE\n"
        "import jax, hashlib\nfrom jaxnets.training.fingerprint import describe\n"
        "print([hashlib.sha256(describe(a).encode()).hexdigest() for a, _ in EQUAL.values()],"
        "fingerprint(spec_with(augment=Noise(0.1)), jax.random.key(0), DATA, RATE))"
    )
    found = outputs("import tests.conftest\n" + code)
    assert found[0] == found[1] != ""


def drawing(rng):
    return lambda key, x: x + rng.normal()


RNG = np.random.default_rng(0)


def drawing_globally(key, x):
    return x + RNG.normal()


HIDDEN = {
    "random generator": (lambda: Noise(np.random.default_rng(0)), "spec.augment.s"),
    "old random generator": (lambda: np.random.normal, "spec.augment.__self__"),
    "generator in a closure": (lambda: drawing(np.random.default_rng(0)), "spec.augment.rng"),
    "global generator": (lambda: drawing_globally, "spec.augment.RNG"),
    "its method": (lambda: np.random.default_rng(0).normal, "spec.augment.__self__"),
    "open file": (lambda: Noise(sys.stderr), "spec.augment.s"),
    "generator": (lambda: Noise([0, (x for x in [1])]), r"spec.augment.s\[1\]"),
    "iterator": (lambda: Noise({"a": iter([1])}), r"spec.augment.s\['a'\]"),
    "ufunc": (lambda: Noise(np.frompyfunc(maker, 1, 1)), "spec.augment.s"),
    "compiled program": (lambda: Noise(jax.jit(jnp.sin).lower(1.0).compile()), "spec.augment.s"),
}


@pytest.mark.parametrize(("make", "place"), HIDDEN.values(), ids=HIDDEN)
def test_what_cannot_be_read_is_refused_with_the_way_out(tmp_path, key, compilations, make, place):
    spec, keys = spec_with(augment=make()), key[None]
    config = CheckpointConfig(tmp_path / "run")
    for _ in range(2):
        before = compilations()
        with pytest.raises(TypeError, match=f"{place}.* is a .* a fingerprint_name, such as"):
            fit(spec, key, DATA, RATE, checkpoints=config)
        with pytest.raises(TypeError, match=place):
            sweep(spec, keys, DATA, RATE, checkpoints=config)
    assert compilations() == before
    assert not (tmp_path / "run").exists()


def named(name, rng):
    augment = drawing(rng)
    augment.fingerprint_name = name
    return augment


def test_a_name_is_the_way_out(tmp_path, key):
    rng = np.random.default_rng
    config = CheckpointConfig(tmp_path)
    fit(spec_with(augment=named("noise 0", rng(0))), key, DATA, RATE, checkpoints=config)
    fit(spec_with(augment=named("noise 0", rng(0))), key, DATA, RATE, checkpoints=config)
    with pytest.raises(CheckpointMismatch, match="mismatch: spec"):
        fit(spec_with(augment=named("noise 1", rng(1))), key, DATA, RATE, checkpoints=config)
    noise = Noise(rng(0))
    noise.fingerprint_name = "an object"
    assert describe(noise) != describe(noise.method) != describe(named("another", rng(0)))
    wrapper = functools.wraps(named("inner", rng(0)))(maker(1.0))
    assert describe(wrapper) != describe(functools.wraps(named("inner", rng(0)))(maker(2.0)))
    with pytest.raises(TypeError, match="fingerprint_name is 3; it must be a str"):
        describe(named(3, rng(0)))


def test_runs_without_checkpoints_need_no_fingerprint(key):
    for make, _ in HIDDEN.values():
        TrainSpec(MLP((4,), 2), "softmax_cross_entropy", 1, augment=make())
    fit(spec_with(augment=drawing(np.random.default_rng(0))), key, DATA, RATE)
