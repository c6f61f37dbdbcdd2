"""Speed of batches whose windows lie on the device already, beside those that the loader copies."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import torch

from bm.data.dataset import Dataset

from ._bench_data import BATCH, CHANNELS, LENGTH, RATE_HZ, make_dataset

MINUTES, WINDOWS, PASSES = 10, 4000, 3


def rate(dataset: Dataset, device: torch.device) -> float:
    """Return windows per second of an epoch until they are on the device."""
    loader = dataset.loader("train", BATCH, shuffle=True)
    loader.set_epoch(1)
    began, count = time.perf_counter(), 0
    for batch in loader:
        count += len(batch.to(device))
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return count / (time.perf_counter() - began)


def measure() -> Iterator[tuple[str, float, str, float | None, str, str]]:
    """Yield what, ratio, unit, bar, direction, note; without a GPU both lie in the same memory."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    signal = torch.randn(int(MINUTES * 60 * RATE_HZ), CHANNELS)
    copied, held = (make_dataset([signal], WINDOWS, "robust") for _ in range(2))
    held.move_to(device)
    pairs = [(rate(held, device), rate(copied, device)) for _ in range(PASSES + 1)][1:]
    on_device, loader = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    what = f"windows of {LENGTH} samples on the device / by the Loader"
    note = "" if device.type == "cuda" else "no GPU: both lie in the memory of the processor"
    yield f"{what} ({on_device:,.0f} and {loader:,.0f} windows/s)", ratio, "x", None, ">=", note
