"""Recording: what a study yields, read lazily, with the table of its events and their kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..errors import RecordingError
from ..registry import Registry

if TYPE_CHECKING:
    import mne
    import pandas as pd

Kind = Literal["eeg", "meg", "seeg", "ecog"]
#: Kinds of events -> what such an event is. A study registers those that only its family has.
EVENT_KINDS: Registry[str] = Registry("event kind", {})
#: `dset.segment.kind` for windows over whole recordings; no event is called so.
WHOLE_RECORDING = "recording"


def register_event_kind(name: str, meaning: str) -> None:
    """Make events of a kind known to `dset.segment.kind` and to tables of events.

    Called at the top of a study's module, so that a new family edits no list of another room.

    Args:
        name: as in column `kind`.
        meaning: what such an event is, in a few words.

    Raises:
        ValueError: the name has another meaning already, or stands for a whole recording.
    """
    if name == WHOLE_RECORDING:
        raise ValueError(f"event kind {name!r} stands for windows over whole recordings")
    if name in EVENT_KINDS.names() and EVENT_KINDS.get(name) != meaning:
        raise ValueError(f"event kind {name!r} is registered as {EVENT_KINDS.get(name)!r}")
    EVENT_KINDS.register(name)(meaning)


SHARED_KINDS = {
    "block": "stretch of a recording that a split keeps together",
    "sound": "stretch of an audio file that was played",
    "word": "word that was heard or read",
    "phoneme": "phoneme that was heard",
    "sentence": "sentence that was heard or read",
    "trial": "trial of an experiment, with its label",
    "special": "fixation, artefact or other mark that is no stimulus",
}
for _kind, _meaning in SHARED_KINDS.items():
    register_event_kind(_kind, _meaning)


@dataclass(frozen=True)
class RecordingId:
    """Who, when and where a recording was made; the key of everything derived from it.

    `group` is the coarsest unit that a split by people must keep together (a pair of matched
    subjects, a family); empty means the subject.
    """

    study: str
    subject: str
    session: str
    run: str
    kind: Kind = "eeg"
    group: str = ""

    @property
    def name(self) -> str:
        """One word for file names and tables, such as `simulated-motor_s01_ses0_r0`."""
        return f"{self.study}_{self.subject}_{self.session}_{self.run}"


class Recording(ABC):
    """One recording of a study, read when `load_raw` or `events` is called and not before.

    Attributes:
        id: who, when and where.
        source: files that the recording is read from (empty when it is made from equations).
        opened: size and time of change (ns) of the files that the reader opened the last time, by
            their paths. They may be more than `source`: a header names other files.
        chosen_labels: label in the file -> label, where the study was asked to choose.
    """

    id: RecordingId
    source: tuple[str, ...] = ()
    opened: Mapping[str, tuple[int, int]] = {}
    chosen_labels: Mapping[str, Any] | None = None

    @property
    def person(self) -> str:
        """Who was recorded, whatever the study is called; corpora that share people say so."""
        return f"{self.id.study}/{self.id.subject}"

    @property
    def part(self) -> str:
        """Which part of its files the recording is; empty = all of them."""
        return f"{self.id.subject}/{self.id.session}/{self.id.run}"

    @property
    def data_kind(self) -> Kind:
        """What its data channels are; of some files this is known once they are open."""
        return self.id.kind

    def signal_files(self) -> tuple[str, ...]:
        """Return the files whose content is the recording, tables beside them left out."""
        return self.source

    @abstractmethod
    def load_raw(self) -> mne.io.BaseRaw:
        """Return the signal in SI units (V, T) with its montage.

        Raises:
            RecordingError: a bad file.
        """

    @abstractmethod
    def events(self) -> pd.DataFrame:
        """Return events: `kind, start_s, duration_s` and the kind's columns (label, word, ...)."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a text that changes whenever the recording would be read differently."""


class FailedRecording(Recording):
    """A recording that was found and cannot be used: every access raises the reason.

    It takes the place of one that fails while a study is listed, so that the others are used.
    """

    def __init__(self, identity: RecordingId, error: RecordingError) -> None:
        self.id, self.error = identity, error

    def load_raw(self) -> mne.io.BaseRaw:
        """Raise the error."""
        raise self.error

    def events(self) -> pd.DataFrame:
        """Raise the error."""
        raise self.error

    def fingerprint(self) -> str:
        """Return the reason."""
        return str(self.error)
