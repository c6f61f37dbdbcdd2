"""Recordings of one content within a data set: refused, or left out but for the first."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..errors import UserError
from ..registry import check_known
from .content import Copy, find_copies
from .recording import Recording
from .signal import Signal

logger = logging.getLogger(__name__)
#: `dset.duplicates`.
RULES = ("refuse", "keep_first")
SHOWN = 5  # pairs that a message names


def without_copies(
    signals: Sequence[Signal], recordings: Sequence[Recording], rule: str
) -> tuple[list[Signal], list[Recording]]:
    """Return signals and recordings of which no two are the same.

    Args:
        signals: of all recordings.
        recordings: in the same order.
        rule: refuse, or keep_first (the others are named in the log).

    Raises:
        UserError: two are the same, under the rule `refuse`.
    """
    check_known("dset.duplicates", rule, RULES)
    copies = parts_aside(find_copies(signals), signals, recordings)
    if copies and rule == "refuse":
        lines = "; ".join(in_words(copy, recordings) for copy in copies[:SHOWN])
        more = f"; and {len(copies) - SHOWN} more" if len(copies) > SHOWN else ""
        raise UserError(
            f"{len(copies)} recordings are there twice: {lines}{more}; remove one of each, or set "
            "dset.duplicates=keep_first"
        )
    for copy in copies:
        logger.warning("left out: %s", in_words(copy, recordings))
    second = {copy.second for copy in copies}
    places = [place for place in range(len(signals)) if place not in second]
    return [signals[place] for place in places], [recordings[place] for place in places]


def parts_aside(
    copies: Sequence[Copy], signals: Sequence[Signal], recordings: Sequence[Recording]
) -> list[Copy]:
    """Return copies without pairs of parts of one file that a study itself tells apart."""
    return [copy for copy in copies if not _is_part(copy, signals, recordings)]


def _is_part(copy: Copy, signals: Sequence[Signal], recordings: Sequence[Recording]) -> bool:
    one, other = recordings[copy.first], recordings[copy.second]
    first, second = signals[copy.first].content, signals[copy.second].content
    assert first is not None and second is not None
    same_file = one.source[:1] == other.source[:1] and one.id.study == other.id.study
    return copy.reason == "the same file" and same_file and first.samples != second.samples


def in_words(copy: Copy, recordings: Sequence[Recording]) -> str:
    """Return two recordings with their files, and in what they are the same."""
    one, other = (_name(recordings[i]) for i in (copy.first, copy.second))
    shift = f", {copy.shift_s:+.2f} s later" if round(copy.shift_s, 2) else ""
    return f"{other} is {copy.reason} as {one}{shift}"


def _name(recording: Recording) -> str:
    return f"{recording.source[0] if recording.source else 'equations'} ({recording.id.name})"
