"""Many devices and many processes: computation follows data, and the training step is the same.

Samples are spread over a mesh of all devices, params are on each of them (`placing`); a batch is
data_parallel among the devices, on request bit for bit the same however many there are (`dividing`); and
the processes of `python -m jaxnets.launch` find each other (`starting`).
"""

from jaxnets.parallel.data_parallel import FixedOrderGradients, data_parallel, fixed_order_gradients
from jaxnets.parallel.mesh import (
    all_devices,
    device_put,
    largest,
    on_first_device,
    own_rows,
    replicate,
    require_same_everywhere,
)
from jaxnets.parallel.processes import leave, restarted, start

__all__ = [
    "FixedOrderGradients",
    "all_devices",
    "data_parallel",
    "device_put",
    "fixed_order_gradients",
    "largest",
    "leave",
    "on_first_device",
    "own_rows",
    "replicate",
    "restarted",
    "same_everywhere",
    "start",
]
