"""The published networks in plain torch.nn, with the names that PyTorch's files have."""

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import nn


def named(**modules):
    return nn.Sequential(OrderedDict(modules))


class Conv(nn.Sequential):
    """Convolution without a bias, batch normalisation, ReLU, as `conv` and `bn`."""

    def __init__(self, inputs, outputs, size, stride=1, epsilon=1e-3):
        conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        parts = {"conv": conv, "bn": nn.BatchNorm2d(outputs, epsilon), "relu": nn.ReLU()}
        super().__init__(OrderedDict(parts))


def alexnet():
    widths = (3, 64, 192, 384, 256, 256)
    shapes = ((11, 4, 2), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1))
    layers = []
    for i, ((inputs, outputs), shape) in enumerate(zip(pairwise(widths), shapes, strict=True)):
        layers += [nn.Conv2d(inputs, outputs, *shape), nn.ReLU()]
        layers += [nn.MaxPool2d(3, 2)] if i in (0, 1, 4) else []
    dense = [nn.Dropout(), nn.Linear(256 * 36, 4096), nn.ReLU()]
    dense += [nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
    return named(
        features=nn.Sequential(*layers), flat=nn.Flatten(), classifier=nn.Sequential(*dense)
    )


def vgg19():
    layers, inputs = [], 3
    for outputs, count in zip((64, 128, 256, 512, 512), (2, 2, 4, 4, 4), strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    dense = [nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Dropout()]
    dense += [nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 1000)]
    return named(
        features=nn.Sequential(*layers), flat=nn.Flatten(), classifier=nn.Sequential(*dense)
    )


class Inception(nn.Module):
    def __init__(self, inputs, one, three_before, three, five_before, five, pooled):
        super().__init__()
        self.branch1 = Conv(inputs, one, 1)
        self.branch2 = nn.Sequential(Conv(inputs, three_before, 1), Conv(three_before, three, 3))
        self.branch3 = nn.Sequential(Conv(inputs, five_before, 1), Conv(five_before, five, 3))
        pool = nn.MaxPool2d(3, 1, 1, ceil_mode=True)
        self.branch4 = nn.Sequential(pool, Conv(inputs, pooled, 1))

    def forward(self, x):
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(x) for branch in branches], 1)


def googlenet():
    def pool(size):
        return nn.MaxPool2d(size, 2, ceil_mode=True)

    rows = {
        "3a": (192, 64, 96, 128, 16, 32, 32), "3b": (256, 128, 128, 192, 32, 96, 64),
        "4a": (480, 192, 96, 208, 16, 48, 64), "4b": (512, 160, 112, 224, 24, 64, 64),
        "4c": (512, 128, 128, 256, 24, 64, 64), "4d": (512, 112, 144, 288, 32, 64, 64),
        "4e": (528, 256, 160, 320, 32, 128, 128), "5a": (832, 256, 160, 320, 32, 128, 128),
        "5b": (832, 384, 192, 384, 48, 128, 128),
    }  # fmt: skip
    modules = {"conv1": Conv(3, 64, 7, 2), "pool1": pool(3)}
    modules |= {"conv2": Conv(64, 64, 1), "conv3": Conv(64, 192, 3), "pool2": pool(3)}
    for name, row in rows.items():
        modules[f"inception{name}"] = Inception(*row)
        modules |= {"pool3": pool(3)} if name == "3b" else {}
        modules |= {"pool4": pool(2)} if name == "4e" else {}
    end = {"mean": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "fc": nn.Linear(1024, 1000)}
    return named(**modules, **end)


class Block(nn.Module):
    """A residual block of convolutions `(outputs, size, stride)`."""

    def __init__(self, inputs, *convolutions):
        super().__init__()
        self.count, width, strides = len(convolutions), inputs, 1
        for i, (outputs, size, stride) in enumerate(convolutions, 1):
            setattr(
                self, f"conv{i}", nn.Conv2d(width, outputs, size, stride, size // 2, bias=False)
            )
            setattr(self, f"bn{i}", nn.BatchNorm2d(outputs))
            width, strides = outputs, strides * stride
        self.downsample = None
        if strides > 1 or width != inputs:
            shortcut = nn.Conv2d(inputs, width, 1, strides, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(width))

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = torch.relu(y) if i < self.count else y
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


def resnet(counts, bottleneck):
    first = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
    modules = {"conv1": first, "bn1": nn.BatchNorm2d(64), "relu": nn.ReLU()}
    modules["maxpool"] = nn.MaxPool2d(3, 2, 1)
    inputs = 64
    for stage, count in enumerate(counts):
        blocks = []
        for i in range(count):
            n, stride = 64 * 2**stage, 2 if stage and i == 0 else 1
            shapes = [(n, 1, 1), (n, 3, stride), (4 * n, 1, 1)]
            blocks.append(Block(inputs, *(shapes if bottleneck else [(n, 3, stride), (n, 3, 1)])))
            inputs = 4 * n if bottleneck else n
        modules[f"layer{stage + 1}"] = nn.Sequential(*blocks)
    end = {"mean": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "fc": nn.Linear(inputs, 1000)}
    return named(**modules, **end)


class Fire(nn.Module):
    def __init__(self, inputs, squeezed, expanded):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.squeeze(x))
        return torch.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))


def squeezenet():
    rows = ((16, 64), (16, 64), (32, 128), None, (32, 128), (48, 192), (48, 192), (64, 256), None,
            (64, 256))  # fmt: skip
    layers, inputs = [nn.Conv2d(3, 96, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2)], 96
    for row in rows:
        layers.append(nn.MaxPool2d(3, 2) if row is None else Fire(inputs, *row))
        inputs = inputs if row is None else 2 * row[1]
    last = nn.Conv2d(512, 1000, 1, padding=1)
    end = nn.Sequential(nn.Dropout(), last, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return named(features=nn.Sequential(*layers), classifier=end)


NETWORKS = {
    "alexnet": alexnet,
    "vgg19": vgg19,
    "googlenet": googlenet,
    "resnet18": lambda: resnet((2, 2, 2, 2), bottleneck=False),
    "resnet50": lambda: resnet((3, 4, 6, 3), bottleneck=True),
    "squeezenet": squeezenet,
}


def random_network(name):
    """A network with random weights, of which the values stay of one size, and statistics."""
    torch.manual_seed(0)
    network = NETWORKS[name]().train(mode=False)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            for part in (module.weight, module.running_var):
                nn.init.uniform_(part, 0.5, 1.5)
            for part in (module.bias, module.running_mean):
                nn.init.normal_(part, std=0.2)
    return network
