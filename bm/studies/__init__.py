"""Data sets by name: where files are and how their events are read."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError, nearest
from ..registry import Registry

if TYPE_CHECKING:
    from ..data.recording import Recording
    from .base import Study
    from .choice import Choice

#: name -> module; a study is a class built with its own keyword arguments, see `base.Study`.
STUDIES: Registry[Any] = Registry(
    "study",
    {
        "bci_iv_2a": "bm.studies.bci_iv_2a",
        "brennan2019": "bm.studies.brennan2019",
        "broderick2019": "bm.studies.broderick2019",
        "eegmat": "bm.studies.eegmat",
        "eegmmidb": "bm.studies.eegmmidb",
        "feis": "bm.studies.feis",
        "folder": "bm.studies.folder",
        "gwilliams2022": "bm.studies.gwilliams2022",
        "labram_h5": "bm.studies.labram_corpus",
        "mobi": "bm.studies.mobi",
        "schoffelen2019": "bm.studies.schoffelen2019",
        "seed_v": "bm.studies.seed_v",
        "simulated": "bm.studies.simulated",
        "tuab": "bm.studies.tuab",
        "tuev": "bm.studies.tuev",
    },
)


def build_study(entry: Mapping[str, Any], paths: Mapping[str, str | Path]) -> Study:
    """Build the study of one entry of `dset.studies`.

    Args:
        entry: `study` (registered name), `n_recordings` (None = all), and the study's own options.
        paths: `paths` section of the configuration; `studies` and `cache` are read.

    Raises:
        UserError: unknown study or option, with the nearest valid name.
    """
    options = {k: v for k, v in dict(entry).items() if k not in ("study", "n_recordings")}
    kind: type[Study] = STUDIES.get(entry["study"])
    names = option_names(kind)
    for name in options:
        if name not in names and not kind.checks_options:
            raise UserError(
                f"study {entry['study']}: unknown option {name!r}{nearest(name, names)}"
            )
    return kind(root=Path(paths["studies"]), cache=Path(paths["cache"]), **options)


def option_names(kind: type[Study]) -> list[str]:
    """Return what an entry of `dset.studies` may say, options of the parents included.

    `root` and `cache` are not among them: they come from `paths`.
    """
    names: list[str] = []
    for parent in kind.__mro__:
        if "__init__" not in vars(parent):
            continue
        parameters = list(inspect.signature(vars(parent)["__init__"]).parameters.values())[1:]
        names += [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return [name for name in dict.fromkeys(names) if name not in ("root", "cache")]


def recordings_of(
    entries: Iterable[Mapping[str, Any]],
    paths: Mapping[str, str | Path],
    choice: Choice | None = None,
) -> tuple[list[Recording], bool]:
    """Return recordings of several studies in order, and whether any study is simulated.

    Args:
        entries: `dset.studies`.
        paths: `paths` section of the configuration.
        choice: which of them; None = all, one study after the other.
    """
    from .choice import Choice

    lists, simulated = [], False
    for entry in entries:
        study = build_study(entry, paths)
        simulated |= study.simulated
        lists.append(list(study.recordings())[: dict(entry).get("n_recordings")])
    return (choice or Choice())(lists), simulated
