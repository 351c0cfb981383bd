"""The compiled run against the same run as a Python loop; optimizers by hand."""

from functools import partial
from itertools import groupby

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from jaxnets import MLP, Objective, State, TrainSpec, backprop, make_step, train
from jaxnets.data import Dataset
from jaxnets.losses import LOSSES
from jaxnets.objective import metrics_of
from jaxnets.training.loop import init_state
from tests.support.python_loop import first_state, steps_of

RNG = np.random.default_rng(0)
N = 13
X = jnp.array(RNG.normal(size=(N + 6, 2)), jnp.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(jnp.int32)
DATA = Dataset({"x": X[:N], "y": Y[:N]}, {"x": X[N:], "y": Y[N:]})
MODEL = MLP((4,))
LOSS = "binary_cross_entropy"
HPARAMS = {"learning_rate": 0.3, "l2": 0.01}

program = jax.jit(train, static_argnums=0)


def by_python_loop(spec, key, data, hparams, order_key=None):
    """What `train` does, an epoch and a batch at a time."""
    rows, steps = [], steps_of(spec, key, data, hparams, order_key)
    for _, taken in groupby(steps, lambda step: step.epoch):
        taken = list(taken)
        sums = sum(
            step.samples * np.array([step.metrics["loss"], step.metrics["accuracy"]])
            for step in taken
        )
        state = taken[-1].state
        outputs = spec.model.apply(state.params, data.valid["x"])
        valid = metrics_of(LOSSES[spec.loss], outputs, data.valid["y"])
        rows.append([*(sums / N), valid["loss"], valid["accuracy"]])
    names = ["train_loss", "train_accuracy", "valid_loss", "valid_accuracy"]
    return state, dict(zip(names, np.array(rows, np.float32).T, strict=True))


@pytest.mark.parametrize("size", [1, 5, N, None], ids=["single", "partial last", "all", "full"])
def test_a_run_equals_a_python_loop(key, size):
    spec = TrainSpec(MODEL, LOSS, epochs=3, batch_size=size, optimizer=optax.sgd)
    state, history = program(spec, key, DATA, HPARAMS)
    true_state, true_history = by_python_loop(spec, key, DATA, HPARAMS)
    chex.assert_trees_all_close(history, true_history, atol=1e-6)
    chex.assert_trees_all_close(state.params, true_state.params, atol=1e-6)
    assert state.step == true_state.step == 3 * -(-N // (size or N))
    assert (history["valid_loss"][0] != history["valid_loss"][-1]).all()


def test_the_order_of_the_batches_follows_its_own_key(key):
    spec = TrainSpec(MODEL, LOSS, epochs=2, batch_size=4)
    order_key = jax.random.key(7)
    given = program(spec, key, DATA, HPARAMS, order_key)
    chex.assert_trees_all_close(
        given[1], by_python_loop(spec, key, DATA, HPARAMS, order_key)[1], atol=1e-6
    )
    other = program(spec, key, DATA, HPARAMS, jax.random.key(8))
    assert abs(other[1]["train_loss"] - given[1]["train_loss"]).max() > 1e-4


def test_a_record_is_the_last_of_its_epochs(key):
    each = program(TrainSpec(MODEL, LOSS, epochs=6, batch_size=5), key, DATA, HPARAMS)
    third = program(
        TrainSpec(MODEL, LOSS, epochs=6, batch_size=5, record_every=3), key, DATA, HPARAMS
    )
    chex.assert_trees_all_close(third[0].params, each[0].params, atol=1e-6)
    every_third = jax.tree.map(lambda a: a[2::3], each[1])
    chex.assert_trees_all_close(third[1], every_third, atol=1e-6)
    chex.assert_shape(list(third[1].values()), (2,))


def test_without_validation_there_are_no_validation_metrics(key):
    spec = TrainSpec(MODEL, LOSS, epochs=2)
    _, history = jax.eval_shape(lambda: program(spec, key, DATA._replace(valid=None), HPARAMS))
    assert set(history) == {"train_loss", "train_accuracy"}


def test_a_step_on_the_full_set_follows_the_mean_gradient(key):
    spec = TrainSpec(MODEL, LOSS, epochs=1, optimizer=optax.sgd)
    state, _ = program(spec, key, DATA, {"learning_rate": 0.3})
    params = first_state(spec, key, X, {"learning_rate": 0.3}).params

    def one(x, y):
        return jax.grad(Objective(MODEL, LOSS), has_aux=True)(params, {"x": x, "y": y})[0]

    each = jax.vmap(one)(X[:N, None], Y[:N, None])
    truth = jax.tree.map(lambda w, g: w - 0.3 * g.mean(axis=0), params, each)
    chex.assert_trees_all_close(state.params, truth, atol=1e-6)


def test_accumulated_mini_batches_are_a_step_on_the_full_set(key):
    """Row E1, with optax's own accumulation: 4 batches of 3 are one step on 12 samples."""

    def accumulating(learning_rate):
        return optax.MultiSteps(optax.sgd(learning_rate), 4).gradient_transformation()

    data = Dataset(jax.tree.map(lambda a: a[:12], DATA.train))
    parts = TrainSpec(MODEL, LOSS, epochs=3, batch_size=3, optimizer=accumulating)
    full = TrainSpec(MODEL, LOSS, epochs=3, optimizer=optax.sgd)
    hparams = {"learning_rate": 0.5}
    chex.assert_trees_all_close(
        program(parts, key, data, hparams)[0].params,
        program(full, key, data, hparams)[0].params,
        atol=1e-6,
    )


def test_a_run_with_gradients_by_hand_is_the_same(key):
    specs = [
        TrainSpec(MODEL, LOSS, epochs=8, value_and_grad=differentiate)
        for differentiate in (jax.value_and_grad, backprop.value_and_grad)
    ]
    (state, history), by_hand = (program(spec, key, DATA, HPARAMS | {"l1": 0.01}) for spec in specs)
    chex.assert_trees_all_close((state.params, history), (by_hand[0].params, by_hand[1]), atol=1e-5)


def small_problem(dtype):
    """A batch, params and a step size for optimizers written out by hand."""
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0), X)
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda a: jnp.array(rng.normal(size=a.shape), dtype), shapes)
    return params, {"x": X[:N].astype(dtype), "y": Y[:N]}


