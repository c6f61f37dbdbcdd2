"""Study `bci_iv_2a`: four-class motor imagery of BCI Competition IV, nine people, two days."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mne
import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import mat_struct

from ..data.recording import RecordingId
from ..errors import RecordingError, UserError
from ..readers.edf import FETCH
from ..readers.event_table import frame
from ..readers.file_recording import FileRecording
from ..readers.raw import Reading
from . import STUDIES
from .base import Study, StudyOptions

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Unpack

logger = logging.getLogger(__name__)
RATE_HZ = 250
#: Order of the electrodes in the description of the data set; the GDF files name only some.
CHANNELS = (
    *("Fz", "FC3", "FC1", "FCz", "FC2", "FC4", "C5", "C3", "C1", "Cz", "C2"),
    *("C4", "C6", "CP3", "CP1", "CPz", "CP2", "CP4", "P1", "Pz", "P2", "POz"),
)
EOG = ("EOG-left", "EOG-central", "EOG-right")
CLASSES = ("left_hand", "right_hand", "feet", "tongue")
#: GDF event types: start of a trial, cues of the classes, unknown cue, rejected trial.
START, CUES, UNKNOWN, REJECTED = "768", ("769", "770", "771", "772"), "783", "1023"
#: A trial: cross at 0 s, cue at 2 s, imagery until 6 s.
TRIAL_S = 6.0
SESSIONS = {"T": "0", "E": "1"}
SITE = "https://bnci-horizon-2020.eu/database/data-sets (001-2014)"


class ImageryRecording(FileRecording):
    """A day of one person: six runs of 48 trials in one file, either format."""

    labels: Path | None = None
    drop_artefacts = False

    def open(self) -> mne.io.BaseRaw:
        """Open the signal in V; runs of a MATLAB file are joined, `EDGE boundary` between them."""
        if self.path.suffix.lower() == ".gdf":
            return fill_missing(super().open(), self.path)
        return self._open_matlab()

    def _open_matlab(self) -> mne.io.BaseRaw:
        runs = read_runs(self.path)
        info = mne.create_info([*CHANNELS, *EOG], RATE_HZ, ["eeg"] * 22 + ["eog"] * 3)
        raw = mne.io.RawArray(np.vstack([run.X for run in runs]).T * 1e-6, info, verbose="error")
        edges = np.cumsum([len(run.X) for run in runs])[:-1] / RATE_HZ
        return raw.set_annotations(mne.Annotations(edges, 0.0, "EDGE boundary"))

    def adjust(self, raw: mne.io.BaseRaw) -> None:
        """Give the electrodes their true names, by their order.

        Raises:
            RecordingError: not 22 electrodes at 250 Hz.
        """
        rate = float(raw.info["sfreq"])
        if len(raw.ch_names) != len(CHANNELS) or rate != RATE_HZ:
            reason = f"{len(raw.ch_names)} electrodes at {rate:g} Hz, not 22 at 250"
            raise RecordingError(self.path, reason, "fetch the original file")
        raw.rename_channels(dict(zip(raw.ch_names, CHANNELS, strict=True)), verbose="error")

    def options(self) -> dict[str, Any]:
        """Return whether marked trials are left out."""
        return {"drop_artefacts": self.drop_artefacts}

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return trials from their cross (0 s) on, with label (0 to 3), class, artefact."""
        trials = self._marks(raw) if self.path.suffix.lower() == ".gdf" else self._matlab_trials()
        rows = []
        for start_s, label, artefact in trials:
            if artefact and self.drop_artefacts:
                continue
            row = {"kind": "trial", "start_s": start_s, "duration_s": TRIAL_S, "label": label}
            rows.append({**row, "class": CLASSES[label], "artefact": artefact})
        return frame(rows, ("label", "class", "artefact"))

    def _matlab_trials(self) -> list[tuple[float, int, bool]]:
        trials, before = [], 0
        for run in read_runs(self.path):
            marks = zip(run.trial, run.y, run.artifacts, strict=True)
            for start, label, artefact in marks:
                # MATLAB counts from one.
                start_s = (before + int(start) - 1) / RATE_HZ
                trials.append((start_s, int(label) - 1, bool(artefact)))
            before += len(run.X)
        return trials

    def _marks(self, raw: mne.io.BaseRaw) -> list[tuple[float, int, bool]]:
        notes = raw.annotations
        times: dict[str, list[float]] = {}
        for onset, text in zip(notes.onset, notes.description, strict=True):
            times.setdefault(str(text), []).append(float(onset))
        starts = sorted(times.get(START, []))
        cues = sorted((t, i) for i, name in enumerate(CUES) for t in times.get(name, []))
        classes = [label for _, label in cues] if cues else self._true_labels()
        if len(classes) != len(starts) or not starts:
            reason = f"{len(starts)} trials (768) but {len(classes)} labels"
            raise RecordingError(self.path, reason, FETCH)
        rejected = np.array(times.get(REJECTED, []))
        # A rejected trial is marked at its start.
        near = [bool(len(rejected) and np.abs(rejected - t).min() < 0.5) for t in starts]
        return list(zip(starts, classes, near, strict=True))

    def _true_labels(self) -> list[int]:
        """Read the labels of an evaluation day, which its GDF file does not hold."""
        if self.labels is None:
            raise RecordingError(
                self.path,
                "an evaluation file without its labels",
                f"put {self.path.stem}.mat (classlabel) beside it or into true_labels/",
            )
        content = load_matlab(self.labels)
        if "classlabel" in content:
            return [int(label) - 1 for label in np.ravel(content["classlabel"])]
        return [int(label) - 1 for run in read_runs(self.labels) for label in run.y]


