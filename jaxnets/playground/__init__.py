"""A page in the browser where an ensemble of networks trains live: `python -m jaxnets.playground`.

    from jaxnets.playground import from_address, repeat

    networks = repeat((from_address("problem=xor&widths=3-2&networks=16"), 500))
    networks.params()["output"]["bias"]  # [16, 1]

`repeat` trains the networks of a page again: the page and the script that it copies call the same
functions, so that they have the same bits.
"""

from jaxnets.playground.config import Config as Config
from jaxnets.playground.config import RefusedError as RefusedError
from jaxnets.playground.config import from_address as from_address
from jaxnets.playground.ensemble import Ensemble as Ensemble
from jaxnets.playground.ensemble import repeat as repeat
