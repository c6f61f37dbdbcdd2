"""Audit: no recording time and no stimulus is in two splits, or was seen by a model before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .content import shifted_pairs
from .seen import Seen
from .split import PAIRS, overlapping_windows

if TYPE_CHECKING:
    from .dataset import Dataset

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
    starts = rows["start_s"].to_numpy(float)
    stops = starts + rows["length_s"].to_numpy(float)
    begins = named["start_s"].to_numpy(float)
    ends = begins + named["duration_s"].to_numpy(float)
    window, event = _meeting(starts, stops, begins, ends)
    first = np.maximum(starts[window], begins[event])
    last = np.minimum(stops[window], ends[event])
    touching = last - first > TOUCH_S
    window, event, first, last = (x[touching] for x in (window, event, first, last))
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
            "begin_s": 0.0 if sentence else first + shift,
            "end_s": 0.0 if sentence else last + shift,
        }
    )


def _meeting(
    starts: np.ndarray, stops: np.ndarray, begins: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return places (n,), (n,) of all pairs of a window and an event that may share time.

    Ordered by window, then event.
    """
    order = np.argsort(begins, kind="stable")
    # Which events a window can meet is a range of them: those of an hour of words are not compared
    # with every window of the hour.
    reach = np.maximum.accumulate(ends[order]) if len(order) else ends
    low = np.searchsorted(reach, starts, "right")
    high = np.searchsorted(begins[order], stops, "left")
    counts = np.maximum(0, high - low)
    window = np.repeat(np.arange(len(starts)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    event = order[np.repeat(low, counts) + within]
    pairs = np.lexsort((event, window))
    return window[pairs], event[pairs]


def shared_stimuli(stimuli: pd.DataFrame, splits: tuple[str, str]) -> list[Finding]:
    """Return the sentences, and seconds of audio files, that occur in windows of both splits."""
    one, other = (stimuli[stimuli["split"] == name] for name in splits)
    findings = []
    for kind in ("sentence", "audio"):
        first, second = one[one["kind"] == kind], other[other["kind"] == kind]
        names = sorted(set(first["name"]) & set(second["name"]))
        pieces, others = dict(list(first.groupby("name"))), dict(list(second.groupby("name")))
        for name in names:
            shared = others[name]
            if kind == "audio":
                shared = _crossing(pieces[name], shared)
            if len(shared):
                findings.append(Finding(kind, name, splits, shared["segment"].nunique()))
    return findings


def _crossing(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return pieces of the second table that share more than `TOUCH_S` of a file with the first."""
    if not len(one) or not len(other):
        return other.iloc[:0]
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


def audit_seen(down: Dataset, seen: Seen, address: str) -> list[Finding]:
    """Return windows of the test split whose samples a model has seen, by content and time.

    Args:
        down: data set of the experiment.
        seen: what the model was trained and validated on.
        address: of the model, for messages.
    """
    table = down.windows()
    table = table[table["split"] == "test"]
    places = [int(place) for place in table["recording"].unique()]
    owners = dict(list(table.groupby("recording")))
    findings: dict[tuple[str, str], set[int]] = {}
    for place, number, shift_s in _same_recordings(down, places, seen):
        rows, other = owners[place], seen.recordings[number]
        windows = _pieces(rows["begin_s"].to_numpy(float) - shift_s, rows)
        for split, spans in other.spans.items():
            trained = pd.DataFrame(spans, columns=["begin_s", "end_s"], dtype=float)
            shared = _crossing(trained, windows)
            findings.setdefault((other.name, split), set()).update(shared["segment"])
    return [
        Finding("recording time", name, (f"{split} of {address}", "test"), len(segments))
        for (name, split), segments in sorted(findings.items())
        if segments
    ]


def _pieces(begins: np.ndarray, rows: pd.DataFrame) -> pd.DataFrame:
    """Return windows as stretches that begin at some times."""
    ends = begins + rows["length_s"].to_numpy(float)
    return pd.DataFrame({"begin_s": begins, "end_s": ends, "segment": rows.index})


def _same_recordings(
    down: Dataset, places: Sequence[int], seen: Seen
) -> Iterator[tuple[int, int, float]]:
    """Yield place in the data set, place in the list, and seconds between times of both files.

    A time of the data set's recording less these seconds is one of the other's.
    """
    contents = {place: down.signals[place].content for place in places}
    by_files: dict[str, list[int]] = {}
    by_samples: dict[str, list[int]] = {}
    for number, one in enumerate(seen.recordings):
        by_files.setdefault(one.content.files, []).append(number)
        by_samples.setdefault(one.content.samples, []).append(number)
    matched: set[tuple[int, int]] = set()
    for place, content in contents.items():
        if content is None:
            continue
        for number in by_files.get(content.files, []) if content.files else []:
            matched.add((place, number))
            yield place, number, 0.0
        for number in by_samples.get(content.samples, []) if content.samples else []:
            if (place, number) not in matched:
                matched.add((place, number))
                yield place, number, content.shift_s - seen.recordings[number].content.shift_s
    mine = [(place, content) for place, content in contents.items() if content is not None]
    theirs = [one.content for one in seen.recordings]
    for one, other, shift in shifted_pairs([*(content for _, content in mine), *theirs]):
        number = other - len(mine)
        if one < len(mine) <= other and (mine[one][0], number) not in matched:
            # The second begins `shift` later, in times of the preprocessed signals.
            moved = mine[one][1].shift_s + shift - theirs[number].shift_s
            yield mine[one][0], number, moved


def shared_people(down: Dataset, seen: Seen) -> set[str]:
    """Return people of the test split of whom a model has seen recordings, and training has not."""
    table = down.windows()
    trained = set(table.loc[table["split"] == "train", "person"])
    return (set(table.loc[table["split"] == "test", "person"]) - trained) & seen.people


def heard_before(stimuli: pd.DataFrame, seen: Seen) -> pd.DataFrame:
    """Return the sentences and pieces of audio in test windows that were heard in training."""
    test = stimuli[stimuli["split"] == "test"]
    sentences = test[test["kind"] == "sentence"]
    parts = [sentences[sentences["name"].isin(seen.sentences.get("train", ()))]]
    files = seen.audio.get("train", {})
    for name, pieces in test[test["kind"] == "audio"].groupby("name"):
        heard = pd.DataFrame(files.get(str(name), []), columns=["begin_s", "end_s"], dtype=float)
        parts.append(_crossing(heard, pieces))
    return pd.concat(parts)
