"""Speed of a training epoch, and the share of the device's peak that it used."""

from __future__ import annotations

import logging
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from .uncompiled import spare_compiler

logger = logging.getLogger(__name__)

#: dense peak, FLOP/s: (float32 without TF32, bfloat16/float16). NVIDIA data sheets (SXM modules).
PEAKS = {
    "H200": (67e12, 989e12),
    "H100": (67e12, 989e12),
    "A100": (19.5e12, 312e12),
    "V100": (15.7e12, 125e12),
    "T4": (8.1e12, 65e12),
}

#: Power of a whole GPU under load (W): board power of NVIDIA's data sheets (SXM modules; T4 PCIe).
BOARD_W = {"H200": 700.0, "H100": 700.0, "A100": 400.0, "V100": 300.0, "T4": 70.0}
#: Power of one busy thread of a processor (W). An assumption: no meter is read.
THREAD_W = 10.0


def assumed_power(device: torch.device, threads: int) -> float | None:
    """Return the power (W) that a device is assumed to take while it trains; None if unknown.

    Args:
        device: of the model.
        threads: that the processor computes with.
    """
    if device.type == "cpu":
        return THREAD_W * threads
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((watts for model, watts in BOARD_W.items() if model in name), None)


def device_peak(device: torch.device, precision: str) -> float | None:
    """Return the peak FLOP/s of a known GPU at a precision, else None."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    for model, peaks in PEAKS.items():
        if model in name:
            return peaks[0 if precision == "fp32" else 1]
    return None


def forward_flops(forward: Callable[[], object]) -> float | None:
    """Count the FLOP of one forward pass; None when the counter cannot follow it."""
    from torch.utils import flop_counter
    from torch.utils.flop_counter import FlopCounterMode

    mode: Any = getattr(flop_counter, "_FlopCounterMode", FlopCounterMode)
    spare_compiler(mode.__torch_dispatch__)
    try:
        with FlopCounterMode(display=False) as counter:
            forward()
    except (RuntimeError, NotImplementedError) as error:
        logger.debug("FLOP not counted: %s", error)
        return None
    return float(counter.get_total_flops())


class Perf:
    """Speed of one training epoch (of the part that this process ran, after a resume).

    Args:
        device: of the model.
        precision: its name, for the peak.
    """

    def __init__(self, device: torch.device, precision: str) -> None:
        self.device = device
        self.peak = device_peak(device, precision)
        self.flops_per_item: float | None = None
        self.parameters = 0
        self.more: dict[str, float] = {}  # a family's own measures, e.g. samples_per_s
        self.start()

    def start(self) -> None:
        """Begin an epoch."""
        self.items = self.steps = 0
        self.wait_s = 0.0
        self.checkpoint_s = 0.0
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        self.begun = time.perf_counter()

    def step(self, items: int) -> None:
        """Count one optimiser step over `items`."""
        self.items += items
        self.steps += 1

    def result(self, world: int = 1) -> dict[str, float]:
        """Return the speed of the epoch and what it cost, of `world` processes.

        items_per_s, step_ms, data_wait (share), memory_gb; seconds of training; parameters of the
        model; assumed_w; if known flops_per_item of a forward pass, flops_per_s, mfu.
        """
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        seconds = max(1e-9, time.perf_counter() - self.begun - self.checkpoint_s)
        speed = self.items / seconds
        values = {
            "items_per_s": speed * world,
            "step_ms": 1e3 * seconds / max(1, self.steps),
            "data_wait": min(1.0, self.wait_s / seconds),
            "memory_gb": self._memory(),
            "checkpoint_s": self.checkpoint_s,
            "seconds": seconds,
            "parameters": float(self.parameters),
        }
        power = assumed_power(self.device, torch.get_num_threads())
        if power is not None:
            values["assumed_w"] = power * world
        if self.flops_per_item:
            # a training step costs three forward passes (Kaplan et al. 2020, section 2.1)
            values["flops_per_item"] = self.flops_per_item
            values["flops_per_s"] = 3 * self.flops_per_item * speed
            if self.peak:
                values["mfu"] = values["flops_per_s"] / self.peak
        return values | self.more

    def _memory(self) -> float:
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 1e9
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
