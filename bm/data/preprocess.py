"""Preprocessing steps, applied in the order of the configuration.

Every step says its method and order in the configuration, so that both are part of the signature.
Steps are of three kinds: `TIME_STEPS` treat each channel by itself, `CHANNEL_STEPS` choose, name or
mix channels sample by sample, `WINDOW_STEPS` treat all channels of a window at once and need no
more than some windows in memory. Long recordings rely on this (see `chunks`). A step in a file of
its own is registered by one line below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mne
import numpy as np
import torch
from scipy.signal import filtfilt, iirnotch

from ..errors import UserError, nearest
from ..nn.sinc import lowpass_sinc, resample_sinc
from ..registry import Registry, check_arguments, check_known
from .repair import repair

Step = Callable[..., "mne.io.BaseRaw"]
#: name -> module that registers it, besides those of this file: (loaded raw, options) -> raw.
TIME_STEPS: Registry[Step] = Registry("preprocessing step", {})
CHANNEL_STEPS: Registry[Step] = Registry("preprocessing step", {})
#: The same for steps that change (T, C) samples in place: (samples, mne.Info, options).
WINDOW_STEPS: Registry[Callable[..., object]] = Registry("preprocessing step", {})
#: Old names of the 10-20 system -> today's, for channel sets shared by several caps.
OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
#: Annotation at the edge of two trials that are joined to one recording; filters of MNE stop there.
TRIAL_EDGE = "EDGE trial"
CONTACT = re.compile(r"^(?P<shaft>\D.*?'?)(?P<number>\d+)$")


def standard_name(name: str) -> str:
    """Return today's name in one spelling: `FP1` and `Fp1` are one place, `T3` is `T7`."""
    upper = name.strip().upper()
    return OLD_NAMES.get(upper, upper)


def cut_name(name: str) -> str:
    """Return what is between the last blank and the first hyphen: `EEG Fp1-REF` is `Fp1`."""
    last = name.strip(" .").split(" ")[-1]
    return last.split("-")[0] or name


# each channel by itself -----------------------------------------------------------------------


@TIME_STEPS.register("crop")
def crop(raw: mne.io.BaseRaw, start_s: float = 0.0, stop_s: float | None = None) -> mne.io.BaseRaw:
    """Cut to the samples from `start_s` to before `stop_s`; a negative stop counts from the end.

    `shift_of` tells by how much the events have to follow.
    """
    end = raw.n_times / raw.info["sfreq"]
    stop = end if stop_s is None else stop_s if stop_s > 0 else end + stop_s
    if not 0 <= start_s < stop <= end:
        raise UserError(f"crop: {start_s:g} to {stop:g} s does not fit a recording of {end:.1f} s")
    # MNE's crop includes its end.
    last = (round(stop * raw.info["sfreq"]) - 1) / raw.info["sfreq"]
    return raw.crop(start_s, last, verbose="error")


def shift_of(steps: Sequence[Mapping[str, Any]]) -> float:
    """Return the seconds that the crops of some steps take off the front of a recording."""
    return sum(float(s.get("start_s", 0.0)) for s in steps if s.get("step") == "crop")


@TIME_STEPS.register("bandpass")
def bandpass(
    raw: mne.io.BaseRaw,
    low_hz: float | None = None,
    high_hz: float | None = None,
    method: str = "fir",
    order: int = 4,
    zeros: float = 8.0,
) -> mne.io.BaseRaw:
    """Filter a band without phase shift; a missing edge makes it a low- or high-pass.

    Args:
        raw: loaded.
        low_hz, high_hz: edges.
        method: `fir` (MNE's default design), `butterworth` (forward and backward), or `sinc`
            (windowed, as julius has it, for speech decoding; the high-pass is the signal minus its
            low-pass).
        order: of the Butterworth filter.
        zeros: zero crossings of the sinc.
    """
    check_known("bandpass method", method, ("fir", "butterworth", "sinc"))
    nyquist = raw.info["sfreq"] / 2
    if high_hz is not None and high_hz >= nyquist:
        raise UserError(f"bandpass: high_hz={high_hz} is not below half the rate, {nyquist:g} Hz")
    if method == "sinc":
        return _per_channel(raw, lambda x: _bandpass_sinc(x, low_hz, high_hz, 2 * nyquist, zeros))
    if method == "butterworth":
        design = {"order": order, "ftype": "butter", "output": "sos"}
        return raw.filter(low_hz, high_hz, method="iir", iir_params=design, verbose="error")
    return raw.filter(low_hz, high_hz, verbose="error")


