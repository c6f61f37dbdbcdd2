"""Resampling of a recording: whole, trial by trial, or what lies between joins by itself."""

from __future__ import annotations

from collections.abc import Sequence

import mne
import numpy as np
import torch

from ..errors import UserError
from ..nn.sinc import resample_sinc
from ..registry import check_known
from .stretches import TRIAL_EDGE, joins_of, notes_of, stretches_of


def resample(raw: mne.io.BaseRaw, rate_hz: float, method: str = "fft") -> mne.io.BaseRaw:
    """Resample to another rate, with anti-aliasing.

    Args:
        raw: loaded.
        rate_hz: new rate.
        method: `fft` (MNE's default), `polyphase`, or `sinc` (windowed, as julius has it, for
            speech decoding; never upwards, as published).
    """
    check_known("resample method", method, ("fft", "polyphase", "sinc"))
    old = raw.info["sfreq"]
    if float(rate_hz) == float(old):
        return raw
    if TRIAL_EDGE in raw.annotations.description:
        return _resample_trials(raw, float(rate_hz), method)
    joins = [round(t * old) for t in joins_of(stretches_of(raw))]
    if joins:
        return _resample_pieces(raw, float(rate_hz), method, [0, *joins, raw.n_times])
    if method != "sinc":
        return raw.resample(float(rate_hz), method=method, verbose="error")
    if rate_hz > old:
        raise UserError(f"resample: rate_hz={rate_hz:g} is above the recording's {old:g} Hz")

    data = resample_sinc(torch.from_numpy(raw.get_data()), round(old), round(rate_hz)).numpy()
    info = mne.create_info(raw.ch_names, float(rate_hz), raw.get_channel_types())
    with info._unlock():
        for key in ("chs", "bads", "dig", "dev_head_t", "kit_system_id"):  # find the sensor layout
            info[key] = raw.info[key]
    return mne.io.RawArray(data, info, verbose="error")


def _resample_trials(raw: mne.io.BaseRaw, rate_hz: float, method: str) -> mne.io.BaseRaw:
    """Resample each of the joined trials by itself: none rings into the next.

    Raises:
        UserError: trials of no whole number of samples at the new rate, or cropped ones.
    """
    count = int((raw.annotations.description == TRIAL_EDGE).sum()) + 1
    length, old = raw.n_times // count, raw.info["sfreq"]
    samples = length * rate_hz / old
    if length * count != raw.n_times:
        raise UserError("resample: a recording of trials is cropped; crop behind resampling")
    if abs(samples - round(samples)) > 1e-6:
        raise UserError(
            f"resample: trials of {length} samples at {old:g} Hz have {samples:g} samples at "
            f"{rate_hz:g} Hz; choose another rate, or cut the trials by the study's `crop`"
        )
    data = raw.get_data()
    trials = (data[:, first : first + length] for first in range(0, raw.n_times, length))
    parts = [
        resample(mne.io.RawArray(x, raw.info, verbose="error"), rate_hz, method) for x in trials
    ]
    joined = np.concatenate([part.get_data() for part in parts], axis=1)
    whole = mne.io.RawArray(joined, parts[0].info, verbose="error")
    edges = np.arange(1, count) * round(samples) / rate_hz
    return whole.set_annotations(mne.Annotations(edges, 0.0, TRIAL_EDGE))


def _resample_pieces(
    raw: mne.io.BaseRaw, rate_hz: float, method: str, edges: Sequence[int]
) -> mne.io.BaseRaw:
    """Resample what lies between joins by itself: a step at a join rings into neither side.

    Args:
        raw: loaded.
        rate_hz, method: see `resample`.
        edges: first samples of the pieces, and the number of samples.
    """
    ratio, data = rate_hz / raw.info["sfreq"], raw.get_data()
    # Each piece begins at the new sample nearest to its time, so that events stay where they are.
    places = [round(edge * ratio) for edge in edges]
    out, info = np.empty((len(data), places[-1])), None
    for first, last, begin, end in zip(edges, edges[1:], places, places[1:], strict=False):
        piece = mne.io.RawArray(data[:, first:last], raw.info, verbose="error")
        part = resample(piece, rate_hz, method)
        info, samples = part.info, part.get_data()
        # Rounding may leave a piece one sample short or long.
        rows = np.minimum(np.arange(end - begin), samples.shape[1] - 1)
        out[:, begin:end] = samples[:, rows]
    whole = mne.io.RawArray(out, info, verbose="error")
    return whole.set_annotations(notes_of(stretches_of(raw)))
