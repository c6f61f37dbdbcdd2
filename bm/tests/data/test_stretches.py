"""Marked stretches and joins: no window touches them, and filters stop there."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest

from bm.data import chunks
from bm.data.dataset import build_dataset
from bm.data.preprocess import apply_steps
from bm.data.signal import make_signal
from bm.data.store import Store
from bm.data.stretches import (
    Stretch,
    is_join,
    is_mark,
    joins_of,
    mark_joins,
    moved,
    stretches_of,
    touched,
)
from bm.studies import build_study

RATE = 100.0
BLOCKS = {"kind": "block", "duration_s": 1.0, "stride_s": 1.0, "label": None}
DSET = {
    "segment": BLOCKS,
    "split": {"key": "trial", "seed": 0, "ratios": {"train": 1.0}, "fixed": {}},
    "scale": {"kind": "none", "clamp": None},
}


def raw_of(seconds: int = 20, names: tuple[str, ...] = ("Fp1", "Fp2"), step: float = 0.0):
    uv = np.random.default_rng(0).normal(0, 20, (len(names), round(seconds * RATE)))
    uv[:, uv.shape[1] // 2 :] += step
    return mne.io.RawArray(uv * 1e-6, mne.create_info(list(names), RATE, "eeg"), verbose="error")


def recording(folder: Path, raw: mne.io.BaseRaw, **options):
    raw.save(folder / "s_raw.fif", overwrite=True, verbose="error")
    entry = {"study": "folder", "path": str(folder), **options}
    (one,) = build_study(entry, {"studies": folder, "cache": folder / "c"}).recordings()
    return one


@pytest.mark.parametrize(
    ("text", "mark", "join"),
    [("BAD_artifact", True, False), ("bad", True, False), ("EDGE boundary", True, True),
     ("boundary", True, True), ("BAD boundary", True, True), ("New Segment/", True, True),
     ("-99", True, True), ("EDGE boundary/", True, True), ("Comment/bad", False, False),
     ("badge", False, False), ("boundary condition", False, False),
     ("edges", False, False), ("Stimulus/S  1", False, False)],
)  # fmt: skip
def test_annotations_of_quality_are_told_from_events(text: str, mark: bool, join: bool) -> None:
    assert (is_mark(text), is_join(text)) == (mark, join)


def test_windows_touch_no_bad_sample_and_no_join() -> None:
    stretches = [Stretch(4.0, 6.0, "BAD"), Stretch(10.0, 10.0, "EDGE boundary")]
    starts = np.array([300, 301, 599, 600, 900, 901, 999, 1000])
    hit = touched(starts, 100, stretches, RATE)
    assert hit.tolist() == [False, True, True, False, False, True, True, False]


@pytest.mark.parametrize("crop", [0.0, 5.0])
@pytest.mark.parametrize("date", [None, 1_000_000_000])
def test_times_count_from_the_first_sample(crop: float, date, tmp_path: Path) -> None:
    raw = raw_of()
    raw.set_meas_date(date)
    raw.set_annotations(mne.Annotations([8.0, 12.0, 15.0], [1.0, 0, 0], ["BAD", "go", "boundary"]))
    if crop:
        raw.crop(crop)
    one = recording(tmp_path, raw)
    events = one.events().query("kind == 'trial'")
    assert events["start_s"].tolist() == [12.0 - crop]
    stretches = stretches_of(one.load_raw())
    assert [s.start_s for s in stretches] == [8.0 - crop, 15.0 - crop]
    assert stretches[1].stop_s == stretches[1].start_s
    marked = mark_joins(one.load_raw())
    assert joins_of(stretches_of(marked)) == [15.0 - crop]


def test_the_store_keeps_stretches_and_windows_avoid_them(tmp_path: Path, caplog) -> None:
    raw = raw_of()
    raw.set_annotations(mne.Annotations([4.0, 10.5], [2.0, 0.0], ["BAD_x", "EDGE boundary"]))
    one = recording(tmp_path, raw)
    store = Store(tmp_path / "cache")
    for source in (store, store, None):
        table = build_dataset([one], DSET, store=source).table
        assert table["start_s"].tolist() == [t for t in range(20) if t not in (4, 5, 10)]
    assert "3 of 20 windows touch marked stretches or joins" in caplog.text
    whole = build_dataset([one], {**DSET, "keep_bad": True}, store=store)
    assert len(whole.table) == 20


def test_bad_channels_are_stored_and_obeyed(tmp_path: Path) -> None:
    names = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4")
    raw = raw_of(names=names)
    raw.info["bads"] = ["F4"]
    one, store = recording(tmp_path, raw), Store(tmp_path / "cache")
    served = {
        action: build_dataset([one], {**DSET, "bads": action}, store=store).signals[0]
        for action in ("keep", "drop", "interpolate")
    }
    assert served["keep"].bads == ("F4",) and served["keep"].channels == names
    assert served["drop"].channels == tuple(n for n in names if n != "F4")
    assert served["interpolate"].channels == names and served["interpolate"].bads == ()
    bad, new = served["keep"].data.numpy(), served["interpolate"].data.numpy()
    assert np.array_equal(bad[:, :3], new[:, :3])
    assert np.abs(bad[:, 3] - new[:, 3]).max() > 1
    # The hash of data that nothing changes is that of before the keys.
    plain = build_dataset([one], DSET, store=store)
    assert plain.hash == build_dataset([one], {**DSET, "bads": "keep"}, store=store).hash


def test_the_average_reference_reaches_every_channel() -> None:
    common = np.random.default_rng(5).normal(0, 100e-6, 2000)
    raw = raw_of(names=("Fp1", "Fp2", "F3", "F4"))
    raw._data += common
    raw.info["bads"] = ["F4"]
    before = raw.get_data()
    after = apply_steps(raw, [{"step": "reference"}]).get_data()
    np.testing.assert_allclose(after, before - before[:3].mean(0), atol=1e-15)


@pytest.mark.parametrize(
    "step",
    [{"step": "bandpass", "low_hz": 1.0, "high_hz": 40.0},
     {"step": "bandpass", "low_hz": 1.0, "method": "butterworth"},
     {"step": "bandpass", "low_hz": 1.0, "high_hz": 40.0, "method": "sinc"},
     {"step": "notch", "freqs_hz": [10.0]},
     {"step": "notch", "freqs_hz": [10.0], "method": "iir"}],
)  # fmt: skip
def test_filters_stop_at_joins_whole_and_in_parts(step: dict) -> None:
    raw = raw_of(40, step=5000.0)
    raw.set_annotations(mne.Annotations([20.0], [0.0], ["boundary"]))
    raw = mark_joins(raw)
    parts, _ = chunks.apply_in_chunks(raw.copy(), [step])
    whole = apply_steps(raw.copy(), [step]).get_data()
    np.testing.assert_allclose(parts.T, whole, atol=1e-9)
    assert np.abs(whole[:, 1800:2000]).max() < 400e-6  # the step behind is 5000 uV high


def test_crops_cut_stretches_and_blocks(tmp_path: Path) -> None:
    raw = raw_of()
    raw.set_annotations(mne.Annotations([4.0, 9.0], [2.0, 0.0], ["BAD", "boundary"]))
    steps = [{"step": "crop", "start_s": 5.004, "stop_s": -2.0}]
    signal = make_signal(recording(tmp_path, raw), {"preprocess": steps})
    assert signal.samples == 1300
    blocks = signal.events.query("kind == 'block'")
    assert blocks["start_s"].tolist() == [0.0] and blocks["duration_s"].tolist() == [13.0]
    spans = [(s.start_s, s.stop_s) for s in signal.stretches]
    assert spans == [(0.0, pytest.approx(1.0)), (pytest.approx(4.0), pytest.approx(4.0))]
    assert moved([Stretch(1.0, 2.0, "BAD")], 3.0, 5.0) == ()


def test_labels_of_two_files_are_one(tmp_path: Path) -> None:
    from bm.data.segments import number_labels, one_spelling

    assert one_spelling([1.0, 2, "1"]) == [1, 2, 1]
    assert one_spelling(["01", "1"]) == ["01", "1"]
    assert one_spelling([1, "rest", "2"]) == [1, "rest", 2]
    table = pd.DataFrame({"label": [1, "2", 2.0, "rest"]})
    assert number_labels(table, [], "label") == ("1", "2", "rest")
    assert table["label"].tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("method", ["fft", "polyphase", "sinc"])
@pytest.mark.parametrize("join_s", [10.0, 10.03])
def test_resampling_does_not_run_over_a_join(method: str, join_s: float) -> None:
    uv = np.random.default_rng(0).normal(0, 1, (2, 2000))
    join = round(join_s * RATE)
    uv[:, join:] += 500
    raw = mne.io.RawArray(uv * 1e-6, mne.create_info(2, RATE, "eeg"), verbose="error")
    raw.set_annotations(mne.Annotations([join_s], [0], ["EDGE boundary"]))
    out = apply_steps(raw, [{"step": "resample", "rate_hz": 40.0, "method": method}])
    x, place = out.get_data() * 1e6, round(join_s * 40)
    assert out.n_times == 800 and joins_of(stretches_of(out)) == [join_s]
    assert np.abs(x[:, :place]).max() < 5 and np.abs(x[:, place:] - 500).max() < 60
    # A second away from edges the numbers are those of each part by itself.
    alone = mne.io.RawArray(uv[:, :join] * 1e-6, mne.create_info(2, RATE, "eeg"), verbose="error")
    part = apply_steps(alone, [{"step": "resample", "rate_hz": 40.0, "method": method}])
    np.testing.assert_allclose(x[:, : place - 1], part.get_data()[:, : place - 1] * 1e6, atol=1e-6)
