"""Study `naplib`: an audiobook in natural speech with the answers of ten simulated electrodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import mne
import numpy as np
import soundfile

from ..data.hdf5 import dataset_of
from ..data.recording import RecordingId
from ..errors import RecordingError, UserError
from ..readers.event_table import frame
from ..readers.file_recording import FileRecording
from ..readers.raw import Reading
from ..writing import replacing
from . import STUDIES
from .base import Study, StudyOptions

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Unpack

FILE = "demo_data.mat"
PACKAGE = "naplib 2.6.0 on PyPI (MIT), naplib/io/sample_data/demo_data.mat in its wheel"
FETCH = f"take the file of {PACKAGE}"
#: Fields of the structure `out`, one entry a trial.
FIELDS = ("name", "resp", "dataf", "sound", "soundf", "befaft", "script", "chname")
PEAK = 0.9  # of the sounds that are written: the file states no full scale
#: The largest difference of a signal's length and its sound's, of two rounded grids.
MOST_APART_S = 0.1


@dataclass(frozen=True)
class ListeningTrial:
    """One stretch of the audiobook.

    Attributes:
        name: of the stimulus, such as stim01.
        signal: (T, C) answers of the electrodes, in no unit.
        rate_hz: of the signal.
        sound: (n,) what was heard, silence before and after included.
        sound_hz: its rate.
        silence_s: before and after the speech.
        text: words of the stretch, without times.
        channels: names.
    """

    name: str
    signal: np.ndarray
    rate_hz: float
    sound: np.ndarray
    sound_hz: int
    silence_s: tuple[float, float]
    text: str
    channels: tuple[str, ...]


def read_names(path: Path) -> list[str]:
    """Read the names of the trials of a file; nothing else of it is read.

    Raises:
        RecordingError: no readable file, or another structure.
    """
    with _opened(path) as file:
        return [_text(file[reference]) for reference in _references(file, path, "name")]


def read_trial(path: Path, number: int, *, sound: bool = True) -> ListeningTrial:
    """Read one trial.

    Args:
        path: MATLAB 7.3 file with the structure `out`.
        number: of the trial, from 0.
        sound: read the sound too; without it `ListeningTrial.sound` is empty.

    Raises:
        RecordingError: no readable file, another structure, or signal and sound of other lengths.
    """
    with _opened(path) as file:
        parts = {name: file[_references(file, path, name)[number]] for name in FIELDS}
        signal, channels = np.asarray(parts["resp"][()], float), _texts(file, parts["chname"])
        rate, sound_hz = _number(parts["dataf"]), _number(parts["soundf"])
        samples = parts["sound"].size
        wave = np.asarray(parts["sound"][()], "f4").ravel() if sound else np.zeros(0, "f4")
        before, after = np.asarray(parts["befaft"][()], float).ravel()[:2]
        name, text = _text(parts["name"]), _text(parts["script"])
    if signal.ndim != 2 or signal.shape[1] != len(channels):
        reason = f"{name}: signal of shape {signal.shape} for {len(channels)} channels"
        raise RecordingError(path, reason, FETCH)
    lengths = len(signal) / rate, samples / sound_hz
    if abs(lengths[0] - lengths[1]) > MOST_APART_S:
        reason = f"{name}: {lengths[0]:.2f} s of signal but {lengths[1]:.2f} s of sound"
        raise RecordingError(path, reason, FETCH)
    silence = float(before), float(after)
    return ListeningTrial(name, signal, rate, wave, int(sound_hz), silence, text, channels)


def _opened(path: Path) -> h5py.File:
    try:
        return h5py.File(path)
    except OSError as error:
        raise RecordingError(path, f"no readable MATLAB 7.3 file ({error})", FETCH) from None


def _references(file: h5py.File, path: Path, name: str) -> list[h5py.Reference]:
    """Return the references of a field, one a trial."""
    column = dataset_of(file, f"out/{name}")
    if column is None or column.dtype != h5py.ref_dtype:
        raise RecordingError(path, f"no field `{name}` of a structure `out`", FETCH)
    return list(column[()].ravel())


def _text(values: h5py.Dataset) -> str:
    return "".join(chr(code) for code in values[()].ravel())


def _texts(file: h5py.File, cells: h5py.Dataset) -> tuple[str, ...]:
    return tuple(_text(file[reference]) for reference in cells[()].ravel())


def _number(values: h5py.Dataset) -> float:
    return float(values[()].ravel()[0])


class AudiobookRecording(FileRecording):
    """One trial: ten channels at 100 Hz, its sound as an event, and its text."""

    number = 0
    sounds: Path = Path()

    @property
    def part(self) -> str:
        """Return which trial of the file it is."""
        return self.id.run

    def open(self) -> mne.io.BaseRaw:
        """Open the answers as V: they have no unit, and one of them is taken for 1 µV."""
        trial = read_trial(self.path, self.number, sound=False)
        info = mne.create_info(list(trial.channels), trial.rate_hz, "eeg")
        return mne.io.RawArray(trial.signal.T * 1e-6, info, verbose="error")

    def options(self) -> dict[str, Any]:
        """Return which trial it is."""
        return {"trial": self.number}

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return the sound with its file, and the trial with its `text`; words have no times."""
        trial = read_trial(self.path, self.number)
        length = min(raw.n_times / trial.rate_hz, len(trial.sound) / trial.sound_hz)
        before, after = trial.silence_s
        speech = {"start_s": before, "duration_s": length - before - after}
        return frame(
            [
                {"kind": "sound", "start_s": 0.0, "duration_s": length, "offset": 0.0,
                 "filepath": str(self.write_sound(trial))},
                {"kind": "trial", **speech, "label": trial.name, "text": trial.text},
            ]
        )  # fmt: skip

    def write_sound(self, trial: ListeningTrial) -> Path:
        """Write the sound of a trial to a file of its own, once, and return its path."""
        path = self.sounds / f"{trial.name}.wav"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            wave = trial.sound * (PEAK / max(1e-9, float(np.abs(trial.sound).max())))
            # several processes may write the same sound at once
            with replacing(path) as aside:
                soundfile.write(aside, wave, trial.sound_hz, format="WAV", subtype="PCM_16")
        return path


