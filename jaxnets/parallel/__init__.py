"""Training on many devices and in many processes: computation follows data, the step is unchanged.

Samples are sharded over a mesh of all devices, params are replicated on it (`mesh`); a batch is
divided among the devices, on request with bits that do not depend on their number
(`data_parallel`); the processes of `python -m jaxnets.launch` find each other (`processes`).
"""

from jaxnets.parallel.data_parallel import FixedOrderGradients, data_parallel, fixed_order_gradients
from jaxnets.parallel.mesh import (
    all_devices,
    device_put,
    digest_of_all,
    max_over_processes,
    on_first_device,
    own_rows,
    replicate,
    require_same_everywhere,
)
from jaxnets.parallel.processes import exit_process, start, was_restarted

__all__ = [
    "FixedOrderGradients",
    "all_devices",
    "data_parallel",
    "device_put",
    "digest_of_all",
    "exit_process",
    "fixed_order_gradients",
    "max_over_processes",
    "on_first_device",
    "own_rows",
    "replicate",
    "require_same_everywhere",
    "start",
    "was_restarted",
]
