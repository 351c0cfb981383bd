"""Every experiment on one page, which can be filtered by verdict, row and lecture."""

from collections import Counter
from pathlib import Path

from jaxnets.claims import Claim

from ..lab.claim_files import registered
from ..lab.escape import as_html
from ..lab.gallery import counted
from ..lab.registry import EXPERIMENTS, LECTURES
from . import codes, shown
from .lectures import badge, home, note, short
from .navigation import lecture_page
from .rows import rows
from .scores import NOT_MEASURED, of_experiment

PAGE = "gallery.md"
VERDICTS = {
    "reproduced": "the claim holds, by the interval over seeds",
    "refuted": "it fails: at the lecture's settings, or at nine of ten that are left open",
    "inconclusive": "the interval does not decide, or the settings that are open do",
    "not comparable": "the slide lacks what a comparison needs",
    "not judged": "its data or seeds were not at hand",
    "not measured yet": "the experiment has not been run",
}
"""The verdicts, and what each means."""


def page(root: Path) -> dict[str, str]:
    """Returns the Markdown of the gallery by its page."""
    cards = [_card(name, root) for name in EXPERIMENTS]
    counts = Counter(
        score.verdict for name in EXPERIMENTS for score in of_experiment(name, root).values()
    )
    found = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    parts = [
        "---\nhide:\n  - navigation\n  - toc\n---\n# Gallery",
        f"{counted(len(EXPERIMENTS), 'experiment')}, {counted(counts.total(), 'claim')}: {found}.",
        _filters(),
        f'<div class="cards">{"".join(cards)}</div>',
        "## What the codes mean",
        "\n".join(f"- {badge(verdict)} {meaning}" for verdict, meaning in VERDICTS.items()),
        "\n".join(f"- **{name}** {row.title}" for name, row in rows().items()),
    ]
    return {PAGE: "\n\n".join(parts) + "\n"}


def _filters() -> str:
    choices = {
        "verdict": {verdict: verdict for verdict in VERDICTS},
        "row": {name: f"{name} {row.title}" for name, row in rows().items()},
        "lecture": {short(title): title for title in LECTURES},
    }
    selects = "".join(
        f'<label>{name}<select name="{name}"><option value="">all</option>'
        + "".join(f'<option value="{v}">{as_html(text)}</option>' for v, text in found.items())
        + "</select></label>"
        for name, found in choices.items()
    )
    return f'<form class="filters">{selects}<output></output></form>'


def _card(name: str, root: Path) -> str:
    title, _ = note(name, root)
    page = lecture_page(home(name)).replace(".md", ".html")
    code = codes.page(name).replace(".md", ".html")
    picture = shown.thumbnail(name, root)
    image = f'<img src="{picture}" alt="" loading="lazy">' if picture else "<p>No figure yet.</p>"
    scores = of_experiment(name, root)
    claims = "".join(
        _claim(
            claim, scores.get((f"{claim.row}, {claim.source}", claim.statement), NOT_MEASURED)[2]
        )
        for claim in registered(name).values()
    )
    return (
        f'<article data-lecture="{short(home(name))}">'
        f'<a href="{page}#{name}" tabindex="-1" aria-hidden="true">{image}</a>'
        f'<h2><a href="{page}#{name}">{as_html(title)}</a></h2><ul>{claims}</ul>'
        f'<p><a href="{code}">code</a></p></article>'
    )


def _claim(claim: Claim, verdict: str) -> str:
    data = f'data-verdict="{verdict}" data-row="{claim.row}" data-lecture="{claim.source}"'
    return f"<li {data}>{badge(verdict)} <b>{claim.row}</b> {as_html(claim.statement)}</li>"
