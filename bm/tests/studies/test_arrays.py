"""Trials as arrays and epochs: every format gives the same windows, every doubt is one line."""

from __future__ import annotations

from pathlib import Path

import h5py
import mne
import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from bm.data.dataset import Dataset, build_dataset
from bm.errors import RecordingError, UserError
from bm.studies import build_study, recordings_of

from ..shared_data import DATA, needs
from .datasets import dset

RATE, N, C, T = 100.0, 24, 3, 50
NAMES = ["C3", "Cz", "C4"]
FACTS = {"rate_hz": RATE, "unit": "uV"}


def trials(seed: int = 0, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Trials (n, C, T) in uV and labels of two classes."""
    rng = np.random.default_rng(seed)
    return (20 * rng.standard_normal((n, C, T))).astype(np.float32), np.arange(n) % 2


def build(path: Path, changes: dict | None = None, **options) -> Dataset:
    config = dset("arrays", **(changes or {}))
    config |= {"scale": {"kind": "none", "clamp": None}, "strict": True}
    config["studies"] = [{"study": "arrays", "path": str(path), **options}]
    recordings, _ = recordings_of(config["studies"], {"studies": path.parent, "cache": path.parent})
    return build_dataset(recordings, config)


def windows(data: Dataset) -> np.ndarray:
    """All windows in the order of the table, (N, C, T)."""
    return data.gather(list(range(len(data.table)))).signal.numpy()


def numbers(data: Dataset) -> np.ndarray:
    """Number of the trial in its file for each window."""
    pairs = zip(data.table["recording"], data.table["event_row"], strict=True)
    return np.array([data.signals[r].events["trial"][e] for r, e in pairs])


def write_npz(folder: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict]:
    np.savez_compressed(folder / "a.npz", X=x, y=y)
    return folder / "a.npz", FACTS


def write_npy(folder: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict]:
    np.save(folder / "s1_X.npy", x)
    np.save(folder / "s1_y.npy", y)
    return folder, FACTS


def write_table(folder: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict]:
    np.save(folder / "mine.npy", x)
    pd.DataFrame({"label": y, "age": np.arange(len(y))}).to_csv(folder / "mine.csv", index=False)
    return folder / "mine.npy", {**FACTS, "columns": ["age"]}


def write_mat(folder: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict]:
    savemat(folder / "a.mat", {"data": x, "labels": y[:, None], "fs": RATE, "unit": "uV",
                               "ch_names": np.array(NAMES, dtype=object)})  # fmt: skip
    return folder / "a.mat", {}


def write_mat73(folder: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict]:
    """Write as MATLAB does: a header of 512 bytes, axes in reverse, text as numbers."""
    path = folder / "new.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value, kind in (
            ("data", x.T, "single"),
            ("y", y[None].astype(float), "double"),
            ("fs", np.array([[RATE]]), "double"),
            ("unit", np.array([[ord(c)] for c in "uV"], np.uint16), "char"),
        ):
            file[name] = value
            file[name].attrs["MATLAB_class"] = np.bytes_(kind)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124))
    return path, {}


def write_hdf5(folder: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict]:
    with h5py.File(folder / "a.h5", "w") as file:
        file["task/eeg"], file["task/label"] = x, np.array([f"c{v}" for v in y], dtype="S")
        file["task/eeg"].attrs.update({"sfreq": RATE, "unit": "µV"})
    return folder / "a.h5", {}


def write_epochs(folder: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict]:
    info = mne.create_info(NAMES, RATE, "eeg")
    events = np.c_[np.arange(len(y)) * 200, np.zeros(len(y), int), y + 1]
    epochs = mne.EpochsArray(x * 1e-6, info, events, -0.1, {"left": 1, "right": 2})
    epochs.metadata = pd.DataFrame({"subject": [f"p{i % 3}" for i in range(len(y))]})
    epochs.save(folder / "a-epo.fif", fmt="double")
    return folder / "a-epo.fif", {}


def write_set(folder: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict]:
    """An epoched set of EEGLAB with a fixation before the event that each trial is locked to."""
    kinds = np.array(["left", "right"])[y]
    events = [(kind, 10 * i + 5 * k + 1, i + 1)
              for i, name in enumerate(kinds) for k, kind in enumerate(("fix", name))]  # fmt: skip
    event = np.array(events, dtype=[("type", "O"), ("latency", "f8"), ("epoch", "f8")])
    epoch = np.zeros(len(y), dtype=[("event", "O"), ("eventtype", "O"), ("eventlatency", "O")])
    for i, name in enumerate(kinds):
        epoch[i] = (np.array([2 * i + 1, 2 * i + 2]), np.array(["fix", name], dtype=object),
                    np.array([-50.0, 0.0], dtype=object))  # fmt: skip
    places = np.array([(name,) for name in NAMES], dtype=[("labels", "O")])
    content = {"nbchan": C, "pnts": T, "trials": len(y), "srate": RATE, "xmin": -0.1,
               "xmax": -0.1 + (T - 1) / RATE, "data": x.transpose(1, 2, 0), "chanlocs": places,
               "event": event, "epoch": epoch, "setname": "a", "icawinv": []}  # fmt: skip
    savemat(folder / "a.set", {"EEG": content}, oned_as="row")
    return folder / "a.set", {}


WRITERS = (write_npz, write_npy, write_table, write_mat, write_mat73, write_hdf5, write_epochs,
           write_set)  # fmt: skip


@pytest.mark.parametrize("write", WRITERS)
def test_every_format_gives_the_same_windows(write, tmp_path: Path) -> None:
    x, y = trials()
    path, options = write(tmp_path, x, y)
    data = build(path, **options)
    order = np.argsort(numbers(data))
    np.testing.assert_allclose(windows(data)[order], x, rtol=1e-5, atol=1e-4)
    assert data.table["label"].to_numpy()[order].tolist() == y.tolist()
    assert data.facts.rate_hz == RATE and len(data.facts.classes) == 2
    if write is write_table:
        assert data.signals[0].events["age"].tolist() == list(range(N))
    if write in (write_set, write_epochs):
        assert data.facts.classes == ("left", "right") and data.facts.channels == tuple(NAMES)
    if write is write_epochs:
        assert sorted(set(data.table["subject"])) == ["p0", "p1", "p2"]


def test_published_split_people_and_sessions(tmp_path: Path) -> None:
    (x, y), (xt, yt) = trials(1, 40), trials(2, 12)
    who = np.array([f"{i % 2:02d}" for i in range(40)])
    path = tmp_path / "a.npz"
    people = {"subject_train": who, "subject_test": who[:12]}
    days = {"session_train": np.ones(40), "session_test": 2 * np.ones(12)}
    np.savez(path, X_train=x, y_train=y, X_test=xt, y_test=yt, **people, **days)
    data = build(path, **FACTS)
    test = data.rows("test")
    assert sorted(set(data.table["subject"])) == ["00", "01"]
    assert set(data.table["session"][test]) == {"2"} and len(test) == 12
    trial = numbers(data)[test] - 40
    np.testing.assert_allclose(windows(data)[test], xt[trial], rtol=1e-5)
    assert len(data.rows("valid")) and len(data.rows("train")) > 2 * len(data.rows("valid"))
    split = {**dset("arrays")["split"], "published": False}
    assert len(build(path, {"split": split}, **FACTS).rows("test")) != 12
    np.savez(path, X=x, y=y, split=np.array(["train", "val", "eval", "test"])[np.arange(40) % 4])
    data = build(path, **FACTS)
    counts = [len(data.rows(name)) for name in ("train", "valid", "test")]
    assert counts == [10, 10, 20]


def test_nothing_crosses_the_edge_of_a_trial(tmp_path: Path) -> None:
    x, y = trials(3)
    x[1::2] += 1000  # what rings over an edge would be seen
    path, options = write_npz(tmp_path, x, y)
    steps = [{"step": "bandpass", "low_hz": None, "high_hz": 20.0, "method": "butterworth"}]
    data = build(path, {"preprocess": steps, "rate_hz": 50.0}, **options)
    alone = [tmp_path / f"{i}.npz" for i in range(3)]
    for i, one in enumerate(alone):
        np.savez(one, X=x[i : i + 1], y=y[:1])
        single = build(one, {"preprocess": steps, "rate_hz": 50.0, "split": {
            **dset("arrays")["split"], "ratios": {"train": 1.0}}}, **options)  # fmt: skip
        np.testing.assert_allclose(windows(data)[i], windows(single)[0], rtol=1e-4, atol=1e-3)
    segment = {**dset("arrays")["segment"], "duration_s": 0.2, "stride_s": 0.1}
    strided = build(path, {"segment": segment}, **options)
    assert len(strided.table) == 4 * N
    starts = strided.table["start"].to_numpy() % T
    assert starts.tolist() == [0, 10, 20, 30] * N
    for changes in ({"duration_s": 0.6}, {"offset_s": 0.3, "duration_s": 0.3}, {"offset_s": -0.1}):
        with pytest.raises(UserError, match=r"outside trials of 0.5 s"):
            build(path, {"segment": {**dset("arrays")["segment"], "duration_s": 0.5, **changes}},
                  **options)  # fmt: skip
    with pytest.raises(UserError, match=r"16\.5 samples at 33 Hz"):
        build(path, {"rate_hz": 33.0}, **options)
    assert build(path, {"rate_hz": 30.0}, crop=[0, 40], **options).facts.window_samples == 12


def bad_files() -> list[tuple[str, dict, dict, str]]:
    """Name, arrays, options and what the message says."""
    x, y = trials()
    holes = x.copy()
    holes[4, 1, 7] = np.nan
    square = np.ones((N, 40, T))
    objects = np.array([x[0], x[1][:2]], dtype=object)
    return [
        ("order", {"X": square, "y": y}, FACTS, r"40 could be channels or samples.*axes"),
        ("swapped", {"X": x.transpose(0, 2, 1), "y": y}, FACTS, r"50 could be channels.*axes"),
        ("names", {"X": x, "y": y}, {**FACTS, "channels": ["A"]}, r"1 names for 3 channels"),
        ("labels", {"X": x, "y": y[:-1]}, FACTS, r"23 labels for 24 trials .*\(24, 3, 50\)"),
        ("axis", {"X": x, "y": np.ones(T)}, FACTS, r"axis 2 that of trials\?.*axes"),
        ("one-hot", {"X": x, "y": np.eye(2)[y]}, FACTS, r"\(24, 2\).*argmax"),
        ("no rate", {"X": x, "y": y}, {"unit": "uV"}, r"no sampling rate; give.*rate_hz"),
        ("rates", {"X": x, "y": y, "fs": 250.0}, FACTS, r"rate_hz=100, but the file says 250"),
        ("nan", {"X": holes, "y": y}, FACTS, r"trial 5, channel 2 is not a number \(1 of 24"),
        ("label nan", {"X": x, "y": np.where(y, np.nan, 1)}, FACTS, r"y of trial 2 is missing"),
        ("no unit", {"X": x, "y": y}, {"rate_hz": RATE}, r"no unit of the numbers; give"),
        ("unit", {"X": x, "y": y}, {**FACTS, "unit": "volts?"}, r"unknown unit 'volts\?'"),
        ("2-D", {"X": x.reshape(N, -1), "y": y}, FACTS, r"\(24, 150\) is 2-D; save \(trials"),
        ("4-D", {"X": x[None], "y": y}, FACTS, r"is 4-D"),
        ("objects", {"X": objects, "y": y[:2]}, FACTS, r"array X \(2,\) holds objects"),
        ("complex", {"X": x + 1j, "y": y}, FACTS, r"holds complex; save real"),
        ("empty", {"X": x[:0], "y": y[:0]}, FACTS, r"\(0, 3, 50\) is empty"),
        ("mixed", {"X_train": x, "y_train": y, "X_test": x[:, :2], "y_test": y}, FACTS,
         r"X_train has 3 channels, array X_test 2"),
        ("two", {"X": x, "data": x, "y": y}, FACTS, r"X and data could both be the signal"),
        ("no label", {"X": x}, FACTS, r"no labels \(it has X \(24, 3, 50\)\)"),
        ("half", {"X_train": x, "X_test": x, "y_train": y}, FACTS, r"X_test has no label"),
        ("none", {"gamma": y, "beta": y}, FACTS, r"which array holds the trials\?"),
        ("wrong name", {"X": x, "y": y}, {**FACTS, "signal": "Z"}, r"no array 'Z'"),
        ("split", {"X": x, "y": y, "split": y}, FACTS, r"split 0 is none of train, valid, test"),
        ("axes", {"X": x, "y": y}, {**FACTS, "axes": ["trials", "samples"]}, r"3 axes, not"),
        ("crop", {"X": x, "y": y}, {**FACTS, "crop": [10, 60]}, r"crop \[10, 60\] of trials of 50"),
    ]  # fmt: skip


@pytest.mark.parametrize("case", bad_files(), ids=lambda case: case[0])
def test_doubts_are_one_line_with_file_and_remedy(case, tmp_path: Path) -> None:
    _, arrays, options, message = case
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(RecordingError, match=message) as error:
        build(tmp_path / "a.npz", **options)
    assert "\n" not in str(error.value) and str(tmp_path / "a.npz") in str(error.value)


def test_axes_that_are_said_are_obeyed(tmp_path: Path) -> None:
    x, y = trials(5)
    path = tmp_path / "a.npz"
    for axes in (["channels", "samples", "trials"], ["samples", "trials", "channels"]):
        order = [["trials", "channels", "samples"].index(axis) for axis in axes]
        np.savez(path, X=x.transpose(order), y=y)
        np.testing.assert_allclose(windows(build(path, axes=axes, **FACTS)), x, rtol=1e-5)
    np.savez(path, X=x[:, 0], y=y)
    one = build(path, axes=["trials", "samples"], **FACTS)
    np.testing.assert_allclose(windows(one)[:, 0], x[:, 0], rtol=1e-5)
    with pytest.raises(UserError, match="axes"):
        build(path, axes=["trials", "time"], **FACTS)


def test_no_pickle_is_opened(tmp_path: Path) -> None:
    """An object array would run code when it is unpickled."""
    marker = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return Path.touch, (marker,)

    cells = np.empty(2, dtype=object)
    cells[:] = [Payload(), 1]
    np.savez(tmp_path / "a.npz", X=trials()[0], y=cells)
    np.save(tmp_path / "X.npy", cells, allow_pickle=True)
    for name in ("a.npz", "X.npy"):
        with pytest.raises(RecordingError, match="holds objects"):
            build(tmp_path / name, **FACTS)
    assert not marker.exists()


def test_links_out_of_a_file_and_cells_of_arrays_are_refused(tmp_path: Path) -> None:
    x, y = trials()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["X"] = x
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"], file["y"] = h5py.ExternalLink("other.h5", "X"), y
    with pytest.raises(RecordingError, match="which array holds the trials"):
        build(tmp_path / "a.h5", **FACTS)
    cells = np.empty(2, dtype=object)
    cells[:] = [x[0], x[1, :2]]
    savemat(tmp_path / "a.mat", {"X": cells, "y": y[:2]})
    with pytest.raises(RecordingError, match="holds objects"):
        build(tmp_path / "a.mat", **FACTS)


def test_a_bad_file_beside_good_ones_is_named_and_skipped(tmp_path: Path) -> None:
    for seed, name in enumerate(("p1", "p2")):
        x, y = trials(seed)
        np.savez(tmp_path / f"{name}.npz", X=x, y=y)
    (tmp_path / "p3.npz").write_bytes((tmp_path / "p1.npz").read_bytes()[:500])
    (tmp_path / "p4.mat").write_text("no MATLAB")
    config = {**dset("arrays"), "studies": [{"study": "arrays", "path": str(tmp_path), **FACTS}]}
    recordings, _ = recordings_of(config["studies"], {"studies": tmp_path, "cache": tmp_path})
    assert [recording.id.subject for recording in recordings] == ["p1", "p2", "p3", "p4"]
    data = build_dataset(recordings, config)
    assert set(data.table["subject"]) == {"p1", "p2"}
    with pytest.raises(RecordingError, match=r"p3.npz: cannot be read"):
        recordings[2].load_raw()


def test_labels_are_renamed_and_others_left_out(tmp_path: Path) -> None:
    x, _ = trials()
    np.savez(tmp_path / "a.npz", X=x, y=np.array([1, 2, 3])[np.arange(N) % 3])
    data = build(tmp_path / "a.npz", labels={1: "left", 2: "right"}, **FACTS)
    assert data.facts.classes == ("left", "right") and len(data.table) == 16
    rows = np.flatnonzero(np.arange(N) % 3 < 2)
    np.testing.assert_allclose(windows(data), x[rows], rtol=1e-5)


def test_npy_of_several_people_and_of_splits(tmp_path: Path) -> None:
    for who in ("s1", "s2"):
        for part, seed in (("train", 1), ("test", 2)):
            x, y = trials(seed)
            np.save(tmp_path / f"{who}_X_{part}.npy", x)
            np.save(tmp_path / f"{who}_y_{part}.npy", y)
    recordings = build_study({"study": "arrays", "path": str(tmp_path), **FACTS},
                             {"studies": tmp_path, "cache": tmp_path}).recordings()  # fmt: skip
    assert [(r.id.subject, r.id.run) for r in recordings] == [
        ("s1", "test"), ("s1", "train"), ("s2", "test"), ("s2", "train")]  # fmt: skip
    assert all(len(recording.source) == 4 for recording in recordings)


def test_one_channel_cut_into_several_is_named(tmp_path: Path, caplog) -> None:
    y = np.arange(N) % 2
    series = 20 * np.random.default_rng(0).standard_normal((N, T + 12))
    x = np.stack([series[:, 6 * k : 6 * k + T] for k in range(C)], axis=1)
    np.savez(tmp_path / "a.npz", X=x, y=y)
    build(tmp_path / "a.npz", **FACTS)
    assert "channel 2 is channel 1 shifted by 6 samples" in caplog.text
    caplog.clear()
    build(tmp_path / "a.npz", exclude=["2", "3"], **FACTS)
    assert "shifted" not in caplog.text


@needs("trials")
@pytest.mark.parametrize(
    ("name", "counts", "samples"),
    [("scp1", (268, 293), 28), ("hand_movement", (160, 74), 25)],
)
def test_real_sets_have_their_published_split(name: str, counts, samples: int) -> None:
    config = dset(name)
    recordings, _ = recordings_of(config["studies"], {"studies": DATA, "cache": DATA})
    data = build_dataset(recordings, config)
    test = len(data.rows("test"))
    assert (len(data.table) - test, test) == counts and data.facts.window_samples == samples


def test_epochs_with_a_bad_channel_keep_every_channel(tmp_path: Path) -> None:
    x, y = trials()
    info = mne.create_info(NAMES, RATE, "eeg")
    events = np.column_stack([np.arange(N) * T, np.zeros(N, int), y + 1])
    epochs = mne.EpochsArray(x * 1e-6, info, events, event_id={"l": 1, "r": 2}, verbose="error")
    epochs.info["bads"] = ["Cz"]
    epochs.save(tmp_path / "a-epo.fif", fmt="double", verbose="error")
    data = build(tmp_path / "a-epo.fif")
    np.testing.assert_allclose(windows(data), x, atol=1e-4)
    assert data.signals[0].bads == ("Cz",)
    without = build(tmp_path / "a-epo.fif", {"bads": "drop"})
    np.testing.assert_allclose(windows(without), x[:, [0, 2]], atol=1e-4)


def test_labels_that_no_trial_has_are_answered(tmp_path: Path) -> None:
    path, facts = write_npz(tmp_path, *trials())
    with pytest.raises(RecordingError, match=r"a.npz: no event is labelled left \(labels: 0, 1\)"):
        build(path, labels={"left": "x"}, **facts)


@pytest.mark.parametrize(
    ("more", "options", "message"),
    [
        ({"unit": "mV"}, {}, "unit=uV, but the file says mV"),
        ({"units": ["uV", "mV", "uV"]}, {}, r"several values of unit \(uV, mV\)"),
        ({"ch_names": ["C3", "Cz", "C3"]}, {}, "two channels 'C3'"),
        ({"age": np.arange(N)}, {"columns": ["agee"]}, "no array 'agee'.*study's `columns`"),
        ({"fs": "fast"}, {}, "its rate is 'fast'"),
    ],
)
def test_a_file_that_contradicts_itself_or_the_study_is_named(
    tmp_path: Path, more: dict, options: dict, message: str
) -> None:
    x, y = trials()
    np.savez(tmp_path / "a.npz", X=x, y=y, **more)
    with pytest.raises(RecordingError, match=f"a.npz: {message}"):
        build(tmp_path / "a.npz", **{**FACTS, **options})


def test_a_table_beside_may_not_say_something_else(tmp_path: Path) -> None:
    path, facts = write_npz(tmp_path, *trials())
    rows = [f"{i},{i % 2}" for i in range(N)]
    (tmp_path / "a.csv").write_text("\n".join(["trial,label", *rows]) + "\n")
    assert build(path, **facts).facts.classes == ("0", "1")
    (tmp_path / "a.csv").write_text("\n".join(["trial,label", *rows[::-1]]) + "\n")
    with pytest.raises(RecordingError, match="column 'trial' counts the trials in another order"):
        build(path, **facts)
    (tmp_path / "a.csv").write_text("label\n" + "1\n0\n" * (N // 2))
    with pytest.raises(RecordingError, match=r"label of trial 1 is '1', in a.npz '0'"):
        build(path, **facts)
    assert build(path, label="y", **facts).table["label"].tolist() == [0, 1] * (N // 2)
    assert build(path, label="label", **facts).table["label"].tolist() == [1, 0] * (N // 2)


def test_hdf5_with_factors_and_with_groups_in_a_circle(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = trials()
    for name, value in (("gain", 24.0), ("scale_factor", 0.1)):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["X"], file["y"], file["again"] = x, y, file["/"]
            file["X"].attrs[name] = value
        if name == "gain":
            np.testing.assert_allclose(windows(build(tmp_path / "a.h5", **FACTS)), x, atol=1e-4)
            assert "attribute gain=24.0, which is not applied" in caplog.text
        else:
            with pytest.raises(RecordingError, match=r"attribute scale_factor=0\.1"):
                build(tmp_path / "a.h5", **FACTS)


def test_two_parts_of_one_name_are_refused(tmp_path: Path) -> None:
    x, y = trials()
    who = {"subject": ["a_0", "a"] * (N // 2), "session": ["b", "0_b"] * (N // 2)}
    np.savez(tmp_path / "a.npz", X=x, y=y, **who)
    with pytest.raises(UserError, match="a_0/b and a/0_b would both be called"):
        build(tmp_path / "a.npz", **FACTS)
