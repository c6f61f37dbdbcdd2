"""Electrodes, channels and names as laboratories write them: units, frames, types, prefixes."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import mne
import numpy as np
import pytest

from bm.data.preprocess import cut_name
from bm.errors import RecordingError
from bm.nn.electrodes import bare_name
from bm.readers.inputs import type_of
from bm.readers.montage import STANDARD, clean_name, standard_montage
from bm.studies import build_study

from .hostile import NAMES, raw_of, samples

PLACES = standard_montage(STANDARD).get_positions()["ch_pos"]
#: From x to the right and y to the nose, to x to the nose and y to the left.
TURN = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]])


def load(folder: Path, kind: str = "eeg", **files: str) -> mne.io.BaseRaw:
    """Read a recording with tables beside it, `channels_tsv=...`."""
    place = folder / "sub-01" / kind
    place.mkdir(parents=True, exist_ok=True)
    names = NAMES if kind == "eeg" else tuple(f"A{i}" for i in range(1, 9))
    raw_of(samples(), names).save(
        place / f"sub-01_task-x_{kind}.fif", fmt="double", overwrite=True, verbose="error"
    )
    for name, text in files.items():
        (place / f"sub-01_{name.replace('_tsv', '.tsv').replace('_json', '.json')}").write_text(
            text
        )
    entry = {"study": "folder", "path": str(folder)}
    (one,) = build_study(entry, {"studies": folder, "cache": folder / "cache"}).recordings()
    return one.load_raw()


def electrodes(factor: float, turn: np.ndarray | None = None) -> str:
    """Return a table of the places of the 10-05 system."""
    rows = {name: (np.eye(3) if turn is None else turn) @ PLACES[name] * factor for name in NAMES}
    text = ["\t".join([name, *(f"{v:.9f}" for v in place)]) for name, place in rows.items()]
    return "\n".join(["name\tx\ty\tz", *text]) + "\n"


def places(raw: mne.io.BaseRaw) -> np.ndarray:
    return np.array([channel["loc"][:3] for channel in raw.info["chs"]])


EXPECTED = np.array([PLACES[name] for name in NAMES])


@pytest.mark.parametrize(
    ("factor", "turn", "system"),
    [
        (1e3, None, {"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": "mm"}),
        (1e3, None, {"FiducialsCoordinateUnits": "cm", "EEGCoordinateUnits": "millimeters"}),
        (1e2, TURN, {"EEGCoordinateSystem": "EEGLAB", "EEGCoordinateUnits": "cm"}),
        (1.0, TURN, {"EEGCoordinateSystem": "CTF", "EEGCoordinateUnits": "n/a"}),
        (1.0, TURN, {"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": "m"}),
        (1.0, None, {"EEGCoordinateSystem": "CTF", "EEGCoordinateUnits": "m"}),
    ],
)
def test_electrodes_come_in_any_unit_and_orientation(
    tmp_path: Path, factor: float, turn: np.ndarray | None, system: dict
) -> None:
    tables = {"electrodes_tsv": electrodes(factor, turn), "coordsystem_json": json.dumps(system)}
    np.testing.assert_allclose(places(load(tmp_path, **tables)), EXPECTED, atol=1e-6)


def test_electrodes_that_are_not_where_names_say_are_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    upside_down = electrodes(1.0, np.diag([1.0, -1, -1]))
    with caplog.at_level(logging.WARNING):
        raw = load(tmp_path, electrodes_tsv=upside_down)
    assert "electrodes are not where names say" in caplog.text
    assert np.linalg.norm(places(raw) - EXPECTED, axis=1).max() < 0.06  # those of the names


def test_a_name_with_two_places_has_none(tmp_path: Path) -> None:
    raw = load(tmp_path, electrodes_tsv=electrodes(1.0) + "C3\t0.01\t0.02\t0.09\n")
    assert np.isnan(places(raw)).all(1).tolist() == [name == "C3" for name in NAMES]


CONTACTS = "name\tx\ty\tz\n" + "".join(f"A{i}\t{20 + i}\t{i}\t30\n" for i in range(1, 9))


@pytest.mark.parametrize(
    ("files", "first"),
    [
        ({"coordsystem_json": '{"iEEGCoordinateUnits": "mm"}'}, 0.021),
        ({"coordsystem_json": '{"iEEGCoordinateUnits": "pixels"}'}, None),
        ({}, None),
    ],
)
def test_contacts_need_a_length(tmp_path: Path, files: dict, first: float | None) -> None:
    place = places(load(tmp_path, "ieeg", electrodes_tsv=CONTACTS, **files))[0, 0]
    assert np.isnan(place) if first is None else place == pytest.approx(first, abs=1e-6)


def test_the_unit_is_that_of_the_same_space(tmp_path: Path) -> None:
    metres = CONTACTS.replace("\t30\n", "\t0.03\n")
    for i in range(1, 9):
        metres = metres.replace(f"A{i}\t{20 + i}\t{i}\t", f"A{i}\t0.0{20 + i}\t0.00{i}\t")
    files = {
        "space-MNI_electrodes_tsv": metres,
        "space-MNI_coordsystem_json": '{"iEEGCoordinateUnits": "m"}',
        "space-ACPC_coordsystem_json": '{"iEEGCoordinateUnits": "mm"}',
    }
    np.testing.assert_allclose(places(load(tmp_path, "ieeg", **files))[0], [0.021, 0.001, 0.03])


def test_columns_and_types_of_channels_in_any_case(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    types = {"C3": "EyeGaze", "C4": "PPG", "P3": "n/a", "P4": "brainy"}
    rows = [f"{n}\t{types.get(n, 'EEG')}\t{'Bad' if n == 'F3' else 'good'}\n" for n in NAMES]
    with caplog.at_level(logging.WARNING):
        raw = load(tmp_path, channels_tsv="Name\tTYPE\tStatus\n" + "".join(rows))
    assert raw.ch_names == ["Fp1", "Fp2", "F3", "F4", "P3", "P4"] and raw.info["bads"] == ["F3"]
    assert "types that are not known, of channels that stay: brainy" in caplog.text


def test_a_rate_that_is_written_as_text_is_compared(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="SamplingFrequency 500 Hz"):
        load(tmp_path, **{"task-x_eeg_json": '{"SamplingFrequency": "500"}'})


@pytest.mark.parametrize(
    ("name", "clean"),
    [("POL Fp1", "Fp1"), ("EEG Fp1 - Ref", "Fp1"), ("EEG Fp1-F7", "Fp1-F7"), ("POLY", "POLY")],
)
def test_what_recorders_put_around_a_name_is_cut(name: str, clean: str) -> None:
    assert clean_name(name) == clean


@pytest.mark.parametrize(
    ("name", "cut"), [("EEG T5 O1", "T5 O1"), ("T5 O1", "T5 O1"), ("EEG Fp1 - REF", "Fp1")]
)
def test_a_pair_with_a_blank_stays_a_pair(name: str, cut: str) -> None:
    assert cut_name(name) == cut and bare_name(name) == cut.upper()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("LO1", "eog"), ("SO2", "eog"), ("E1-M2", "eog"), ("II", "ecg"), ("V1", "ecg")),
        *(("LL-RA", "ecg"), ("aVF", "ecg"), ("Tib", "emg"), ("L Leg", "emg"), ("RAT", "emg")),
    ],
)
def test_more_names_of_what_is_no_eeg(name: str, kind: str) -> None:
    assert type_of(name, "eeg") == kind


def recordings(folder: Path, **options) -> list:
    entry = {"study": "folder", "path": str(folder), **options}
    return list(build_study(entry, {"studies": folder, "cache": folder / "cache"}).recordings())


def test_run_1_has_the_tables_of_run_01(tmp_path: Path) -> None:
    place = tmp_path / "sub-01" / "eeg"
    place.mkdir(parents=True)
    for run in ("01", "02"):
        (place / f"sub-01_task-x_run-{run}_eeg.edf").touch()
    (place / "sub-01_task-x_run-1_events.tsv").write_text("onset\ttrial_type\n1\ta\n")
    tables = [one.sidecars.events for one in recordings(tmp_path)]
    assert tables == [place / "sub-01_task-x_run-1_events.tsv", None]


def test_people_without_a_group_are_groups_of_their_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for person in ("01", "02", "03"):
        (tmp_path / f"sub-{person}").mkdir()
        (tmp_path / f"sub-{person}" / f"sub-{person}_eeg.edf").touch()
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tfamily\nsub-01\t7\nsub-02\tn/a\nsub-03\tn/a\n")
    assert [one.id.group for one in recordings(tmp_path, group_column="family")] == ["7", "", ""]
    assert "none of its people" not in caplog.text
    table.write_text("participant_id\tage\nP01\t7\nP02\t8\n")
    recordings(tmp_path)
    assert "none of its people is in the recordings (there is: P01, P02, as 01)" in caplog.text
