"""`python -m scripts.run_eval grid=NAME|sigs=[a,b] [again=true] [slurm=true]`: evaluations.

Writes outputs/eval/<sig>/metrics.json and items.parquet of finished experiments. What is there
stays unless `again=true`; `slurm=true` makes each a job of an array, with the resources of
conf/config.yaml and the site. An experiment that failed or never ran is listed as such; exit code 1
when there is any.

  python -m scripts.run_eval grid=demo.motor
  python -m scripts.run_eval sigs=[ab12cd34,98fe76dc] again=true
  python -m scripts.run_eval grid=demo.motor slurm=true
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bm.errors import UserError

from ._arguments import main_of
from ._cluster import on_slurm


def command(
    grid: str | None = None,
    sigs: Sequence[str] | None = None,
    again: bool = False,
    slurm: bool = False,
) -> int:
    """Evaluate a grid or some signatures."""
    from bm.eval.evaluate import NO_TEST, evaluate_all
    from bm.eval.experiments import of_grid, of_sigs
    from bm.train import main

    if (grid is None) == (sigs is None):
        raise UserError("which experiments? use grid=demo.main or sigs=[ab12cd34]")
    names = [sigs] if isinstance(sigs, str) else list(sigs or ())
    experiments = of_grid(grid, main) if grid is not None else of_sigs(names, main)
    folder = Path(main.dora.dir) / "eval"
    spread = on_slurm("evaluate") if slurm else None
    outcomes = evaluate_all(experiments, folder, main, again, spread)
    # What was there already counts as success: the command may be repeated.
    return 0 if all(o.state in ("evaluated", "kept", NO_TEST) for o in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main_of(command))
