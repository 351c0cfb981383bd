"""Many devices and many processes: computation follows data, and the training step is the same.

Samples are spread over a mesh of all devices, params are on each of them (`placing`); a batch is
divided among the devices, on request bit for bit the same however many there are (`dividing`); and
the processes of `python -m jaxnets.launch` find each other (`starting`).
"""

from jaxnets.distributed.dividing import Audited, audited, divided
from jaxnets.distributed.placing import (
    all_devices,
    copied,
    largest,
    on_first_device,
    own_rows,
    placed,
    same_everywhere,
)
from jaxnets.distributed.starting import leave, restarted, start

__all__ = [
    "Audited",
    "all_devices",
    "audited",
    "copied",
    "divided",
    "largest",
    "leave",
    "on_first_device",
    "own_rows",
    "placed",
    "restarted",
    "same_everywhere",
    "start",
]
