"""Layout: the flat positions of sensors, found as MNE finds them."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest

from bm.data.layout import INVALID, find_layout, place, sensor_layout
from bm.data.preprocess import apply_steps
from bm.data.recording import Recording, RecordingId
from bm.data.signal import pick_kind
from bm.data.store import Store, in_memory, recipe_of
from bm.errors import RecordingError, UserError
from bm.tests.shared_data import DATA

FORMATS = DATA / "formats" / "mne"
NAMES = ["Fz", "Cz", "Pz", "C3", "C4"]


class Made(Recording):
    """Noise at electrodes with places."""

    def __init__(self, info: mne.Info) -> None:
        self.id, self.info = RecordingId("made", "s0", "0", "0"), info

    def load_raw(self):
        data = np.random.default_rng(0).standard_normal((len(self.info["chs"]), 500)) * 1e-6
        return mne.io.RawArray(data, self.info, verbose="error")

    def events(self):
        return pd.DataFrame([("block", 0.0, 5.0)], columns=["kind", "start_s", "duration_s"])

    def fingerprint(self):
        return "made"


def eeg(names: list[str]) -> mne.Info:
    info = mne.create_info(names, 100.0, "eeg")
    return info.set_montage("biosemi64", on_missing="ignore")


def test_names_are_found_as_they_are_and_without_their_last_suffix() -> None:
    layout = {"A": (2.0, 5.0), "B": (4.0, 9.0), "C-1": (3.0, 6.0), "C": (100.0, 100.0)}
    places = place(["A-2908", "C-1", "B", "B-x-2908", "D"], layout)
    assert places.dtype == np.float32
    expected = [[0, 0], [0.5, 0.25], [1, 1], [INVALID] * 2, [INVALID] * 2]
    np.testing.assert_allclose(places, expected, atol=1e-7)


def test_an_axis_without_extent_is_the_middle() -> None:
    layout = {"A": (2.0, 5.0), "B": (2.0, 9.0)}
    np.testing.assert_array_equal(place(["A", "B"], layout), [[0.5, 0], [0.5, 1]])
    np.testing.assert_array_equal(place(["B"], layout), [[0.5, 0.5]])
    np.testing.assert_array_equal(place(["D"], layout), [[np.float32(INVALID)] * 2])


def test_left_is_left_and_the_front_is_up() -> None:
    positions = dict(zip(NAMES, sensor_layout(eeg(NAMES)), strict=True))
    assert positions["C3"][0] == 0 and positions["C4"][0] == 1
    assert positions["Fz"][1] == 1 and positions["Pz"][1] == 0
    assert positions["Cz"][0] == pytest.approx(0.5, abs=0.02)


def test_channels_without_a_place_or_marked_bad_are_invalid_and_move_no_other() -> None:
    info = eeg([*NAMES, "X1", "X2", "Oz"])
    info["bads"] = ["Oz"]
    places = sensor_layout(info)
    np.testing.assert_allclose(places[:5], sensor_layout(eeg(NAMES)), atol=1e-6)
    assert (places[5:] == np.float32(INVALID)).all()


def test_no_place_and_two_electrodes_at_one_place_are_named() -> None:
    with pytest.raises(ValueError, match="no channel has a place"):
        sensor_layout(mne.create_info(3, 100.0, "eeg"))
    info = eeg(NAMES)
    info["chs"][1]["loc"][:3] = info["chs"][0]["loc"][:3]
    with pytest.raises(ValueError, match="Fz, Cz"):
        find_layout(info)


def test_the_sinc_keeps_what_the_layout_needs() -> None:
    info = eeg([*NAMES, "Oz"])
    info["bads"] = ["Oz"]
    step = {"step": "resample", "rate_hz": 50, "method": "sinc"}
    slow = apply_steps(Made(info).load_raw(), [step])
    np.testing.assert_allclose(sensor_layout(slow.info), sensor_layout(info), atol=1e-6)


def test_a_signal_takes_its_positions_from_the_layout_when_asked(tmp_path: Path) -> None:
    recording = Made(eeg([*NAMES, "X1"]))
    recipe = recipe_of({"rate_hz": 50.0, "positions": "layout"})
    stored, direct = Store(tmp_path).get(recording, recipe), in_memory(recording, recipe)
    wanted = np.pad(sensor_layout(recording.info), ((0, 0), (0, 1)))
    for signal in (stored, direct, stored.select([*range(6)], [*NAMES, "X1"])):
        assert signal.positions.dtype == np.float32
        np.testing.assert_allclose(signal.positions, wanted, atol=1e-6)
    np.testing.assert_array_equal(wanted[5], np.float32([INVALID, INVALID, 0]))
    head = Store(tmp_path).get(recording, recipe_of({"rate_hz": 50.0}))
    np.testing.assert_array_equal(
        head.positions[1], recording.info["chs"][1]["loc"][:3].astype("f")
    )
    assert head.identity != stored.identity == direct.identity


def test_the_default_leaves_recipes_as_they_were() -> None:
    assert recipe_of({"positions": "head"}) == {"preprocess": [], "rate_hz": None}


def test_mistakes_are_one_line() -> None:
    with pytest.raises(UserError, match=r"dset\.positions 'layut'; did you mean 'layout'"):
        recipe_of({"positions": "layut"})
    with pytest.raises(RecordingError, match=r"made_s0_0_0: no channel .*dset\.positions=head"):
        in_memory(Made(mne.create_info(3, 100.0, "eeg")), recipe_of({"positions": "layout"}))


@pytest.mark.shared
@pytest.mark.skipif(not FORMATS.exists(), reason="no shared folder with recordings")
@pytest.mark.parametrize(
    ("name", "system"),
    [
        ("kit/test.sqd", "KIT-157"),
        ("bti/exported4D_linux_raw.fif", "magnesWH3600"),
        ("fif/test_ctf_comp_raw.fif", "CTF-275"),
    ],
)
def test_every_sensor_of_the_meg_systems_has_a_place(name: str, system: str) -> None:
    raw = mne.io.read_raw(FORMATS / name, verbose="error")
    places = sensor_layout(pick_kind(raw, "meg").info)
    drawn = mne.channels.read_layout(system)
    by_name = {n.split("-")[0]: p for n, p in zip(drawn.names, drawn.pos[:, :2], strict=True)}
    wanted = np.array([by_name[name.split("-")[0]] for name in raw.ch_names])
    wanted = (wanted - wanted.min(0)) / np.ptp(wanted, axis=0)
    np.testing.assert_allclose(places, wanted, atol=1e-5)