@TIME_STEPS.register("notch")
def notch(
    raw: mne.io.BaseRaw,
    freqs_hz: Sequence[float] = (50.0,),
    method: str = "fir",
    quality: float = 30.0,
) -> mne.io.BaseRaw:
    """Filter out the power line and its harmonics, as far as they are below half the rate.

    Args:
        raw: loaded.
        freqs_hz: centres.
        method: `fir` (MNE's default), or `iir`, second order, forward and backward.
        quality: centre over width of the `iir` notch.
    """
    check_known("notch method", method, ("fir", "iir"))
    rate = raw.info["sfreq"]
    below = [float(f) for f in freqs_hz if f < rate / 2]
    if not below:
        return raw
    if method == "fir":
        return raw.notch_filter(below, verbose="error")

    # Forward and backward: the phase stays, and the notch is twice as deep.
    def filtered(x: np.ndarray) -> np.ndarray:
        for freq in below:
            x = filtfilt(*iirnotch(freq, quality, rate), x, axis=-1)
        return x

    return _per_channel(raw, filtered)


@TIME_STEPS.register("resample")
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


@TIME_STEPS.register("unit")
def unit(raw: mne.io.BaseRaw, factor: float) -> mne.io.BaseRaw:
    """Multiply by `factor`: for files that state a wrong unit (1e-6 when microvolts say volts)."""
    return _per_channel(raw, lambda x: x * float(factor))


def _per_channel(
    raw: mne.io.BaseRaw, function: Callable[[np.ndarray], np.ndarray]
) -> mne.io.BaseRaw:
    return raw.apply_function(function, picks="all", channel_wise=False, verbose="error")


def _bandpass_sinc(
    x: np.ndarray, low_hz: float | None, high_hz: float | None, rate: float, zeros: float
) -> np.ndarray:

    filtered = torch.from_numpy(np.ascontiguousarray(x))
    if high_hz is not None:
        filtered = lowpass_sinc(filtered, high_hz / rate, zeros)
    if low_hz is not None:
        filtered = filtered - lowpass_sinc(filtered, low_hz / rate, zeros)
    return filtered.numpy()


# channels against each other ------------------------------------------------------------------


@CHANNEL_STEPS.register("pick")
def pick(raw: mne.io.BaseRaw, channels: Sequence[str]) -> mne.io.BaseRaw:
    """Pick channels by name, in this order; any spelling of the 10-20 system will do."""
    return raw.pick(_names_in(raw, channels, "pick"))


@CHANNEL_STEPS.register("drop")
def drop(raw: mne.io.BaseRaw, channels: Sequence[str], missing_ok: bool = False) -> mne.io.BaseRaw:
    """Drop channels; unknown names are an error unless `missing_ok`."""
    present = {standard_name(n) for n in raw.ch_names}
    names = [c for c in channels if not missing_ok or standard_name(c) in present]
    return raw.drop_channels(_names_in(raw, names, "drop"))


@CHANNEL_STEPS.register("rename")
def rename(raw: mne.io.BaseRaw, names: str | Mapping[str, str] = "standard") -> mne.io.BaseRaw:
    """Rename channels by a mapping, or to today's 10-20 names (`EEG Fp1-REF` -> `FP1`)."""
    if isinstance(names, str):
        check_known("rename", names, ("standard",))
        mapping = {n: standard_name(cut_name(n)) for n in raw.ch_names}
    else:
        mapping = dict(zip(_names_in(raw, list(names), "rename"), names.values(), strict=True))
    taken: dict[str, str] = {}
    for old, new in mapping.items():
        if new in taken:
            raise UserError(f"rename: {taken[new]!r} and {old!r} would both be {new!r}; drop one")
        taken[new] = old
    return raw.rename_channels(mapping, verbose="error")


@CHANNEL_STEPS.register("reference")
def reference(raw: mne.io.BaseRaw, channels: str | Sequence[str] = "average") -> mne.io.BaseRaw:
    """Reference to the average, to named channels, or each contact to the next on its shaft.

    Args:
        raw: loaded.
        channels: `average`, names, or `bipolar` (A1 - A2, named A1; for sEEG).

    Raises:
        UserError: an unknown channel, or no two neighbouring contacts.
    """
    if channels == "bipolar":
        return _bipolar(raw)
    kinds = list(dict.fromkeys(raw.get_channel_types()))  # MNE types one kind at a time
    if channels == "average":
        names: str | list[str] = "average"
    else:
        names = [channels] if isinstance(channels, str) else list(channels)
        names = _names_in(raw, names, "reference")
    referenced, _ = mne.set_eeg_reference(raw, names, ch_type=kinds, copy=False, verbose="error")
    return referenced


