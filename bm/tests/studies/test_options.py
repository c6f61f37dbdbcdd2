"""Slips in options of a study and of a data set: one line that names the option, never a bug."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from bm.data.dataset import build_dataset
from bm.data.recording import Recording
from bm.errors import UserError
from bm.studies import build_study

from ..data.noise_files import dset, write

RATE = 100.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("options")
    for number in (1, 2):
        write(root / f"s{number}_raw.fif", number)
    return root


def recordings(folder: Path, **options: Any) -> list[Recording]:
    entry = {"study": "folder", "path": str(folder), **options}
    return list(build_study(entry, {"studies": folder, "cache": folder}).recordings())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exclude": "Fp1"}, "exclude='Fp1': use a list"),
        ({"exclude": ["*"]}, "`exclude` leaves no channel"),
        ({"channels": "Fp1"}, "channels='Fp1': use a list"),
        ({"channels": []}, "channels: an empty list"),
        ({"files": "**/*.fif"}, "files=.*: use a list"),
        ({"files": []}, "files: an empty list"),
        ({"labels": ["a"]}, r"labels=\['a'\]: use a mapping"),
        ({"labels": "a"}, "labels='a': use a mapping"),
        ({"types": ["EOG"]}, "types=.*: use a mapping"),
        ({"rename": "Fp1"}, "rename='Fp1': use a mapping"),
        ({"rename": {"Fp1": "Fp2"}}, "rename: two channels would be 'Fp2'"),
    ],
)
def test_options_of_a_study(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_dataset(recordings(folder, **options), dset())


def test_names_that_fit_nothing_are_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    build_dataset(recordings(folder, rename={"Q": "Z"}, rate_hz=250), dset())
    assert "rename: 'Q' is no channel" in caplog.text
    assert "recorded at 200 Hz; rate_hz=250 is of tables of samples alone" in caplog.text


def step(name: str, **options: Any) -> dict[str, Any]:
    return {"preprocess": [{"step": name, **options}]}


def split(**changes: Any) -> dict[str, Any]:
    return {"split": {**dset()["split"], **changes}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preprocess": ["bandpass"]}, "dset.preprocess: 'bandpass'; use mappings"),
        ({"preprocess": [{"name": "bandpass"}]}, "does not say which step"),
        ({"preprocess": "bandpass"}, "dset.preprocess='bandpass': use a list"),
        ({"preprocess": {"step": "crop"}}, "dset.preprocess=.*: use a list"),
        (step("unit", factor="x"), "unit: factor=x"),
        (step("resample", rate_hz=1e9), r"resample: rate_hz=1e\+09; use at most"),
        ({"rate_hz": 1e9}, r"dset.rate_hz=1e\+09; use at most"),
        (step("reference", channels=[]), "reference: channels: an empty list"),
        (step("pick", channels=[]), "pick: channels: an empty list"),
        (step("drop", channels="Fp1"), "drop: channels='Fp1': use a list"),
        (step("drop", channels=["Fp1", "Fp2", "C3", "C4"]), "drop: no channel is left"),
        (step("crop", start_s=5, stop_s=3), "crop: start_s=5 is not before stop_s=3"),
        (step("crop", start_s="x"), "crop: start_s=x"),
        (step("rename", names={"Fp1": "Fp2"}), "would both be 'Fp2'"),
        (step("notch", freqs_hz=[99.8]), "99.8 Hz is too close to half the rate, 100 Hz"),
        ({"channels": []}, "dset.channels: an empty list"),
        ({"channels": ["Fp1", "FP1"]}, "dset.channels: 'FP1' is named twice"),
        ({"scale": {"kind": "zscore", "clamp": -1}}, "dset.scale.clamp=-1"),
        ({"augment": "noise"}, "dset.augment='noise': use a list"),
        ({"augment": ["noise"]}, "dset.augment='noise': use a mapping"),
        (split(fixed={"test": ["s1_raw"]}), "dset.split.fixed.test=.*: use a mapping"),
        (split(ratios={"train": "half"}), "dset.split.ratios.train='half'"),
        (split(ratios={"train": float("nan")}), "use a number from 0 to 1"),
        ({"segment": {"kind": "trial", "duration_s": 1.0, "offset_s": "x"}}, "offset_s=x"),
    ],
)
def test_options_of_a_data_set(folder: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        build_dataset(recordings(folder), dset(**changes))
    assert "its traceback is in" not in str(caught.value)


def save(path: Path, uv: np.ndarray, names: list[str], kinds: str | list[str] = "eeg") -> None:
    factor = 1e-15 if kinds == "mag" else 1e-6
    raw = mne.io.RawArray(uv * factor, mne.create_info(names, RATE, kinds), verbose="error")
    raw.set_annotations(mne.Annotations([1, 3], [0, 0], ["a", "b"]))
    raw.save(path, verbose="error")


def noise(channels: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 20, (channels, round(20 * RATE)))


@pytest.mark.parametrize(("kinds", "kind"), [("seeg", "seeg"), ("ecog", "ecog"), ("mag", "meg")])
def test_the_kind_is_that_of_the_channels(
    kinds: str, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    save(tmp_path / "x_raw.fif", noise(4), ["A1", "A2", "A3", "B1"], kinds)
    (signal,) = build_dataset(recordings(tmp_path), dset()).signals
    assert signal.kinds == (kind,) * 4 and signal.unit == ("fT" if kind == "meg" else "uV")
    assert 15 < float(signal.data.std()) < 25
    assert f"read as {kind} by the types of its channels" in caplog.text


def test_other_data_channels_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path / "x_raw.fif", noise(4), ["A1", "A2", "A3", "Cz"], ["ecog"] * 3 + ["eeg"])
    (signal,) = build_dataset(recordings(tmp_path), dset()).signals
    assert signal.channels == ("Cz",) and "read as eeg (it has 3 ecog, 1 eeg)" in caplog.text


def test_names_that_differ_by_case_alone_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "x_raw.fif", noise(3), ["Cz", "CZ", "Fz"])
    with pytest.raises(UserError, match=r"channels 'Cz' and 'CZ' have one name"):
        build_dataset(recordings(tmp_path), dset())
    assert len(build_dataset(recordings(tmp_path, exclude=["CZ"]), dset()).signals) == 1


def test_old_and_new_names_of_one_file_stay_apart(tmp_path: Path) -> None:
    uv = noise(3) * np.array([[1], [2], [3]])
    save(tmp_path / "x_raw.fif", uv, ["T3", "T7", "Fz"])
    for name, sd in (("T3", 20), ("T7", 40)):
        data = build_dataset(recordings(tmp_path), dset(channels=[name]))
        assert float(data.gather([0]).signal.std()) == pytest.approx(sd, rel=0.2)


@pytest.mark.parametrize("noisy", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("levels", [(0, 1), (0, 1, 2, 3), (-1, 1)])
def test_levels_with_noise_on_them_are_no_input(
    noisy: float, levels: tuple[int, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    draw = np.random.default_rng(1)
    line = np.repeat(draw.choice(levels, 200), 10) * 100 + draw.normal(0, noisy, 2000)
    save(tmp_path / "x_raw.fif", np.vstack([noise(3), line]), ["Fp1", "Cz", "Oz", "foo"])
    (signal,) = build_dataset(recordings(tmp_path), dset()).signals
    assert signal.channels == ("Fp1", "Cz", "Oz") and "foo" in caplog.text


def test_coarse_steps_of_an_electrode_are_no_levels(tmp_path: Path) -> None:
    line = np.round(np.random.default_rng(1).normal(0, 1.2, 2000))  # a few steps of one microvolt
    save(tmp_path / "x_raw.fif", np.vstack([noise(3), line]), ["Fp1", "Cz", "Oz", "foo"])
    assert len(build_dataset(recordings(tmp_path), dset()).signals[0].channels) == 4


def test_events_beside_in_a_table_of_commas(tmp_path: Path) -> None:
    save(tmp_path / "x_raw.fif", noise(2), ["Fp1", "Cz"])
    (tmp_path / "x_events.csv").write_text("onset,duration,label\n5.5,1,left\n7.5,1,right\n")
    data = build_dataset(recordings(tmp_path), dset())
    assert data.facts.classes == ("left", "right")
    assert data.table["start"].tolist() == [550, 750]


def test_windows_without_a_label_are_named(tmp_path: Path) -> None:
    save(tmp_path / "x_raw.fif", noise(2), ["Fp1", "Cz"])
    text = "onset\tduration\tlabel\n1\t1\tn/a\n3\t1\tb\n5\t1\tc\n"
    (tmp_path / "x_events.tsv").write_text(text)
    with pytest.raises(UserError, match=r"1 of 3 windows, the first of .*x_raw.* at 1 s; fill it"):
        build_dataset(recordings(tmp_path), dset())
    segment = {**dset()["segment"], "query": "label.notna()"}
    assert len(build_dataset(recordings(tmp_path), dset(segment=segment)).table) == 2


def test_bad_channels_of_a_table_are_found_in_either_case(tmp_path: Path) -> None:
    save(tmp_path / "x_raw.fif", noise(3), ["Fp1", "Cz", "Oz"])
    (tmp_path / "x_channels.tsv").write_text("name\ttype\tstatus\nCZ\tEEG\tbad\nfp1\tEEG\tgood\n")
    (signal,) = build_dataset(recordings(tmp_path), dset()).signals
    assert signal.bads == ("Cz",)


def test_epochs_among_recordings_say_what_to_do(tmp_path: Path) -> None:
    save(tmp_path / "x_raw.fif", noise(2), ["Fp1", "Cz"])
    raw = mne.io.read_raw_fif(tmp_path / "x_raw.fif", preload=True, verbose="error")
    epochs = mne.make_fixed_length_epochs(raw, 1.0, preload=True, verbose="error")
    epochs.save(tmp_path / "x-epo.fif", verbose="error")
    with pytest.raises(UserError, match=r"x-epo\.fif.*leave it out by `files`; dset=arrays"):
        build_dataset(recordings(tmp_path), dset())
