"""`python -m scripts.make_report grid=NAME [metric=balanced_accuracy]`: a static page of a grid."""

from __future__ import annotations

import sys
from pathlib import Path

from bm.errors import UserError

from ._arguments import main_of


def run(grid: str, metric: str = "balanced_accuracy") -> Path:
    """Write the report of a grid and return its page."""
    from bm.eval.experiments import of_grid
    from bm.eval.report import write_report
    from bm.train import main

    folder = Path(main.dora.dir) / "report" / grid
    return write_report(grid, of_grid(grid), folder, metric)


def command(grid: str | None = None, metric: str = "balanced_accuracy") -> int:
    """Entry of the command line; prints where the page is."""
    if grid is None:
        raise UserError("which grid? use: python -m scripts.make_report grid=demo.main")
    print(f"report: {run(grid, metric)}")
    return 0


if __name__ == "__main__":
    sys.exit(main_of(command))
