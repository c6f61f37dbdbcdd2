"""Experiments as evaluation sees them: state, history, evaluation, configuration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import UserError
from ..xp import marker
from ..xp.listing import Listed, experiments

if TYPE_CHECKING:
    from omegaconf import DictConfig

State = Literal["done", "unfinished", "missing"]


@dataclass
class Experiment:
    """One experiment read from its folder; nothing is trained or loaded onto a device.

    Attributes:
        sig: signature.
        name: short name within its grid.
        folder: where it lives.
        config: resolved configuration.
        state: done (finished marker present), unfinished (folder only), missing (never ran).
        history: one dict of stages per epoch.
    """

    sig: str
    name: str
    folder: Path
    config: DictConfig
    state: State
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def family(self) -> str:
        """First part of the recipe, e.g. `eegdiff`; selects the colour in figures."""
        return str(self.config.solver.name)

    @property
    def simulated(self) -> bool:
        """True when any of the studies is made from equations."""
        return any(entry.study == "simulated" for entry in self.config.dset.studies)


def _read_history(folder: Path) -> list[dict[str, Any]]:
    path = folder / "history.json"
    return list(json.loads(path.read_text())) if path.exists() else []


def _state(folder: Path) -> State:
    if not folder.exists():
        return "missing"
    return "done" if marker.exists(folder) else "unfinished"


def read(listed: Listed) -> Experiment:
    """Read one listed experiment."""
    from ..train import main

    xp = main.get_xp(list(listed.argv))
    return Experiment(
        listed.sig,
        listed.name,
        listed.folder,
        xp.cfg,
        _state(listed.folder),
        _read_history(listed.folder),
    )


def of_grid(grid: str) -> list[Experiment]:
    """All experiments of a grid, in the order of its file."""
    from ..train import main

    return [read(listed) for listed in experiments(grid, main)]


def of_sigs(sigs: Sequence[str]) -> list[Experiment]:
    """Experiments by signature; raises `UserError` for one that does not exist here."""
    from ..train import main

    found = []
    for sig in sigs:
        folder = Path(main.dora.dir) / main.dora.xps / sig
        if not (folder / ".argv.json").exists():
            raise UserError(f"no experiment {sig!r} in {folder.parent}; `dora info -f` lists one")
        xp = main.get_xp_from_sig(sig)
        found.append(read(Listed(sig, tuple(xp.argv), main.get_name(xp) or sig, xp.folder)))
    return found
