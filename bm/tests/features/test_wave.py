"""SoundWave: samples on their grid, and the sounds that a generator must not learn from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import soundfile

from bm.errors import RecordingError, UserError
from bm.features import build_feature
from bm.features.builder import FeatureBuilder


def sound(path, values: np.ndarray, rate: int = 16000) -> pd.DataFrame:
    """The event of a sound file written for it."""
    soundfile.write(path, values, rate, subtype="FLOAT")
    duration = len(values) / rate
    return pd.DataFrame(
        [{"kind": "sound", "start_s": 0.5, "duration_s": duration, "filepath": str(path)}]
    )


def tone(seconds: float = 1.0, rate: int = 16000, peak: float = 0.5) -> np.ndarray:
    return peak * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)


def test_samples_lie_where_the_sound_is(tmp_path) -> None:
    values = tone()
    builder = FeatureBuilder([build_feature("SoundWave")])
    builder.add(sound(tmp_path / "a.wav", values), 100.0)
    window = builder.gather(np.array([0]), np.array([0]), 200)[0]["SoundWave"]
    assert window.shape == (1, 1, 32000)
    assert np.allclose(window[0, 0, 8000:24000], values, atol=1e-6)
    assert not window[0, 0, :8000].any() and not window[0, 0, 24000:].any()


def test_another_rate_is_resampled(tmp_path) -> None:
    values = tone(rate=44100)
    feature = build_feature("SoundWave")
    rows = feature.rows(sound(tmp_path / "a.wav", values, 44100), 16000.0)[0][:, 0]
    assert len(rows) == 16000
    assert np.allclose(rows[500:-500], tone()[500:-500], atol=2e-3)


@pytest.mark.parametrize(
    ("values", "rate", "reason"),
    [
        (np.zeros(16000), 16000, "silent"),
        (np.sign(tone()), 16000, "cut off: 1"),
        (tone(rate=8000), 8000, "sampled at 8000 Hz"),
    ],
)
def test_a_bad_sound_is_named(tmp_path, values, rate, reason) -> None:
    events = sound(tmp_path / "bad.wav", values, rate)
    with pytest.raises(RecordingError, match=reason) as error:
        build_feature("SoundWave").rows(events, 16000.0)
    assert "bad.wav" in str(error.value) and "\n" not in str(error.value)


def test_a_sound_shorter_than_its_event_is_no_pair(tmp_path) -> None:
    events = sound(tmp_path / "bad.wav", tone())
    events["duration_s"] = 3.0
    with pytest.raises(RecordingError, match="the event lasts 3 s, the file has 1 s"):
        build_feature("SoundWave").rows(events, 16000.0)


def test_an_unreadable_file_is_named(tmp_path) -> None:
    events = sound(tmp_path / "bad.wav", tone())
    (tmp_path / "bad.wav").write_bytes(b"RIFF but nothing else")
    with pytest.raises(RecordingError, match=r"bad\.wav"):
        build_feature("SoundWave").rows(events, 16000.0)
    with pytest.raises(UserError, match="channel=third"):
        build_feature({"name": "SoundWave", "channel": "third"})


def test_a_pause_within_a_heard_file_is_allowed(tmp_path) -> None:
    values = np.concatenate([np.zeros(8000), tone(0.5)])
    whole = sound(tmp_path / "a.wav", values)
    parts = [{"start_s": 0.0, "offset": 0.0}, {"start_s": 0.5, "offset": 0.5}]
    events = pd.DataFrame([{**whole.iloc[0].to_dict(), "duration_s": 0.5, **p} for p in parts])
    rows = build_feature("SoundWave").rows(events, 16000.0)
    assert not rows[0].any() and rows[1].any()
