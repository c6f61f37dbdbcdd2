"""Contributions of channels to a decoder, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .style import DOUBLE_MM, PALETTE, SINGLE_MM, figure, label_simulated, save

SHOWN = 40  # channels, the best ones: more names are too small to read


@dataclass(frozen=True)
class Contribution:
    """What one channel contributes.

    Attributes:
        name: of the channel.
        share: mean absolute weight of its row, divided by the largest.
        share_error: half the 95 % interval, over the features of the map.
        loss: log probability that the decoder loses without it, mean over windows.
        loss_error: half the 95 % interval, over windows.
    """

    name: str
    share: float
    share_error: float
    loss: float
    loss_error: float


def draw_contributions(
    ranking: Sequence[Contribution], keep: int, path: Path, simulated: bool = False
) -> Path:
    """Draw contributions in their order; those that are kept stand before a line.

    Args:
        ranking: of all channels, the best first.
        keep: how many are kept.
        path: file to write.
        simulated: writes the label of simulated data.
    """
    rows = list(ranking)[:SHOWN]
    places = range(len(rows))
    with figure(DOUBLE_MM, SINGLE_MM * 0.7) as (drawing, axis):
        axis.errorbar(
            places, [r.share for r in rows], [r.share_error for r in rows], fmt="o", ms=3,
            color=PALETTE[0], label="mean weight, relative",
        )  # fmt: skip
        axis.errorbar(
            places, [r.loss for r in rows], [r.loss_error for r in rows], fmt="s", ms=3,
            color=PALETTE[1], label="lost without it (nats)",
        )  # fmt: skip
        axis.axvline(
            keep - 0.5, color="grey", linestyle="--", linewidth=0.8, label=f"the first {keep} stay"
        )
        axis.set_xticks(places, [r.name for r in rows], rotation=90)
        axis.set_ylabel("contribution")
        axis.legend(frameon=False)
        label_simulated(drawing, simulated)
        return save(drawing, path)
