"""Many networks in PyTorch as an expert writes them: stacked params, `baddbmm`, one fused Adam."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

Train = Callable[[list[Any], Iterable[Any]], tuple[list[np.ndarray], float]]


def planar_loss(params: list[Any], x: Any, y: Any) -> Any:
    """Sums the mean losses of networks 2-10-1 on the same points, features first."""
    w1, b1, w2, b2 = params
    hidden = torch.tanh(torch.baddbmm(b1[:, :, None], w1, x.T.expand(len(w1), -1, -1)))
    outputs = torch.baddbmm(b2[:, :, None], w2, hidden)[:, 0]
    targets = y.expand_as(outputs)
    return functional.binary_cross_entropy_with_logits(outputs, targets) * len(w1)


def image_loss(params: list[Any], x: Any, y: Any) -> Any:
    """Sums the mean losses of networks 784-64-10, each on a batch of its own."""
    w1, b1, w2, b2 = params
    hidden = torch.relu(torch.baddbmm(b1[:, None], x, w1))
    outputs = torch.baddbmm(b2[:, None], hidden, w2)
    return functional.cross_entropy(outputs.flatten(0, 1), y.flatten()) * len(w1)


LOSSES = {"planar": planar_loss, "image": image_loss}


def trainer(task: str, x: np.ndarray, y: np.ndarray, rate: float, compiled: bool = False) -> Train:
    """Returns `train(params, batches) -> (params, mean loss of the last batches)`.

    `params` are `W1 [n, h, d], b1 [n, h], W2 [n, k, h], b2 [n, k]`; a batch is the row numbers of
    each network `[n, batch]`, or None for all samples.
    """
    images = torch.from_numpy(x)
    targets = torch.from_numpy(y).to(torch.float32 if task == "planar" else torch.int64)
    loss_of = torch.compile(LOSSES[task]) if compiled else LOSSES[task]

    def train(params: list[Any], batches: Iterable[Any]) -> tuple[list[np.ndarray], float]:
        leaves = [_turned(task, torch.as_tensor(p)).requires_grad_() for p in params]
        adam = torch.optim.Adam(leaves, rate, fused=True)
        for rows in batches:
            adam.zero_grad(set_to_none=True)
            of = (images, targets) if rows is None else (images[rows], targets[rows])
            loss = loss_of(leaves, *of)
            loss.backward()
            adam.step()
        return [_turned(task, p.detach()).numpy() for p in leaves], float(loss.detach()) / len(
            leaves[0]
        )

    return train


def _turned(task: str, param: Any) -> Any:
    """Copies a param; the products of `image` take weights as `[n, inputs, outputs]`."""
    turn = task == "image" and param.ndim == 3
    return (param.transpose(1, 2) if turn else param).clone(memory_format=torch.contiguous_format)


def orders(samples: int, networks: int) -> Any:
    """Draws an order of the samples for each network, `[networks, samples]`."""
    return torch.stack([torch.randperm(samples) for _ in range(networks)])
