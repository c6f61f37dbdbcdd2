"""Output folders that cannot be written, that were moved, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bm.tests.stories.demo_grid import call, grid, script

pytestmark = pytest.mark.story
WORDS = {
    "info": ("info",),
    "run": ("run", "seed=1"),
    "workers": ("run", "-d", "--ddp_workers", "2", "seed=1"),
    "grid": ("grid", "demo.tiny", "--no_monitoring"),
}


@pytest.mark.parametrize("verb", WORDS)
def test_outputs_that_cannot_be_written_are_one_line(verb: str, tmp_path: Path) -> None:
    """Symptom: tracebacks of Dora's `mkdir`. A file in the path stops even root."""
    (tmp_path / "file").touch()
    # a fresh interpreter: what nobody catches is answered where it ends
    text = call(tmp_path / "file" / "outputs", "dora", "-P", "bm", *WORDS[verb], code=2)
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "Traceback" not in text, text
    assert "a part of the path is a file" in errors[0]


def test_scripts_say_it_too(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    text = script(tmp_path / "file" / "outputs", "make_report", "grid=demo.tiny", code=2)
    assert text.startswith("error: ") and "a part of the path is a file" in text


def test_a_grid_is_shown_after_its_outputs_were_moved(tmp_path: Path) -> None:
    """Symptom: AssertionError, for the links of a grid are absolute."""
    before, after = tmp_path / "before", tmp_path / "after"
    (before / "xps").mkdir(parents=True)
    grid(before, "--dry_run", "--init")
    for folder in list((before / "xps").iterdir()):  # as a grid that was submitted leaves it
        link = before / "grids" / "demo.tiny" / folder.name
        link.symlink_to(folder)
        (folder / "finished.json").write_text('{"epoch": 1}')
    before.rename(after)
    assert "Traceback" not in grid(after, "--no_monitoring")
    links = list((after / "grids" / "demo.tiny").iterdir())
    assert len(links) == 3 and all(link.resolve().parent == after / "xps" for link in links)