def scanned(optimizer, params, batch, steps):
    """`steps` steps of `make_step` as the body of a scan; the params after each."""
    step = make_step(Objective(MODEL, LOSS), optimizer)

    def body(state, batch):
        state, _ = step(state, batch)
        return state, state.params

    state = State(params, optimizer.init(params), jnp.zeros((), jnp.int32), jax.random.key(0))
    batches = jax.tree.map(lambda a: jnp.stack([a] * steps), batch)
    return jax.jit(lambda: lax.scan(body, state, batches)[1])()


def gradient(params, batch):
    return jax.grad(Objective(MODEL, LOSS), has_aux=True)(params, batch)[0]


def written_out(rule, params, batch, steps):
    """The params after each step of `rule(w, g, memory, step) -> (w, memory)`, in NumPy."""
    differentiate = jax.jit(gradient)
    leaves, tree = jax.tree.flatten(params)
    weights, memory, rows = [np.asarray(w) for w in leaves], [None] * len(leaves), []
    for i in range(1, steps + 1):
        grads = jax.tree.leaves(differentiate(jax.tree.unflatten(tree, weights), batch))
        pairs = [
            rule(w, np.asarray(g), m, i) for w, g, m in zip(weights, grads, memory, strict=True)
        ]
        weights, memory = ([pair[k] for pair in pairs] for k in (0, 1))
        rows.append(jax.tree.unflatten(tree, weights))
    return jax.tree.map(lambda *each: np.stack(each), *rows)


def momentum(w, g, v, step, rate=0.1, rho=0.9):
    """Row E2: v = rho v + dw, w -= lr v."""
    v = g if v is None else rho * v + g
    return w - rate * v, v


