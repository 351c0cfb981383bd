"""What the site shows, and where: one table for the pages and for the menu."""

import re

TEXTS: dict[str, tuple[str, str]] = {
    "README.md": ("index.md", "Home"),
    "docs/start.md": ("start.md", "Start"),
    "docs/your_problem.md": ("how-to.md", "How-to"),
    "docs/scorecard.md": ("scorecard/index.md", "Scorecard"),
    "docs/calibration.md": ("scorecard/calibration.md", "Calibration"),
    "docs/errata.md": ("scorecard/errata.md", "Errata"),
    "benchmarks/RESULTS.md": ("benchmarks.md", "Benchmarks"),
    "docs/faults.md": ("faults.md", "Faults"),
    "docs/machines.md": ("machines/index.md", "Machines"),
    "docs/scaling.md": ("machines/scaling.md", "Scaling"),
    "docs/performance.md": ("machines/performance.md", "Performance"),
    "docs/architecture.md": ("project/architecture.md", "Architecture"),
    "docs/extending.md": ("project/extending.md", "Extending"),
    "docs/glossary.md": ("project/glossary.md", "Glossary"),
    "CONTRIBUTING.md": ("project/contributing.md", "Contributing"),
    "CHANGELOG.md": ("project/changelog.md", "Changelog"),
}
"""The texts of the repository: the page and the name in the menu of each."""

TUTORIALS: dict[str, str] = {
    "first_network": "First network",
    "own_table": "Your own table",
    "own_pictures": "Your own pictures",
    "sweep": "A sweep and its table",
    "gradients_by_hand": "A gradient by hand",
    "own_claim": "A claim of your own",
    "word_vectors": "Word vectors of your text",
    "shape": "A shape from its distances",
    "many_devices": "Many devices",
}
COMING_FROM: dict[str, str] = {
    "from_scikit_learn": "From scikit-learn",
    "from_keras": "From Keras",
    "from_pytorch": "From PyTorch",
    "from_gensim": "From gensim",
}
"""The scripts of docs/tutorials, and the name in the menu of each."""

PAGES: dict[str, str] = {source: page for source, (page, _) in TEXTS.items()} | {
    f"docs/tutorials/{name}.py": f"tutorials/{name}.md" for name in (*TUTORIALS, *COMING_FROM)
}
"""Where each text of the repository is in the site."""

TOPICS: dict[str, tuple[str, ...]] = {
    "Training": ("training", "objective", "autodiff", "hooks", "metrics"),
    "Sweeps and searches": ("sweeps", "search"),
    "Networks": ("models", "ops", "weights"),
    "Losses and activations": ("losses", "soft_targets", "output_units", "activations"),
    "Gradients by hand": ("backprop",),
    "Data and texts": ("data", "text", "augment"),
    "Word vectors": ("word2vec",),
    "scikit-learn and classical learners": ("estimator", "classical"),
    "Analysis and figures": ("analysis", "converge", "claims", "plots", "themes"),
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


def notebook_of(title: str) -> str:
    """Returns the place of a lecture's notebook, such as `notebooks/l0.ipynb`."""
    return f"notebooks/{slug(title.partition(':')[0])}.ipynb"


def menu(lectures: tuple[str, ...]) -> dict[str, str | dict[str, str]]:
    """Returns the menu: pages by their names, and sections of such pages."""
    pages = {name: page for page, name in TEXTS.values()}
    names = ("Architecture", "Extending", "Glossary", "Contributing", "Changelog")
    return {
        "Home": pages["Home"],
        "Start": pages["Start"],
        "Tutorials": {"Tutorials": "tutorials/index.md"}
        | {name: f"tutorials/{at}.md" for at, name in (TUTORIALS | COMING_FROM).items()},
        "How-to": pages["How-to"],
        "Lectures": {title: lecture_page(title) for title in lectures},
        "Scorecard": {name: pages[name] for name in ("Scorecard", "Calibration", "Errata")},
        "Gallery": "gallery.md",
        "Playground": "playground/index.md",
        "API": {"Topics": "api/index.md"} | {t: f"api/{slug(t)}.md" for t in TOPICS},
        "Benchmarks": pages["Benchmarks"],
        "Faults": pages["Faults"],
        "Machines": {name: pages[name] for name in ("Machines", "Scaling", "Performance")},
        "Project": {name: pages[name] for name in names},
    }
