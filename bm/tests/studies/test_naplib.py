"""Natural speech with simulated electrodes: a miniature of the published file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile

from bm.errors import RecordingError, UserError
from bm.features.builder import features_of
from bm.solvers.build_data import batches_of
from bm.studies import build_study
from bm.train import main
from bm.xp.resolve import to_plain

from .datasets import dataset, dset

CHANNELS = ("F7", "F3", "Fz")
SOUND_HZ, RATE_HZ = 11025, 100
SECONDS = 6


def write_file(path: Path, names: tuple[str, ...], seconds_of_sound: float = SECONDS) -> None:
    """Write trials as MATLAB 7.3 does: columns of references below the structure `out`."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        cells = file.create_group("#refs#")

        def stored(values: np.ndarray) -> h5py.Reference:
            return cells.create_dataset(str(len(cells)), data=values).ref

        def text(value: str) -> h5py.Reference:
            return stored(np.array([[ord(c)] for c in value], "u2"))

        def field(values: list[h5py.Reference]) -> np.ndarray:
            return np.array(values, dtype=h5py.ref_dtype)[:, None]

        columns: dict[str, list[h5py.Reference]] = {}
        for number, name in enumerate(names):
            tone = np.sin(2 * np.pi * 300 * np.arange(int(seconds_of_sound * SOUND_HZ)) / SOUND_HZ)
            parts = {
                "name": text(name),
                "resp": stored(rng.normal(size=(SECONDS * RATE_HZ, len(CHANNELS)))),
                "dataf": stored(np.array([[float(RATE_HZ)]])),
                "sound": stored(40.0 * (number + 1) * tone[None]),
                "soundf": stored(np.array([[float(SOUND_HZ)]])),
                "befaft": stored(np.array([[1.0], [1.0]])),
                "script": text(f"SENTENCE {number}"),
                "chname": stored(field([text(c) for c in CHANNELS])),
            }
            for key, value in parts.items():
                columns.setdefault(key, []).append(value)
        out = file.create_group("out")
        for key, values in columns.items():
            out.create_dataset(key, data=field(values))


def recordings(path: Path):
    paths = {"studies": path.parent, "cache": path.parent / "cache"}
    return build_study({"study": "naplib", "path": str(path)}, paths).recordings()


def test_each_stretch_is_a_run_with_its_own_sound_and_text(tmp_path: Path) -> None:
    path = tmp_path / "demo_data.mat"
    write_file(path, ("stim01", "stim02"))
    first, second = recordings(path)
    assert [first.id.run, second.id.run] == ["stim01", "stim02"] and first.part != second.part
    raw = second.load_raw()
    assert raw.ch_names == list(CHANNELS) and raw.info["sfreq"] == RATE_HZ
    with h5py.File(path) as file:
        stored = file[file["out/resp"][1, 0]][()]
    np.testing.assert_allclose(raw.get_data().T * 1e6, stored, rtol=1e-12)
    events = second.events().set_index("kind")
    assert events.loc["trial", "text"] == "SENTENCE 1"
    assert (events.loc["trial", "start_s"], events.loc["trial", "duration_s"]) == (1.0, 4.0)
    wave, rate = soundfile.read(events.loc["sound", "filepath"])
    # 40 and 80 in the file: no sound is cut off, whatever its full scale was
    assert rate == SOUND_HZ and len(wave) == SECONDS * SOUND_HZ and 0.89 < np.abs(wave).max() < 0.91


def test_windows_hold_signal_and_sound(tmp_path: Path) -> None:
    """The file may be named by its folder; the signals are simulated, and so is the data set."""
    write_file(tmp_path / "demo_data.mat", ("stim01", "stim08", "stim09", "stim10"))
    changes = {"studies": [{"study": "naplib", "path": str(tmp_path)}]}
    data = dataset("eeg2speech/naplib", tmp_path, **changes)
    paths = {name: tmp_path / name for name in ("studies", "cache", "models")}
    data.attach_features(features_of(dset("eeg2speech/naplib", **changes), data.signals, paths))
    assert data.facts.rate_hz == 50 and len(data.rows("test")) == 8
    batch = next(iter(batches_of(data, data.rows("train")[:2], 2)))
    assert batch.signal.shape[1:] == (3, 64) and batch.features["SoundWave"].shape[-1] == 20480
    assert float(batch.features["SoundWave"].abs().max()) > 0.5


def test_what_is_no_such_file_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"naplib 2\.6\.0 on PyPI"):
        recordings(tmp_path / "missing.mat")
    other = tmp_path / "other.mat"
    other.write_bytes(b"MATLAB 5.0")
    with pytest.raises(RecordingError, match=r"no readable MATLAB 7\.3 file"):
        recordings(other)
    write_file(tmp_path / "short.mat", ("stim01",), seconds_of_sound=4.0)
    with pytest.raises(RecordingError, match=r"6\.00 s of signal but 4\.00 s of sound"):
        recordings(tmp_path / "short.mat")[0].events()
    with h5py.File(tmp_path / "empty.mat", "w") as file:
        file.create_group("out")
    with pytest.raises(RecordingError, match="no field `name`"):
        recordings(tmp_path / "empty.mat")


@pytest.mark.parametrize("recipe", ["naplib_autoencoder", "naplib"])
def test_every_stage_takes_the_sound_at_the_rate_of_the_file(recipe: str) -> None:
    """The first stage named SoundWave anew, without it: the real file was refused."""
    features = to_plain(main.resolve([f"solver=eeg2speech/{recipe}"]).cfg["dset"]["features"])
    assert {"name": "SoundWave", "min_hz": SOUND_HZ} in features