# Contacts are numbered along a shaft, so consecutive numbers are neighbours in the tissue.
def neighbours(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of contacts with consecutive numbers on one shaft, by shaft and number."""
    contacts: dict[tuple[str, int], str] = {}
    for name in names:
        contact = CONTACT.match(name)
        if contact:
            contacts[contact["shaft"], int(contact["number"])] = name
    return [
        (name, contacts[shaft, number + 1])
        for (shaft, number), name in sorted(contacts.items())
        if (shaft, number + 1) in contacts
    ]


def _bipolar(raw: mne.io.BaseRaw) -> mne.io.BaseRaw:

    pairs = neighbours(raw.ch_names)
    if not pairs:
        raise UserError("reference: bipolar: no two contacts with consecutive numbers, as A1 A2")
    rows = {name: i for i, name in enumerate(raw.ch_names)}
    first, second = ([rows[pair[k]] for pair in pairs] for k in (0, 1))
    data = raw.get_data()
    kinds = raw.get_channel_types()
    info = mne.create_info([a for a, _ in pairs], raw.info["sfreq"], [kinds[i] for i in first])
    for channel, a, b in zip(info["chs"], first, second, strict=True):
        places = raw.info["chs"][a]["loc"][:3], raw.info["chs"][b]["loc"][:3]
        # A difference is measured between the two contacts, not at either.
        channel["loc"][:3] = (places[0] + places[1]) / 2
        channel["coord_frame"] = raw.info["chs"][a]["coord_frame"]
    return mne.io.RawArray(data[first] - data[second], info, verbose="error")


def _names_in(raw: mne.io.BaseRaw, names: Sequence[str], step: str) -> list[str]:
    """Return names as the recording spells them; raise `UserError` for one that it lacks."""
    exact = set(raw.ch_names)
    others = {standard_name(n): n for n in raw.ch_names}
    spelled = []
    for name in names:
        if name in exact:
            spelled.append(name)
        elif standard_name(name) in others:
            spelled.append(others[standard_name(name)])
        else:
            hint = nearest(name, raw.ch_names)
            raise UserError(f"preprocessing step {step}: no channel {name!r}{hint}")
    return spelled


# steps by name --------------------------------------------------------------------------------

WINDOW_STEPS.register("autoreject")(repair)
KINDS: dict[str, Registry[Any]] = {
    "time": TIME_STEPS,
    "channel": CHANNEL_STEPS,
    "window": WINDOW_STEPS,
}


def kind_of(name: str) -> str:
    """Return the kind of a step: `time`, `channel` or `window`.

    Raises:
        UserError: unknown step, with the nearest valid name.
    """
    names = {step: kind for kind, steps in KINDS.items() for step in steps.names()}
    check_known("preprocessing step", name, names)
    return names[name]


def options_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of an entry of `dset.preprocess`: all but the name of the step."""
    return {key: value for key, value in entry.items() if key != "step"}


def check_steps(steps: Sequence[Mapping[str, Any]]) -> None:
    """Raise `UserError` for an unknown step or option, before anything is read."""
    for entry in steps:
        name = str(entry.get("step"))
        function = KINDS[kind_of(name)].get(name)
        filled = ("data", "info") if kind_of(name) == "window" else ("raw",)
        check_arguments(f"preprocessing step {name}", function, options_of(entry), filled)


def apply_step(raw: mne.io.BaseRaw, entry: Mapping[str, Any]) -> mne.io.BaseRaw:
    """Apply one checked step to a recording."""
    kind = kind_of(entry["step"])
    if kind == "window":
        data = np.ascontiguousarray(raw.get_data().T)
        apply_window_step(data, raw.info, entry)
        return mne.io.RawArray(data.T, raw.info, copy="info", verbose="error")
    step: Step = KINDS[kind].get(entry["step"])
    return step(raw, **options_of(entry))


def apply_window_step(data: np.ndarray, info: mne.Info, entry: Mapping[str, Any]) -> None:
    """Apply one checked step of the third kind in place to samples (T, C)."""
    WINDOW_STEPS.get(entry["step"])(data, info, **options_of(entry))


def apply_steps(raw: mne.io.BaseRaw, steps: Sequence[Mapping[str, Any]]) -> mne.io.BaseRaw:
    """Apply all steps to a recording.

    Args:
        raw: as the study gives it; it is changed.
        steps: `step` (name) and the step's own options.

    Raises:
        UserError: unknown step or option, with the nearest valid name.
    """
    check_steps(steps)
    if steps:
        raw = raw.load_data(verbose="error")
    for entry in steps:
        raw = apply_step(raw, entry)
    return raw
