"""`python -m scripts.remove sigs=[SIG,...] [yes=true]`: removes experiments, after it has asked.

Without `yes=true` it prints what would go and asks (without a terminal: stops there). What runs,
and what a remaining experiment begins from, stays. `scripts.experiments` finds what to remove.

  python -m scripts.remove sigs=[ab12cd34,98fe76dc]            # shows, asks
  python -m scripts.remove state=orphaned                      # every folder of that state
  python -m scripts.remove grid=demo.tiny dry_run=true         # shows alone
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bm.errors import UserError

from ._arguments import main_of


def command(
    sigs: Sequence[str] | None = None,
    grid: str | None = None,
    state: str | None = None,
    dry_run: bool = False,
    yes: bool = False,
) -> int:
    """Remove experiments by signature, grid or state; exit code 1 when nothing was removed."""
    from bm.eval.inventory import experiments
    from bm.eval.removal import plan_removal, remove
    from bm.train import main

    if sigs is None and grid is None and state is None:
        raise UserError("which? use sigs=[ab12cd34], grid=NAME or state=orphaned")
    root = Path(main.dora.dir)
    names = [sigs] if isinstance(sigs, str) else list(sigs or ())
    if grid is not None or state is not None:
        rows = experiments(grid, root, state=state)
        names = [s for s in rows["sig"] if not names or s in names]
    removal = plan_removal(names, root)
    for sig, reason in removal.stays.items():
        print(f"{sig} stays: {reason}")
    for folder in removal.folders:
        print(f"removes {folder}")
    print(f"{len(removal.folders)} folders, {removal.bytes / 1e6:.1f} MB")
    if dry_run or not removal.folders or not (yes or _agreed()):
        return 0 if dry_run else 1
    remove(removal, root)
    print("removed")
    return 0


def _agreed() -> bool:
    if not sys.stdin.isatty():
        print("nothing removed: say yes=true where nobody can be asked", file=sys.stderr)
        return False
    return input("remove them? [yN] ").strip().lower() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(main_of(command))
