"""`python -m scripts.make_report grid=NAME [metric=balanced_accuracy]`: a static page of a grid.

Scores, learning curves and every experiment. Without `metric` it shows the main metric of each
stage of the grid.

  python -m scripts.make_report grid=demo.motor
  python -m scripts.make_report grid=demo.motor metric=kappa
"""

from __future__ import annotations

import sys
from pathlib import Path

from bm.errors import UserError

from ._arguments import main_of


def run(grid: str, metric: str | None = None) -> Path:
    """Write the report of a grid and return its page."""
    from bm.eval.experiments import of_grid, uncollected
    from bm.eval.tables.report import write_report
    from bm.train import main

    outputs = Path(main.dora.dir)
    folder, evaluations = outputs / "report" / grid, outputs / "eval"
    with uncollected():
        return write_report(grid, of_grid(grid, main), folder, evaluations, metric)


def command(grid: str | None = None, metric: str | None = None) -> int:
    """Entry of the command line; prints where the page is."""
    if grid is None:
        raise UserError("which grid? use: python -m scripts.make_report grid=demo.main")
    print(f"report: {run(grid, metric)}")
    return 0


if __name__ == "__main__":
    sys.exit(main_of(command))
