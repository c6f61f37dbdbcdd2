"""Files that another system leaves beside those of a data set (`._S01.edf`) are none of it."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bm.studies import recordings_of
from bm.studies.duin.words import WORDS
from bm.studies.feis import CHANNELS
from bm.studies.seed_v import TRIALS

from ..readers.edf_files import recording, write_edf
from .duin_files import write_clips, write_run
from .emotion_files import session
from .zuco_files import write_corpus

CASES = Path(__file__).parents[1] / "golden" / "cases" / "labram" / "h5_windows"


def bids(root: Path) -> None:
    folder = root / "mine/sub-01/eeg"
    write_edf(folder / "sub-01_task-m_eeg.edf", ["C3", "C4"], np.ones((2, 400)), 100)
    (folder / "sub-01_task-m_events.tsv").write_text("onset\tduration\ttrial_type\n1\t1\tleft\n")
    (root / "mine/dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.8.0"}')


def corpus(root: Path) -> None:
    shutil.copytree(CASES, root / "labram_h5")


def trials(root: Path) -> None:
    (root / "mine").mkdir()
    np.savez(root / "mine/s1.npz", X=np.ones((4, 2, 50)), y=[0, 1, 0, 1], sfreq=100)


def tables(root: Path) -> None:
    table = pd.DataFrame(1.0, index=range(512), columns=list(CHANNELS))
    table.insert(0, "Epoch", np.arange(512) // 256)
    table["Label"] = "f"
    (root / "feis/eeg/01").mkdir(parents=True)
    with zipfile.ZipFile(root / "feis/eeg/01/thinking.zip", "w") as archive:
        archive.writestr("thinking.csv", table.to_csv())
        archive.writestr("__MACOSX/._thinking.csv", b"\0\5\x16\7")


STUDIES: dict[str, tuple[dict, Callable[[Path], object]]] = {
    "bids": ({"study": "folder", "name": "mine", "path": "{root}/mine"}, bids),
    "labram_h5": ({"study": "labram_h5"}, corpus),
    "arrays": ({"study": "arrays", "path": "{root}/mine", "unit": "uV"}, trials),
    "feis": ({"study": "feis", "stage": "thinking"}, tables),
    "tuab": ({"study": "tuab"}, lambda root: recording(
        root / "tuab/train/normal/01_tcp_ar/p1_s001_t000.edf", 12, 0)),
    "seed_v": ({"study": "seed_v"}, lambda root: session(
        root / "seed_v/EEG_raw/2_3_20180401.edf", TRIALS["3"][1][-1], 7)),
    "zuco": ({"study": "zuco"}, lambda root: write_corpus(root)),
    "duin": ({"study": "duin"}, lambda root: write_run(root, "run1", list(WORDS)[:3])),
    "duin clips": ({"study": "duin", "part": "clips"}, lambda root: write_clips(root)),
}  # fmt: skip


def read(root: Path, entry: dict) -> list[tuple[str, pd.DataFrame]]:
    """Return name and events of each recording."""
    entry = {key: value.format(root=root) for key, value in entry.items()}
    recordings, _ = recordings_of([entry], {"studies": root, "cache": root / "cache"})
    return [(one.id.name, one.events()) for one in recordings]


@pytest.mark.parametrize("name", STUDIES)
def test_hidden_files_change_nothing(tmp_path: Path, name: str) -> None:
    entry, write = STUDIES[name]
    write(tmp_path)
    before = read(tmp_path, entry)
    assert before
    for path in [p for p in tmp_path.rglob("*") if "cache" not in p.parts]:
        # what a Mac writes beside each file, on a drive that cannot hold its attributes
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7" + bytes(80))
    after = read(tmp_path, entry)
    assert [one for one, _ in after] == [one for one, _ in before]
    for (_, events), (_, others) in zip(after, before, strict=True):
        pd.testing.assert_frame_equal(events, others)


def test_a_table_that_is_hidden_is_not_taken_for_the_events(tmp_path: Path) -> None:
    entry, write = STUDIES["bids"]
    write(tmp_path)
    table = tmp_path / "mine/sub-01/eeg/sub-01_task-m_events.tsv"
    table.rename(table.with_name(f"._{table.name}"))
    ((_, events),) = read(tmp_path, entry)
    assert set(events["kind"]) == {"block"}


def test_packed_trials_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    entry, write = STUDIES["arrays"]
    write(tmp_path)
    for name in ("s2.npz.gz", "s3.zip", "s4.mat.part", "s5.npy.gz"):
        (tmp_path / "mine" / name).write_bytes(b"x")
    assert len(read(tmp_path, entry)) == 1
    assert "4 files are packed" in caplog.text
