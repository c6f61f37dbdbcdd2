"""`python -m scripts.make_tables grid=NAME|sigs=[a,b] [metric=A|[A,B]] [against=VARIANT]`: tables.

Without `metric` the table shows the metrics that the evaluations of the grid's last stage name;
earlier stages (a tokenizer, a pre-training) have tables of their own with theirs. Mean ± sd over
seeds, 95 % intervals over units of evidence (people, ...) and over seeds, chance and reference
rows, published values, number of items, and with `against` (`base`, or another row) differences
and paired tests over units with Holm's correction. Markdown, CSV, LaTeX and HTML.

  python -m scripts.make_tables grid=demo.motor
  python -m scripts.make_tables grid=demo.motor metric=[accuracy,kappa] against=base
  python -m scripts.make_tables sigs=[ab12cd34,98fe76dc]
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
    sigs: Sequence[str] | None = None,
) -> int:
    """Write the tables of a grid, or of some experiments, and print the Markdown."""
    from bm.eval.experiments import of_grid, of_sigs
    from bm.eval.tables.grid import table_of_grid
    from bm.train import main

    if (grid is None) == (sigs is None):
        raise UserError("which grid? use: scripts.make_tables grid=demo.main or sigs=[a,b]")
    names = [sigs] if isinstance(sigs, str) else list(sigs or ())
    outputs = Path(main.dora.dir)
    experiments = of_grid(grid, main) if grid is not None else of_sigs(names, main)
    # The folder's name: of many signatures the first few tell them apart.
    title = grid or "-".join(names[:4])
    metrics = [metric] if isinstance(metric, str) else list(metric or ())
    path = table_of_grid(title, experiments, metrics, outputs, against)
    print(path.read_text())
    print(f"written: {path.parent}/table.{{md,csv,tex,html}}")
    return 0


if __name__ == "__main__":
    sys.exit(main_of(command))
