"""Electrodes by name: the row that each has in the spatial embedding of LaBraM."""

from __future__ import annotations

import re

from ..errors import UserError, nearest

LIST = """
    FP1 FPZ FP2 AF9 AF7 AF5 AF3 AF1 AFZ AF2 AF4 AF6 AF8 AF10 F9 F7
    F5 F3 F1 FZ F2 F4 F6 F8 F10 FT9 FT7 FC5 FC3 FC1 FCZ FC2
    FC4 FC6 FT8 FT10 T9 T7 C5 C3 C1 CZ C2 C4 C6 T8 T10 TP9
    TP7 CP5 CP3 CP1 CPZ CP2 CP4 CP6 TP8 TP10 P9 P7 P5 P3 P1 PZ
    P2 P4 P6 P8 P10 PO9 PO7 PO5 PO3 PO1 POZ PO2 PO4 PO6 PO8 PO10
    O1 OZ O2 O9 CB1 CB2 IZ O10 T3 T5 T4 T6 M1 M2 A1 A2
    CFC1 CFC2 CFC3 CFC4 CFC5 CFC6 CFC7 CFC8 CCP1 CCP2 CCP3 CCP4 CCP5 CCP6 CCP7 CCP8
    T1 T2 FTT9h TTP7h TPP9h FTT10h TPP8h TPP10h
    FP1-F7 F7-T7 T7-P7 P7-O1 FP2-F8 F8-T8 T8-P8 P8-O2
    FP1-F3 F3-C3 C3-P3 P3-O1 FP2-F4 F4-C4 C4-P4 P4-O2
"""
#: 136 names in the published order; the row of the first is 1, row 0 is the class token's.
NAMES: tuple[str, ...] = tuple(LIST.split())
#: Rows of the published table: the class token and 128 names. The list has eight names more, at
#: which the original fails with an index error.
N_ROWS = 129
#: References, not signals: `C3-A2` is C3 against an ear, while `FP1-F7` is a bipolar channel.
EARS = ("A1", "A2", "M1", "M2")
_ROWS = {name.upper(): row for row, name in enumerate(NAMES, 1)}


def last_word(name: str) -> str:
    """Return the electrode or pair behind what formats put before it; pairs with a blank stay.

    >>> last_word("EEG Fp1 - REF"), last_word("EEG T5 O1")
    ('Fp1-REF', 'T5 O1')
    """
    words = re.sub(r"\s*-\s*", "-", name.strip()).split(" ")
    pair = len(words) > 1 and words[-2].upper() in _ROWS
    return " ".join(words[-2:]) if pair else words[-1]


def bare_name(name: str) -> str:
    """Return the electrode of a raw name: FP1 of `EEG FP1-REF`; a bipolar name stays whole.

    A name is bipolar when its second half is an electrode other than an ear or mastoid.
    """
    last = last_word(name).upper()
    first, _, second = last.partition("-")
    bipolar = last in _ROWS or (second in _ROWS and second not in EARS)
    return last if bipolar else first


def position_row(name: str) -> int:
    """Return the row 1..128 of a channel, whatever the case of its name.

    Old and new names of a site (T3 and T7, A1 and M1) are different rows with different vectors.

    Raises:
        UserError: no such name, or one beyond the published table.
    """
    row = _ROWS.get(bare_name(name))
    if row is None:
        hint = nearest(bare_name(name), NAMES)
        raise UserError(
            f"channel {name!r}: LaBraM knows no such electrode{hint}; rename or leave it out"
        )
    if row >= N_ROWS:
        raise UserError(
            f"channel {name!r} has row {row}, but the table of LaBraM ends at {N_ROWS - 1} "
            f"({NAMES[N_ROWS - 2]}); leave it out"
        )
    return row


def is_row(name: str) -> bool:
    """Return whether a channel has a row in the published table."""
    return _ROWS.get(bare_name(name), N_ROWS) < N_ROWS
