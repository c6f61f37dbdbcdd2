"""Audit of a split: no recording time and no stimulus may be in two splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .split import PAIRS, overlapping_windows

#: A sentence counts as part of a window that shares more than this with it: 20 ms, as brainmagick
#: counts the words of a window (Défossez et al. 2023).
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


def stimuli_of(table: pd.DataFrame, events: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return what was heard or read in each window.

    Args:
        table: segment table with start_s, length_s and the recording's identity.
        events: of each recording.

    Returns:
        rows segment, split, kind (sentence or audio), name (`sequence_uid` or file), begin_s and
        end_s in seconds of the audio file (0 for sentences).
    """
    parts = []
    for number, rows in table.groupby("recording"):
        present = events[int(number)]
        for kind, column in (("sentence", "sequence_uid"), ("audio", "filepath")):
            if column not in present:
                continue
            named = present[present[column].notna() & present[column].ne("")]
            if kind == "audio":
                named = named[named["kind"] == "sound"]
            elif named["kind"].eq("sentence").any():
                named = named[named["kind"] == "sentence"]
            parts.append(_touched(rows, named, kind, column))
    columns = ["segment", "split", "kind", "name", "begin_s", "end_s"]
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _touched(rows: pd.DataFrame, named: pd.DataFrame, kind: str, column: str) -> pd.DataFrame:
    """Return pairs of window and event that share more than `TOUCH_S`."""
    starts = rows["start_s"].to_numpy(float)[:, None]
    stops = starts + rows["length_s"].to_numpy(float)[:, None]
    begins = named["start_s"].to_numpy(float)
    first = np.maximum(starts, begins)
    last = np.minimum(stops, begins + named["duration_s"].to_numpy(float))
    window, event = np.nonzero(last - first > TOUCH_S)
    offset = named["offset"].fillna(0.0).to_numpy(float) if "offset" in named else 0 * begins
    shift = (offset - begins)[event] if kind == "audio" else 0.0
    # A sentence is the same wherever it is heard; of a file each second is a stimulus of its own.
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
    """Return the sentences, and seconds of audio files, that occur in windows of both splits."""
    one, other = (stimuli[stimuli["split"] == name] for name in splits)
    findings = []
    for kind in ("sentence", "audio"):
        first, second = one[one["kind"] == kind], other[other["kind"] == kind]
        for name in sorted(set(first["name"]) & set(second["name"])):
            pieces, others = first[first["name"] == name], second[second["name"] == name]
            shared = others if kind == "sentence" else _crossing(pieces, others)
            if len(shared):
                findings.append(Finding(kind, name, splits, shared["segment"].nunique()))
    return findings


def _crossing(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return pieces of the second table that share more than `TOUCH_S` of a file with the first."""
    ordered = one.sort_values("begin_s")
    begins = ordered["begin_s"].to_numpy(float)
    # Pieces may lie inside longer ones: how far any piece so far reaches, in one sorted pass.
    reach = np.maximum.accumulate(ordered["end_s"].to_numpy(float))
    before = np.searchsorted(begins, other["end_s"].to_numpy(float) - TOUCH_S, "left")
    last = np.where(before > 0, reach[np.maximum(before - 1, 0)], -np.inf)
    return other[last - other["begin_s"].to_numpy(float) > TOUCH_S]


def audit_table(
    table: pd.DataFrame, events: Sequence[pd.DataFrame], tolerance: int = 0
) -> list[Finding]:
    """Return everything that two splits of one data set share.

    Args:
        table: segment table with recording, start, length, start_s, length_s, split, identity.
        events: of each recording, in the order of `recording`.
        tolerance: samples that windows of two splits may share at a block's edge.
    """
    findings = []
    stimuli = stimuli_of(table, events)
    for splits in PAIRS:
        shared = overlapping_windows(table, splits, tolerance)
        for _, rows in shared.groupby("recording"):
            where = "/".join(str(rows[name].iloc[0]) for name in IDENTITY)
            findings.append(Finding("recording time", where, splits, len(rows)))
        findings += shared_stimuli(stimuli, splits)
    return findings


def audit_upstream(
    down: pd.DataFrame, up: pd.DataFrame, names: tuple[str, str] = ("upstream train", "test")
) -> list[Finding]:
    """Return recording time that the upstream trained on and the downstream tests on.

    Args:
        down, up: segment tables with start_s, length_s, split and identity; rates may differ, so
            times are compared in seconds.
        names: of the two sides in the findings.
    """
    training = _in_seconds(up[up["split"] == "train"])
    testing = _in_seconds(down[down["split"] == "test"])
    findings = []
    for where in sorted(set(training["name"]) & set(testing["name"])):
        shared = _crossing(training[training["name"] == where], testing[testing["name"] == where])
        if len(shared):
            findings.append(Finding("recording time", where, names, len(shared)))
    return findings


def _in_seconds(table: pd.DataFrame) -> pd.DataFrame:
    begins = table["start_s"].to_numpy(float)
    names = table[list(IDENTITY)].astype(str).agg("/".join, axis=1) if len(table) else []
    ends = begins + table["length_s"].to_numpy(float)
    return pd.DataFrame({"name": names, "begin_s": begins, "end_s": ends, "segment": table.index})
