"""Rows of any electrode: places equal to MNE's, means by distance, bipolar pairs, geodesic nets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bm.errors import UserError
from bm.nn.electrode_places import net_of, place_of, places
from bm.nn.electrode_rows import ElectrodeRows, without_place
from bm.nn.electrodes import N_ROWS, NAMES, position_row

from .montages import MONTAGES, unit_vectors

TABLE = torch.randn(N_ROWS, 6, generator=torch.Generator().manual_seed(0))


def rows(*names: str, how: str = "interpolate", net: int | None = None) -> torch.Tensor:
    return ElectrodeRows(names, how, net)(TABLE)


@pytest.mark.parametrize("key", MONTAGES)
def test_places_are_those_of_mne(key: str) -> None:
    theirs, ours = unit_vectors(MONTAGES[key]), places()[key]
    assert theirs.keys() == ours.keys()
    for name, place in theirs.items():
        np.testing.assert_allclose(ours[name], place, atol=1e-4)


def test_every_name_of_the_published_list_has_a_place() -> None:
    assert [name for name in NAMES if place_of(name) is None] == []


@pytest.mark.parametrize("how", ["nearest", "interpolate"])
def test_electrodes_with_a_row_have_exactly_that(how: str) -> None:
    names = list(NAMES[: N_ROWS - 1])
    assert torch.equal(rows(*names, "AFF1h", how=how)[:-1], TABLE[1:])


def test_a_mean_weighs_by_distance() -> None:
    """FFC1h lies amid F1, FZ, FC1 and FCZ: those four, each by its inverse squared angle."""
    part = ElectrodeRows(["FFC1h"], "interpolate")
    four = ["F1", "FZ", "FC1", "FCZ"]
    used = part.weights[0].nonzero()[:, 0].tolist()
    assert sorted(used) == sorted(map(position_row, four))
    place = place_of("FFC1h")
    inverse = torch.stack([torch.arccos(place_of(n) @ place) ** -2 for n in four])  # type: ignore[operator]
    expected = (inverse / inverse.sum()).float() @ TABLE[[position_row(n) for n in four]]
    torch.testing.assert_close(part(TABLE)[0], expected)
    nearest = four[int(inverse.argmax())]
    assert torch.equal(rows("FFC1h", how="nearest")[0], TABLE[position_row(nearest)])


def test_smooth_tables_are_recovered_where_names_are_hidden() -> None:
    """A function of place at 10-05 sites that the list lacks: twice as near as the nearest row."""
    table = torch.zeros(N_ROWS, 3)
    for name in NAMES[: N_ROWS - 1]:
        table[position_row(name)] = place_of(name).float()  # type: ignore[union-attr]
    sites = ["AFF1H", "FFC3H", "FCC2H", "CCP4H", "CPP1H", "PPO2H"]
    truth = torch.stack([place_of(name).float() for name in sites])  # type: ignore[union-attr]
    mean, nearest = (
        (ElectrodeRows(sites, how)(table) - truth).norm(dim=1) for how in ("interpolate", "nearest")
    )
    assert mean.max() < 0.08 and mean.mean() < nearest.mean() / 2


def test_a_pair_is_the_mean_of_its_ends() -> None:
    both = TABLE[[position_row("F7"), position_row("T3")]].mean(0)
    torch.testing.assert_close(rows("EEG F7-T3")[0], both)
    assert torch.equal(rows("FP1-F7")[0], TABLE[position_row("FP1-F7")])  # it has a row
    assert torch.equal(rows("C3-A2", "C3-REF")[0], TABLE[position_row("C3")])  # against an ear
    # the eight names beyond the published table
    pair = TABLE[[position_row("C4"), position_row("P4")]].mean(0)
    torch.testing.assert_close(rows("C4-P4")[0], pair)


def test_geodesic_names_stand_for_the_places_of_their_net() -> None:
    assert [net_of(["E31", "Cz"]), net_of(["E65"]), net_of(["E129"]), net_of(["E200"])] == [
        32, 64, 128, 256,
    ]  # fmt: skip
    assert net_of(["FZ"]) is None and net_of(["E300"]) is None
    torch.testing.assert_close(rows("E129", "VREF")[0], rows("VREF", how="nearest")[0])
    small, large = rows("E20", net=32), rows("E20", net=256)
    assert not torch.allclose(small, large)
    assert torch.equal(rows("E20", "E256")[:1], large)


def test_only_learned_rows_are_used() -> None:
    part = ElectrodeRows(["FFC1h", "CZ"], "interpolate")
    part.learned_from(["O1", "CZ", "T3", "no such"])
    used = set(part.weights[0].nonzero()[:, 0].tolist())
    assert used == {position_row(n) for n in ("O1", "CZ", "T3")}
    other = ElectrodeRows(["PPO2H"], "interpolate")
    other.load_state_dict(part.state_dict())  # other channels, the same learned rows
    assert set(other.weights[0].nonzero()[:, 0].tolist()) == used
    part.learned_from([])
    assert part.learned.all()


def test_a_strange_name_is_one_line() -> None:
    with pytest.raises(UserError, match=r"no place is known of X1, E999; rename them by the study"):
        ElectrodeRows(["CZ", "X1", "E999"], "interpolate")
    assert without_place(["CZ", "AFF1h", "X1"], "exact") == ["AFF1h", "X1"]
    assert without_place(["CZ", "AFF1h", "X1"], "nearest") == ["X1"]
    with pytest.raises(UserError, match="geodesic_net=96: there are nets"):
        ElectrodeRows(["CZ"], "interpolate", 96)
