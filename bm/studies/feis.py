"""Study `feis`: fourteen-channel EEG with imagined speech, 17 people, 16 phonemes."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import mne
import numpy as np
import pandas as pd
import soundfile

from ..data.recording import RecordingId
from ..errors import RecordingError, UserError
from ..readers.edf import FETCH
from ..readers.event_table import frame
from ..readers.file_recording import FileRecording
from ..readers.hidden import is_hidden
from ..readers.raw import Reading
from ..registry import check_known
from ..writing import replacing
from . import STUDIES
from .base import Study, StudyOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

RATE_HZ = 256
#: Columns of the tables that are electrodes, in their order.
CHANNELS = (
    *("F3", "FC5", "AF3", "F7", "T7", "P7", "O1"),
    *("O2", "P8", "T8", "F8", "AF4", "FC6", "F4"),
)
PHONEMES = (
    *("f", "fleece", "goose", "k", "m", "n", "ng", "p"),
    *("s", "sh", "t", "thought", "trap", "v", "z", "zh"),
)
STAGES = ("articulators", "stimuli", "thinking", "speaking", "resting")
#: Person 05 heard the voice of person 04: there is no archive of their own.
VOICE = {"05": "04"}
#: Rate of the spoken phonemes, which last one second each.
AUDIO_RATE_HZ = 44100


class PhonemeRecording(FileRecording):
    """All epochs of a person and stage, one second each, one after the other.

    The epochs do not follow each other in time. Each has its own mean taken off (the headset adds
    some 4200 uV), and an `EDGE boundary` annotation stands between them, which MNE's filters
    respect.
    """

    voice: Path = Path()
    sounds: Path | None = None

    def table(self) -> pd.DataFrame:
        """Read the table in the zip: one row per sample.

        Raises:
            RecordingError: no such file, a damaged one, or a column is missing.
        """
        if not self.path.exists():
            raise RecordingError(self.path, "no such file", "fetch it")
        try:
            with zipfile.ZipFile(self.path) as archive:
                tables = [name for name in archive.namelist() if name.endswith(".csv")]
                # Archives made on a Mac hold `__MACOSX/._name.csv` too.
                names = [name for name in tables if not is_hidden(Path(name).name)]
                if len(names) != 1:
                    raise RecordingError(self.path, f"holds {len(names)} tables, not 1", FETCH)
                # An empty label is missing; `null` and `nan` would be words.
                table = pd.read_csv(
                    io.BytesIO(archive.read(names[0])), keep_default_na=False, na_values=[""]
                )
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
            raise RecordingError(self.path, f"damaged: {error}", FETCH) from error
        missing = [name for name in ("Epoch", "Label", *CHANNELS) if name not in table]
        if missing:
            raise RecordingError(self.path, f"no column {missing[0]!r}", FETCH)
        numbers = table[["Epoch", *CHANNELS]].apply(pd.to_numeric, errors="coerce")
        lost = ~np.isfinite(numbers.to_numpy(float)).all(1) | table["Label"].isna().to_numpy()
        if lost.any():
            # The line of names is row 1.
            reason = f"row {int(lost.argmax()) + 2} has no label, a word or a gap ({lost.sum()} so)"
            raise RecordingError(self.path, reason, FETCH)
        return table.assign(**{name: numbers[name] for name in numbers})

    def open(self) -> mne.io.BaseRaw:
        """Join the epochs to one signal in V, each annotated with its word.

        Raises:
            RecordingError: an epoch with two labels or an unknown one, or of less than a second.
        """
        table = self.table()
        data = table[list(CHANNELS)].to_numpy(float).T * 1e-6
        epochs = epochs_of(table, self.path)
        starts = [epoch.start for epoch in epochs]
        lengths = [epoch.samples / RATE_HZ for epoch in epochs]
        for epoch in epochs:
            part = data[:, epoch.start : epoch.start + epoch.samples]
            # Offsets differ between epochs: the joined signal would jump at each of them.
            part -= part.mean(1, keepdims=True)
        info = mne.create_info(list(CHANNELS), RATE_HZ, "eeg")
        raw = mne.io.RawArray(data, info, verbose="error")
        onsets = np.array(starts) / RATE_HZ
        words = mne.Annotations(onsets, lengths, [epoch.label for epoch in epochs])
        return raw.set_annotations(words + mne.Annotations(onsets[1:], 0.0, "EDGE boundary"))

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return phonemes with label and phoneme (the word), epoch, audio (`NN.zip/<word>.wav`)."""
        notes = raw.annotations
        rows: list[dict] = []
        for onset, length, word in zip(notes.onset, notes.duration, notes.description, strict=True):
            if word in PHONEMES:
                row = {"kind": "phoneme", "start_s": float(onset), "duration_s": float(length)}
                row |= {"label": str(word), "phoneme": str(word), "epoch": len(rows)}
                rows.append({**row, "audio": f"{self.voice.name}/{word}.wav"})
        if self.sounds is not None:
            rows += [self.sound_event(row, self.sounds) for row in rows]
        return frame(rows)

    def sound_event(self, row: dict, folder: Path) -> dict:
        """Write the sound of an epoch to a file of its own, once, and return its event."""
        path = folder / self.voice.stem / f"{row['phoneme']}.wav"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Several processes may write the same sound at once.
            with replacing(path) as aside:
                soundfile.write(aside, self.audio(row["phoneme"]), AUDIO_RATE_HZ, format="WAV")
        times = {"start_s": row["start_s"], "duration_s": row["duration_s"]}
        return {"kind": "sound", **times, "filepath": str(path), "offset": 0.0}

    def audio(self, phoneme: str) -> np.ndarray:
        """Read what the person heard: (44100,) float32 in [-1, 1], 44.1 kHz.

        Raises:
            RecordingError: no archive of this voice, or no such sound in it.
        """
        check_known("phoneme", phoneme, PHONEMES)
        try:
            with zipfile.ZipFile(self.voice) as archive:
                content = io.BytesIO(archive.read(f"{phoneme}.wav"))
                samples, rate = soundfile.read(content, dtype="float32")
        except (
            OSError,
            KeyError,
            zipfile.BadZipFile,
            zlib.error,
            soundfile.SoundFileError,
        ) as error:
            raise RecordingError(self.voice, f"no sound {phoneme!r} ({error})", FETCH) from error
        if rate != AUDIO_RATE_HZ:
            raise RecordingError(self.voice, f"{phoneme}: {rate} Hz, not {AUDIO_RATE_HZ}", FETCH)
        return np.asarray(samples)


