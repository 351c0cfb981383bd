"""A notebook for each lecture: every experiment's claims, verdicts and figure as cells."""

from pathlib import Path

from ..lab.claim_files import registered
from ..lab.registry import LECTURES
from .cells import Cell
from .lectures import note
from .navigation import notebook_of
from .notebooks import as_ipynb

ROOT = Path(__file__).parents[2]
INTRO = """# {title}

Every experiment of the lecture: its lab note, what the lecture says, our verdicts and our figure. A
cell loads the saved result from `results/`; where there is none it runs a variant of seconds, of
which the verdicts do not count. In a checkout, start this notebook in its root."""
SETUP = """try:
    from experiments.lab import notebook
except ModuleNotFoundError:  # only the wheel is installed
    from jaxnets.experiments.lab import notebook"""


def notebooks() -> dict[str, str]:
    """Returns the notebooks of the lectures, by their place in the site."""
    return {
        notebook_of(title): as_ipynb(cells_of(title, names)) for title, names in LECTURES.items()
    }


def cells_of(title: str, names: tuple[str, ...]) -> list[Cell]:
    """Returns the cells of a lecture."""
    cells = [Cell("text", "", INTRO.format(title=title)), Cell("code", "", SETUP)]
    for name in names:
        cells += _experiment(name)
    return cells


def _experiment(name: str) -> list[Cell]:
    claims = sorted(registered(name).values(), key=lambda claim: (claim.source, claim.line or 0))
    says = [f"* {claim.row}, {claim.source}: {claim.statement}" for claim in claims]
    heading, protocol = note(name, ROOT)
    text = "\n".join([f"## {heading}\n\n{protocol}", "", *says])
    sources = (
        f'{name} = notebook.load_or_run("{name}")\nprint({name}.verdicts)',
        f"{name}.figure",
    )
    return [Cell("text", "", text), *(Cell("code", name, source) for source in sources)]
