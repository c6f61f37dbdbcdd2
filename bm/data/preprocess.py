"""Preprocessing steps, applied in the order of the configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UserError, nearest
from ..registry import check_known

if TYPE_CHECKING:
    import mne

Step = Callable[..., "mne.io.BaseRaw"]


def bandpass(
    raw: mne.io.BaseRaw, low_hz: float | None = None, high_hz: float | None = None
) -> mne.io.BaseRaw:
    """Zero-phase FIR band-pass of MNE; a missing edge makes it a low- or high-pass."""
    nyquist = raw.info["sfreq"] / 2
    if high_hz is not None and high_hz >= nyquist:
        raise UserError(f"bandpass: high_hz={high_hz} is not below half the rate, {nyquist:g} Hz")
    return raw.filter(low_hz, high_hz, verbose="error")


def notch(raw: mne.io.BaseRaw, freqs_hz: Sequence[float] = (50.0,)) -> mne.io.BaseRaw:
    """Notches at the power line and its harmonics, those below half the rate."""
    below = [f for f in freqs_hz if f < raw.info["sfreq"] / 2]
    return raw.notch_filter(below, verbose="error") if below else raw


def resample(raw: mne.io.BaseRaw, rate_hz: float) -> mne.io.BaseRaw:
    """Another rate, with MNE's anti-aliasing."""
    return raw.resample(float(rate_hz), verbose="error")


def reference(raw: mne.io.BaseRaw, channels: str | Sequence[str] = "average") -> mne.io.BaseRaw:
    """Average reference, or named channels."""
    found, _ = mne_reference(raw, channels)
    return found


def mne_reference(raw: mne.io.BaseRaw, channels: str | Sequence[str]) -> tuple[Any, Any]:
    """MNE's re-referencing with its message silenced: (raw, reference signal)."""
    import mne

    names = channels if isinstance(channels, str) else list(channels)
    return mne.set_eeg_reference(raw, names, copy=False, verbose="error")


STEPS: dict[str, Step] = {
    "bandpass": bandpass,
    "notch": notch,
    "resample": resample,
    "reference": reference,
}


def apply_steps(raw: mne.io.BaseRaw, steps: Sequence[Mapping[str, Any]]) -> mne.io.BaseRaw:
    """The recording after all steps.

    Args:
        raw: as the study gives it; it is changed.
        steps: `step` (name) and the step's own options.

    Raises:
        UserError: unknown step or option, with the nearest valid name.
    """
    if not steps:
        return raw
    raw = raw.load_data(verbose="error")
    for entry in steps:
        options = {k: v for k, v in entry.items() if k != "step"}
        check_known("preprocessing step", str(entry.get("step")), STEPS)
        function = STEPS[entry["step"]]
        known = [name for name in inspect.signature(function).parameters if name != "raw"]
        for name in options:
            if name not in known:
                hint = nearest(name, known)
                raise UserError(f"preprocessing step {entry['step']}: no option {name!r}{hint}")
        raw = function(raw, **options)
    return raw
