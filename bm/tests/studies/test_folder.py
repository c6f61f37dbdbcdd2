"""The user's folder: every shared format goes through it, and BIDS, tables and names are read."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from bm.data.dataset import build_dataset
from bm.errors import RecordingError, UserError
from bm.readers.bids import Listing, entities, find
from bm.studies import build_study

from ..shared_data import DATA, needs

FORMATS = DATA / "formats"
RUN4 = DATA / "eegmmidb" / "S001" / "S001R04.edf"
TABLES = DATA / "eegmmidb" / "bids_tables_ds004362"


def study(path: Path, cache: Path, **options):
    entry = {"study": "folder", "path": str(path), **options}
    return build_study(entry, {"studies": DATA, "cache": cache})


def one(path: Path, cache: Path, **options):
    (recording,) = study(path, cache, **options).recordings()
    return recording


#: Folder, pattern, options -> channels, rate, samples, events beside the block (README there).
CASES = [
    ("mne/edf", "test.edf", {}, 136, 512, 3072, 5),
    ("mne/edf", "test.bdf", {}, 66, 2048, 2048, 0),
    ("mne/edf", "test_stim_channel.edf", {}, 1, 200, 120000, 0),
    ("mne/brainvision", "*.vhdr", {}, 26, 1000, 7900, 13),
    ("eeglab_selfmade", "*_onefile.set", {}, 64, 160, 9600, 15),
    ("eeglab_selfmade", "*_twofile.set", {}, 64, 160, 9600, 15),
    ("mne/kit", "test.sqd", {}, 157, 1000, 2000, 0),
    ("mne/kit", "*.fif", {"kind": "meg"}, 157, 1000, 2000, 0),
    ("mne/bti", "test_pdf_linux", {}, 248, 1017.25, 305, 0),
    ("mne/bti", "*.fif", {"kind": "meg"}, 248, 1017.25, 305, 0),
    ("mne/fif", "*.fif", {"kind": "meg"}, 274, 480, 241, 0),
    ("yasa", "*.fif", {}, 2, 200, 72000, 0),
    (
        "naplab",
        "*.edf",
        {"kind": "ecog", "types": {"DC*": "misc", "PR": "misc"}},
        104,
        2048,
        4096,
        0,
    ),
]


@pytest.mark.shared
@needs("formats")
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}/{c[1]}")
def test_every_format_gives_its_data_channels_in_si_units(case: tuple, tmp_path: Path) -> None:
    folder, pattern, options, channels, rate, samples, events = case
    recording = one(FORMATS / folder, tmp_path, files=[pattern], **options)
    raw = recording.load_raw()
    outcome = len(raw.ch_names), raw.n_times, raw.info["sfreq"]
    assert outcome == (channels, samples, pytest.approx(rate, rel=1e-5))
    kind = recording.id.kind
    assert set(raw.get_channel_types()) <= {"meg": {"mag", "grad"}}.get(kind, {kind})
    middle = np.median(raw.get_data().std(1))
    assert (1e-14 < middle < 1e-11) if kind == "meg" else (1e-6 < middle < 5e-4)
    table = recording.events()
    assert (table["kind"] == "trial").sum() == events and (table["kind"] == "block").sum() == 1


@pytest.mark.shared
@needs("formats")
def test_a_folder_of_many_formats_skips_and_names_what_is_no_recording(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"kind": "meg", "files": ["mne/kit/*.sqd", "mne/kit/*.fif"]}
    recordings = study(FORMATS, tmp_path, **options).recordings()
    assert [r.id.run for r in recordings] == [
        *("kit-test.sqd", "kit-test_bin_raw.fif"),
        *("kit-test_mrk.sqd", "kit-test_mrk_post.sqd", "kit-test_mrk_pre.sqd"),
    ]
    dset = {
        "segment": {"kind": "block", "offset_s": 0, "duration_s": 0.5, "stride_s": 0.5}
        | {"label": None},
        "split": {"key": "recording", "seed": 0, "ratios": {"train": 1.0}, "fixed": {}},
        "scale": {"kind": "none", "clamp": None},
        "duplicates": "keep_first",  # the FIF file is the KIT file in another format
    }
    with caplog.at_level(logging.WARNING):
        dataset = build_dataset(recordings, dset)
    assert len(dataset.signals) == 1
    skipped = [m for m in caplog.messages if m.startswith("skipped")]
    assert len(skipped) == 3 and all("markers" in m for m in skipped)


@pytest.mark.shared
@needs("formats")
def test_halves_of_a_format_agree_with_each_other(tmp_path: Path) -> None:
    runs = {r.id.run: r for r in study(FORMATS / "eeglab_selfmade", tmp_path).recordings()}
    first, second = runs.values()
    a, b = first.load_raw(), second.load_raw()
    np.testing.assert_allclose(a.get_data(), b.get_data(), atol=1e-12)
    kit = study(FORMATS / "mne" / "kit", tmp_path, kind="meg", files=["test.sqd", "*.fif"])
    sqd, fif = (r.load_raw().get_data() for r in kit.recordings())
    np.testing.assert_allclose(sqd, fif, rtol=1e-4, atol=1e-16)
    assert second.source[1].endswith(".fdt")


@pytest.mark.shared
@needs("eye_state")
def test_a_table_of_samples_needs_rate_and_unit(tmp_path: Path) -> None:
    folder = DATA / "eye_state"
    options = {"files": ["*.csv"], "label_column": "eyeDetection", "rate_hz": 128}
    recording = one(folder, tmp_path, unit="uV", **options)
    raw, events = recording.load_raw(), recording.events()
    assert raw.n_times == 14980 and len(raw.ch_names) == 14 and raw.info["sfreq"] == 128
    assert raw.get_data()[0, 0] == pytest.approx(4329.23e-6)
    assert np.isfinite([c["loc"][:3] for c in raw.info["chs"]]).all()
    lengths = events.groupby("label")["duration_s"].sum() * 128
    assert set(events["kind"]) == {"block"} and lengths.to_dict() == {0: 8257, 1: 6723}
    with pytest.raises(UserError, match="neither rate nor unit"):
        one(folder, tmp_path, **options).load_raw()
    with pytest.raises(RecordingError, match="no EEG"):
        one(folder, tmp_path, unit="V", **options).load_raw()


@pytest.fixture
def bids_folder(tmp_path: Path) -> Path:
    """Two runs of the real recording in the layout of the real tables."""
    root = tmp_path / "mine"
    shutil.copytree(TABLES, root)
    for run in (4, 6):
        name = f"sub-001_task-motion_run-{run}_eeg.edf"
        shutil.copy(RUN4.with_name(f"S001R{run:02d}.edf"), root / "sub-001" / "eeg" / name)
    return root


@pytest.mark.shared
@needs("eegmmidb")
def test_bids_tables_are_used(
    bids_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = {"TASK2T1": "left", "TASK2T2": "right", "TASK4T1": "fists", "TASK4T2": "feet"}
    recordings = study(bids_folder, tmp_path, labels=labels).recordings()
    assert [(r.id.subject, r.id.run) for r in recordings] == [
        *(("001", "task-motion_run-4"), ("001", "task-motion_run-6")),
    ]
    events = recordings[0].events()
    trials = events[events["kind"] == "trial"]
    assert trials["label"].value_counts().to_dict() == {"left": 8, "right": 7}
    assert set(events["Age"].astype(str)) == {"49"} and set(events["Gender"]) == {"F"}
    raw = recordings[0].load_raw()
    assert raw.info["line_freq"] == 60
    # The tables place electrodes on a unit sphere and call it millimetres: not believed.
    assert any("on no head" in m for m in caplog.messages)
    assert 0.05 < np.linalg.norm(raw.info["chs"][0]["loc"][:3]) < 0.15


@pytest.mark.shared
@needs("eegmmidb")
def test_sidecars_rule_types_bads_and_places(bids_folder: Path, tmp_path: Path) -> None:
    stem = bids_folder / "sub-001" / "eeg" / "sub-001_task-motion_run-4"
    channels = Path(f"{stem}_channels.tsv")
    lines = channels.read_text().splitlines()
    lines = [lines[0] + "\tstatus", *(line + "\tgood" for line in lines[1:])]
    lines[1], lines[2] = "Fc5\tEOG\tuV\tgood", "Fc3\tEEG\tuV\tbad"
    channels.write_text("\r\n".join(lines))
    electrodes = Path(f"{stem}_electrodes.tsv")
    electrodes.write_text("name\tx\ty\tz\nCz\t0\t0\t85\nFc3\t-40\t30\tn/a\nC3\t-70\t0\t50\n")
    recording = study(bids_folder, tmp_path).recordings()[0]
    raw = recording.load_raw()
    assert len(raw.ch_names) == 63 and "FC5" not in raw.ch_names and raw.info["bads"] == ["FC3"]
    places = {c["ch_name"]: c["loc"][:3] for c in raw.info["chs"]}
    np.testing.assert_allclose(places["Cz"], [0, 0, 0.085])
    assert np.isnan(places["FC3"]).all() and np.isnan(places["Oz"]).all()
    assert {str(channels), str(electrodes)} <= set(recording.source)
    description = Path(f"{stem}_eeg.json")
    description.write_text(description.read_text().replace("160", "200"))
    with pytest.raises(RecordingError, match="200 Hz, but the recording has 160 Hz"):
        study(bids_folder, tmp_path).recordings()[0].load_raw()


@pytest.mark.shared
@needs("eegmmidb")
def test_two_formats_a_table_and_participants_make_a_dataset(tmp_path: Path) -> None:
    root = tmp_path / "lab"
    (root / "anna").mkdir(parents=True)
    (root / "ben").mkdir()
    # Not run 4, which the EEGLAB files hold too.
    shutil.copy(RUN4.with_name("S001R01.edf"), root / "anna" / "day1.edf")
    (root / "anna" / "day1.tsv").write_text(
        "onset\tduration\tlabel\tweight\n1\t2\tgo\t3\n5\t2\tstop\t4\n9\t2\tgo\t5\n"
    )
    for name in ("S001R04_twofile.set", "S001R04_twofile.fdt"):
        shutil.copy(FORMATS / "eeglab_selfmade" / name, root / "ben" / name)
    (root / "participants.tsv").write_text(
        "participant_id\tdiagnosis\tsite\nanna\twell\tA\nsub-ben\till\tB\n"
    )
    labels = {"go": "go", "stop": "stop", "T1": "go", "T2": "stop"}
    recordings = study(root, tmp_path, group_column="site", labels=labels).recordings()
    assert [(r.id.subject, r.id.run, r.id.group) for r in recordings] == [
        *(("anna", "day1.edf", "A"), ("ben", "S001R04_twofile.set", "B")),
    ]
    dset: dict = {
        "segment": {"kind": "trial", "offset_s": 0, "duration_s": 1.0, "stride_s": None}
        | {"label": "label"},
        "split": {"key": "trial", "seed": 0, "ratios": {"train": 1.0}, "fixed": {}},
        "scale": {"kind": "zscore", "clamp": None},
        "channels": "common",
    }
    dataset = build_dataset(recordings, dset)
    assert dataset.facts.classes == ("go", "stop") and len(dataset.facts.channels) == 64
    assert (dataset.table["subject"] == "anna").sum() == 3
    dset["segment"] |= {"kind": "block", "stride_s": 10.0, "label": "diagnosis"}
    assert build_dataset(recordings, dset).facts.classes == ("ill", "well")


@pytest.mark.shared
@needs("eegmat")
def test_a_pattern_names_who_and_what(tmp_path: Path) -> None:
    pattern = r"(?P<subject>Subject\d+)_(?P<label>[12])"
    eegmat = study(DATA / "eegmat", tmp_path, pattern=pattern, files=["*00_*.edf"])
    with pytest.raises(UserError, match=r"are both eegmat_Subject00_0_0"):
        eegmat.recordings()
    pattern = r"(?P<subject>Subject\d+)_(?P<run>(?P<label>[12]))"
    runs = study(DATA / "eegmat", tmp_path, pattern=pattern, files=["*00_*.edf"]).recordings()
    assert [(r.id.subject, r.id.run) for r in runs] == [("Subject00", "1"), ("Subject00", "2")]
    blocks = [e[e["kind"] == "block"] for e in (r.events() for r in runs)]
    assert [b["label"].tolist() for b in blocks] == [["1"], ["2"]]


@pytest.mark.shared
@needs("formats")
def test_triggers_of_a_channel_are_events(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = {"kind": "meg", "files": ["*.fif"], "stim": "STI 014"}
    events = one(FORMATS / "mne" / "kit", tmp_path, **options).events()
    trials = events[events["kind"] == "trial"]
    assert len(trials) and trials["start_s"].between(0, 2).all()
    unread = one(FORMATS / "mne" / "kit", tmp_path, kind="meg", files=["*.fif"]).events()
    assert set(unread["kind"]) == {"block"}
    assert "trigger channel is not read unless the study names it: stim: STI 014" in caplog.text
    with pytest.raises(RecordingError, match="no channel STI 99"):
        one(FORMATS / "mne" / "kit", tmp_path, **{**options, "stim": "STI 99"}).events()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "nowhere"}, "no folder"),
        ({"kind": "ecg"}, "unknown kind 'ecg'; did you mean '(eeg|ecog)'"),
        ({"pattern": "("}, "pattern"),
        ({"pattern": "S1"}, "names no group"),
        ({"unit": "mv"}, "did you mean 'mV'"),
        ({"events": "tvs"}, "did you mean 'tsv'"),
        ({"name": "../../x"}, "it is used in names of files"),
        ({"ratehz": 3}, "unknown option 'ratehz'; did you mean 'rate_hz'"),
    ],
)
def test_wrong_options_are_answered(tmp_path: Path, options: dict, message: str) -> None:
    (tmp_path / "lab").mkdir()
    with pytest.raises(UserError, match=message):
        build_study(
            {"study": "folder", "path": "lab", **options}, {"studies": tmp_path, "cache": tmp_path}
        ).recordings()


def test_an_empty_folder_is_answered(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no recording in"):
        study(tmp_path, tmp_path).recordings()
    (tmp_path / "s1.csv").write_text("Cz,Pz\n1,2\n")
    with pytest.raises(UserError, match=r"if s1\.csv is a table of samples"):
        study(tmp_path, tmp_path).recordings()


def test_sidecars_apply_by_their_entities(tmp_path: Path) -> None:
    folder = tmp_path / "sub-1" / "eeg"
    folder.mkdir(parents=True)
    for name in (
        *("task-a_channels.tsv", "sub-1/eeg/sub-1_task-b_channels.tsv", "events.tsv"),
        *("sub-1/eeg/sub-2_events.tsv", "sub-1/eeg/sub-1_space-CTF_electrodes.tsv"),
    ):
        (tmp_path / name).write_text("x")
    path = folder / "sub-1_task-a_run-2_eeg.edf"
    assert entities(path.stem) == {"sub": "1", "task": "a", "run": "2"}
    assert find(path, tmp_path, "channels.tsv", Listing()) == tmp_path / "task-a_channels.tsv"
    near = find(path, tmp_path, "electrodes.tsv", Listing())
    assert near == folder / "sub-1_space-CTF_electrodes.tsv"
    assert find(path, tmp_path, "events.tsv", Listing()) is None
    # one design for everybody: a table of the task, above the people
    (tmp_path / "task-a_events.tsv").write_text("x")
    (tmp_path / "task-b_events.tsv").write_text("x")
    assert find(path, tmp_path, "events.tsv", Listing()) == tmp_path / "task-a_events.tsv"
