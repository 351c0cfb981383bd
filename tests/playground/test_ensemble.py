"""The page's networks are those of the library: plain steps and other formulas agree."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.playground import arguments as module
from jaxnets.playground import networks, problems
from jaxnets.playground.config import ACTIVATIONS, BATCHES, Config, RefusedError, from_address
from jaxnets.playground.ensemble import Ensemble, repeat
from jaxnets.playground.programs import GROUP

SMALL = Config(problem="two_moons", widths=(3, 2), networks=3, n=40)
OPTAX = {
    "adam": optax.adam,
    "sgd": optax.sgd,
    "momentum": lambda rate: optax.sgd(rate, momentum=0.9),
    "rmsprop": optax.rmsprop,
}
# A row is what differs from SMALL; together they have every optimizer, loss, kind and variation.
CASES = {
    "adam": {},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.1, "activation": "relu"},
    "momentum": {"optimizer": "momentum", "l2": 0.01, "activation": "softplus"},
    "rmsprop": {"optimizer": "rmsprop", "l1": 0.001, "activation": "gelu"},
    "hinge": {"loss": "hinge", "activation": "sigmoid"},
    "classes": {"problem": "arms", "classes": 5},
    "rates": {"vary": "learning_rate", "optimizer": "sgd"},
    "widths": {"vary": "width"},
    "features": {"features": ("x1_squared", "x1_x2", "sin_x2")},
    "curve": {"problem": "sine", "features": ("x1",), "loss": "squared_error"},
    "surface": {"problem": "rosenbrock", "loss": "huber"},
    "residual": {"residual": True, "widths": (3, 3), "features": ("x1", "x2")},
}


def config_of(changes):
    return replace(SMALL, **changes)


def plain_loss(config, outputs, y):
    """Losses `[batch]`, written out."""
    if config.outputs > 1:
        picked = jnp.take_along_axis(outputs, y.astype(int)[:, None], axis=1)[:, 0]
        return jnp.log(jnp.sum(jnp.exp(outputs), axis=1)) - picked
    s = outputs[:, 0]
    return {
        "cross_entropy": lambda: jnp.log(1 + jnp.exp(-(2 * y - 1) * s)),
        "hinge": lambda: jnp.maximum(0, 1 - (2 * y - 1) * s),
        "squared_error": lambda: (s - y) ** 2,
        "huber": lambda: optax.huber_loss(s, y),
    }[config.loss]()


def plain_outputs(config, params, x):
    """Outputs `[batch, k]` of a narrow network, written out."""
    *hidden, last = params.values()
    f, h = jn.ACTIVATIONS[config.activation].f, x
    for layer in hidden:
        value = f(h @ layer["weight"].T + layer["bias"][None])
        h = h + value if config.residual and layer is not hidden[0] else value
    return h @ last["weight"].T + last["bias"][None]


def trained_plainly(config, member, updates):
    """One network in a Python loop, with autodiff and an optimizer of its own."""
    start, rates = Ensemble(config), module.rates_of(config)[0]
    width = rates.width[member]
    params = jax.tree.map(lambda a: jnp.asarray(a[member]), start.params())
    params = narrower(params, width)
    tx = OPTAX[config.optimizer](rates.learning_rate[member])
    key = start.groups[0].key[member]
    columns = [name in config.features for name in problems.FEATURES]
    x, y = start.data["x"][:, columns], start.data["y"]

    def objective(params, x, y):
        weights = [layer["weight"] for layer in params.values()]
        penalty = sum(config.l1 * jnp.abs(w).sum() + config.l2 * (w**2).sum() for w in weights)
        return jnp.mean(plain_loss(config, plain_outputs(config, params, x), y)) + penalty

    @jax.jit
    def step(params, state, x, y):
        updates, state = tx.update(jax.grad(objective)(params, x, y), state, params)
        return optax.apply_updates(params, updates), state

    state = tx.init(params)
    for i in range(updates):
        rows = networks.rows_drawn(key, jnp.int32(i), config.batch, start.data["train"])
        params, state = step(params, state, x[rows], y[rows])
    return params


def narrower(params, width):
    """The params of a network whose hidden layers have fewer units."""
    tree, before = {}, None
    for i, (name, layer) in enumerate(params.items()):
        out = width[i] if i < len(width) else None
        tree[name] = {"weight": layer["weight"][:out, :before], "bias": layer["bias"][:out]}
        before = out
    return tree


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_equals_a_plain_loop(changes):
    config = config_of(changes)
    trained = Ensemble(config)
    trained.advance(30)
    for member in (0, 2):
        found = jax.tree.map(lambda a, m=member: a[m], trained.params())
        found = narrower(found, module.rates_of(config)[0].width[member])
        expected = trained_plainly(config, member, 30)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-4), found, expected)


def test_first_weights_are_those_of_a_narrow_mlp():
    """Their deviation is that of the library's initialiser for the narrow network."""
    for activation in ("tanh", "relu", "identity"):
        config = Config(widths=(8, 6), networks=256, activation=activation, features=("x1", "x2"))
        own = Ensemble(config).params()
        model = jn.MLP((8, 6), 1, activation)
        keys = jax.random.split(jax.random.key(1), 256)
        drawn = jax.vmap(lambda k, m=model: m.init(k, jnp.zeros((1, 2))))(keys)["params"]
        for name, layer in drawn.items():
            ratio = np.std(own[name]["weight"]) / np.std(layer["weight"])
            assert 0.93 < ratio < 1.07, (activation, name)


