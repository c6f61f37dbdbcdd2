"""Preprocessing: each step does what its name says, the long way gives what the short one does."""

from __future__ import annotations

import json
import subprocess
import sys

import mne
import numpy as np
import pytest

from bm.data import chunks
from bm.data.preprocess import (
    WINDOW_STEPS,
    apply_step,
    apply_steps,
    check_steps,
    cut_name,
    kind_of,
    neighbours,
    shift_of,
    standard_name,
)
from bm.errors import UserError

RATE, SECONDS = 250.0, 20
T = np.arange(int(RATE * SECONDS)) / RATE


def raw_of(data: np.ndarray, names: list[str] | None = None, kind: str = "eeg"):
    names = names or [f"E{i}" for i in range(len(data))]
    return mne.io.RawArray(data.copy(), mne.create_info(names, RATE, kind), verbose="error")


def tone(*freqs: float) -> np.ndarray:
    return np.stack([np.sum([np.sin(2 * np.pi * f * T) for f in freqs], 0)] * 2) * 1e-5


def power(raw, freq: float) -> float:
    data = raw.get_data()[0]
    middle = data[len(data) // 4 : -len(data) // 4]
    t = np.arange(len(middle)) / raw.info["sfreq"]
    return 2 * abs(np.mean(middle * np.exp(-2j * np.pi * freq * t))) / 1e-5


@pytest.mark.parametrize("method", ["fir", "butterworth", "sinc"])
def test_bandpass_keeps_inside_and_removes_outside(method: str) -> None:
    step = {"step": "bandpass", "low_hz": 5.0, "high_hz": 30.0, "method": method}
    raw = apply_steps(raw_of(tone(1, 12, 60)), [step])
    assert power(raw, 12) == pytest.approx(1, abs=0.06)
    assert power(raw, 60) < 0.05 and power(raw, 1) < 0.15


@pytest.mark.parametrize("method", ["fir", "iir"])
def test_notch_takes_the_line_and_its_harmonics_only(method: str) -> None:
    step = {"step": "notch", "freqs_hz": [50, 100, 150], "method": method}
    raw = apply_steps(raw_of(tone(20, 50, 100)), [step])
    assert power(raw, 20) == pytest.approx(1, abs=0.03)
    assert power(raw, 50) < 0.05 and power(raw, 100) < 0.05


@pytest.mark.parametrize("method", ["fft", "polyphase", "sinc"])
def test_resampling_keeps_what_fits_and_folds_nothing(method: str) -> None:
    step = {"step": "resample", "rate_hz": 100, "method": method}
    raw = apply_steps(raw_of(tone(10, 70)), [step])
    assert raw.info["sfreq"] == 100 and raw.n_times == 100 * SECONDS
    assert power(raw, 10) == pytest.approx(1, abs=0.03) and power(raw, 30) < 0.05  # 100 - 70


def test_crop_shifts_the_clock() -> None:
    steps = [{"step": "crop", "start_s": 2.0, "stop_s": -3.0}]
    raw = apply_steps(raw_of(tone(10)), steps)
    assert raw.n_times == RATE * (SECONDS - 5) and shift_of(steps, RATE) == 2.0
    np.testing.assert_array_equal(raw.get_data()[0], tone(10)[0, 500:-750])
    whole = apply_steps(raw_of(tone(10)), [{"step": "crop"}])
    assert whole.n_times == len(T)


def test_channels_are_picked_dropped_and_renamed() -> None:
    names = ["EEG Fp1-REF", "EEG T3-REF", "EEG CZ-REF", "ECG"]
    data = np.arange(4)[:, None] * np.ones((4, len(T)))
    raw = apply_steps(
        raw_of(data, names),
        [
            {"step": "drop", "channels": ["ECG", "nothing"], "missing_ok": True},
            {"step": "rename"},
            {"step": "pick", "channels": ["Cz", "T7"]},
        ],
    )
    assert raw.ch_names == ["CZ", "T7"] and raw.get_data()[:, 0].tolist() == [2, 1]
    mapped = apply_steps(raw_of(data, names), [{"step": "rename", "names": {"ECG": "heart"}}])
    assert mapped.ch_names[3] == "heart"


def test_references() -> None:
    data = np.random.default_rng(0).standard_normal((4, len(T)))
    names = ["A1", "A2", "A4", "B'1"]
    average = apply_steps(raw_of(data, names), [{"step": "reference"}])
    np.testing.assert_allclose(average.get_data().mean(0), 0, atol=1e-12)
    named = apply_steps(raw_of(data, names), [{"step": "reference", "channels": ["A2"]}])
    np.testing.assert_allclose(named.get_data(), data - data[1], atol=1e-12)
    seeg = apply_steps(raw_of(data, names, "seeg"), [{"step": "reference", "channels": "bipolar"}])
    assert seeg.ch_names == ["A1"] and seeg.get_channel_types() == ["seeg"]
    np.testing.assert_allclose(seeg.get_data()[0], data[0] - data[1])


def test_neighbours_are_inside_an_electrode() -> None:
    names = ["A10", "A9", "A1", "B'1", "B'2", "B2", "B3", "ECG"]
    assert neighbours(names) == [("A9", "A10"), ("B2", "B3"), ("B'1", "B'2")]


def test_unit_and_names() -> None:
    raw = apply_steps(raw_of(tone(10)), [{"step": "unit", "factor": 1e-6}])
    np.testing.assert_allclose(raw.get_data(), 1e-6 * tone(10))
    assert (
        standard_name("t3") == "T7"
        and cut_name("EEG Fp1-REF") == "Fp1"
        and cut_name("Fc5.") == "Fc5"
    )


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"step": "bandpas"}, "did you mean 'bandpass'"),
        ({"step": "bandpass", "lo_hz": 1}, "unknown option 'lo_hz'; did you mean 'low_hz'"),
        ({"step": "bandpass", "high_hz": 200}, "not below half the rate, 125 Hz"),
        ({"step": "bandpass", "high_hz": 20, "method": "firr"}, "did you mean 'fir'"),
        ({"step": "pick", "channels": ["E7"]}, "pick: no channel 'E7'"),
        ({"step": "rename", "names": {"E0": "E1"}}, "no"),
        ({"step": "reference", "channels": "bipolar"}, "bipolar: no two contacts"),
        ({"step": "crop", "stop_s": 99}, "does not fit a recording of 20.0 s"),
        ({"step": "resample", "rate_hz": 999, "method": "sinc"}, "above the recording's 250 Hz"),
    ],
)
def test_mistakes_are_one_line(step: dict, message: str) -> None:
    names = ["E0", "F3"] if "reference" in step["step"] else ["E0", "E1"]
    if message == "no":  # a name that is taken: refused by MNE or by us, never in silence
        with pytest.raises((UserError, ValueError, RuntimeError)):
            apply_steps(raw_of(tone(10), names), [step])
        return
    with pytest.raises(UserError, match=message):
        apply_steps(raw_of(tone(10), names), [step])


