"""The Gwilliams study on miniatures of its published layout, FIF and KIT."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from bm.errors import RecordingError, UserError
from bm.features import build_feature
from bm.features.builder import FeatureBuilder
from bm.solvers.build_data import windows_of
from bm.studies import STUDIES
from bm.studies import gwilliams2022 as study

from ..shared_data import DATA, needs
from ..shipped import section
from . import stories


def recordings(root: Path, **options):
    return STUDIES.get("gwilliams2022")(root=root, **options).recordings()


def test_sessions_and_stories_that_are_there(tmp_path: Path) -> None:
    stories.gwilliams(tmp_path)
    assert [r.id.name for r in recordings(tmp_path)] == [
        "gwilliams2022_sub-01_session0_story0",
        "gwilliams2022_sub-01_session1_story0",
        "gwilliams2022_sub-02_session0_story0",
    ]
    assert len(recordings(tmp_path, subjects=[2])) == 1
    with pytest.raises(UserError, match="no sub-XX/ses-Y"):
        recordings(tmp_path, subjects=[9])


def test_events_come_from_descriptions(tmp_path: Path) -> None:
    words = stories.gwilliams(tmp_path)
    first = recordings(tmp_path)[0]
    raw = first.load_raw()
    assert len(raw.ch_names) == 16 and set(raw.get_channel_types()) == {"mag"}
    events = first.events()
    heard = events[events["kind"] == "word"]
    assert list(heard["word"]) == list(words["word"])
    assert np.allclose(heard["start_s"], words["onset"] + 1)
    assert (heard["language"] == "en").all()
    phonemes = events[events["kind"] == "phoneme"]
    assert phonemes["phoneme_id"].tolist() == [0, 1] * len(words)  # ranks within the word
    assert list(phonemes["word_index"][:4]) == [0, 0, 1, 1]
    sound = events[events["kind"] == "sound"].iloc[0]
    assert Path(sound["filepath"]).name == "lw1.wav" and sound["start_s"] == 1.0
    assert "sequence_uid" not in events  # blocks are named by their words
    blocks = events[events["kind"] == "block"]
    assert blocks["uid"].iloc[0].startswith("Alice was beginning") and len(blocks) < 6


def test_descriptions_are_read_and_never_run(tmp_path: Path) -> None:
    values = study.parse_description("{'kind': 'word', 'word': \"don't\", 'x': nan, 'y': -1.5}")
    assert values == {"kind": "word", "word": "don't", "x": None, "y": -1.5}
    flag = tmp_path / "ran"
    for text in (f"open({str(flag)!r}, 'w')", "__import__('os')", "[1]", "{'a': b}", "{", "3"):
        with pytest.raises(ValueError, match="no dictionary"):
            study.parse_description(text)
    assert not flag.exists()
    stories.gwilliams(tmp_path)
    table = next(tmp_path.rglob("sub-02*events.tsv"))
    table.write_text("onset\tduration\ttrial_type\n1.0\t0.1\tprint(1)\n")
    with pytest.raises(RecordingError, match=r"event 0: .* is no dictionary"):
        recordings(tmp_path)[2].events()


def test_phonemes_are_known_to_the_feature(tmp_path: Path) -> None:
    stories.gwilliams(tmp_path)
    events = recordings(tmp_path)[0].events()
    builder = FeatureBuilder([build_feature("Phoneme"), build_feature("WordHash")], True)
    builder.add(events, 120.0)
    values, mask = builder.gather(np.array([0]), np.array([0]), 360)
    assert set(values["Phoneme"].unique().tolist()) == {0.0, 1.0, 2.0}
    assert mask.sum() == (values["WordHash"] != 0).sum() > 0


def test_the_shipped_data_set_keeps_sentences_in_one_split(tmp_path: Path) -> None:
    stories.gwilliams(tmp_path)
    dset = section("dset", "gwilliams2022")
    dset["features"], dset["positions"] = [{"name": "MelSpectrum", "n_mels": 8}], "head"
    dset["split"]["ratios"] = {"train": 0.9, "valid": 0.05, "test": 0.05}  # few blocks
    paths = {"studies": str(tmp_path), "cache": str(tmp_path / "c"), "models": str(tmp_path)}
    dataset = windows_of(OmegaConf.create({"dset": dset, "paths": paths}))
    assert (dataset.table.groupby("block_uid")["split"].nunique() == 1).all()
    assert dataset.gather([0, 1]).features["MelSpectrum"].shape == (2, 8, 361)


@needs("formats")
def test_a_kit_file_is_read_as_it_is_published(tmp_path: Path) -> None:
    folder = tmp_path / "gwilliams2022/download"
    place = folder / "sub-03/ses-0/meg"
    place.mkdir(parents=True)
    (folder / "participants.tsv").write_text("participant_id\nsub-03\n")
    shutil.copy(DATA / "formats/mne/kit/test.sqd", place / "sub-03_ses-0_task-2_meg.con")
    words = stories.spoken(("Hi you", "Bye now"))
    words["onset"], words["offset"] = words["onset"] / 4, words["offset"] / 4
    stories.write_sound(folder / "stimuli/audio/easy_money.wav", 1.5)
    table = stories.described(words, 0.3, "easy_money")
    table.to_csv(place / "sub-03_ses-0_task-2_events.tsv", sep="\t", index=False)
    (recording,) = recordings(tmp_path)
    assert recording.id.run == "story2"
    raw = recording.load_raw()
    assert len(raw.ch_names) == 157 and raw.info["sfreq"] == 1000  # references are left out
    assert list(recording.events().query("kind == 'word'")["word"]) == ["Hi", "you", "Bye", "now"]
