"""Configuration of an experiment from its arguments, fast: base composed once, overrides on a copy.

Hydra's own path composes every file again for every experiment, and twice with a group choice
(70-155 ms). Here the base of each choice of groups is composed once by Hydra and kept; the other
arguments are parsed by Hydra's parser and applied by Hydra's function to a copy. A test holds the
result equal to Hydra's.
"""

from __future__ import annotations

import copy
import functools
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from ..errors import UserError, nearest

#: Keys that Dora reads from the base configuration alone; on a command line they do nothing.
UNHEARD = {
    "slurm": "put it in conf/config.yaml, in the grid with launcher.slurm_(...), "
    "or use the flags -g, -p, -c of `dora grid`",
    "dora": "put it in conf/config.yaml, or set the environment variable named there",
}
#: An interpolation of another key; environment variables are the same for base and experiment.
REFERS = re.compile(r"\$\{(?!oc\.env)")


@functools.lru_cache(maxsize=1)
def _parser() -> OverridesParser:
    return OverridesParser.create()


@functools.lru_cache(maxsize=65536)
def parse(argument: str) -> Override:
    """One argument through Hydra's own parser; raises `UserError` when it cannot be read."""
    try:
        return _parser().parse_overrides([argument])[0]
    except HydraException as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"cannot read the argument {argument!r}: {reason}") from None


def simplify(argv: Iterable[str]) -> list[str]:
    """The last of arguments with the same key wins, in the order of the last ones."""
    last: dict[str, str] = {}
    for argument in argv:
        key, separator, _ = argument.partition("=")
        if not separator:
            raise UserError(f"argument {argument!r} has no '='; use key=value")
        last.pop(key.strip(), None)
        last[key.strip()] = argument
    return list(last.values())


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value of a nested mapping; empty mappings are kept as values."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{name}."))
        else:
            flat[name] = value
    return flat


@dataclass(frozen=True)
class Base:
    """What all experiments with the same choice of groups share.

    Attributes:
        config: composed configuration, never changed.
        plain: the same as nested plain values, interpolations unresolved.
        choices: (group, option) in the order of the arguments.
        interpolated: dotted keys whose value depends on other keys.
    """

    config: DictConfig
    plain: dict[str, Any]
    choices: tuple[tuple[str, str], ...]
    interpolated: frozenset[str]


class Resolver:
    """Arguments -> configuration and difference to the base.

    Args:
        compose: Hydra's composition of a list of overrides.
        groups: names of the config groups.
        folder: the configuration folder, for names of options in messages.
    """

    def __init__(
        self, compose: Callable[[list[str]], DictConfig], groups: Sequence[str], folder: Path
    ) -> None:
        self.compose = compose
        self.groups = frozenset(groups)
        self.folder = folder
        self._bases: dict[tuple[str, ...], Base] = {}
        self._lock = threading.Lock()

    def options(self, group: str) -> list[str]:
        """Names that can be chosen in a group, e.g. `supervised/motor`."""
        root = self.folder / group
        return sorted(p.relative_to(root).with_suffix("").as_posix() for p in root.rglob("*.yaml"))

    def split(self, argv: Sequence[str]) -> tuple[list[str], list[str]]:
        """Arguments that choose a group option, and the others."""
        choices = [a for a in argv if a.partition("=")[0].strip() in self.groups]
        return choices, [a for a in argv if a not in choices]

    def base(self, choices: Sequence[str]) -> Base:
        """The base of a choice of groups, composed by Hydra the first time."""
        key = tuple(choices)
        with self._lock:
            if key not in self._bases:
                self._bases[key] = self._compose_base(key)
            return self._bases[key]

    def _compose_base(self, choices: tuple[str, ...]) -> Base:
        pairs = []
        for choice in choices:
            group, _, option = choice.partition("=")
            known = self.options(group.strip())
            if option not in known:
                raise UserError(f"unknown {group} {option!r}{nearest(option, known)}")
            pairs.append((group, option))
        config = self.compose(list(choices))
        plain: Any = OmegaConf.to_container(config, resolve=False)
        interpolated = {
            name for name, v in flatten(plain).items() if isinstance(v, str) and REFERS.search(v)
        }
        return Base(config, plain, tuple(pairs), frozenset(interpolated))

    def resolve(self, argv: Sequence[str]) -> Resolution:
        """Difference of the experiment to its base at once, its configuration when asked for.

        Raises:
            UserError: unknown key, group option or value of another type than the default.
        """
        choices, rest = self.split(argv)
        base = self.base(choices)
        overrides = [parse(argument) for argument in rest]
        for override in overrides:
            check(override, base)
        return Resolution(base, overrides)