def load_matlab(path: Path) -> dict[str, Any]:
    """Read the variables of a MATLAB file; raise `RecordingError` when it is damaged."""
    if not path.exists() or path.stat().st_size == 0:
        raise RecordingError(path, "missing or empty", FETCH)
    try:
        return dict(loadmat(path, struct_as_record=False, squeeze_me=True))
    except Exception as error:
        # scipy raises anything from zlib.error to MatReadError on a damaged file.
        reason = f"no MATLAB file ({type(error).__name__}: {error})"
        raise RecordingError(path, reason, FETCH) from error


def read_runs(path: Path) -> list[mat_struct]:
    """Read the runs with trials of a BNCI file.

    Its variable `data` has X (samples, 25) in uV, trial (first samples), y (labels) and artifacts
    of each run.

    Raises:
        RecordingError: another content.
    """
    content = load_matlab(path)
    if "data" not in content:
        names = ", ".join(name for name in content if not name.startswith("__"))
        raise RecordingError(path, f"no variable `data` (it has {names})", f"fetch it from {SITE}")
    runs = [run for run in np.atleast_1d(content["data"]) if np.size(run.trial)]
    for run in runs:
        run.trial, run.y = np.atleast_1d(run.trial), np.atleast_1d(run.y)
        run.artifacts = np.atleast_1d(getattr(run, "artifacts", np.zeros(len(run.y))))
        same = len(run.trial) == len(run.y) == len(run.artifacts)
        if not same or run.X.ndim != 2 or run.X.shape[1] != 25 or int(run.fs) != RATE_HZ:
            reason = f"a run has X {run.X.shape}, {len(run.trial)} trials, {len(run.y)} labels"
            raise RecordingError(path, f"{reason}, {run.fs} Hz", FETCH)
    if not runs:
        raise RecordingError(path, "no run has trials", FETCH)
    return runs


