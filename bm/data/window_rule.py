"""WindowRule: how windows are cut by `dset.segment`, and which samples they hold.

The rules of speech decoding (`within`, `inclusive`, `rounding: event`, both tolerances of half a
sample) are those of brainmagick (Défossez et al. 2023).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ..errors import UserError, there_is
from ..registry import check_arguments, check_known
from .preprocess import check_positive
from .recording import EVENT_KINDS, WHOLE_RECORDING


@dataclass(frozen=True)
class WindowRule:
    """How windows are cut: section `dset.segment`.

    Attributes:
        kind: events that give windows, or `recording` for the whole recording as one event.
        offset_s: first window, relative to the event's start.
        duration_s: of a window.
        stride_s: None = one window per event, else as many as fit.
        label: event column with the label.
        query: pandas query that the events must meet as well.
        span_s: part of the event that is cut, from `offset_s` on; None = to the event's end.
        strict: a strided window must end before the end of the part, not at it.
        within: `block` = windows must lie inside one block.
        inclusive: the sample at the window's end belongs to it.
        rounding: window = nearest sample of the window's start; event = event's start and offset
            are rounded each; up = first sample not before the event's start, plus the offset.
        edge: drop = windows that reach outside the recording are left out; wrap = they continue at
            the other end (published TUEV windows of LaBraM).
        ignore_start, ignore_end: a window may begin before, or end after, its block.
        baseline: subtract the mean from the window's start to the event's start.
        values: event columns with numbers to predict, instead of classes.
        max_tokens: windows are shortened until channels times tokens are at most so many (256 in
            the pre-training of LaBraM); None = `duration_s` whatever the channels.
        token_s: length of a token of one channel, with `max_tokens`.
        pad: zeros follow the end of the event, so that events may be shorter than a window: read
            sentences are. Longer ones are cut.
    """

    kind: str
    offset_s: float = 0.0
    duration_s: float = 1.0
    stride_s: float | None = None
    label: str | None = None
    query: str | None = None
    span_s: float | None = None
    strict: bool = False
    within: str | None = None
    inclusive: bool = False
    rounding: str = "window"
    edge: str = "drop"
    ignore_start: bool = False
    ignore_end: bool = False
    baseline: bool = False
    values: tuple[str, ...] = ()
    max_tokens: int | None = None
    token_s: float = 1.0
    pad: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> WindowRule:
        """Build the rule from the configuration.

        Raises:
            UserError: an unknown key or choice, with the nearest name.
        """
        check_arguments("dset.segment", cls, values)
        segment = cls(**values)
        check_known("segment.rounding", segment.rounding, ("window", "event", "up"))
        check_known("segment.edge", segment.edge, ("drop", "wrap"))
        check_positive("segment.duration_s", segment.duration_s)
        check_positive("segment.stride_s", segment.stride_s)
        check_positive("segment.span_s", segment.span_s)
        check_positive("segment.max_tokens", segment.max_tokens)
        check_positive("segment.token_s", segment.token_s)
        if not (isinstance(segment.offset_s, int | float) and math.isfinite(segment.offset_s)):
            raise UserError(f"segment.offset_s={segment.offset_s}; use seconds")
        if segment.pad and (segment.stride_s is not None or segment.within or segment.baseline):
            raise UserError("segment.pad=true: one window per event; leave out stride and block")
        if segment.within not in (None, "block"):
            raise UserError(f"segment.within={segment.within}: use block or null")
        return segment

    def check_kind(self) -> None:
        """Raise `UserError` with the nearest name when no study has registered such events.

        Apart from `of`, because studies register kinds: they must be imported by then.
        """
        check_known("event kind", self.kind, (*EVENT_KINDS.names(), WHOLE_RECORDING))

    def for_channels(self, n_channels: int) -> WindowRule:
        """Return the rule for recordings of so many channels, see `max_tokens`.

        Raises:
            UserError: more channels than tokens.
        """
        if self.max_tokens is None:
            return self
        tokens = self.max_tokens // n_channels
        if tokens < 1:
            raise UserError(
                f"segment.max_tokens={self.max_tokens}: a recording has {n_channels} channels; "
                "allow more tokens or pick channels"
            )
        return replace(self, duration_s=min(self.duration_s, tokens * self.token_s))

    def length(self, rate_hz: float) -> int:
        """Return the samples of a window."""
        if self.inclusive:
            end = self.offset_s + self.duration_s
            return round(end * rate_hz) - round(self.offset_s * rate_hz) + 1
        return round(self.duration_s * rate_hz)

    @property
    def shared_samples(self) -> int:
        """Samples that windows of neighbouring blocks may share.

        Published windows are rounded at both ends and hold the sample at their end: two of
        them can both hold the samples at a block's edge.
        """
        return 2 if self.inclusive and self.within else 0

    def baseline_samples(self, rate_hz: float) -> int:
        """Return samples from the window's to the event's start, inclusive; 0 = no correction."""
        return 1 - round(self.offset_s * rate_hz) if self.baseline else 0

    def anchors(self, event: Mapping[str, Any]) -> list[float]:
        """Return the times (s) that the windows of an event are locked to, without `offset_s`.

        Without `stride_s` the event's start; with it as many as fit between `offset_s` and the end
        of the part.
        """
        start = float(event["start_s"])
        if self.stride_s is None:
            return [start]
        span = float(event["duration_s"]) - self.offset_s if self.span_s is None else self.span_s
        steps = (span - self.duration_s) / self.stride_s
        # A part of 0.3 s holds three windows of 0.1 s, although (0.3 - 0.1) / 0.1 < 2 in floats.
        count = math.ceil(steps - 1e-9) if self.strict else math.floor(steps + 1e-9) + 1
        return [start + self.stride_s * step for step in range(count)]

    def starts(self, anchors_s: np.ndarray, rate_hz: float) -> np.ndarray:
        """Return the first samples (N,) of the windows that are locked to times (N,)."""
        if self.rounding == "window":
            return _nearest((anchors_s + self.offset_s) * rate_hz)
        if self.rounding == "up":
            first = np.array([sample_at(one, rate_hz) for one in anchors_s.tolist()], int)
        else:
            first = _nearest(anchors_s * rate_hz)
        return first + round(self.offset_s * rate_hz)

    def fits(self, anchors_s: np.ndarray, samples: int, rate_hz: float) -> np.ndarray:
        """Return which windows (N,) lie inside a recording of so many samples."""
        starts = self.starts(anchors_s, rate_hz)
        if self.pad:  # what lies beyond the event is not read
            return (starts >= 0) & (starts < samples)
        if self.edge == "wrap":
            return np.ones(len(starts), bool)
        if self.rounding != "event":
            return (starts >= 0) & (starts + self.length(rate_hz) <= samples)
        begins = anchors_s + self.offset_s  # in time, as published
        return (begins >= 0) & (begins + self.duration_s < (samples - 0.5) / rate_hz)

    def held(self, starts_s: np.ndarray, durations_s: np.ndarray, rate_hz: float) -> np.ndarray:
        """Return the samples (N,) of the windows that are of their events, with `pad`."""
        # the end is rounded, not the length: the next event begins there
        left = _nearest((starts_s + durations_s) * rate_hz) - self.starts(starts_s, rate_hz)
        return np.clip(left, 0, self.length(rate_hz))

    def check_inside(self, event: Mapping[str, Any], rate_hz: float) -> None:
        """Raise `UserError` unless the windows of an event lie inside it.

        Of trials that were cut before they were stored, what follows is another trial.
        """
        samples, first = float(event["duration_s"]) * rate_hz, round(self.offset_s * rate_hz)
        last = first + self.length(rate_hz)
        if self.stride_s is not None and self.span_s is not None:
            last = max(last, round((self.offset_s + self.span_s) * rate_hz))
        if first < 0 or last > samples + 1e-6:
            raise UserError(
                f"segment: windows of {self.duration_s:g} s from {self.offset_s:g} s on reach "
                f"outside trials of {event['duration_s']:g} s; change dset.segment.duration_s or "
                "offset_s"
            )

    def block_of(self, anchor_s: float, blocks: pd.DataFrame, rate_hz: float) -> int:
        """Return the place of the first block that holds the window, -1 when none does.

        Both ends are compared with half a sample of tolerance.
        """
        half = 0.5 / rate_hz
        begins = blocks["start_s"].to_numpy(float)
        ends = begins + blocks["duration_s"].to_numpy(float)
        first = anchor_s + self.offset_s
        # `|` of arrays: one look-up for all blocks of a recording.
        after = (first >= begins) | (self.ignore_start & (anchor_s >= begins))
        before = first + self.duration_s - half < ends
        before |= self.ignore_end & (anchor_s + half < ends)
        inside = np.flatnonzero(after & before)
        return int(inside[0]) if len(inside) else -1

    def matching_events(self, events: pd.DataFrame, samples: int, rate_hz: float) -> pd.DataFrame:
        """Return the events that give windows, with their rows as index.

        Kind `recording` gives one event over everything, of row -1.
        """
        self.check_kind()
        if self.kind == WHOLE_RECORDING:
            seconds = (samples - int(self.inclusive)) / rate_hz
            whole = {"kind": WHOLE_RECORDING, "start_s": 0.0, "duration_s": seconds}
            return pd.DataFrame([whole], index=[-1])
        numbered = events.index.equals(pd.RangeIndex(len(events)))
        rows = events if numbered else events.reset_index(drop=True)
        rows = rows[rows["kind"] == self.kind]
        if self.query is None or rows.empty:
            return rows
        try:
            # The python engine: numexpr is no dependency, and tables are small.
            return rows.query(self.query, engine="python")
        except Exception as error:
            # Any failure here is a slip in the query; pandas raises a dozen kinds.
            quoted = re.search(r"'(\w+)'", str(error))
            columns = there_is(map(str, rows), quoted[1] if quoted else "")
            raise UserError(f"segment.query={self.query!r}: {error}; {columns}") from error


def _nearest(values: np.ndarray) -> np.ndarray:
    return np.rint(values).astype(int)  # half to even, as `round`


def sample_at(time_s: float, rate_hz: float) -> int:
    """Return the first sample whose time, index / rate, is not before `time_s`."""
    index = math.ceil(time_s * rate_hz)
    # The product may be rounded to the wrong side of a whole number; the quotient decides.
    while (index - 1) / rate_hz >= time_s:
        index -= 1
    while index / rate_hz < time_s:
        index += 1
    return index
