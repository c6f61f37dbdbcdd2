"""Phonemes on their real files."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bm.errors import RecordingError, UserError
from bm.studies import build_study
from bm.studies.feis import PHONEMES

from ..shared_data import DATA, needs

pytestmark = [pytest.mark.shared, needs("feis")]


def recordings(root: Path, tmp_path: Path, **options):
    paths = {"studies": root, "cache": tmp_path / "cache"}
    return build_study({"study": "feis", **options}, paths).recordings()


@pytest.mark.parametrize(("person", "per_word"), [(1, 10), (12, 7)])
def test_every_word_is_counted(tmp_path: Path, person: int, per_word: int) -> None:
    (recording,) = recordings(DATA, tmp_path, subjects=[person])
    events = recording.events()
    assert Counter(events["label"]) == dict.fromkeys(PHONEMES, per_word)
    assert np.array_equal(events["start_s"], np.arange(16.0 * per_word))
    assert set(events["duration_s"]) == {1.0} and set(events["kind"]) == {"phoneme"}


def test_signal_is_in_volts_without_offset_and_epochs_stay_apart(tmp_path: Path) -> None:
    (recording,) = recordings(DATA, tmp_path, subjects=[1])
    raw = recording.load_raw()
    assert raw.info["sfreq"] == 256 and len(raw.ch_names) == 14 and raw.n_times == 40960
    data = raw.get_data().reshape(14, 160, 256)
    assert np.abs(data.mean(-1)).max() < 1e-12
    assert 1e-6 < np.median(data.std(-1)) < 1e-3
    edges = raw.annotations[raw.annotations.description == "EDGE boundary"]
    assert np.array_equal(edges.onset, np.arange(1.0, 160.0))
    assert np.isfinite([c["loc"][:3] for c in raw.info["chs"]]).all()
    # The difference of two samples of an epoch is what the file says, in microvolt.
    first = recording.table()["F3"].to_numpy()[:2]
    np.testing.assert_allclose(np.diff(data[0, 0, :2]) * 1e6, np.diff(first), rtol=1e-6)


def test_sounds_are_those_that_the_person_heard(tmp_path: Path) -> None:
    people = {r.id.subject: r for r in recordings(DATA, tmp_path)}
    assert len(people) == 17
    sound = people["01"].audio("goose")
    assert sound.shape == (44100,) and sound.dtype == np.float32 and 0.01 < np.abs(sound).max() <= 1
    assert np.array_equal(people["05"].audio("zh"), people["04"].audio("zh"))
    assert people["05"].id.group == people["04"].id.group != people["06"].id.group
    with pytest.raises(UserError, match="goose"):
        people["01"].audio("gooze")


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    for person in ("01", "02"):
        (tmp_path / "feis" / "eeg" / person).mkdir(parents=True)
    source = DATA / "feis" / "eeg" / "01" / "articulators.zip"
    half = tmp_path / "feis" / "eeg" / "01" / "articulators.zip"
    half.write_bytes(source.read_bytes()[:500_000])
    flipped = tmp_path / "feis" / "eeg" / "02" / "articulators.zip"
    shutil.copyfile(source, flipped)
    with flipped.open("r+b") as file:
        file.seek(500_000)
        file.write(b"\0" * 64)
    for recording in recordings(tmp_path, tmp_path):
        with pytest.raises(RecordingError, match="damaged"):
            recording.load_raw()
    with pytest.raises(RecordingError, match="no sound"):
        recordings(tmp_path, tmp_path)[0].audio("zh")
    with pytest.raises(UserError, match="zenodo"):
        recordings(tmp_path, tmp_path, stage="thinking")
