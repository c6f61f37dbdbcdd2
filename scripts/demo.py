"""`python -m scripts.demo`: a small grid on simulated data, trained, evaluated and shown.

Runs the real `dora grid` through the local queue, then evaluates, and prints where the table, the
HiPlot page and the report are. Running it again continues what is unfinished and redoes nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from . import make_report, make_tables, run_eval
from ._arguments import main_of

ROOT = Path(__file__).resolve().parents[1]


def run_grid(grid: str) -> None:
    """Run `dora grid NAME` until everything has ended; what failed before is tried again."""
    # In a process of its own, as a user types it.
    command = [sys.executable, "-m", "dora", "-P", "bm", "grid", grid, "-i", "0.1", "-r"]
    # The caller's own settings win: the demo shows the grid on a cluster too.
    environment = {"BM_EXECUTOR": "local", "BM_SLOTS": "2", **os.environ}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def write_hiplot(grid: str, path: Path) -> Path:
    """Write the HiPlot page of a grid as one file that opens from disk."""
    from dora.hiplot import load

    os.environ.setdefault("DORA_PACKAGE", "bm")
    path.parent.mkdir(parents=True, exist_ok=True)
    load(f"explorer=MainHP {grid}").to_html(str(path))
    return path


def command(grid: str = "demo.main") -> int:
    """Run, evaluate and show a grid; exit code 1 when an experiment did not finish."""
    from bm.eval.experiments import of_grid
    from bm.train import main

    started = time.monotonic()
    print("simulated data: everything below is made from equations, no recording is read")
    run_grid(grid)
    run_eval.command(grid=grid)
    make_tables.command(grid=grid)
    outputs = Path(main.dora.dir).resolve()
    report = make_report.run(grid).resolve()
    hiplot = write_hiplot(grid, outputs / "hiplot" / f"{grid}.html")
    print(f"\ntable    {outputs / 'tables' / grid / 'table.md'}")
    print(f"report   {report}\nhiplot   {hiplot}")
    print(f"took {time.monotonic() - started:.0f} s")
    unfinished = [e.sig for e in of_grid(grid, main) if e.state != "done"]
    if unfinished:
        print(f"did not finish: {', '.join(unfinished)}; see `dora info -f SIG -l`")
    return 1 if unfinished else 0


if __name__ == "__main__":
    sys.exit(main_of(command))
