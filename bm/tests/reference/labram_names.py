"""Names of the published LaBraM files: from ours back to theirs, and rows of the position table."""

from __future__ import annotations

from collections.abc import Sequence

from bm.models.labram.published import TOKENIZER
from bm.nn.electrodes import position_row

#: Tensors of the published files that nothing uses: models hold them with `extras` only.
EXTRAS = (
    "quantiser.start_counts",
    "quantiser.start_codes",
    "student.lm_head.",
    "projection_head.",
)


def published_name(name: str) -> str:
    """Return the name in a published file of one of our tensors."""
    for theirs, ours in TOKENIZER.items():
        if name.startswith(ours):
            return theirs + name[len(ours) :]
    return name


def input_rows(names: Sequence[str]) -> list[int]:
    """Return 0 for the class token, then the row of each channel."""
    return [0, *(position_row(name) for name in names)]
