"""Mappings whose keys the user chooses, on a command line: `dset.split.fixed={test: {...}}`.

Hydra adds a key only with `+`, merges a mapping into the default, and cannot empty one. Here a
mapping stands for itself: what the default holds besides is set to null, what it lacks is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Override

#: Keys of such mappings.
OPEN = ("dset.split.fixed",)


def is_open(argument: str) -> bool:
    """Return whether an argument sets such a mapping or something in it, without a prefix."""
    key = argument.partition("=")[0].strip()
    return any(f"{key}.".startswith(f"{name}.") for name in OPEN)


def spell_out(override: Override, plain: Mapping[str, Any]) -> list[str]:
    """Return the arguments by which Hydra does what an argument says.

    Args:
        override: of an open mapping.
        plain: nested values of the base.
    """
    key, value = str(override.key_or_group), override.value()
    if not (override.input_line or "").lstrip().startswith(key):  # +key, ~key: as it is
        return [str(override.input_line)]
    default = _value_at(plain, key)
    leaves = dict(_leaves(key, value)) if isinstance(value, Mapping) else {key: value}
    present = dict(_leaves(key, default)) if isinstance(default, Mapping) else {key: default}
    if isinstance(default, Mapping) and value is None:
        leaves = {}
    in_base = {name for name in leaves if _value_at(plain, name) is not MISSING}
    others = [name for name in present if isinstance(default, Mapping) and name not in leaves]
    # A group that is set to null is unset leaf by leaf: a group of keys cannot become a value.
    groups = {name for name in in_base if isinstance(_value_at(plain, name), Mapping)}
    leaves = {name: leaf for name, leaf in leaves.items() if name not in groups}
    if in_base == set(leaves) and not others and not groups and leaves:
        return [str(override.input_line)]
    words = [f"{name}=null" for name in others]
    return words + [
        f"{'' if name in in_base else '++'}{name}={_text(leaf)}" for name, leaf in leaves.items()
    ]


MISSING = object()


def _value_at(plain: Mapping[str, Any], key: str) -> Any:
    value: Any = plain
    for part in key.split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return MISSING
    return value


def _leaves(key: str, value: object) -> Iterator[tuple[str, Any]]:
    """Yield dotted keys of a nested mapping with their values; an empty mapping has none."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(f"{key}.{name}", inner)
    else:
        yield key, value


def _text(value: object) -> str:
    """Return a value in Hydra's grammar, texts quoted so that '01' stays one."""
    if isinstance(value, str):
        escaped = value.replace("'", "\\'")
        return f"'{escaped}'"
    if isinstance(value, Sequence):
        return f"[{','.join(map(_text, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
