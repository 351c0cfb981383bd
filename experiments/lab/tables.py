"""The table of a result for slides and programs: its Markdown as LaTeX and as CSV."""

import csv
import io

from .escape import cells_of

LATEX = {
    **{"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_"},
    **{"{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{
        "±": r"$\pm$",
        "×": r"$\times$",
        "≤": r"$\leq$",
        "≥": r"$\geq$",
        "−": "$-$",
        "…": r"\dots{}",
    },
    **{"<": "$<$", ">": "$>$", "|": "$|$", "λ": r"$\lambda$", "σ": r"$\sigma$", "²": "$^2$"},
}
"""What a character is in LaTeX, if it is not itself."""
Table = list[list[str]]


def tables_of(text: str) -> list[Table]:
    """Returns the tables of a Markdown text: rows of cells as plain text, the head first."""
    found: list[Table] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append(cells_of(line))
        elif found[-1]:
            found.append([])
    return [[rows[0], *rows[2:]] for rows in found if rows]


def table_files(text: str, caption: str) -> dict[str, bytes]:
    """Returns the content of the files of a Markdown text's tables, by their ending."""
    tables = tables_of(text)
    return {"csv": as_csv(tables).encode(), "tex": as_latex(tables, caption).encode()}


def as_csv(tables: list[Table]) -> str:
    """Returns tables as CSV, with an empty line between two of them."""
    return "\n".join(_csv(rows) for rows in tables)


def as_latex(tables: list[Table], caption: str) -> str:
    r"""Returns tables as LaTeX with the rules of booktabs, under a comment: the caption."""
    head = f"% {' '.join(caption.split())}\n% needs \\usepackage{{booktabs}}\n"
    return head + "\n\\bigskip\n".join(_latex(rows) for rows in tables)


def _csv(rows: Table) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _latex(rows: Table) -> str:
    lines = [" & ".join(map(escape, row)) + r" \\" for row in rows]
    begin = f"\\begin{{tabular}}{{{'l' * len(rows[0])}}}"
    return "\n".join(
        [
            begin,
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def escape(text: str) -> str:
    r"""Returns a text in which LaTeX finds nothing but characters.

    Examples:
        >>> escape("98 % ± 1")
        '98 \\% $\\pm$ 1'
    """
    return "".join(LATEX.get(character, character) for character in text)
