"""Alignment: channels of every recording are uncorrelated and of equal power behind it."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest

from bm.data import chunks
from bm.data.preprocess import apply_steps, check_steps
from bm.errors import UserError

STEP = {"step": "align"}


def recording(mixing: np.ndarray, samples: int = 4000, seed: int = 0) -> mne.io.RawArray:
    """Independent sources, mixed to as many channels as the matrix has rows, with an offset."""
    rng = np.random.default_rng(seed)
    values = mixing @ rng.normal(0, 1e-5, (mixing.shape[1], samples)) + 2e-5
    info = mne.create_info([f"E{n}" for n in range(len(mixing))], 100.0, "eeg")
    return mne.io.RawArray(values, info, verbose="error")


def test_channels_are_uncorrelated_and_near_what_they_were() -> None:
    mixing = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 0.4]])
    before = recording(mixing).get_data()
    after = apply_steps(recording(mixing), [STEP]).get_data()
    assert np.allclose(np.cov(after, bias=True), 1e-10 * np.eye(3), atol=1e-16)
    assert np.allclose(after.mean(1), 0, atol=1e-12)
    crossed = np.cov(before, after, bias=True)[:3, 3:]
    # of all matrices that whiten, the symmetric one: each channel is most like itself
    assert np.allclose(crossed, crossed.T, atol=1e-16)
    assert (crossed.argmax(1) == np.arange(3)).all()


def test_what_mixes_people_differently_is_undone() -> None:
    """Two people, one source each way: the power of a source is equal behind the alignment."""
    rng = np.random.default_rng(1)
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    stretch = np.diag([1.0, 4.0, 9.0, 0.1])
    symmetric = rotation @ stretch @ rotation.T
    plain = apply_steps(recording(np.eye(4)), [STEP]).get_data()
    mixed = apply_steps(recording(symmetric), [STEP]).get_data()
    assert np.allclose(plain, mixed, atol=2e-6)  # sources are uncorrelated but for chance


def test_directions_without_power_stay_empty() -> None:
    """An average reference takes one: it must not be blown up to noise."""
    steps = [{"step": "reference", "channels": "average"}, STEP]
    after = apply_steps(recording(np.diag([1.0, 2.0, 3.0])), steps).get_data()
    powers = np.linalg.eigvalsh(np.cov(after, bias=True))
    assert abs(powers[0]) < 1e-18 and np.allclose(powers[1:], 1e-10)


def test_long_recordings_are_aligned_alike(tmp_path: Path) -> None:
    mixing = np.random.default_rng(2).normal(size=(5, 5))
    steps = [{"step": "bandpass", "low_hz": 2.0, "high_hz": 30.0}, {**STEP, "sd": 2e-5}]
    whole = apply_steps(recording(mixing), steps).get_data().T
    data, _ = chunks.apply_in_chunks(recording(mixing), steps, tmp_path)
    assert np.abs(data - whole).max() < 1e-3 * 2e-5
    assert np.allclose(data.std(0), 2e-5, rtol=1e-3)


def test_mistakes_are_one_line() -> None:
    with pytest.raises(UserError, match="3 samples tell no covariance of 4 channels"):
        apply_steps(recording(np.eye(4), samples=3), [STEP])
    mixed = recording(np.eye(2))
    mixed.set_channel_types({"E1": "seeg"})
    with pytest.raises(UserError, match="kinds eeg and seeg"):
        apply_steps(mixed, [STEP])
    with pytest.raises(UserError, match="every channel is constant"):
        apply_steps(recording(np.zeros((2, 2))), [STEP])
    with pytest.raises(UserError, match="align: sd=0; use a number above 0"):
        check_steps([{**STEP, "sd": 0}])
