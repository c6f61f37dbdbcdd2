"""Values and rows of others that stand beside ours: published ones, and the ideal observer's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

IDEAL = "ideal observer"  # name of its row in tables and figures


@dataclass(frozen=True)
class Reference:
    """A value that stands beside ours; `sd` over seeds where it was published."""

    value: float
    sd: float | None = None

    def __str__(self) -> str:
        return f"{self.value:.3f}" if self.sd is None else f"{self.value:.3f} ± {self.sd:.3f}"


@dataclass(frozen=True)
class PublishedRow:
    """One row of a publication.

    Attributes:
        name: as in the publication.
        values: dataset -> metric -> value.
        settings: dotted key of our configuration -> value of the experiments that repeat it, see
            `setting`; None = none of ours does.
        p: of the publication's signed-rank test over all people, against its reference row.
    """

    name: str
    values: Mapping[str, Mapping[str, Reference]]
    settings: Mapping[str, Any] | None = None
    p: str = ""
