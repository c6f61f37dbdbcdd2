"""Augmentations of training windows, each decided by (seed, epoch, window) alone.

No generator lives from one window to the next: the same window of the same epoch is changed in the
same way whatever the batch size, the number of processes, or where a run was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from ..registry import Registry, check_arguments, check_list, check_mapping
from .batch import Batch
from .trials import shift_in_time

#: name -> function that changes a window (T, C) in place: (window, rate_hz, generator, options).
AUGMENTATIONS: Registry[Callable[..., None]] = Registry("augmentation", {})
#: Arguments that the data path fills.
FILLED = ("window", "rate_hz", "draw")
#: First counter of the streams: those of `epoch_batches` have the same key and begin at 0.
STREAMS = 1


@AUGMENTATIONS.register("time_shift")
def time_shift(window: Tensor, rate_hz: float, draw: np.random.Generator, max_s: float) -> None:
    """Delay or advance by up to `max_s`; the sample at the edge fills what is missing.

    Only the window is shifted, not where it is cut: what lies beside it may be another trial.
    """
    most = round(max_s * rate_hz)
    steps = int(draw.integers(-most, most + 1))
    source = (torch.arange(len(window)) - steps).clamp_(0, len(window) - 1)
    window.copy_(window[source])


@AUGMENTATIONS.register("zero_shift")
def zero_shift(window: Tensor, rate_hz: float, draw: np.random.Generator, max_s: float) -> None:
    """Delay or advance by up to `max_s` with zeros where nothing is, as Du-IN does (0.3 s).

    A shift of 0 changes nothing; the published code returns zeros then.
    """
    most = round(max_s * rate_hz)
    steps = torch.tensor([int(draw.integers(-most, most + 1))])
    window.copy_(shift_in_time(window.T[None], steps.to(window.device))[0].T)


@AUGMENTATIONS.register("channel_dropout")
def channel_dropout(window: Tensor, rate_hz: float, draw: np.random.Generator, p: float) -> None:
    """Set each channel to zero with probability `p`; one at least stays."""
    lost = draw.random(window.shape[1]) < p
    if lost.all():
        lost[draw.integers(len(lost))] = False
    window[:, torch.from_numpy(lost)] = 0


@AUGMENTATIONS.register("time_mask")
def time_mask(window: Tensor, rate_hz: float, draw: np.random.Generator, max_s: float) -> None:
    """Set all channels to zero for up to `max_s` somewhere in the window."""
    length = int(draw.integers(0, min(round(max_s * rate_hz), len(window)) + 1))
    first = int(draw.integers(0, len(window) - length + 1))
    window[first : first + length] = 0


@AUGMENTATIONS.register("amplitude")
def amplitude(
    window: Tensor, rate_hz: float, draw: np.random.Generator, low: float, high: float
) -> None:
    """Multiply by one factor between `low` and `high`."""
    window *= float(draw.uniform(low, high))


@AUGMENTATIONS.register("noise")
def noise(window: Tensor, rate_hz: float, draw: np.random.Generator, sd: float) -> None:
    """Add white Gaussian noise of `sd`, in the unit of the scaled window."""
    white = torch.from_numpy(draw.standard_normal(tuple(window.shape), dtype=np.float32))
    window += sd * white.to(window.device)


@AUGMENTATIONS.register("frequency_shift")
def frequency_shift(
    window: Tensor, rate_hz: float, draw: np.random.Generator, max_hz: float
) -> None:
    """Move all frequencies up or down by one amount of up to `max_hz`.

    The real part of the analytic signal turned at that rate, as `FrequencyShift` of braindecode
    (Rommel et al., J Neural Eng 19, 066020, 2022).
    """
    shift = float(draw.uniform(-max_hz, max_hz))
    length = len(window)
    spectrum = torch.fft.fft(window.double(), dim=0)
    # Positive frequencies twice, negative ones not at all; 0 and half the rate are their own.
    weights = torch.zeros(length, 1, dtype=torch.float64)
    weights[0] = 1
    weights[1 : (length + 1) // 2] = 2
    if length % 2 == 0:
        weights[length // 2] = 1
    turn = torch.exp(2j * np.pi * shift / rate_hz * torch.arange(length, dtype=torch.float64))
    weights, turn = weights.to(window.device), turn.to(window.device)
    window.copy_((torch.fft.ifft(spectrum * weights, dim=0) * turn[:, None]).real)


class Augmentation:
    """Augmentations of `dset.augment` in their order.

    Args:
        steps: each with `step` (name), its options and, optionally, `chance`: the probability
            that a window is changed by it.

    Raises:
        UserError: an unknown name or option, or a value that is none.
    """

    def __init__(self, steps: Sequence[Mapping[str, Any]]) -> None:
        self.steps: list[tuple[Callable[..., None], float, dict[str, Any]]] = []
        self.shifts_time = False
        check_list("dset.augment", steps, "{step: noise, sd: 0.1}")
        for entry in steps:
            check_mapping("dset.augment", entry, "step: noise, sd: 0.1")
            name = str((entry or {}).get("step"))
            function = AUGMENTATIONS.get(name)
            options = {k: v for k, v in entry.items() if k not in ("step", "chance")}
            check_arguments(f"dset.augment: {name}", function, options, FILLED)
            chance = float(entry.get("chance", 1.0))
            _check_values(name, function, {**options, "chance": chance})
            self.steps.append((function, chance, options))
            self.shifts_time |= name in ("time_shift", "zero_shift")

    def apply(self, batch: Batch, rates_hz: Sequence[float], seed: int, epoch: int) -> Batch:
        """Change the windows of a batch in place; channels that do not exist stay zero.

        Args:
            batch: of the training split, its signal in memory that nobody else holds.
            rates_hz: of each window.
            seed, epoch: with the row of the window they decide everything.
        """
        counts = batch.channel_mask.sum(1).tolist()
        for block, row, rate, channels in zip(
            batch.signal.transpose(1, 2), batch.segment.tolist(), rates_hz, counts, strict=True
        ):
            window = block[:, :channels]
            for number, (function, chance, options) in enumerate(self.steps):
                draw = np.random.Generator(
                    np.random.Philox(key=[seed, epoch], counter=[0, 0, STREAMS + number, row])
                )
                if draw.random() < chance:
                    function(window, rate, draw, **options)
        return batch


def _check_values(name: str, function: Callable[..., None], options: Mapping[str, Any]) -> None:
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    missing = [n for n in names if n not in FILLED and n not in options]
    if missing:
        raise UserError(f"dset.augment: {name} needs {missing[0]}")
    for key, value in options.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not np.isfinite(value) or value < 0:
            raise UserError(f"dset.augment: {name}: {key}={value}; use a number from 0 on")
        if key in ("p", "chance") and value > 1:
            raise UserError(f"dset.augment: {name}: {key}={value} is no probability")
    if options.get("low", 0.0) > options.get("high", np.inf):
        raise UserError(f"dset.augment: {name}: low={options['low']} is above high")


def build_augmentation(steps: Sequence[Mapping[str, Any]] | None) -> Augmentation | None:
    """Return the augmentation that `dset.augment` describes, None without any."""
    return Augmentation(steps) if steps else None
