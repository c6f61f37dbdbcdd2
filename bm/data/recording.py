"""What a study yields: a recording that is read lazily, and the table of its events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import mne
    import pandas as pd

Kind = Literal["eeg", "meg", "seeg", "ecog"]
EVENT_KINDS = ("block", "sound", "word", "phoneme", "sentence", "trial", "special")


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
        """One word for file names and tables, e.g. `simulated-motor_s01_ses0_r0`."""
        return f"{self.study}_{self.subject}_{self.session}_{self.run}"


class Recording(ABC):
    """One recording of a study, read only when asked.

    Attributes:
        id: who, when and where.
        source: files that the recording is read from (empty when it is made from equations).
    """

    id: RecordingId
    source: tuple[str, ...] = ()

    @abstractmethod
    def load_raw(self) -> mne.io.BaseRaw:
        """The signal in SI units (V, T) with its montage; raises `RecordingError` on a bad file."""

    @abstractmethod
    def events(self) -> pd.DataFrame:
        """Events with columns `kind, start_s, duration_s` and the kind's own (label, word, ...)."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Text that changes whenever the recording would be read differently."""
