"""Keys that `+key=value` may add: those that the configuration files name, and options in code.

Hydra adds whatever is asked for, so that `+optim.lrr=1` would train with a key that nobody reads.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

#: Section in which any key of a file of conf/dset may stand, whatever the recipe.
EVERYWHERE = "dset"
#: Sections that take the keys of another one.
ALIKE = {"dset.segment_test": "dset.segment", "probe.segment": "dset.segment"}


class AddedKeys:
    """Catalogue of the keys that may be added to an experiment.

    Args:
        folder: of the configuration.
        options: name of a solver -> keys below `solver` that it reads and no recipe names.
    """

    def __init__(self, folder: Path, options: Mapping[str, Sequence[str]]) -> None:
        self.folder, self.options = folder, options

    @functools.cached_property
    def _files(self) -> dict[str, dict[str, Any]]:
        """Contents by name in the folder without suffix: `solver/eegdiff/raw`."""
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        files = sorted(self.folder.rglob("*.yaml"))
        names = [file.relative_to(self.folder).with_suffix("").as_posix() for file in files]
        texts = [file.read_text(encoding="utf-8") for file in files]
        return {n: yaml.load(text, loader) or {} for n, text in zip(names, texts, strict=True)}

    @functools.cached_property
    def _common(self) -> set[str]:
        """Keys of data sets."""
        keys = {
            f"{EVERYWHERE}.{key}"
            for name, content in self._files.items()
            if name.startswith(f"{EVERYWHERE}/")
            for key in _keys(content)
        }
        return keys

    @functools.cached_property
    def _of_solvers(self) -> dict[str, set[str]]:
        """Keys of all recipes of a solver, by its name."""
        by_solver: dict[str, set[str]] = {name: set() for name in self.options}
        for recipe in self._files:
            if recipe.startswith("solver/"):
                content = self._with_parts(recipe)
                name = str((content.get("solver") or {}).get("name"))
                by_solver.setdefault(name, set()).update(_keys(content))
        for name, keys in by_solver.items():
            keys |= {f"solver.{option}" for option in self.options_of(name)}
        return by_solver

    def _with_parts(self, name: str) -> dict[str, Any]:
        """Return what a recipe says, with the parts of recipes and models that it is made of."""
        content = dict(self._files.get(name, {}))
        whole: dict[str, Any] = {}
        for entry in content.pop("defaults", []):
            if isinstance(entry, str) and entry.startswith("/"):
                part, _, package = entry[1:].partition("@")
                section: dict[str, Any] = self._with_parts(part)
                for key in reversed(package.split(".")) if package else ():
                    section = {key: section}
                _merge(whole, section)
        return _merge(whole, content)

    def solvers(self) -> list[str]:
        """Return the names of solvers that a recipe or an option is of."""
        return sorted(self._of_solvers)

    def options_of(self, solver: str) -> Sequence[str]:
        """Return the keys below `solver` that it reads and no recipe names."""
        return self.options.get(solver, ())

    @functools.cache  # noqa: B019  # one catalogue lives as long as the process
    def of(self, solver: str) -> set[str]:
        """Return the keys that may be added to an experiment of a solver, those of models aside."""
        of_recipes = self._of_solvers.get(solver)
        if of_recipes is None:  # a solver of the user without a recipe
            of_recipes = set().union(*self._of_solvers.values())
        keys = of_recipes | self._common
        for second, first in ALIKE.items():
            if second in keys:
                keys |= {second + key[len(first) :] for key in keys if key.startswith(f"{first}.")}
        return keys


def _keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of nested mappings, and those of the mappings themselves."""
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _keys(value, f"{prefix}{key}.")


def _merge(whole: dict[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """Put a nested mapping into another one, in place."""
    for key, value in part.items():
        if isinstance(value, Mapping) and isinstance(whole.get(key), dict):
            _merge(whole[key], value)
        else:
            whole[key] = dict(value) if isinstance(value, Mapping) else value
    return whole
