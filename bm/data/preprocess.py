"""Preprocessing steps, applied in the order of the configuration.

Every step says its method and order in the configuration, so that both are part of the signature.
Steps are of three kinds: `TIME_STEPS` treat each channel by itself, `CHANNEL_STEPS` choose, name or
mix channels sample by sample, `WINDOW_STEPS` treat all channels of a window at once and need no
more than some windows in memory. Long recordings rely on this (see `chunks`). A step in a file of
its own is registered by one line below.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mne
import numpy as np
import pandas as pd
import scipy
import torch

from ..errors import UserError, nearest
from ..nn.electrodes import last_word
from ..nn.sinc import lowpass_sinc
from ..registry import Registry, check_arguments, check_known, check_list, missing_arguments
from .alignment import align
from .envelope import log_power
from .repair import repair
from .resampling import resample
from .shafts import check_single, neighbours, neighbours_by_place
from .stretches import joins_of, stretches_of

logger = logging.getLogger(__name__)
Step = Callable[..., "mne.io.BaseRaw"]
#: name -> module that registers it, besides those of this file: (loaded raw, options) -> raw.
TIME_STEPS: Registry[Step] = Registry("preprocessing step", {})
CHANNEL_STEPS: Registry[Step] = Registry("preprocessing step", {})
#: The same for steps that change (T, C) samples in place: (samples, mne.Info, options).
WINDOW_STEPS: Registry[Callable[..., object]] = Registry("preprocessing step", {})
#: Old names of the 10-20 system -> today's, for channel sets shared by several caps.
OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}


def standard_name(name: str) -> str:
    """Return today's name in one spelling: `FP1` and `Fp1` are one place, `T3` is `T7`."""
    upper = name.strip().upper()
    return OLD_NAMES.get(upper, upper)


#: What follows the hyphen of a channel against a common reference.
REFERENCES = ("REF", "LE", "AR", "AVG", "AVE", "CAR", "COMMON", "GND")
#: Ears and mastoids: references where every channel is measured against them.
EARS = ("A1", "A2", "M1", "M2", "A1A2", "A12", "M1M2", "A1+A2", "M1+M2", "TP9", "TP10")


def cut_name(name: str, ears: bool = False) -> str:
    """Return a channel's name without its type before and its common reference behind.

    A difference of two electrodes keeps its name.

    Args:
        name: as the file writes it.
        ears: an ear or mastoid behind the hyphen is the common reference.

    >>> cut_name("EEG Fp1-REF"), cut_name("Fc5."), cut_name("EEG FP1-F7"), cut_name("C4-A1", True)
    ('Fp1', 'Fc5', 'FP1-F7', 'C4')
    """
    last = last_word(name.strip(" ."))
    site, hyphen, behind = last.rpartition("-")
    common = behind.upper() in REFERENCES or (ears and behind.upper() in EARS)
    return (site if hyphen and site and common else last) or name


def against_ears(names: Sequence[str]) -> bool:
    """Return whether every channel with a hyphen is measured against an ear or mastoid."""
    pairs = [name.strip(" .").rpartition("-") for name in names]
    behind = [pair[2].strip().upper() for pair in pairs if pair[0]]
    before = [pair[0].strip().split(" ")[-1].upper() for pair in pairs if pair[0]]
    ears = all(name in EARS or name in REFERENCES for name in behind)
    return bool(behind) and ears and not any(name in EARS for name in before)


# each channel by itself -----------------------------------------------------------------------


@TIME_STEPS.register("crop")
def crop(raw: mne.io.BaseRaw, start_s: float = 0.0, stop_s: float | None = None) -> mne.io.BaseRaw:
    """Cut to the samples from `start_s` to before `stop_s`; a negative stop counts from the end.

    `shift_of` tells by how much the events have to follow.
    """
    rate = float(raw.info["sfreq"])
    end = raw.n_times / rate
    stop = end if stop_s is None else stop_s if stop_s > 0 else end + stop_s
    if not 0 <= start_s < stop <= end:
        raise UserError(f"crop: {start_s:g} to {stop:g} s does not fit a recording of {end:.1f} s")
    first, last = round(start_s * rate), round(stop * rate) - 1
    if last <= first:
        raise UserError(f"crop: {start_s:g} to {stop:g} s holds fewer than two samples")
    # MNE's crop includes its end.
    return raw.crop(first / rate, last / rate, verbose="error")


