"""Blocks of stimulation: stretches that a split keeps together, made from the events.

Rules and numbers are those of brainmagick (Défossez et al. 2023), so that the same sentence is in
the same split for every person and study.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..errors import UserError
from ..registry import check_known

GROUPINGS = ("sentence", "sound", "sentence_or_sound")
#: Conditions whose words name a block.
NAMING = ("sentence", "context", "question", "fixation", "word_list")
#: The last block holds every event that begins after it, also the one that ends last.
LAST_S = 1e-7


def _column(events: pd.DataFrame, name: str) -> pd.Series:
    return events[name] if name in events else pd.Series(None, index=events.index, dtype=object)


def add_sequence_info(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events with `word_index` and `word_sequence` of words filled in where missing.

    Words of one `sequence_id` are a sequence. `word_index` counts the words before a row in it (a
    row may hold several words).

    Raises:
        UserError: fewer than two different sequences.
    """
    events = events.copy()
    rows = events["kind"].eq("word") & _column(events, "sequence_id").notna()
    if events.loc[rows, "sequence_id"].nunique() < 2 if rows.any() else True:
        raise UserError("events: words of at least two sequence_id are needed to number them")
    for name in ("word_index", "word_sequence"):
        if name not in events:
            events[name] = pd.Series(None, index=events.index, dtype=object)
    for _, words in events[rows].groupby("sequence_id", sort=False):
        texts = words["word"].astype(str)
        counts = texts.str.split().str.len().to_numpy()
        numbers = pd.Series(np.cumsum(counts) - counts, index=words.index)
        for name, values in (
            ("word_index", numbers),
            ("word_sequence", pd.Series(" ".join(texts), index=words.index)),
        ):
            is_set = words[name].notna()
            events.loc[words.index, name] = words[name].where(is_set, values.astype(object))
    return events


def _is_start(events: pd.DataFrame, grouping: str) -> pd.Series:
    # A sentence that is read begins with its first word, one that is heard with its sound.
    first = events["kind"].eq("word") & _column(events, "word_index").eq(0)
    sound = events["kind"].eq("sound")
    if grouping == "sentence":
        return first
    return (
        sound if grouping == "sound" else sound | (first & _column(events, "modality").eq("visual"))
    )


def _uid(inside: pd.DataFrame) -> str:
    """Return the name of a block: its one sentence, else its words, else its files and start.

    Only the name decides the split, so it must not depend on the recording.
    """
    uids = _column(inside, "sequence_uid").dropna().unique()
    if len(uids) == 1:
        return str(uids[0])
    named = inside["kind"].ne("phoneme") & _column(inside, "condition").isin(NAMING)
    words = _column(inside, "word")[named].dropna()
    if len(words):
        return " ".join(map(str, words))
    files = " ".join(map(str, _column(inside, "filepath").dropna().unique()))
    return f"{files} {inside['start_s'].min() if len(inside) else ''}".strip()


def create_blocks(events: pd.DataFrame, grouping: str) -> pd.DataFrame:
    """Return the blocks that partition a recording from its first sentence or sound on.

    Args:
        events: table with kind, start_s, duration_s and the kinds' own columns.
        grouping: sentence (a word with word_index 0 begins a block), sound, or sentence_or_sound.

    Returns:
        columns kind, start_s, duration_s (infinite for the last), uid.

    Raises:
        UserError: unknown grouping, nothing that begins a block, or starts that do not increase.
    """
    check_known("grouping of blocks", grouping, GROUPINGS)
    plain = events[events["kind"] != "block"]
    starts = plain.loc[_is_start(plain, grouping), "start_s"].to_numpy(float)
    if not len(starts) or (np.diff(starts) <= 0).any():
        raise UserError(
            f"blocks by {grouping}: "
            + ("block starts do not increase" if len(starts) else "no event begins a block")
            + "; check the events, or choose another grouping"
        )
    begins = plain["start_s"].to_numpy(float)
    ends = begins + plain["duration_s"].to_numpy(float)
    stops = np.append(starts[1:], ends.max() + LAST_S)
    uids = [
        _uid(plain[(begins >= start) & (ends < stop)])
        for start, stop in zip(starts, stops, strict=True)
    ]
    # No window after the last event is lost: its block has no end.
    lengths = np.append(np.diff(starts), np.inf)
    return pd.DataFrame({"kind": "block", "start_s": starts, "duration_s": lengths, "uid": uids})


def with_blocks(events: pd.DataFrame, blocks: pd.DataFrame) -> pd.DataFrame:
    """Return the events with `blocks` instead of any others; a block precedes what it holds."""
    plain = events[events["kind"] != "block"]
    merged = pd.concat([blocks, plain], ignore_index=True)
    return merged.sort_values("start_s", kind="stable", ignore_index=True)


def merge_blocks(blocks: pd.DataFrame, minimum_s: float) -> pd.DataFrame:
    """Join neighbouring blocks until each lasts more than `minimum_s`; the first begins at 0.

    Args:
        blocks: start_s, duration_s, uid, in the order of time.
        minimum_s: published: 6 s (`min_block_duration`).
    """
    rows: list[tuple[float, float, str]] = []
    begin, uids = 0.0, []
    stops = (blocks["start_s"] + blocks["duration_s"]).to_numpy(float)
    for number, (stop, uid) in enumerate(zip(stops, blocks["uid"], strict=True)):
        uids.append(str(uid))
        if stop > begin + minimum_s or number == len(stops) - 1:
            rows.append((begin, stop - begin, ",".join(uids)))
            begin, uids = float(stop), []
    merged = pd.DataFrame(rows, columns=["start_s", "duration_s", "uid"])
    merged.insert(0, "kind", "block")
    return merged


def split_sounds(sounds: pd.DataFrame, blocks: pd.DataFrame, margin_s: float = 0.1) -> pd.DataFrame:
    """Cut sounds at the ends of blocks, so that no audio context crosses from split to split.

    Args:
        sounds: rows with start_s, duration_s, offset (seconds into the file).
        blocks: of one split, start_s and duration_s.
        margin_s: no piece is cut off that is shorter; 0.1 s as published.

    Returns:
        the pieces, in the order of the sounds; pieces outside every block are kept.
    """
    pieces = []
    ordered = blocks.sort_values("start_s")
    for sound in sounds.to_dict("records"):
        begin = float(sound["start_s"])
        end = begin + float(sound["duration_s"])
        for start, length in zip(ordered["start_s"], ordered["duration_s"], strict=True):
            if begin + margin_s <= start < end - margin_s:
                pieces.append(_piece(sound, begin, start))  # what lies before the block
                begin = float(start)
            stop = start + length
            if begin + margin_s < stop < end - margin_s:
                pieces.append(_piece(sound, begin, stop))
                begin = float(stop)
        pieces.append(_piece(sound, begin, end))
    return pd.DataFrame(pieces, columns=list(sounds.columns))


def _piece(sound: dict, begin: float, end: float) -> dict:
    offset = float(sound["offset"]) + begin - float(sound["start_s"])
    return {**sound, "start_s": begin, "duration_s": end - begin, "offset": offset}
