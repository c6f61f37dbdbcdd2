"""`python -m scripts.make_leaderboard`: one static page over all experiments on disk.

The best configuration of every model (chosen by validation) on each data set, mean ranks over data
sets with their critical difference, cost against quality, and dated rows of publications. Nothing
is trained or evaluated: what is stored in the folder of results (`BM_OUTPUTS`) is read.

  python -m scripts.make_leaderboard
"""

from __future__ import annotations

import sys
from pathlib import Path

from ._arguments import main_of


def command() -> int:
    """Write the page and print where it is."""
    from bm.eval.leaderboard.sections import write_leaderboard
    from bm.train import main

    print(f"leaderboard: {write_leaderboard(Path(main.dora.dir))}")
    return 0


if __name__ == "__main__":
    sys.exit(main_of(command))
