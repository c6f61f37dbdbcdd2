"""Recordings of one content within a data set: refused, left out, or kept in one split."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pandas as pd

from ..errors import UserError
from ..registry import check_known
from .content import Copy, find_copies
from .recording import Recording
from .signal import Signal
from .split import overlaps

logger = logging.getLogger(__name__)
#: `dset.duplicates`.
RULES = ("refuse", "keep_first")
SHOWN = 5  # pairs that a message names


def without_copies(
    signals: Sequence[Signal], recordings: Sequence[Recording], rule: str
) -> tuple[list[Signal], list[Recording], list[Copy]]:
    """Return signals and recordings of which no two are the same, and pairs that nearly are.

    Near-copies (another format, gain, order of channels, a part) stay in under the rule `refuse`,
    because a study may hold them on purpose; `check_near_copies` keeps them in one split.

    Args:
        signals: of all recordings.
        recordings: in the same order.
        rule: refuse, or keep_first (the others are named in the log, near-copies too).

    Raises:
        UserError: two are the same, under the rule `refuse`.
    """
    check_known("dset.duplicates", rule, RULES)
    copies = parts_aside(find_copies(signals), signals, recordings)
    near = [copy for copy in copies if copy.near and rule == "refuse"]
    copies = [copy for copy in copies if copy not in near]
    if copies and rule == "refuse":
        lines = listed([in_words(copy, recordings) for copy in copies])
        raise UserError(
            f"{len(copies)} recordings are there twice: {lines}; remove one of each, or set "
            "dset.duplicates=keep_first"
        )
    second: set[int] = set()
    for copy in copies:
        if not {copy.first, copy.second} & second:
            logger.warning("left out: %s", in_words(copy, recordings))
            second.add(copy.second)
    if near:
        lines = listed([in_words(copy, recordings) for copy in near])
        logger.warning(
            "%d recordings are near-copies of others: %s; they may not be in different splits; "
            "dset.duplicates=keep_first leaves them out", len(near), lines,
        )  # fmt: skip
    places = [place for place in range(len(signals)) if place not in second]
    return [signals[place] for place in places], [recordings[place] for place in places], near


def listed(lines: Sequence[str]) -> str:
    """Return the first lines of a list, and how many more there are."""
    more = f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return "; ".join(lines[:SHOWN]) + more


def check_near_copies(
    table: pd.DataFrame,
    signals: Sequence[Signal],
    recordings: Sequence[Recording],
    near: Sequence[Copy],
    tolerance: int = 0,
) -> None:
    """Raise unless windows over the same moment of two near-copies are in one split.

    Args:
        table: segment table with recording, start, length and split.
        signals: of the recordings in it.
        recordings: in the same order.
        near: pairs of places.
        tolerance: samples that windows of two splits may share.

    Raises:
        UserError: the first pair that is torn, by its files.
    """
    if not near:
        return
    columns = table[["recording", "start", "length", "split"]]
    owners = dict(list(columns.groupby("recording")))
    for copy in near:
        if copy.first not in owners or copy.second not in owners:
            continue
        one, other = owners[copy.first], owners[copy.second]
        shift = round(copy.shift_s * signals[copy.first].rate_hz)
        moved = other.assign(start=other["start"] + shift, recording=copy.first)
        both = pd.concat([one, moved], ignore_index=True)
        for splits, shared in overlaps(both, tolerance):
            raise UserError(
                f"{in_words(copy, recordings)}, and they are in different splits: "
                f"{len(shared)} windows of {splits[1]} with {splits[0]}; remove one, keep them "
                "together by dset.split, or set dset.duplicates=keep_first"
            )


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
