"""Candidates of a test split: one window per segment of speech (Défossez et al. 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lgamma
from typing import Any

import numpy as np
import pandas as pd

from ...data.dataset import Dataset
from ...features.hashes import bare_word, stable_hash


def present(value: object) -> bool:
    """Return whether an event really has a value there."""
    return value is not None and value == value


def segment_text(event: Mapping[str, Any]) -> str:
    """Return the text of what is heard at an event, the same wherever it is heard again.

    A word is its place in its sequence, and the sequence; other sounds are their file, or what they
    are called.
    """
    if present(event.get("word_index")):
        for name in ("word_sequence", "sequence_uid"):
            if present(event.get(name)):
                return f"{int(event['word_index'])}|{event[name]}"
    for name in ("audio", "filepath", "label", "phoneme", "word"):
        if present(event.get(name)):
            return f"{name}|{event[name]}"
    return f"start|{event['start_s']}"


def word_text(event: Mapping[str, Any]) -> str:
    """Return the word, or what else a sound is called."""
    for name in ("word", "phoneme", "label"):
        if present(event.get(name)):
            return bare_word(str(event[name]))
    return segment_text(event)


def speech_of(dataset: Dataset, rows: np.ndarray) -> pd.DataFrame:
    """Return what is heard in windows.

    Args:
        dataset: its events tell.
        rows: (N,) of its table.

    Returns:
        columns segment_text, segment_hash (int64), word, word_hash (int64); N rows.
    """
    speech = []
    tables = [signal.events.reset_index(drop=True) for signal in dataset.signals]
    columns = dataset.table.iloc[rows]
    for recording, number, start in zip(
        columns["recording"], columns["event_row"], columns["start"], strict=True
    ):
        if number < 0:  # a window at a fixed stride: what it holds has no name
            event: Mapping[str, Any] = {"start_s": f"{recording}|{start}"}
        else:
            event = tables[recording].iloc[int(number)].to_dict()
        text, word = segment_text(event), word_text(event)
        speech.append((text, stable_hash(text), word, stable_hash(word)))
    names = ["segment_text", "segment_hash", "word", "word_hash"]
    return pd.DataFrame(speech, columns=names)


@dataclass(frozen=True)
class CandidateSet:
    """Windows whose speech is ranked, and the windows that look for theirs among them.

    Attributes:
        rows: (V,) of the table, the first window of each segment.
        hashes: (V,) int64 of the segments.
        queries: (N,) places among the test windows.
    """

    rows: np.ndarray
    hashes: np.ndarray
    queries: np.ndarray


def candidate_sets(
    rows: np.ndarray, speech: pd.DataFrame, recordings: np.ndarray, by: str
) -> list[CandidateSet]:
    """Return the distinct segments of the whole split, or of each recording.

    Args:
        rows: (N,) test windows.
        speech: what they hold, see `speech_of`.
        recordings: (N,) where they are from.
        by: `split` or `recording`.
    """
    groups = [np.arange(len(rows))]
    if by == "recording":
        groups = [np.flatnonzero(recordings == r) for r in np.unique(recordings)]
    hashes = speech["segment_hash"].to_numpy()
    sets = []
    for queries in groups:
        values, first = np.unique(hashes[queries], return_index=True)
        order = np.argsort(first)
        sets.append(CandidateSet(rows[queries[first[order]]], values[order], queries))
    return sets


def chance_of_top(sets: list[CandidateSet], k: int) -> float:
    """Return the share that a random order of the candidates has among the first `k`."""
    n = sum(len(s.queries) for s in sets)
    return sum(len(s.queries) * min(k, len(s.hashes)) / len(s.hashes) for s in sets) / n


def most_frequent(sets: list[CandidateSet], hashes: np.ndarray, k: int) -> float:
    """Return the share of the `k` commonest segments: a guess that hears nothing."""
    hits = 0
    for s in sets:
        counts = np.unique(hashes[s.queries], return_counts=True)[1]
        hits += int(np.sort(counts)[-k:].sum())
    return hits / sum(len(s.queries) for s in sets)


def chance_word_errors(words: np.ndarray, candidates: np.ndarray, top: int) -> tuple[float, float]:
    """Return the errors of a random order of candidates, and of guessing the most frequent words.

    Args:
        words: (N,) word of each window.
        candidates: (M,) word of each candidate.
        top: how many of the best count.
    """
    values, counts = np.unique(candidates, return_counts=True)
    frequency = dict(zip(values.tolist(), counts.tolist(), strict=True))
    total, top = len(candidates), min(top, len(candidates))
    misses = []
    for word in words.tolist():
        wrong = total - max(1, frequency.get(word, 0))
        missed = 0.0
        if wrong >= top:  # C(wrong, top) / C(total, top)
            logs = (wrong + 1, total - top + 1), (wrong - top + 1, total + 1)
            missed = np.exp(sum(map(lgamma, logs[0])) - sum(map(lgamma, logs[1])))
        misses.append(missed)
    frequent = values[np.argsort(-counts, kind="stable")[:top]]
    by_word = 1 - float(np.isin(words, frequent).mean())
    return float(np.mean(misses)), by_word
