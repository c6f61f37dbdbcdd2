"""The demo grid in subprocesses: its commands, and what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[3]


GRID = "demo.tiny"


def environment(outputs: Path) -> dict[str, str]:
    own = {"BM_OUTPUTS": str(outputs), "BM_EXECUTOR": "local", "BM_SLOTS": "2"}
    dropped = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "_DORA_GIT_SAVE_DONE")
    return {**{k: v for k, v in os.environ.items() if k not in dropped}, **own}


def call(outputs: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT, env=environment(outputs), capture_output=True, text=True, timeout=200,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def grid(outputs: Path, *flags: str) -> str:
    return call(outputs, "dora", "-P", "bm", "grid", GRID, *flags)


def results(outputs: Path) -> dict[str, tuple]:
    found = {}
    for folder in sorted((outputs / "xps").iterdir()):
        history = json.loads((folder / "history.json").read_text())
        kept = [{k: v for k, v in entry.items() if k != "perf"} for entry in history]
        weights = folder / "best" / "model.safetensors"
        tensors = load_file(weights) if weights.exists() else {}
        found[folder.name] = kept, {k: v.tolist() for k, v in tensors.items()}
    return found
