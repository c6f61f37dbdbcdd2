"""Speed of an epoch: what a second holds, and the share of the device's peak."""

from __future__ import annotations

import pytest
import torch

from bm.engine import perf as module
from bm.engine.perf import Perf


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time in seconds, as the first element says."""
    time = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: time[0])
    return time


def test_an_epoch_of_ten_items_in_two_seconds(clock: list[float]) -> None:
    perf = Perf(torch.device("cpu"), "fp32")
    perf.step(6)
    perf.step(4)
    perf.wait_s, perf.checkpoint_s, clock[0] = 0.5, 1.0, 103.0  # the checkpoint is no part of it
    values = perf.result(world=2)
    assert (values["items_per_s"], values["step_ms"], values["data_wait"]) == (10.0, 1000.0, 0.25)
    assert values["checkpoint_s"] == 1.0 and 0 < values["memory_gb"] < 1000
    assert "flops_per_s" not in values and "mfu" not in values
    perf.start()
    clock[0] += 1
    assert perf.result()["items_per_s"] == 0


def test_a_training_step_costs_three_forward_passes(clock: list[float]) -> None:
    """One forward, and a backward pass of two: for the input and for the weights."""
    perf = Perf(torch.device("cpu"), "fp32")
    perf.flops_per_item, perf.peak = 7e9, 1e12
    perf.step(20)
    clock[0] += 2.0
    values = perf.result()
    assert values["flops_per_s"] == pytest.approx(3 * 7e9 * 10)
    assert values["mfu"] == pytest.approx(0.21)
    perf.peak = None
    assert "mfu" not in perf.result()


def test_peaks_are_those_of_the_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA A100-SXM4-80GB")
    peaks = [module.device_peak(torch.device("cuda"), p) for p in ("fp32", "bf16", "fp16")]
    assert peaks == [19.5e12, 312e12, 312e12]
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "another")
    assert module.device_peak(torch.device("cuda"), "bf16") is None
    assert module.device_peak(torch.device("cpu"), "fp32") is None
