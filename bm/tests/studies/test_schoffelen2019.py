"""The Schoffelen study on miniatures of its published layout: CTF, logs, TextGrids."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bm.data.layout import sensor_layout
from bm.errors import RecordingError, UserError
from bm.readers.presentation import read_log
from bm.studies import STUDIES
from bm.studies import schoffelen2019 as study

from . import stories

FOLDER = "schoffelen2019/download"


def recordings(root: Path, **options):
    return STUDIES.get("schoffelen2019")(root=root, **options).recordings()


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("audio")
    stories.mous(root)
    return root


def test_people_that_are_used() -> None:
    heard, read = study.people("audio"), study.people("visual")
    assert len(heard) == 96 and len(heard) + len(read) == 195
    assert heard[0] == "A2002" and read[0] == "V1001" and "V1014" not in read


def test_the_task_is_read_from_ctf(audio: Path) -> None:
    (recording,) = recordings(audio)
    assert recording.path.name == "sub-A2002_task-MOUS_01_meg.ds"  # not the rest
    raw = recording.load_raw()
    assert raw.ch_names == ["MLC11-2622", "MLC12-2622", "MRF21-2622", "MZO01-2622"]
    assert raw.info["sfreq"] == 1200 and 1e-13 < raw.get_data().std() < 3e-13
    places = sensor_layout(raw.info)
    assert (places >= 0).all() and len(np.unique(places, axis=0)) == 4


def test_what_is_heard_is_on_the_clock_of_the_recording(audio: Path) -> None:
    (recording,) = recordings(audio)
    events = recording.events()
    sounds, words = (events[events["kind"] == kind] for kind in ("sound", "word"))
    assert len(sounds) == 4 and len(words) == 20
    # The second file: 5 + 1.5 (context) + 1 + 3.5 + 1 + 0.1 s on the log's clock.
    assert np.allclose(sounds["start_s"].iloc[1], 12.1 - stories.CLOCK_S, atol=1e-3)
    assert np.allclose(sounds["duration_s"], 2.5)
    assert np.allclose(words["start_s"].iloc[5], sounds["start_s"].iloc[1] + 0.2)
    texts = [text for _, text in stories.DUTCH.values()]
    assert list(words["word_sequence"].unique()) == texts
    assert list(words["word_index"].astype(int)) == [0, 1, 2, 3, 4] * 4
    assert list(words["sequence_uid"].unique()) == ["7", "12", "131", "140"]
    assert list(words["context"].unique()) == ["sentence", "word_list"]
    phonemes = events[events["kind"] == "phoneme"]
    assert phonemes["phoneme_id"].tolist() == [20, 1] * 20  # t and @
    assert list(phonemes["word_index"][:4].astype(int)) == [0, 0, 1, 1]
    blocks = events[events["kind"] == "block"]
    assert list(blocks["uid"]) == ["7", "12", "131", "140"]
    assert np.allclose(blocks["start_s"], sounds["start_s"]) and np.isinf(
        blocks["duration_s"].iloc[-1]
    )
    assert (events.query("kind != 'block'")["language"] == "nl").all()


def test_word_lists_alone(audio: Path) -> None:
    (recording,) = recordings(audio, selection="audio_mous_wl")
    events = recording.events()
    assert set(events.query("kind != 'block'")["context"]) == {"word_list"}
    assert list(events.query("kind == 'block'")["uid"]) == ["131", "140"]
    with pytest.raises(
        UserError, match="unknown selection 'audio_wl'; did you mean 'audio_mous_wl'"
    ):
        recordings(audio, selection="audio_wl")


def test_what_is_read(tmp_path: Path) -> None:
    stories.mous(tmp_path, "visual")
    (recording,) = recordings(tmp_path, selection="visual_mous")
    assert recording.id.subject == "sub-V1001"
    events = recording.events()
    words = events[events["kind"] == "word"]
    assert list(words["word"][:7]) == ["Toen", "barkeeper", "de", "deur", "sloot", "Het", "kind"]
    assert (words["modality"] == "visual").all() and np.allclose(words["duration_s"], 0.3)
    assert np.allclose(words["start_s"].iloc[0], 7.5 - stories.CLOCK_S, atol=1e-3)
    assert len(events[events["kind"] == "block"]) == 4 and "sound" not in set(events["kind"])


def test_a_clock_that_jumps_is_followed_from_anchor_to_anchor() -> None:
    import pandas as pd

    rows = [(0.0, "fix"), (1.0, "word"), (2.0, "fix"), (3.0, "word"), (4.0, "fix"), (5.0, "word")]
    log = pd.DataFrame(rows, columns=["time", "condition"])
    values = np.array([20, 10, 20, 20])  # a context that the log has not
    times = np.array([10.0, 11.0, 12.5, 14.6])
    table = study.on_meg_clock(log, times, values, Path("x"))
    assert table["start_s"].tolist() == [10.0, 11.0, 12.5, 13.5, 14.6]
    with pytest.raises(RecordingError, match="agree by"):
        study.on_meg_clock(log, times[::-1], np.array([20, 10, 20, 20]), Path("x"))


def test_codes_of_the_log(tmp_path: Path) -> None:
    codes = ("ZINNEN", "WOORDEN", "FIX", "12 Toen", "34", "", "PULSE MODE", "pause", "blank")
    assert [study.condition_of(code) for code in codes] == [
        *("sentence", "word_list", "fix", "word", "blank", "blank", "pulse", "pause", "blank")
    ]
    assert study.word_of(" 3 Het. ") == "Het."
    path = tmp_path / "x.log"
    path.write_text(stories.presentation_log([("Picture", "FIX", 2.0, 0.5)]))
    log = read_log(path)
    assert log.loc[0, ["time", "duration", "type"]].tolist() == [2.0, 0.5, "hit"]
    assert {"time_uncertainty", "duration_uncertainty"} <= set(log)
    path.write_text(
        stories.presentation_log([("Picture", "FIX", 2.0, 0.5)]).replace("\thit", "", 1)[:-40]
    )
    with pytest.raises(RecordingError, match=r"1 stimuli in its first table, 0|without the column"):
        read_log(path)
    path.write_text("nothing")
    with pytest.raises(RecordingError, match="no log of Presentation"):
        read_log(path)


def test_missing_parts_are_named(tmp_path: Path) -> None:
    stories.mous(tmp_path)
    (recording,) = recordings(tmp_path)
    stimuli = tmp_path / FOLDER / "stimuli/stimuli.txt"
    stimuli.write_text("\n".join(stimuli.read_text().splitlines()[:2]) + "\n")
    with pytest.raises(RecordingError, match=r"'hond de zag kind een' is not in stimuli\.txt"):
        recording.events()
    os.remove(tmp_path / FOLDER / "derivatives/phonemes/EQ_Ramp_Int2_Int1LPF012.TextGrid")
    with pytest.raises(RecordingError, match=r"LPF012\.TextGrid: no such file"):
        recording.events()


def test_registration_is_told_in_one_line_and_no_password_asked(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda *a: pytest.fail("asked"))
    monkeypatch.setattr("getpass.getpass", lambda *a: pytest.fail("asked"))
    with pytest.raises(UserError, match="register at https") as error:
        recordings(tmp_path)
    assert "\n" not in str(error.value)
