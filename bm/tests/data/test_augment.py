"""Augmentations depend on (seed, epoch, window) alone; scaling by window."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from bm.data.augment import AUGMENTATIONS, Augmentation
from bm.data.batch import Batch
from bm.data.dataset import Dataset
from bm.data.scale import Scaler
from bm.data.signal import bare
from bm.errors import UserError
from bm.facts import DataFacts

RATE, T, C, N = 100.0, 64, 4, 40
ALL = [
    {"step": "time_shift", "max_s": 0.1, "chance": 0.8},
    {"step": "zero_shift", "max_s": 0.1, "chance": 0.8},
    {"step": "channel_dropout", "p": 0.2},
    {"step": "time_mask", "max_s": 0.1},
    {"step": "amplitude", "low": 0.5, "high": 1.5},
    {"step": "noise", "sd": 0.1},
    {"step": "frequency_shift", "max_hz": 2.0},
]


def dataset(steps: list[dict] | None = None, kind: str = "none") -> Dataset:
    """40 windows of white noise in two recordings, three quarters for training."""
    rng = np.random.default_rng(0)
    signals = [bare(torch.from_numpy(rng.standard_normal((N // 2 * T, C)).astype("f4")), RATE)
               for _ in range(2)]  # fmt: skip
    rows = [(i // 20, i % 20 * T, T, i, i % 2, "s", "p", "0", "0") for i in range(N)]
    names = ["recording", "start", "length", "event_row", "label", "study", "subject", "session",
             "run"]  # fmt: skip
    table = pd.DataFrame(rows, columns=names)
    table["split"] = np.where(np.arange(N) % 4 == 3, "valid", "train")
    facts = DataFacts(signals[0].channels, RATE, T, subjects=("s/p",), classes=("a", "b"))
    data = Dataset(signals, table, facts, "")
    data.augmentation = Augmentation(steps) if steps else None
    data.scaler = Scaler(kind, None)
    data.scaler.fit(signals, table, [0, 0])
    return data


def epoch(data: Dataset, number: int, size: int = 8, position: int = 0, **options) -> dict:
    """Row -> window of an epoch of the training split."""
    loader = data.loader("train", size, shuffle=True, seed=3, **options)
    loader.set_epoch(number)
    loader.seek(position)
    return {int(row): window.clone() for batch in loader
            for row, window in zip(batch.segment, batch.signal, strict=True)}  # fmt: skip


def test_same_window_whatever_batch_rank_and_resume() -> None:
    data = dataset(ALL)
    first = epoch(data, 2)
    assert not all(torch.equal(first[r], dataset().gather([r]).signal[0]) for r in first)
    others = [epoch(data, 2, size=5), epoch(data, 2, position=2), epoch(dataset(ALL), 2)]
    others += [epoch(data, 2, size=3, rank=rank, world=2) for rank in (0, 1)]
    for other in others:
        shared = set(first) & set(other)
        assert len(shared) >= 6
        assert all(torch.equal(first[row], other[row]) for row in shared)
    third = epoch(data, 3)
    assert not any(torch.equal(first[row], third[row]) for row in set(first) & set(third))


def test_training_windows_alone_are_changed() -> None:
    data, plain = dataset(ALL), dataset()
    for split, shuffle in (("valid", False), ("train", False), ("valid", True)):
        for batch in data.loader(split, 8, shuffle=shuffle):
            rows = batch.segment.tolist()
            assert torch.equal(batch.signal, plain.gather(rows).signal)
    stored = [signal.data.clone() for signal in data.signals]
    epoch(data, 0)
    assert all(torch.equal(a, b.data) for a, b in zip(stored, data.signals, strict=True))


def change(name: str, window: torch.Tensor, **options) -> torch.Tensor:
    changed = window.clone()
    AUGMENTATIONS.get(name)(changed, RATE, np.random.default_rng(1), **options)
    return changed


def test_each_does_what_it_says() -> None:
    window = torch.randn(T, C, generator=torch.Generator().manual_seed(0))
    shifted = change("time_shift", window, max_s=0.1)
    steps = [k for k in range(-10, 11) if torch.equal(shifted[10:-10].roll(0, 0),
             window[10 - k : T - 10 - k])]  # fmt: skip
    assert len(steps) == 1 and steps != [0]
    lost = change("channel_dropout", window, p=0.6) == 0
    assert 0 < lost.all(0).sum() < C and torch.equal(lost.all(0), lost.any(0))
    assert (change("channel_dropout", window, p=1.0) != 0).all(0).sum() == 1
    masked = (change("time_mask", window, max_s=0.3) == 0).all(1)
    assert 0 < masked.sum() <= 30 and (masked.int().diff().abs().sum() <= 2)
    factor = change("amplitude", window, low=0.5, high=0.6) / window
    torch.testing.assert_close(factor, factor[:1, :1].expand_as(factor))
    assert 0.5 <= factor[0, 0] <= 0.6
    many = torch.zeros(5000, 8)
    assert abs(float(change("noise", many, sd=0.3).std()) - 0.3) < 0.01


def test_frequency_shift_moves_a_tone() -> None:
    time = torch.arange(1000) / RATE
    tone = torch.sin(2 * np.pi * 20 * time)[:, None]
    shifted = change("frequency_shift", tone, max_hz=5.0)
    expected = np.random.default_rng(1).uniform(-5, 5)
    spectrum = torch.fft.rfft(torch.nn.functional.pad(shifted[:, 0], (0, 99000))).abs()
    assert abs(float(spectrum.argmax()) / 1000 - 20 - expected) < 0.02
    torch.testing.assert_close(shifted.std(), tone.std(), atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"step": "time_shft", "max_s": 1}, "did you mean 'time_shift'"),
        ({"step": "noise", "std": 1}, "unknown option 'std'"),
        ({"step": "noise"}, "noise needs sd"),
        ({"step": "noise", "sd": -1}, "from 0 on"),
        ({"step": "noise", "sd": 1, "chance": 2}, "no probability"),
        ({"step": "amplitude", "low": 2, "high": 1}, "above high"),
        ({"step": "noise", "rate_hz": 1, "sd": 1}, "unknown option 'rate_hz'"),
    ],
)
def test_bad_options_are_one_line(step: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Augmentation([step])


def test_empty_channels_stay_empty() -> None:
    batch = Batch(torch.zeros(2, 3, T), torch.zeros(2, 3, 3),
                  torch.tensor([[True, True, False]] * 2), torch.zeros(2, 3).long(),
                  *torch.zeros(3, 2).long())  # fmt: skip
    changed = Augmentation([{"step": "noise", "sd": 1.0}]).apply(batch, [RATE, RATE], 0, 0)
    assert (changed.signal[:, 2] == 0).all() and (changed.signal[:, :2] != 0).all()


def test_window_scaling() -> None:
    data = dataset(kind="window")
    data.signals[0].data[:T] = data.signals[0].data[:T] * 50 + 1e4
    data.signals[0].data[:T, 1] = 1e4 + 0.1
    windows = data.gather([0, 1, 30]).signal.double()
    live = torch.ones(3, C, dtype=torch.bool)
    live[0, 1] = False
    torch.testing.assert_close(windows.mean(2), torch.zeros(3, C).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(windows.std(2, correction=0), live.double(), atol=1e-3, rtol=0)
    assert torch.equal(data.gather([30]).signal[0], data.gather([5, 30]).signal[1])
    assert data.scaler.to_dict() == {"kind": "window"}


def test_a_shift_with_zeros_moves_the_whole_window() -> None:
    """Every shift occurs; that of 0 leaves a window as it is (a published defect made it zero)."""
    shift, steps = AUGMENTATIONS.get("zero_shift"), set()
    original = torch.arange(1.0, 11)[:, None].repeat(1, 2)
    for seed in range(60):
        window = original.clone()
        shift(window, 10.0, np.random.default_rng(seed), max_s=0.2)
        rows = window[:, 0].tolist()
        delay = rows.count(0) if rows[0] == 0 else -rows.count(0)
        expected = torch.zeros(10)
        first, last = max(0, delay), min(10, 10 + delay)
        expected[first:last] = original[first - delay : last - delay, 0]
        assert torch.equal(window, expected[:, None].repeat(1, 2))
        steps.add(delay)
    assert steps == {-2, -1, 0, 1, 2}
