"""Guard: an experiment is never continued with another configuration or other data in silence.

A signature holds what differs from the base; editing a default keeps it, so an old checkpoint would
be continued with new settings. The whole configuration is stored at the first run and compared.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import importlib.metadata
import logging
import math
import re
import subprocess
from collections.abc import Mapping
from fnmatch import translate
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ..errors import UserError
from ..writing import REMEDIES
from . import marker
from .files import DamagedFileError, read_json, read_or_warn, write_json
from .resolve import flatten, to_plain

logger = logging.getLogger(__name__)
NAME = "guard.json"
#: Packages whose versions move bits: arithmetic, filters, readers, networks.
PACKAGES = ("torch", "numpy", "scipy", "mne", "h5py", "diffusers", "transformers", "dora-search")
ABSENT = "(absent)"


def significant(config: DictConfig, exclude: list[str]) -> dict[str, Any]:
    """Return dotted key -> value of everything that can change a result.

    Args:
        config: resolved configuration.
        exclude: patterns of keys that cannot, as in `dora.exclude`.
    """
    excluded = _any_of(tuple(exclude))
    return {k: v for k, v in flatten(to_plain(config)).items() if not excluded.match(k)}


@functools.cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Return one expression of several patterns: of a thousand experiments each key is asked."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)")


def commit(folder: Path) -> dict[str, str]:
    """Return the commit of the checkout of `folder`, and a hash of what is not committed."""

    def git(*arguments: str) -> str:
        result = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
        return result.stdout if result.returncode == 0 else ""

    difference = git("diff", "HEAD")
    return {
        "commit": git("rev-parse", "HEAD").strip() or "unknown",
        "uncommitted": hashlib.sha256(difference.encode()).hexdigest()[:16] if difference else "",
    }


def versions() -> dict[str, str]:
    """Return the installed versions of the packages that can change bits."""
    numbers = {}
    for name in PACKAGES:
        try:
            numbers[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return numbers


def same(before: object, now: object) -> bool:
    """Return whether values are equal after a trip through JSON: tuples are lists, a NaN a NaN."""
    if isinstance(before, float) and isinstance(now, float):
        return before == now or (math.isnan(before) and math.isnan(now))
    if isinstance(before, list | tuple) and isinstance(now, list | tuple):
        return len(before) == len(now) and all(map(same, before, now))
    return bool(before == now)


def compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a readable diff of keys that have another value or are gone; added keys are fine."""
    lines = []
    for key, value in before.items():
        current = now.get(key, ABSENT)
        if key not in now or not same(value, current):
            lines.append(f"{key}: {value!r} -> {current if current is ABSENT else repr(current)}")
    return lines


def changes(folder: Path, config: DictConfig) -> list[str]:
    """Return how an experiment that ran differs from what its signature means today.

    A signature names a recipe, and a recipe may have been edited since: a result that is finished
    would be taken for one of the recipe as it is now.

    Args:
        folder: of the experiment.
        config: resolved today.
    """
    path = folder / NAME
    # Of a thousand experiments a comparison takes four seconds, a look at their times none.
    if not path.exists() or path.stat().st_mtime > _newest_recipe():
        return []
    before = guard_of(folder).get("config")
    if not before:
        return []
    return compare(before, significant(config, list(config["dora"]["exclude"])))


def warn_of_changes(folder: Path, config: DictConfig) -> None:
    """Name a finished experiment whose recipe was edited since; others go on, and are checked."""
    changed = changes(folder, config) if marker.exists(folder) else []
    if changed:
        logger.warning(
            "%s is of an earlier recipe (%s); `dora run -f %s --clear` runs it as it is now",
            *(folder.name, "; ".join(changed), folder.name),
        )


@functools.cache
def _newest_recipe() -> float:
    """Return when a file of the configuration was last changed, or came with a checkout."""
    recipes = (Path(__file__).parents[2] / "conf").rglob("*.yaml")
    return max((file.stat().st_mtime for file in recipes), default=math.inf)


def guard_of(folder: Path) -> dict[str, Any]:
    """Return what the guard has stored; empty before the first run, or damaged, which is logged."""
    path = folder / NAME
    values = read_or_warn(path) or {}
    if all(isinstance(values.get(name, {}), dict) for name in ("config", "versions")):
        return values
    logger.warning("%s: damaged (another kind of content); restore it or remove it", path)
    return {}


def read_guard(folder: Path) -> dict[str, Any] | None:
    """Return what the guard of an experiment has stored, None before its first run.

    Raises:
        DamagedFileError: it is not what `check` writes.
    """
    if read_json(folder / NAME) is None:
        return None
    values = guard_of(folder)
    if not {"config", "data_hash", "versions", "commit"} <= {*values}:
        raise DamagedFileError(
            f"{folder / NAME}: damaged (keys are missing); restore it or remove it"
        )
    return values


def check_there(folder: Path) -> None:
    """Raise `UserError` when the folder of an experiment was removed after `check` wrote to it.

    Its files would be written into a new one, which nobody could continue.
    """
    if not (folder / NAME).exists():
        raise UserError(f"{folder}: {REMEDIES[errno.ENOENT]}")


def check(
    folder: Path,
    config: Mapping[str, Any],
    data_hash: str | None = None,
    allow_change: bool = False,
) -> None:
    """Store what the experiment is at its first run; refuse another one at later runs.

    Args:
        folder: of the experiment.
        config: `significant` configuration.
        data_hash: identity of the data.
        allow_change: take the new state instead of refusing.

    Raises:
        UserError: another value, a removed key or other data, with the differences.
    """
    path = folder / NAME
    now: dict[str, Any] = {
        "config": dict(config),
        "data_hash": data_hash,
        "versions": versions(),
        **commit(Path(__file__).parent),
    }
    try:
        before = read_guard(folder)
    except DamagedFileError as error:
        if not allow_change:
            reason = str(error).removesuffix("; restore it or remove it")
            raise UserError(
                f"{reason}; it says what this experiment is: restore it, or go on without with "
                "allow_change=true"
            ) from None
        before = None
    if before is None or allow_change:
        write_json(path, now)
        return
    lines = compare(before["config"], config)
    if before["data_hash"] not in (None, data_hash):
        lines.append(f"data: {before['data_hash'][:12]} -> {str(data_hash)[:12]}")
    if lines:
        raise UserError(
            f"{folder.name} was started as another experiment: {'; '.join(lines)}. Restore these "
            "values, start afresh with --clear, or continue anyway with allow_change=true"
        )
    # Other versions may change bits but not what the experiment is: a warning, no refusal.
    for name, earlier in (*before["versions"].items(), ("commit", before["commit"])):
        current = now["commit"] if name == "commit" else now["versions"].get(name, ABSENT)
        if current != earlier:
            logger.warning("this experiment was started with %s %s, now %s", name, earlier, current)
    # Keys that are new with a default of their own are recorded, so that a later change is seen.
    if before["config"].keys() != now["config"].keys() or before["data_hash"] is None:
        merged = {**now["config"], **before["config"]}
        write_json(path, {**before, "config": merged, "data_hash": data_hash})
