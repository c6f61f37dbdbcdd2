"""Signal: one preprocessed recording as windows are cut from it, and how it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..errors import RecordingError, UserError
from .chunks import STRETCH, apply_in_chunks, is_long
from .content import Content
from .faults import of_recording
from .layout import INVALID, sensor_layout
from .preprocess import apply_steps, cropped, is_cropped, shift_of, standard_name
from .recording import Recording
from .stretches import Stretch, mark_joins, moved, stretches_of
from .trial_copies import mark_shared

#: Of each kind: name and factor from SI units to those of signals: microvolt, for MEG femtotesla.
UNITS = {"eeg": ("uV", 1e6), "seeg": ("uV", 1e6), "ecog": ("uV", 1e6), "meg": ("fT", 1e15)}


@dataclass(frozen=True)
class Signal:
    """One preprocessed recording, with a selection of its channels.

    Attributes:
        data: (T, C') float32, memory-mapped when it comes from the store.
        channels: C names, in the order of `rows`.
        kinds: C channel kinds (eeg, meg, seeg, ecog).
        positions: (C, 3) float32 metres, NaN where unknown; with `positions: layout` in the
            recipe x, y (see `layout`) and 0.
        rate_hz: sampling rate.
        unit: uV or fT.
        events: its event table.
        identity: changes whenever data or events would.
        columns: (C,) columns of `data` that are served; None = all, C = C'.
        shift_s: seconds that were cut off the front.
        content: what the recording is, whatever it is called; None = not known.
        empty: zero channels that are served after them, see `select_padded`; they count in
            `channels`, `kinds` and `positions`.
        bads: channels of the stored data that are flat, copies, far from the unit, or marked bad.
        stretches: marked bad, and joins; seconds from the first sample.
    """

    data: Tensor
    channels: tuple[str, ...]
    kinds: tuple[str, ...]
    positions: np.ndarray
    rate_hz: float
    unit: str
    events: pd.DataFrame
    identity: str
    columns: Tensor | None = None
    empty: int = 0
    bads: tuple[str, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    shift_s: float = 0.0
    content: Content | None = None

    @property
    def samples(self) -> int:
        """T."""
        return len(self.data)

    def rows(self, start: int, length: int) -> Tensor:
        """Return (length, C) samples from `start` on; a view unless columns are selected."""
        return self._served(self.data[start : start + length])

    def at(self, samples: Tensor) -> Tensor:
        """Return (n, C) copies of the samples numbered `samples`."""
        return self._served(self.data.index_select(0, samples))

    def every(self, stride: int) -> Tensor:
        """Return every `stride`-th sample: (ceil(T / stride), C)."""
        return self._served(self.data[::stride])

    def _served(self, part: Tensor) -> Tensor:
        part = part if self.columns is None else part.index_select(1, self.columns)
        return pad_channels(part, len(self.channels)) if self.empty else part

    def select(self, index: Sequence[int], names: Sequence[str]) -> Signal:
        """Return the signal with the channels `index`, called `names`; nothing is copied."""
        places = torch.as_tensor(list(index), dtype=torch.long)
        columns = places if self.columns is None else self.columns[places]
        return replace(
            self,
            channels=tuple(names),
            kinds=tuple(self.kinds[i] for i in index),
            positions=self.positions[list(index)],
            columns=columns,
            bads=tuple(
                n for i, n in zip(index, names, strict=True) if self.channels[i] in self.bads
            ),
        )

    def without_bads(self) -> Signal:
        """Return the signal without the channels that are marked bad.

        Raises:
            ValueError: all are.
        """
        index = [i for i, name in enumerate(self.channels) if name not in self.bads]
        if not index:
            raise ValueError("every channel is marked bad")
        return self if not self.bads else self.select(index, [self.channels[i] for i in index])


def bare(data: Tensor, rate_hz: float = 1.0) -> Signal:
    """Return an array (T, C) as a signal: numbered EEG channels, no positions, no events."""
    count = data.shape[1]
    return Signal(
        data=data,
        channels=tuple(str(i) for i in range(count)),
        kinds=("eeg",) * count,
        positions=np.full((count, 3), np.nan, np.float32),
        rate_hz=rate_hz,
        unit="uV",
        events=pd.DataFrame(),
        identity="",
    )


def pick_kind(raw: mne.io.BaseRaw, kind: str) -> mne.io.BaseRaw:
    """Pick the channels of one kind, bad ones included, reference sensors not.

    Raises:
        ValueError: there is none.
    """
    kinds = {name: name == kind for name in ("eeg", "seeg", "ecog", "meg")}
    # MNE leaves bad channels out by default: recordings would then differ in their channels.
    picks = mne.pick_types(raw.info, **kinds, ref_meg=False, exclude=())
    if len(picks) == 0:
        present = ", ".join(sorted(set(raw.get_channel_types()))) or "nothing"
        raise ValueError(f"no {kind} channel (it holds {present})")
    return raw.pick(picks)


def make_signal(
    recording: Recording, recipe: Mapping[str, Any], folder: Path | None = None
) -> Signal:
    """Load a recording and preprocess it: in memory, a long one through a scratch file.

    Args:
        recording: of a study.
        recipe: `preprocess` (steps), `rate_hz` (None = as recorded), and `positions`, `head`
            (metres, the default) or `layout` (see `layout`).
        folder: for the scratch file.

    Raises:
        RecordingError: the file is bad, empty, or holds values that are not finite; or it has no
            sensor layout although the recipe asks for it.
    """
    name = name_of(recording)
    with of_recording(name, folder):
        return _make(recording, recipe, folder, name)


def name_of(recording: Recording) -> str:
    """Return the file of a recording, or its name when it is made from equations."""
    return recording.source[0] if recording.source else recording.id.name


def _make(
    recording: Recording, recipe: Mapping[str, Any], folder: Path | None, name: str
) -> Signal:
    raw = recording.load_raw()
    kind = recording.data_kind
    try:
        raw = pick_kind(raw, kind)
    except ValueError as error:
        raise RecordingError(name, str(error), "check the kinds of its channels") from None
    steps = list(recipe.get("preprocess") or [])
    if recipe.get("rate_hz") is not None:
        # Last, so that filters above the new Nyquist frequency, such as a notch, can run before.
        steps.append({"step": "resample", "rate_hz": float(recipe["rate_hz"])})
    unit, factor = UNITS[kind]
    stretches = stretches_of(raw)
    raw = mark_joins(raw)
    shift = shift_of(steps, float(raw.info["sfreq"]))
    array, info = _preprocessed(raw, steps, factor, folder)
    data = torch.from_numpy(array)
    if data.numel() == 0:
        raise RecordingError(name, "no sample", "restore the file, or skip it")
    bad = _not_finite(data)
    if bad is not None:
        channel = info["ch_names"][bad]
        raise RecordingError(
            name, f"channel {channel} holds NaN or inf", "drop it in dset.preprocess"
        )
    events = recording.events()
    if is_cropped(steps):
        end = len(data) / float(info["sfreq"])
        events, stretches = cropped(events, shift, end), moved(stretches, shift, end)
    else:
        events = mark_shared(events, array, float(info["sfreq"]))
    return Signal(
        data=data,
        channels=tuple(info["ch_names"]),
        kinds=(kind,) * len(info["ch_names"]),
        positions=_positions(info, recipe.get("positions", "head"), name),
        rate_hz=float(info["sfreq"]),
        unit=unit,
        events=events,
        identity=recording.fingerprint(),
        bads=tuple(info["bads"]),
        stretches=stretches,
        shift_s=shift,
    )


def _positions(info: mne.Info, which: str, name: str) -> np.ndarray:
    """Return (C, 3) float32: on the head in metres, or x and y in the sensor layout and 0."""
    if which == "head":
        return np.array([c["loc"][:3] for c in info["chs"]], dtype=np.float32)
    try:
        placed = sensor_layout(info)
    except ValueError as error:
        raise RecordingError(name, str(error), "use dset.positions=head, or skip it") from None
    return np.pad(placed, ((0, 0), (0, 1)))


def _preprocessed(
    raw: mne.io.BaseRaw, steps: list[dict[str, Any]], factor: float, folder: Path | None
) -> tuple[np.ndarray, mne.Info]:
    """Return (T, C) float32 in the unit of signals, and the channels' info."""
    if not is_long(raw):
        raw = apply_steps(raw, steps)
        # Scaled in float64, then rounded to float32 once.
        return np.ascontiguousarray((raw.get_data().T * factor).astype(np.float32)), raw.info
    data, info = apply_in_chunks(raw, steps, folder)
    for start in range(0, len(data), STRETCH):
        # In place, in stretches: this array is a scratch file that may not fit in memory.
        data[start : start + STRETCH] *= np.float32(factor)
    return data, info


def _not_finite(data: Tensor) -> int | None:
    """Return the first channel of (T, C) with a value that is not finite, None when all are."""
    # In stretches: a mask of a whole recording would take a quarter of its size in memory.
    for part in data.split(STRETCH):
        bad = ~torch.isfinite(part).all(0)
        if bad.any():
            return int(bad.nonzero()[0])
    return None


def select_named(signal: Signal, channels: Sequence[str], name: str) -> Signal:
    """Return the recording `name` with some channels, in the order of `channels`.

    Raises:
        RecordingError: one of them is missing.
    """
    rows = {standard_name(n): i for i, n in enumerate(signal.channels)}
    # A file may hold both T3 and T7, or contacts a1 and A1: what is spelled alike is meant.
    exact = {n: i for i, n in enumerate(signal.channels)}
    missing = [n for n in channels if n not in exact and standard_name(n) not in rows]
    if missing:
        raise RecordingError(name, f"no channel {missing[0]}", "change dset.channels, or skip it")
    order = [standard_name(n) for n in channels]
    # Equal order needs no copy of columns: the memory map is served as it lies.
    if order == [standard_name(n) for n in signal.channels]:
        same = dict(zip(signal.channels, channels, strict=True))
        bads = tuple(same[name] for name in signal.bads)
        return replace(signal, channels=tuple(channels), bads=bads)
    places = [exact.get(n, rows.get(standard_name(n), -1)) for n in channels]
    return signal.select(places, channels)


def select_common(signals: Sequence[Signal]) -> list[Signal]:
    """Return every recording with the channels that all have, in the order of the first.

    Raises:
        UserError: they share none.
    """
    shared = set.intersection(*({standard_name(n) for n in s.channels} for s in signals))
    order = [standard_name(n) for n in signals[0].channels if standard_name(n) in shared]
    if not order:
        raise UserError("dset.channels=common: the recordings share no channel")
    return [select_named(signal, order, "") for signal in signals]


def pad_channels(block: Tensor, channels: int) -> Tensor:
    """Return (..., C) with zero channels at the end up to `channels`."""
    return torch.nn.functional.pad(block, (0, channels - block.shape[-1]))


def select_padded(signals: Sequence[Signal]) -> list[Signal]:
    """Return every recording with as many channels as the largest; the others get empty ones.

    Channels are only numbered then: the third of one recording is not that of another. Empty ones
    are zero and have no place, as in brainmagick (its `meg_dimension`). Recordings
    that are all alike stay as they are.
    """
    if len({signal.channels for signal in signals}) == 1:
        return list(signals)
    count = max(len(signal.channels) for signal in signals)
    names = tuple(str(number) for number in range(1, count + 1))
    padded = []
    for signal in signals:
        empty = count - len(signal.channels)
        nowhere = np.full((empty, 3), np.nan, np.float32)
        if np.isfinite(signal.positions).all() and (signal.positions[:, 2] == 0).all():
            nowhere[:] = (INVALID, INVALID, 0)  # of the flat sensor layout
        padded.append(
            replace(
                signal,
                channels=names,
                bads=tuple(names[signal.channels.index(name)] for name in signal.bads),
                kinds=signal.kinds + signal.kinds[:1] * empty,
                positions=np.concatenate([signal.positions, nowhere]),
                empty=empty,
            )
        )
    return padded
