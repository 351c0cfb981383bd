"""One page with every figure, what was claimed and what was measured, grouped by lecture."""

from collections import Counter
from pathlib import Path
from string import Template
from typing import Any

from jaxnets.storage.atomic import write_text

from . import live
from .escape import as_html
from .notes import read_all
from .registry import LECTURES
from .run import COMMAND, PROGRAM, RESULTS, title
from .scorecard import of_note

PAGE = Template(Path(__file__).with_name("gallery.html").read_text(encoding="utf-8"))
LECTURE = Template('<h2 id="$anchor">$title</h2>\n$cards')
CARD = Template("""<article id="$name">
<h3>$title</h3>
<a href="$name.png"><img src="$name.png" alt="$title"></a>
$map
$live
<ul class="claims">
$claims
</ul>
<footer><code>$command $name</code>, $seconds s on $machine, $date; $versions<br>$config</footer>
</article>""")
MAP = Template("""<details><summary>where its claims hold, by the settings left open</summary>
<a href="multiverse/$name.png"><img src="multiverse/$name.png" alt="$name by settings"></a>
</details>""")
LIVE = Template("""<details><summary>see it train, in the playground</summary>
<ul>
$presets
</ul></details>""")
PRESET = Template("<li>$title: <code>$command</code></li>")
CLAIM = Template("""<li>
<p><span class="verdict $mark">$status</span> <b>$row</b>: $statement</p>
<p><span class="label">lecture:</span> $lecture</p>
<p><span class="label">ours:</span> $ours <span class="label">($samples)</span></p>
</li>""")


def write(results: Path = RESULTS) -> Path:
    """Writes `index.html` next to the figures; it needs no server and no network."""
    found, damaged = read_all(results, COMMAND)
    notes = {note["experiment"]: note | {"claims": of_note(note)} for note in found}
    damaged += [
        f"{results / name}.png is missing: run `python -m {PROGRAM} {name} --redraw`"
        for name in notes
        if not (results / f"{name}.png").is_file()
    ]
    lectures = {
        lecture: [notes[name] for name in names if name in notes]
        for lecture, names in LECTURES.items()
    }
    lectures = {lecture: shown for lecture, shown in lectures.items() if shown}
    page = PAGE.substitute(
        summary=_summary(list(notes.values())),
        damaged="\n".join(f"<p>Not shown: {as_html(reason)}</p>" for reason in damaged),
        index="\n".join(
            f'<li><a href="#{_anchor(lecture)}">{as_html(lecture)}</a>: {_summary(shown)}</li>'
            for lecture, shown in lectures.items()
        ),
        lectures="\n".join(
            LECTURE.substitute(
                anchor=_anchor(lecture),
                title=as_html(lecture),
                cards="\n".join(_card(note, results) for note in shown),
            )
            for lecture, shown in lectures.items()
        ),
    )
    write_text(results / "index.html", page)
    return results / "index.html"


def _anchor(lecture: str) -> str:
    return lecture.partition(":")[0].replace(" ", "-")


def _summary(notes: list[dict[str, Any]]) -> str:
    """Such as `3 experiments, 9 claims: 6 reproduced, 3 inconclusive`."""
    counts = Counter(claim["status"] for note in notes for claim in note["claims"])
    verdicts = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    experiments, claims = counted(len(notes), "experiment"), counted(counts.total(), "claim")
    return as_html(f"{experiments}, {claims}: {verdicts}")


def counted(count: int, word: str) -> str:
    """Returns a number with its word, such as `1 claim` and `2 claims`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def _card(note: dict[str, Any], results: Path) -> str:
    mapped = (results / "multiverse" / f"{note['experiment']}.png").is_file()
    values = note | {
        "name": note["experiment"],
        "command": COMMAND,
        "title": title(note["experiment"]),
        "config": ", ".join(f"{key}={value}" for key, value in note["config"].items()),
        "versions": ", ".join(f"{key} {value}" for key, value in note["versions"].items()),
    }
    parts = {
        "claims": "\n".join(_claim(claim) for claim in note["claims"]),
        "live": _live(note["experiment"]),
        "map": MAP.substitute(name=as_html(note["experiment"])) if mapped else "",
    }
    return CARD.substitute(_escape(values) | parts)


def _live(experiment: str) -> str:
    rows = [
        PRESET.substitute(title=as_html(title), command=as_html(command))
        for title, command in live.commands(experiment)
    ]
    return LIVE.substitute(presets="\n".join(rows)) if rows else ""


def _claim(claim: dict[str, Any]) -> str:
    return CLAIM.substitute(_escape(claim | {"mark": claim["status"].replace(" ", "-")}))


def _escape(values: dict[str, Any]) -> dict[str, str]:
    return {name: as_html(value) for name, value in values.items()}
