"""Experiments that a grid file names, without a scheduler and without running anything."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import UserError, nearest

if TYPE_CHECKING:
    from dora.explore import Explorer, Launcher
    from dora.main import DecoratedMain


@dataclass(frozen=True)
class Listed:
    """Experiment of a grid: its signature, arguments, short name and folder."""

    sig: str
    argv: tuple[str, ...]
    name: str
    folder: Path


class _Recorder:
    """Stand-in for Dora's launcher while a grid function runs: it only remembers arguments."""

    def __init__(
        self, main: DecoratedMain, arguments: list[list[str]], argv: Sequence[str] = ()
    ) -> None:
        self._main, self._arguments, self._argv = main, arguments, list(argv)

    def bind_(self, *args: Any, **kwargs: Any) -> _Recorder:
        for argument in (*args, kwargs):
            self._argv += self._main.value_to_argv(argument)
        return self

    def bind(self, *args: Any, **kwargs: Any) -> _Recorder:
        return _Recorder(self._main, self._arguments, self._argv).bind_(*args, **kwargs)

    def slurm_(self, **kwargs: Any) -> _Recorder:
        return self

    def slurm(self, **kwargs: Any) -> _Recorder:
        return self.bind()

    @contextmanager
    def job_array(self) -> Iterator[None]:
        yield

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        self._arguments.append(self.bind(*args, **kwargs)._argv)


def grid_names(package: str = "grids") -> list[str]:
    """Return the dotted names of all grid files; those that begin with an underscore are none."""
    root = Path(importlib.import_module(package).__path__[0])
    files = (path.relative_to(root).with_suffix("") for path in root.rglob("*.py"))
    return sorted(
        ".".join(file.parts) for file in files if not any(p.startswith("_") for p in file.parts)
    )


def explorer_of(grid: str, package: str = "grids") -> Explorer:
    """Return the explorer of a grid; raise `UserError` with the nearest name when there is none."""
    names = grid_names(package)
    if grid not in names:
        inside = [name for name in names if name.startswith(f"{grid}.")]
        hint = f"; choose {' or '.join(inside)}" if inside else nearest(grid, names)
        raise UserError(f"unknown grid {grid!r}{hint or '; `dora grid` lists them'}")
    module = importlib.import_module(f"{package}.{grid}")
    if not hasattr(module, "explorer"):
        raise UserError(f"{module.__file__}: a grid file must define `explorer`")
    return module.explorer


def experiments(grid: str, main: DecoratedMain) -> list[Listed]:
    """Return all experiments of a grid in the order of the file, each once.

    Args:
        grid: dotted name, e.g. `demo.main`.
        main: decorated main that gives the experiments their signatures and folders.

    Raises:
        UserError: unknown grid, or a mistake in the arguments of an experiment.
    """
    # Dora's own launcher needs a shepherd, which makes folders and reads the state of every job.
    arguments: list[list[str]] = []
    explorer_of(grid, main.dora.grid_package or "grids")(
        cast("Launcher", _Recorder(main, arguments))
    )
    listed: dict[str, Listed] = {}
    for argv in arguments:
        xp = main.get_xp(argv)
        if xp.sig not in listed:  # as Dora: an experiment that a grid names twice is one
            listed[xp.sig] = Listed(xp.sig, tuple(argv), main.get_name(xp), xp.folder)
    return list(listed.values())
