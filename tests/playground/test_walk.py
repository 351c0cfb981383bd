"""Every number of the walk is that of `jax.grad` and of the optimizer, in double precision."""

import json
from collections import Counter
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxnets as jn
from jaxnets.playground.arguments import rates_of
from jaxnets.playground.config import ACTIVATIONS, DEEPEST, FITTING, LOSSES
from jaxnets.playground.ensemble import SHARED, Ensemble
from jaxnets.playground.problems import PROBLEMS
from jaxnets.playground.session import Session
from tests.playground.test_ensemble import OPTAX, plain_loss, random_config

COUNT = 100
KINDS = ("binary", "classes", "curve", "surface")


def drawn(random, i):
    """A random configuration of the i-th depth, activation and loss; few widths, so few shapes."""
    depth, wanted = i % (DEEPEST + 1), [(k, loss) for k in KINDS for loss in FITTING[k]]
    kind, loss = wanted[i % len(wanted)]
    problem = [name for name in PROBLEMS if PROBLEMS[name].kind == kind and name != "own"]
    residual = depth in (4, 7)
    widths = [int(random.choice((3, 8, 20) if depth == 1 else (3, 8))) for _ in range(depth)]
    return replace(
        random_config(random, depth=0, batch=1),
        problem=problem[i % len(problem)],
        loss=loss,
        features=("x1",) if kind == "curve" else ("x1", "x2", "sin_x2")[: 1 + i % 3],
        widths=tuple(widths[:1] * depth if residual else widths),
        activation=ACTIVATIONS[i % len(ACTIVATIONS)],
        optimizer=[*OPTAX][i % 5 % 4],
        residual=residual,
        learning_rate=float(10 ** random.uniform(-1.5, 0)),
        networks=3,
    )


def walked(config, member, sample, random):
    """The walk as the page gets it: biases and the optimizer's moments are no longer 0."""
    page = Session(SHARED)
    page.networks = Ensemble(config)
    params, widths = page.networks.params(), rates_of(config)[0].width[: config.networks]
    for name, unit in zip(params, (*widths.T, None), strict=True):
        bias = random.uniform(-0.3, 0.3, params[name]["bias"].shape)
        there = unit is None or np.arange(bias.shape[1])[None] < unit[:, None]
        params[name]["bias"] = np.where(there, bias, 0).astype(np.float32)
    page.networks.load(params)

    def stirred(leaf):
        if leaf.dtype != np.float32:
            return np.full_like(leaf, 7)
        return random.uniform(0.01, 0.1, leaf.shape).astype(np.float32)

    page.networks.groups = [
        states._replace(opt_state=jax.tree.map(stirred, states.opt_state))
        for states in page.networks.groups
    ]
    return json.loads(page.passes({"member": member, "sample": sample}))


def narrow(tree, widths):
    """The weights of a network of those widths, cut out of a wider one's, as arrays."""
    found, before = {}, None
    for (name, layer), out in zip(tree.items(), (*widths, None), strict=True):
        weight, bias = np.array(layer["weight"]), np.array(layer["bias"])
        found[name] = {"weight": weight[:out, :before], "bias": bias[:out]}
        before = out
    return found


def reference(config, params, x, y, shifts):
    """Loss, pre-activations and values of one sample; `shifts` are added to the pre-activations."""
    f, h = jn.ACTIVATIONS[config.activation].f, x
    *hidden, _ = params
    seen = []
    for i, (name, layer) in enumerate(params.items()):
        s = layer["weight"] @ h + layer["bias"] + shifts[i]
        value = f(s) if name in hidden else s
        seen.append((s, value))
        h = value + h if config.residual and 0 < i < len(hidden) else value
    return plain_loss(config, s[None], jnp.asarray(y)[None])[0], seen


def optimizer_state(config, walk, params, widths):
    """The state of Optax's optimizer with the numbers that the page shows."""
    parts = {
        name: narrow(value, widths) if isinstance(value, dict) else jnp.asarray(value)
        for name, value in walk["optimizer"].items()
    }
    state = OPTAX[config.optimizer](0.1).init(params)

    def filled(part):
        fields = getattr(part, "_fields", ())
        return part._replace(**{name: parts[name] for name in fields}) if fields else part

    return jax.tree.map(filled, state, is_leaf=lambda part: hasattr(part, "_fields"))


