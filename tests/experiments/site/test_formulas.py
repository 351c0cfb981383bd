"""Formulas of the pages: MathML in a page, plain text in what the search shows."""

import pytest

pytest.importorskip("latex2mathml", reason="latex2mathml is not installed")
from experiments.site.formulas import as_text, readable


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\frac{a}{b}", "a/b"),
        (r"\frac{1}{n-1}", "1/(n−1)"),
        ("x_i^2", "x_i^2"),
        ("(1 - p)^{k - 1}", "(1−p)^(k−1)"),
        (r"\sum_{i=1}^n w_i", "∑_(i=1)^nw_i"),
        (r"\sqrt{\lambda + 1} v", "√(λ+1)v"),
        (r"\begin{cases} a & x > 0 \\ b \end{cases}", "{a, x>0; b"),
        (r"\mathrm{sign}(y)", "sign(y)"),
    ],
)
def test_a_formula_is_read_in_one_line(tex, text):
    assert as_text(tex) == text


def test_only_formulas_of_a_text_change():
    text = r"<p>\(w &lt; x_1\) and <code>\(w\)</code>, \[a^2\] &amp; more</p>"
    assert readable(text) == r"<p>w&lt;x_1 and <code>\(w\)</code>, a^2 &amp; more</p>"
