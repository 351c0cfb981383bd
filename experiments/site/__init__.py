"""The documentation's pages as plain Markdown, from docstrings, claims and the files of docs/."""
