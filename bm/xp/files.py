"""Small files of experiments: written whole or not at all, read with one line where damaged."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..writing import write_text

__all__ = [
    "DamagedFileError",
    "read_evaluation",
    "read_history",
    "read_json",
    "read_or_warn",
    "write_json",
    "write_text",
]
logger = logging.getLogger(__name__)
READ_AGAIN_S = 0.02
EVALUATED = ("metrics", "chance")


class DamagedFileError(UserError):
    """File that does not hold what was written to it (a full disk, a power cut, a disk fault)."""


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Replace a file by `values` as JSON."""
    write_text(path, json.dumps(values, indent=1, sort_keys=True) + "\n")


def _load(path: Path, kind: type) -> Any:
    """Return the JSON in a file, None when it is absent; raise `DamagedFileError`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, kind):
            raise ValueError("another kind of content")
    except FileNotFoundError:
        return None
    except (ValueError, IsADirectoryError) as error:
        is_folder = isinstance(error, IsADirectoryError)
        reason = "a folder of this name" if is_folder else str(error).splitlines()[0][:100]
        raise DamagedFileError(f"{path}: damaged ({reason}); restore it or remove it") from None
    return content


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the content of a JSON file, None when it is absent.

    Raises:
        DamagedFileError: it is empty, cut short or of another kind.
    """
    content: dict[str, Any] | None = _load(path, dict)
    return content


def read_or_warn(path: Path) -> dict[str, Any] | None:
    """Return the content of a JSON file; None when it is absent, or damaged, which is logged."""
    try:
        return read_json(path)
    except DamagedFileError as error:
        logger.warning("%s", error)
        return None


def read_evaluation(path: Path) -> dict[str, Any] | None:
    """Return an evaluation as it was written; None when it is absent, or damaged, which is logged.

    One that holds other things is as damaged as one that is cut short.
    """
    values = read_or_warn(path)
    if values is None or all(isinstance(values.get(name), dict) for name in EVALUATED):
        return values
    logger.warning("%s: damaged (keys are missing); restore it or remove it", path)
    return None


def read_history(path: Path) -> list[dict[str, Any]]:
    """Return the epochs in a `history.json`, none when it is absent.

    Raises:
        DamagedFileError: it is empty, cut short or of another kind.
    """
    try:
        epochs = _load(path, list) or []
    except DamagedFileError:
        time.sleep(READ_AGAIN_S)  # an epoch may be appended just now
        epochs = _load(path, list) or []
    if not all(isinstance(epoch, dict) for epoch in epochs):
        raise DamagedFileError(f"{path}: damaged (no epochs); restore it or remove it")
    return list(epochs)
