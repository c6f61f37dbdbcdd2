"""Shafts from names and from places, and bipolar references made of them."""

from __future__ import annotations

import mne
import numpy as np
import pytest

from bm.data.preprocess import apply_steps
from bm.data.shafts import agreement, chains, neighbours, neighbours_by_place, shafts_by_name
from bm.errors import UserError
from bm.readers.contacts import read_contacts
from bm.studies.simulated.random_streams import Place
from bm.studies.simulated.seeg.recording import draw_speaker

from ..shared_data import DATA, needs


def implant(seed: int):
    return draw_speaker(Place(seed, "seeg", 0), (3, 5), (6, 9)).implant


@pytest.mark.parametrize("seed", range(6))
def test_places_alone_tell_the_shafts(seed: int) -> None:
    one = implant(seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(one.names))
    places = one.metres[order] * 1e3 + rng.normal(0, 0.2, (len(order), 3))  # mm, as they are read
    names = [one.names[i] for i in order]
    by_name, by_place = neighbours(one.names), neighbours_by_place(names, places)
    assert agreement(by_name, by_place) > 0.9
    assert len(by_place) <= len(by_name) + 1


def test_a_shaft_begins_at_its_deepest_contact() -> None:
    line = np.array([[10.0 + 3.5 * k, 5, 5] for k in range(5)])
    other = np.array([[-12.0 - 5 * k, 20, 5] for k in range(4)])
    assert chains(np.concatenate([line[::-1], other])) == [[4, 3, 2, 1, 0], [5, 6, 7, 8]]
    # two shafts that cross are two; a lone contact is one by itself
    crossing = np.array([[17.0, 5 + 5 * k - 11, 9.0] for k in range(4)])
    shafts = chains(np.concatenate([line, crossing, [[80.0, 80, 80]]]))
    assert sorted(map(sorted, shafts)) == [[0, 1, 2, 3, 4], [5, 6, 7, 8], [9]]


def raw_of(names: list[str], places: np.ndarray | None = None) -> mne.io.BaseRaw:
    info = mne.create_info(names, 100.0, "seeg")
    for channel, place in zip(info["chs"], [] if places is None else places, strict=False):
        channel["loc"][:3] = place * 1e-3
    data = np.arange(len(names))[:, None] ** 2 * np.ones((1, 200))
    return mne.io.RawArray(data, info, verbose="error")


def bipolar(raw: mne.io.BaseRaw, by: str) -> mne.io.BaseRaw:
    return apply_steps(raw, [{"step": "reference", "channels": "bipolar", "by": by}])


def test_differences_follow_the_places_when_names_say_nothing() -> None:
    places = np.array([[30.0, 0, 0], [20.0, 0, 0], [25.0, 0, 0]])
    pairs = bipolar(raw_of(["u", "v", "w"], places), "places")
    assert pairs.ch_names == ["v", "w"]
    assert pairs.get_data()[:, 0].tolist() == [1 - 4, 4 - 0]
    assert np.allclose(pairs.info["chs"][0]["loc"][:3], [0.0225, 0, 0])


def test_bad_input_is_one_line() -> None:
    places = np.array([[30.0, 0, 0], [20.0, 0, 0]])
    with pytest.raises(UserError, match=r"C1 has no place \(1 of 3 channels\); give electrodes"):
        bipolar(raw_of(["A1", "A2", "C1"], places), "places")
    with pytest.raises(UserError, match=r"A1-A2 \(1 of 2 channels\) is a difference already"):
        bipolar(raw_of(["A1-A2", "A3"]), "names")
    with pytest.raises(UserError, match="unknown reference: by 'places2'"):
        bipolar(raw_of(["A1", "A2"]), "places2")
    with pytest.raises(UserError, match="no two contacts beside each other"):
        bipolar(raw_of(["A1", "A2"], places * 10), "places")


def test_shafts_are_in_order_of_their_numbers() -> None:
    shafts = shafts_by_name(["TI'2", "TI'10", "TI'1", "DC", "A3"])
    assert shafts == {"A": ["A3"], "TI'": ["TI'1", "TI'2", "TI'10"]}


@needs("ieeg_tables")
@pytest.mark.parametrize("person", ["01", "23"])
def test_names_and_places_of_real_shafts_agree(person: str) -> None:
    folder = DATA / f"ieeg_tables/film_ds003688/sub-{person}/ses-iemu/ieeg"
    (electrodes,), (channels, *_) = (
        sorted(folder.glob(f"*{end}")) for end in ("electrodes.tsv", "channels.tsv")
    )
    table = read_contacts(electrodes, channels)
    placed = table[np.isfinite(table[["x", "y", "z"]]).all(axis=1) & (table["kind"] == "seeg")]
    names = placed["name"].tolist()
    places = placed[["x", "y", "z"]].to_numpy() * 1e3
    assert agreement(neighbours(names), neighbours_by_place(names, places)) > 0.9