def test_cut_into_any_pieces_and_repeated_the_bits_are_the_same():
    one, many = Ensemble(SMALL), Ensemble(SMALL)
    one.advance(40)
    for piece in (1, 2, 7, 30):
        many.advance(piece)
    jax.tree.map(np.testing.assert_array_equal, one.params(), many.params())
    again = repeat(*many.log)
    jax.tree.map(np.testing.assert_array_equal, one.params(), again.params())


def test_changes_on_the_way_are_logged_and_repeated():
    networks = Ensemble(SMALL)
    networks.advance(10)
    networks.change(replace(SMALL, learning_rate=0.1, l2=0.01))
    networks.advance(5)
    networks.change(replace(SMALL, learning_rate=0.1, l2=0.01, optimizer="sgd", noise=0.2))
    networks.advance(5)
    assert [updates for _, updates in networks.log] == [10, 5, 5]
    again = repeat(*networks.log)
    jax.tree.map(np.testing.assert_array_equal, networks.params(), again.params())


def test_nothing_that_is_unused_ever_moves():
    config = replace(SMALL, l2=0.01, vary="width", features=("x2",))
    networks = Ensemble(config)
    networks.advance(20)
    wide = networks.groups[0].params["params"]
    assert not wide["hidden_0"]["weight"][:, 3:].any()
    assert not np.delete(wide["hidden_0"]["weight"], 1, axis=2).any()
    assert not wide["output"]["weight"][:, 1:].any()
    assert not wide["output"]["bias"][:, 1:].any()


def test_networks_vary_as_chosen():
    by_seed = Ensemble(SMALL).params()["hidden_0"]["weight"]
    assert (by_seed[0] != by_seed[1]).all()
    by_rate = Ensemble(replace(SMALL, vary="learning_rate"))
    first = by_rate.params()["hidden_0"]["weight"]
    np.testing.assert_array_equal(first[0], first[1])
    rates = module.rates_of(by_rate.config)[0].learning_rate[:3]
    np.testing.assert_allclose(rates, [0.001, 0.01, 0.1], rtol=1e-5)
    widths = module.rates_of(replace(SMALL, vary="width", widths=(8, 5)))[0].width[:3]
    assert widths.tolist() == [[1, 1], [4, 3], [8, 5]]


def test_more_points_are_the_same_ones_with_others_behind():
    few, _ = module.data_of(SMALL)
    many, data = module.data_of(replace(SMALL, n=200))
    np.testing.assert_array_equal(few, many[:40])
    assert (data["n"], data["train"], data["valid"]) == (200, 100, 100)


def test_the_parts_are_counted_and_none_is_lost():
    _, data = module.data_of(replace(SMALL, n=100, valid=0.25, test=0.25))
    assert (data["n"], data["train"], data["valid"]) == (100, 50, 25)


