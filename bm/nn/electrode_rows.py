"""Rows of the spatial embedding for any electrode: its own, the nearest, or a mean by distance."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..registry import check_known
from .electrode_places import NETS, net_of, place_of
from .electrodes import EARS, N_ROWS, NAMES, bare_name, is_row, position_row

#: How an electrode without a row of its own gets one.
ELECTRODES = ("exact", "nearest", "interpolate")
NEIGHBOURS = 4  # known electrodes that a mean by distance is of
SAME_PLACE = 1e-3  # radians, a tenth of a millimetre on a head


@functools.lru_cache(maxsize=1)
def known_places() -> tuple[Tensor, Tensor]:
    """Return rows (K,) of the table that are of single electrodes, and their places (K, 3)."""
    names = {row: name for row, name in enumerate(NAMES[: N_ROWS - 1], 1) if "-" not in name}
    pairs = [(row, place) for row, name in names.items() if (place := place_of(name)) is not None]
    return torch.tensor([row for row, _ in pairs]), torch.stack([place for _, place in pairs])


def ends_of(name: str, net: int | None) -> tuple[str, ...]:
    """Return the two electrodes of a bipolar name, else the one, cut as `bare_name` cuts it.

    A name is bipolar when its second half has a place and is no ear or mastoid.
    """
    last = name.strip().rpartition(" ")[2].upper()
    first, hyphen, second = last.partition("-")
    if hyphen and second not in EARS and place_of(second, net) is not None:
        return first, second
    return (bare_name(name),)


def without_place(names: Sequence[str], how: str, net: int | None = None) -> list[str]:
    """Return the names that get no row: of which there is none, or no place to infer it from."""
    if how == "exact":
        return [name for name in names if not is_row(name)]
    net = net or net_of([end for name in names for end in ends_of(name, None)])
    return [
        name
        for name in names
        if not is_row(name) and any(place_of(end, net) is None for end in ends_of(name, net))
    ]


def row_weights(name: str, how: str, net: int | None, learned: Tensor) -> Tensor:
    """Return the weights (N_ROWS,) float64, of sum 1, by which an electrode's row is a mean.

    A bipolar pair is the mean of its ends; with `nearest` it is the electrode nearest to their
    middle. The mean of a place is over the `NEIGHBOURS` nearest rows, by inverse squared angles
    (Shepard 1968).

    Args:
        name: of a channel with a place.
        how: nearest | interpolate.
        net: see `place_of`.
        learned: (N_ROWS,) bool, rows that may be used.
    """
    weights = torch.zeros(N_ROWS, dtype=torch.float64)
    ends = ends_of(name, net)
    if how == "interpolate" and len(ends) == 2:
        return sum((row_weights(end, how, net, learned) / 2 for end in ends), weights)
    if len(ends) == 1 and is_row(ends[0]):
        weights[position_row(ends[0])] = 1.0
        return weights
    rows, places = known_places()
    usable = learned[rows]
    place = place_of("-".join(ends), net)
    assert place is not None
    angles = torch.arccos((places[usable] @ place).clamp(-1, 1))
    nearest = angles.argsort(stable=True)[: NEIGHBOURS if how == "interpolate" else 1]
    inverse = angles[nearest].clamp(min=SAME_PLACE) ** -2.0
    if how == "interpolate" and angles[nearest[0]] <= SAME_PLACE:
        inverse = (angles[nearest] <= SAME_PLACE).double()  # several names of one place
    weights[rows[usable][nearest]] = inverse / inverse.sum()
    return weights


class ElectrodeRows(nn.Module):
    """Rows (C, D) of channels, of a learned table (N_ROWS, D) of electrodes.

    Channels with a row of their own have exactly that; the others are inferred from rows that were
    learned: weights of pre-training know only the electrodes that they saw, and the other rows of
    their table are noise.

    Args:
        names: of the channels.
        how: nearest | interpolate.
        net: electrodes of the geodesic net that names `E<number>` are of; None = the smallest one
            that has all of them.

    Raises:
        UserError: an electrode without a place.
    """

    learned: Tensor
    rows: Tensor
    inferred: Tensor
    weights: Tensor

    def __init__(self, names: Sequence[str], how: str, net: int | None = None) -> None:
        super().__init__()
        check_known("model.electrodes", how, ELECTRODES[1:])
        if net not in (None, *NETS):
            raise UserError(f"model.geodesic_net={net}: there are nets of 32, 64, 128 and 256")
        strange = without_place(names, how, net)
        if strange:
            more = f" and {len(strange) - 4} more" if len(strange) > 4 else ""
            raise UserError(
                f"model.electrodes={how}: no place is known of {', '.join(strange[:4])}{more}; "
                "rename them by the study's `rename`, or leave them out by its `exclude`"
            )
        self.names, self.how = tuple(names), how
        self.net = net or net_of([end for name in names for end in ends_of(name, None)])
        exact = torch.tensor([is_row(name) for name in names])
        rows = torch.tensor([position_row(n) if is_row(n) else 0 for n in names])
        # saved: which rows have been learned is known to no one else when weights are loaded
        self.register_buffer("learned", torch.ones(N_ROWS, dtype=torch.bool))
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("inferred", ~exact, persistent=False)
        self.register_buffer("weights", torch.zeros(len(names), N_ROWS), persistent=False)
        self._weigh()

    def learned_from(self, names: Sequence[str]) -> None:
        """Infer from the rows of these electrodes alone; without any, from all."""
        rows = [position_row(name) for name in names if is_row(name)]
        self.learned.fill_(not rows)
        self.learned[rows] = True
        self._weigh()

    @torch.no_grad()
    def _weigh(self) -> None:
        learned = self.learned.cpu()
        sources = learned if learned[known_places()[0]].any() else torch.ones_like(learned)
        for number, name in enumerate(self.names):
            if self.inferred[number]:
                self.weights[number] = row_weights(name, self.how, self.net, sources)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        self._weigh()

    def forward(self, table: Tensor) -> Tensor:
        """Return rows (C, D) of a table (N_ROWS, D)."""
        return torch.where(self.inferred[:, None], self.weights @ table, table[self.rows])

    def extra_repr(self) -> str:
        """Return how rows are found, and of how many channels, for print(model)."""
        return f"{self.how}, {int(self.inferred.sum())} of {len(self.names)} channels inferred"
