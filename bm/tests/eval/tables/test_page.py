"""The page escapes what it shows, inlines its figures and refers to nothing outside."""

from __future__ import annotations

import re
from pathlib import Path

from bm.eval.tables.page import Section, render, table_html
from bm.figures.curves import draw_scores
from bm.xp.files import write_text


def test_cells_are_escaped_and_missing_cells_are_empty() -> None:
    text = table_html([{"a": "<b>&"}, {"a": "failed", "c": "1"}], {"failed": "bad"})
    assert "&lt;b&gt;&amp;" in text and "<b>" not in text
    assert text.count("<td") == 4 and 'class="bad">failed' in text


def test_page_is_one_file_without_outside_references(tmp_path: Path) -> None:
    figure = draw_scores({"net": [0.4, 0.5]}, tmp_path / "s.svg", "accuracy", {"chance": 0.25})
    page = render(
        "Grid x", [Section("scores", ["a & b"], figures=[(figure, "seeds")])], "simulated"
    )
    write_text(tmp_path / "index.html", page)
    text = (tmp_path / "index.html").read_text()
    assert "<svg" in text and "a &amp; b" in text and 'class="note">simulated' in text
    assert not re.search(r'(src|href)="(?!#)', text.replace('xlink:href="#', ""))
    assert "<script" not in text


def test_numbers_stand_right_and_text_left() -> None:
    """Symptom: text stood right, and the sign of a spread began a line."""
    text = table_html([{"model": "REVE", "value": "0.680 ± 0.007", "units": "2 people"}])
    assert '<th class="">model</th><th class="number">value</th>' in text
    assert '<td class="number">0.680 ± 0.007</td><td class="short">2 people</td>' in text
