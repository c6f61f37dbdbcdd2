"""Montage of a recording: clean channel names, types that names reveal, electrode positions."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import mne
import numpy as np

from ..data.preprocess import OLD_NAMES, REFERENCES, standard_name
from ..errors import RecordingError, UserError, there_is
from ..registry import check_known
from .inputs import type_of
from .raw import Reading, matches

logger = logging.getLogger(__name__)
STANDARD = "standard_1005"
#: `POL` is of Nihon Kohden.
PREFIX = re.compile(r"^(EEG|SEEG|ECOG|POL)[ _-]+(?=\S)", re.IGNORECASE)
SUFFIX = re.compile(rf"\s*-\s*({'|'.join(REFERENCES)})$|\.+$", re.IGNORECASE)
TYPES_OF = {"eeg": ("eeg",), "meg": ("mag", "grad"), "seeg": ("seeg",), "ecog": ("ecog",)}


def clean_name(name: str) -> str:
    """Return a channel's name without what formats add to it.

    >>> clean_name("EEG Fp1-REF"), clean_name("Fc5."), clean_name("Cz..")
    ('Fp1', 'Fc5', 'Cz')
    """
    return SUFFIX.sub("", PREFIX.sub("", name.strip())).strip() or name


def set_types(raw: mne.io.BaseRaw, reading: Reading, kind: str) -> None:
    """Set types by the study's patterns, else by names that reveal them (EEG formats only)."""
    types = dict(zip(raw.ch_names, raw.get_channel_types(), strict=True))
    revised: dict[str, str] = {}
    named = {spelling for n in reading.channels or () for spelling in (n, standard_name(n))}
    for name, of_file in types.items():
        pattern = matches(name, reading.types)
        if pattern is not None:
            revised[name] = reading.types[pattern]
        # EDF, BDF and text formats call every channel EEG; FIF and BIDS know better.
        elif of_file == "eeg":
            listed = standard_name(clean_name(name)) in named or name in named
            guess = None if listed else type_of(clean_name(name), kind)
            revised[name] = guess or (kind if kind != "meg" else of_file)
    for pattern in reading.types:
        if not any(matches(name, [pattern]) for name in types):
            logger.warning("types: %r fits no channel; %s", pattern, there_is(types, pattern))
    changed = {name: t for name, t in revised.items() if t != types[name]}
    if changed:
        raw.set_channel_types(changed, on_unit_change="ignore", verbose="error")
    guessed = [name for name in changed if matches(name, reading.types) is None]
    aside = [name for name in guessed if changed[name] not in TYPES_OF[kind]]
    if aside:
        # a table of samples has its labels in a column
        hint = "; a column of labels is read by label_column" if reading.rate_hz else ""
        logger.warning("not taken as %s by their names: %s%s", kind, ", ".join(aside), hint)


def kind_of_types(types: Sequence[str]) -> str | None:
    """Return the kind of the only data channels among MNE's types; None when there are several."""
    kinds = {kind for kind, names in TYPES_OF.items() if any(name in types for name in names)}
    return kinds.pop() if len(kinds) == 1 else None


def pick_kind(raw: mne.io.BaseRaw, reading: Reading, path: Path, kind: str) -> mne.io.BaseRaw:
    """Pick the data channels of one kind; reference MEG, EOG, ECG, triggers are left out."""
    types = raw.get_channel_types()
    rows = [i for i, t in enumerate(types) if t in TYPES_OF[kind]]
    counts = ", ".join(f"{types.count(t)} {t}" for t in sorted(set(types)))
    if not rows:
        raise RecordingError(path, f"no {kind} channel (it has {counts})", "set the study's `kind`")
    if any(kind_of_types([t]) for t in types if t not in TYPES_OF[kind]):
        logger.warning("%s: read as %s (it has %s); `kind` says another", path, kind, counts)
    raw = raw.pick(rows, verbose="error")
    rename(raw, reading, kind)
    left_out = [
        name
        for name in raw.ch_names
        if matches(name, reading.exclude) or matches(standard_name(name), reading.exclude)
    ]
    if len(left_out) == len(raw.ch_names):
        raise RecordingError(path, "`exclude` leaves no channel", "change it")
    raw.drop_channels(left_out)
    if reading.channels is not None:
        spelling = {standard_name(name): name for name in raw.ch_names}
        names = [standard_name(clean_name(name)) for name in reading.channels]
        missing = [name for name in names if name not in spelling]
        if missing:
            raise RecordingError(path, f"no channel {missing[0]}", "change the study's `channels`")
        raw = raw.pick([spelling[name] for name in names], verbose="error")
    return raw


