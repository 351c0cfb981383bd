"""`python -m benchmarks.links`: predicts the time of a step on many H100s from public numbers.

A model, not a measurement: arithmetic, bytes over bandwidth, and a latency per collective.
"""

from typing import NamedTuple

PEAK = 494e12
"""Dense TF32 operations per second of an H100 SXM (data sheet: 989e12 with sparsity)."""
SHARE = 0.4
"""The part of the peak that large matrix products reach: assumed."""
NVLINK = 450e9
"""Bytes per second each way between GPUs of a node (data sheet: 900 GB/s both ways)."""
NETWORK = 50e9
"""Bytes per second each way for each GPU between nodes (DGX H100: 400 Gb/s a GPU)."""
NODE = 8
LATENCY, NETWORK_LATENCY = 20e-6, 40e-6
"""Of one small collective within a node, and between nodes: assumed."""
COLLECTIVES = 5
"""In a step: two for the indices; samples, labels, and all gradients together (seen in the HLO)."""


class Net(NamedTuple):
    name: str
    parameters: float
    flops: float
    """Operations to train on one sample: three times forward, two for a multiplication and sum."""
    sample_bytes: float
    batch: int
    floor: float
    """The least seconds of a step, even with few samples: kernels one by one, assumed."""


NETS = (
    Net("MLP 784-100-10", 79_510, 6 * 79_400, 784 * 4, 256, 60e-6),
    Net("L2's CNN", 120_458, 3 * 2.7e6, 784 * 4, 128, 150e-6),
    Net("100 M, batch 8,192", 100e6, 6 * 100e6, 784 * 4, 8_192, 300e-6),
    Net("100 M, 1,024 a GPU", 100e6, 6 * 100e6, 784 * 4, 0, 300e-6),
    Net("100 M, 1,024 images of 224 x 224 a GPU", 100e6, 6 * 100e6, 224 * 224 * 3 * 4, 0, 300e-6),
)
EACH = 1_024
"""Samples per GPU for a net without a fixed batch."""
DEVICES = (1, 8, 64, 512)


def all_reduce_seconds(size: float, devices: int) -> float:
    """Computes the seconds to sum `size` bytes over all devices: rings in nodes, then between."""
    inner, nodes = min(devices, NODE), -(-devices // NODE)
    within = 2 * (inner - 1) / inner * size / NVLINK
    between = 2 * (nodes - 1) / nodes * size / inner / NETWORK
    return within + between


def step(net: Net, devices: int) -> dict[str, float]:
    """Computes the seconds of each part of one step; the parts run one after another."""
    batch = net.batch or EACH * devices
    latency = 0.0 if devices == 1 else LATENCY if devices <= NODE else NETWORK_LATENCY
    return {
        "compute": max(net.floor, net.flops * batch / devices / (PEAK * SHARE)),
        "gradients": all_reduce_seconds(4 * net.parameters, devices),
        "batch": all_reduce_seconds(net.sample_bytes * batch, devices),
        "latency": COLLECTIVES * latency,
    }


def main() -> None:
    print("| net | GPUs | compute | gradients | batch | latency | step | samples/s over one GPU |")
    print("|---|---|---|---|---|---|---|---|")
    for net in NETS:
        alone = (net.batch or EACH) / sum(step(net, 1).values())
        for devices in DEVICES:
            parts = step(net, devices)
            total = sum(parts.values())
            speed = (net.batch or EACH * devices) / total / alone
            times = " | ".join(f"{seconds * 1e3:.3f}" for seconds in (*parts.values(), total))
            print(f"| {net.name} | {devices} | {times} | {speed:.2f} |")


if __name__ == "__main__":
    main()