def test_batches_are_drawn_evenly_from_the_training_points():
    keys = jax.random.split(jax.random.key(0), 64)
    draw = jax.vmap(networks.rows_drawn, in_axes=(None, 0, None, None))
    every = jax.vmap(draw, in_axes=(0, None, None, None))
    rows = every(keys, jnp.arange(50), 16, np.int32(10))
    counts = np.bincount(np.ravel(rows), minlength=10)
    expected = counts.sum() / 10
    assert len(counts) == 10
    assert ((counts - expected) ** 2 / expected).sum() < 27.9  # chi squared, 9 degrees, 0.1 %


def test_a_diverged_network_is_counted_and_left_out():
    regression = {"problem": "sine", "features": ("x1",), "loss": "squared_error"}
    sweep = {"vary": "learning_rate", "learning_rate": 10.0, "networks": 8}
    networks = Ensemble(replace(SMALL, optimizer="sgd", activation="relu", **regression, **sweep))
    networks.advance(300)
    head, blobs = networks.frame(0)
    assert 0 < head["diverged"] < 8
    assert head["diverged"] == (blobs["finite"] == 0).sum()
    alone = [networks.frame(i)[1]["mine"][0] for i in np.flatnonzero(blobs["finite"])]
    np.testing.assert_allclose(blobs["mean"][0], np.mean(alone, axis=0), atol=1.1)


def test_a_weight_that_is_infinite_has_diverged_though_its_unit_saturates():
    networks = Ensemble(SMALL)
    params = networks.params()
    networks.edit(1, "hidden_0", 0, None, np.inf)
    head, blobs = networks.frame(1)
    assert (head["diverged"], blobs["finite"].tolist()) == (1, [1, 0, 1])
    assert np.isfinite(blobs["loss"][:2]).all()  # of training and validation: nothing else tells
    networks.load(params)
    assert networks.frame(1)[0]["diverged"] == 0


def test_a_narrower_network_takes_no_weights_of_units_that_it_lacks():
    networks = Ensemble(replace(SMALL, vary="width", widths=(5, 4)))
    full = jax.tree.map(np.ones_like, networks.params())
    networks.load(full)
    widths = module.rates_of(networks.config)[0].width[:3]
    for member, (first, second) in enumerate(widths.tolist()):
        own = jax.tree.map(lambda a, m=member: a[m], networks.params())
        assert own["hidden_0"]["weight"].sum() == 2 * first
        assert own["hidden_1"]["weight"].sum() == first * second
        assert own["hidden_1"]["bias"].sum() == second
        assert own["output"]["weight"].sum() == second
    assert widths[1].tolist() == [3, 2]
    networks.edit(1, "hidden_1", 1, 2, 5.0)
    for place in (("hidden_0", 3, 0), ("hidden_1", 2, None), ("hidden_1", 1, 3), ("output", 0, 2)):
        with pytest.raises(RefusedError, match="no weight"):
            networks.edit(1, *place, 5.0)


@pytest.mark.parametrize("name", [*problems.PROBLEMS])
def test_every_problem_is_drawn_within_the_plane(name):
    own = tuple((100 * i + 40, 2048, i % 2) for i in range(40))
    changes = {"problem": name, "own": own}
    if problems.PROBLEMS[name].kind in ("curve", "surface"):
        changes["loss"] = "squared_error"
    if problems.PROBLEMS[name].kind == "curve":
        changes["features"] = ("x1",)
    config = replace(SMALL, **changes)
    x, data = module.data_of(config)
    assert x.shape == (40, 2)
    assert np.abs(x).max() <= 1.281
    assert np.isfinite(data["y"]).all()
    if config.outputs == 1 and config.loss == "cross_entropy":
        assert set(data["y"][:40]) == {0, 1}


def test_centred_problems_are_those_of_the_library_scaled():
    x, y = problems.sample("spirals", 3, 0.0, 0.0)
    points = jn.data.toy.spirals(jax.random.key(3), problems.MOST_POINTS)
    slope = np.polyfit(np.ravel(points["x"]), np.ravel(x), 1)[0]
    centre = np.mean(x - slope * points["x"], axis=0)
    np.testing.assert_allclose(x, slope * points["x"] + centre[None], atol=0.02)
    np.testing.assert_array_equal(y, points["y"])