class Resolution:
    """Overrides applied to a base; only what they touch is copied until the whole is needed."""

    def __init__(self, base: Base, overrides: list[Override]) -> None:
        self.base, self.overrides = base, overrides

    @property
    def _local(self) -> bool:
        """True when nothing outside the touched first-level keys can change."""
        added = any(o.is_add() or o.is_force_add() for o in self.overrides)
        return not added and not self.base.interpolated

    def config(self) -> DictConfig:
        """The whole configuration."""
        return self._apply(copy.deepcopy(self.base.config))

    def delta(self) -> list[tuple[str, Any]]:
        """Choices of groups, then dotted keys that differ from the base, sorted in each level."""
        base = self.base.config
        if self._local:
            touched = sorted({str(o.key_or_group).split(".")[0] for o in self.overrides})
            changed = self._apply(OmegaConf.masked_copy(base, touched))
            found = difference(base, changed, touched)
        else:
            found = difference(base, self.config())
        return [*self.base.choices, *found]

    def _apply(self, config: DictConfig) -> DictConfig:
        """Apply the overrides in place by Hydra's own function."""
        OmegaConf.set_struct(config, True)
        try:
            ConfigLoaderImpl._apply_overrides_to_config(self.overrides, config)
        except HydraException as error:
            raise UserError(str(error).splitlines()[0]) from None
        return config


def check(override: Override, base: Base) -> None:
    """Raise `UserError` for an unknown key, an unheard one, or a value of another type."""
    key = str(override.key_or_group)
    first = key.split(".")[0]
    if first in UNHEARD and override.input_line is not None and "." in key:
        raise UserError(f"{override.input_line}: Dora ignores {first}.* here; {UNHEARD[first]}")
    if override.is_delete():
        raise UserError(f"{override.input_line}: a key cannot be removed; set it to null")
    if override.is_sweep_override():
        raise UserError(f"{override.input_line}: a sweep is written as a grid; see grids/")
    if override.is_add() or override.is_force_add():
        return
    default: Any = base.plain
    for part in _path(key):
        if isinstance(default, list) and part.isdigit() and int(part) < len(default):
            default = default[int(part)]
        elif isinstance(default, Mapping) and part in default:
            default = default[part]
        else:
            raise UserError(f"unknown key {key!r}{_nearest_key(key, part, default, base)}")
    _check_type(key, override.value(), default)


def _path(key: str) -> list[str]:
    return [part for part in re.split(r"[.\[\]]", key) if part]


def _nearest_key(key: str, part: str, siblings: Any, base: Base) -> str:
    """The likeliest sibling of a mistyped part, else the likeliest whole key."""
    if isinstance(siblings, Mapping):
        hint = nearest(part, siblings)
        if "did you mean" in hint:
            name = hint.split("'")[1]
            return (
                f"; did you mean {key[: len(key) - len(part)] + name!r}?"
                if key.endswith(part)
                else hint
            )
    hint = nearest(key, flatten(base.plain))
    return hint or "; `dora run show=true` prints all keys"


def _check_type(key: str, value: Any, default: Any) -> None:
    """A value must be of the type of the default; a null default accepts anything."""
    if default is None or value is None or (isinstance(default, str) and "${" in default):
        return
    if isinstance(value, str) and "${" in value:
        return
    expected: tuple[type, ...] = (type(default),)
    if isinstance(default, float) and not isinstance(value, bool):
        expected = (int, float)
    if isinstance(default, int) and isinstance(value, bool) != isinstance(default, bool):
        expected = ()
    if not isinstance(value, expected):
        wanted, given = _kind(default), _kind(value)
        hint = f"; quote it: '{key}=\"{value}\"'" if isinstance(default, str) else ""
        raise UserError(f"{key}={value}: {wanted} is expected (as {default!r}), not {given}{hint}")


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    if isinstance(value, Mapping):
        return "a mapping"
    return names.get(type(value), "a list" if isinstance(value, list) else type(value).__name__)


def difference(
    base: DictConfig, other: DictConfig, keys: Sequence[str] | None = None
) -> list[tuple[str, Any]]:
    """Dotted keys of `other` whose value differs from `base`, sorted within each level.

    Args:
        base, other: configurations; `other` may have more keys.
        keys: first-level keys to compare; None = all of `other`.
    """
    found: list[tuple[str, Any]] = []
    known = sorted(base.keys(), key=str) if keys is None else list(keys)
    for name in [*known, *sorted(set(other.keys()) - set(base.keys()), key=str)]:
        if name not in base:
            found.append((str(name), other[name]))
            continue
        before, after = base[name], other[name]
        if isinstance(before, DictConfig):
            if not isinstance(after, DictConfig):
                raise UserError(f"{name}={after}: a group of keys cannot be replaced")
            found += [(f"{name}.{key}", value) for key, value in difference(before, after)]
        elif after != before:
            found.append((str(name), after))
    return found


def set_key(config: DictConfig, key: str, value: Any) -> None:
    """Set one dotted key of a configuration, whether it is there or not."""
    with open_dict(config):
        OmegaConf.update(config, key, value)


def to_plain(config: DictConfig | ListConfig) -> Any:
    """Nested plain values with interpolations resolved."""
    return OmegaConf.to_container(config, resolve=True)