def adam(w, g, moments, step, alpha=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    """Row E2, as lecture L0 writes it: epsilon is inside the square root."""
    m, v = moments or (np.zeros_like(w), np.zeros_like(w))
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    m_hat, v_hat = m / (1 - b1**step), v / (1 - b2**step)
    return w - alpha * m_hat / np.sqrt(v_hat + eps), (m, v)


BY_HAND = {
    "descent": (lambda w, g, m, step: (w - 0.1 * g, None), optax.sgd(0.1)),
    "momentum": (momentum, optax.sgd(0.1, momentum=0.9)),
    "adam": (adam, optax.adam(1e-3, eps=0.0, eps_root=1e-8)),
}


@pytest.mark.parametrize(("rule", "optimizer"), BY_HAND.values(), ids=BY_HAND)
def test_optimizers_by_hand_step_for_step(x64, rule, optimizer):
    params, batch = small_problem(jnp.float64)
    chex.assert_trees_all_close(
        scanned(optimizer, params, batch, steps=20),
        written_out(rule, params, batch, steps=20),
        rtol=1e-11,
        atol=1e-13,
    )


def test_each_step_has_two_keys_of_its_own(key):
    """Step `i` splits `fold_in(state.key, i)` between the augmentation and the model."""

    def objective(params, batch, key):
        drawn = {"augment": batch["x"].squeeze(), "model": jax.random.bits(key)}
        return jnp.sum(params**2), drawn

    def augment(key, x):
        return x + jax.random.uniform(key, x.shape)

    optimizer, params = optax.sgd(0.1), jnp.ones(2)
    step = make_step(objective, optimizer, augment=augment)
    state = State(params, optimizer.init(params), jnp.zeros((), jnp.int32), key)
    _, drawn = lax.scan(step, state, {"x": jnp.zeros((3, 1))})
    each = [jax.random.split(jax.random.fold_in(key, i)) for i in range(3)]
    truth = {
        "augment": [jax.random.uniform(augment_key, ()) for augment_key, _ in each],
        "model": [jax.random.bits(model_key) for _, model_key in each],
    }
    for name, values in truth.items():
        np.testing.assert_array_equal(drawn[name], values)
    assert len(set(map(float, truth["augment"]))) == 3


def test_lbfgs_gets_its_line_search(key):
    """A regression in 40 steps: an order of magnitude below Adam."""
    x = jnp.linspace(-1, 1, 20)[:, None]
    data = Dataset({"x": x, "y": jnp.sin(4 * x)})
    spec = partial(TrainSpec, MLP((6,)), "squared_error", epochs=40)
    _, newton = program(spec(optimizer=optax.lbfgs), key, data, {})
    _, first_order = program(spec(optimizer=optax.adam), key, data, {"learning_rate": 0.05})
    assert newton["train_loss"][-1] < first_order["train_loss"][-1] / 10


def test_under_jit_and_vmap_of_the_user(key):
    """A sweep of one's own: rates times seeds, each row a single run."""
    spec = TrainSpec(MODEL, LOSS, epochs=2)
    keys, rates = jax.random.split(key, 2), jnp.array([0.01, 0.1, 0.3])

    @jax.jit
    def sweep(keys, rates):
        over_rates = jax.vmap(
            lambda key, rate: train(spec, key, DATA, {"learning_rate": rate}), (None, 0)
        )
        return jax.vmap(over_rates, (0, None))(keys, rates)

    state, history = sweep(keys, rates)
    chex.assert_shape(history["valid_loss"], (2, 3, 2))
    for i, j in np.ndindex(2, 3):
        one, row = program(spec, keys[i], DATA, {"learning_rate": rates[j]})
        chex.assert_trees_all_close(
            (one.params, row),
            jax.tree.map(lambda a, i=i, j=j: a[i, j], (state.params, history)),
            atol=1e-5,
        )


def test_hyper_parameters_and_keys_are_traced_and_choices_are_static(key):
    """Equal specs share a program, whatever the rate, the penalty and the key."""

    @partial(jax.jit, static_argnums=0)
    @chex.assert_max_traces(n=1)
    def once(spec, key, hparams):
        return init_state(spec, key, X, hparams)

    for seed, rate in enumerate([0.1, 0.2, 0.3]):
        spec = TrainSpec(MLP([4]), LOSS, epochs=2, batch_size=5)
        once(spec, jax.random.key(seed), {"learning_rate": jnp.array(rate)})
    with pytest.raises(AssertionError, match="traced"):
        once(TrainSpec(MLP([4]), LOSS, epochs=3), key, {"learning_rate": jnp.array(0.1)})
