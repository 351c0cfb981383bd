"""What the site shows, and where: one table for the pages and for the menu."""

import re

TEXTS: dict[str, tuple[str, str]] = {
    "README.md": ("index.md", "Home"),
    "docs/your_problem.md": ("how-to.md", "How-to"),
    "docs/scorecard.md": ("scorecard/index.md", "Scorecard"),
    "docs/calibration.md": ("scorecard/calibration.md", "Calibration"),
    "docs/errata.md": ("scorecard/errata.md", "Errata"),
    "benchmarks/RESULTS.md": ("benchmarks.md", "Benchmarks"),
    "docs/faults.md": ("faults.md", "Faults"),
    "docs/machines.md": ("machines/index.md", "Machines"),
    "docs/scaling.md": ("machines/scaling.md", "Scaling"),
    "docs/architecture.md": ("project/architecture.md", "Architecture"),
    "docs/extending.md": ("project/extending.md", "Extending"),
    "docs/glossary.md": ("project/glossary.md", "Glossary"),
    "CONTRIBUTING.md": ("project/contributing.md", "Contributing"),
    "CHANGELOG.md": ("project/changelog.md", "Changelog"),
}
"""The texts of the repository: the page and the name in the menu of each."""

TOPICS: dict[str, tuple[str, ...]] = {
    "Training": ("training", "objective", "autodiff", "hooks", "metrics"),
    "Sweeps and searches": ("sweeps", "search"),
    "Networks": ("models", "ops", "weights"),
    "Losses and activations": ("losses", "soft_targets", "output_units", "activations"),
    "Gradients by hand": ("backprop",),
    "Data and texts": ("data", "text", "augment"),
    "Word vectors": ("word2vec",),
    "scikit-learn and classical learners": ("estimator", "classical"),
    "Analysis and figures": ("analysis", "converge", "claims", "plots"),
    "Shapes": ("shapes", "meshes"),
    "Devices and machines": ("parallel", "launch"),
    "Saving": ("storage",),
    "Playground": ("playground",),
    "Host": ("host",),
}
"""The API by topic: the rooms of jaxnets on each page."""


def slug(title: str) -> str:
    """Returns a file's name for a title, such as `sweeps-and-searches`."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def lecture_page(title: str) -> str:
    """Returns the page of a lecture of the registry, such as `lectures/l0.md`."""
    return f"lectures/{slug(title.partition(':')[0])}.md"


def menu(lectures: tuple[str, ...]) -> dict[str, str | dict[str, str]]:
    """Returns the menu: pages by their names, and sections of such pages."""
    pages = {name: page for page, name in TEXTS.values()}
    names = ("Architecture", "Extending", "Glossary", "Contributing", "Changelog")
    return {
        "Home": pages["Home"],
        "How-to": pages["How-to"],
        "Lectures": {title: lecture_page(title) for title in lectures},
        "Scorecard": {name: pages[name] for name in ("Scorecard", "Calibration", "Errata")},
        "API": {"Topics": "api/index.md"} | {t: f"api/{slug(t)}.md" for t in TOPICS},
        "Benchmarks": pages["Benchmarks"],
        "Faults": pages["Faults"],
        "Machines": {name: pages[name] for name in ("Machines", "Scaling")},
        "Project": {name: pages[name] for name in names},
    }
