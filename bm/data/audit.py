"""Audit of a split: nothing of the test may have been seen, in recording time or as stimulus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .split import PAIRS, overlapping

#: A sentence counts as part of a window that shares more than this with it (clip spec 2.1).
TOUCH_S = 0.02
#: Columns that say which recording a window is of.
IDENTITY = ("study", "subject", "session", "run")


@dataclass(frozen=True)
class Finding:
    """One overlap.

    Attributes:
        what: recording time, sentence or audio.
        where: the recording, sentence or file.
        splits: the two that share it.
        count: windows of the second that are affected.
    """

    what: str
    where: str
    splits: tuple[str, str]
    count: int

    def __str__(self) -> str:
        one, other = self.splits
        return f"{self.what}: {self.count} windows of {other} share {self.where} with {one}"


def heard(table: pd.DataFrame, events: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """What was heard or read in each window.

    Args:
        table: segment table with start_s, length_s and the recording's identity.
        events: of each recording.

    Returns:
        rows segment, split, kind (sentence or audio), name (`sequence_uid` or file), begin_s and
        end_s in seconds of the audio file (0 for sentences).
    """
    found = []
    for number, rows in table.groupby("recording"):
        own = events[int(number)]
        for kind, column in (("sentence", "sequence_uid"), ("audio", "filepath")):
            if column not in own:
                continue
            named = own[own[column].notna() & own[column].ne("")]
            if kind == "audio":
                named = named[named["kind"] == "sound"]
            elif named["kind"].eq("sentence").any():
                named = named[named["kind"] == "sentence"]
            found.append(_touched(rows, named, kind, column))
    columns = ["segment", "split", "kind", "name", "begin_s", "end_s"]
    kept = [part for part in found if len(part)]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=columns)


def _touched(rows: pd.DataFrame, named: pd.DataFrame, kind: str, column: str) -> pd.DataFrame:
    """Pairs of window and event that share more than `TOUCH_S`."""
    starts = rows["start_s"].to_numpy(float)[:, None]
    stops = starts + rows["length_s"].to_numpy(float)[:, None]
    begins = named["start_s"].to_numpy(float)
    first = np.maximum(starts, begins)
    last = np.minimum(stops, begins + named["duration_s"].to_numpy(float))
    window, event = np.nonzero(last - first > TOUCH_S)
    offset = named["offset"].fillna(0.0).to_numpy(float) if "offset" in named else 0 * begins
    shift = (offset - begins)[event] if kind == "audio" else 0.0
    sentence = kind == "sentence"
    return pd.DataFrame(
        {
            "segment": rows.index.to_numpy()[window],
            "split": rows["split"].to_numpy()[window],
            "kind": kind,
            "name": named[column].astype(str).to_numpy()[event],
            "begin_s": 0.0 if sentence else first[window, event] + shift,
            "end_s": 0.0 if sentence else last[window, event] + shift,
        }
    )


def shared_stimuli(stimuli: pd.DataFrame, splits: tuple[str, str]) -> list[Finding]:
    """Sentences, and seconds of audio files, that occur in windows of both splits."""
    one, other = (stimuli[stimuli["split"] == name] for name in splits)
    found = []
    for kind in ("sentence", "audio"):
        seen, asked = one[one["kind"] == kind], other[other["kind"] == kind]
        for name in sorted(set(seen["name"]) & set(asked["name"])):
            mine, theirs = seen[seen["name"] == name], asked[asked["name"] == name]
            hit = theirs if kind == "sentence" else _crossing(mine, theirs)
            if len(hit):
                found.append(Finding(kind, name, splits, hit["segment"].nunique()))
    return found


def _crossing(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Pieces of the second table that share more than `TOUCH_S` of a file with the first."""
    ordered = one.sort_values("begin_s")
    begins = ordered["begin_s"].to_numpy(float)
    reach = np.maximum.accumulate(ordered["end_s"].to_numpy(float))
    before = np.searchsorted(begins, other["end_s"].to_numpy(float) - TOUCH_S, "left")
    last = np.where(before > 0, reach[np.maximum(before - 1, 0)], -np.inf)
    return other[last - other["begin_s"].to_numpy(float) > TOUCH_S]


def audit_table(
    table: pd.DataFrame, events: Sequence[pd.DataFrame], tolerance: int = 0
) -> list[Finding]:
    """Everything that two splits of one data set share.

    Args:
        table: segment table with recording, start, length, start_s, length_s, split, identity.
        events: of each recording, in the order of `recording`.
        tolerance: samples that windows of two splits may share at a block's edge.
    """
    found = []
    stimuli = heard(table, events)
    for splits in PAIRS:
        shared = overlapping(table, splits, tolerance)
        for _, rows in shared.groupby("recording"):
            where = "/".join(str(rows[name].iloc[0]) for name in IDENTITY)
            found.append(Finding("recording time", where, splits, len(rows)))
        found += shared_stimuli(stimuli, splits)
    return found


def audit_upstream(
    down: pd.DataFrame, up: pd.DataFrame, names: tuple[str, str] = ("upstream train", "test")
) -> list[Finding]:
    """Recording time of the upstream's training windows that the downstream tests on.

    Args:
        down, up: segment tables with start_s, length_s, split and identity; rates may differ, so
            times are compared in seconds.
        names: of the two sides in the findings.
    """
    seen = _in_seconds(up[up["split"] == "train"])
    asked = _in_seconds(down[down["split"] == "test"])
    found = []
    for where in sorted(set(seen["name"]) & set(asked["name"])):
        hit = _crossing(seen[seen["name"] == where], asked[asked["name"] == where])
        if len(hit):
            found.append(Finding("recording time", where, names, len(hit)))
    return found


def _in_seconds(table: pd.DataFrame) -> pd.DataFrame:
    begins = table["start_s"].to_numpy(float)
    names = table[list(IDENTITY)].astype(str).agg("/".join, axis=1) if len(table) else []
    ends = begins + table["length_s"].to_numpy(float)
    return pd.DataFrame({"name": names, "begin_s": begins, "end_s": ends, "segment": table.index})