def test_edits_and_weights_put_back():
    networks = Ensemble(SMALL)
    networks.advance(3)
    saved = networks.params()
    networks.edit(1, "hidden_0", 2, 1, 5.0)
    networks.edit(1, "output", 0, None, -1.5)
    edited = networks.params()
    assert edited["hidden_0"]["weight"][1, 2, 1] == 5.0
    assert edited["output"]["bias"][1, 0] == -1.5
    assert networks.log is None
    networks.advance(2)
    networks.load(saved)
    jax.tree.map(np.testing.assert_array_equal, networks.params(), saved)
    networks.load(jax.tree.map(lambda a: a[:1], saved))
    assert (networks.params()["output"]["weight"] == saved["output"]["weight"][:1]).all()


def test_no_change_compiles(compilations):
    random = np.random.default_rng(0)
    networks = Ensemble(SMALL)
    for name in problems.PROBLEMS:
        if name != "own":
            problems.sample(name, 0, 0.1, 0.1)
    networks.advance(1)
    networks.frame(0)
    networks.passes(0, 0)
    programs, before = networks.programs.compiled, compilations()
    for i in range(200):
        networks.change(random_config(random, depth=2, batch=16))
        networks.advance(2)
        networks.frame(int(random.integers(networks.config.networks)))
        if i % 10 == 0:
            networks.passes(0, 1)
            networks.edit(0, "hidden_0", 0, None, 0.5)
            networks.load(networks.params())
    assert networks.programs.compiled == programs
    assert compilations() == before


def random_config(random, depth=None, batch=None):
    """Any configuration, with so many narrow layers and that batch size if they are given."""

    def one(values):
        return values[random.integers(len(values))]

    name = one([*problems.PROBLEMS])
    kind = problems.PROBLEMS[name].kind
    deep = int(random.integers(9)) if depth is None else depth
    widest = 104 if depth is None and deep <= 3 else 8
    widths = tuple(int(w) for w in random.integers(1, widest + 1, deep))
    residual = depth is None and bool(random.integers(2))
    chosen = [f for f in problems.FEATURES if random.integers(2)] or ["x1"]
    own = random.integers([0, 0, 0], [4096, 4096, 6], (int(random.integers(30)), 3))
    own = own * [1, 1, random.integers(2)]
    binary = kind == "binary" and not (name == "own" and own[:, 2].max(initial=0) > 1)
    losses = ("squared_error", "huber") if kind in ("curve", "surface") else ("cross_entropy",)
    valid = round(float(random.uniform(0, 0.8)), 3)
    return Config(
        problem=name,
        n=int(random.integers(8, 513)),
        noise=float(random.uniform()),
        flip=float(random.uniform(0, 0.5)),
        classes=int(random.integers(2, 7)),
        valid=valid,
        test=round(float(random.uniform(0, 0.9 - valid)), 3) if valid > 0.11 else 0.0,
        features=("x1",) if kind == "curve" else tuple(chosen),
        widths=widths[:1] * deep if residual else widths,
        activation=one(ACTIVATIONS),
        residual=residual,
        loss=one((*losses, "hinge") if binary else losses),
        optimizer=one([*OPTAX]),
        learning_rate=float(10 ** random.uniform(-5, -0.5)),
        l1=float(one([0.0, 10 ** random.uniform(-6, -2)])),
        l2=float(one([0.0, 10 ** random.uniform(-6, -2)])),
        batch=one(BATCHES) if batch is None else batch,
        networks=int(random.integers(1, 40)),
        vary=one(("seed", "learning_rate", "width")),
        seed=int(random.integers(2**31)),
        own=tuple(tuple(map(int, row)) for row in own),
    )


def test_a_thousand_addresses_round_trip():
    random = np.random.default_rng(1)
    for _ in range(1000):
        config = random_config(random)
        assert from_address(config.address()) == config
    assert Config().address() == ""


def test_groups_do_not_matter():
    """The first networks of many are those of few."""
    few, many = Ensemble(SMALL), Ensemble(replace(SMALL, networks=GROUP + 3))
    for ensemble in (few, many):
        ensemble.advance(5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b[:3], rtol=1e-5, atol=1e-6),
        few.params(),
        many.params(),
    )
