"""What a model has seen: recordings, stretches, people and stimuli of its training, as a file.

The list lies beside the weights (`recordings.json`) and goes with them wherever they are copied, so
that an experiment that begins from them can be told apart from what it is tested on.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from .content import Content

if TYPE_CHECKING:
    import pandas as pd

    from .dataset import Dataset

NAME = "recordings.json"
#: Splits whose windows a model depends on: by its weights, or by the choice of the best epoch.
SPLITS = ("train", "valid")
KEYS = 256  # landmarks of a recording in the file: 4 kB

Span = tuple[float, float]


@dataclass(frozen=True)
class SeenRecording:
    """One recording and its parts that were used.

    Attributes:
        name: study, subject, session and run, for messages.
        person: who was recorded.
        content: what it is; times of `spans` are those of its files.
        spans: split -> stretches (s), in order and apart.
    """

    name: str
    person: str
    content: Content
    spans: dict[str, list[Span]]


@dataclass(frozen=True)
class Seen:
    """Everything that a model was trained and validated on, by itself or before.

    Attributes:
        recordings: of the training of the model and of those that it began from.
        sentences: split -> identifiers of sentences that were heard or read.
        audio: split -> file -> stretches that were heard (s).
        unknown: addresses of models that it began from and of which nothing is known.
    """

    recordings: list[SeenRecording] = field(default_factory=list)
    sentences: dict[str, list[str]] = field(default_factory=dict)
    audio: dict[str, dict[str, list[Span]]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @property
    def people(self) -> set[str]:
        """People whose recordings were trained on."""
        return {one.person for one in self.recordings if one.spans.get("train")}

    def joined(self, other: Seen, address: str) -> Seen:
        """Return the list with that of a model it began from, which `address` names."""
        theirs = [replace(one, name=f"{one.name} ({address})") for one in other.recordings]
        audio = {
            split: {
                name: merged([*self._heard(split, name), *other._heard(split, name)])
                for name in {**self.audio.get(split, {}), **other.audio.get(split, {})}
            }
            for split in SPLITS
        }
        sentences = {
            split: sorted({*self.sentences.get(split, ()), *other.sentences.get(split, ())})
            for split in SPLITS
        }
        return Seen([*self.recordings, *theirs], sentences, audio, [*self.unknown, *other.unknown])

    def _heard(self, split: str, name: str) -> list[Span]:
        return self.audio.get(split, {}).get(name, [])

    def to_text(self) -> str:
        """Return JSON."""
        values = asdict(self)
        for one in values["recordings"]:
            one["content"] = _plain(one["content"])
        return json.dumps({"format": 1, **values}, separators=(",", ":"))

    @classmethod
    def read(cls, folder: Path) -> Seen | None:
        """Read the list of a saved model; None when it has none.

        Raises:
            UserError: a damaged list.
        """
        path = Path(folder) / NAME
        if not path.exists():
            return None
        try:
            values = json.loads(path.read_text("utf-8"))
            recordings = [
                SeenRecording(
                    one["name"], one["person"], _content(one["content"]), _spans(one["spans"])
                )
                for one in values["recordings"]
            ]
            audio = {split: _spans(files) for split, files in values["audio"].items()}
            return cls(recordings, values["sentences"], audio, values["unknown"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: damaged ({error}); copy the model's folder again") from None


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    keys, times, bits = content["keys"], content["times_s"], 0
    while np.count_nonzero(keys & np.uint64((1 << bits) - 1) == 0) > KEYS:
        bits += 1
    regular = keys & np.uint64((1 << bits) - 1) == 0
    texts = {
        "keys": base64.b64encode(keys[regular].astype("<u8").tobytes()).decode(),
        "times_s": base64.b64encode(times[regular].astype("<f4").tobytes()).decode(),
    }
    # Where a file lay says nothing elsewhere, and may hold the name of a person.
    return {**content, **texts, "path": ""}


def _content(values: dict[str, Any]) -> Content:
    keys = np.frombuffer(base64.b64decode(values["keys"]), "<u8").astype(np.uint64)
    times = np.frombuffer(base64.b64decode(values["times_s"]), "<f4").astype(np.float32)
    return Content(**{**values, "keys": keys, "times_s": times})


def _spans(values: dict[str, Any]) -> dict[str, list[Span]]:
    return {name: [(float(a), float(b)) for a, b in spans] for name, spans in values.items()}


def merged(spans: Sequence[Span]) -> list[Span]:
    """Return stretches in order, those that touch joined."""
    if not len(spans):
        return []
    ordered = np.array(sorted(spans), float)
    reach = np.maximum.accumulate(ordered[:, 1])
    # A microsecond is less than a sample of any device: neighbours in floats are one stretch.
    first = np.concatenate([[True], ordered[1:, 0] > reach[:-1] + 1e-6])
    begins, ends = ordered[first, 0], reach[np.concatenate([first[1:], [True]])]
    return list(zip(begins.round(6).tolist(), ends.round(6).tolist(), strict=True))


def seen_by(dataset: Dataset, stimuli: pd.DataFrame) -> Seen:
    """Return what is trained and validated on.

    Args:
        dataset: of the experiment.
        stimuli: what is heard or read in its windows, see `audit.stimuli_of`.
    """
    recordings = []
    for place, rows in dataset.windows().groupby("recording", sort=True):
        signal, first = dataset.signals[int(place)], rows.iloc[0]
        if signal.content is None:
            continue
        spans = {
            split: merged(part[["begin_s", "end_s"]].to_numpy().tolist())
            for split, part in rows.groupby("split")
            if split in SPLITS
        }
        name = "/".join(str(first[column]) for column in ("study", "subject", "session", "run"))
        recordings.append(SeenRecording(name, str(first["person"]), signal.content, spans))
    sentences, audio = {}, {}
    for split in SPLITS:
        part = stimuli[stimuli["split"] == split]
        sentences[split] = sorted(set(part.loc[part["kind"] == "sentence", "name"]))
        heard = part[part["kind"] == "audio"].groupby("name")
        audio[split] = {
            str(name): merged(rows[["begin_s", "end_s"]].to_numpy().tolist())
            for name, rows in heard
        }
    return Seen(recordings, sentences, audio)