def fill_missing(raw: mne.io.BaseRaw, path: Path) -> mne.io.BaseRaw:
    """Replace samples between runs, which GDF stores as the smallest number, by the channel's mean.

    They are where all channels are at their smallest value at once; each stretch is annotated
    `BAD missing` and counted in the log.
    """
    raw = raw.load_data(verbose="error")
    data = raw.get_data()
    lost = ((data == data.min(1, keepdims=True)) | np.isnan(data)).all(0)
    if not lost.any() or lost.all():
        return raw
    means = data[:, ~lost].mean(1, keepdims=True)
    raw.apply_function(lambda x: np.where(lost, means, x), picks="all", channel_wise=False)
    steps = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(int), [0]])))
    starts, stops = steps[::2] / RATE_HZ, steps[1::2] / RATE_HZ
    logger.info("%s: %d missing samples in %d stretches", path, lost.sum(), len(starts))
    notes = mne.Annotations(starts, stops - starts, "BAD missing", orig_time=raw.info["meas_date"])
    return raw.set_annotations(raw.annotations + notes)


@STUDIES.register("bci_iv_2a")
class BciIv2a(Study):
    """Imagined left hand, right hand, feet, tongue; 22 electrodes at 250 Hz (Tangermann et al.,
    Front. Neurosci. 6:55, 2012).

    Files are `<root>/bci_iv_2a/A01T.gdf` and `A01E.gdf` with the labels of the evaluation days
    (`A01E.mat` beside them or in `true_labels/`), or the MATLAB files `A01T.mat` and `A01E.mat` of
    BNCI Horizon 2020. GDF is preferred where both are there. With `moabb` installed the MATLAB
    files are fetched when none is there. Session 0 is the training day (T), 1 the evaluation
    day (E). Trials begin with the cross; the window of the reference is 3.0 to 6.0 s after it,
    samples 750 to 1499.

    Args:
        drop_artefacts: leave out the trials that the experts marked; the reference keeps them.
        options: see `Study`; people are numbered from 1 to 9.
    """

    name = "bci_iv_2a"
    subject_type = int

    def __init__(self, *, drop_artefacts: bool = False, **options: Unpack[StudyOptions]) -> None:
        super().__init__(**options)
        self.drop_artefacts = drop_artefacts

    def recordings(self) -> Sequence[ImageryRecording]:
        """Return people, each with the training and the evaluation day.

        Raises:
            UserError: none is there and none can be fetched.
        """
        numbers = ", ".join(map(str, self.subjects or range(1, 10)))
        return self.present(self._find, f"no file of person {numbers} in {self.folder}")

    def _find(self) -> list[ImageryRecording]:
        recordings = []
        for subject in range(1, 10):
            if not self.includes(subject):
                continue
            for letter, session in SESSIONS.items():
                stem = f"A{subject:02d}{letter}"
                paths = [self.folder / f"{stem}{ending}" for ending in (".gdf", ".mat")]
                path = next((p for p in paths if p.exists()), None)
                if path is not None:
                    recordings.append(self._recording(path, f"A{subject:02d}", session))
        return recordings

    def _recording(self, path: Path, subject: str, session: str) -> ImageryRecording:
        identity = RecordingId(self.name, subject, session, "0")
        truth = [self.folder / "true_labels" / f"{path.stem}.mat", self.folder / f"{path.stem}.mat"]
        labels = next((p for p in truth if p.exists() and p != path), None)
        beside = (labels,) if labels is not None else ()
        reading = Reading(montage="standard_1005")
        recording = ImageryRecording(identity, path, reading, beside)
        recording.labels, recording.drop_artefacts = labels, self.drop_artefacts
        return recording

    def download(self) -> None:
        """Fetch the MATLAB files by `moabb`.

        Raises:
            UserError: `moabb` is not installed.
        """
        try:
            from moabb.datasets import BNCI2014_001
        except ImportError:
            raise UserError(
                f"study bci_iv_2a: no A01T.gdf or A01T.mat in {self.folder}; fetch the files from "
                f"{SITE} or `pip install moabb` and run again"
            ) from None
        self.folder.mkdir(parents=True, exist_ok=True)
        dataset = BNCI2014_001()
        for subject in filter(self.includes, range(1, 10)):
            for name in dataset.data_path(subject):
                target = self.folder / Path(name).name
                # An interrupted copy must not look like a file.
                part = target.with_suffix(".part")
                shutil.copyfile(name, part)
                part.replace(target)