LONG_STEPS = [
    {"step": "drop", "channels": ["A3"]},
    {"step": "bandpass", "low_hz": 1.0, "high_hz": 60.0},
    {"step": "reference", "channels": "average"},
    {"step": "notch", "freqs_hz": [50]},
    {"step": "resample", "rate_hz": 100.0},
    {"step": "reference", "channels": "bipolar"},
]


@pytest.mark.parametrize("upto", [0, 1, 3, 6])
def test_in_groups_of_channels_the_result_is_the_same(upto, monkeypatch) -> None:
    monkeypatch.setattr(chunks, "GROUP", 8 * len(T) * 2)  # two channels at once
    monkeypatch.setattr(chunks, "STRETCH", 777)
    data = np.random.default_rng(0).standard_normal((5, len(T))) * 1e-5
    names = ["A1", "A2", "A3", "A4", "A5"]
    steps = LONG_STEPS[:upto]
    short = apply_steps(raw_of(data, names), steps)
    values, info = chunks.apply_in_chunks(raw_of(data, names), steps)
    assert info["ch_names"] == short.ch_names and info["sfreq"] == short.info["sfreq"]
    np.testing.assert_allclose(values.T * 1e5, short.get_data() * 1e5, atol=2e-6)


def test_a_long_recording_goes_through_the_window_step_that_is_named(monkeypatch) -> None:
    """Symptom: every step over windows was taken for autoreject when a recording was long."""

    def mute(samples: np.ndarray, info: mne.Info, channel: str) -> None:
        samples[:, info["ch_names"].index(channel)] = 0.0

    monkeypatch.setitem(WINDOW_STEPS._items, "mute", mute)
    monkeypatch.setattr(chunks, "GROUP", 8 * len(T) * 2)
    steps = [{"step": "unit", "factor": 2.0}, {"step": "mute", "channel": "E1"}]
    short = apply_steps(raw_of(tone(10)), steps)
    data, _ = chunks.apply_in_chunks(raw_of(tone(10)), steps)
    assert not short.get_data()[1].any() and short.get_data()[0].any()
    np.testing.assert_allclose(data.T * 1e5, short.get_data() * 1e5, atol=2e-6)
    with pytest.raises(UserError, match="preprocessing step mute: unknown option 'info'"):
        apply_steps(raw_of(tone(10)), [{"step": "mute", "info": 1}])
    assert kind_of("mute") == "window" and kind_of("pick") == "channel"
    with pytest.raises(UserError, match="did you mean 'notch'"):
        kind_of("nothc")


