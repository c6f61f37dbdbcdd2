"""Rest against arithmetic on its real files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bm.errors import RecordingError, UserError
from bm.studies import build_study

from ..shared_data import DATA, needs

pytestmark = [pytest.mark.shared, needs("eegmat")]


def recordings(root: Path, tmp_path: Path, **options):
    paths = {"studies": root, "cache": tmp_path / "cache"}
    return build_study({"study": "eegmat", **options}, paths).recordings()


def test_people_states_and_quality(tmp_path: Path) -> None:
    people = recordings(DATA, tmp_path)
    assert len(people) == 12 and len({r.id.subject for r in people}) == 6
    events = [r.events() for r in people]
    assert [int(e["label"].iloc[0]) for e in events] == [0, 1] * 6
    lengths = [round(float(e["duration_s"].iloc[0])) for e in events]
    assert lengths[::2] == [182, 182, 182, 170, 182, 80] and set(lengths[1::2]) == {62}
    quality = {
        r.id.subject[-2:]: int(e["quality"].iloc[0]) for r, e in zip(people, events, strict=True)
    }
    assert quality == {"00": 0, "01": 1, "02": 1, "04": 0, "05": 1, "31": 1}


def test_only_electrodes_are_data_under_todays_names(tmp_path: Path) -> None:
    raw = recordings(DATA, tmp_path, subjects=[4])[1].load_raw()
    assert len(raw.ch_names) == 19 and raw.info["sfreq"] == 500
    assert {"T7", "T8", "P7", "P8"} <= set(raw.ch_names)
    assert not {"T3", "A2-A1", "ECG"} & set(raw.ch_names)
    assert np.isfinite([c["loc"][:3] for c in raw.info["chs"]]).all()
    assert 1e-6 < np.median(raw.get_data().std(1)) < 1e-4


def test_a_person_without_a_line_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "eegmat"
    folder.mkdir()
    shutil.copy(DATA / "eegmat" / "Subject04_2.edf", folder)
    with pytest.raises(RecordingError, match=r"subject-info\.csv: no such file"):
        recordings(tmp_path, tmp_path)
    text = (DATA / "eegmat" / "subject-info.csv").read_text()
    (folder / "subject-info.csv").write_text(text.replace("Subject04", "Subject99"))
    (failed,) = recordings(tmp_path, tmp_path)  # named, without ending the work on the others
    with pytest.raises(RecordingError, match=r"Subject04_2\.edf: Subject04 has no line in"):
        failed.load_raw()
    with pytest.raises(UserError, match="physionet"):
        recordings(tmp_path, tmp_path, subjects=[1])


def test_line_endings_of_the_table_do_not_matter(tmp_path: Path) -> None:
    folder = tmp_path / "eegmat"
    folder.mkdir()
    shutil.copy(DATA / "eegmat" / "Subject04_2.edf", folder)
    text = (DATA / "eegmat" / "subject-info.csv").read_bytes().replace(b"\r\n", b"\n")
    for ending in (b"\n", b"\r\n", b"\r"):
        (folder / "subject-info.csv").write_bytes(text.replace(b"\n", ending))
        assert recordings(tmp_path, tmp_path)[0].columns["quality"] == 0
