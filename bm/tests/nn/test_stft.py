"""Transforms: equal to scipy, exact inverses, gradients, phase recovery."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal

from bm.nn.mel import Mel, mel_bank, nonnegative_solution
from bm.nn.stft import STFT, griffin_lim, random_phase


@pytest.mark.parametrize("size,hop,samples", [(127, 34, 750), (64, 16, 200), (100, 7, 333)])
def test_scaled_transform_and_inverse_equal_scipy(size: int, hop: int, samples: int) -> None:
    wave = np.random.default_rng(0).standard_normal((2, 3, samples))
    ours = STFT(size, hop)(torch.from_numpy(wave))
    theirs = signal.stft(wave, nperseg=size, noverlap=size - hop)[2].swapaxes(-1, -2)
    assert ours.shape == (2, 3, STFT(size, hop).frames(samples), size // 2 + 1)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)
    back = STFT(size, hop).inverse(ours).numpy()
    np.testing.assert_allclose(back[..., :samples], wave, atol=1e-10)
    assert back.shape[-1] == STFT(size, hop).samples(ours.shape[-2])


def test_unscaled_transform_equals_torch_and_keeps_its_length() -> None:
    wave = torch.randn(2, 775, dtype=torch.float64)
    stft = STFT(100, 25, scaled=False)
    theirs = torch.stft(wave, 100, 25, window=torch.hann_window(100, dtype=wave.dtype),
                        center=True, pad_mode="constant", return_complex=True)  # fmt: skip
    torch.testing.assert_close(stft(wave), theirs.transpose(1, 2))
    assert stft.frames(775) == 32 and stft.samples(32) == 775


def test_gradient_flows_through_transform_and_inverse() -> None:
    wave = torch.randn(1, 200, dtype=torch.float64, requires_grad=True)
    stft = STFT(32, 8)
    stft.inverse(stft(wave) * 2).square().sum().backward()
    torch.testing.assert_close(wave.grad, 8 * wave.detach())


def test_a_hop_longer_than_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="hop 40"):
        STFT(32, 40)


def test_griffin_lim_finds_a_wave_of_the_magnitude() -> None:
    """Spectral convergence of a tone in noise falls far below that of random phases."""
    time = torch.arange(1000, dtype=torch.float64) / 250
    wave = torch.sin(2 * torch.pi * 10 * time) + 0.1 * torch.randn(
        1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    stft = STFT(100, 25, scaled=False)
    magnitude = stft(wave).abs()
    phase = random_phase(magnitude[None], [1])[0]

    def convergence(repeats: int) -> float:
        rebuilt = stft(griffin_lim(stft, magnitude, phase, repeats)).abs()
        return float((rebuilt - magnitude).norm() / magnitude.norm())

    assert convergence(32) < 0.1 < 0.3 < convergence(0)


def test_mel_filters_have_unit_area_and_cover_every_bin_inside() -> None:
    bank = mel_bank(250, 1000, 20)
    np.testing.assert_allclose(bank.sum(1) * 0.25, 1.0, rtol=1e-2)
    assert (bank[:, 1:-1].sum(0) > 0).all() and not bank[:, 0].any()


def test_mel_attenuation_of_a_tone_is_nought_at_its_frequency() -> None:
    mel = Mel(250, 100, 25, 32).double()
    time = torch.arange(775, dtype=torch.float64) / 250
    power = mel.power(torch.stack([torch.sin(2 * torch.pi * f * time) for f in (20.0, 60.0)]))
    attenuation = mel.attenuation(power)
    assert attenuation.shape == (2, 32, 32)
    assert float(attenuation.min()) == 0 and float(attenuation.max()) <= 80
    edge = 125 / 33
    assert attenuation[:, 16].argmin(-1).tolist() == [round(20 / edge) - 1, round(60 / edge) - 1]
    again = mel.restored(attenuation, mel.loudest(power))
    torch.testing.assert_close(again[attenuation < 80], power[attenuation < 80])


def test_nonnegative_solution_equals_scipy_also_outside_the_cone() -> None:
    from scipy.optimize import nnls

    random = np.random.default_rng(0)
    matrix = mel_bank(250, 100, 64)
    values = random.uniform(0, 1, (6, 64))
    ours = nonnegative_solution(torch.from_numpy(matrix), torch.from_numpy(values)).numpy()
    assert (ours >= 0).all()
    for mine, row in zip(ours, values, strict=True):
        best = nnls(matrix, row)[1]
        assert np.linalg.norm(matrix @ mine - row) <= best * (1 + 1e-5)
