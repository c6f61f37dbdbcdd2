"""Caps of electrodes that recordings of mode `background` are made with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cap:
    """A set of electrodes and the rate that its amplifier samples at."""

    rate_hz: float
    channels: tuple[str, ...]


#: All rates are above 160 Hz, so that LaBraM's band-pass up to 75 Hz is possible.
CAPS = {
    "tuh21": Cap(
        256.0,
        (
            *("FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7"),
            *("F8", "T3", "T4", "T5", "T6", "A1", "A2", "FZ", "CZ", "PZ"),
        ),
    ),
    "clinical19": Cap(
        200.0,
        (
            *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz"),
            *("C4", "T8", "P7", "P3", "Pz", "P4", "P8", "O1", "O2"),
        ),
    ),
    "cap32": Cap(
        500.0,
        (
            *("Fp1", "Fp2", "AF3", "AF4", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC1"),
            *("FC2", "FC6", "T7", "C3", "Cz", "C4", "T8", "CP5", "CP1", "CP2", "CP6"),
            *("P7", "P3", "Pz", "P4", "P8", "PO3", "PO4", "O1", "Oz", "O2"),
        ),
    ),
}
