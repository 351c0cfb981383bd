"""The registered claims of each experiment: `experiments/claims/EXPERIMENT/CLAIM.toml`."""

from pathlib import Path

from jaxnets.claims import Claim, load_all

FOLDER = Path(__file__).parents[1] / "claims"


def registered(name: str) -> dict[str, Claim]:
    """Reads the claims of an experiment, by their names."""
    return load_all(FOLDER / name)
