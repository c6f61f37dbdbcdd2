"""`python -m scripts.make_tables grid=NAME|sigs=[a,b] [metric=A|[A,B]] [against=VARIANT]`: tables.

Without `metric` the table shows what its solvers name. Mean ± sd over seeds, 95 % interval, chance
and reference rows, number of items, and with `against` a paired test over test items with Holm's
correction. Markdown, CSV, LaTeX and HTML.
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
    from bm.eval.observer import reference
    from bm.eval.published import published_levels
    from bm.eval.tables import add_tests, cells, collect, default_metrics, write_tables
    from bm.train import main

    if (grid is None) == (sigs is None):
        raise UserError("which grid? use: scripts.make_tables grid=demo.main or sigs=[a,b]")
    names = [sigs] if isinstance(sigs, str) else list(sigs or ())
    outputs = Path(main.dora.dir)
    experiments = of_grid(grid) if grid is not None else of_sigs(names)
    title = grid or "-".join(names[:4])
    if metric is None:
        metric = default_metrics(experiments, outputs / "eval")
    main_metric, *others = [metric] if isinstance(metric, str) else metric
    rows = collect(experiments, outputs / "eval", main_metric, others)
    if against is not None:
        known = sorted({row.variant for row in rows})
        if against not in known:
            raise UserError(f"against={against}: no such row; rows: {', '.join(known)}")
        add_tests(rows, against)
    levels: dict[str, dict[str, float]] = {}
    for experiment in experiments:
        name = str(experiment.config.dset.name)
        if name not in levels and "accuracy" in main_metric:
            ideal = reference(experiment.config, outputs / "observer")
            levels[name] = {} if ideal is None else {"ideal observer": ideal}
    for name in {row.dataset for row in rows}:
        levels.setdefault(name, {}).update(published_levels(title, main_metric, name))
    table = cells(rows, main_metric, levels, others)
    path = write_tables(title, rows, table, outputs / "tables" / title)
    print(path.read_text())
    print(f"written: {path.parent}/table.{{md,csv,tex,html}}")
    return 0


if __name__ == "__main__":
    sys.exit(main_of(command))