def rename(raw: mne.io.BaseRaw, reading: Reading, kind: str) -> None:
    """Clean names (electrodes only), then apply the study's; never two channels of one name."""
    cleaned = {name: clean_name(name) if kind != "meg" else name for name in raw.ch_names}
    # Depth electrodes are numbered by shaft (`T3` is a contact): old names are of scalp EEG.
    if kind == "eeg":
        places = standard_places()
        old = {name: new for name, new in cleaned.items() if new.upper() in OLD_NAMES}
        if reading.old_names == "keep" and old:
            names = ", ".join(old.values())
            logger.info("names of the older 10-20 system stay (old_names=keep): %s", names)
            places = {**places, **{name: name for name in OLD_NAMES}}
        cleaned = {name: places.get(new.upper(), new) for name, new in cleaned.items()}
    of_study = {
        old: reading.rename.get(old, reading.rename.get(new)) for old, new in cleaned.items()
    }
    for name in reading.rename:
        if not {*cleaned, *cleaned.values()} & {name}:
            logger.warning("rename: %r is no channel; %s", name, there_is(cleaned, name))
    cleaned |= {old: new for old, new in of_study.items() if new is not None}
    names = list(cleaned.values())
    twice = [new for new in of_study.values() if new is not None and names.count(new) > 1]
    if twice:
        raise UserError(f"rename: two channels would be {twice[0]!r}; `exclude` one of them")
    # Two channels that clean to one name (`A1-REF`, `A1-LE`) keep what the file calls them.
    values = list(cleaned.values())
    unique = {old: new if values.count(new) == 1 else old for old, new in cleaned.items()}
    _check_case(list(unique.values()), kind)
    raw.rename_channels(unique, verbose="error")


def _check_case(names: Sequence[str], kind: str) -> None:
    """Raise `UserError` for two electrodes whose names differ by case alone.

    Models keep a row for a place, however it is spelled; contacts a1 and A1 of depth electrodes
    are on two shafts.
    """
    first: dict[str, str] = {}
    for name in names if kind == "eeg" else ():
        other = first.setdefault(name.upper(), name)
        if other != name:
            raise UserError(
                f"channels {other!r} and {name!r} have one name; leave one out by the study's "
                "`exclude`, or `rename` it"
            )


def standard_montage(name: str) -> mne.channels.DigMontage:
    """Return a montage of MNE by name.

    MNE 1.13 renames `standard_*` to `colin27_*`; either name works with either version.

    Raises:
        UserError: no such montage, with the nearest name.
    """
    builtin = mne.channels.get_builtin_montages()
    old, new = name.replace("colin27_", "standard_"), name.replace("standard_", "colin27_")
    present = next((n for n in (new, old, name) if n in builtin), name)
    check_known("montage", present, builtin)
    return mne.channels.make_standard_montage(present)


@cache
def standard_places() -> Mapping[str, str]:
    """Return upper-case name -> today's spelling, for the places of the 10-05 system."""
    names = standard_montage(STANDARD).ch_names
    return {**{name.upper(): name for name in names}, **OLD_NAMES}


def place(raw: mne.io.BaseRaw, reading: Reading, path: Path, kind: str) -> None:
    """Set the positions of the electrodes; NaN where nothing is known.

    Raises:
        RecordingError: the study names a montage in which none of the channels is.
    """
    name = reading.montage
    if name is not None and name != "auto":
        montage = standard_montage(name)
        places = {n.upper() for n in montage.ch_names}
        strange = [n for n in raw.ch_names if n.upper() not in places]
        if len(strange) == len(raw.ch_names):
            raise RecordingError(
                path,
                f"none of its channels ({', '.join(strange[:4])}, ...) is in montage {name}",
                "set the study's `montage` or `rename`",
            )
        if strange:
            logger.warning("%s: no position in %s: %s", path, name, ", ".join(strange))
        raw.set_montage(montage, match_case=False, on_missing="ignore", verbose="error")
    elif name == "auto" and kind == "eeg" and not has_positions(raw):
        spelling = standard_places()
        # Half of the names must be places: caps of another numbering match a few by chance.
        if sum(n.upper() in spelling for n in raw.ch_names) * 2 >= len(raw.ch_names):
            montage = standard_montage(STANDARD)
            raw.set_montage(montage, match_case=False, on_missing="ignore", verbose="error")
        else:
            logger.warning("%s: positions unknown; give electrodes.tsv or a montage", path)
    # MNE writes zeros for "unknown", which is the centre of the head.
    for channel in raw.info["chs"]:
        if not np.any(np.nan_to_num(channel["loc"][:3])):
            channel["loc"][:3] = np.nan


def has_positions(raw: mne.io.BaseRaw) -> bool:
    """Return whether any channel has a place."""
    return any(np.any(np.nan_to_num(channel["loc"][:3])) for channel in raw.info["chs"])
