"""Names of arrays: which is the signal, which the labels, and of which part of a split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import RecordingError, nearest

#: What an array is -> names that say so, in lower case.
ROLES: dict[str, tuple[str, ...]] = {
    "signal": ("signal", "signals", "x", "data", "epochs", "trials", "eeg", "meg", "seeg", "ecog"),
    "label": ("label", "labels", "y", "target", "targets", "class", "classes"),
    "subject": ("subject", "subjects", "subject_id", "subject_ids", "participant", "participants"),
    "session": ("session", "sessions", "session_id", "day", "days"),
    "split": ("split", "splits", "partition", "set"),
    "rate_hz": ("rate_hz", "rate", "fs", "sfreq", "srate", "sampling_rate", "fsample"),
    "unit": ("unit", "units"),
    "channels": ("channels", "channel_names", "ch_names", "chan_names", "electrodes", "labels_ch"),
}
#: Roles with one value for each trial.
PER_TRIAL = ("label", "subject", "session", "split")
#: Word of a split, also as part of a name (`X_train`, `testlabels`) -> split. Longer words first.
SPLIT_WORDS = {
    "training": "train",
    "validation": "valid",
    "testing": "test",
    "train": "train",
    "valid": "valid",
    "test": "test",
    "eval": "test",
    "dev": "valid",
    "val": "valid",
}


def role_of(name: str) -> tuple[str, str] | None:
    """Return the role of an array and the split that its name holds, None for another name.

    >>> role_of("train_signal"), role_of("ytest"), role_of("fs"), role_of("notes")
    (('signal', 'train'), ('label', 'test'), ('rate_hz', ''), None)
    """
    text = name.rsplit("/", 1)[-1].lower()
    for candidate, split in ((text, ""), *_without_split(text)):
        for role, names in ROLES.items():
            if candidate in names:
                return role, split
    return None


def _without_split(text: str) -> Iterable[tuple[str, str]]:
    for word, split in SPLIT_WORDS.items():
        if text.startswith(word):
            yield text[len(word) :].strip("_-. "), split
        if text.endswith(word):
            yield text[: -len(word)].strip("_-. "), split


def by_split(
    path: Path, names: Iterable[str], role: str, choice: str | Mapping[str, str] | None
) -> dict[str, str]:
    """Return split -> name of the array of a role; a single one for all has the split "".

    Args:
        path: of the file, for messages.
        names: of its arrays.
        role: one of `ROLES`.
        choice: what the user says: a name, names by split, or None.

    Raises:
        RecordingError: no array of that name, or several for one split.
    """
    names = list(names)
    if choice is not None:
        choices = {"": choice} if isinstance(choice, str) else dict(choice)
        for name in choices.values():
            if name not in names:
                reason = f"no array {name!r}{nearest(name, names)}"
                key = role if role in ROLES else "columns"
                raise RecordingError(path, reason, f"change the study's `{key}`")
        return {str(split): name for split, name in choices.items()}
    candidates: dict[str, list[str]] = {}
    for name in names:
        place = role_of(name)
        if place is not None and place[0] == role:
            candidates.setdefault(place[1], []).append(name)
    for rivals in candidates.values():
        if len(rivals) > 1:
            reason = f"{' and '.join(rivals)} could both be the {role}"
            raise RecordingError(path, reason, f"name one: the study's `{role}`")
    if "" in candidates and len(candidates) > 1:
        listed = ", ".join(name for rivals in candidates.values() for name in rivals)
        reason = f"{listed}: one {role} of all trials, and others of a split"
        raise RecordingError(path, reason, f"name one, or one for each split: the study's `{role}`")
    return {split: rivals[0] for split, rivals in candidates.items()}


def split_named(path: Path, value: object) -> str:
    """Return the split that a word of a file means.

    Raises:
        RecordingError: another word.
    """
    split = SPLIT_WORDS.get(str(value).strip().lower())
    if split is None:
        words = ", ".join(dict.fromkeys(SPLIT_WORDS.values()))
        raise RecordingError(path, f"split {value!r} is none of {words}", "rename it")
    return split
