"""Log power of a band: its value, its edges, and what is refused."""

from __future__ import annotations

import mne
import numpy as np
import pytest

from bm.data.preprocess import apply_steps
from bm.data.stretches import TRIAL_EDGE
from bm.errors import UserError

RATE = 1000.0
STEP = {"step": "envelope", "low_hz": 70.0, "high_hz": 150.0}


def raw_of(signal_uv: np.ndarray) -> mne.io.BaseRaw:
    info = mne.create_info([f"A{n + 1}" for n in range(len(signal_uv))], RATE, "seeg")
    return mne.io.RawArray(signal_uv * 1e-6, info, verbose="error")


def powers(signal_uv: np.ndarray, **options) -> np.ndarray:
    """Log power of one channel; microvolts stand for numbers."""
    raw = apply_steps(raw_of(signal_uv[None]), [{**STEP, **options}])
    return raw.get_data()[0] * 1e6


def test_the_power_of_a_wave_is_half_its_square() -> None:
    time = np.arange(3000) / RATE
    for amplitude in (2.0, 20.0):
        envelope = powers(amplitude * np.sin(2 * np.pi * 100 * time))
        assert envelope[500:-500] == pytest.approx(np.log(amplitude**2 / 2), abs=0.05)
    slow = powers(50 * np.sin(2 * np.pi * 10 * time))
    assert slow[500:-500].max() < np.log(0.01)  # outside of the band
    assert powers(np.zeros(1000)) == pytest.approx(np.log(1e-6))


def test_an_edge_of_trials_is_not_crossed() -> None:
    loud = np.random.default_rng(0).normal(0, 100, 1000)
    quiet = np.random.default_rng(1).normal(0, 1, 1000)
    raw = raw_of(np.concatenate([loud, quiet])[None])
    raw.set_annotations(mne.Annotations([1.0], 0.0, TRIAL_EDGE))
    envelope = apply_steps(raw, [dict(STEP)]).get_data()[0] * 1e6
    assert envelope[1000:] == pytest.approx(powers(quiet))
    assert envelope[:1000] == pytest.approx(powers(loud))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"high_hz": 600.0}, "no band below half the rate, 500"),
        ({"low_hz": 160.0}, "160 to 150 Hz is no band"),
        ({"window_s": 0.001}, "holds 1 samples"),
        ({"window_s": -1.0}, "use a number above 0"),
        ({"width_s": 1.0}, "width_s"),
    ],
)
def test_what_is_no_band_is_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        powers(np.zeros(1000), **options)
