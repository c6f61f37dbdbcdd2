"""Tables, annotations and triggers as tools write them: marks, codes, clocks and repeated rows."""

from __future__ import annotations

import logging
from pathlib import Path

import mne
import numpy as np
import pytest

from bm.data.dataset import Dataset, build_dataset
from bm.errors import RecordingError, UserError
from bm.readers.event_rules import trigger_codes
from bm.studies import build_study

from .hostile import NAMES, RATE, eeglab, raw_of, samples

CONFIG = {
    "segment": {"kind": "trial", "duration_s": 1.0, "label": "label"},
    "split": {"key": "trial", "seed": 0, "ratios": {"train": 1.0}, "fixed": {}},
    "scale": {"kind": "none", "clamp": None},
    "strict": True,
}


def windows(folder: Path, **options) -> Dataset:
    entry = {"study": "folder", "path": str(folder), **options}
    study = build_study(entry, {"studies": folder, "cache": folder.parent / "cache"})
    return build_dataset(study.recordings(), CONFIG)


def trials(data: Dataset) -> list[tuple[float, str]]:
    """Time and label of each window."""
    labels = [data.facts.classes[i] for i in data.table["label"]]
    return list(zip(data.table["start_s"].round(3).tolist(), labels, strict=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lab").mkdir()
    return tmp_path / "lab"


def with_table(folder: Path, *rows: str, names: str = "onset duration trial_type") -> Path:
    """Write a recording and its table of events; words separated by blanks."""
    raw_of(samples()).save(folder / "x_raw.fif", fmt="double", verbose="error")
    lines = ["\t".join(line.split(" ")) for line in (names, *rows)]
    (folder / "x_events.tsv").write_text("\n".join(lines) + "\n")
    return folder


def with_codes(folder: Path, codes: dict[int, float], length: int = 40) -> Path:
    """Write a recording with a trigger channel; codes are held for some samples."""
    line = np.zeros(samples().shape[1])
    for place, code in codes.items():
        line[place : place + length] = code
    info = mne.create_info([*NAMES, "STI 014"], RATE, ["eeg"] * len(NAMES) + ["stim"])
    raw = mne.io.RawArray(np.vstack([samples() * 1e-6, line]), info, verbose="error")
    raw.save(folder / "x_raw.fif", fmt="double", verbose="error")
    return folder


@pytest.mark.parametrize(
    ("mark", "left"),
    [
        ("2.5 1 BAD_blink", [1.0, 6.0]),
        ("2.5 1 bad_step", [1.0, 6.0]),
        ("3.5 0 boundary", [1.0, 6.0]),
        ("3.5 0 Boundary", [1.0, 6.0]),
        ("0 0 boundary", [1.0, 3.0, 6.0]),
    ],
)
def test_marks_of_a_table_are_stretches_and_no_events(
    folder: Path, mark: str, left: list[float]
) -> None:
    data = windows(with_table(folder, "1 0 a", "3 0 b", "6 0 a", mark))
    assert data.table["start_s"].tolist() == left and set(data.facts.classes) <= {"a", "b"}


@pytest.mark.parametrize("word", ["bad", "edge", "badly"])
def test_a_condition_may_be_called_bad(folder: Path, word: str) -> None:
    assert trials(windows(with_table(folder, f"1 1 {word}", "3 1 good"))) == [
        (1.0, word),
        (3.0, "good"),
    ]


def test_labels_may_name_a_mark(folder: Path) -> None:
    data = windows(with_table(folder, "1 0 a", "3 0 boundary"), labels={"a": "a", "boundary": "b"})
    assert trials(data) == [(1.0, "a"), (3.0, "b")]


def test_columns_are_found_in_any_case(folder: Path) -> None:
    data = windows(with_table(folder, "1 0.5 a", "3 0.5 b", names="Onset DURATION Trial_Type"))
    assert trials(data) == [(1.0, "a"), (3.0, "b")]
    assert data.signals[0].events["duration_s"].tolist()[1:] == [0.5, 0.5]


def test_large_numbers_and_accents_are_one_label_each(folder: Path) -> None:
    big = 2**53
    data = windows(with_table(folder, f"1 0 {big}", f"3 0 {big + 1}"))
    assert data.facts.classes == (str(big), str(big + 1))
    (folder / "x_events.tsv").write_text(
        "onset\ttrial_type\n1\tcafe\u0301\n3\tcaf\u00e9\n5\tb\n", "utf-8"
    )
    assert windows(folder).facts.classes == ("b", "caf\u00e9")


def test_onsets_in_samples_are_refused(folder: Path) -> None:
    with_table(folder, "2 0 2 a", "4 0 4 b", names="onset duration sample trial_type")
    with pytest.raises(RecordingError, match=r"x_events.tsv.*numbers of samples"):
        windows(folder)


def test_columns_of_the_program_are_refused(folder: Path) -> None:
    with_table(folder, "1 1 a True", names="onset duration trial_type bounded")
    with pytest.raises(RecordingError, match=r"x_events.tsv: 'bounded'"):
        windows(folder)


def test_labels_of_yaml_find_padded_names(folder: Path) -> None:
    with_table(folder, "1 0 01", "3 0 02", "5 0 2b")
    assert trials(windows(folder, labels={1: "l", "02": "r"})) == [(1.0, "l"), (3.0, "r")]
    with pytest.raises(UserError, match="labels: 01: None"):
        windows(folder, labels={"01": None})


def test_repeated_and_nameless_annotations_are_counted(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw = raw_of(samples())
    raw.set_annotations(mne.Annotations([1, 1, 3, 5], [0] * 4, ["a", "a", "b", "[]"]))
    raw.save(folder / "x_raw.fif", verbose="error")
    with caplog.at_level(logging.WARNING):
        assert trials(windows(folder)) == [(1.0, "a"), (3.0, "b")]
    assert "1 annotations repeat another" in caplog.text and "without a text" in caplog.text


def test_codes_below_zero_and_of_one_sample_are_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with_codes(folder, {200: -4, 600: 2, 601: 3})
    with caplog.at_level(logging.WARNING):
        data = windows(folder, stim="STI 014")
    assert trials(data) == [(1.0, "4"), (3.0, "2"), (3.005, "3")]
    assert "1 codes below zero" in caplog.text and "1 codes last one sample" in caplog.text


def test_halves_are_no_codes(folder: Path) -> None:
    with pytest.raises(RecordingError, match="its values are no codes"):
        windows(with_codes(folder, {200: 2.5}), stim="STI 014")


def test_eeglab_boundary_in_the_table_of_a_set(folder: Path) -> None:
    eeglab(folder / "x.set", samples())
    (folder / "x_events.tsv").write_text("onset\tvalue\n1\ta\n3\tb\n3.5\tboundary\n6\ta\n")
    assert trials(windows(folder)) == [(1.0, "a"), (6.0, "a")]


def test_codes_of_biosemi_are_its_lower_16_bits() -> None:
    line = np.zeros(100)
    line[:], line[20:30], line[50:60] = 0x10000, 0x10001, 0x10000 + 300
    info = mne.create_info(["Status"], RATE, "stim")
    raw = mne.io.RawArray(line[None], info, verbose="error")
    codes = trigger_codes(raw, "Status", Path("x.bdf"))
    assert codes[[0, 25, 55]].tolist() == [0, 1, 300]
    assert trigger_codes(raw, "Status", Path("x.fif"))[25] == 0x10001


def test_labels_that_no_recording_has_are_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with_table(folder, "1 0 a", "3 0 b")
    with caplog.at_level(logging.WARNING):
        windows(folder, labels={"a": "x", "b": 2, "c": "z"})
    assert [m for m in caplog.messages if "no event has become" in m] == [
        "lab: labels: c: no event has become z"
    ]


@pytest.mark.parametrize(
    ("rows", "classes"),
    [
        (["1 0 1 left", "3 0 2 right", "5 0 1 left"], ("left", "right")),
        (["1 0 1 left", "3 0 2 right", "5 0 1 right"], ("1", "2")),
        (["1 0 1 go", "3 0 2 go"], ("1", "2")),
    ],
)
def test_names_of_codes_have_to_be_clear(
    folder: Path, rows: list[str], classes: tuple[str, ...]
) -> None:
    with_table(folder, *rows, names="onset duration value class")
    assert windows(folder).facts.classes == classes


def test_whole_numbers_are_names_where_names_are_asked_for(folder: Path) -> None:
    names = [str(i) for i in range(1, 9)]
    raw_of(samples(), tuple(names)).save(folder / "x_raw.fif", fmt="double", verbose="error")
    (folder / "x_events.tsv").write_text("onset\t7\n1\ta\n3\tb\n")
    options = {"channels": [1, 2, 3], "types": {2: "eog"}, "rename": {3: "Cz"}, "label_column": 7}
    data = windows(folder, **{**options, "channels": None, "exclude": [8]})
    assert data.signals[0].channels == ("1", "Cz", "4", "5", "6", "7")
    assert windows(folder, channels=[1, 2], label_column=7).signals[0].channels == ("1", "2")
    for name, value in (("events", None), ("exclude", [None]), ("stim", ["a"]), ("unit", True)):
        with pytest.raises(UserError, match=f"study folder: {name}"):
            windows(folder, **{name: value})


def test_a_few_microvolts_on_ten_volts_are_bad(folder: Path) -> None:
    offset = np.zeros((len(NAMES), 1))
    offset[1], offset[2] = 1e7, 3e5
    with_table(folder, "1 0 a", "3 0 b")
    raw_of(samples() + offset).save(
        folder / "x_raw.fif", fmt="double", overwrite=True, verbose="error"
    )
    assert windows(folder).signals[0].bads == (NAMES[1],)


@pytest.mark.parametrize("name", ["s1_events.TSV", "s1_events.tsv.gz", "s1_Events.txt"])
def test_a_table_in_a_form_that_is_not_read_is_named(tmp_path: Path, name: str, caplog) -> None:
    raw_of(samples()).save(tmp_path / "s1_raw.fif", verbose="error")
    (tmp_path / name).write_text("onset\tduration\ttrial_type\n1\t1\ta\n")
    entry = {"study": "folder", "path": str(tmp_path)}
    build_study(entry, {"studies": tmp_path, "cache": tmp_path / "cache"}).recordings()
    assert f"1 tables are not read ({name}); unpack" in caplog.text
