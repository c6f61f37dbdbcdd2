"""`python -m scripts.experiments [grid=NAME] [state=done] [recipe=labram/*] ...`: what there is.

python -m scripts.experiments                          # all, newest first
python -m scripts.experiments state=unfinished
python -m scripts.experiments grid=demo.main above=0.8
python -m scripts.experiments older_days=30 state=orphaned

grid=NAME      only those that this grid has run
state=WORD     done, running, unfinished, new, orphaned (a folder that no command can address)
recipe=PATTERN, dataset=PATTERN, metric=NAME, changes=PATTERN   with * for anything
above=0.8, below=0.5            limits of the main metric of the test split
younger_days=7, older_days=30   by the last change
out=FILE.csv   writes the whole table too
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bm.errors import UserError

from ._arguments import main_of

SHOWN = ("sig", "state", "recipe", "dataset", "epochs", "metric", "value", "chance", "age", "size")


@dataclass(frozen=True)
class Request:
    """The arguments of the command."""

    grid: str | None = None
    state: str | None = None
    recipe: str | None = None
    dataset: str | None = None
    metric: str | None = None
    changes: str | None = None
    above: str | None = None
    below: str | None = None
    younger_days: str | None = None
    older_days: str | None = None
    out: str | None = None


TEXTS = ("state", "recipe", "dataset", "metric", "changes")
NUMBERS = ("above", "below", "younger_days", "older_days")


def command(request: Request) -> int:
    """Print a line per experiment."""
    from bm.eval.inventory import experiments
    from bm.train import main
    from bm.writing import write_text

    limits = {name: _number(name, getattr(request, name)) for name in NUMBERS}
    texts = {name: getattr(request, name) for name in TEXTS}
    table = experiments(request.grid, Path(main.dora.dir), **texts, **limits)
    if request.out is not None:
        write_text(Path(request.out).expanduser(), table.to_csv(index=False))
    width = shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 200
    for line in _lines(table.to_dict("records"), width):
        print(line)
    print(f"{len(table)} experiments, {table['size_mb'].sum():.0f} MB in {main.dora.dir}")
    return 0


def listing(**values: Any) -> int:
    """Run `command` with the fields of `Request` as keyword arguments."""
    return command(Request(**values))


def _number(name: str, value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        raise UserError(f"{name}={value}: not a number") from None


def _lines(rows: list[dict[str, Any]], width: int) -> list[str]:
    """Return aligned lines: text to the left, numbers to the right, what was changed at the end."""
    cells = [list(SHOWN)]
    for row in rows:
        number = {k: "" if row[k] is None or row[k] != row[k] else f"{row[k]:.3f}"
                  for k in ("value", "chance")}  # fmt: skip
        age, size = f"{row['age_days']:.1f} d", f"{row['size_mb']:.1f} MB"
        cells.append([str({**row, **number, "age": age, "size": size}[k]) for k in SHOWN])
    widths = [max(len(row[k]) for row in cells) for k in range(len(SHOWN))]
    right = {"epochs", "value", "chance", "age", "size"}
    lines = []
    for row, changes in zip(cells, ["changes", *(r["changes"] for r in rows)], strict=True):
        parts = [
            text.rjust(w) if name in right else text.ljust(w)
            for name, text, w in zip(SHOWN, row, widths, strict=True)
        ]
        lines.append("  ".join([*parts, changes])[:width].rstrip())
    return lines


if __name__ == "__main__":
    sys.exit(main_of(listing, record=Request))