def expected(config, walk, member):
    """Every number of the walk by autodiff and Optax, in double precision."""
    rates = rates_of(config)[0]
    widths = rates.width[member].tolist()
    params = narrow(walk["params"], widths)
    x = np.array(walk["x"][0])[walk["columns"]]
    shifts = [np.zeros(layer["bias"].shape) for layer in params.values()]
    (loss, seen), (grads, deltas, dx) = jax.value_and_grad(
        lambda params, shifts, x: reference(config, params, x, walk["y"], shifts),
        (0, 1, 2),
        has_aux=True,
    )(params, shifts, x)
    penalty = {
        name: {
            "weight": config.l1 * np.sign(layer["weight"]) + 2 * config.l2 * layer["weight"],
            "bias": np.zeros_like(layer["bias"]),
        }
        for name, layer in params.items()
    }
    total = jax.tree.map(jnp.add, grads, penalty)
    state = optimizer_state(config, walk, params, widths)
    tx = OPTAX[config.optimizer](float(rates.learning_rate[member]))
    after = optax.apply_updates(params, tx.update(total, state, params)[0])
    return {
        "s": [s for s, _ in seen],
        "h": [value for _, value in seen],
        "delta": deltas,
        "grads": grads,
        "penalty": penalty,
        "after": after,
        "dx": dx,
        "loss": loss,
    }


def shown(walk, member_widths):
    """The same numbers as the page was sent them, cut to the units that this network has."""
    widths = [*member_widths, len(walk["params"]["output"]["bias"])]

    def cut(rows):
        return [np.array(row)[:width] for row, width in zip(rows, widths, strict=True)]

    grads = narrow(walk["grads"], member_widths)
    return {
        "s": cut(walk["s"]),
        "h": cut(walk["h"]),
        "delta": [layer["bias"] for layer in grads.values()],
        "grads": grads,
        "penalty": narrow(walk["penalty"], member_widths),
        "after": narrow(walk["after"], member_widths),
        "dx": np.array(walk["dx"])[walk["columns"]],
        "loss": walk["loss"],
    }


def test_a_hundred_walks_are_autodiff_and_the_optimizers_step():
    random, seen = np.random.default_rng(3), Counter()
    for i in range(COUNT):
        config = drawn(random, i)
        member = int(random.integers(config.networks))
        walk = walked(config, member, int(random.integers(config.n)), random)
        with jax.enable_x64(True):
            truth = expected(config, walk, member)
        found = shown(walk, rates_of(config)[0].width[member].tolist())
        for name, value in truth.items():
            jax.tree.map(partial(agree, (i, name, config)), found[name], value)
        seen.update({("depth", len(config.widths)), config.activation, config.loss})
        seen.update({config.optimizer, ("residual", config.residual), config.kind})
    known = {*ACTIVATIONS, *LOSSES, *OPTAX, *KINDS}
    assert seen.keys() >= known | {("depth", d) for d in range(DEEPEST + 1)}


def agree(what, found, value):
    np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-5, err_msg=str(what))


def test_units_that_a_network_lacks_have_no_gradient():
    """With widths across the ensemble, the first network is narrower than the page draws."""
    random = np.random.default_rng(0)
    config = replace(drawn(random, 2), widths=(8, 8), residual=False, networks=4, vary="width")
    config = replace(config, activation="sigmoid")  # which is not 0 where a unit gets nothing
    found = walked(config, 0, 1, random)
    first, second = rates_of(config)[0].width[0]
    assert min(first, second) > 0
    assert max(first, second) < 8
    weight = np.array(found["grads"]["hidden_1"]["weight"])
    assert weight[:second, :first].any()
    weight[:second, :first] = 0
    assert not weight.any()
    assert not np.array(found["grads"]["hidden_0"]["bias"])[first:].any()
