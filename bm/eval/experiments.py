"""Experiments as evaluation sees them: state, history, evaluation, configuration."""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from omegaconf import OmegaConf

from ..engine.audit import NAME as AUDIT
from ..errors import UserError
from ..xp import guard, marker
from ..xp.address import addresses, signature_of
from ..xp.files import DamagedFileError, read_evaluation, read_history, read_or_warn
from ..xp.listing import Listed, experiments

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ..xp.main import Main

logger = logging.getLogger(__name__)
State = Literal["done", "unfinished", "missing", "damaged"]


@dataclass
class Experiment:
    """One experiment read from its folder; nothing is trained or loaded onto a device.

    Attributes:
        sig: signature.
        name: short name within its grid.
        folder: of its checkpoint, history and evaluation.
        config: resolved configuration.
        state: done (finished marker present), unfinished (folder only), missing (never ran),
            damaged (its history cannot be read).
        history: one dict of stages per epoch.
    """

    sig: str
    name: str
    folder: Path
    config: DictConfig
    state: State
    history: list[dict[str, Any]] = field(default_factory=list)

    @functools.cached_property
    def solver(self) -> str:
        """Registered name of its solver, e.g. `supervised`."""
        return str(self.config.solver.name)

    @functools.cached_property
    def dataset(self) -> str:
        """Name of its data set: rows of different ones are never compared."""
        return str(self.config.dset.name)

    @property
    def simulated(self) -> bool:
        """True when any of the studies is made from equations."""
        return any(entry.study == "simulated" for entry in self.config.dset.studies)

    @property
    def upstream(self) -> set[str]:
        """Signatures of the experiments whose saved models it begins from or uses."""
        # Unresolved, four times as fast: a value taken from another key is there already.
        values: Any = OmegaConf.to_container(self.config, resolve=False)
        sigs = map(signature_of, addresses(values))
        return {sig for sig in sigs if sig is not None}

    @property
    def marks(self) -> list[str]:
        """Return what its audit says (a leak, stimuli heard before), and a change of its recipe."""
        marks = list((read_or_warn(self.folder / AUDIT) or {}).get("marks", ()))
        changed = guard.changes(self.folder, self.config) if self.state == "done" else []
        return [*marks, f"an earlier recipe ({'; '.join(changed)})"] if changed else marks

    def evaluation(self, folder: Path) -> dict[str, Any] | None:
        """Return its evaluation as plain values: metrics, chance, n_items, extra.

        Args:
            folder: evaluations by signature, as `scripts.run_eval` writes them; without one there
                the evaluation counts that the experiment itself wrote when it finished.
        """
        # `again=true` writes there alone, so that it wins.
        written = read_evaluation(folder / self.sig / "metrics.json")
        return written or read_evaluation(self.folder / "evaluation.json")


def _state(folder: Path) -> State:
    if not folder.exists():
        return "missing"
    # The marker is the last that a run writes: with it, weights and evaluation are complete.
    return "done" if marker.exists(folder) else "unfinished"


def read(listed: Listed, main: Main) -> Experiment:
    """Read one listed experiment of the project that `main` trains."""
    config, state = main.get_xp(list(listed.argv)).cfg, _state(listed.folder)
    try:
        history = read_history(listed.folder / "history.json")
    except DamagedFileError as error:
        logger.warning("%s", error)
        state, history = "damaged", []
    return Experiment(listed.sig, listed.name, listed.folder, config, state, history)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Pause the search for cycles: among a million values of configurations it takes seconds.

    The values are freed as before; only what holds itself waits until afterwards.
    """
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()


def of_grid(grid: str, main: Main) -> list[Experiment]:
    """Read all experiments of a grid, in the order of its file.

    Args:
        grid: dotted name, e.g. `demo.main`.
        main: the decorated main of the project.
    """
    with uncollected():
        return [read(listed, main) for listed in experiments(grid, main)]


def of_sigs(sigs: Sequence[str], main: Main) -> list[Experiment]:
    """Read experiments by signature.

    Args:
        sigs: signatures.
        main: the decorated main of the project.

    Raises:
        UserError: there is no experiment of such a signature here.
    """
    members = []
    for sig in sigs:
        folder = Path(main.dora.dir) / main.dora.xps / sig
        # Dora writes it when an experiment begins; without it there is nothing to resolve.
        if not (folder / ".argv.json").exists():
            raise UserError(
                f"no experiment {sig!r} in {folder.parent}; see `python -m scripts.experiments`"
            )
        xp = main.get_xp_from_sig(sig)
        # The configuration is resolved again from the arguments, as Dora itself does.
        listed = Listed(sig, tuple(xp.argv), main.get_name(xp) or sig, xp.folder)
        members.append(read(listed, main))
    return members
