"""What two rows must share before they are compared: test windows, data, a clean audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import UserError
from .item_scores import Scores

LEAK = "leak"  # mark of an audit
SHOWN = 3  # keys that a message names
#: Before the hash of the data of a control whose windows change places.
SHUFFLED = "shuffled|"


@dataclass(frozen=True)
class Origin:
    """Where the numbers of one experiment come from.

    Attributes:
        sig: signature.
        data_hash: of its data, None of evaluations that do not say it.
        dset: dotted key -> value of its data set.
        marks: of its audit.
    """

    sig: str
    data_hash: str | None
    dset: Mapping[str, Any]
    marks: Sequence[str] = ()


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return dotted key -> value of nested groups; lists are values."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            result |= flat(value, f"{name}.")
        else:
            result[name] = value
    return result


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return the keys whose values differ, or that one of both lacks."""
    keys = dict.fromkeys([*first, *second])
    return [k for k in keys if first.get(k) != second.get(k) or (k in first) != (k in second)]


def _difference(first: Origin, second: Origin) -> str:
    """Say in which keys two data sets differ, the split before the rest."""
    keys = sorted(differing(first.dset, second.dset), key=lambda k: not k.startswith("split."))
    if not keys:
        return f"data_hash ({str(first.data_hash)[:8]}, {str(second.data_hash)[:8]})"
    texts = [f"dset.{k} ({second.dset.get(k)}, {first.dset.get(k)})" for k in keys[:SHOWN]]
    return ", ".join(texts) + (", ..." if len(keys) > SHOWN else "")


def check_leaks(origins: Sequence[Origin]) -> None:
    """Raise `UserError` for the first experiment whose audit found a leak."""
    for origin in origins:
        if LEAK in origin.marks:
            raise UserError(
                f"{origin.sig}: its audit found a leak (audit.json): no evidence; "
                "take it out of the grid, or train it on another split"
            )


def check_data(names: tuple[str, str], first: Origin, second: Origin) -> None:
    """Refuse two rows whose data differ though their configurations do not, or whose splits differ.

    Other preprocessing, channels or training people are what a grid may ask about: they move the
    hash of the data, and are allowed.

    Args:
        names: of both rows.
        first, second: an experiment of each.

    Raises:
        UserError: naming the key that differs.
    """
    keys = differing(first.dset, second.dset)
    split = [k for k in keys if k.startswith("split.")]
    # The control whose windows change places has the windows of the others.
    hashes = {h and h.removeprefix(SHUFFLED) for h in (first.data_hash, second.data_hash)}
    if split or (None not in hashes and len(hashes) > 1 and not keys):
        raise UserError(
            f"rows {names[0]!r} and {names[1]!r} are of different "
            f"{'splits' if split else 'data'}: {_difference(first, second)}; compare rows of one"
        )


def check_items(
    names: tuple[str, str], scores: tuple[Scores, Scores], origins: tuple[Origin, Origin]
) -> None:
    """Refuse two rows that tested different windows.

    Raises:
        UserError: naming the key that differs.
    """
    first, second = (s.items.index for s in scores)
    if not len(first) or not len(second) or first.sort_values().equals(second.sort_values()):
        return
    shared = len(first.intersection(second))
    raise UserError(
        f"rows {names[0]!r} and {names[1]!r} share {shared} of {len(first)} and {len(second)} test "
        f"items: {_difference(*origins)}; compare rows of one split"
    )
