"""What of an experiment enters its signature: one text per value, and no key that changes nothing.

Three spellings of one value are one signature: whole numbers where a number is expected, the order
of keys of a study, and paths. Signatures of shipped grids are frozen, so two places stay as they
are written: see `AS_WRITTEN`; and numbers inside entries of lists have no default to compare with.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dora.conf import DoraConfig
from omegaconf import ListConfig, OmegaConf

#: Frozen signatures hold a whole number here, where the default is 0.0.
AS_WRITTEN = ("schedule.warmup_epochs",)
STUDIES = "dset.studies"


def is_lasting(argument: str, dora: DoraConfig) -> bool:
    """Return whether an argument belongs to the experiment and not only to one run of it.

    `show=true` that is stored with the experiment would show it for ever instead of training it.
    """
    key = argument.partition("=")[0].strip(" +~")
    if key.split(".")[0] == "hydra":
        return False
    # `wandb={mode: online}` names a group of which every key is excluded
    return not (dora.is_excluded(key) or dora.is_excluded(f"{key}.*"))


def lasting(argv: Iterable[str], dora: DoraConfig) -> list[str]:
    """Return the arguments that belong to the experiment, in order; see `is_lasting`."""
    return [argument for argument in argv if is_lasting(argument, dora)]


def canonical(
    delta: Iterable[tuple[str, Any]], defaults: Mapping[str, Any]
) -> list[tuple[str, Any]]:
    """Return the differences to the base with one spelling per value.

    Args:
        delta: dotted key -> value, and choices of groups.
        defaults: nested plain values of the base.
    """
    return [(key, _value(key, value, defaults)) for key, value in delta]


def _value(key: str, value: object, defaults: Mapping[str, Any]) -> Any:
    if key == STUDIES or key.startswith(f"{STUDIES}."):
        plain = OmegaConf.to_container(value) if isinstance(value, ListConfig) else value
        return _studies(plain) if isinstance(plain, list) else value
    default: Any = defaults
    for part in key.split("."):
        default = default.get(part) if isinstance(default, Mapping) else None
    if isinstance(default, float) and key not in AS_WRITTEN:
        return _number(value)
    numbers = isinstance(default, list) and bool(default)
    if numbers and all(isinstance(item, float) for item in default):
        return [_number(item) for item in value] if isinstance(value, Sequence) else value
    return value


def _number(value: object) -> Any:
    """Return a whole number as the float that it stands for: 1 and 1.0 are one learning rate."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _studies(entries: list[Any]) -> list[Any]:
    """Return entries with their kind first and the other keys by name, and clean paths."""
    ordered = []
    for entry in entries:
        if isinstance(entry, dict):
            keys = sorted(entry, key=lambda key: (key != "study", str(key)))
            entry = {key: _path(entry[key]) if key == "path" else entry[key] for key in keys}
        ordered.append(entry)
    return ordered


def _path(value: object) -> Any:
    """Return a path without `./`, doubled and trailing separators."""
    # not os.path.abspath: an experiment is the same wherever the command is typed
    return os.path.normpath(value) if isinstance(value, str) and value else value
