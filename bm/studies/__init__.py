"""Datasets by name: where files are and how their events are read."""

from __future__ import annotations

from typing import Any

from ..registry import Registry

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


def build_study(entry: Any, paths: Any) -> Any:
    """The study of one entry of `dset.studies`.

    Args:
        entry: `study` (registered name), `n_recordings` (None = all), and the study's own options.
        paths: `paths` section of the configuration.

    Raises:
        UserError: unknown study or option, with the nearest valid name.
    """
    import inspect
    from pathlib import Path

    from ..errors import UserError, nearest

    options = {k: v for k, v in dict(entry).items() if k not in ("study", "n_recordings")}
    kind = STUDIES.get(entry["study"])
    parameters = inspect.signature(kind).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name in options:
        if name not in parameters and not takes_any:
            hint = nearest(name, parameters)
            raise UserError(f"study {entry['study']}: unknown option {name!r}{hint}")
    return kind(root=Path(paths["studies"]), cache=Path(paths["cache"]), **options)


def recordings_of(entries: Any, paths: Any, choice: Any = None) -> tuple[list[Any], bool]:
    """Recordings of several studies in order, and whether any study is simulated.

    Args:
        entries: `dset.studies`.
        paths: `paths` section of the configuration.
        choice: which of them, a `choice.Choice`; None = all, one study after the other.
    """
    from .choice import Choice

    lists, simulated = [], False
    for entry in entries:
        study = build_study(entry, paths)
        simulated |= study.simulated
        lists.append(list(study.recordings())[: dict(entry).get("n_recordings")])
    return (choice or Choice())(lists), simulated
