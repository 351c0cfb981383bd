"""The settings of the generator of HTML: the only file that knows which one it is."""

import json
from collections.abc import Mapping

from .navigation import menu

SETTINGS = """[project]
site_name = "jaxnets"
site_description = "Neural networks as pure functions on JAX"
docs_dir = "pages"
site_dir = "html"
use_directory_urls = false
extra_css = ["site.css"]
nav = {nav}

[project.theme]
language = "en"
font = false
features = [
  "navigation.top",
  "navigation.tabs",
  "navigation.indexes",
  "search.highlight",
  "content.code.copy",
]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle.icon = "lucide/sun"
toggle.name = "Switch to dark mode"

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle.icon = "lucide/moon"
toggle.name = "Switch to light mode"

[project.markdown_extensions.toc]
permalink = true
toc_depth = 3

[project.markdown_extensions.tables]
[project.markdown_extensions.attr_list]
[project.markdown_extensions.pymdownx.arithmatex]
generic = true
[project.markdown_extensions.pymdownx.highlight]
[project.markdown_extensions.pymdownx.superfences]
[project.markdown_extensions.pymdownx.inlinehilite]

[project.plugins.offline]
[project.plugins.search]
[project.plugins.mkdocstrings.handlers.python]
paths = ["sources"]
inventories = []

[project.plugins.mkdocstrings.handlers.python.options]
docstring_style = "google"
heading_level = 2
show_root_heading = true
show_root_full_path = true
show_source = false
members_order = "source"
separate_signature = true
filters = ["!^_"]
docstring_options = {{ warn_unknown_params = false, warn_missing_types = false }}
"""
STYLE = """.md-typeset code { overflow-wrap: anywhere; }
.md-typeset h1, .md-typeset h2, .md-typeset h3 { overflow-wrap: anywhere; }
.md-typeset .language-text pre > code { border-left: .15rem solid #888; }
.md-typeset table:not([class]) td { min-width: 5rem; }
"""


REMOTE_WORKER = "https://unpkg.com/iframe-worker/shim"
"""The script that the generator's pages would fetch from outside; ours takes its place."""
WORKER = """// The search runs in a worker, which a page from the disk cannot start.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inside = this.frame.contentWindow;
      inside.document.open();
      inside.document.write("<!doctype html><title>search</title>");
      inside.document.close();
      inside.importScripts = (...urls) => Promise.all(urls.map((each) => this.run(each)));
      inside.postMessage = (data) => {
        const copy = structuredClone(data);
        setTimeout(() => this.deliver(copy));
      };
      this.ready = this.run(url);
    }
    run(url) {
      return new Promise((done, failed) => {
        const script = this.frame.contentDocument.createElement("script");
        script.src = url;
        script.onload = done;
        script.onerror = failed;
        this.frame.contentDocument.body.append(script);
      });
    }
    deliver(data) {
      const event = new MessageEvent("message", { data });
      this.dispatchEvent(event);
      this.onmessage?.(event);
    }
    postMessage(data) {
      const inside = this.frame.contentWindow;
      const event = new inside.MessageEvent("message", { data: structuredClone(data) });
      this.ready.then(() => setTimeout(() => inside.dispatchEvent(event)));
    }
    terminate() {
      this.frame.remove();
    }
  };
}
"""


def settings(lectures: tuple[str, ...]) -> str:
    """Returns the text of the generator's file of settings."""
    return SETTINGS.format(nav=_as_toml(menu(lectures)))


def _as_toml(entries: Mapping[str, str | dict[str, str]]) -> str:
    items = (
        f"{{ {json.dumps(name)} = {json.dumps(at) if isinstance(at, str) else _as_toml(at)} }}"
        for name, at in entries.items()
    )
    return f"[{', '.join(items)}]"
