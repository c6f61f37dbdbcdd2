"""Data sets by name: where files are and how their events are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..registry import Registry, as_texts, check_arguments
from .choice import Choice

if TYPE_CHECKING:
    from ..data.recording import Recording
    from .base import Study

#: Arguments of every study that come from `paths`, so that no entry may set them.
PLACES = ("root", "cache")
#: name -> module; a study is a class built with its own keyword arguments, see `base.Study`.
STUDIES: Registry[Any] = Registry(
    "study",
    {
        "arrays": "bm.studies.arrays",
        "audioeeg": "bm.studies.audioeeg",
        "bci_iv_2a": "bm.studies.bci_iv_2a",
        "brain_treebank": "bm.studies.brain_treebank",
        "brennan2019": "bm.studies.brennan2019",
        "broderick2019": "bm.studies.broderick2019",
        "cerebrovoice": "bm.studies.cerebrovoice",
        "duin": "bm.studies.duin",
        "dutch_words": "bm.studies.dutch_words",
        "eegmat": "bm.studies.eegmat",
        "eegmmidb": "bm.studies.eegmmidb",
        "feis": "bm.studies.feis",
        "folder": "bm.studies.folder",
        "gwilliams2022": "bm.studies.gwilliams2022",
        "labram_h5": "bm.studies.labram_corpus",
        "mobi": "bm.studies.mobi",
        "naplib": "bm.studies.naplib",
        "schoffelen2019": "bm.studies.schoffelen2019",
        "seed_v": "bm.studies.seed_v",
        "simulated": "bm.studies.simulated",
        "tuab": "bm.studies.tuab",
        "tuev": "bm.studies.tuev",
        "vocalmind": "bm.studies.vocalmind",
        "zuco": "bm.studies.zuco",
    },
)


def build_study(entry: Mapping[str, Any], paths: Mapping[str, Any]) -> Study:
    """Build the study of one entry of `dset.studies`.

    Args:
        entry: `study` (registered name), `n_recordings` (None = all), and the study's own options.
        paths: `paths` section of the configuration; `studies` and `cache` are read.

    Raises:
        UserError: unknown study or option, with the nearest valid name.
    """
    options = {k: v for k, v in dict(entry).items() if k not in ("study", "n_recordings")}
    kind: type[Study] = STUDIES.get(entry["study"])
    if not kind.checks_options:
        check_arguments(f"study {entry['study']}", kind, options, excluded=PLACES)
        options = as_texts(f"study {entry['study']}", kind, options)
    if isinstance(options.get("path"), str):
        options["path"] = _place(options["path"], paths.get("moved") or ())
    return kind(root=Path(paths["studies"]), cache=Path(paths["cache"]), **options)


def _place(path: str, moves: Sequence[Mapping[str, str]]) -> str:
    """Return where a folder lies now, by `paths.moved`.

    The path of the configuration stays, and with it the signature: data that are moved to another
    disk are no other experiment.
    """
    for move in moves:
        if set(move) != {"from", "to"}:
            raise UserError(f"paths.moved: {dict(move)}: {{from: /old, to: /new}} is expected")
        old = PurePath(move["from"])
        if PurePath(path).is_relative_to(old):
            return str(PurePath(move["to"]) / PurePath(path).relative_to(old))
    return path


def _checked(entries: Any) -> Iterable[Mapping[str, Any]]:
    """Return the entries of `dset.studies`; raise `UserError` unless each names a study."""
    example = "use a list of mappings, such as [{study: folder, path: /data/mine}]"
    if entries is None:
        raise UserError(f"dset.studies: there is none; {example}")
    for entry in entries:
        if not isinstance(entry, Mapping) or not entry.get("study"):
            shown = dict(entry) if isinstance(entry, Mapping) else entry
            raise UserError(f"dset.studies: {shown!r} names no study; {example}")
        if "path" in entry and not isinstance(entry["path"], str):
            raise UserError(
                f"study {entry['study']}: path={entry['path']}; use the text of a folder, in quotes"
            )
    return entries  # type: ignore[no-any-return]


def recordings_of(
    entries: Iterable[Mapping[str, Any]],
    paths: Mapping[str, Any],
    choice: Choice | None = None,
) -> tuple[list[Recording], bool]:
    """Return recordings of several studies in order, and whether any study is simulated.

    Args:
        entries: `dset.studies`.
        paths: `paths` section of the configuration.
        choice: which of them; None = all, one study after the other.
    """
    lists, simulated = [], False
    for entry in _checked(entries):
        study = build_study(entry, paths)
        simulated |= study.simulated
        count = dict(entry).get("n_recordings")
        if count is not None and (not isinstance(count, int) or count < 1):
            raise UserError(f"study {entry['study']}: n_recordings={count}; use 1 or more, or null")
        recordings = list(study.recordings())
        study.check_people([recording.id.subject for recording in recordings])
        lists.append(recordings[:count])
    return (choice or Choice())(lists), simulated
