"""The demo grid: its commands, and what it leaves."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from safetensors.torch import load_file

from bm.tests.xp.forked import Command
from bm.train import main
from scripts._arguments import main_of

ROOT = Path(__file__).resolve().parents[3]
GRID = "demo.tiny"


def environment(outputs: Path) -> dict[str, str]:
    """Return the environment of a command on the local queue of two slots."""
    local = {"BM_OUTPUTS": str(outputs), "BM_EXECUTOR": "local", "BM_SLOTS": "2"}
    dropped = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "_DORA_GIT_SAVE_DONE")
    return {**{k: v for k, v in os.environ.items() if k not in dropped}, **local}


def call(outputs: Path, *words: str, code: int = 0) -> str:
    """Run `python -m WORDS` and return what it prints."""
    process = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT, env=environment(outputs), capture_output=True, text=True, timeout=200,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert process.returncode == code, process.stdout + process.stderr
    return process.stdout + process.stderr


def script(outputs: Path, name: str, *words: str, code: int = 0) -> str:
    """Run `python -m scripts.NAME WORDS` in this process, 3 s sooner, and return what it prints."""
    command = importlib.import_module(f"scripts.{name}").command
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment(outputs)),
        mock.patch.object(main.dora, "dir", str(outputs)),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        status = main_of(command, words)
    text = out.getvalue() + err.getvalue()
    assert status == code, text
    return text


def grid(outputs: Path, *flags: str) -> str:
    """Run `dora grid` in a fork that has torch loaded, and return what it prints."""
    words = ("-P", "bm", "grid", GRID, *flags)
    process = Command(ROOT, *words, environment=environment(outputs)).wait()
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout + process.stderr


def results(outputs: Path) -> dict[str, tuple]:
    """Return history (times aside) and weights of every experiment by its signature."""
    states = {}
    for folder in sorted((outputs / "xps").iterdir()):
        history = json.loads((folder / "history.json").read_text())
        epochs = [{k: v for k, v in entry.items() if k != "perf"} for entry in history]
        weights = folder / "best" / "model.safetensors"
        tensors = load_file(weights) if weights.exists() else {}
        states[folder.name] = epochs, {k: v.tolist() for k, v in tensors.items()}
    return states
