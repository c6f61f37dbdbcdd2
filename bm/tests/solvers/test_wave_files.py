"""Files of generated waves hold what was generated, and are whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import mne
import numpy as np
import pytest

from bm import writing
from bm.errors import UserError
from bm.facts import DataFacts
from bm.models.eegdiff.epochs import Generated
from bm.solvers import wave_files
from bm.solvers.wave_files import write_waves

FACTS = DataFacts(
    channels=("C3", "Cz", "C4"),
    rate_hz=125.0,
    window_samples=250,
    positions=((-0.05, 0.0, 0.08), (0.0, 0.01, 0.1), (0.05, 0.0, 0.08)),
    kinds=("eeg", "eeg", "eeg"),
    subjects=("anna", "ben"),
    classes=("left_hand", "right_hand"),
    simulated=True,
)


def generated(n: int = 4) -> Generated:
    draw = np.random.default_rng(0)
    return Generated(
        waves=draw.normal(0, 20, (n, 3, 250)).astype(np.float32),
        labels=np.arange(n) % 3 - 1,
        subjects=np.arange(n) % 2,
        seeds=np.arange(n) + 2**32 - 1 - n,
        sampling={"sampler": "ddim", "steps": 50, "seed": 7},
    )


def test_both_files_hold_what_was_generated(tmp_path: Path) -> None:
    generation = generated()
    files = write_waves(tmp_path / "new/folder", generation, FACTS, "ab12cd34")
    with h5py.File(files.hdf5) as file:
        np.testing.assert_array_equal(file["signal"][()], generation.waves)
        assert file["signal"].dtype == np.float32 and file.attrs["unit"] == "uV"
        assert list(file["channels"].asstr()) == list(FACTS.channels)
        assert list(file["classes"].asstr()) == list(FACTS.classes)
        assert list(file["subject_names"].asstr()) == list(FACTS.subjects)
        assert list(file["units"].asstr()) == ["uV"] * 3
        np.testing.assert_allclose(file["positions"][()], FACTS.positions)
        for name in ("labels", "subjects", "seeds"):
            np.testing.assert_array_equal(file[name][()], getattr(generation, name))
        assert file.attrs["rate_hz"] == 125 and file.attrs["signature"] == "ab12cd34"
        assert file.attrs["simulated"] and file.attrs["generated"]
        assert json.loads(file.attrs["sampling"]) == generation.sampling
    epochs = mne.read_epochs(files.fif, verbose="error")
    np.testing.assert_allclose(epochs.get_data(copy=False), generation.waves * 1e-6, rtol=1e-6)
    assert epochs.event_id == {"left_hand": 1, "right_hand": 2, "generated": 3}
    assert list(epochs.events[:, 2]) == [3, 1, 2, 3]
    assert list(epochs.metadata["seed"]) == generation.seeds.tolist()
    assert list(epochs.metadata["class"]) == ["", "left_hand", "right_hand", ""]
    assert "simulated" in epochs.info["description"]
    places = [channel["loc"][:3] for channel in epochs.info["chs"]]
    np.testing.assert_allclose(places, FACTS.positions, atol=1e-6)


def test_the_signature_of_the_solver_is_found(tmp_path: Path) -> None:
    generation = generated()
    signed = replace(generation, sampling={"signature": "ab12"})
    with h5py.File(write_waves(tmp_path, signed, FACTS).hdf5) as file:
        assert file.attrs["signature"] == "ab12"


def test_mixed_kinds_name_their_units(tmp_path: Path) -> None:
    facts = DataFacts.from_dict({**FACTS.to_dict(), "kinds": ["meg", "eeg", "seeg"]})
    files = write_waves(tmp_path, generated(), facts)
    with h5py.File(files.hdf5) as file:
        assert list(file["units"].asstr()) == ["fT", "uV", "uV"]
        assert file.attrs["unit"] == "mixed" and file.attrs["signature"] == ""


@pytest.mark.parametrize("positions", [(), ((0.1, 0.9, 0), (0.5, 1, 0), (-0.1, -0.1, 0))])
def test_without_places_on_the_head_files_have_none(positions: tuple, tmp_path: Path) -> None:
    facts = DataFacts.from_dict({**FACTS.to_dict(), "positions": positions})
    files = write_waves(tmp_path, generated(), facts)
    epochs = mne.read_epochs(files.fif, verbose="error")
    assert epochs.get_montage() is None and len(epochs) == 4
    with h5py.File(files.hdf5) as file:
        assert "positions" not in file


def test_a_failed_writing_leaves_the_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_waves(tmp_path, generated(4), FACTS)
    before = [path.read_bytes() for path in (files.fif, files.hdf5)]

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "sync", full)
    with pytest.raises(UserError, match="no space left; free some"):
        write_waves(tmp_path, generated(5), FACTS)
    assert [path.read_bytes() for path in (files.fif, files.hdf5)] == before
    assert len(list(tmp_path.iterdir())) == 2


def test_large_sets_are_split_and_parts_of_longer_runs_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wave_files, "SPLIT_SIZE", "2MB")
    files = write_waves(tmp_path, generated(1200), FACTS)
    assert (tmp_path / "generated-epo-1.fif").exists()
    assert len(mne.read_epochs(files.fif, verbose="error")) == 1200
    write_waves(tmp_path, generated(4), FACTS)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["generated-epo.fif", "generated.h5"]
    assert len(mne.read_epochs(files.fif, verbose="error")) == 4
