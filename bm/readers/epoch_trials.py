"""Trials from files of epochs: MNE's `-epo.fif` and epoched sets of EEGLAB."""

from __future__ import annotations

import functools
import warnings
from pathlib import Path

import mne
import numpy as np
import pandas as pd

from ..errors import RecordingError, nearest
from .array_names import PER_TRIAL, by_split, split_named
from .array_trials import TrialOptions, Trials, plain_values
from .edf import FETCH
from .matlab import read_matlab

#: Endings of names that are epochs and nothing else.
EPOCHS = ("-epo.fif", "_epo.fif", "-epo.fif.gz", "_epo.fif.gz")


class EpochTrials(Trials):
    """Trials of a file of epochs, with their channels, positions and bad channels.

    The label of a trial is the name of its event; of a set of EEGLAB with several events in a
    trial that of the event at time 0. Columns of MNE's metadata are subject, session, split and
    further columns.

    Args:
        path: the file.
        options: of the user; `names["label"]` is a column of the metadata here.

    Raises:
        RecordingError: damaged, no epochs, or a trial whose label is not clear.
    """

    def __init__(self, path: Path, options: TrialOptions) -> None:
        self.path, self.options = path, options
        epochs = _opened(path, path.stat().st_mtime_ns if path.exists() else 0)
        self.parts = parts_of(path)
        self.rate_hz = float(epochs.info["sfreq"])
        if options.rate_hz is not None and abs(options.rate_hz - self.rate_hz) > 1e-6:
            reason = f"rate_hz={options.rate_hz:g}, but the file says {self.rate_hz:g} Hz"
            raise RecordingError(path, reason, "leave the study's `rate_hz` out")
        self.unit = options.unit
        self.n_channels, length = len(epochs.ch_names), len(epochs.times)
        start, stop = options.crop or (0, length)
        if not 0 <= start < stop <= length:
            reason = f"crop [{start}, {stop}] of trials of {length} samples"
            raise RecordingError(path, reason, "change the study's `crop`")
        self.span, self.n_samples = (start, stop), stop - start
        self.table = self._table(epochs)

    def _table(self, epochs: mne.BaseEpochs) -> pd.DataFrame:
        table = pd.DataFrame(index=range(len(epochs)))
        metadata = epochs.metadata
        wish = self.options.names.get("label")
        if not self.options.unlabelled:
            if wish is None:
                table["label"] = event_labels(self.path, epochs)
            elif metadata is None or wish not in metadata:
                raise RecordingError(self.path, f"no column {wish!r}", "change the study's `label`")
            else:
                table["label"] = plain_values(self.path, metadata[wish].to_numpy(), str(wish))
        if metadata is None:
            return table
        for role in PER_TRIAL[1:]:
            names = by_split(self.path, map(str, metadata), role, self.options.names.get(role))
            if "" in names:
                values = plain_values(self.path, metadata[names[""]].to_numpy(), role)
                if role == "split":
                    values = [split_named(self.path, value) for value in values]
                table[role] = values
        for name in self.options.columns:
            if name not in metadata:
                reason = f"no column {name!r} in the metadata{nearest(name, map(str, metadata))}"
                raise RecordingError(self.path, reason, "change the study's `columns`")
            table[name] = metadata[name].to_numpy()
        return table

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return the trials of some rows: (n, C, T) float64, V or T."""
        epochs = _opened(self.path, self.path.stat().st_mtime_ns)
        start, stop = self.span
        # Of a long file only the epochs that are asked for are in memory.
        # By number: of MNE's `all`, channels that are marked bad are left out.
        every = np.arange(self.n_channels)
        trials = np.asarray(epochs[rows].get_data(picks=every, copy=True, verbose="error"))
        if len(trials) != len(rows):
            reason = f"{len(rows) - len(trials)} epochs are dropped while they are read"
            raise RecordingError(self.path, reason, "drop_bad() before saving the epochs")
        return trials[..., start:stop]

    def info(self, kind: str) -> mne.Info:
        """Return the file's own description of the channels."""
        return _opened(self.path, self.path.stat().st_mtime_ns).info.copy()


@functools.lru_cache(maxsize=1)
def _opened(path: Path, stamp: int) -> mne.BaseEpochs:
    if not path.is_file() or path.stat().st_size == 0:
        raise RecordingError(path, "missing or empty", FETCH)
    try:
        with warnings.catch_warnings():
            # Several events in an epoch are looked at by `event_labels`.
            warnings.simplefilter("ignore")
            if path.suffix.lower() == ".set":
                return mne.read_epochs_eeglab(path, verbose="error")
            return mne.read_epochs(path, proj=False, preload=False, verbose="error")
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:
        # MNE's readers raise anything on a damaged file.
        text = " ".join(str(error).split())[:160]
        reason = f"no epochs ({type(error).__name__}: {text})"
        raise RecordingError(path, reason, "continuous recordings are read by dset=folder") from (
            error
        )


def parts_of(path: Path) -> tuple[Path, ...]:
    """Return the files of a set of epochs: further parts of FIF (`-1`, `split-02`), `.fdt`."""
    if path.suffix.lower() == ".set":
        data = path.with_suffix(".fdt")
        return (path, data) if data.exists() else (path,)
    stem = path.name.split(".fif")[0]
    numbered = sorted(path.parent.glob(f"{stem}-[0-9]*.fif*"))
    splits = sorted(path.parent.glob(path.name.replace("split-01", "split-[0-9]*")))
    return tuple(dict.fromkeys((path, *numbered, *(splits if "split-01" in path.name else ()))))


def event_labels(path: Path, epochs: mne.BaseEpochs) -> list[str]:
    """Return the name of the event that each epoch is locked to.

    Raises:
        RecordingError: an epoch with several events, none of which is told to be at time 0.
    """
    names = {code: name for name, code in epochs.event_id.items()}
    labels = [names[code] for code in epochs.events[:, 2].tolist()]
    if path.suffix.lower() != ".set" or not any("/" in label for label in labels):
        return labels
    # MNE joins the types of all events of an epoch by slashes.
    try:
        content = read_matlab(path)
    except RecordingError:
        raise RecordingError(
            path, f"epochs with several events ({labels[0]})", "save it with -v7 in MATLAB"
        ) from None
    epoch = content["EEG"].epoch if "EEG" in content else content["epoch"]
    return [_locked(path, number, one) for number, one in enumerate(np.atleast_1d(epoch))]


def _locked(path: Path, number: int, epoch: object) -> str:
    kinds, latencies = (
        np.atleast_1d(getattr(epoch, name)) for name in ("eventtype", "eventlatency")
    )
    at_zero = np.flatnonzero(np.abs(latencies.astype(float)) < 1e-6)
    if len(at_zero) == 0:
        reason = f"epoch {number + 1} has {len(kinds)} events and none at time 0"
        raise RecordingError(path, reason, "keep the event that epochs are locked to")
    return str(kinds[at_zero[0]])
