"""Commands in a folder: `python WORDS` and `dora WORDS`, without settings of the caller."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


Dora = Callable[..., "subprocess.CompletedProcess[str]"]


def environment() -> dict[str, str]:
    """Environment of a subprocess that sees the package and no settings of the caller."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("BM_", "DORA_", "RANK"))}
    return {
        **variables,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS` in a folder."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
