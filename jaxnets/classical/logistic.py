"""Logistic regression by gradient descent, with the gradient in closed form (row A5)."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxnets.classical.checked import checked
from jaxnets.classical.threshold import signs

Params = dict[str, Array]


@checked
def logistic_loss(params: Params, x: Array, y: Array, l2: float = 0.0) -> Array:
    r"""Computes $\frac{1}{N} \sum_n -\log \sigma(y_n (w \cdot x_n + b)) + \lambda \|w\|^2$.

    Here `y` is in {-1, 1} as in L2; the value equals L0's binary cross entropy, whose targets are
    0 and 1. L2 sums over samples; with the mean one learning rate suits any `N`.
    """
    margins = signs(y) * (x @ params["w"] + params["b"])
    return jnp.mean(jax.nn.softplus(-margins)) + l2 * params["w"] @ params["w"]


@checked
def logistic_gradient(params: Params, x: Array, y: Array, l2: float = 0.0) -> Params:
    r"""Computes the gradient of `logistic_loss` by hand, in the shape of `params` (L2, row A5).

    $u_n = y_n \sigma(-y_n (w \cdot x_n + b))$ and $v_n = u_n x_n$; then $\partial b$ is the mean of
    $-u_n$ and $\partial w$ that of $-v_n$, plus $2 \lambda w$.
    """
    y = signs(y)
    u = y * jax.nn.sigmoid(-y * (x @ params["w"] + params["b"]))
    return {"w": -(u @ x) / len(x) + 2 * l2 * params["w"], "b": -jnp.mean(u)}


@checked
@partial(jax.jit, static_argnames="steps")
def logistic_regression(
    x: Array,
    y: Array,
    *,
    learning_rate: float = 0.1,
    steps: int,
    l2: float = 0.0,
    init: Params | None = None,
) -> tuple[Params, dict[str, Array]]:
    """Minimises `logistic_loss` by gradient descent; it is convex, with one optimum for `l2 > 0`.

    Cox (1958); L0, L2 and L4, row A5. L2's rate 0.1 on a sum over 100 points is 10 here, on their
    mean. scikit-learn's `LogisticRegression` minimises the same loss with `C = 1 / (2 l2 N)`.

    Args:
        x: `[samples, features]`.
        y: class indices 0 or 1, `[samples]`.
        learning_rate: eta.
        steps: full-batch updates.
        l2: lambda; the bias is not penalised.
        init: `{"w": [features], "b": []}` to start from, zeros if None.

    Returns:
        `{"w": [features], "b": []}`, and the `loss` before each step, `[steps]`.
    """
    start = {"w": jnp.zeros(x.shape[1]), "b": jnp.zeros(())} if init is None else init

    def step(params, _):
        grads = logistic_gradient(params, x, y, l2)
        after = jax.tree.map(lambda p, g: p - learning_rate * g, params, grads)
        return after, logistic_loss(params, x, y, l2)

    params, losses = lax.scan(step, start, length=steps)
    return params, {"loss": losses}


@checked
def logistic_probabilities(params: Params, x: Array) -> Array:
    r"""Computes $P(Y = 1 | X = x) = \sigma(w \cdot x + b)$, `[samples]`; class 1 from 1/2 up."""
    return jax.nn.sigmoid(x @ params["w"] + params["b"])
