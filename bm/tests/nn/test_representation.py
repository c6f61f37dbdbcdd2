"""Representations: shapes, ranges, statistics in the state, inverses as good as they promise."""

from __future__ import annotations

import pytest
import torch
from scipy import signal

from bm.nn.representation import REPRESENTATIONS, Representation, StftComplexImage, WaveImage

RATE, TIMES = 125.0, 300
CASES = {
    "wave": {"multiple": 4},
    "whitened": {"multiple": 4},
    "stft_complex": {"nperseg": 31, "noverlap": 21, "multiple": 4},
    "stft_magnitude": {"nperseg": 31, "noverlap": 21, "multiple": 4},
    "mel": {"rate_hz": RATE, "n_fft": 50, "hop": 10, "n_mels": 30, "multiple": 4},
}
SHAPES = {"wave": (3, 300), "whitened": (3, 300), "stft_complex": (6, 32, 16),
          "stft_magnitude": (3, 32, 16), "mel": (3, 32, 32)}  # fmt: skip


def build(name: str) -> Representation:
    return REPRESENTATIONS[name](n_channels=3, n_times=TIMES, **CASES[name])  # type: ignore[call-arg]


@pytest.fixture(scope="module")
def waves() -> torch.Tensor:
    """A 10 Hz rhythm of another amplitude per channel in noise, microvolts."""
    random = torch.Generator().manual_seed(0)
    time, gain = torch.arange(TIMES) / RATE, torch.tensor([10.0, 20.0, 40.0])[:, None]
    phase = 6.28 * torch.rand(40, 3, 1, generator=random)
    return gain * (
        torch.sin(2 * torch.pi * 10 * time + phase)
        + 0.3 * torch.randn(40, 3, TIMES, generator=random)
    )


@pytest.mark.parametrize("name", CASES)
def test_shape_range_and_statistics(name: str, waves: torch.Tensor) -> None:
    one = build(name)
    assert not one(waves).isfinite().all() or name == "mel"  # nothing is guessed before fit
    one.fit(waves)
    image = one(waves)
    assert image.shape == (40, *SHAPES[name]) == (40, *one.shape)
    assert float(image.abs().max()) == float(one.limit)
    assert float(one.limit) <= (6 if name in ("wave", "whitened") else 1.4)
    other = build(name)
    other.load_state_dict(one.state_dict())
    assert torch.equal(other(waves), image)


@pytest.mark.parametrize("name", CASES)
def test_spectrum_and_amplitude_survive_the_round_trip(name: str, waves: torch.Tensor) -> None:
    one = build(name)
    one.fit(waves)
    back = one.inverse(one(waves), range(40))
    assert back.shape == (40, 3, one.n_times)
    if name in ("wave", "whitened", "stft_complex"):
        torch.testing.assert_close(back, waves[..., : one.n_times], atol=1e-3, rtol=1e-4)
    before, after = (
        signal.welch(x.numpy(), RATE, nperseg=125)[1][..., 8:13].sum(-1).mean(0)
        for x in (waves, back)
    )
    assert abs(after / before - 1).max() < 0.25


def test_phases_follow_the_seed_of_the_item(waves: torch.Tensor) -> None:
    one = build("mel")
    one.fit(waves)
    first, again, other = (one.inverse(one(waves[:1]), [seed]) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.allclose(first, other)
    both = one.inverse(one(waves[[0, 0]]), [2, 1])
    torch.testing.assert_close(both, torch.cat([other, first]), atol=1e-2, rtol=1e-3)


def test_a_scale_per_bin_evens_out_a_falling_spectrum() -> None:
    random = torch.Generator().manual_seed(0)
    waves = torch.randn(60, 2, TIMES, generator=random).cumsum(-1)  # 1/f^2
    spread = {}
    for per_bin in (False, True):
        one = StftComplexImage(2, TIMES, 31, 21, per_bin, multiple=4)
        one.fit(waves)
        spread[per_bin] = one(waves).std((0, 1, 2))[1:15]
        torch.testing.assert_close(one.inverse(one(waves)), waves, atol=1e-3, rtol=1e-4)
    assert float(spread[True].max() / spread[True].min()) < 2
    assert float(spread[False].max() / spread[False].min()) > 5


def test_waves_are_cropped_and_too_short_ones_refused() -> None:
    assert WaveImage(22, 750).n_times == 704
    with pytest.raises(ValueError, match="at least 64"):
        WaveImage(22, 50)


def test_noise_has_spectrum_and_covariance_of_the_waves_that_were_whitened() -> None:
    """What a network that knows nothing generates: the distance of white noise is no longer it."""
    random = torch.Generator().manual_seed(1)
    steps = torch.randn(400, 3, TIMES, generator=random)
    mixed = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, 0.5, 0.9]]) @ steps
    waves = 10 * mixed.cumsum(-1)  # falls with the square of the frequency
    waves = waves - waves.mean(-1, keepdim=True)
    one = build("whitened")
    one.fit(waves)
    image = one(waves)
    torch.testing.assert_close(image.std((0, 2)), torch.ones(3), atol=0.05, rtol=0)
    assert torch.corrcoef(image.transpose(0, 1).reshape(3, -1)).fill_diagonal_(0).abs().max() < 0.05
    back = one.inverse(torch.randn(400, *one.shape, generator=random))
    spectra = [torch.fft.rfft(x).abs().square().mean(0)[:, 2:].log() for x in (back, waves)]
    assert float((spectra[0] - spectra[1]).abs().mean()) < 0.2
    rows = [torch.corrcoef(x.transpose(0, 1).reshape(3, -1)) for x in (back, waves)]
    torch.testing.assert_close(rows[0], rows[1], atol=0.06, rtol=0)
