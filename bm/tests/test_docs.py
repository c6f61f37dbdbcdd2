"""Every command of the pages is accepted as it is typed, and every link leads somewhere."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bm.tests.docs_commands import ROOT, commands_of, pages
from bm.train import main
from bm.xp.listing import grid_names
from scripts._arguments import parse

COMMANDS = [(page, words) for page in pages() for words in commands_of(page)]
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def check_run(words: list[str]) -> None:
    """Check `dora run` and `dora launch`: the keys and values are those of the configuration."""
    keys = [word for word in words if "=" in word and not word.startswith("-")]
    if "KEY=VALUE" not in keys:
        main.resolve(keys)


def check_grid(words: list[str]) -> None:
    """Check `dora grid`: the grid is there; names in capitals stand for any."""
    name = next((word for word in words if not word.startswith("-")), "NAME")
    assert name == name.upper() or name in grid_names(), f"no grid {name}"


def check_script(module: str, words: list[str]) -> None:
    """Check `python -m scripts.NAME`: the script takes these arguments."""
    script: Any = importlib.import_module(module)
    record = getattr(script, "Request", None) or getattr(script, "Arguments", None)
    function = record or script.command
    if "words" in inspect.signature(script.command).parameters or not record:
        words = [word for word in words if not word.startswith("dset.")]
    if module in ("scripts.prepare", "scripts.bench", "scripts.check_golden", "scripts.audit"):
        return  # they take keys of the configuration, or bare words
    if module in ("scripts.diff", "scripts.grid_state"):
        words = [word for word in words if "=" in word]
    parse(function, words)


@pytest.mark.parametrize(
    ("page", "words"), COMMANDS, ids=[f"{p.stem}:{' '.join(w)[:70]}" for p, w in COMMANDS]
)
def test_a_command_is_accepted(page: Path, words: list[str]) -> None:
    if words[:2] in (["dora", "run"], ["dora", "launch"]):
        check_run(words[2:])
    elif words[:2] == ["dora", "grid"]:
        check_grid(words[2:])
    elif words[0] == "python":
        check_script(words[2], words[3:])
    elif words[0] == "make":
        text = (ROOT / "Makefile").read_text()
        assert all(f"\n{w}:" in text for w in words[1:] if "=" not in w), words


def test_pages_have_commands() -> None:
    assert len(COMMANDS) > 50


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_no_page_asks_a_public_index_for_our_name() -> None:
    """Symptom: `pip install 'bm[words]'` installs somebody's package."""
    for page in pages():
        assert not re.search(r"pip install ['\"]?bm\b", page.read_text(encoding="utf-8")), page


#: Commands of the pages that run anywhere in seconds, in this order: no recording, no network.
OFFLINE = (
    "dora run solver=supervised/debug",
    "dora grid demo.motor --dry_run --init",
    "python -m scripts.experiments",
    "python -m scripts.make_leaderboard",
)


@pytest.mark.endurance
def test_offline_commands_run(tmp_path: Path) -> None:
    """A command that is accepted as typed may still fail when it runs."""
    places = {f"BM_{name}": str(tmp_path / name) for name in ("OUTPUTS", "CACHE", "DATA")}
    environment = {**os.environ, **places, "BM_EXECUTOR": "local"}
    for command in OFFLINE:
        words = command.split()
        assert words in [typed for _, typed in COMMANDS], command
        process = subprocess.run(
            words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
        )
        assert process.returncode == 0, f"{command}: {process.stderr[-2000:]}"
        assert "Traceback" not in process.stderr, command
