"""Windows of a recording as a saved model was trained on them: preprocessing, channels, scale."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..data.batch import Batch
from ..data.gather import gather_windows
from ..data.preprocess import cut_name, shift_of, standard_name
from ..data.scale import ROBUST_WINDOWS, Scaler, median_and_range, recording_statistics
from ..data.segments import segments_of
from ..data.signal import Signal, make_signal
from ..data.store import recipe_of
from ..data.stretches import touched
from ..data.window_rule import WindowRule
from ..errors import RecordingError, UserError
from ..facts import DataFacts
from .inputs import InputRecording

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Placement:
    """Where windows begin: one of the first three, or one window after the other.

    Attributes:
        starts_s: first samples of windows, in seconds from the first sample that was given.
        onsets_s: events; windows begin `segment.offset_s` after them.
        events: table of events (kind, start_s, duration_s, ...), cut by the stored rule.
        stride_s: between windows; None = their length.
    """

    starts_s: Sequence[float] | None = None
    onsets_s: Sequence[float] | None = None
    events: pd.DataFrame | None = None
    stride_s: float | None = None

    def __post_init__(self) -> None:
        ways = [n for n in ("starts_s", "onsets_s", "events") if getattr(self, n) is not None]
        if len(ways) > 1 or (ways and self.stride_s is not None):
            used = [*ways, *(["stride_s"] if self.stride_s is not None else [])]
            raise UserError(f"{' and '.join(used)}: give one of them")
        if self.stride_s is not None and not self.stride_s > 0:
            raise UserError(f"stride_s={self.stride_s}: use seconds above 0")


class WindowMaker:
    """Makes windows of recordings as those of training were made.

    Args:
        facts: of the model.
        any_channels: the model tells channels apart by their ids, so that some of them will do.

    Raises:
        UserError: the model was saved without the recipe of its windows.
    """

    def __init__(self, facts: DataFacts, any_channels: bool) -> None:
        if facts.recipe is None:
            raise UserError(
                "the saved model does not say how its windows were made (it is of an earlier "
                "version); train it again with this one"
            )
        self.facts, self.any_channels, self.recipe = facts, any_channels, facts.recipe
        self.rule = WindowRule.of(self._segment())
        self.ids = {n: i for i, n in enumerate(facts.vocabulary or facts.channels)}

    def _segment(self) -> dict[str, Any]:
        """Return the rule of windows; their length in samples is that of training."""
        segment = dict(self.recipe["segment"])
        if segment.get("duration_s", 1.0) is None:
            segment["duration_s"] = self.facts.window_samples / self.facts.rate_hz
        return segment

    # the signal ---------------------------------------------------------------------------

    def signal(self, data: InputRecording, preprocessed: bool) -> Signal:
        """Return the preprocessed signal with the channels of the model, in its order."""
        recipe = recipe_of({**self.recipe, "rate_hz": self.facts.rate_hz})
        if preprocessed:
            recipe["preprocess"] = []
        try:
            signal = make_signal(data.recording(), recipe)
        except RecordingError:
            if "positions" not in recipe:
                raise
            # no sensor layout in an array: places of the training data follow
            signal = make_signal(data.recording(), {**recipe, "positions": "head"})
        signal = self._with_channels(signal)
        return signal if np.isfinite(signal.positions).all() else self._with_positions(signal)

    def _with_channels(self, signal: Signal) -> Signal:
        """Pick the channels of the model under whatever spelling they have."""
        rows: dict[str, int] = {}
        for row, name in enumerate(signal.channels):
            rows.setdefault(plain_name(name), row)
        if self.any_channels:
            spelled = {plain_name(name): name for name in self.ids}
            index = [row for name, row in rows.items() if name in spelled]
            names = [spelled[plain_name(signal.channels[row])] for row in index]
            left_out = [n for n in signal.channels if plain_name(n) not in spelled]
            if not index:
                raise UserError(f"the model knows none of the channels {shortened(left_out)}")
        else:
            names = list(self.facts.channels)
            missing = [name for name in names if plain_name(name) not in rows]
            if missing:
                raise UserError(
                    f"{len(missing)} of the {len(names)} channels of the model are missing: "
                    f"{shortened(missing)} (there is: {shortened(signal.channels)}); name them so, "
                    "or interpolate them first"
                )
            index = [rows[plain_name(name)] for name in names]
            left_out = [n for n in signal.channels if signal.channels.index(n) not in index]
        if left_out:
            logger.info("left out %d channels: %s", len(left_out), shortened(left_out))
            self._warn_of_mixed()
        return signal.select(index, names)

    def _warn_of_mixed(self) -> None:
        """Say so where channels that are left out afterwards have changed those that stay."""
        steps = [step for step in self.recipe.get("preprocess") or () if self._mixes(step)]
        if steps:
            logger.warning(
                "step %s of the model saw these channels too: drop them first, unless the "
                "recordings of its training had them", steps[0]["step"],
            )  # fmt: skip

    @staticmethod
    def _mixes(step: Mapping[str, Any]) -> bool:
        average = step.get("step") == "reference" and step.get("channels", "average") == "average"
        return average or step.get("step") == "align"

    def _with_positions(self, signal: Signal) -> Signal:
        places = dict(zip(self.facts.channels, self.facts.positions, strict=False))
        if not places:
            return signal
        nowhere = (float("nan"),) * 3
        rows = [places.get(name, nowhere) for name in signal.channels]
        return replace(signal, positions=np.array(rows, np.float32))

    # where windows begin ------------------------------------------------------------------

    def starts(self, signal: Signal, data: InputRecording, placement: Placement) -> np.ndarray:
        """Return the first sample of every window, (N,) int64.

        Raises:
            UserError: a window that reaches outside, or none at all.
        """
        rate, length = self.facts.rate_hz, self.facts.window_samples
        steps = list(self.recipe.get("preprocess") or ())
        shift = shift_of(steps, float(data.raw.info["sfreq"]))
        if data.trial_samples is not None:
            return self._of_trials(signal, data, placement)
        if placement.starts_s is not None:
            starts = [round((float(s) - shift) * rate) for s in placement.starts_s]
        elif placement.onsets_s is not None:
            onsets_s = np.array([float(s) - shift for s in placement.onsets_s])
            starts = self.rule.starts(onsets_s, rate).tolist()
        elif placement.events is not None:
            bad = () if self.recipe.get("keep_bad") else signal.stretches
            events, segment = placement.events, self._segment()
            table = segments_of(0, events, signal.samples, rate, segment, bad)
            starts = table["start"].tolist()
        else:
            return self._one_after_the_other(signal, placement.stride_s)
        whole = np.asarray(starts, np.int64)
        outside = (whole < 0) | (whole + length > signal.samples)
        if outside.any() and self.rule.edge != "wrap":
            first = int(np.flatnonzero(outside)[0])
            raise UserError(
                f"window {first} of {length / rate:g} s from {whole[first] / rate:g} s on reaches "
                f"outside the {signal.samples / rate:g} s of the recording; leave it out"
            )
        return self._some(whole)

    def _of_trials(self, signal: Signal, data: InputRecording, placement: Placement) -> np.ndarray:
        if placement != Placement():
            raise UserError("windows that are cut already begin where they begin: leave out "
                            "starts_s, onsets_s, events and stride_s")  # fmt: skip
        assert data.trial_samples is not None
        rate, length = self.facts.rate_hz, self.facts.window_samples
        count = data.raw.n_times // data.trial_samples
        trial = signal.samples // count
        first = 0
        if trial != length and data.tmin_s is not None:
            first = round((self.rule.offset_s - data.tmin_s) * rate)
        # the last sample of MNE's epochs is that at tmax itself
        if first < 0 or first + length > trial or (data.tmin_s is None and trial != length):
            where = "" if data.tmin_s is None else (
                f" from {self.rule.offset_s:g} s on; they begin at {data.tmin_s:g} s"
            )  # fmt: skip
            raise UserError(
                f"windows of {trial} samples at {rate:g} Hz, where the model takes {length} "
                f"({length / rate:g} s{where}); cut them so"
            )
        return np.arange(count, dtype=np.int64) * trial + first

    def _one_after_the_other(self, signal: Signal, stride_s: float | None) -> np.ndarray:
        rate, length = self.facts.rate_hz, self.facts.window_samples
        stride = length if stride_s is None else max(1, round(stride_s * rate))
        starts = np.arange(0, signal.samples - length + 1, stride, dtype=np.int64)
        if len(starts) and signal.stretches and not self.recipe.get("keep_bad"):
            hit = touched(starts, length, signal.stretches, rate)
            if hit.any():
                logger.warning("%d of %d windows touch marked stretches or joins and are left out",
                               hit.sum(), len(hit))  # fmt: skip
            starts = starts[~hit]
        if not len(starts):
            raise UserError(
                f"no window of {length / rate:g} s in {signal.samples / rate:g} s of recording "
                "(marked stretches left out)"
            )
        return starts

    @staticmethod
    def _some(starts: np.ndarray) -> np.ndarray:
        if not len(starts):
            raise UserError("no window: the events give none (kind and query of the model's rule)")
        return starts

    # scale --------------------------------------------------------------------------------

    def scaler(self, signal: Signal, starts: np.ndarray, recording: str | None) -> Scaler:
        """Return the scaling of training for one recording.

        Args:
            signal: with the channels of the model.
            starts: of the windows.
            recording: name of one that the model was trained or tested on, whose statistics are
                taken where each recording has its own; None = those of what was given.
        """
        scale: Mapping[str, Any] = self.recipe["scale"]
        scaler = Scaler(scale["kind"], scale["clamp"])
        if self.rule.baseline:
            scaler.baselines = [self.rule.baseline_samples(signal.rate_hz)]
        centre, spread = self._statistics(scaler, signal, starts, recording)
        scaler.centres.append(torch.as_tensor(centre, dtype=torch.float32))
        spread = torch.as_tensor(spread, dtype=torch.float32)
        scaler.scales.append(torch.where(spread > 1e-8, spread, torch.ones_like(spread)))
        return scaler

    def _statistics(
        self, scaler: Scaler, signal: Signal, starts: np.ndarray, recording: str | None
    ) -> tuple[Any, Any]:
        stored: Mapping[str, Any] = self.recipe.get("statistics", {})
        if recording is not None and recording not in stored:
            raise UserError(f"recording={recording}: the model has no statistics of it"
                            f" (it has those of: {shortened(list(stored)) or 'none'})")  # fmt: skip
        if recording is not None:
            return stored[recording]["centre"], stored[recording]["scale"]
        if scaler.kind == "zscore" and self.facts.scaler:
            return self._trained_statistics(signal)
        if scaler.kind == "zscore":  # an imported model: no statistics of its training are known
            values = signal.rows(0, signal.samples).double().numpy()
            return values.mean(0), values.std(0)
        if scaler.kind == "robust":
            return recording_statistics(signal)
        if scaler.kind == "robust_windows":
            length = self.facts.window_samples
            some = starts[
                np.linspace(0, len(starts) - 1, min(len(starts), ROBUST_WINDOWS)).astype(int)
            ]
            correct = Scaler("none", None)
            correct.baselines = scaler.baselines
            windows = [correct.finish(signal.rows(int(s), length).clone(), 0) for s in some]
            return median_and_range(torch.cat(windows))
        return np.zeros(len(signal.channels)), np.ones(len(signal.channels))

    def _trained_statistics(self, signal: Signal) -> tuple[Any, Any]:
        pairs = zip(*(self.facts.scaler[name] for name in ("centre", "scale")), strict=True)
        trained = dict(zip(self.facts.channels, pairs, strict=True))
        strangers = [name for name in signal.channels if name not in trained]
        if strangers:
            raise UserError(f"nothing is known of the scale of channel {shortened(strangers)}")
        rows = np.array([trained[name] for name in signal.channels])
        return rows[:, 0], rows[:, 1]

    # batches ------------------------------------------------------------------------------

    def batches(
        self, signal: Signal, starts: np.ndarray, scaler: Scaler, subject: int, size: int
    ) -> Iterator[Batch]:
        """Yield scaled windows in batches."""
        ids = torch.tensor([self.ids[name] for name in signal.channels])
        finish = scaler.finish if scaler.changes else None
        for first in range(0, len(starts), size):
            some = starts[first : first + size]
            count = len(some)
            block = gather_windows(
                [signal], np.zeros(count, int), some, self.facts.window_samples, finish
            )
            places: Tensor = torch.from_numpy(signal.positions.copy())
            yield Batch(
                signal=block.transpose(1, 2),
                positions=places.expand(count, *places.shape),
                channel_mask=torch.ones(count, len(ids), dtype=torch.bool),
                channel_ids=ids.expand(count, len(ids)),
                subject=torch.full((count,), subject, dtype=torch.int64),
                recording=torch.zeros(count, dtype=torch.int64),
                segment=torch.arange(first, first + count),
            )


def plain_name(name: str) -> str:
    """Return a channel's name in today's spelling, without its type and common reference."""
    return standard_name(cut_name(name))


def shortened(names: Sequence[str], most: int = 8) -> str:
    """Return names with commas, of many the first."""
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more
