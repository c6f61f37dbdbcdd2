"""`python -m scripts.grid_state NAME`: state of every experiment of a grid, one line each.

Exit code 0: all finished; 1: some failed; 3: some are unfinished; 2: no such grid.

  python -m scripts.grid_state demo.motor
  python -m scripts.grid_state grid=demo.motor
"""

from __future__ import annotations

import sys

from bm.errors import UserError

from ._arguments import main_of

FAILED = ("FAILED", "CANCELLED", "OUT_OF_MEMORY", "TIMEOUT", "NODE_FAIL", "MISSING")


def command(grid: str | None = None) -> int:
    """Print the states and return the exit code."""
    from dora.shep import Sheep

    from bm.train import main
    from bm.xp import marker
    from bm.xp.listing import experiments

    if grid is None:
        raise UserError("which grid? use: python -m scripts.grid_state demo.main")
    states = []
    for listed in experiments(grid, main):
        xp = main.get_xp(list(listed.argv))
        # The marker first: an experiment that `dora run` finished has no job to ask.
        finished = marker.exists(listed.folder)
        state = "COMPLETED" if finished else Sheep(xp).state() or "NEW"
        states.append(state)
        print(f"{listed.sig}  {state:<10}  epoch {len(main.get_xp_history(xp)):>4}  {listed.name}")
    if any(state in FAILED for state in states):
        return 1
    return 0 if all(state == "COMPLETED" for state in states) else 3


if __name__ == "__main__":
    words = [w if "=" in w or w.startswith("-") else f"grid={w}" for w in sys.argv[1:]]
    sys.exit(main_of(command, words))
