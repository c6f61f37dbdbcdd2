"""Features of phonemes: which one, and where it changes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import FEATURES
from .base import HeldFeature

#: Dutch phonemes in SAMPA, of the TextGrids of the MOUS data set; the place in the list is
#: `phoneme_id`. The order is that of the published features.
SAMPA = (
    *("d", "@", "b", "A", "n", "s", "i", "E", "r", "x", "p", "o:", "y", "l", "E:", "Ei", "N"),
    *("e:", "O", "m", "t", "I", "G", "w", "k", "h", "v", "j", "a:", "u", "z", "Y", "f", "9y"),
    *("S", "ui", "Au", "Z", "9:", "2:", "g", "J", "O:"),
)
PULSE_S = 0.016  # length of a pulse


@FEATURES.register("Phoneme")
class Phoneme(HeldFeature):
    """Id of the phoneme, from 1 on; 0 is silence."""

    name = "Phoneme"
    kind = "phoneme"
    columns = ("phoneme_id",)
    cardinality = 1 + len(SAMPA)

    def value(self, event: dict[str, Any]) -> float:
        """Return phoneme_id + 1."""
        return float(event["phoneme_id"]) + 1


@FEATURES.register("PhonemePulse")
class PhonemePulse(Phoneme):
    """1 at each change to a phoneme; before the window there is silence."""

    name = "PhonemePulse"
    cardinality = 0

    def finish(self, values: Tensor, rate_hz: float) -> Tensor:
        """Turn ids (B, 1, T) into pulses (B, 1, T)."""
        length = max(1, int(PULSE_S * rate_hz))
        before = torch.nn.functional.pad(values[..., :-1], (1, 0))
        change = (values != before) & (values > 0)
        pulses = change.clone()
        # As published, pulses are not lengthened into the last samples of a window.
        whole = values.shape[-1] - (length - 1)
        for shift in range(1, length):
            pulses[..., shift:whole] |= change[..., : max(0, whole - shift)]
        return pulses.to(values.dtype)
