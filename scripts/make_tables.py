"""`python -m scripts.make_tables grid=NAME [metric=A|[A,B]] [against=VARIANT]`: tables of a grid.

Without `metric` the table shows what its solvers name. Mean ± sd over seeds, 95 % interval, chance
and reference rows, published values, number of items, and with `against` (`base`, or another row)
paired tests over test items and over people with Holm's correction. Markdown, CSV, LaTeX and HTML.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bm.errors import UserError

from ._arguments import main_of


def command(
    grid: str | None = None,
    metric: str | Sequence[str] | None = None,
    against: str | None = None,
) -> int:
    """Write the tables and print the Markdown."""
    from bm.eval.experiments import of_grid
    from bm.eval.grid_table import table_of_grid
    from bm.eval.tables import default_metrics
    from bm.train import main

    if grid is None:
        raise UserError("which grid? use: python -m scripts.make_tables grid=demo.main")
    outputs = Path(main.dora.dir)
    experiments = of_grid(grid)
    if metric is None:
        metric = default_metrics(experiments, outputs / "eval")
    metrics = [metric] if isinstance(metric, str) else list(metric)
    path = table_of_grid(grid, experiments, metrics, outputs, against)
    print(path.read_text())
    print(f"written: {path.parent}/table.{{md,csv,tex,html}}")
    return 0


if __name__ == "__main__":
    sys.exit(main_of(command))
