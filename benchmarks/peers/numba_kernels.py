"""Loops that numba compiles: what of a perceptron is elementwise, one pass over memory each."""

import numpy as np
from numba import njit

f4 = np.float32
BETA1, BETA2, EPSILON = f4(0.9), f4(0.999), f4(1e-8)


@njit(fastmath=True)
def adam(p, m, v, g, rate, unbias1, unbias2):
    for i in range(p.size):
        m[i] = BETA1 * m[i] + (f4(1) - BETA1) * g[i]
        v[i] = BETA2 * v[i] + (f4(1) - BETA2) * g[i] * g[i]
        p[i] -= rate * (m[i] * unbias1) / (np.sqrt(v[i] * unbias2) + EPSILON)


@njit(fastmath=True)
def relu(h, bias):
    """Adds the bias and cuts below 0, in place."""
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            h[i, j] = max(h[i, j] + bias[j], f4(0))


@njit(fastmath=True)
def relu_backward(grad, h, grad_bias):
    """Sets gradients to 0 where the unit is off, in place, and sums them over the samples."""
    grad_bias[:] = 0
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            grad[i, j] = grad[i, j] if h[i, j] > 0 else f4(0)
            grad_bias[j] += grad[i, j]


@njit(fastmath=True)
def cross_entropy(outputs, bias, labels, grad_bias):
    """Replaces outputs without bias by the gradient of the mean loss; returns the sum of losses."""
    samples, classes = outputs.shape
    total = f4(0)
    grad_bias[:] = 0
    for i in range(samples):
        largest = f4(-np.inf)
        for j in range(classes):
            outputs[i, j] += bias[j]
            largest = max(largest, outputs[i, j])
        own, norm = outputs[i, labels[i]], f4(0)
        for j in range(classes):
            outputs[i, j] = np.exp(outputs[i, j] - largest)
            norm += outputs[i, j]
        total += largest + np.log(norm) - own
        for j in range(classes):
            hit = f4(1) if j == labels[i] else f4(0)
            outputs[i, j] = (outputs[i, j] / norm - hit) / f4(samples)
            grad_bias[j] += outputs[i, j]
    return total
