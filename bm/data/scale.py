"""Scaling of windows: statistics of training data, applied to each window as it is gathered."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..registry import check_known
from .gather import subtract_baseline
from .preprocess import check_positive
from .segments import HELD, lengths_of
from .signal import Signal

try:  # compiled where there is a compiler when the package is installed
    from ._windows import write_scaled
except ImportError:
    write_scaled = None

logger = logging.getLogger(__name__)
KINDS = ("none", "zscore", "zscore_all", "robust", "robust_windows", "window")
#: Training windows of a recording that robust scaling looks at: brainmagick's
#: `n_samples_per_recording` (Défossez et al. 2023).
ROBUST_WINDOWS = 200
#: In place of statistics, until those of other channel sets are known.
UNTRAINED = (np.zeros(1), np.ones(1))
#: Samples in a row that `Scaler.write` treats as one: 64 channels then are 8 kB of two tiles.
MOST_REPEATED = 16
EPSILON = 1e-8  # below this scale a channel is flat, and only its centre is subtracted
#: Samples that the quartiles of a recording are taken from: an hour at 256 Hz has 921,600.
QUANTILE_SAMPLES = 1_000_000
#: Samples whose sums are taken at once: 64 channels of them are 32 MB.
BLOCK_SAMPLES = 1 << 16


def channel_statistics(
    signals: Sequence[Signal], table: pd.DataFrame, everything: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and standard deviation per channel over the training windows.

    Args:
        signals: all with the same channels.
        table: segment table with `split`.
        everything: over the windows of all splits.

    Returns:
        mean: (C,) and sd: (C,) float64.
    """
    total, squares, count = np.zeros(1), np.zeros(1), 0
    rows = table[everything | (table["split"] == "train")]
    for (recording, length), windows in rows.groupby(["recording", "length"], sort=False):
        signal, starts = signals[recording], windows["start"].to_numpy()
        most = max(1, BLOCK_SAMPLES // length)
        for begin in range(0, len(starts), most):
            samples = starts[begin : begin + most, None] + np.arange(length)
            inside = (samples >= 0) & (samples < signal.samples)  # padded windows reach outside
            places = torch.from_numpy(np.where(inside, samples, 0).ravel())
            block = signal.at(places).double().numpy().reshape(*samples.shape, -1)
            block[~inside] = 0
            total = add_in_order(total, block.sum(1))
            squares = add_in_order(squares, np.square(block).sum(1))
            count += int(inside.sum())
    mean = total / count
    variance = squares / count - mean**2
    return mean, np.sqrt(np.maximum(variance, 0.0))


def add_in_order(total: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Return total (C,) plus parts (n, C), one after the other: sums that are the same to the bit.

    NumPy's own sum adds pairs where it is faster.
    """
    return np.cumsum(np.concatenate([total + parts[:1], parts[1:]]), axis=0)[-1]


def recording_statistics(
    signal: Signal, rows: pd.DataFrame | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Compute median and interquartile range per channel of one recording: (C,) each.

    Of a recording longer than `QUANTILE_SAMPLES` every k-th sample is used, so that no whole copy
    of it is made and sorted.

    Args:
        signal: of the recording.
        rows: its windows; samples of those that do not train are left out where others do.
    """
    stride = -(-signal.samples // QUANTILE_SAMPLES)
    block = signal.every(stride).numpy()
    if rows is not None and (rows["split"] == "train").any():
        in_use = np.ones(signal.samples, bool)
        for start, length in rows.loc[rows["split"] != "train", ["start", "length"]].to_numpy():
            in_use[max(0, start) : start + length] = False
        block = block[in_use[::stride]]
    samples = np.ascontiguousarray(block.T)
    low, middle, high = np.percentile(samples, [25, 50, 75], axis=1, overwrite_input=True)
    return middle, high - low


def median_and_range(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Return median and interquartile range of samples (n, C), (C,) each; no range becomes one.

    The q-quantile is the sorted value at index int(q n), without interpolation, as published.
    """
    ordered = samples.sort(0).values
    low, middle, high = (ordered[int(q * len(ordered))] for q in (0.25, 0.5, 0.75))
    spread = high - low
    return middle, torch.where(spread == 0, torch.ones_like(spread), spread)


def standardise(window: Tensor) -> Tensor:
    """Subtract each channel's mean and divide by its sd over a window (T, C), in place.

    A flat channel becomes zero.
    """
    spread, centre = torch.std_mean(window, 0, correction=0)
    # Rounding leaves a flat channel of large values a spread of its own.
    flat = spread <= torch.clamp(centre.abs() * 1e-6, min=EPSILON)
    window.sub_(centre).div_(torch.where(flat, torch.ones_like(spread), spread))
    window[:, flat] = 0
    return window


class Scaler:
    """x -> clamp((x - centre) / scale) with one centre and scale per channel and recording.

    Args:
        kind: none, zscore (training data of the channel set), zscore_all (windows of all splits, a
            small leak, as Du-IN was published), robust (per recording, from all of
            it but windows that do not train, where others do), robust_windows (per recording, from
            up to 200 of its training windows after baseline correction, as brainmagick does) or
            window (each window and channel by its own mean and standard deviation, against shifts
            between sessions).
        clamp: largest absolute value, in units of the scale; None = none.

    Attributes:
        baselines: samples at the start of a window, by recording, whose mean is subtracted before
            anything else; empty = no baseline correction.
    """

    def __init__(self, kind: str, clamp: float | None) -> None:
        check_known("scaling", kind, KINDS)
        check_positive("dset.scale.clamp", clamp)
        self.kind, self.clamp = kind, clamp
        self.baselines: list[int] = []
        self.centres: list[Tensor] = []
        self.scales: list[Tensor] = []
        self._tiles: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def fit(self, signals: Sequence[Signal], table: pd.DataFrame, groups: Sequence[int]) -> None:
        """Compute the statistics of every recording.

        Args:
            signals: of every recording.
            table: segment table with `split`.
            groups: channel set of each recording; z-scores are shared within one.
        """
        self._tiles.clear()
        if HELD in table:  # what follows an event may be of another split
            table = table.assign(length=lengths_of(table))
        of_group: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for index, signal in enumerate(signals):
            if self.kind in ("none", "window"):
                pair = np.zeros(len(signal.channels)), np.ones(len(signal.channels))
            elif self.kind == "robust":
                pair = recording_statistics(signal, table[table["recording"] == index])
            elif self.kind == "robust_windows":
                pair = self._window_statistics(signal, index, table)
            else:
                group = groups[index]
                if group not in of_group:
                    members = [i for i, g in enumerate(groups) if g == group]
                    rows = table[table["recording"].isin(members)]
                    if (rows["split"] == "train").any():
                        everything = self.kind == "zscore_all"
                        of_group[group] = channel_statistics(signals, rows, everything)
                pair = of_group.get(group, UNTRAINED)
            centre, scale = (torch.as_tensor(v, dtype=torch.float32) for v in pair)
            self.centres.append(centre)
            self.scales.append(torch.where(scale > EPSILON, scale, torch.ones_like(scale)))
        if self.kind.startswith("zscore"):
            self._borrow(signals, groups, of_group)

    def _borrow(
        self,
        signals: Sequence[Signal],
        groups: Sequence[int],
        of_group: Mapping[int, tuple[np.ndarray, np.ndarray]],
    ) -> None:
        """Scale channel sets that never train by those that do: their own windows are the test's.

        A channel takes the statistics of the training channel of its name, else the mean of all.
        """
        strangers = [index for index, group in enumerate(groups) if group not in of_group]
        if not strangers:
            return
        trained: dict[str, tuple[float, float]] = {}
        for signal, group in zip(signals, groups, strict=True):
            if group in of_group:
                for name, centre, scale in zip(signal.channels, *of_group[group], strict=True):
                    trained.setdefault(name, (float(centre), float(scale)))
        values = np.array(list(trained.values()))
        mean = (float(values[:, 0].mean()), float(np.sqrt(np.square(values[:, 1]).mean())))
        for index in strangers:
            names = signals[index].channels
            pairs = np.array([trained.get(name, mean) for name in names], dtype=np.float32)
            self.centres[index] = torch.from_numpy(pairs[:, 0].copy())
            spread = torch.from_numpy(pairs[:, 1].copy())
            self.scales[index] = torch.where(spread > EPSILON, spread, torch.ones_like(spread))
        logger.warning(
            "%d recordings have a channel set that never trains; they are scaled by the training "
            "channels of the same names", len(strangers),
        )  # fmt: skip

    def _window_statistics(
        self, signal: Signal, index: int, table: pd.DataFrame
    ) -> tuple[Tensor | np.ndarray, Tensor | np.ndarray]:
        rows = table[table["recording"] == index]
        train = rows[rows["split"] == "train"]
        rows = rows if train.empty else train  # a recording that never trains
        if rows.empty:
            return np.zeros(len(signal.channels)), np.ones(len(signal.channels))
        generator = np.random.Generator(np.random.Philox(key=[ROBUST_WINDOWS, index]))
        rows = rows.iloc[generator.permutation(len(rows))[:ROBUST_WINDOWS]]
        windows = [
            self._correct(signal.rows(start, length).clone(), index)
            for start, length in zip(rows["start"], rows["length"], strict=True)
        ]
        return median_and_range(torch.cat(windows))

    def _correct(self, window: Tensor, recording: int) -> Tensor:
        if self.baselines:
            subtract_baseline(window[None], self.baselines[recording])
        return window

    @property
    def changes(self) -> bool:
        """Whether `finish` changes a window."""
        return self.kind != "none" or bool(self.baselines)

    def finish(self, window: Tensor, recording: int) -> Tensor:
        """Correct and scale one window (T, C) in place by the statistics of its recording."""
        self._correct(window, recording)
        if self.kind == "none":
            return window
        if self.kind == "window":
            standardise(window)
        else:
            window.sub_(self.centres[recording]).div_(self.scales[recording])
        return window if self.clamp is None else window.clamp_(-self.clamp, self.clamp)

    def write(
        self, source: np.ndarray, place: np.ndarray, recording: int, streams: bool = False
    ) -> None:
        """Write what `finish` would make of `source` to `place`, to the bit; see `fuses`.

        Args:
            source, place: (T, C) float32, contiguous.
            recording: number of the recording.
            streams: past the processor's caches.
        """
        if write_scaled is not None:
            limit = math.inf if self.clamp is None else self.clamp
            pair = self.centres[recording].numpy(), self.scales[recording].numpy()
            write_scaled(source, place, *pair, limit, streams)
            return
        centre, scale = self._repeated(recording, len(source))
        rows = torch.from_numpy(place).view(-1, len(centre))
        torch.sub(torch.from_numpy(source).view(rows.shape), centre, out=rows)
        rows.div_(scale)
        if self.clamp is not None:
            rows.clamp_(-self.clamp, self.clamp)

    def _repeated(self, recording: int, length: int) -> tuple[Tensor, Tensor]:
        """Return centre and scale of a recording, once for each of some samples in a row.

        An inner loop begins once a row: rows of several samples spare most of that.
        """
        pair = self._tiles.get((recording, length))
        if pair is None:
            count = next(n for n in range(MOST_REPEATED, 0, -1) if length % n == 0)
            pair = self.centres[recording].repeat(count), self.scales[recording].repeat(count)
            self._tiles[recording, length] = pair
        return pair

    @property
    def fuses(self) -> bool:
        """Whether `write` can do what `finish` does: one centre and scale, no baseline."""
        return self.kind not in ("none", "window") and not self.baselines

    def apply(self, block: Tensor, recordings: Tensor) -> Tensor:
        """Scale (B, T, C) in place, window b by the statistics of recording `recordings[b]`."""
        if self.changes:
            for window, recording in zip(block.unbind(), recordings.tolist(), strict=True):
                self.finish(window, recording)
        return block

    def to_dict(self) -> dict[str, Any]:
        """Return the scaling as far as all recordings share it, for `DataFacts.scaler`."""
        if self.kind == "window":
            return {"kind": self.kind}
        if not self.kind.startswith("zscore") or not self.centres:
            return {}
        return {"centre": self.centres[0].tolist(), "scale": self.scales[0].tolist()}


def build_scaler(scale: Mapping[str, Any]) -> Scaler:
    """Build the scaler that `dset.scale` describes."""
    return Scaler(scale["kind"], scale["clamp"])
