"""Stretches of a recording that no window may touch: marked bad, or joined to what lies before."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import mne

logger = logging.getLogger(__name__)
#: Annotations of stretches that are not to be used, as MNE and BIDS write them; `badge` is none.
BAD = re.compile(r"bad($|[ _/-])", re.IGNORECASE)
#: Annotations of joins: of MNE (`EDGE boundary`), EEGLAB (`boundary`, or the number -99) and
#: BrainVision (`New Segment`). Their duration is that of what was cut out, which is not there.
JOIN = re.compile(
    # BrainVision's markers have a kind and a text: `New Segment/`, `EDGE boundary/`.
    r"(edge([ _](boundary|trial))?|(bad[ _])?boundary|new segment|-99(\.0)?)\s*(/.*)?$",
    re.IGNORECASE,
)
#: The same in a table of events, where words stay words: a condition may be called `bad` or `edge`.
#: MNE-BIDS and EEGLAB write their annotations so.
WRITTEN = re.compile(
    r"BAD([ _/-].*)?$|(?i:bad_.*|((bad|edge)[ _])?boundary\s*(/.*)?|new segment\s*(/.*)?)$"
)
#: What MNE's filters stop at: a join, and the edge of two trials that are joined by a study. The
#: second one also tells that trials are resampled each by itself.
EDGE, TRIAL_EDGE = "EDGE boundary", "EDGE trial"


def is_join(text: str) -> bool:
    """Return whether an annotation marks a join of two recordings."""
    return JOIN.match(text) is not None


def is_mark(text: str) -> bool:
    """Return whether an annotation marks the file or its quality, and is no event."""
    return is_join(text) or BAD.match(text) is not None


@dataclass(frozen=True)
class Stretch:
    """A part of a recording, in seconds from its first sample; a join has no length."""

    start_s: float
    stop_s: float
    text: str


def stretches_of(raw: mne.io.BaseRaw) -> tuple[Stretch, ...]:
    """Return bad stretches and joins of a recording, in order of time.

    A join at the first sample joins nothing.
    """
    notes, end = raw.annotations, raw.n_times / float(raw.info["sfreq"])
    half, stretches = 0.5 / float(raw.info["sfreq"]), []
    for onset, length, text in zip(notes.onset, notes.duration, notes.description, strict=True):
        if not is_mark(str(text)):
            continue
        start = float(onset) - raw.first_time
        long = 0.0 if is_join(str(text)) or not np.isfinite(length) else float(length)
        if start + long < half or start >= end or (long == 0 and start <= half):
            continue
        stretches.append(Stretch(max(0.0, start), min(end, start + long), str(text)))
    return tuple(sorted(stretches, key=lambda one: (one.start_s, one.stop_s)))


def joins_of(stretches: Sequence[Stretch]) -> list[float]:
    """Return the times of joins in seconds, to the microsecond, each once."""
    return sorted({round(one.start_s, 6) for one in stretches if is_join(one.text)})


def moved(stretches: Sequence[Stretch], shift_s: float, end_s: float) -> tuple[Stretch, ...]:
    """Return stretches after `shift_s` seconds were cut off the front, within what is left."""
    after = []
    for one in stretches:
        start, stop = one.start_s - shift_s, one.stop_s - shift_s
        if stop > 0 and start < end_s:
            after.append(Stretch(max(0.0, start), min(stop, end_s), one.text))
    return tuple(after)


def touched(
    starts: np.ndarray, length: int | np.ndarray, stretches: Sequence[Stretch], rate_hz: float
) -> np.ndarray:
    """Return which windows hold a sample of a bad stretch, or samples of both sides of a join.

    Args:
        starts: (n,) first samples of the windows.
        length: samples of a window, or of each.
        stretches: of the recording.
        rate_hz: of its samples.
    """
    hit = np.zeros(len(starts), bool)
    for one in stretches:
        first = round(one.start_s * rate_hz)
        if one.stop_s <= one.start_s:
            hit |= (starts < first) & (starts + length > first)
        else:
            last = max(first + 1, round(one.stop_s * rate_hz))
            hit |= (starts < last) & (starts + length > first)
    return hit


def notes_of(stretches: Sequence[Stretch]) -> mne.Annotations:
    """Return stretches as annotations of an array, each join once as MNE's filters know it."""
    import mne

    others = [one for one in stretches if not is_join(one.text)]
    rows = [(one.start_s, one.stop_s - one.start_s, one.text) for one in others]
    rows += [(time, 0.0, EDGE) for time in joins_of(stretches)]
    starts, lengths, texts = zip(*rows, strict=True) if rows else ((), (), ())
    return mne.Annotations(list(starts), list(lengths), list(texts))


def mark_joins(raw: mne.io.BaseRaw) -> mne.io.BaseRaw:
    """Annotate every join once as MNE's filters know it, so that they stop there.

    MNE fails at two joins in one place, and at one before the first sample.
    """
    notes, joins = raw.annotations, joins_of(stretches_of(raw))
    texts = list(notes.description)
    onsets = notes.onset[notes.description == TRIAL_EDGE]
    trials = {round(onset - raw.first_time, 6) for onset in onsets.tolist()}
    other = [i for i, t in enumerate(texts) if t.upper().startswith("EDGE") and t != TRIAL_EDGE]
    notes.delete(other)
    for time in joins:
        if time not in trials:
            notes.append(time + raw.first_time, 0.0, EDGE)
    return raw
