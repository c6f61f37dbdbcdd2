"""Gather: the right samples, memory that is used again only when free."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from bm.data import gather, scale
from bm.data.gather import BlockPool, gather_windows, subtract_baseline
from bm.data.scale import Scaler
from bm.data.signal import bare, pad_channels

SIGNALS = [torch.arange(3000.0).view(1000, 3), -torch.arange(600.0).view(200, 3)]


def windows(recordings: list[int], starts: list[int], length: int, **more) -> torch.Tensor:
    return gather_windows(
        [bare(s) for s in SIGNALS], np.array(recordings), np.array(starts), length, **more
    )


def test_windows_are_the_samples_of_their_recordings() -> None:
    block = windows([1, 0, 1], [7, 990, 190], 10)
    assert torch.equal(block[0], SIGNALS[1][7:17]) and torch.equal(block[1], SIGNALS[0][990:])
    assert torch.equal(block[2], SIGNALS[1][190:])


def test_outside_samples_wrap_around() -> None:
    block = windows([1, 1], [-3, 195], 10)
    assert torch.equal(block[0], torch.cat([SIGNALS[1][-3:], SIGNALS[1][:7]]))
    assert torch.equal(block[1], torch.cat([SIGNALS[1][195:], SIGNALS[1][:5]]))


def test_finish_changes_the_block_and_never_the_recording() -> None:
    before = SIGNALS[0].clone()
    block = windows([0, 1], [0, 0], 5, finish=lambda window, which: window.add_(100 * which))
    assert torch.equal(block[0], before[:5]) and torch.equal(block[1], SIGNALS[1][:5] + 100)
    assert torch.equal(SIGNALS[0], before)


def test_a_block_is_used_again_only_when_no_view_of_it_lives() -> None:
    pool = BlockPool(2)
    first = windows([0], [0], 10, pool=pool)
    address, view = first.data_ptr(), first.transpose(1, 2)[0, 1:2]
    del first
    second = windows([0], [5], 10, pool=pool)
    assert second.data_ptr() != address and view[0, 0] == 1.0
    del view
    third = windows([1], [0], 8, pool=pool)  # a smaller block fits
    assert third.data_ptr() == address and torch.equal(third[0], SIGNALS[1][:8])
    held = [windows([0], [i], 10, pool=pool) for i in range(9)]  # more than the pool keeps
    assert len({block.data_ptr() for block in held}) == 9
    assert all(block[0, 0, 0] == 3 * i for i, block in enumerate(held))


def test_baseline_and_padding() -> None:
    block = subtract_baseline(torch.randn(2, 20, 3) + 5, 4)
    assert block[:, :4].mean(1).abs().max() < 1e-5
    padded = pad_channels(block, 5)
    assert torch.equal(padded[..., :3], block) and not padded[..., 3:].any()


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("clamp", [None, 1.5])
@pytest.mark.parametrize("length", [64, 61])
def test_windows_scaled_while_they_are_copied_have_the_same_bits(
    compiled: bool, clamp: float | None, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiled and scale.write_scaled is None:
        pytest.skip("no compiler where the package was installed")
    if not compiled:
        monkeypatch.setattr(scale, "write_scaled", None)
    draw = np.random.default_rng(0)
    signals = [bare(torch.from_numpy(draw.normal(3, 7, (300, 5)).astype("f4"))) for _ in range(2)]
    rows = [(r, s, 61, "train") for r in (0, 1) for s in (0, 100, 200)]
    table = pd.DataFrame(rows, columns=["recording", "start", "length", "split"])
    scaler = Scaler("robust", clamp)
    scaler.fit(signals, table, [0, 0])
    which, starts = np.array([0, 1, 1, 0]), np.array([5, 17, 280, -3])  # the last two wrap
    one = gather_windows(signals, which, starts, length, scaler.finish)
    for streamed in (gather.STREAMED, 0):
        monkeypatch.setattr(gather, "STREAMED", streamed)
        other = gather_windows(signals, which, starts, length, scaler.finish, None, scaler.write)
        assert torch.equal(one, other)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("channels", [5, 64])
def test_large_blocks_hold_the_same_windows(
    compiled: bool, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiled and gather.write_plain is None:
        pytest.skip("no compiler where the package was installed")
    if not compiled:
        monkeypatch.setattr(gather, "write_plain", None)
    monkeypatch.setattr(gather, "STREAMED", 0)
    values = torch.arange(300 * channels, dtype=torch.float32).view(300, channels)
    starts = np.array([0, 7, 239])  # windows of 61 x 5 samples begin at any address
    block = gather_windows([bare(values)], np.zeros(3, int), starts, 61)
    assert all(torch.equal(block[i], values[s : s + 61]) for i, s in enumerate(starts.tolist()))


def test_compiled_copies_refuse_sizes_that_do_not_fit() -> None:
    if gather.write_plain is None:
        pytest.skip("no compiler where the package was installed")
    with pytest.raises(ValueError, match="do not fit"):
        gather.write_plain(np.zeros((2, 3), "f4"), np.zeros((3, 3), "f4"))


def test_statistics_of_training_windows_are_those_of_their_samples() -> None:
    draw = np.random.default_rng(0)
    values = draw.normal(3, 7, (2, 300, 5)).astype("f4")
    signals = [bare(torch.from_numpy(one)) for one in values]
    # overlapping, of two lengths, one of them padded at the end of its recording, and a test window
    rows = [(0, 0, 60, "train"), (0, 30, 60, "train"), (1, 270, 60, "train"), (1, 5, 20, "train"),
            (1, 100, 60, "test")]  # fmt: skip
    table = pd.DataFrame(rows, columns=["recording", "start", "length", "split"])
    parts = [values[r, start : start + length] for r, start, length, _ in rows[:4]]
    samples = np.concatenate(parts).astype(float)
    mean, sd = scale.channel_statistics(signals, table)
    np.testing.assert_allclose(mean, samples.mean(0), rtol=1e-12)
    np.testing.assert_allclose(sd, samples.std(0), rtol=1e-12)


def test_compiled_scaling_refuses_sizes_that_do_not_fit_and_leaves_nan() -> None:
    if scale.write_scaled is None:
        pytest.skip("no compiler where the package was installed")
    source, place = np.array([[np.nan, 4.0]], "f4"), np.zeros((1, 2), "f4")
    scale.write_scaled(source, place, np.zeros(2, "f4"), np.ones(2, "f4"), 3.0, False)
    assert np.isnan(place[0, 0]) and place[0, 1] == 3.0
    for wrong in (np.zeros(3, "f4"), np.zeros(0, "f4")):
        with pytest.raises(ValueError, match="do not fit"):
            scale.write_scaled(source, place, wrong, wrong, 3.0, False)
    with pytest.raises(ValueError, match="do not fit"):
        larger = np.zeros((2, 2), "f4")
        scale.write_scaled(source, larger, np.zeros(2, "f4"), np.ones(2, "f4"), 3.0, False)
