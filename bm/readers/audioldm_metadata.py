"""Lists of sounds with embeddings as AudioLDM and eeg2speech keep them, in JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import RecordingError, UserError, there_is

ROOT = "dataset_root.json"
SPLITS = ("train", "val", "test")
REMEDY = "mend the list, or fetch the archive again"


@dataclass(frozen=True)
class Clip:
    """One entry of a list.

    Attributes:
        split: train, val or test.
        number: place in its list, from 0.
        wave: file of the sound.
        brain: file of the brain's embedding.
        sound: file of the sound's embedding; None = none is named.
        captions: every caption of the entry.
        labels: its labels.
    """

    split: str
    number: int
    wave: Path
    brain: Path
    sound: Path | None
    captions: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


def read_clips(path: Path, name: str, base: Path) -> list[Clip]:
    """Read all lists of a data set, in the order train, val, test.

    Args:
        path: `dataset_root.json`: the folder of sounds of each data set, and where its lists are.
        name: of the data set, such as audioeeg.
        base: folder that relative paths begin at: the working directory of the original.

    Raises:
        UserError: no such data set in the file.
        RecordingError: no readable list, an entry without sound or embedding, a sound outside of
            the folder, or two entries of one list with sounds of one name, which overwrite each
            other where sounds are generated.
    """
    content = _json(path, dict)
    lists = content.get("metadata", {}).get("path", {}).get(name)
    if name not in content or not isinstance(lists, dict):
        names = content.get("metadata", {}).get("path", {})
        raise UserError(f"{path}: no data set {name!r}; {there_is(names, name)}")
    sounds = base / content[name]
    clips: list[Clip] = []
    for split in SPLITS:
        if lists.get(split):
            clips += _list(base / lists[split], split, sounds, base)
    if not clips:
        raise RecordingError(path, f"no list of {name} has an entry", REMEDY)
    return clips


def _list(path: Path, split: str, sounds: Path, base: Path) -> list[Clip]:
    entries = _json(path, dict).get("data")
    if not isinstance(entries, list):
        raise RecordingError(path, "no list `data`", REMEDY)
    clips, names = [], dict[str, int]()
    for number, entry in enumerate(entries):
        clip = _clip(path, split, number, entry, (sounds, base))
        before = names.setdefault(clip.wave.name, number)
        if before != number:
            reason = f"entries {before} and {number} are both called {clip.wave.name}"
            raise RecordingError(path, reason, "give each sound a name of its own")
        clips.append(clip)
    return clips


def _clip(path: Path, split: str, number: int, entry: Any, folders: tuple[Path, Path]) -> Clip:
    sounds, base = folders
    missing = [k for k in ("wav", "embedding") if not isinstance(entry, dict) or not entry.get(k)]
    if missing:
        raise RecordingError(path, f"entry {number} has no {missing[0]!r}", REMEDY)
    wave = PurePosixPath(entry["wav"])
    if wave.is_absolute() or ".." in wave.parts:
        reason = f"entry {number}: wav {entry['wav']!r} is not below the folder of the sounds"
        raise RecordingError(path, reason, "use paths relative to that folder")
    captions = tuple(str(v) for k, v in entry.items() if "caption" in k)
    labels = tuple(part for part in str(entry.get("labels") or "").split(",") if part)
    beside = entry.get("audio_embedding")
    return Clip(split, number, sounds / wave, base / entry["embedding"],
                base / beside if beside else None, captions, labels)  # fmt: skip


def _json(path: Path, kind: type) -> Any:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordingError(path, "no such file", REMEDY) from None
    except (ValueError, OSError) as error:
        raise RecordingError(path, f"no readable JSON ({error})", REMEDY) from None
    if not isinstance(content, kind):
        raise RecordingError(path, f"holds a {type(content).__name__}, no {kind.__name__}", REMEDY)
    return content
