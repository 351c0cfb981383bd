"""A perceptron with one hidden layer by hand: NumPy's products into buffers, numba for the rest.

What an expert writes without a framework: no allocation in a step, one pass over memory for what is
elementwise, and one for Adam.
"""

import numpy as np

from benchmarks.peers.numba_kernels import adam, cross_entropy, f4, relu, relu_backward


class Perceptron:
    """Trains on batches of at most `batch` samples, from params `W1 [h, d], b1, W2 [k, h], b2`."""

    def __init__(self, params: list[np.ndarray], batch: int, rate: float):
        w1, b1, w2, b2 = (np.asarray(p, f4) for p in params)
        self.own = [np.array(w1.T, order="C"), b1.copy(), np.array(w2.T, order="C"), b2.copy()]
        self.grads = [np.zeros_like(p) for p in self.own]
        flat = [p.reshape(-1) for p in self.own]
        grads = [g.reshape(-1) for g in self.grads]
        self.updates = [(p, p * 0, p * 0, g) for p, g in zip(flat, grads, strict=True)]
        widths = (w1.shape[1], w1.shape[0], w2.shape[0], w1.shape[0])
        self.buffers = [np.empty((batch, width), f4) for width in widths]
        self.rate, self.steps = f4(rate), 0

    def step(self, x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> float:
        """Takes a step on these rows, and returns the sum of their losses."""
        images, hidden, outputs, grad_hidden = (b[: len(rows)] for b in self.buffers)
        (w1, b1, w2, b2), (g_w1, g_b1, g_w2, g_b2) = self.own, self.grads
        np.take(x, rows, 0, out=images, mode="clip")
        np.matmul(images, w1, out=hidden)
        relu(hidden, b1)
        np.matmul(hidden, w2, out=outputs)
        total = cross_entropy(outputs, b2, y[rows], g_b2)
        np.matmul(hidden.T, outputs, out=g_w2)
        np.matmul(outputs, w2.T, out=grad_hidden)
        relu_backward(grad_hidden, hidden, g_b1)
        np.matmul(images.T, grad_hidden, out=g_w1)
        self._update()
        return float(total)

    def _update(self) -> None:
        self.steps += 1
        unbias1, unbias2 = (f4(1 / (1 - beta**self.steps)) for beta in (0.9, 0.999))
        for p, m, v, g in self.updates:
            adam(p, m, v, g, self.rate, unbias1, unbias2)

    @property
    def params(self) -> list[np.ndarray]:
        w1, b1, w2, b2 = self.own
        return [w1.T, b1, w2.T, b2]
