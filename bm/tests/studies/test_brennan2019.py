"""The Brennan study: its tables on the real files, the whole on a miniature of its layout."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from scipy.io import loadmat, savemat

from bm.data.blocks import create_blocks
from bm.errors import RecordingError, UserError
from bm.solvers.build_data import windows_of
from bm.studies import STUDIES
from bm.studies import brennan2019 as study
from bm.studies.shared.story import BlockRule, with_story_blocks

from ..shared_data import DATA, needs
from ..shipped import section
from . import stories

ALICE = DATA / "alice"


def recordings(root: Path, **options):
    return STUDIES.get("brennan2019")(root=root, **options).recordings()


def test_words_sounds_and_blocks_of_the_layout(tmp_path: Path) -> None:
    table = stories.brennan(tmp_path)
    first, second = recordings(tmp_path)
    assert (first.id.subject, second.id.subject) == ("S01", "S03")
    raw = first.load_raw()
    assert len(raw.ch_names) == 60 and raw.ch_names[28] == "30" and raw.info["sfreq"] == 500
    assert 5e-6 < raw.get_data().std() < 2e-5
    events = first.events()
    words = events[events["kind"] == "word"]
    assert list(words["word"]) == list(table["Word"])
    # The first sample of the trial, 0.3 s before the word (published).
    assert np.allclose(words["start_s"].iloc[0], 2.2 - 0.3)
    assert np.allclose(words["duration_s"], 0.3)
    assert list(words["word_index"][:8]) == [0, 1, 2, 3, 4, 5, 6, 0]
    assert words["word_sequence"].iloc[9] == stories.SENTENCES[1]
    sounds = events[events["kind"] == "sound"]
    assert np.allclose(sounds["start_s"], [1.7, 11.7]) and np.allclose(sounds["duration_s"], 9.0)
    blocks = events[events["kind"] == "block"]
    assert blocks["start_s"].iloc[0] == 0 and np.isinf(blocks["duration_s"].iloc[-1])
    assert (blocks["duration_s"] > 6).all()
    assert ",".join(blocks["uid"]) == ",".join(stories.SENTENCES)


def test_triggers_are_a_third_of_a_second_later(tmp_path: Path) -> None:
    stories.brennan(tmp_path, ("S01",))
    (recording,) = recordings(tmp_path, onsets="trigger")
    words = recording.events().query("kind == 'word'")
    assert np.allclose(words["start_s"].iloc[0], 2.2)
    (other,) = recordings(tmp_path)
    assert other.fingerprint() != recording.fingerprint()


def test_excluded_people_are_left_out_unless_named(tmp_path: Path) -> None:
    stories.brennan(tmp_path, ("S01", "S02"))
    assert [r.id.subject for r in recordings(tmp_path)] == ["S01"]
    assert [r.id.subject for r in recordings(tmp_path, subjects=["S02"])] == ["S02"]


def test_a_sound_that_began_before_the_recording_is_cut(tmp_path: Path) -> None:
    stories.brennan(tmp_path, ("S01",))
    path = tmp_path / "brennan2019/download/proc/S01.mat"
    proc = loadmat(path, struct_as_record=False, squeeze_me=True)["proc"]
    trials = proc.trl.copy()
    trials[:, :2] -= 1000  # 2 s: the first sound begins at -0.3 s
    savemat(path, {"proc": {"trl": trials, "tot_chans": 61.0, "varnames": proc.varnames}})
    (recording,) = recordings(tmp_path)
    sound = recording.events().query("kind == 'sound'").iloc[0]
    assert np.allclose([sound["start_s"], sound["offset"], sound["duration_s"]], [0.0, 0.3, 8.7])


def test_missing_parts_are_named(tmp_path: Path) -> None:
    stories.brennan(tmp_path, ("S01",))
    folder = tmp_path / "brennan2019/download"
    (recording,) = recordings(tmp_path)
    os.remove(folder / "audio/DownTheRabbitHoleFinal_SoundFile2.wav")
    with pytest.raises(RecordingError, match=r"SoundFile2\.wav is not there"):
        recording.events()
    os.remove(folder / "proc/S01.mat")
    with pytest.raises(RecordingError, match=r"proc/S01\.mat: missing or empty"):
        recording.events()
    (folder / "S01.mat").write_bytes((folder / "S01.mat").read_bytes()[:5000])
    with pytest.raises(RecordingError, match=r"S01\.mat: no MATLAB file"):
        recording.load_raw()


def test_one_line_when_nothing_is_there_and_nothing_can_be_fetched(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(study, "SITE", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot be fetched .* by hand into") as error:
        recordings(tmp_path)
    assert "\n" not in str(error.value)


def test_the_shipped_data_set_cuts_published_windows(tmp_path: Path) -> None:
    stories.brennan(tmp_path)
    dset = section("dset", "brennan2019")
    dset["features"] = [{"name": "MelSpectrum", "n_mels": 8}, {"name": "SegmentHash"}]
    paths = {"studies": str(tmp_path), "cache": str(tmp_path / "c"), "models": str(tmp_path)}
    dataset = windows_of(OmegaConf.create({"dset": dset, "paths": paths}))
    assert dataset.facts.rate_hz == 120 and dataset.facts.window_samples == 361
    table = dataset.table
    split = table.groupby("block_uid")["split"].nunique()
    assert (split == 1).all()  # the same sentences of both people are in one split
    batch = dataset.gather(range(4))
    assert batch.signal.shape == (4, 60, 361)
    assert batch.features["MelSpectrum"].shape == (4, 8, 361)


#: Of these the second is the person who lacks a segment.
FEW = ("S01", "S02", "S03", "S20")


@pytest.mark.shared
@needs("alice")
@pytest.mark.parametrize("people", [FEW, pytest.param((), marks=pytest.mark.endurance)], ids=len)
def test_the_real_tables_of_people(people: tuple[str, ...]) -> None:
    words = study.read_words(ALICE / "sourcedata" / study.TABLE)
    assert len(words) == 2129 and words["Sentence"].nunique() == 84
    uids = set()
    paths = sorted((ALICE / "sourcedata/proc").glob("S*.mat"))
    paths = [path for path in paths if not people or path.stem in people]
    assert len(paths) == len(people) or not people
    for path in paths:
        trials = study.read_trials(path).rename(columns={"offset": "offset_sample"})
        joined = study.join_words(trials, words, path)
        assert len(joined) == (1987 if path.stem == "S02" else 2129)
        events = study.story_events(joined, Path("audio"), "published")
        sounds = events[events["kind"] == "sound"]
        assert len(sounds) == (11 if path.stem == "S02" else 12)
        assert (np.diff(sounds["start_s"]) > 0).all()
        heard = events[events["kind"] == "word"]
        assert (heard["duration_s"] > 0).all()
        if path.stem == "S02":  # excluded: a segment is missing
            continue
        assert (np.diff(heard["start_s"]) >= 0).all()
        events = with_story_blocks(events, BlockRule("sentence", 6.0), path)
        blocks = events[events["kind"] == "block"]
        assert blocks["duration_s"].min() > 6
        uids.add(tuple(blocks["uid"]))
        plain = create_blocks(events[events["kind"] != "block"], "sentence")
        assert len(plain) == 84
    assert len(uids) < 20  # people share most of their blocks


@pytest.mark.shared
@needs("alice")
def test_triggers_agree_with_the_bids_version_of_the_data() -> None:
    words = study.read_words(ALICE / "sourcedata" / study.TABLE)
    for person, bids in (("S01", "sub-001"), ("S03", "sub-003"), ("S05", "sub-005")):
        path = ALICE / "sourcedata/proc" / f"{person}.mat"
        trials = study.read_trials(path).rename(columns={"offset": "offset_sample"})
        joined = study.join_words(trials, words, path)
        events = study.story_events(joined, Path("audio"), "trigger").query("kind == 'word'")
        table = pd.read_csv(
            ALICE / bids / f"eeg/{bids}_task-alicelistening_events.tsv",
            sep="\t",
            keep_default_na=False,
        )
        assert np.allclose(events["start_s"], table["onset"].astype(float), atol=0.003)
        assert list(events["word"]) == list(table["word"].astype(str))


@pytest.mark.shared
@needs("alice")
def test_the_last_segment_heard_through_the_real_sound(tmp_path: Path) -> None:
    """The real words of segment 12 with the real audio and a generated signal."""
    stories.brennan(tmp_path, ("S01",))
    folder = tmp_path / "brennan2019/download"
    words = study.read_words(ALICE / "sourcedata" / study.TABLE)
    last = words[words["Segment"] == 12]
    shutil.copy(ALICE / "sourcedata" / study.TABLE, folder / study.TABLE)
    name = study.SOUND.format(12)
    shutil.copy(ALICE / "stimuli" / name, folder / "audio" / name)
    proc = loadmat(
        ALICE / "sourcedata/proc/S01.mat", struct_as_record=False, squeeze_me=True
    )["proc"]  # fmt: skip
    trials = proc.trl[last.index]
    trials[:, :2] -= trials[0, 0] - 500
    savemat(folder / "proc/S01.mat", {"proc": {"trl": trials, "tot_chans": 61.0,
                                               "varnames": proc.varnames}})  # fmt: skip
    header = {"Fs": 500.0, "label": np.array([*study.CHANNELS, "VEOG", "AUD"], dtype=object)}
    raw = {"hdr": header, "trial": stories.noise(62, 500 * 55).astype(np.float32)}
    savemat(folder / "S01.mat", {"raw": raw})
    (recording,) = recordings(tmp_path)
    events = recording.events()
    assert (events["kind"] == "word").sum() == 137
    sound = events.query("kind == 'sound'").iloc[0]
    assert abs(sound["duration_s"] - 46.98) < 0.01