@STUDIES.register("naplib")
class Naplib(Study):
    """Real speech, simulated answers: 10.7 minutes of an audiobook (Mischler et al., JOSS 2023).

    The electrodes answer by ten receptive fields of time and frequency with noise added: the speech
    is natural, the signals are simulated and labelled so. The file ships with the package naplib
    2.6.0 (MIT); nothing is fetched.

    Args:
        options: see `Study`; `path` is the file, or the folder that holds `demo_data.mat`, and by
            default `<root>/naplib`.
    """

    name = "naplib"
    simulated = True

    def __init__(self, **options: Unpack[StudyOptions]) -> None:
        super().__init__(**options)
        if self.cache is None:
            raise UserError("study naplib writes sound files; set paths.cache")

    def recordings(self) -> Sequence[AudiobookRecording]:
        """Return the trials in the order of the file, as runs stim01 to stim10 of one person.

        Raises:
            UserError: no such file.
        """
        path = self.folder if self.folder.is_file() else self.folder / FILE
        if not path.is_file():
            raise UserError(
                f"study naplib: no {path}; unpack {PACKAGE}, and name it as `path` of the study"
            )
        if not self.includes("simulated"):
            return []
        return [self._recording(path, n, name) for n, name in enumerate(read_names(path))]

    def _recording(self, path: Path, number: int, name: str) -> AudiobookRecording:
        identity = RecordingId(self.name, "simulated", "0", name)
        # named after places of the scalp
        recording = AudiobookRecording(identity, path, Reading(montage="standard_1005"))
        recording.number, recording.sounds = number, Path(self.cache or "") / "naplib" / "sounds"
        return recording
