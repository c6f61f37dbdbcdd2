"""Contacts from tables of BIDS, real ones and small ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bm.errors import RecordingError
from bm.readers.contacts import read_contacts, regions_of

from ..shared_data import DATA, needs


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(row.replace(" ", "\t") for row in rows) + "\n")
    return path


def test_tables_are_joined_by_name(tmp_path: Path) -> None:
    electrodes = write(
        tmp_path / "electrodes.tsv", "name x y z Region", "A1 10 0 0 STG", "a2 n/a n/a n/a n/a"
    )
    channels = write(
        tmp_path / "channels.tsv", "name type group status", "A1 SEEG TP good",
        "A2 SEEG n/a bad", "EKG1 ECG n/a good",
    )  # fmt: skip
    table = read_contacts(electrodes, channels).set_index("name")
    assert table.loc["A1", ["x", "shaft", "region", "kind", "status"]].tolist() == [
        0.01, "TP", "STG", "seeg", "good",
    ]  # fmt: skip
    assert np.isnan(table.loc["a2", "x"]) and table.loc["a2", "shaft"] == "a"
    assert table.loc["EKG1", "kind"] == "ecg"
    assert regions_of(read_contacts(electrodes), ["A1-A2", "A2", "B1"]) == ["STG", "", ""]


def test_units_are_stated_or_seen(tmp_path: Path) -> None:
    electrodes = write(tmp_path / "electrodes.tsv", "name x y z", "A1 0.06 0 0")
    assert read_contacts(electrodes)["x"][0] == 0.06
    (tmp_path / "coordsystem.json").write_text('{"iEEGCoordinateUnits": "cm"}')
    stated = read_contacts(electrodes, None, tmp_path / "coordsystem.json")
    assert stated["x"][0] == pytest.approx(0.0006)


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="A1 is there twice"):
        read_contacts(write(tmp_path / "a.tsv", "name x y z", "A1 0 0 0", "a1 1 1 1"))
    with pytest.raises(RecordingError, match="no column 'name'"):
        read_contacts(write(tmp_path / "b.tsv", "label x", "A1 0"))
    with pytest.raises(RecordingError, match="neither electrodes"):
        read_contacts(None)


@needs("ieeg_tables")
@pytest.mark.parametrize(
    ("pattern", "count", "kind"),
    [("film_ds003688/sub-23", 177, "seeg"), ("podcast_ds005574/sub-01", 124, "ecog")],
)
def test_real_tables(pattern: str, count: int, kind: str) -> None:
    folder = next((DATA / "ieeg_tables").glob(f"{pattern}/**/ieeg"))
    channels = sorted(folder.glob("*channels.tsv"))[0]
    electrodes = sorted(folder.glob("*electrodes.tsv"))[0]
    table = read_contacts(electrodes, channels)
    assert len(table) >= count and (table["kind"] == kind).sum() > 0.6 * count
    radius = np.linalg.norm(table[["x", "y", "z"]].to_numpy(float), axis=1)
    assert 0.02 < np.nanmedian(radius) < 0.15  # metres, though the tables are in millimetres
