"""Every notebook runs from top to bottom; it is stored as it ran, or without any output."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: What a stored output does not hold: a failure, a folder of the machine that ran it.
PRIVATE = ("Traceback", *(f"/{name}/" for name in ("home", "tmp", "root", "Users", "work")))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
pytestmark = pytest.mark.skipif(not NOTEBOOKS, reason="an installed package has no notebooks")


def read(path: Path):
    import nbformat

    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_stored_as_it_ran_or_without_output(path: Path) -> None:
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in cells]
    assert cells
    if any(counts):
        assert counts == list(range(1, len(cells) + 1))  # once, in order
        texts = [str(output) for cell in cells for output in cell.outputs]
        assert any("image/svg+xml" in text for text in texts)
        assert not any(word in text for text in texts for word in PRIVATE)
    else:
        assert not any(cell.outputs for cell in cells)


@pytest.mark.notebooks
@pytest.mark.endurance
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    monkeypatch.setenv("BM_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setenv("BM_EXECUTOR", "local")
    notebook = read(path)
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(ROOT)}}).execute()
    texts = [str(o) for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert any("image/svg+xml" in text for text in texts)