WRITE = """
import sys
import numpy as np
import mne
info = mne.create_info(64, 256.0, "eeg")
rng = np.random.default_rng(0)
data = 1e-5 * rng.standard_normal((64, 2 * 3600 * 256), dtype=np.float32)
mne.io.RawArray(data, info, verbose="error").save(sys.argv[1], fmt="single", verbose="error")
"""
MEMORY = """
import json, sys
import mne
from bm.data import chunks
chunks.GROUP = 1 << 26
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
raw = mne.io.read_raw_fif(sys.argv[1], preload=False, verbose="error")
assert chunks.is_long(raw)
steps = [{"step": "bandpass", "low_hz": 0.5, "high_hz": 40.0},
         {"step": "reference", "channels": "average"}, {"step": "resample", "rate_hz": 100.0}]
before = peak()
data, info = chunks.apply_in_chunks(raw, steps)
print(json.dumps([before, peak(), raw.n_times * len(raw.ch_names) * 8 / 2**20]))
"""


@pytest.mark.endurance
def test_memory_of_a_long_recording_is_bounded(tmp_path) -> None:
    """2 h of 64 channels in groups of 64 MB: besides maps of files, some groups' worth."""
    path = str(tmp_path / "long_raw.fif")
    subprocess.run([sys.executable, "-c", WRITE, path], check=True)
    process = subprocess.run(
        [sys.executable, "-c", MEMORY, path], capture_output=True, text=True, check=True
    )
    before, after, whole = json.loads(process.stdout.splitlines()[-1])
    print(f"before {before:.0f} MB, peak {after:.0f} MB, whole as float64 {whole:.0f} MB")
    maps = whole / 2 * (1 + 1 + 100 / 256)  # float32 scratch files, dropped by the kernel at need
    assert after - before < maps + 8 * 64


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"step": "resample"}, "preprocessing step resample: no rate_hz"),
        ({"step": "bandpass", "low_hz": 1, "order": 2.5}, "order=2.5"),
        ({"step": "crop", "stop_s": 0}, "stop_s=0"),
    ],
)
def test_options_that_are_missing_or_in_parts_are_answered(step: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_steps([step])


def test_a_channel_that_is_picked_twice_is_answered() -> None:
    raw = mne.io.RawArray(np.zeros((2, 100)), mne.create_info(["Fp1", "a1"], 100.0, "eeg"))
    with pytest.raises(UserError, match="'Fp1' is named twice"):
        apply_step(raw, {"step": "pick", "channels": ["Fp1", "FP1"]})
