"""Blocks of a report as a PDF, by fpdf2, in the font that matplotlib brings."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl

FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
SIZES = {"h1": 18, "h2": 14, "h3": 10.5, "p": 9.5}


def as_pdf(blocks: Iterable[tuple[str, str]]) -> bytes:
    """Returns the bytes of a PDF with headings, paragraphs and figures, and an outline.

    Raises:
        ModuleNotFoundError: fpdf2 is missing; the extra is named.
    """
    try:
        from fpdf import FPDF
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "reports need fpdf2: pip install 'jaxnets[experiments]'", name=error.name
        ) from error
    page = FPDF()
    page.set_auto_page_break(auto=True, margin=18)
    page.set_margins(20, 18)
    page.add_font("text", fname=FONTS / "DejaVuSans.ttf")
    page.add_font("text", "B", FONTS / "DejaVuSans-Bold.ttf")
    page.add_page()
    for kind, text in blocks:
        if kind == "figure":
            page.image(text, w=page.epw)
            page.ln(4)
            continue
        page.set_font("text", "B" if kind.startswith("h") else "", SIZES[kind])
        if kind in ("h1", "h2"):
            page.ln(3)
            page.start_section(text, level=int(kind[1]) - 1)
        page.multi_cell(page.epw, SIZES[kind] * 0.5, text, align="L", new_x="LMARGIN", new_y="NEXT")
        page.ln(2 if kind == "p" else 1)
    return bytes(page.output())
