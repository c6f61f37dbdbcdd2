"""`python -m scripts.verify grid=NAME|sigs=[a,b] [sample=N] [seed=N] [crate=FOLDER]`: seals.

Computes the hashes of all evaluated experiments and of the grid's table anew and compares them with
their seals; `sample=2` also trains two cells, drawn by `seed`, again from nothing and compares
weights, items and metrics bit by bit (same machine type, versions and BM_THREADS). `crate=FOLDER`
writes cells and table as an RO-Crate, once nothing is found. Exit code 1 when anything is found.

  python -m scripts.verify grid=demo.motor
  python -m scripts.verify grid=demo.motor sample=1
  python -m scripts.verify sigs=[ab12cd34] crate=crate
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bm.errors import UserError

from ._arguments import main_of

SHOWN = 20  # findings printed one by one


def command(
    grid: str | None = None,
    sigs: Sequence[str] | None = None,
    sample: int = 0,
    seed: int = 0,
    crate: str | None = None,
) -> int:
    """Verify the seals of a grid, or of some experiments."""
    from bm.eval.crate import write_crate
    from bm.eval.experiments import of_grid, of_sigs
    from bm.eval.rerun import rerun, sample_of
    from bm.eval.seal import check_cell, check_table
    from bm.train import main

    if (grid is None) == (sigs is None):
        raise UserError("verify what? use grid=demo.main or sigs=[ab12cd34]")
    names = [sigs] if isinstance(sigs, str) else list(sigs or ())
    experiments = of_grid(grid, main) if grid is not None else of_sigs(names, main)
    outputs = Path(main.dora.dir)
    done = [e for e in experiments if e.state == "done"]
    lines = [line for e in done for line in check_cell(e.folder, outputs / "eval" / e.sig, e.sig)]
    table = outputs / "tables" / (grid or "-".join(names[:4]))
    if table.exists():
        lines += check_table(table, outputs / "eval")
    for experiment in sample_of(done, sample, seed):
        print(f"training {experiment.sig} again")
        lines += rerun(experiment, main.get_xp_from_sig(experiment.sig).argv)
    for line in lines[:SHOWN]:
        print(f"CHANGED {line}")
    if len(lines) > SHOWN:
        print(f"... and {len(lines) - SHOWN} more")
    again = f", {min(sample, len(done))} trained again" if sample else ""
    left = f", {len(experiments) - len(done)} not finished" if len(done) < len(experiments) else ""
    print(f"{len(done)} cells{left}{again}: {f'{len(lines)} changes' if lines else 'as sealed'}")
    if crate is not None and not lines:
        print(f"written: {write_crate(Path(crate), grid or 'experiments', done, outputs, table)}")
    return 1 if lines or not done else 0


if __name__ == "__main__":
    sys.exit(main_of(command))
