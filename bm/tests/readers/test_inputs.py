"""Which channels are inputs: names that say what they are, and data that look like labels."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest

from bm.data.preprocess import cut_name
from bm.errors import RecordingError, UserError
from bm.nn.electrodes import NAMES as ELECTRODES
from bm.readers.inputs import type_of
from bm.readers.montage import standard_places
from bm.readers.raw import Reading
from bm.studies import build_study

SITES = ("Fp1", "Fp2", "C3", "C4")


def test_no_electrode_is_taken_for_something_else() -> None:
    names = [*standard_places(), *ELECTRODES]
    assert [name for name in names if type_of(name, "eeg") is not None] == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [("VEO", "eog"), ("HEOG", "eog"), ("GSR", "gsr"), ("EMG chin", "emg"), ("AUX1", "misc"),
     ("BIP 2", "misc"), ("Marker", "stim"), ("EVENT", "stim"), ("DIN1", "stim"), ("class", "stim"),
     ("Label_1", "stim"), ("annotations", "stim"), ("x", "misc"), ("POS", "misc"),
     ("EX1", "misc"), ("Erg1", "misc"), ("SaO2", "misc"), ("MIC", "misc"), ("Chest", "misc"),
     ("LUC-REF", "eog"), ("L_EYE", "eog"), ("RLeg", "emg"), ("EDF Annotations", "stim"),
     ("Digital 1", "stim"), ("IO1", "stim"), ("Resp.", "resp")],
)  # fmt: skip
def test_names_say_what_is_no_eeg(name: str, kind: str) -> None:
    assert type_of(name, "eeg") == kind


def test_contacts_inside_the_head_keep_short_names() -> None:
    assert [type_of(name, "seeg") for name in ("X", "ACC1", "POS3", "DC2")] == [None] * 4
    assert type_of("Marker", "seeg") == "stim"


def recording(folder: Path, extra: dict[str, np.ndarray], **options):
    uv = np.random.default_rng(0).normal(0, 20, (len(SITES), 4000))
    data = np.vstack([uv, *extra.values()]) * 1e-6
    info = mne.create_info([*SITES, *extra], 200.0, "eeg")
    folder.mkdir(exist_ok=True)
    raw = mne.io.RawArray(data, info, verbose="error")
    raw.save(folder / "s1_raw.fif", fmt="double", overwrite=True, verbose="error")
    entry = {"study": "folder", "path": str(folder), **options}
    (one,) = build_study(entry, {"studies": folder, "cache": folder / "c"}).recordings()
    return one


STEPS = np.repeat(np.arange(20) % 3, 200) * 30.0


@pytest.mark.parametrize("values", [STEPS, np.arange(4000.0)], ids=["steps", "counter"])
def test_labels_under_another_name_are_left_out(values, tmp_path: Path, caplog) -> None:
    assert recording(tmp_path, {"foo": values}).load_raw().ch_names == list(SITES)
    assert "hold steps or count and are no known electrode: foo" in caplog.text
    listed = recording(tmp_path, {"foo": values}, channels=["Fp1", "foo"])
    assert listed.load_raw().ch_names == ["Fp1", "foo"]


def test_a_known_electrode_that_holds_steps_is_bad(tmp_path: Path, caplog) -> None:
    raw = recording(tmp_path, {"Oz": STEPS}).load_raw()
    assert raw.info["bads"] == ["Oz"] and "constant for many samples" in caplog.text


def test_nothing_but_labels_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no eeg channel: foo hold steps or count"):
        recording(tmp_path, {"foo": STEPS}, exclude=list(SITES)).load_raw()


def test_a_marker_is_an_input_when_it_is_listed(tmp_path: Path) -> None:
    assert recording(tmp_path, {"Marker": STEPS}).load_raw().ch_names == list(SITES)
    listed = recording(tmp_path, {"Marker": STEPS}, channels=["C3", "Marker"])
    assert listed.load_raw().ch_names == ["C3", "Marker"]


def test_the_trigger_channel_is_never_an_input(tmp_path: Path) -> None:
    codes = np.zeros(4000)
    for place, code in ((200, 1), (600, 5), (1000, 2), (1400, 7)):
        codes[place:] = code
    one = recording(tmp_path, {"P3": codes}, stim="P3")
    assert one.load_raw().ch_names == list(SITES)
    events = one.events().query("kind == 'trial'")
    assert events["label"].tolist() == [1, 5, 2, 7]  # codes in microvolts are codes
    assert events["start_s"].tolist() == [1.0, 3.0, 5.0, 7.0]
    rising = recording(tmp_path, {"P3": codes}, stim="P3", stim_rule="rising")
    assert rising.events().query("kind == 'trial'")["label"].tolist() == [1, 5, 7]


def test_old_names_stay_unless_asked(tmp_path: Path, caplog) -> None:
    uv = np.random.default_rng(1).normal(0, 20, 4000)
    with caplog.at_level("INFO"):
        original = recording(tmp_path, {"T3": uv}).load_raw()
    assert original.ch_names[-1] == "T3" and "old_names=keep): T3" in caplog.text
    modern = recording(tmp_path, {"T3": uv}, old_names="modern").load_raw()
    assert modern.ch_names[-1] == "T7"
    places = [raw.info["chs"][-1]["loc"][:3] for raw in (original, modern)]
    np.testing.assert_allclose(places[0], places[1], atol=1e-6)
    assert recording(tmp_path, {"T3": uv}, channels=["T7"]).load_raw().ch_names == ["T3"]


@pytest.mark.parametrize(
    ("name", "ears", "short"),
    [("EEG FP1-REF", False, "FP1"), ("EEG C3-LE", False, "C3"), ("FP1-F7", False, "FP1-F7"),
     ("EEG T4-A2", False, "T4-A2"), ("C4-A1", True, "C4"), ("Cz..", False, "Cz"),
     ("A-REF", False, "A"), ("-REF", False, "-REF")],
)  # fmt: skip
def test_only_references_are_cut(name: str, ears: bool, short: str) -> None:
    assert cut_name(name, ears) == short


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"types": {"C3": "foo"}}, "unknown types: type of C3 'foo'"),
        ({"rate_hz": 0}, "rate_hz=0; use a number above 0"),
        ({"old_names": "new"}, "unknown old_names 'new'"),
    ],
)
def test_impossible_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Reading(**options)
