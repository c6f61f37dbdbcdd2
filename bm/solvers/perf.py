"""What an epoch cost: items per second, share of waiting for data, memory, FLOP/s, MFU."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

#: Dense bf16 peak in FLOP/s by part of the device's name (vendors' data sheets).
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "V100": 125e12}
BACKWARD = 2  # a backward pass costs about two forward passes


def device_peak(device: torch.device) -> float | None:
    """Peak FLOP/s of the device, None when unknown."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in PEAKS.items() if part in name), None)


def forward_flops(run: Callable[[], object], model: nn.Module) -> float:
    """FLOPs of one forward pass, counted by torch; changes neither model nor generators."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    training = model.training
    model.eval()
    with torch.random.fork_rng(), torch.no_grad(), counter:
        run()
    model.train(training)
    return float(counter.get_total_flops())


def peak_memory_mb(device: torch.device) -> float:
    """Largest memory so far: of the device on CUDA, of the process elsewhere."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


class Perf:
    """Clock of one training epoch."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.item_flops: float | None = None  # forward and backward of one item
        self.start()

    def start(self) -> None:
        """Begin an epoch."""
        self.began = time.perf_counter()
        self.items = self.steps = 0

    def count(self, items: int) -> None:
        """One batch was trained."""
        self.items += items
        self.steps += 1

    def values(self, wait_s: float, world: int = 1) -> dict[str, float]:
        """The `perf` group of the epoch.

        Args:
            wait_s: seconds that the loop waited for data.
            world: processes, for the total of items.
        """
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elapsed = time.perf_counter() - self.began
        found = {
            "items_per_s": self.items * world / elapsed,
            "step_ms": 1e3 * elapsed / max(1, self.steps),
            "data_wait_share": min(1.0, wait_s / elapsed),
            "peak_memory_mb": peak_memory_mb(self.device),
            "epoch_s": elapsed,
        }
        if self.item_flops:
            found["gflops"] = self.items * self.item_flops / elapsed / 1e9
            peak = device_peak(self.device)
            if peak:
                found["mfu"] = found["gflops"] * 1e9 / peak
        return found
