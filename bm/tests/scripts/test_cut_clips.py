"""Clips of any continuous recording, read again by the study of Du-IN."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest

from bm.errors import UserError
from bm.studies.duin import Duin
from scripts._arguments import main_of
from scripts.cut_clips import Request, cutting

from ..readers.edf_files import write_edf


def record(path: Path, seconds: int, rate: int = 100, names: tuple = ("A1", "A2")) -> None:
    data = np.random.default_rng(seconds).normal(0, 30, (len(names), rate * seconds))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_edf(path, [f"EEG {name}" for name in names], data, rate)


def cut(root: Path, *words: str) -> int:
    changes = (f"paths.cache={root}/cache", *(w for w in words if w.startswith("dset.")))
    mine = [w for w in words if not w.startswith("dset.")]
    return main_of(
        cutting,
        ["study=folder", f"path={root}/in", f"out={root}/out", *mine],
        Request,
        words=changes,
    )


def test_clips_come_back_as_the_recording(tmp_path: Path, capsys) -> None:
    record(tmp_path / "in/sub-7/a.edf", 22)
    assert cut(tmp_path, "step_s=4") == 0
    assert "4 clips of 1 recordings" in capsys.readouterr().out
    study = Duin(path=tmp_path / "out", part="clips", channels=None, rate_hz=100)
    (recording,) = study.recordings()
    raw = recording.load_raw()
    assert raw.ch_names == ["A1", "A2"] and raw.n_times == 2000 and not len(raw.annotations)
    original = mne.io.read_raw_edf(tmp_path / "in/sub-7/a.edf", preload=True, verbose="error")
    np.testing.assert_allclose(raw.get_data(), original.get_data()[:, :2000], atol=1e-10)


def test_mistakes_are_one_line_and_leave_nothing(tmp_path: Path, capsys) -> None:
    record(tmp_path / "in/sub-7/a.edf", 5)
    assert cut(tmp_path) == 2
    assert "no clip of 8 s" in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.npy"))
    record(tmp_path / "in/sub-7/b.edf", 22, 200)
    assert cut(tmp_path) == 2
    assert "mixed rates: " in capsys.readouterr().err
    assert cut(tmp_path, "window_s=2", "step_s=1", "dset.rate_hz=100") == 0
    capsys.readouterr()
    assert cut(tmp_path, "window_s=2", "step_s=1", "dset.rate_hz=100") == 2
    assert "is there already" in capsys.readouterr().err
    with pytest.raises(UserError, match="the step is at most the window"):
        cutting(out=str(tmp_path), study="folder", window_s=1.0, step_s=2.0)
    with pytest.raises(UserError, match="where to"):
        cutting()


def test_other_implants_are_not_mixed(tmp_path: Path, capsys) -> None:
    record(tmp_path / "in/sub-7/a.edf", 20)
    record(tmp_path / "in/sub-7/b.edf", 21, names=("A1", "A3"))
    assert cut(tmp_path) == 2
    assert "mixed references or implants" in capsys.readouterr().err
