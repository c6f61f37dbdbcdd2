"""Fourier amplitude and phase of signal patches as targets (LaBraM, equations 5 to 8)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..nn.precision import without_autocast


def mirrored(half: Tensor, n: int, sign: float) -> Tensor:
    """Return all n bins (..., n) of a real signal's spectrum from the first n // 2 + 1.

    Bin n - k is the conjugate of bin k: `sign` is 1 for amplitudes, -1 for phases.
    """
    return torch.cat([half, sign * half[..., 1 : (n + 1) // 2].flip(-1)], -1)


def standardised(values: Tensor) -> Tensor:
    """Standardise values (B, ...) over each item, by the unbiased deviation; constants are 0."""
    flat = values.flatten(1)
    # over a whole item, not a patch: differences of power between electrodes stay in the targets
    deviation, mean = torch.std_mean(flat, 1, keepdim=True)
    return ((flat - mean) / torch.where(deviation > 0, deviation, 1.0)).view(values.shape)


@torch.no_grad()
def spectral_targets(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Return amplitude and phase of the discrete Fourier transform of each patch, standardised.

    Means and deviations are over all patches and bins of an item. The phase of a negative real
    bin (0 and P/2) is +pi, whatever the sign that a transform gives to its zero.

    Args:
        patches: (B, L, P) float32.

    Returns:
        Two tensors (B, L, P).
    """
    n = patches.shape[-1]
    with without_autocast(patches):
        spectrum = torch.fft.rfft(patches.float())
        amplitude, phase = spectrum.abs(), torch.atan2(spectrum.imag, spectrum.real)
        # the sign of a zero imaginary part differs between transforms, and decides between +-pi
        real_bins = [0, n // 2] if n % 2 == 0 else [0]
        phase[..., real_bins] = phase[..., real_bins].abs()
        return standardised(mirrored(amplitude, n, 1.0)), standardised(mirrored(phase, n, -1.0))


def spectral_losses(
    spectra: tuple[Tensor, Tensor], targets: tuple[Tensor, Tensor], smooth: bool = False
) -> dict[str, Tensor]:
    """Return the mean errors of `amplitude` and `phase`: squared, or smooth L1 with corner 1."""
    function = functional.smooth_l1_loss if smooth else functional.mse_loss
    names = ("amplitude", "phase")
    return {
        name: function(a.float(), b) for name, a, b in zip(names, spectra, targets, strict=True)
    }