class Epoch(NamedTuple):
    """A second of the table: first row, number of samples, and its word."""

    start: int
    samples: int
    label: str


def epochs_of(table: pd.DataFrame, path: Path) -> list[Epoch]:
    """Return the epochs of a table, in their order; see `PhonemeRecording.open` for errors."""
    firsts = [0, *(np.flatnonzero(np.diff(table["Epoch"].to_numpy())) + 1).tolist(), len(table)]
    labels = table["Label"].astype(str).to_numpy()
    epochs = []
    for first, last in pairwise(firsts):
        words = set(labels[first:last])
        if len(words) != 1 or not words <= set(PHONEMES):
            raise RecordingError(path, f"epoch at row {first} is labelled {sorted(words)}", FETCH)
        if last - first < RATE_HZ:
            reason = f"truncated: epoch at row {first} has {last - first} of {RATE_HZ} samples"
            raise RecordingError(path, reason, FETCH)
        epochs.append(Epoch(first, last - first, words.pop()))
    return epochs


@STUDIES.register("feis")
class Feis(Study):
    """Heard, imagined and spoken phonemes, 14 channels at 256 Hz (Wellington and Clayton, 2019).

    Files are `<root>/feis/eeg/NN/<stage>.zip` (one CSV each) and `<root>/feis/wav/NN.zip` (the
    person's own sixteen sounds) of doi:10.5281/zenodo.3369178. Events are of kind `phoneme`, with
    the word as label. `articulators` is the second of fixation between hearing and imagining:
    expect chance there.

    Args:
        stage: articulators, stimuli, thinking, speaking or resting.
        sounds: events of kind `sound` too, with the files of what was heard.
        options: see `Study`; people are numbered from 1 to 21.
    """

    name = "feis"
    subject_type = int

    def __init__(
        self,
        *,
        stage: str = "articulators",
        sounds: bool = False,
        **options: Unpack[StudyOptions],
    ) -> None:
        super().__init__(**options)
        check_known("stage", stage, STAGES)
        if sounds and self.cache is None:
            raise UserError("study feis: sounds=true writes sound files; set paths.cache")
        self.sounds = self.cache / "feis" / "sounds" if sounds and self.cache is not None else None
        self.stage = stage

    def recordings(self) -> Sequence[PhonemeRecording]:
        """Return people in order; the group of a person is the voice that was heard.

        Raises:
            UserError: none is there.
        """
        return self.present(
            self._find,
            f"no {self.stage}.zip in {self.folder}/eeg/NN; fetch the files from "
            "https://doi.org/10.5281/zenodo.3369178 or set paths.studies (BM_DATA)",
        )

    def _find(self) -> list[PhonemeRecording]:
        recordings = []
        for path in sorted(self.folder.glob(f"eeg/[0-9][0-9]/{self.stage}.zip")):
            person = path.parent.name
            if not self.includes(person):
                continue
            voice = VOICE.get(person, person)
            identity = RecordingId(self.name, person, "0", self.stage, group=f"voice{voice}")
            reading = Reading(montage="standard_1005")
            recording = PhonemeRecording(identity, path, reading)
            recording.voice = self.folder / "wav" / f"{voice}.zip"
            recording.sounds = self.sounds
            recordings.append(recording)
        return recordings
