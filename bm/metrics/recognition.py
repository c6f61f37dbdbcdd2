"""Errors of recognised text: characters and words that must change (Levenshtein 1966)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

#: What is counted -> text as its units.
UNITS: dict[str, Callable[[str], Sequence[str]]] = {"cer": list, "wer": str.split}


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the least number of insertions, deletions and exchanges between two sequences."""
    row = np.arange(len(second) + 1)
    for number, unit in enumerate(first, 1):
        exchanged = row[:-1] + [unit != other for other in second]
        row[1:] = np.minimum(row[1:] + 1, exchanged)
        row[0] = number
        # an insertion follows from the cell to the left: the running minimum of value - place
        row = np.minimum.accumulate(row - np.arange(len(row))) + np.arange(len(row))
    return int(row[-1])


def plain(text: str) -> str:
    """Return a text in small letters, without punctuation, with single spaces."""
    letters = "".join(c if c.isalnum() or c == "'" else " " for c in text.lower())
    return " ".join(letters.split())


def error_rates(texts: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Return `cer` and `wer`: changes of all texts over the length of all references.

    Above 1 where more is recognised than was said. Texts are compared as `plain` gives them.

    Args:
        texts: as recognised.
        references: as said; those without a word are left out.

    Raises:
        ValueError: no reference has a word.
    """
    pairs = [(plain(a), plain(b)) for a, b in zip(texts, references, strict=True)]
    pairs = [(text, reference) for text, reference in pairs if reference]
    if not pairs:
        raise ValueError("no reference has a word")
    rates = {}
    for name, units in UNITS.items():
        wrong = sum(edit_distance(units(a), units(b)) for a, b in pairs)
        rates[name] = wrong / sum(len(units(b)) for _, b in pairs)
    return rates
