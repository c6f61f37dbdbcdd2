"""`python -m scripts.demo [grid=NAME]`: small grids on simulated data, trained, evaluated, shown.

Runs the real `dora grid` through the local queue: references first (a table within half a minute),
then a network of three seeds, then the smallest run of every family. Prints where the
table, the HiPlot page and the report are. Running it again continues what is unfinished and redoes
nothing. `grid=demo.main` shows that grid alone.

  python -m scripts.demo
  python -m scripts.demo grid=demo.tiny
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
MAIN = "demo.motor"  # whose pages are shown at the end
STEPS = ("demo.first", MAIN, "demo.families")
NEXT = (
    "dora run solver=supervised/motor_power seed=3                   # one more seed",
    "python -m scripts.experiments                                   # everything that there is",
    "dora run solver=supervised/folder 'dset.studies=[{study: folder, path: /data/mine}]'",
)


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


def show(grid: str) -> list[str]:
    """Run and evaluate a grid, print its table; return the signatures that did not finish."""
    from bm.eval.experiments import of_grid
    from bm.train import main

    run_grid(grid)
    run_eval.command(grid=grid)
    make_tables.command(grid=grid)
    return [e.sig for e in of_grid(grid, main) if e.state != "done"]


def command(grid: str | None = None) -> int:
    """Run, evaluate and show the demonstration; exit code 1 when an experiment did not finish."""
    from bm.train import main
    from bm.xp.listing import explorer_of

    started = time.monotonic()
    print("simulated data: everything below is made from equations, no recording is read")
    grids = STEPS if grid is None else (grid,)
    for name in grids:
        explorer_of(name)  # a mistyped name is one line
    unfinished: list[str] = []
    for name in grids:
        unfinished += show(name)
        print(f"{name}: {time.monotonic() - started:.0f} s since the beginning", flush=True)
    shown = MAIN if grid is None else grid
    outputs = Path(main.dora.dir).resolve()
    hiplot = write_hiplot(shown, outputs / "hiplot" / f"{shown}.html")
    report = make_report.run(shown).resolve()  # last: it leads to the other pages
    print(f"\ntable    {outputs / 'tables' / shown / 'table.md'}")
    print(f"report   {report}\nhiplot   {hiplot}")
    print(f"took {time.monotonic() - started:.0f} s; to try next:")
    print("\n".join(f"  {line}" for line in NEXT))
    if unfinished:
        print(f"did not finish: {', '.join(unfinished)}; see `dora info -f SIG -l`")
    return 1 if unfinished else 0


if __name__ == "__main__":
    sys.exit(main_of(command))
