"""What tells two experiments apart: configuration, data, code, scores, curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..xp.files import read_evaluation, read_history
from ..xp.guard import read_guard, same

ABSENT = "-"


def difference(first: Path, second: Path) -> dict[str, list[tuple[str, str, str]]]:
    """Return sections of rows (name, value of the first, of the second) that differ.

    Args:
        first, second: folders of experiments.

    Raises:
        UserError: a folder that has not begun.
    """
    before, after = (_guard(folder) for folder in (first, second))
    sections = {
        "configuration": _rows(before["config"], after["config"]),
        "origin": _rows(
            {k: before.get(k) for k in ("data_hash", "commit")} | before.get("versions", {}),
            {k: after.get(k) for k in ("data_hash", "commit")} | after.get("versions", {}),
        ),
        "test": _rows(*(_metrics(folder) for folder in (first, second))),
        "last epoch": _rows(*(_last(folder) for folder in (first, second))),
    }
    return {name: rows for name, rows in sections.items() if rows}


def _guard(folder: Path) -> dict[str, Any]:
    values = read_guard(folder)
    if values is None:
        raise UserError(f"{folder}: not begun yet (no guard.json); run it first")
    return values


def _metrics(folder: Path) -> dict[str, Any]:
    return dict((read_evaluation(folder / "evaluation.json") or {}).get("metrics", {}))


def _last(folder: Path) -> dict[str, Any]:
    """Return the metrics of the last epoch, and how many there are; times aside."""
    history = read_history(folder / "history.json")
    values: dict[str, Any] = {"epochs": len(history)}
    for stage in ("train", "valid"):
        metrics = (history[-1] if history else {}).get(stage) or {}
        values |= {f"{stage}.{name}": value for name, value in metrics.items()}
    return values


def _rows(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return names whose values differ, with both values as text."""
    rows, missing = [], object()
    for name in dict.fromkeys([*before, *after]):
        first, second = before.get(name, missing), after.get(name, missing)
        if not same(first, second):
            pair = [ABSENT if value is missing else text(value) for value in (first, second)]
            rows.append((name, pair[0], pair[1]))
    return rows


def text(value: object) -> str:
    """Return a value for a table, numbers with four digits, long ones cut."""
    shown = f"{value:.4g}" if isinstance(value, float) else str(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
