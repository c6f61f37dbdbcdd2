"""Contacts that Du-IN was published with: ten of each subject, by descending contribution."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import there_is

#: Subject -> its channels. Letters and `'` name the shaft, the number the contact; a channel is
#: the difference of this contact and the next one, named after the first.
SELECTED: Mapping[str, tuple[str, ...]] = {
    subject: tuple(names.split())
    for subject, names in {
        "001": "SM8 SM9 SM7 SM11 P4 SM10 SM6 P3 SM5 CI9",
        "002": "TI'2 TI'3 TI'1 TI'6 TI'4 TI'7 ST'3 ST'2 ST'4 FP'4",
        "003": "ST3 ST1 ST2 ST9 TI'4 TI'3 ST4 TI'2 ST7 TI'8",
        "004": "D12 D13 C4 C3 D11 D14 D10 D9 D5 C15",
        "005": "E8 E9 E6 E7 E11 E12 E5 E10 C10 E4",
        "006": "D3 D1 D6 D2 D5 D4 D7 D8 G8 E13",
        "007": "H2 H4 H3 H1 H6 H5 E4 H7 C13 E5",
        "008": "TI3 TI4 TI2 TI5 B9 TI6 TI7 TI9 TI10 B5",
        "009": "K9 K8 K6 K7 K11 K10 K5 K4 K3 I9",
        "010": "PI5 PI6 PI7 PI8 PI1 PI9 PI2 SM2 SP3 PI4",
        "011": "T2 T3 C9 T4 T5 C7 C8 T1 s1 C4",
        "012": "TI'4 TI'2 TI'3 TI'5 TI'8 TI'6 TI'7 TO'9 P'5 TO'8",
    }.items()
}


def rows_of(names: tuple[str, ...], selection: tuple[str, ...]) -> list[int]:
    """Return the places of the selected channels among all, in the order of the selection.

    Raises:
        ValueError: one is not there, with the nearest names.
    """
    # Exactly as written: `s1` and `S1` may be two shafts.
    places = {name: place for place, name in enumerate(names)}
    missing = [name for name in selection if name not in places]
    if missing:
        hint = there_is(names, missing[0])
        raise ValueError(f"no channel {missing[0]} ({len(missing)} of {len(selection)}): {hint}")
    return [places[name] for name in selection]
