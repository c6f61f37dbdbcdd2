"""Files of tables: every form reads back, stages have files of their own."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from bm.eval.tables.formats import Table, to_csv, to_latex, to_markdown, write_tables

LINES = [{"variant": "a, b", "accuracy": "0.5 ± 0.1"}, {"variant": "chance", "accuracy": ""}]


def test_csv_reads_back() -> None:
    assert list(csv.DictReader(io.StringIO(to_csv(LINES)))) == LINES


def test_markdown_has_a_cell_per_column() -> None:
    header, rule, *body = to_markdown(LINES).splitlines()
    assert header == "| variant | accuracy  |" and rule == "|---------|-----------|"
    assert body == ["| a, b    | 0.5 ± 0.1 |", "| chance  |           |"]


def test_latex_escapes_what_it_would_read() -> None:
    text = to_latex([{"a_b": "50 % & #1 < {x}"}])
    assert "a\\_b \\\\" in text and "50 \\% \\& \\#1 $<$ \\{x\\} \\\\" in text
    assert text.startswith("\\begin{tabular}{l}\n\\toprule\n")
    assert to_latex(LINES).startswith("\\begin{tabular}{lr}")


def test_a_grid_of_two_tables(tmp_path: Path) -> None:
    stage = Table("codes: usage", "codes-usage", [{"variant": "base", "usage": "0.25"}],
                  [("d base", ["bbbbbbbb"])])  # fmt: skip
    main = Table("Results", "", LINES, [("d a, b", ["aaaaaaaa", "cccccccc"])], ["A note."])
    path = write_tables("some.grid", [main, stage], tmp_path, simulated=True)
    assert path == tmp_path / "table.md"
    text = path.read_text()
    assert text.startswith("simulated data: made from equations")
    assert text.index("A note.") < text.index("## codes: usage") < text.index("0.25")
    assert "## Results" not in text
    assert {p.name for p in tmp_path.iterdir()} == {
        "table.md", "table.html", "table.csv", "table.tex",
        "table-codes-usage.csv", "table-codes-usage.tex",
    }  # fmt: skip
    assert list(csv.DictReader((tmp_path / "table.csv").open())) == LINES
    page = (tmp_path / "table.html").read_text()
    assert page.count("<table>") == 2 and "aaaaaaaa\ncccccccc" in page and "bbbbbbbb" in page
    real = write_tables("some.grid", [main], tmp_path / "real", simulated=False).read_text()
    assert "simulated" not in real


def test_a_spreadsheet_runs_no_cell() -> None:
    cells = ["=cmd|' /C calc'!A0", "+SUM(A1)", "-2+cmd", "@x", "\tx", "plain"]
    numbers = ["-0.5", "+1e-3", "-0.123 ± 0.010", "-0.1 [-0.3, 0.2]", "-12 %"]
    lines = [{"=name": cell} for cell in [*cells, *numbers]]
    header, *rows = [row[0] for row in csv.reader(io.StringIO(to_csv(lines)))]
    assert header == "'=name" and rows[:5] == [f"'{cell}" for cell in cells[:5]]
    assert rows[5:] == ["plain", *numbers]


def test_latex_reads_a_path_and_a_formula_as_text() -> None:
    text = to_latex([{"x": r"C:\a~b^c $5$ > \input{x}"}])
    expected = (
        r"C:\textbackslash{}a\textasciitilde{}b\textasciicircum{}c \$5\$ $>$ "
        r"\textbackslash{}input\{x\}"
    )
    assert expected in text
