"""What a user gives to a predictor: Raw, Epochs or an array, as one recording in SI units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mne
import numpy as np
import pandas as pd

from ..data.recording import Recording, RecordingId
from ..data.signal import UNITS
from ..data.stretches import TRIAL_EDGE
from ..errors import UserError
from ..facts import DataFacts

#: Standard deviations of a channel in SI units that a kind can have, with a wide margin: scalp EEG
#: has 1e-6 to 1e-4 V, magnetometers 1e-13 to 1e-11 T.
PLAUSIBLE = {"eeg": (1e-8, 5e-3), "seeg": (1e-8, 5e-2), "ecog": (1e-8, 5e-2), "meg": (1e-16, 1e-9)}
SI = {"eeg": "V", "seeg": "V", "ecog": "V", "meg": "T"}
#: Names of units -> factor to SI, for arrays and for files that state a wrong unit.
FACTORS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "T": 1.0, "fT": 1e-15, "pT": 1e-12}


@dataclass
class InputRecording:
    """A recording that is not of a study.

    Attributes:
        raw: in V or T.
        kind: of its channels.
        trial_samples: length of each of the joined trials before resampling; None = continuous.
        tmin_s: time of a trial's first sample relative to its event.
    """

    raw: mne.io.BaseRaw
    kind: str
    trial_samples: int | None = None
    tmin_s: float | None = None

    def recording(self) -> Recording:
        """Return it in the form that preprocessing takes."""
        return _SoleRecording(self)


class _SoleRecording(Recording):
    def __init__(self, data: InputRecording) -> None:
        self.data = data
        self.id = RecordingId("given", "", "", "", data.kind)  # type: ignore[arg-type]

    def load_raw(self) -> mne.io.BaseRaw:
        return self.data.raw.copy()

    def events(self) -> pd.DataFrame:
        return pd.DataFrame({"kind": [], "start_s": [], "duration_s": []})

    def fingerprint(self) -> str:
        return "given"


def input_of(
    data: object,
    facts: DataFacts,
    sfreq: float | None,
    ch_names: Sequence[str] | None,
    unit: str | None,
) -> InputRecording:
    """Return a Raw, Epochs, or an array (C, T) or (N, C, T) as one recording.

    Args:
        data: not changed.
        facts: of the model.
        sfreq: of an array, in Hz.
        ch_names: of an array; None = those of the model, in its order.
        unit: of the values; None = V or T of MNE objects; an array must say it.

    Raises:
        UserError: something is missing, or cannot be meant.
    """
    kind = facts.kinds[0] if facts.kinds else "eeg"
    if unit is not None and (unit not in FACTORS or unit.endswith("T") != (kind == "meg")):
        names = [name for name in FACTORS if name.endswith("T") == (kind == "meg")]
        raise UserError(f"unit={unit}: use one of {', '.join(names)}")
    if isinstance(data, mne.io.BaseRaw):
        recording = InputRecording(data.copy().load_data(verbose="error"), kind)
    elif isinstance(data, mne.BaseEpochs):
        recording = _joined(data.get_data(copy=True), data.info, kind, float(data.tmin))
    else:
        recording = _of_array(np.asarray(data), facts, sfreq, ch_names, kind)
        if unit is None:
            lower = UNITS[kind][0]
            raise UserError(
                f"an array has no unit: give unit={SI[kind]!r} (as MNE has it) or unit={lower!r}"
            )
    if unit is not None and FACTORS[unit] != 1.0:
        recording.raw.apply_function(
            lambda x: x * FACTORS[unit], picks="all", channel_wise=False, verbose="error"
        )
    _check_size(recording, unit)
    return recording


def _of_array(
    values: np.ndarray,
    facts: DataFacts,
    sfreq: float | None,
    ch_names: Sequence[str] | None,
    kind: str,
) -> InputRecording:
    if values.ndim not in (2, 3) or values.dtype.kind not in "fiu":
        raise UserError(
            f"an array of shape {values.shape} and type {values.dtype}: give (channels, samples) "
            "or (windows, channels, samples) of numbers, a Raw or Epochs"
        )
    if sfreq is None:
        raise UserError(
            f"an array has no rate: give sfreq= in Hz (the model's is {facts.rate_hz:g})"
        )
    if not (np.isfinite(sfreq) and sfreq > 0):
        raise UserError(f"sfreq={sfreq}: use a rate above 0 in Hz")
    count = values.shape[-2]
    names = list(facts.channels if ch_names is None else ch_names)
    if len(names) != count:
        holder = "the model has" if ch_names is None else "ch_names has"
        raise UserError(f"the array has {count} channels, {holder} {len(names)}; give ch_names=")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"ch_names has {twice[0]!r} twice; name each channel once")
    info = mne.create_info(names, float(sfreq), "mag" if kind == "meg" else kind)
    if values.ndim == 3:
        return _joined(values.astype(float), info, kind, None)
    return InputRecording(mne.io.RawArray(values.astype(float), info, verbose="error"), kind)


def _joined(trials: np.ndarray, info: mne.Info, kind: str, tmin_s: float | None) -> InputRecording:
    """Join trials (N, C, T); filters and resampling stop at the edges, as in study `arrays`."""
    count, _, length = trials.shape
    if count == 0:
        raise UserError("there is no window in it")
    joined = np.concatenate(list(trials), axis=-1)
    raw = mne.io.RawArray(joined, info, verbose="error")
    edges = np.arange(1, count) * length / float(info["sfreq"])
    raw.set_annotations(mne.Annotations(edges, 0.0, TRIAL_EDGE))
    return InputRecording(raw, kind, length, tmin_s)


def _check_size(data: InputRecording, unit: str | None) -> None:
    """Refuse values that no amplifier gives: they are in another unit than is said."""
    low, high = PLAUSIBLE[data.kind]
    values = data.raw.get_data()
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values).all(1))[0, 0])
        raise UserError(f"channel {data.raw.ch_names[row]} holds NaN or inf; mend or leave it out")
    size = float(np.median(values.std(1)))
    if size == 0:
        raise UserError("every sample of most channels is the same: there is nothing to decode")
    if not low <= size <= high:
        reading = f"with unit={unit!r}" if unit else f"read as {SI[data.kind]}"
        raise UserError(
            f"{reading} the channels vary by {size:.2g} {SI[data.kind]} (median), which no "
            f"{data.kind.upper()} does; give the right unit=, e.g. unit={UNITS[data.kind][0]!r}"
        )
