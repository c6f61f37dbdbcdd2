"""Preprocessing step autoreject: what was bad for a while is made from its neighbours."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from bm.data import chunks, repair
from bm.data.preprocess import apply_steps
from bm.data.store import Store, recipe_of
from bm.errors import UserError
from bm.studies import recordings_of
from bm.tests.shared_data import DATA, needs

RATE, WINDOWS, SENSOR = 60.0, 30, 5
STEP = {"step": "autoreject", "window_s": 1.0, "n_windows": 24}
BAD = (3, 11, 17, 29)  # windows in which one sensor has lost its contact
EXTRA = 20  # samples beyond the last whole window


def installed() -> None:
    pytest.importorskip("autoreject", reason="install it with `pip install -e '.[autoreject]'`")


def recording(bad: tuple[int, ...] = BAD):
    """Three sources seen by 16 electrodes, and what is true of each; V."""
    import mne

    montage = mne.channels.make_standard_montage("biosemi16")
    info = mne.create_info(montage.ch_names, RATE, "eeg").set_montage(montage)
    places = np.array([channel["loc"][:3] for channel in info["chs"]])
    distance = np.square(places[:, None] - places[None, [2, 7, 12]]).sum(-1)
    rng = np.random.default_rng(0)
    samples = int(WINDOWS * RATE) + EXTRA
    true = np.exp(-distance / (2 * 0.06**2)) @ rng.standard_normal((3, samples)) * 1e-5
    true += 1e-6 * rng.standard_normal(true.shape)
    data = true.copy()
    for window in bad:
        span = slice(int(window * RATE), int((window + 1) * RATE))
        data[SENSOR, span] += 3e-4 * rng.standard_normal(int(RATE))
    return mne.io.RawArray(data, info, verbose="error"), true


@pytest.fixture(scope="module")
def repaired():
    installed()
    return apply_steps(recording()[0], [STEP])


def test_a_lost_contact_is_made_from_its_neighbours(repaired) -> None:
    raw, true = recording()
    before, after = raw.get_data(), repaired.get_data()
    assert after.shape == before.shape  # nothing is dropped
    assert repaired.info["dig"] is not None and repaired.ch_names == raw.ch_names
    for window in BAD:
        span = slice(int(window * RATE), int((window + 1) * RATE))
        errors = [np.abs(x[SENSOR, span] - true[SENSOR, span]).mean() for x in (before, after)]
        assert errors[1] < 0.05 * errors[0]
    touched = (after != before).any(1)
    changed = np.abs(after - before)[SENSOR] > 5e-5
    assert touched[SENSOR] and changed.sum() > 0.8 * len(BAD) * RATE
    assert set((np.flatnonzero(changed) // RATE).astype(int)) <= set(BAD)


def test_in_stretches_the_result_is_the_same_whatever_their_number(repaired, monkeypatch) -> None:
    whole = repaired.get_data()
    monkeypatch.setattr(repair, "AT_ONCE", 7)
    monkeypatch.setattr(chunks, "GROUP", 8 * 2 * whole.shape[1])  # two channels at once
    values, info = chunks.apply_in_chunks(recording()[0], [{"step": "unit", "factor": 1.0}, STEP])
    assert info["nchan"] == 16
    np.testing.assert_allclose(values.T, whole, atol=2e-9)


def test_windows_cover_the_recording_once() -> None:
    assert repair.window_starts(100, 10) == list(range(0, 100, 10))
    assert repair.window_starts(104, 10) == [*range(0, 100, 10), 94]
    with pytest.raises(UserError, match="fewer than 10 windows of 11"):
        repair.window_starts(104, 11)


def test_mistakes_are_one_line(monkeypatch) -> None:
    import mne

    monkeypatch.setitem(sys.modules, "autoreject", None)
    with pytest.raises(UserError, match=r"pip install -e '\.\[autoreject\]'"):
        apply_steps(recording()[0], [STEP])
    raw = recording()[0]
    with pytest.raises(UserError, match="unknown option 'window'"):
        apply_steps(raw, [{"step": "autoreject", "window": 3}])
    with pytest.raises(UserError, match="seeg channels have no neighbours"):
        repair.check_sensors(mne.create_info(["A1", "A2"], 100.0, "seeg"))
    with pytest.raises(UserError, match="channel 'Fz' has no place"):
        repair.check_sensors(mne.create_info(["Fz", "Cz"], 100.0, "eeg"))


@pytest.mark.shared
@needs("eegmat")
def test_a_real_recording_is_repaired_once_and_kept(tmp_path: Path) -> None:
    """A minute of rest of one person (eegmat): some sensors in some seconds, most left alone."""
    installed()
    paths = {"studies": DATA, "cache": tmp_path}
    recordings, _ = recordings_of([{"study": "eegmat"}], paths)
    plain = [
        {"step": "resample", "rate_hz": 100.0},
        {"step": "crop", "stop_s": 60.0},
    ]
    store = Store(tmp_path)
    before = store.get(recordings[0], recipe_of({"preprocess": plain}))
    wanted = recipe_of({"preprocess": [*plain, {**STEP, "window_s": 2.0, "n_windows": 20}]})
    after = store.get(recordings[0], wanted)
    changed = (before.data != after.data).numpy()
    ranges = np.ptp(before.data.numpy().reshape(30, 200, -1), axis=1)
    touched = changed.reshape(30, 200, -1).any(1)
    assert 0 < touched.mean() < 0.3
    unusual = (ranges - ranges.mean(0)) / ranges.std(0)  # of each electrode, over time
    assert unusual[touched].mean() > 0.8 and unusual[~touched].mean() < 0
    path = store.path(recordings[0], wanted)
    written_ns = path.stat().st_mtime_ns
    assert (store.get(recordings[0], wanted).data == after.data).all()
    assert path.stat().st_mtime_ns == written_ns  # read, not made again