def is_cropped(steps: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether some of the steps cut a recording."""
    return any(step.get("step") == "crop" for step in steps)


def shift_of(steps: Sequence[Mapping[str, Any]], rate_hz: float) -> float:
    """Return the seconds that the crops of some steps take off the front of a recording.

    Whole samples are cut, so this is a multiple of the sampling interval at the time.
    """
    shift = 0.0
    for step in steps:
        if step.get("step") == "crop":
            shift += round(float(step.get("start_s") or 0.0) * rate_hz) / rate_hz
        elif step.get("step") == "resample":
            rate_hz = float(step["rate_hz"])
    return shift


def cropped(events: pd.DataFrame, shift_s: float, end_s: float) -> pd.DataFrame:
    """Return the events after `shift_s` seconds were cut off the front, within what is left.

    Blocks and other stretches are cut with the recording; events that lie outside are left out.

    Args:
        events: of the whole recording.
        shift_s: see `shift_of`.
        end_s: length of what is left.
    """
    # A difference of seconds is rounded: 7.02 - 1.01 must not be just above 6.01.
    starts = (events["start_s"].astype(float) - shift_s).round(9)
    stops = (starts + events["duration_s"].astype(float)).round(9)
    blocks = events["kind"] == "block"
    begins = starts.where(~blocks, starts.clip(lower=0.0))
    lengths = (stops.clip(upper=end_s) - begins).round(9)
    lengths = events["duration_s"].astype(float).where(~blocks, lengths)
    inside = (begins >= 0) & (begins < end_s) & (~blocks | (lengths > 0))
    return events.assign(start_s=begins, duration_s=lengths)[inside].reset_index(drop=True)


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
    for name, edge in (("low_hz", low_hz), ("high_hz", high_hz)):
        if edge is not None and edge >= nyquist:
            raise UserError(f"bandpass: {name}={edge} is not below half the rate, {nyquist:g} Hz")
    if method == "sinc":
        part = functools.partial(
            _bandpass_sinc, low_hz=low_hz, high_hz=high_hz, rate=2 * nyquist, zeros=zeros
        )
        return _per_channel(raw, _between_joins(raw, part))
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
        # MNE's notch is f / 200 wide, with half a hertz of transition on either side.
        close = [f for f in below if f + f / 400 + 0.5 >= rate / 2]
        if close:
            raise UserError(
                f"notch: {close[0]:g} Hz is too close to half the rate, {rate / 2:g} Hz; leave it "
                "out, or use method=iir"
            )
        return raw.notch_filter(below, verbose="error")

    # Forward and backward: the phase stays, and the notch is twice as deep.
    def filtered(x: np.ndarray) -> np.ndarray:
        for freq in below:
            # SciPy pads by 9 samples, of which a piece between joins may have fewer.
            pad = min(9, x.shape[-1] - 1)
            x = scipy.signal.filtfilt(
                *scipy.signal.iirnotch(freq, quality, rate), x, axis=-1, padlen=pad
            )
        return x

    return _per_channel(raw, _between_joins(raw, filtered))


@TIME_STEPS.register("unit")
def unit(raw: mne.io.BaseRaw, factor: float) -> mne.io.BaseRaw:
    """Multiply by `factor`: for files that state a wrong unit (1e-6 when microvolts say volts)."""
    return _per_channel(raw, lambda x: x * float(factor))


def _per_channel(
    raw: mne.io.BaseRaw, function: Callable[[np.ndarray], np.ndarray]
) -> mne.io.BaseRaw:
    return raw.apply_function(function, picks="all", channel_wise=False, verbose="error")


def _between_joins(
    raw: mne.io.BaseRaw, function: Callable[[np.ndarray], np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that treats what lies between two joins by itself."""
    joins = [round(t * raw.info["sfreq"]) for t in joins_of(stretches_of(raw))]
    if not joins:
        return function

    def apply(x: np.ndarray) -> np.ndarray:
        return np.concatenate([function(part) for part in np.split(x, joins, axis=-1)], axis=-1)

    return apply


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
    spelled = _names_in(raw, names, "drop")
    if len({*spelled}) == len(raw.ch_names):
        raise UserError("drop: no channel is left; leave one of them")
    return raw.drop_channels(list(dict.fromkeys(spelled)))


@CHANNEL_STEPS.register("rename")
def rename(raw: mne.io.BaseRaw, names: str | Mapping[str, str] = "standard") -> mne.io.BaseRaw:
    """Rename channels by a mapping, or to today's 10-20 names (`EEG Fp1-REF` -> `FP1`)."""
    if isinstance(names, str):
        check_known("rename", names, ("standard",))
        ears = against_ears(raw.ch_names)
        mapping = {n: standard_name(cut_name(n, ears)) for n in raw.ch_names}
    else:
        mapping = dict(zip(_names_in(raw, list(names), "rename"), names.values(), strict=True))
    mapping = {name: mapping.get(name, name) for name in raw.ch_names}
    taken: dict[str, str] = {}
    for old, new in mapping.items():
        if new in taken:
            raise UserError(f"rename: {taken[new]!r} and {old!r} would both be {new!r}; drop one")
        taken[new] = old
    return raw.rename_channels(mapping, verbose="error")


@CHANNEL_STEPS.register("reference")
def reference(
    raw: mne.io.BaseRaw, channels: str | Sequence[str] = "average", by: str = "names"
) -> mne.io.BaseRaw:
    """Reference to the average, to named channels, or each contact to the next on its shaft.

    Args:
        raw: loaded.
        channels: `average`, names, or `bipolar` (A1 - A2, named A1; for sEEG).
        by: what tells neighbours for `bipolar`: `names` (consecutive numbers) or `places` (the next
            contact in line, the deeper one first).

    Raises:
        UserError: an unknown channel, no two neighbouring contacts, a contact without a place, or
            channels that are differences already.
    """
    check_known("reference: by", by, ("names", "places"))
    if channels == "bipolar":
        return _bipolar(raw, by)
    if channels == "average":
        names = [name for name in raw.ch_names if name not in raw.info["bads"]]
    else:
        names = [channels] if isinstance(channels, str) else list(channels)
        names = _names_in(raw, names, "reference")
    if not names:
        raise UserError("reference: average: every channel is marked bad")
    bad = [name for name in names if name in raw.info["bads"]]
    if bad:
        logger.warning("reference: %s is marked bad", ", ".join(bad))
    kinds, rows = np.array(raw.get_channel_types()), {n: i for i, n in enumerate(raw.ch_names)}

    # MNE leaves channels that are marked bad as they are: they would keep the old reference.
    def referenced(x: np.ndarray) -> np.ndarray:
        x = x.copy()
        for kind in dict.fromkeys(kinds):
            members = [rows[name] for name in names if kinds[rows[name]] == kind]
            if members:
                x[kinds == kind] -= x[members].mean(0, keepdims=True)
        return x

    return _per_channel(raw, referenced)


@CHANNEL_STEPS.register("interpolate")
def interpolate(raw: mne.io.BaseRaw) -> mne.io.BaseRaw:
    """Replace channels that are marked bad by what their neighbours measure (spherical splines).

    Raises:
        UserError: a channel without a place, or too few good ones.
    """
    bads = list(raw.info["bads"])
    if not bads:
        return raw
    places = np.array([channel["loc"][:3] for channel in raw.info["chs"]], float)
    for name, place in zip(raw.ch_names, places, strict=True):
        if not np.isfinite(place).all() or not place.any():
            raise UserError(f"interpolate: channel {name!r} has no place; use dset.bads=drop")
    if len(bads) + 4 > len(places):
        raise UserError(f"interpolate: {len(bads)} of {len(places)} channels are bad")
    # The sphere that fits the electrodes: |p|^2 = 2 p.c + (r^2 - |c|^2).
    design = np.column_stack([2 * places, np.ones(len(places))])
    origin = np.linalg.lstsq(design, (places**2).sum(1), rcond=None)[0][:3]
    raw.interpolate_bads(reset_bads=True, origin=origin, verbose="error")
    logger.info("interpolated: %s", ", ".join(bads))
    return raw


def _bipolar(raw: mne.io.BaseRaw, by: str) -> mne.io.BaseRaw:
    check_single(raw.ch_names)
    places = np.array([channel["loc"][:3] for channel in raw.info["chs"]], float) * 1e3
    # Contacts are numbered along a shaft, so consecutive numbers are neighbours in the tissue.
    if by == "places":
        pairs = neighbours_by_place(raw.ch_names, places)
    else:
        pairs = neighbours(raw.ch_names)
    if not pairs:
        reason = "with consecutive numbers, as A1 A2" if by == "names" else "beside each other"
        raise UserError(f"reference: bipolar: no two contacts {reason}")
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
    info["bads"] = [a for a, b in pairs if {a, b} & set(raw.info["bads"])]
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
    twice = next((name for name in spelled if spelled.count(name) > 1), None)
    if twice is not None and step != "drop":  # a list for many caps may have T3 and T7
        raise UserError(f"preprocessing step {step}: {twice!r} is named twice; name it once")
    return spelled


# steps by name --------------------------------------------------------------------------------

TIME_STEPS.register("envelope")(log_power)
TIME_STEPS.register("resample")(resample)
WINDOW_STEPS.register("align")(align)
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


#: Options that are more than zero, by step.
POSITIVE = {
    "bandpass": ("low_hz", "high_hz", "order", "zeros"),
    "notch": ("freqs_hz", "quality"),
    "resample": ("rate_hz",),
    "autoreject": ("window_s", "n_windows"),
    "envelope": ("low_hz", "high_hz", "window_s"),
    "align": ("sd",),
}


def check_steps(steps: Sequence[Mapping[str, Any]]) -> None:
    """Raise `UserError` for an unknown step or option, or an impossible value."""
    check_list("dset.preprocess", steps, "{step: crop, start_s: 1}")
    for entry in steps:
        if not isinstance(entry, Mapping):
            raise UserError(f"dset.preprocess: {entry!r}; use mappings, such as {{step: crop}}")
        if entry.get("step") is None:
            raise UserError(
                f"dset.preprocess: {dict(entry)} does not say which step; begin with one, such as "
                "{step: bandpass, low_hz: 1, high_hz: 40}"
            )
        name = str(entry["step"])
        function = KINDS[kind_of(name)].get(name)
        filled = ("data", "info") if kind_of(name) == "window" else ("raw",)
        check_arguments(f"preprocessing step {name}", function, options_of(entry), filled)
        missing = missing_arguments(function, options_of(entry))[len(filled) :]
        if missing:
            raise UserError(f"preprocessing step {name}: no {missing[0]}; give it")
        for option in POSITIVE.get(name, ()):
            check_positive(f"{name}: {option}", entry.get(option))
        if name == "bandpass":
            _check_edges(entry.get("low_hz"), entry.get("high_hz"))
            if float(entry.get("order") or 1) % 1:
                raise UserError(f"bandpass: order={entry['order']}; use a whole number")
        if name == "unit" and not (_is_finite(entry.get("factor")) and entry["factor"]):
            raise UserError(f"unit: factor={entry.get('factor')}; use a number other than 0")
        if name == "notch":
            check_list("notch: freqs_hz", entry.get("freqs_hz"), "50.0")
        if name in ("pick", "drop"):
            check_list(f"{name}: channels", entry.get("channels"), "Cz", least=int(name == "pick"))
        if name == "reference" and not isinstance(entry.get("channels"), str):
            check_list("reference: channels", entry.get("channels"), "Cz", least=1)
        if name == "resample":
            check_rate("resample: rate_hz", entry.get("rate_hz"))
        if name == "crop":
            _check_crop(entry.get("start_s") or 0.0, entry.get("stop_s"))


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _check_crop(start: Any, stop: Any) -> None:
    if not (_is_finite(start) and start >= 0):
        raise UserError(f"crop: start_s={start}; use 0 or more seconds")
    if stop is not None and not (_is_finite(stop) and (stop < 0 or stop > start)):
        raise UserError(f"crop: start_s={start} is not before stop_s={stop}; use seconds")


#: No recording of the brain has more samples a second; beyond it memory ends before the message.
HIGHEST_HZ = 100_000.0


def check_rate(name: str, value: Any) -> None:
    """Raise `UserError` unless a rate is a number above zero that a device could have."""
    check_positive(name, value)
    if value is not None and value > HIGHEST_HZ:
        raise UserError(f"{name}={value:g}; use at most {HIGHEST_HZ:g} Hz")


def _check_edges(low: float | None, high: float | None) -> None:
    if low is None and high is None:
        raise UserError("bandpass: neither low_hz nor high_hz; give one of them")
    if low is not None and high is not None and low >= high:
        raise UserError(
            f"bandpass: low_hz={low} is not below high_hz={high}; swap them, or leave one out for "
            "a low- or high-pass"
        )


def check_positive(name: str, value: Any) -> None:
    """Raise `UserError` unless a value (or each of a list) is a finite number above zero."""
    for one in value if isinstance(value, list | tuple) else [value]:
        number = isinstance(one, int | float) and not isinstance(one, bool)
        if one is not None and not (number and 0 < one < math.inf):
            raise UserError(f"{name}={value}; use a number above 0")


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
