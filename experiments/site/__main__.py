"""`python -m experiments.site FOLDER`: writes the pages and builds their HTML."""

import argparse
import json
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from jaxnets.storage.atomic import write_bytes, write_text

from ..lab.registry import LECTURES
from . import (
    api,
    codes,
    finish,
    formulas,
    gallery,
    lecture_notebooks,
    lectures,
    references,
    saved_pages,
    shown,
    texts,
    tutorials,
)
from .settings import REMOTE_WORKER, STYLE, WORKER, settings

ROOT = Path(__file__).parents[2]


def write(folder: Path, root: Path = ROOT, run: bool = True) -> None:
    """Writes the Markdown of all pages, their pictures and the settings into a folder.

    Without `run` the tutorials have no outputs.
    """
    for name in ("pages", "sources"):
        shutil.rmtree(folder / name, ignore_errors=True)
    scripts = tutorials.read(root, run)
    pages = texts.pages(root) | lectures.pages(root) | api.pages(root)
    pages |= gallery.page(root) | saved_pages.index()
    pages |= tutorials.index(root, tuple(LECTURES)) | tutorials.pages(scripts)
    names = references.known(root)
    pages = {page: references.linked_page(text, names) for page, text in pages.items()}
    pages |= codes.pages(root)
    files = tutorials.downloads(root) | lecture_notebooks.notebooks()
    _write_all(
        folder / "pages", pages | files | {"site.css": STYLE + finish.STYLE, "worker.js": WORKER}
    )
    _write_all(folder / "sources", references.sources(root))
    _write_all(folder, {"zensical.toml": settings(tuple(LECTURES))})
    (folder / "pages" / "figures").mkdir()
    for name, path in (shown.files(root) | texts.pictures(root)).items():
        write_bytes(folder / "pages" / name, path.read_bytes())
    for name, drawn in tutorials.figures(scripts).items():
        write_bytes(folder / "pages" / name, drawn)


def _write_all(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_text(folder / name, text)


def build(folder: Path) -> int:
    """Builds `html/` in the folder from its pages; a warning is an error."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    code = subprocess.run(command, cwd=folder, check=False).returncode
    html = folder / "html"
    (html / "404.html").unlink(missing_ok=True)  # its links start at the root of a server
    for page in () if code else sorted(html.rglob("*.html")):
        here = "../" * (len(page.relative_to(html).parts) - 1)
        text = page.read_text(encoding="utf-8").replace(REMOTE_WORKER, f"{here}worker.js")
        write_text(page, finish.finished(text))
    if not code:
        _make_readable(html)
    return code


def _make_readable(html: Path) -> None:
    """Rewrites what the search knows, on a server and from the disk, without TeX."""
    old = (html / "search.json").read_text(encoding="utf-8")
    index = json.loads(old)
    for item in index["items"]:
        item |= {field: formulas.readable(item[field]) for field in ("title", "text")}
    new = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    for name in ("search.json", "search.js"):
        text = (html / name).read_text(encoding="utf-8")
        write_text(html / name, text.replace(old, new))


def main() -> int:
    """Parses the command line; returns 1 if the pages have a warning."""
    parser = argparse.ArgumentParser(prog="python -m experiments.site", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--no-run", action="store_true", help="show tutorials without outputs")
    options = parser.parse_args()
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    # In a process of its own: tutorials choose the devices of theirs.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        saved = pool.submit(saved_pages.make, folder / "saved", run=not options.no_run)
        write(folder, run=not options.no_run)
        code = build(folder)
        if not code:
            _write_all(folder / "html", saved.result())
    if not code:
        print(folder / "html" / "index.html")
    return code


if __name__ == "__main__":
    sys.exit(main())
