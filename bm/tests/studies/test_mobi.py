"""MoBI on a miniature of its folder: names, stretches, angles, published split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bm.data.audit import audit_table
from bm.errors import RecordingError, UserError
from bm.studies import recordings_of
from bm.studies.mobi import JOINTS, STRETCHES
from bm.tests.reference.labram_names import input_rows

from .datasets import dataset

EYES = ["TP9", "TP10", "FT9", "FT10"]
LIST = """
    Fp1 Fp2 F7 F3 Fz F4 F8 FC5 FC1 FC2 FC6 T7 C3 Cz C4 T8 TP9 CP5 CP1 CP2 CP6 TP10 P7 P3 Pz P4
    P8 PO9 O1 Oz O2 PO10 AF7 AF3 AF4 AF8 F5 F1 F2 F6 FT9 FT7 FC3 FC4 FT8 FT10 C5 C1 C2 C6 TP7
    CP3 CPz CP4 TP8 P5 P1 P2 P6 PO7 PO3 POz PO4 PO8
"""
NAMES = LIST.split()
PARTS = {"walk": [1, 11], "walk_end": [11, 16], "bci": [16, 21]}
SECONDS = 22


def lines(rows: np.ndarray) -> str:
    """Lines with tabs, one at the end too, as in the files."""
    return "".join("\t".join(f"{v:.5f}" for v in row) + "\t\n" for row in rows)


def session(folder: Path, seed: int, names: list[str] = NAMES, step_s: float = 0.01) -> None:
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    times = np.arange(SECONDS * 100)[:, None] * step_s
    eeg = rng.normal(0, 30, (len(times), 64))
    angles = 30 * np.sin(times + np.arange(12)) + seed
    (folder / "eeg.txt").write_text("64 channels\n" + lines(np.hstack([times, eeg])))
    head = f"12 joints ({' '.join(JOINTS)})\nJoint Factor\t1\n"
    (folder / "joints.txt").write_text(head + lines(np.hstack([times, angles])))
    table = [f"# {i + 1} \t {name} \t Set \t 10" for i, name in enumerate(names)]
    table += ["# 65 \t Ref \t Set \t 3", "Gnd \t Gnd \t Set \t 2"]
    text = ["Impedance [kOhm]", "", "Phys. Chn.\tName\tLabelSet\tValue", *table]
    (folder / "impedances-before.txt").write_text("\n".join(text) + "\n")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mobi")
    for number, name in enumerate(("SL01-T01", "SL01-T02", "SL02-T01")):
        session(root / "mobi" / name, number)
    return root


def entry(**options) -> list:
    return [{"study": "mobi", "stretches": PARTS, **options}]


def test_parts_are_those_of_the_protocol() -> None:
    """Standing for 2 min, 10 and 5 min of walking, 5 min with the decoder."""
    lengths = [part.stop_s - part.start_s for part in STRETCHES.values()]
    assert lengths == [600, 300, 300] and STRETCHES["walk"].start_s == 120
    # a window every 50 ms in eight people and three sessions; the paper has 575,830
    windows = 24 * sum(round((s - 2) / 0.05) for s in lengths)
    assert windows == pytest.approx(575_830, rel=0.01)


def test_windows_angles_and_split(root: Path) -> None:
    data = dataset("mobi", root, studies=entry())
    table = data.table
    assert len(data.facts.channels) == 60 and data.facts.values == tuple(map(str.lower, JOINTS))
    rows = input_rows(data.facts.channels)  # every electrode has a row
    assert len(set(rows)) == 61
    names = [name.upper() for name in data.facts.channels]
    assert "FCZ" in names and "AFZ" in names and not {"T7", "T8", *EYES} & set(names)
    for run, split in {"walk": "train", "walk_end": "valid", "bci": "test"}.items():
        part = table[table["run"] == run]
        assert set(part["split"]) == {split} and len(part) == 3 * 20 * (np.ptp(PARTS[run]) - 2)
    assert set(table["length"]) == {400}
    first = table[(table["subject"] == "SL02") & (table["run"] == "walk_end")]
    assert first["start_s"].tolist()[:3] == pytest.approx([0.0, 0.05, 0.1])
    # the angles at a window's end, 2 s after its start, on the session's clock
    times = PARTS["walk_end"][0] + first["start_s"].to_numpy() + 2
    np.testing.assert_allclose(first["value_gkr"] * 90, 30 * np.sin(times + 1) + 2, atol=1e-4)
    batch = data.gather(first.index[:2].tolist())
    assert batch.label.shape == (2, 12) and batch.signal.shape == (2, 60, 400)
    events = [signal.events for signal in data.signals]
    assert not audit_table(table.assign(length_s=2.0), events)


def test_signal_is_the_stretch_in_volts(root: Path) -> None:
    recordings, _ = recordings_of(entry(subjects=["SL02"]), {"studies": root, "cache": root})
    assert [r.id.run for r in recordings] == ["walk", "walk_end", "bci"]
    raw = recordings[1].load_raw()
    written = np.random.default_rng(2).normal(0, 30, (SECONDS * 100, 64)).T
    indices = [i for i, name in enumerate(NAMES) if name not in EYES]
    np.testing.assert_allclose(1e6 * raw.get_data(), written[indices, 1100:1600], atol=1e-4)
    prints = {r.fingerprint() for r in recordings}
    assert len(prints) == 3


def test_mistakes_are_named(root: Path, tmp_path: Path) -> None:
    paths = {"studies": tmp_path, "cache": tmp_path}
    with pytest.raises(UserError, match="no folder such as SL01-T01"):
        recordings_of([{"study": "mobi"}], paths)
    (whole, *_), _ = recordings_of([{"study": "mobi"}], {"studies": root, "cache": root})
    with pytest.raises(RecordingError, match="22 s, but walk ends at 720 s"):
        whole.load_raw()
    session(tmp_path / "mobi/SL01-T01", 0, NAMES[1:])
    session(tmp_path / "mobi/SL01-T02", 0, step_s=0.003)
    session(tmp_path / "mobi/SL01-T03", 0)
    third = tmp_path / "mobi/SL01-T03"
    (third / "joints.txt").unlink()
    recordings, _ = recordings_of(entry(), paths)
    with pytest.raises(RecordingError, match="64 columns for 63 names"):
        recordings[0].load_raw()
    with pytest.raises(RecordingError, match=r"a sample every 0\.003 s"):
        recordings[3].load_raw()
    with pytest.raises(RecordingError, match=r"joints\.txt: no such file"):
        recordings[6].events()
    (third / "eeg.txt").write_text("64 channels\nno\tnumbers\n")
    with pytest.raises(RecordingError, match="no table of numbers"):
        recordings[6].load_raw()
    (third / "impedances-before.txt").write_text("nothing\n")
    with pytest.raises(RecordingError, match="no table `Phys"):
        recordings[6].load_raw()
