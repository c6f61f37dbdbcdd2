"""Trials that hold the same samples: cut twice, or cut with an overlap before they were stored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import UserError

if TYPE_CHECKING:
    from .recording import Recording
    from .signal import Signal

#: Column of the events: trials of one value share samples.
COLUMN = "shared_samples"
#: Samples in a row, equal to the bit in all channels, that two trials do not share by chance.
RUN = 16


def shared_samples(trials: np.ndarray) -> list[str]:
    """Return a word for each trial, the same for trials that are equal or overlap.

    Trials that were filtered, scaled or corrected each by itself after cutting are not found.

    Args:
        trials: (n, T, C) float32.
    """
    words = [hashlib.sha256(np.ascontiguousarray(one).tobytes()).hexdigest() for one in trials]
    first = {word: place for place, word in reversed(list(enumerate(words)))}
    parent = [first[word] for word in words]

    def root(place: int) -> int:
        while parent[place] != place:
            place = parent[place]
        return place

    for one, other in overlapping(trials):
        a, b = sorted((root(one), root(other)))
        parent[b] = a
    groups: dict[int, list[str]] = {}
    for place in range(len(words)):
        groups.setdefault(root(place), []).append(words[place])
    return [min(groups[root(place)])[:16] for place in range(len(words))]


def overlapping(trials: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs of trials (n, T, C) that share `RUN` samples in a row in every channel."""
    count, length, _ = trials.shape
    if length < RUN or count < 2:
        return []
    runs = length - RUN + 1
    bits = np.ascontiguousarray(trials[:, :, 0]).view(np.uint32).astype(np.uint64)
    keys = np.zeros((count, runs), np.uint64)
    for k in range(RUN):  # FNV-1a, word by word
        keys = (keys ^ bits[:, k : k + runs]) * np.uint64(0x100000001B3)
        keys ^= keys >> np.uint64(29)
    order = np.argsort(keys, axis=None, kind="stable")
    ordered = keys.reshape(-1)[order]
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    pairs: set[tuple[int, int]] = set()
    for one, other in zip(order[same].tolist(), order[same + 1].tolist(), strict=True):
        (a, first), (b, second) = divmod(one, runs), divmod(other, runs)
        if a == b or (a, b) in pairs:
            continue
        x, y = trials[a, first : first + RUN], trials[b, second : second + RUN]
        # Where nothing moves, as in a saturated or silent channel, equal runs say nothing.
        if np.array_equal(x, y) and (np.ptp(x, axis=0) > 0).any():
            pairs.add((a, b))
    return sorted(pairs)


def mark_shared(events: pd.DataFrame, data: np.ndarray, rate_hz: float) -> pd.DataFrame:
    """Return the events of trials that are cut already, with the column `COLUMN`.

    Args:
        events: with `bounded` where they are such trials, all of one length.
        data: (T, C) samples.
        rate_hz: of the samples.
    """
    if "bounded" not in events or not len(events):
        return events
    starts = (events["start_s"].to_numpy(float) * rate_hz).round().astype(int)
    length = round(float(events["duration_s"].iloc[0]) * rate_hz)
    trials = np.stack([data[start : start + length] for start in starts])
    return events.assign(**{COLUMN: shared_samples(trials)})


def check_trial_copies(
    table: pd.DataFrame, signals: Sequence[Signal], recordings: Sequence[Recording]
) -> None:
    """Raise `UserError` when trials that share samples are in different splits.

    Args:
        table: segment table with recording, event_row and split.
        signals: of the recordings in it.
        recordings: in the same order.
    """
    if not any(COLUMN in signal.events for signal in signals):
        return
    words = pd.Series("", index=table.index, dtype=object)
    for place, rows in table.groupby("recording"):
        events = signals[int(place)].events
        inside = rows["event_row"] >= 0
        if COLUMN in events and inside.any():
            rows = rows[inside]
            words[rows.index] = events[COLUMN].to_numpy()[rows["event_row"]]
    marked = table[words != ""]
    splits = marked.groupby(words[marked.index])["split"].nunique()
    torn = splits[splits > 1]
    if not len(torn):
        return
    rows = marked[words[marked.index] == torn.index[0]].drop_duplicates("split").iloc[:2]
    names = [
        f"trial {row.event_row + 1} of {recordings[row.recording].id.name} ({row.split})"
        for row in rows.itertuples()
    ]
    raise UserError(
        f"{' and '.join(names)} hold the same samples, and {len(torn) - 1} more groups of trials "
        "are torn like this; leave the copies out, or keep overlapping trials together by "
        "dset.split.key=recording or subject"
    )
