"""Noise schedule of a diffusion process: forward noising, targets and their inversion.

Notation of Ho et al. 2020: beta_t, abar_t = prod(1 - beta); x_t = sqrt(abar_t) x_0 +
sqrt(1 - abar_t) eps.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

SHAPES = ("linear", "scaled_linear")


def betas(shape: str, steps: int, start: float, end: float) -> np.ndarray:
    """Return (steps,) float64 betas of a shape.

    `linear`: equally spaced (Brain-Diffusion); `scaled_linear`: equally spaced square roots
    (eeg2speech, latent diffusion).
    """
    if shape == "linear":
        return np.linspace(start, end, steps)
    if shape == "scaled_linear":
        return np.asarray(np.linspace(start**0.5, end**0.5, steps) ** 2)
    raise ValueError(f"schedule shape {shape!r}; one of {', '.join(SHAPES)}")


class NoiseSchedule(nn.Module):
    """Tables of a diffusion process: float32 buffers from float64, not part of a state dict.

    Args:
        shape: `linear` or `scaled_linear`.
        steps: number T of noise levels; t runs over 0..T-1.
        start, end: first and last beta.
    """

    betas: Tensor
    alphas_cumprod: Tensor
    posterior_variance: Tensor

    def __init__(
        self, shape: str = "linear", steps: int = 1000, start: float = 1e-4, end: float = 0.02
    ) -> None:
        super().__init__()
        self.shape, self.steps, self.start, self.end = shape, steps, start, end
        beta = betas(shape, steps, start, end)
        abar = np.cumprod(1 - beta)
        before = np.append(1.0, abar[:-1])
        variance = beta * (1 - before) / (1 - abar)
        # float64 up to here: 1 - abar of the first levels would lose digits in float32
        tables = {
            "betas": beta,
            "alphas_cumprod": abar,
            "alphas_cumprod_prev": before,
            "sqrt_alphas_cumprod": np.sqrt(abar),
            "sqrt_one_minus_alphas_cumprod": np.sqrt(1 - abar),
            "log_one_minus_alphas_cumprod": np.log(1 - abar),
            "sqrt_recip_alphas_cumprod": np.sqrt(1 / abar),
            "sqrt_recipm1_alphas_cumprod": np.sqrt(1 / abar - 1),
            "posterior_variance": variance,
            "posterior_log_variance_clipped": np.log(np.maximum(variance, 1e-20)),
            "posterior_mean_coef1": beta * np.sqrt(before) / (1 - abar),
            "posterior_mean_coef2": (1 - before) * np.sqrt(1 - beta) / (1 - abar),
        }
        for name, values in tables.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)

    def at(self, name: str, t: Tensor, like: Tensor) -> Tensor:
        """Return entries `t` (B,) of a table, shaped to multiply `like` (B, ...)."""
        values: Tensor = getattr(self, name)[t]
        return values.reshape(-1, *(1,) * (like.ndim - 1))

    def add_noise(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return x_t of x_0 (B, ...) at steps t (B,)."""
        signal, level = self._levels(t, x0)
        return signal * x0 + level * noise

    def velocity(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return v = sqrt(abar) eps - sqrt(1 - abar) x_0 (Salimans and Ho 2022)."""
        signal, level = self._levels(t, x0)
        return signal * noise - level * x0

    def noise_from_velocity(self, xt: Tensor, v: Tensor, t: Tensor) -> Tensor:
        """Return eps of x_t and v."""
        signal, level = self._levels(t, xt)
        return signal * v + level * xt

    def _levels(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        names = ("sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod")
        signal, level = (self.at(name, t, like) for name in names)
        return signal, level


def slerp(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Interpolate spherically between two tensors of one shape; `share` 0 gives the first.

    The angle is that between the flattened tensors; between (nearly) parallel ones the straight
    line is taken.
    """
    cosine = torch.dot(first.flatten(), second.flatten()) / (first.norm() * second.norm())
    angle = torch.acos(cosine.clamp(-1, 1))
    sine = torch.sin(angle)
    if sine < 1e-6:  # the quotient below would divide by it
        return torch.lerp(first, second, share)
    return (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * second) / sine
