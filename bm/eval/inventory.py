"""What experiments there are, from their folders alone: nothing is resolved, trained or loaded."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import UserError
from ..registry import check_known
from ..xp import holder, marker
from ..xp.address import addresses, signature_of
from ..xp.files import DamagedFileError, read_evaluation, read_history
from ..xp.guard import guard_of

#: done; running (a process holds it); unfinished (has epochs); new (arguments alone); orphaned (a
#: folder without arguments, which no command can address).
STATES = ("done", "running", "unfinished", "new", "orphaned")
COLUMNS = ("sig", "state", "recipe", "dataset", "epochs", "metric", "value", "chance", "n_items",
           "simulated", "age_days", "size_mb", "grids", "changes", "folder")  # fmt: skip
DAY_S = 86_400


def experiments(
    grid: str | None = None, outputs: str | Path | None = None, **filters: Any
) -> pd.DataFrame:
    """Return a row per experiment, newest first.

    Args:
        grid: only those that this grid has run.
        outputs: folder of all results; None = `BM_OUTPUTS`, else `./outputs`.
        filters: a column and its value or pattern (`recipe="labram/*"`, `state="done"`);
            `younger_days`, `older_days`; `above` and `below`, limits of the main metric.

    Raises:
        UserError: an unknown filter or state, or no such folder.
    """
    root = Path(outputs or os.environ.get("BM_OUTPUTS", "outputs")).expanduser()
    limits = ("younger_days", "older_days", "above", "below")
    for name in filters:
        check_known("filter", name, (*COLUMNS, *limits))
    if filters.get("state") is not None:
        check_known("state", str(filters["state"]), STATES)
    if not (root / "xps").is_dir():
        raise UserError(f"no experiment in {root}; run one, or say where with BM_OUTPUTS")
    members = grids_of(root)
    if grid is not None and grid not in set().union(*members.values(), ()):
        check_known("grid that has run", grid, set().union(*members.values(), ()))
    # A leading dot marks a folder that is half-written (`.tmp.HOST...`), no experiment.
    folders = [p for p in sorted((root / "xps").iterdir()) if p.is_dir() and p.name[:1] != "."]
    rows = [row_of(folder, members.get(folder.name, ())) for folder in folders]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if grid is not None:
        table = table[[grid in names.split(", ") for names in table["grids"]]]
    for name, value in filters.items():
        table = table[_fits(table, name, value)] if value is not None else table
    return table.sort_values("age_days", kind="stable").reset_index(drop=True)


def _fits(table: pd.DataFrame, name: str, value: Any) -> pd.Series:
    """Return which rows a filter lets through."""
    if name in ("younger_days", "older_days"):
        sign = 1 if name == "older_days" else -1
        return sign * table["age_days"] >= sign * float(value)
    if name in ("above", "below"):
        sign = 1 if name == "above" else -1
        # Without a metric the value is None; as nan it passes neither limit.
        return sign * table["value"].astype(float) >= sign * float(value)
    return table[name].map(lambda one: fnmatch(str(one), str(value))).astype(bool)


def grids_of(root: Path) -> dict[str, set[str]]:
    """Return the grids that each signature is linked in, as Dora keeps them."""
    members: dict[str, set[str]] = {}
    for folder in sorted((root / "grids").glob("*")):
        for link in folder.iterdir() if folder.is_dir() else ():
            members.setdefault(link.name, set()).add(folder.name)
    return members


def row_of(folder: Path, grids: Any = ()) -> dict[str, Any]:
    """Return the row of one experiment's folder."""
    words = arguments_of(folder)
    evaluation: Mapping[str, Any] = read_evaluation(folder / "evaluation.json") or {}
    metrics, extra = evaluation.get("metrics", {}), evaluation.get("extra", {})
    metric = next((n for n in (*extra.get("table", ()), *metrics) if n in metrics), None)
    config = guard_of(folder).get("config", {})
    recipe = next((w[7:] for w in words or () if w.startswith("solver=")), "")
    return {
        "sig": folder.name,
        "state": state_of(folder),
        "recipe": recipe or ("supervised/motor" if words is not None else ""),
        "dataset": str(config.get("dset.name", "")),
        "epochs": _epochs(folder),
        "metric": metric or "",
        "value": metrics.get(metric),
        "chance": evaluation.get("chance", {}).get(metric),
        "n_items": evaluation.get("n_items"),
        "simulated": bool(evaluation.get("simulated", False)),
        "age_days": round((time.time() - _touched(folder)) / DAY_S, 3),
        "size_mb": round(size_of(folder) / 1e6, 2),
        "grids": ", ".join(sorted(grids)),
        "changes": " ".join(w for w in words or () if not w.startswith("solver=")),
        "folder": str(folder),
    }


def arguments_of(folder: Path) -> list[str] | None:
    """Return the words that an experiment was started with, None where they are lost."""
    try:
        words = json.loads((folder / ".argv.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return [str(word) for word in words] if isinstance(words, list) else None


def state_of(folder: Path) -> str:
    """Return one of `STATES`."""
    if arguments_of(folder) is None:
        return "orphaned"
    entry = holder.read(folder)
    # The entry alone says little: a killed process leaves it behind.
    if entry is not None and holder.holds(entry):
        return "running"
    if marker.exists(folder):
        return "done"
    begun = (folder / "checkpoint.pt").exists() or (folder / "history.json").exists()
    return "unfinished" if begun else "new"


def _epochs(folder: Path) -> int:
    try:
        return len(read_history(folder / "history.json"))
    except DamagedFileError:
        return 0


def _touched(folder: Path) -> float:
    """Return when an experiment last wrote something (s)."""
    # The time of the folder also moves when a lock in it comes or goes.
    names = ("finished.json", "history.json", "checkpoint.pt", ".argv.json")
    times = [(folder / name).stat().st_mtime for name in names if (folder / name).exists()]
    return max(times) if times else folder.stat().st_mtime


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder; links are not followed."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            file = Path(path) / name
            total += 0 if file.is_symlink() else file.lstat().st_size
    return total


def downstream_of(root: Path) -> dict[str, set[str]]:
    """Return for each signature the experiments that begin from it."""
    users: dict[str, set[str]] = {}
    for folder in (root / "xps").iterdir():
        for sig in _upstream(folder):
            users.setdefault(sig, set()).add(folder.name)
    return users


def _upstream(folder: Path) -> Iterator[str]:
    config = guard_of(folder).get("config", {})
    upstream = [signature_of(value) for value in config.values()]
    upstream += [signature_of(w.partition("=")[2].strip("'\"")) for w in arguments_of(folder) or ()]
    upstream += [signature_of(address) for address in addresses(config)]
    yield from (sig for sig in upstream if sig is not None)
