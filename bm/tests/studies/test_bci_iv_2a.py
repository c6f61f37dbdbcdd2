"""Both formats of the study, written here as the published files are laid out."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.io import savemat

from bm.data.dataset import build_dataset
from bm.errors import RecordingError, UserError
from bm.studies import build_study
from bm.studies.bci_iv_2a import CHANNELS

from ..shared_data import ROOT
from .motor_files import RATE, STARTS, write_day, write_mat


def study(root: Path, **options):
    paths = {"studies": root, "cache": root / "cache"}
    return build_study({"study": "bci_iv_2a", **options}, paths)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bci_iv_2a").mkdir()
    return tmp_path / "bci_iv_2a"


def test_matlab_runs_are_joined_and_counted_from_zero(folder: Path) -> None:
    signals = write_mat(folder / "A01T.mat", 0)
    (recording,) = study(folder.parent).recordings()
    raw, events = recording.load_raw(), recording.events()
    assert raw.ch_names == list(CHANNELS) and raw.info["sfreq"] == RATE
    np.testing.assert_allclose(raw.get_data() * 1e6, np.vstack(signals)[:, :22].T, atol=1e-9)
    assert events["start_s"].tolist() == [1.0, 9.0, 21.0, 29.0]
    assert events["label"].tolist() == [0, 1, 3, 2]
    assert events["class"].tolist() == ["left_hand", "right_hand", "tongue", "feet"]
    assert events["artefact"].tolist() == [False, True, False, True]
    assert list(raw.annotations.description) == ["EDGE boundary"]
    clean = study(folder.parent, drop_artefacts=True).recordings()[0]
    assert len(clean.events()) == 2 and clean.fingerprint() != recording.fingerprint()


def test_gdf_days_with_cues_and_with_a_file_of_labels(folder: Path) -> None:
    signal = write_day(folder / "A01T.gdf", 1, cues=True)
    write_day(folder / "A01E.gdf", 2, cues=False)
    train, test = study(folder.parent).recordings()
    assert (train.id.session, test.id.session) == ("0", "1")
    raw, events = train.load_raw(), train.events()
    assert raw.ch_names == list(CHANNELS)
    assert events["label"].tolist() == [0, 1, 3, 2]
    assert events["start_s"].tolist() == [1.0, 9.0, 21.4, 29.4]
    assert events["artefact"].tolist() == [False, True, False, True]
    whole = raw.get_data() * 1e6
    np.testing.assert_allclose(whole[:, :5000], signal[:22, :5000], atol=0.01)
    # The hundred missing samples are the mean of the rest, and marked.
    assert np.ptp(whole[:, 5000:5100], axis=1).max() < 1e-9 and np.abs(whole[:, 5050]).max() < 5
    bad = [n for n in raw.annotations if n["description"] == "BAD missing"]
    assert [(round(n["onset"], 3), round(n["duration"], 3)) for n in bad] == [(20.0, 0.4)]
    with pytest.raises(RecordingError, match="without its labels"):
        test.events()
    (folder / "true_labels").mkdir()
    savemat(folder / "true_labels" / "A01E.mat", {"classlabel": np.array([[2], [2], [1], [4]])})
    assert study(folder.parent).recordings()[1].events()["label"].tolist() == [1, 1, 0, 3]
    savemat(folder / "true_labels" / "A01E.mat", {"classlabel": np.array([[2], [2], [1]])})
    with pytest.raises(RecordingError, match=r"4 trials .* but 3 labels"):
        study(folder.parent).recordings()[1].events()


def test_window_and_split_are_those_of_the_reference(folder: Path) -> None:
    signals = write_mat(folder / "A01T.mat", 0)
    write_mat(folder / "A01E.mat", 1)
    config = yaml.safe_load((ROOT / "conf" / "dset" / "bci_iv_2a.yaml").read_text())
    config["scale"]["kind"] = "none"
    config["split"]["ratios"] = {"train": 1.0}
    dataset = build_dataset(study(folder.parent).recordings(), config)
    assert dataset.table["split"].tolist() == ["train"] * 4 + ["test"] * 4
    assert dataset.facts.classes == ("left_hand", "right_hand", "feet", "tongue")
    window = dataset.gather([0]).signal[0].numpy()
    begin = STARTS[0]
    np.testing.assert_allclose(window, signals[0][begin + 750 : begin + 1500, :22].T, atol=1e-4)


def test_damaged_files_are_named(folder: Path) -> None:
    write_day(folder / "A01T.gdf", 1, cues=True)
    whole = (folder / "A01T.gdf").read_bytes()
    for size, message in ((200, "header"), (200_000, "truncated"), (len(whole) - 9, "truncated")):
        (folder / "A01T.gdf").write_bytes(whole[:size])
        with pytest.raises(RecordingError, match=message):
            study(folder.parent).recordings()[0].events()
    (folder / "A01T.gdf").unlink()
    write_mat(folder / "A01T.mat", 0)
    whole = (folder / "A01T.mat").read_bytes()
    (folder / "A01T.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match="no MATLAB file"):
        study(folder.parent).recordings()[0].load_raw()
    savemat(folder / "A01T.mat", {"other": 1})
    with pytest.raises(RecordingError, match=r"no variable `data` .it has other."):
        study(folder.parent).recordings()[0].load_raw()


def test_without_files_the_line_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "moabb", None)
    monkeypatch.setitem(sys.modules, "moabb.datasets", None)
    with pytest.raises(UserError, match=r"bnci-horizon-2020.*pip install moabb"):
        study(tmp_path).recordings()


def test_moabb_fetches_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "elsewhere"
    store.mkdir()

    class Dataset:
        def data_path(self, subject: int) -> list[str]:
            paths = [store / f"A{subject:02d}{letter}.mat" for letter in "TE"]
            for path in paths:
                write_mat(path, subject)
            return [str(path) for path in paths]

    module = types.ModuleType("moabb.datasets")
    module.BNCI2014_001 = Dataset
    monkeypatch.setitem(sys.modules, "moabb", types.ModuleType("moabb"))
    monkeypatch.setitem(sys.modules, "moabb.datasets", module)
    recordings = study(tmp_path, subjects=[2]).recordings()
    assert [(r.id.subject, r.id.session) for r in recordings] == [("A02", "0"), ("A02", "1")]
    assert len(recordings[0].events()) == 4
